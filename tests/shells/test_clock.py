"""Time as machines have it: clocks that are wrong, clocks that are set, zones. They change nothing but a message."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from in_process import caller_arn
from shells import Shell
from strict_sts import Key
from timers import SOON, timers, wait_until
from wall import Wall
from world import BIN, REGION, World
from wrong_clocks import DAY, GARBAGE, HOUR, MINUTE, edit


@pytest.fixture
def wall(world: World) -> Wall:
    """Make a clock that can be set."""
    return Wall(world)


def seconds(text: str | None) -> float:
    """Read an exported time."""
    assert text
    return datetime.fromisoformat(text).timestamp()


def entered(world: World, folder: Path, **env: str) -> tuple[Key, float, str]:
    """Enter a directory that opens; give what AWS knows of the key, the exported end, and what was said."""
    changes, said = world.enter(folder, **env)
    assert changes.get("AWS_ACCESS_KEY_ID"), said
    end = seconds(changes["AWS_CREDENTIAL_EXPIRATION"])
    assert int(changes["AWSDIRENV_REFRESH_AT"] or 0) <= end
    return world.sts.keys[changes["AWS_ACCESS_KEY_ID"] or ""], end, said


def calls(world: World) -> list[str]:
    """Give the actions since the last look, `!` for those that were refused."""
    found = [call.action + ("!" if call.error_code else "") for call in world.sts.calls]
    world.sts.reset()
    return found


def stored(world: World) -> list[Path]:
    """Give the files that hold credentials."""
    return [*(world.cache / "snapshots").iterdir(), *(world.cache / "sessions").iterdir()]


# The anchor


GARBAGE += ["01234567.a[$(touch pwned)]:1", "01234567.22:a[$(touch pwned)]", "01234567.22:1 2", "01234567:1"]


def test_the_extension_refuses_it_too(world: World) -> None:
    """And the Python side heals it from the stored session, without a call; nothing of it is evaluated."""
    world.role("dev", mfa=False)
    folder = world.project("dev")
    world.hold("dev")
    before, _, _ = entered(world, folder)
    calls(world)
    (snapshot,) = (world.cache / "snapshots").iterdir()
    for text in GARBAGE[1:3] + GARBAGE[-4:]:
        edit(snapshot, lambda lines: re.sub("AWSDIRENV_CLOCK=.*", lambda _: f"AWSDIRENV_CLOCK={text}", lines))  # noqa: B023
        assert entered(world, folder)[0] == before, text
        assert f"CLOCK={text}\n" not in snapshot.read_text()
        assert calls(world) == [], text
        assert not (folder / "pwned").exists()


# A clock that is wrong all the time


@pytest.mark.parametrize(
    ("offset", "how"),
    [
        (600, "10m behind"),
        (-600, "10m ahead of"),
        (2 * HOUR, "2h00m behind"),
        (-30 * MINUTE, "30m ahead of"),
        (3 * DAY, "72h00m behind"),
    ],
)
def test_a_wrong_clock_changes_nothing_but_a_message(world: World, offset: int, how: str) -> None:
    """AWS's clock is another: one code, one session of each kind, ends by our own clock, and one warning."""
    world.role("dev")
    world.role("other")
    world.sts.configure(clock_offset=offset)
    done = world.run("awsdirenv", "login", "dev", "--token-code", world.code())
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0] == f"awsdirenv: warning: this machine's clock is {how} AWS's"
    assert said[1] == "awsdirenv: hint: set the clock; AWS may refuse what other programs ask"
    assert "warning" not in "".join(said[2:])
    assert said[2].endswith(", 1h00m left")
    refused = ["GetSessionToken!"] if abs(offset) > 15 * MINUTE else []
    assert calls(world) == [*refused, "GetSessionToken", "AssumeRole"]
    key, end, said_here = entered(world, world.project("dev"))
    assert "warning" not in said_here, "nothing was asked of AWS"
    assert calls(world) == []
    assert abs(key.expires - offset - end) <= 2
    world.hold("other")
    key, end, _ = entered(world, world.project("other"))
    assert abs(key.expires - offset - end) <= 2
    assert world.sts.count("AssumeRole", ok=True) == 1


