"""The text of `awsdirenv explain`: one block for each step, one line for each fact, no colour, no columns.

Each line makes sense alone, in a log or in a screen reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from awsdirenv.config.chain import ATTACHED, CONTAINER, ENVIRONMENT, INSTANCE, LOGIN, PROCESS, SSO, STATIC, WEB_IDENTITY
from awsdirenv.refresh.plan import ASSUME_ROLE, KEY_SESSION, MFA_SESSION, Step
from awsdirenv.reports.explain.hops import Explanation, Hop, NextLoad
from awsdirenv.reports.explain.values import Value
from awsdirenv.session_credentials import duration_text, time_left
from awsdirenv.system.text import clock_text, login_command, printable, with_tilde

_WIDTH = 80
_TITLES = {
    STATIC: "access key",
    SSO: "IAM Identity Center",
    PROCESS: "credential_process",
    WEB_IDENTITY: "AssumeRoleWithWebIdentity",
    LOGIN: "aws login",
    ENVIRONMENT: "keys in the environment",
    CONTAINER: "role of the container",
    INSTANCE: "role of the EC2 instance",
    ATTACHED: "role of the machine",
    MFA_SESSION: "GetSessionToken with an MFA code",
    KEY_SESSION: "GetSessionToken",
    ASSUME_ROLE: "AssumeRole",
}
_SOURCES = {
    SSO: "asks IAM Identity Center for credentials",
    PROCESS: "runs credential_process",
    WEB_IDENTITY: "calls AssumeRoleWithWebIdentity",
    LOGIN: "takes the credentials of aws login",
    CONTAINER: "asks the container's endpoint",
    INSTANCE: "asks the EC2 instance's metadata service",
    ATTACHED: "looks for the role of the machine",
}


def text(explained: Explanation, home: str, now: datetime) -> str:
    """Return the explanation as text. Paths below `home` begin with `~`. Times are in the local time zone."""
    return _Writer(explained, home, now).text()


class _Writer:
    def __init__(self, explained: Explanation, home: str, now: datetime) -> None:
        self._explained = explained
        self._home = home
        self._now = now

    def text(self) -> str:
        """Return the whole text."""
        if not self._explained.hops:
            return ""
        region = self._explained.region
        lines = [f"{self._explained.profile}: region {region.value}  ({self._place(region)})" if region else ""]
        lines[0] = lines[0] or f"{self._explained.profile}: no region"
        for number, hop in enumerate(self._explained.hops, start=1):
            lines += ["", f"{number}. {_TITLES[hop.kind]}, profile {hop.profile}", *self._block(hop)]
        if self._explained.next_load:
            lines += ["", f"next load: {self._next(self._explained.next_load)}"]
        return "".join(f"{printable(line)}\n" for line in lines)

    def _block(self, hop: Hop) -> list[str]:
        lines = self._values(hop.values)
        if hop.duration_seconds is not None and not self._explained.error:
            why = f", capped by {hop.capped_by}" if hop.capped_by else ""
            lines.append(f"   lives {duration_text(hop.duration_seconds)}{why}")
        if hop.cached_until:
            lines.append(f"   cached until {self._moment(hop.cached_until)}")
        elif not self._explained.error and hop.kind not in (STATIC, ENVIRONMENT):
            lines.append("   not cached")
        if hop.asks_for_code:
            lines.append("   asks for an MFA code")
        if hop.unused:
            lines += ["   not used here:", *self._values(hop.unused, "     ")]
        return lines

    def _values(self, values: Mapping[str, Value], indent: str = "   ") -> list[str]:
        width = max((len(name) for name in values), default=0)
        lines = []
        for name, value in values.items():
            shown = self._sign_in(value) if name == "sign_in" else self._shown(value)
            line, place = f"{indent}{name:{width}}  {shown}", f"({self._place(value)})"
            if len(line) + 2 + len(place) <= _WIDTH:
                lines.append(f"{line}  {place}")
            else:
                lines += [line, f"{indent}{'':{width}}  {place}"]
        return lines

    @staticmethod
    def _shown(value: Value) -> str:
        if value.value is None:
            return "there, not shown"
        return value.value or "empty"

    def _sign_in(self, value: Value) -> str:
        if value.value is None:
            return f"none; {login_command(self._explained.profile)}"
        end = datetime.fromisoformat(value.value.replace("Z", "+00:00"))
        if end > self._now:
            return f"until {self._moment(end)}"
        token = self._explained.next_load and self._explained.next_load.sign_in
        if token and token.can_refresh:
            return "renews itself"
        return f"over; {login_command(self._explained.profile)}"

    def _place(self, value: Value) -> str:
        return with_tilde(value.source, self._home)

    def _moment(self, moment: datetime) -> str:
        return f"{clock_text(moment, self._now)}, {time_left(moment, self._now)} left"

    def _next(self, load: NextLoad) -> str:
        """Return what the next load does, as one line."""
        held = load.snapshot.credentials.expiration if load.snapshot else None
        if load.is_fresh:
            return f"nothing: holds until {self._moment(held)}" if held else "nothing: holds until AWS's files change"
        deeds = []
        for number, step in enumerate(load.plan.steps, start=1):
            deeds += self._deeds(load, step, number)
        if load.plan.waits_for_code:
            until = held or (load.plan.steps[-1].stored and load.plan.steps[-1].stored.expiration)
            kept = f"keeps what holds until {self._moment(until)}; a new one needs an MFA code" if until else "nothing"
            deeds.append(kept)
        return ", ".join(deeds) or "calls nothing: all of it is stored"

    def _deeds(self, load: NextLoad, step: Step, number: int) -> list[str]:
        """Return what the next load does for one step, in order: questions, programs, calls."""
        identity = "calls GetCallerIdentity"
        if step.is_confirmed:
            return [identity]
        if not step.is_called:
            return [identity] if step.identifies and len(load.plan.steps) == 1 and not load.is_fresh else []
        if step.kind in _SOURCES:
            needs = f"needs a sign-in: {login_command(self._explained.profile)}"
            return [needs] if load.needs_sign_in else [_SOURCES[step.kind]]
        deeds = [identity] if step.needs_user_name else []
        if step.proves:
            deeds.append("asks for an MFA code" if step.asks else "runs a command for a code")
        deeds.append(f"calls {'GetSessionToken' if step.hop is None else 'AssumeRole'} ({number})")
        return [*deeds, identity] if step.identifies else deeds
