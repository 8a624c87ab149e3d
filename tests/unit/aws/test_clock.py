"""Time as machines have it: clocks that are wrong, clocks that are set, zones. They change nothing but a message."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from awsdirenv.aws.botocore_session import AwsClock
from awsdirenv.aws.errors import guarded
from awsdirenv.cache import snapshots
from awsdirenv.cache.sessions import SessionStore
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.errors import StsError
from awsdirenv.session_credentials import FARTHEST, SessionCredentials, utc_now
from awsdirenv.system import clocks, files
from world import World
from wrong_clocks import GARBAGE, HOUR, edit

ZERO = timedelta(0)


def machine(proc: Path, *, boot: str = "01234567-89ab", uptime: float = 1000, first: str = "1 (a) b) S") -> None:
    """Write what a kernel tells of its start."""
    (proc / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (proc / "1").mkdir(exist_ok=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{boot}-cdef\n")
    (proc / "uptime").write_text(f"{uptime:.2f} 4000.00\n")
    (proc / "1/stat").write_text(f"{first} {' '.join(str(number) for number in range(4, 52))}\n")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine of the test's own, started 1000 seconds ago."""
    monkeypatch.setattr(clocks, "_PROC", tmp_path)
    machine(tmp_path)
    return tmp_path


def started(text: str | None, ago: int) -> str:
    """Give an anchor for a start that was so many seconds before the one in another."""
    start, _, epoch = (text or "").partition(":")
    return f"{start}:{int(epoch) - ago}"


def test_an_anchor_says_when_the_machine_was_started(proc: Path) -> None:
    """Which start it was, and its time by the wall clock."""
    start, _, epoch = str(clocks.anchor()).partition(":")
    assert start == "01234567.22"
    assert abs(time.time() - 1000 - int(epoch)) <= 2


def test_this_machine_has_one() -> None:
    """Whatever this machine's /proc is like, it can be read, and tells the same twice."""
    then = clocks.anchor()
    assert then is not None
    assert clocks.set_since(then) == ZERO


@pytest.mark.parametrize("name", ["uptime", "sys/kernel/random/boot_id"])
def test_without_proc_there_is_none(proc: Path, name: str) -> None:
    """No Linux, or a sandbox without /proc: then the wall clock alone must do."""
    then = clocks.anchor()
    (proc / name).unlink()
    assert clocks.anchor() is None
    assert then
    assert clocks.set_since(then) == ZERO


def test_a_python_without_ctypes_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python builds itself without ctypes where libffi is missing; elsewhere than on Linux we would ask through it."""
    monkeypatch.setattr(clocks, "_PROC", tmp_path)
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert clocks.anchor() is None


def test_what_is_hidden_of_the_first_process_is_no_trouble(proc: Path) -> None:
    """Where /proc hides other people's processes, it hides that one from everybody, now and then."""
    (proc / "1/stat").unlink()
    assert str(clocks.anchor()).startswith("01234567.0:")


@pytest.mark.parametrize(("ago", "by"), [(3600, 3600), (-3600, -3600), (16, 16), (-16, -16), (13, 0), (-13, 0), (0, 0)])
def test_a_clock_that_was_set_has_moved_the_start(proc: Path, ago: int, by: int) -> None:
    """Forward and back; a few seconds are no news."""
    found = clocks.set_since(started(clocks.anchor(), ago))
    assert abs(found.total_seconds() - by) <= 2