@pytest.mark.parametrize(("offset", "cli"), [(600, False), (-600, True)])
def test_programs_work_beside_a_wrong_clock(world: World, offset: int, *, cli: bool) -> None:
    """The AWS CLI, and botocore, take what we export, and what we give as a credential_process, for what it is."""
    world.role("dev", mfa=False)
    world.profile("served", credential_process=f"{BIN}/awsdirenv credential-process dev", region="eu-west-1")
    world.sts.configure(clock_offset=offset)
    world.hold("dev")
    changes, _ = world.enter(world.project("dev"))
    held = {name: value for name, value in changes.items() if value and name.startswith("AWS_")}
    if cli:
        assert world.run("aws", "sts", "get-caller-identity", **held).returncode == 0  # type: ignore[arg-type]
        assert world.run("aws", "sts", "get-caller-identity", "--profile", "served").returncode == 0
    else:
        assert "assumed-role/dev/" in caller_arn({**world.env, **held}, world.root, None, REGION)
        assert "assumed-role/dev/" in caller_arn(world.env, world.root, "served", REGION)
    assert world.sts.count("AssumeRole") == 1


@pytest.mark.parametrize("source", ["sso", "web"])
def test_ends_of_other_sources_are_put_into_our_time(world: World, source: str) -> None:
    """What Identity Center and a web identity give has an end by AWS's clock, too."""
    world.sts.configure(clock_offset=600)
    if source == "sso":
        world.sso_session()
        world.sso_profile("start")
    else:
        world.web_identity_profile("start")
    world.hold("start")
    key, end, _ = entered(world, world.project("start"))
    assert abs(key.expires - 600 - end) <= 2


@pytest.mark.parametrize("offset", [40, -40])
def test_less_than_a_minute_is_put_right_without_a_word(world: World, offset: int) -> None:
    """Credentials are not used past their end by a clock that nobody would call wrong."""
    world.role("dev", mfa=False)
    world.sts.configure(clock_offset=offset)
    asked = world.run("awsdirenv", "load", "--", "dev")
    assert asked.returncode == 0
    key, end, said = entered(world, world.project("dev"))
    assert abs(key.expires - offset - end) <= 2
    assert "warning" not in asked.stderr + said


