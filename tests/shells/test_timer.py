"""Credentials that are renewed while everybody sits still: one small process per profile in use, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from awsdirenv.shell.extension import BOOT
from shells import SHELLS, Shell
from timers import LIFE, SOON, all_running, running, timers, wait_until
from world import World

pytestmark = pytest.mark.cold


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs no code and has credentials, in a world with timers and short lives."""
    world.sts.life_override = LIFE
    world.role("plain", mfa=False)
    project = world.project("plain")
    world.hold("plain")
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    return project


def live_for_hours(world: World) -> None:
    """Let a timer have no other reason to end than the one that is tested."""
    world.run("awsdirenv", "clear", "--all").check_returncode()
    world.sts.life_override = None


@pytest.mark.parametrize("kind", SHELLS)
def test_a_shell_that_sits_still_has_new_credentials_at_its_next_prompt(world: World, folder: Path, kind: str) -> None:
    """Generation after generation, without a reload being asked for and without a question."""
    with Shell(world, kind, folder) as shell:
        before = shell.variable("AWS_ACCESS_KEY_ID")
        for generation in (2, 3):
            assert wait_until(lambda: world.sts.count("AssumeRole") >= generation, SOON), generation  # noqa: B023
            time.sleep(0.5)
            shell.run("true")
            now = shell.variable("AWS_ACCESS_KEY_ID")
            assert now != before
            assert world.sts.keys[now].expires > time.time() + 1
            before = now
        assert "Enter MFA" not in shell.log
        assert len(timers(world)) == 1


def test_twenty_evaluations_share_one_timer(world: World, folder: Path) -> None:
    """Neither directories nor shells make more of them, however many come at once."""
    live_for_hours(world)
    folders = [folder, *(world.project(f"plain{n}", "use aws_profile plain\n") for n in range(4))]
    command, null = ["direnv", "export", "bash"], subprocess.DEVNULL
    for _ in range(2):
        shells = [
            subprocess.Popen(command, cwd=one, env=world.env, stdin=null, stdout=null, stderr=null)
            for one in folders * 2
        ]
        for shell in shells:
            assert shell.wait(60) == 0
    assert wait_until(lambda: len(timers(world)) == 1, SOON)


@pytest.mark.needs("/proc")
def test_different_profiles_have_timers_of_their_own(world: World, folder: Path) -> None:
    """One of them ending does not concern the other; a wish for another life is another profile, too."""
    live_for_hours(world)
    world.role("other", mfa=False)
    world.enter(folder)
    world.enter(world.project("other"))
    world.enter(world.project("longer", "use aws_profile plain --duration 2h\n"))
    all_running(world, 3)
    world.run("awsdirenv", "clear", "other").check_returncode()
    assert not any(b"other" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in all_running(world, 2))


def held(pid: int) -> set[str]:
    """Give what a process has open."""
    targets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            targets.add(os.readlink(entry))
    return targets


@pytest.mark.needs("/proc")
def test_a_timer_holds_nothing_of_direnv_s(world: World, folder: Path) -> None:
    """It has no terminal, no pipe, a session of its own and another folder; and no secret among its arguments."""
    world.enter(folder)
    pid = running(world)
    assert Path(f"/proc/{pid}/cwd").resolve() == Path("/")
    # Of our own files it opens one after the other, for a moment.
    assert wait_until(lambda: not {one for one in held(pid) if one != "/dev/null" and not one.endswith(".lock")}, SOON)
    assert os.getsid(pid) not in (os.getsid(0), pid)
    assert b"SENTINEL" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"SENTINEL" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (world.cache / "timers").iterdir()} == {0o600}


def test_an_evaluation_does_not_wait_for_its_timer(world: World, folder: Path) -> None:
    """A descriptor of direnv's that a timer kept open would hold the prompt for as long as it lives."""
    world.enter(folder)
    os.kill(running(world), signal.SIGKILL)
    assert wait_until(lambda: timers(world) == [], SOON)
    started = time.monotonic()
    world.enter(folder)
    assert time.monotonic() - started < LIFE
    assert wait_until(lambda: len(timers(world)) == 1, SOON), "a killed one is started again"