def test_a_suspended_laptop_has_set_no_clock(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time since the start counts what it slept through, as the wall clock does."""
    then, before = clocks.anchor(), time.time()
    machine(proc, uptime=1000 + 8 * HOUR)
    monkeypatch.setattr(time, "time", lambda: before + 8 * HOUR)
    assert then
    assert clocks.set_since(then) == ZERO


def test_another_start_tells_nothing(proc: Path) -> None:
    """Neither one after a reboot, nor that of another container of the same machine, which may share the home."""
    then = started(clocks.anchor(), 3600)
    machine(proc, boot="76543210-89ab")
    assert clocks.set_since(then) == ZERO
    machine(proc)
    edit(proc / "1/stat", lambda text: text.replace(" 22 ", " 23 "))
    assert clocks.set_since(then) == ZERO


@pytest.mark.parametrize("text", GARBAGE)
def test_what_is_no_anchor_is_refused(tmp_path: Path, text: str) -> None:
    """A file with one was not written by us: neither a snapshot nor a session is taken from it."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        clocks.set_since(text)
    now = utc_now().replace(microsecond=0)
    good = SessionCredentials("ASIDTEST", "s3cret", "t0ken", now + timedelta(hours=1), now)
    store = SessionStore(tmp_path)
    store.write("role-1", good, "a role")
    snapshots.write(tmp_path / "x", Snapshot("x", good, None, None, ("absent @ /a", "absent @ /b")))
    assert store.read("role-1") == good
    assert snapshots.read(tmp_path / "x")
    for name in ("role-1", "x"):
        values = files.read_private(tmp_path / name) or {}
        (key,) = [key for key in values if key.endswith("CLOCK")]
        files.write_private(tmp_path / name, {**values, key: text})
    assert store.read("role-1") is None
    assert snapshots.read(tmp_path / "x") is None


def heard(asked: datetime, answered: datetime, date: datetime, monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """Give what is made of a Date header between question and answer."""
    found = AwsClock(lambda _: None)
    monkeypatch.setattr("awsdirenv.aws.botocore_session.utc_now", lambda: asked)
    found._send()
    monkeypatch.setattr("awsdirenv.aws.botocore_session.utc_now", lambda: answered)
    header = date.strftime("%a, %d %b %Y %H:%M:%S GMT")
    found._receive({"headers": {"date": header}}, {"ResponseMetadata": {"HTTPStatusCode": 200}})
    return found.offset


def test_a_slow_network_is_no_wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever between question and answer AWS looked at its clock, ours agrees with it."""
    asked = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    answered = asked + timedelta(seconds=90)
    for after in (0, 5, 45, 90):
        assert heard(asked, answered, asked + timedelta(seconds=after), monkeypatch) == ZERO
    assert heard(asked, answered, answered + timedelta(seconds=40), monkeypatch) == timedelta(seconds=40)
    assert heard(asked, answered, asked - timedelta(seconds=41), monkeypatch) == timedelta(seconds=-40)


def test_ends_are_in_utc_whatever_the_zone_they_came_in() -> None:
    """Subtraction within one zone knows nothing of the hour that comes twice."""
    end = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=1)
    assert AwsClock(lambda _: None).ours(end) == datetime(2026, 11, 1, 6, 30, tzinfo=timezone.utc)
    assert AwsClock(lambda _: None).ours(end).tzinfo is timezone.utc


DATES_THAT_ARE_NONE = [
    *("", "yesterday", "Sun, 01 Mar 2026 12:00:00 -0000", "Fri, 31 Dec 9999 23:59:59 GMT"),
    *("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
]


@pytest.mark.parametrize("date", DATES_THAT_ARE_NONE)
def test_an_error_about_the_clock_survives_any_date(date: str) -> None:
    """What AWS says of our clock is said, without a difference where the answer's date is none."""

    def refuse() -> None:
        answer: Any = {"Error": {"Code": "RequestTimeTooSkewed", "Message": "too skewed"}}
        answer["ResponseMetadata"] = {"HTTPHeaders": {"date": date}}
        raise ClientError(answer, "GetSessionToken")

    with pytest.raises(StsError) as raised:
        guarded("GetSessionToken", refuse)
    assert (
        raised.value.message == "GetSessionToken: the clock of this machine is wrong: too skewed (RequestTimeTooSkewed)"
    )


@pytest.mark.parametrize("offset", [timedelta(hours=-1), timedelta(days=36500)])
@pytest.mark.parametrize(
    "end", [datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, tzinfo=timezone.utc)]
)
def test_the_ends_of_the_calendar_are_moments_too(end: datetime, offset: timedelta) -> None:
    """An end that our clock cannot show stays near the end of the calendar."""
    clock = AwsClock(lambda _: None)
    clock.offset = offset
    assert abs(clock.ours(end).year - min(end.year, FARTHEST.year)) <= 100


@pytest.mark.parametrize("date", DATES_THAT_ARE_NONE)
def test_a_date_that_is_none_is_not_heard(date: str) -> None:
    """Endpoints that are not AWS's may send anything."""
    found = AwsClock(lambda _: None)
    found._receive({"headers": {"date": date}}, {"ResponseMetadata": {"HTTPStatusCode": 200}})
    found._receive({"headers": {}}, {"ResponseMetadata": {"HTTPStatusCode": 200}})
    found._receive(None, None)
    assert found.offset == ZERO


def test_a_clock_between_us_and_aws_does_not_count(world: World) -> None:
    """What a proxy answers in its own name has the proxy's time."""
    found = AwsClock(lambda _: None)
    found._receive(
        {"headers": {"date": "Sun, 01 Mar 2020 12:00:00 GMT"}}, {"ResponseMetadata": {"HTTPStatusCode": 511}}
    )
    assert found.offset == ZERO


def test_nobody_is_told_who_did_not_ask(world: World) -> None:
    """SDKs show what a credential_process says only where it fails."""
    world.role("dev", mfa=False)
    world.sts.configure(clock_offset=2 * HOUR)
    done = world.run("awsdirenv", "credential-process", "dev")
    assert (done.returncode, done.stderr) == (0, "")