# A clock that is set


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that is loaded, with an MFA session, by the right time: tests name it before `wall`."""
    world.role("dev")
    world.login("dev")
    folder = world.project("dev")
    entered(world, folder)
    calls(world)
    return folder


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("ahead", [DAY, 40 * DAY])
def test_a_clock_set_forward_costs_no_code_and_no_session(world: World, folder: Path, wall: Wall, ahead: int) -> None:
    """By it everything is over. AWS is asked, once, and everything goes on; so it does when the clock is put right."""
    before, end, _ = entered(world, folder)
    wall.set(ahead)
    key, new_end, said = entered(world, folder)
    assert key == before
    assert abs(new_end - end - ahead) <= 3
    assert f"clock is {ahead // HOUR}h00m ahead of AWS's" in said
    assert calls(world) == ["GetCallerIdentity!", "GetCallerIdentity"]
    assert entered(world, folder)[:2] == (before, new_end)
    (snapshot,) = (world.cache / "snapshots").iterdir()
    snapshot.unlink()
    assert entered(world, folder)[0] == before
    assert calls(world) == [], "the answer is stored"
    wall.set(0)
    key, end_again, said = entered(world, folder)
    assert key == before
    assert abs(end_again - end) <= 3
    assert "warning" not in said
    assert calls(world) == []


@pytest.fixture
def behind(world: World) -> Path:
    """Make a project that is loaded by a clock that is two hours behind."""
    world.sts.configure(clock_offset=2 * HOUR)
    world.role("dev")
    world.login("dev")
    return world.project("dev")


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("ahead", [DAY, 2 * HOUR, -DAY])
def test_a_wrong_clock_that_is_set(world: World, behind: Path, wall: Wall, ahead: int) -> None:
    """To another time, which may be the right one: ends are again told by it, and no later than they are."""
    before, _, _ = entered(world, behind)
    wall.set(ahead)
    key, end, said = entered(world, behind)
    assert key == before
    assert abs(before.expires - 2 * HOUR + ahead - end) <= 3
    assert ("warning" in said) == (ahead == DAY)


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("ahead", [-40 * DAY, -10 * MINUTE])
def test_a_clock_set_back_costs_nothing(world: World, folder: Path, wall: Wall, ahead: int) -> None:
    """Ends move with it, without a call, and the second entering is the warm one."""
    before, end, _ = entered(world, folder)
    for now, then in ((ahead, 0), (2 * ahead, ahead), (0, 2 * ahead)):
        wall.set(now)
        key, new_end, said = entered(world, folder)
        assert key == before
        if now < then:
            assert abs(new_end - end - now) <= 3
        assert new_end - end - now <= 3, "never later than it is"
        assert "warning" not in said
        (snapshot,) = (world.cache / "snapshots").iterdir()
        generation = snapshot.read_bytes()
        entered(world, folder)
        assert snapshot.read_bytes() == generation
        if now < then:
            assert calls(world) == []


def test_a_clock_set_back_keeps_nothing_that_is_over(world: World, wall: Wall) -> None:
    """The end comes when it comes, whatever time it is."""
    world.role("plain", mfa=False)
    world.sts.life_override = 8
    folder = world.project("plain")
    before, _, _ = entered(world, folder)
    wall.set(-DAY)
    started_at = time.monotonic()
    same, end, _ = entered(world, folder)
    assert same == before
    assert end < time.time() - DAY + 9
    time.sleep(max(before.expires - time.time(), 0))
    assert time.monotonic() - started_at < 20
    key, _, _ = entered(world, folder)
    assert key != before
    assert key.expires > world.sts.now()


@pytest.mark.needs("/proc")
def test_a_clock_set_back_takes_nothing_away_that_holds(world: World, folder: Path, wall: Wall) -> None:
    """The snapshot alone will do: neither a session nor a network is needed to put its times right."""
    before, end, _ = entered(world, folder)
    for path in (world.cache / "sessions").iterdir():
        path.unlink()
    wall.set(-DAY)
    world.sts.stop()
    key, new_end, _ = entered(world, folder)
    assert key == before
    assert abs(new_end - end + DAY) <= 3


@pytest.mark.needs("/proc")
def test_a_paused_machine_has_lost_time_that_is_over(world: World, folder: Path, wall: Wall) -> None:
    """WSL, or a virtual machine: the clock is put right and looks as if set forward. What has ended is not kept."""
    before, _, _ = entered(world, folder)
    wall.set(2 * HOUR)
    world.sts.configure(clock_offset=2 * HOUR)
    key, end, said = entered(world, folder)
    assert key != before
    assert key.expires > world.sts.now() + 3000
    assert abs(key.expires - end) <= 2
    assert "warning" not in said
    assert calls(world) == ["GetCallerIdentity!", "AssumeRole"], "the role's is over, the MFA session is not"


@pytest.mark.needs("/proc")
def test_a_machine_paused_for_a_day_needs_a_code(world: World, folder: Path, wall: Wall) -> None:
    """And asks AWS no second time about what AWS has said is over."""
    wall.set(DAY)
    world.sts.configure(clock_offset=DAY)
    for asked in (["GetCallerIdentity!", "GetCallerIdentity!"], []):
        changes, said = world.enter(folder)
        assert "AWS_ACCESS_KEY_ID" not in changes
        assert "awsdirenv login dev" in said
        assert calls(world) == asked


def test_a_clock_set_forward_keeps_a_session_without_a_role(world: World, wall: Wall) -> None:
    """The MFA session itself, which nothing could renew without a code."""
    world.profile("self", source_profile="base", mfa_serial=world.mfa_serial, role_arn=world.sts.add_role("x"))
    world.credentials.write_text(world.credentials.read_text() + f"mfa_serial = {world.mfa_serial}\n")
    folder = world.project("base")
    world.login("base")
    before, end, _ = entered(world, folder)
    calls(world)
    wall.set(DAY)
    key, new_end, _ = entered(world, folder)
    assert key == before
    assert abs(new_end - end - DAY) <= 3
    assert calls(world) == ["GetCallerIdentity!", "GetCallerIdentity"]


@pytest.mark.needs("/proc")
def test_a_clock_set_forward_by_minutes_shortens_nothing_but_the_wait(world: World, folder: Path, wall: Wall) -> None:
    """What still holds by the new time is taken as it is; after that AWS says that there is more."""
    before, end, _ = entered(world, folder)
    wall.set(10 * MINUTE)
    assert entered(world, folder)[:2] == (before, end)
    assert calls(world) == []
    wall.set(13 * HOUR)
    assert entered(world, folder)[0] == before
    assert calls(world) == ["GetCallerIdentity!", "GetCallerIdentity"]


@pytest.mark.needs("/proc")
def test_many_at_once_ask_once(world: World, folder: Path, wall: Wall) -> None:
    """The question is asked under the session's lock, and its answer is for all."""
    wall.set(DAY)
    shells = [
        subprocess.Popen(["direnv", "export", "json"], cwd=folder, env=world.env, stdout=-1, stderr=-1, text=True)
        for _ in range(6)
    ]
    for shell in shells:
        out, _ = shell.communicate(timeout=60)
        assert "AWS_ACCESS_KEY_ID" in out
    assert calls(world) == ["GetCallerIdentity!", "GetCallerIdentity"]