def test_nobody_there_for_a_life_ends_it(world: World, folder: Path) -> None:
    """What nobody has used for as long as its credentials live is not renewed any more, and nothing is left."""
    world.enter(folder)
    running(world)
    assert wait_until(lambda: timers(world) == [], 3 * LIFE + SOON)
    assert world.sts.count("AssumeRole") <= 3
    assert [path.suffix for path in (world.cache / "timers").iterdir()] == [".used"]


def test_at_the_end_every_shell_looks_again(world: World, folder: Path) -> None:
    """Where renewal fails, the shells are told at the end, once, by direnv itself; nothing expired stays."""
    with Shell(world, "bash", folder) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        running(world)
        world.sts.add_fault("AssumeRole", "access-denied", times=None)
        assert wait_until(lambda: timers(world) == [], 2 * LIFE)
        said = shell.run("true")
        assert "awsdirenv: error: AssumeRole of" in said
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert "awsdirenv: error" not in shell.run("true")


def test_no_code_is_asked_for_behind_a_person_s_back(world: World, folder: Path) -> None:
    """When the MFA session is over, too, the shell is told which command to type; an `ls` asks nothing."""
    world.role("coded")
    world.login("coded")
    with Shell(world, "zsh", world.project("coded")) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        running(world)
        world.sts.expire_all_sessions()
        assert wait_until(lambda: timers(world) == [], 2 * LIFE)
        said = shell.run("true")
        assert "awsdirenv: hint: awsdirenv login coded" in said
        assert "Enter MFA" not in shell.log
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""


def test_a_command_for_codes_is_no_question(world: World, folder: Path) -> None:
    """What gives codes without a person is simply used, also when it stands in the .env beside an allowed .envrc."""
    project = world.project("coded")
    world.role("coded")
    world.sts.session_life = LIFE // 2  # over when the role is to be renewed
    codes = " ".join(world.code() for _ in range(6))
    give = world.program("code", f"n=$(cat {world.root}/n 2>/dev/null || echo 1); echo $((n + 1)) >{world.root}/n\n"
                         f"echo {codes} | cut -d' ' -f$n")  # fmt: skip
    (project / ".env").write_text(f"AWSDIRENV_MFA_PROCESS={give}\n")
    with Shell(world, "bash", project) as shell:
        before = shell.variable("AWS_ACCESS_KEY_ID")
        assert before
        count = world.sts.count("GetSessionToken", ok=True)
        assert wait_until(lambda: world.sts.count("GetSessionToken", ok=True) > count, 3 * LIFE)
        time.sleep(1)
        shell.run("true")
        assert shell.variable("AWS_ACCESS_KEY_ID") not in ("", before)


@pytest.mark.parametrize("variable", ["AWSDIRENV_AUTO_REFRESH=0", "AWSDIRENV_AUTO_REFRESH=false", "CI=true"])
def test_background_work_can_be_declined(world: World, folder: Path, variable: str) -> None:
    """Then there is none, what another evaluation has started ends, and a load renews in the foreground."""
    world.enter(folder)
    running(world)
    name, _, value = variable.partition("=")
    changes, _ = world.enter(folder, **{name: value})
    assert changes["AWS_ACCESS_KEY_ID"]
    assert wait_until(lambda: timers(world) == [], SOON)
    calls = world.sts.count("AssumeRole")
    time.sleep(LIFE / 2 + 0.5)
    world.enter(folder, **{name: value})
    assert world.sts.count("AssumeRole") == calls + 1
    assert timers(world) == []


def test_declining_ends_what_runs(world: World, folder: Path) -> None:
    """A timer that another evaluation has started ends long before its credentials do."""
    live_for_hours(world)
    world.enter(folder)
    running(world)
    world.enter(folder, AWSDIRENV_AUTO_REFRESH="0")
    assert wait_until(lambda: timers(world) == [], SOON)


