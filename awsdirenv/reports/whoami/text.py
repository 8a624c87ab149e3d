"""What `awsdirenv whoami` says, for people: three columns side by side, the verdict, and what to do. Pure."""

from __future__ import annotations

from datetime import datetime

from awsdirenv.aws.caller_identity import EXPIRED, NONE, OFFLINE
from awsdirenv.reports.table import GREEN, RED, Canvas, Column, Row, table
from awsdirenv.reports.whoami.problems import actual_role
from awsdirenv.reports.whoami.verdict import MISMATCH, OK, Look
from awsdirenv.session_credentials import time_left
from awsdirenv.system.text import clock_text, printable

_COLUMNS = (
    Column("what"),
    Column("declared"),
    Column("held"),
    Column("actual"),
    Column("same", colour=lambda word: GREEN if word == "yes" else RED),
)
_VERDICTS = {
    MISMATCH: "something is not as it should be here",
    EXPIRED: "the credentials are over",
    OFFLINE: "AWS cannot be asked; this is what can be seen without it",
    NONE: "there are no credentials here",
}


def text(seen: Look, canvas: Canvas) -> str:
    """Write it; times are of the machine's time zone."""
    declared, caller = seen.declared, seen.caller
    lines = [table(_COLUMNS, [row for row in _rows(seen) if any(row[1:])], canvas)]
    long = (("declared role", declared.role_arn), ("actual identity", caller.arn), ("actual user id", caller.user_id))
    lines += [f"{name}: {printable(value)}\n" for name, value in long if value]
    lines.append(f"\nverdict: {seen.verdict}: {_verdict(seen)}\n")
    for problem in seen.problems:
        lines.append(f"- {problem.kind}: {printable(problem.message)}\n  hint: {printable(problem.hint)}\n")
    return "".join(lines).lstrip("\n")


def _verdict(seen: Look) -> str:
    if seen.verdict != OK:
        return _VERDICTS[seen.verdict]
    who = actual_role(seen.caller.arn) or (seen.caller.arn or "").rpartition("/")[2]
    return printable(f"you are {who} in account {seen.caller.account_id}")


def _rows(seen: Look) -> list[Row]:
    declared, held, caller = seen.declared, seen.held, seen.caller
    return [
        _compared("profile", declared.profile, held.profile, None),
        _compared("account", declared.account_id, held.account_id, caller.account_id),
        _compared("role", declared.role, None, actual_role(caller.arn)),
        _compared("region", declared.region, held.region, None),
        ("stage", declared.stage, None, None, None),
        _compared("access key", None, held.access_key_id, caller.access_key_id),
        ("until", None, _moment(held.expiration, seen.now), None, None),
    ]


def _compared(what: str, *values: str | None) -> Row:
    known = [value for value in values if value]
    same = None if len(known) < 2 else "yes" if len(set(known)) == 1 else "differs"
    return (what, *values, same)


def _moment(end: datetime | None, now: datetime) -> str | None:
    if end is None:
        return None
    return f"{clock_text(end, now)}, {f'{time_left(end, now)} left' if end > now else 'over'}"