@pytest.mark.needs("/proc")
def test_without_a_network_nothing_is_exported_that_may_be_over(world: World, folder: Path, wall: Wall) -> None:
    """When nobody can tell, the directory is closed, with the network's error; and opens again with it."""
    before, _, _ = entered(world, folder)
    wall.set(DAY)
    world.sts.stop()
    changes, said = world.enter(folder)
    assert "AWS_ACCESS_KEY_ID" not in changes
    assert "no answer" in said
    world.sts.start()
    assert entered(world, folder)[0] == before


def other_start(world: World) -> None:
    """Have all files be from before a restart of the machine."""
    for path in stored(world):
        assert "CLOCK=" in path.read_text()
        edit(path, lambda text: re.sub("CLOCK=........", "CLOCK=abcdef01", text))


def old_files(world: World) -> None:
    """Have all files be of a release that knew no anchors."""
    for path in stored(world):
        edit(path, lambda text: re.sub("(AWSDIRENV_)?CLOCK=.*\n", "", text))


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("change", [other_start, old_files])
def test_files_that_tell_nothing_of_the_clock_are_good(world: World, folder: Path, change: Callable[..., None]) -> None:
    """Where the clock was not set, they are what they were: fresh."""
    before, end, _ = entered(world, folder)
    change(world)
    assert entered(world, folder)[:2] == (before, end)
    assert calls(world) == []


@pytest.mark.parametrize("start", [r"abcdef01.1", r"\g<1>.99999999999"])
def test_a_later_start_of_another_machine_is_none_of_ours(world: World, folder: Path, start: str) -> None:
    """Neither another boot's nor another container's clock was set back because it stands later than ours."""
    before, end, _ = entered(world, folder)
    for path in stored(world):
        edit(path, lambda text: re.sub("CLOCK=([0-9a-f]{8}).*", f"CLOCK={start}:4000000000", text))
    assert entered(world, folder)[:2] == (before, end)
    assert calls(world) == []


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("change", [other_start, old_files])
def test_what_was_got_in_the_future_is_not_believed(
    world: World, folder: Path, wall: Wall, change: Callable[..., None]
) -> None:
    """A restart with a clock that is a day behind: AWS is asked, and no person."""
    before, end, _ = entered(world, folder)
    change(world)
    wall.set(-DAY)
    key, new_end, said = entered(world, folder)
    assert key == before
    assert abs(new_end - end + DAY) <= 3
    assert "clock is 24h00m behind AWS's" in said
    assert calls(world) == ["GetCallerIdentity!", "GetCallerIdentity"]
    assert entered(world, folder)[:2] == (before, new_end)
    assert calls(world) == []


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("change", [other_start, old_files])
def test_what_is_over_in_the_future_is_not_exported(
    world: World, folder: Path, wall: Wall, change: Callable[..., None]
) -> None:
    """By that clock there would be more than a day left."""
    before, _, _ = entered(world, folder)
    world.sts.expire(before.access_key_id)
    change(world)
    wall.set(-DAY)
    key, _, _ = entered(world, folder)
    assert key != before
    assert key.expires > world.sts.now()
    assert world.sts.count("AssumeRole", ok=True) == 1
    assert world.sts.count("GetSessionToken") == 0