def test_a_load_near_the_end_does_not_wait_for_sts(world: World, folder: Path) -> None:
    """From half of a short life on the present credentials are exported at once, and renewed behind."""
    world.run("awsdirenv", "clear", "--all").check_returncode()
    world.sts.life_override = 30
    world.enter(folder)
    calls = world.sts.count("AssumeRole")
    os.kill(running(world), signal.SIGKILL)
    time.sleep(15.5)
    world.sts.add_fault("AssumeRole", "delay", seconds=8)
    changes, said = world.enter(folder)
    entered = time.time()
    assert "left" in said
    # The shells' hooks look again at the end, and not at every prompt from now on.
    key = world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])]
    assert int(str(changes["AWSDIRENV_REFRESH_AT"])) == int(key.expires - 3)
    assert wait_until(lambda: world.sts.count("AssumeRole") == calls + 1, SOON)
    assert entered < world.sts.calls[-1].time + 8, "who enters has not waited for the answer"


def test_a_suspended_laptop_wakes_up(world: World, folder: Path) -> None:
    """Naps end by the wall clock: what became due meanwhile is done at once, and what is over is told."""
    with Shell(world, "bash", folder) as shell:
        before = shell.variable("AWS_ACCESS_KEY_ID")
        pid = running(world)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(LIFE)
        os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: timers(world) == [], SOON)
        shell.run("true")
        assert shell.variable("AWS_ACCESS_KEY_ID") not in ("", before)


def test_a_number_that_is_another_process_s_by_now_starts_a_new_one(world: World, folder: Path) -> None:
    """A process id from before a reboot says nothing."""
    world.enter(folder)
    os.kill(running(world), signal.SIGKILL)
    (mark,) = (path for path in (world.cache / "timers").iterdir() if path.suffix != ".used")
    mark.write_text(f"{os.getpid()}\n")
    world.enter(folder)
    assert wait_until(lambda: len(timers(world)) == 1, SOON)


def test_one_that_is_not_wanted_any_more_is_followed(world: World, folder: Path) -> None:
    """`clear --all` ends a timer, which holds its lock until its nap is over; the next load's timer waits for that."""
    live_for_hours(world)
    world.enter(folder)
    before = running(world)
    world.run("awsdirenv", "clear", "--all").check_returncode()
    world.enter(folder)
    assert running(world) != before


@pytest.mark.parametrize(
    ("starter", "seconds", "starts"),
    [
        pytest.param("alive", 0, 0, id="being started"),
        pytest.param("alive", 31, 1, id="another process by now"),
        pytest.param("gone", 0, 1, id="killed while it started"),
        pytest.param("", 0, 1, id="never said who"),
        pytest.param("x[$(id)]", 0, 1, id="no number"),
    ],
)
def test_a_timer_that_is_being_started_is_not_started_again(
    world: World, folder: Path, starter: str, seconds: int, starts: int
) -> None:
    """Fifty shells that come at once would otherwise start fifty Pythons, and wait for them."""
    live_for_hours(world)
    world.enter(folder, AWSDIRENV_AUTO_REFRESH="0")
    with subprocess.Popen(["sleep", "60"]) as process:
        if starter == "gone":
            process.kill()
            process.wait()
        number = process.pid if starter in {"alive", "gone"} else starter
        used = next((world.cache / "snapshots").iterdir()).name + ".used"
        (world.cache / "timers" / used).write_text(f"{number} {int(time.time()) - seconds}\n")
        world.enter(folder)
        if starts:
            running(world)
        else:
            assert (world.cache / "timers" / used).read_text().startswith(f"{number} ")
            assert timers(world) == []
        process.kill()


def test_a_second_timer_gives_up_at_once(world: World, folder: Path) -> None:
    """The lock, and not the mark, makes it one."""
    world.enter(folder)
    before = [running(world)]
    package = str(Path(__file__).parents[2])
    world.run(sys.executable, "-I", "-c", BOOT, package, "timer", "plain", cwd=folder).check_returncode()
    assert wait_until(lambda: timers(world) == before, SOON)