@pytest.mark.parametrize(("kind", "ahead"), [("bash", DAY), ("fish", -DAY)])
def test_a_shell_that_sits_still_has_valid_credentials(world: World, wall: Wall, kind: str, ahead: int) -> None:
    """The timer goes on renewing when it is time, generation after generation."""
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    world.sts.life_override = 10
    world.role("plain", mfa=False)
    with Shell(world, kind, world.project("plain")) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        assert wait_until(lambda: len(timers(world)) == 1, SOON)
        wall.set(ahead)
        for _ in range(3):
            done = world.sts.count("AssumeRole", ok=True)
            assert wait_until(lambda: world.sts.count("AssumeRole", ok=True) > done, SOON)  # noqa: B023
            time.sleep(0.5)
            shell.run("true")
            for used in (world.cache / "timers").glob("*.used"):
                os.utime(used, (time.time() + ahead, time.time() + ahead))  # as the kernel would have by that clock
            assert world.sts.keys[shell.variable("AWS_ACCESS_KEY_ID")].expires > time.time() + 1
            assert len(timers(world)) == 1


# Zones


def test_a_zone_changes_nothing(world: World) -> None:
    """What was got in one place is fresh in another, to the second, in bash, in Python and in the AWS CLI."""
    world.role("dev")
    world.login("dev")
    folder = world.project("dev")
    for zone in ("Pacific/Kiritimati", "America/New_York", "Pacific/Niue", "Nowhere/Else"):
        before, end, _ = entered(world, folder)
        calls(world)
        changes, said = world.enter(folder, TZ=zone)
        held = {name: value for name, value in changes.items() if value and name.startswith("AWS_")}
        assert held["AWS_ACCESS_KEY_ID"] == before.access_key_id, zone
        assert seconds(held["AWS_CREDENTIAL_EXPIRATION"]) == end, zone
        assert "left" in said
        done = world.run("awsdirenv", "load", "dev", TZ=zone)
        assert (done.returncode, done.stderr) == (0, ""), zone
        assert calls(world) == [], zone
        if zone in ("Pacific/Kiritimati", "Pacific/Niue"):  # both ends
            assert world.run("aws", "sts", "get-caller-identity", TZ=zone, **held).returncode == 0  # type: ignore[arg-type]
        world.run("awsdirenv", "clear", "--all").check_returncode()
        world.login("dev")
        assert abs(entered(world, folder, TZ=zone)[0].expires - end) < 60, zone


_AUTUMN, _SPRING = "2026-11-01T05:50:00+00:00", "2026-03-08T06:50:00+00:00"


@pytest.mark.parametrize(("source", "moment"), [("role", _AUTUMN), ("sso", _AUTUMN), ("role", _SPRING)])
def test_the_hour_that_comes_twice_changes_nothing(world: World, wall: Wall, moment: str, source: str) -> None:
    """Ten minutes before clocks change in New York: an hour is an hour, before and after."""
    world.env["TZ"] = "America/New_York"
    at = int(seconds(moment) - time.time())
    wall.set(at)
    world.sts.configure(clock_offset=at)
    if source == "sso":
        world.sso_session()
        world.sso_profile("start")
    else:
        world.role("start", mfa=False)
    folder = world.project("start")
    before, end, _ = entered(world, folder)
    calls(world)
    assert abs(before.expires - end) <= 2
    for later in (0, 15 * MINUTE, 30 * MINUTE):
        wall.set(at + later)
        world.sts.configure(clock_offset=at + later)
        assert entered(world, folder)[:2] == (before, end), later
    assert calls(world) == []
    wall.set(at + 2 * HOUR)
    world.sts.configure(clock_offset=at + 2 * HOUR)
    assert entered(world, folder)[0] != before


def test_a_sign_in_of_aws_login_after_the_clock_was_set(world: World, wall: Wall) -> None:
    """AWS is asked about a session whose end the clock no longer tells. Then the sign-in is refreshed all the same."""
    world.login_profile("dev")
    world.hold("dev")
    wall.set(3600)
    world.sts.configure(clock_offset=3600)
    world.sts.reset()
    world.hold("dev")
    assert calls(world) == ["GetCallerIdentity!", "CreateOAuth2Token"]
