"""A session that ends while people sit in its directory: said once, closed, nobody asked, and one login opens all."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from shells import SHELLS, Shell, hook, times_asked
from timers import SOON, running, timers, wait_until
from world import BLOCK, CLOSED, World

# Credentials live ten seconds: renewed from the fifth on, not used in the last.
LIFE = 10
ERROR = "awsdirenv: error: the session for adminrole has ended"
HINT = "awsdirenv: hint: awsdirenv login adminrole"

every_shell = pytest.mark.parametrize("kind", SHELLS)


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs a code, whose sessions live a moment, and log in."""
    world.sts.life_override = LIFE
    world.role("adminrole")
    world.login("adminrole")
    return world.project("adminrole")


def open_shell(world: World, kind: str, folder: Path, *, hooked: bool = True) -> Shell:
    """Open a shell in an open directory, with our hook behind direnv's or without."""
    shell = Shell(world, kind, folder)
    if hooked:
        shell.run(f"source {hook(world, kind)}")
    assert shell.variable("AWS_ACCESS_KEY_ID")
    return shell


def end_session(world: World) -> None:
    """Let nothing more be got with the present session, and wait until what was got with it is over."""
    world.sts.expire_all_sessions()
    time.sleep(LIFE)


def login(world: World) -> None:
    """Log in for a working day."""
    world.sts.life_override = None
    world.login("adminrole")


def is_closed(shell: Shell) -> bool:
    """Tell whether nothing of the block is left."""
    said = shell.run("env; echo en''v")
    assert "HOME=" in said
    held = dict(re.findall(rf"^({'|'.join(BLOCK)})=(.+?)\r?$", said, re.MULTILINE))
    return held == {name: value for name, value in CLOSED.items() if value}


@pytest.mark.parametrize(
    ("kind", "timer", "hooked"),
    [
        *((kind, timer, True) for kind in SHELLS for timer in ("1", "0")),
        ("bash", "1", False),  # where no hook of ours is in the shell, it has no part in this
        ("zsh", "0", False),
    ],
)
def test_the_end_is_said_once(world: World, folder: Path, kind: str, timer: str, *, hooked: bool) -> None:
    """With the timer, the hook, both or neither: one error, one hint, no question, nothing left; a login mends it."""
    world.env["AWSDIRENV_AUTO_REFRESH"] = timer
    with open_shell(world, kind, folder, hooked=hooked) as shell:
        if hooked and timer == "0":  # once means once for each session
            end_session(world)
            said = shell.run("true") + shell.run("true") + shell.run("true")
            assert said.count(ERROR) == 1
            world.login("adminrole")
            shell.run("true")
            assert shell.variable("AWS_ACCESS_KEY_ID")
        sessions = world.sts.count("GetSessionToken")
        end_session(world)
        said = shell.run("true") + shell.run("true")
        if not hooked and timer == "0":
            assert "awsdirenv" not in said, "nobody has told direnv the time"
            world.config.write_text(world.config.read_text() + "\n")
            said = shell.run("true") + shell.run("true")
        # How slow a call is the machine decides.
        ours = said.count("awsdirenv: ") - said.count("awsdirenv: waiting for ")
        assert (said.count(ERROR), said.count(HINT), ours) == (1, 1, 2), said
        assert is_closed(shell)
        assert wait_until(lambda: timers(world) == [], SOON)
        assert "awsdirenv: " not in shell.run("ls") + shell.run("true")
        login(world)
        shell.run("true")
        assert shell.variable("AWS_ACCESS_KEY_ID")
        assert "Enter MFA" not in shell.log
        assert world.sts.count("GetSessionToken") == sessions + 1


@every_shell
def test_hook_and_timer_do_not_say_it_twice(world: World, folder: Path, kind: str) -> None:
    """A timer that is late, on a laptop that was asleep, does not tell a shell that knows already."""
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    with open_shell(world, kind, folder) as shell:
        timer = running(world)
        world.sts.expire_all_sessions()
        os.kill(timer, signal.SIGSTOP)
        time.sleep(LIFE)
        said = shell.run("true") + shell.run("true")
        os.kill(timer, signal.SIGCONT)
        assert wait_until(lambda: timers(world) == [], SOON)
        said += shell.run("true") + shell.run("true")
        assert said.count(ERROR) == 1


def test_who_knows_first_tells_the_others(world: World, folder: Path) -> None:
    """Shells without the hook hear of the end from one that has it, each once, and none tells another again."""
    with open_shell(world, "zsh", folder) as first, open_shell(world, "bash", folder, hooked=False) as second:
        end_session(world)
        assert first.run("true").count(ERROR) == 1
        assert second.run("true").count(ERROR) == 1
        for _ in range(3):
            assert "awsdirenv: " not in first.run("true") + second.run("true")
        assert is_closed(second)


def test_one_login_opens_every_shell(world: World, folder: Path) -> None:
    """Typed without a name in a closed directory it is for the profile of that; the others need no word."""
    with ExitStack() as stack:
        shells = [stack.enter_context(open_shell(world, kind, folder)) for kind in SHELLS]
        end_session(world)
        assert [shell.run("true").count(ERROR) + shell.run("true").count(ERROR) for shell in shells] == [1, 1, 1]
        world.sts.life_override = None
        shells[2].start("awsdirenv login")
        shells[2].expect(f"Enter MFA code for {world.mfa_serial}: ")
        shells[2].send(world.code() + "\r")
        shells[2].finish()
        for shell in reversed(shells):
            shell.run("true")
            assert shell.variable("AWS_ACCESS_KEY_ID")
        assert sum(times_asked(shell.log, "Enter MFA") for shell in shells) == 1


def test_entering_asks(world: World, folder: Path) -> None:
    """Who comes back into the directory after the end is there to answer."""
    with open_shell(world, "zsh", folder) as shell:
        end_session(world)
        assert ERROR in shell.run("true") + shell.run("true")
        shell.run(f"cd {world.root}")
        world.sts.life_override = None
        shell.start(f"cd {folder}")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        shell.send(world.code() + "\r")
        assert "awsdirenv: adminrole: account" in shell.finish()


@pytest.mark.parametrize(("kind", "place"), [("bash", "variable"), ("zsh", "profile"), ("fish", "variable")])
def test_a_command_for_codes_is_no_question(world: World, folder: Path, kind: str, place: str) -> None:
    """AWSDIRENV_MFA_PROCESS and `mfa_process` give the code when the hook has direnv look, and nobody is told."""
    codes = " ".join(world.code() for _ in range(9))
    give = world.program("code", f"n=$(cat {world.root}/n 2>/dev/null || echo 1); echo $((n + 1)) >{world.root}/n\n"
                         f"echo {codes} | cut -d' ' -f$n")  # fmt: skip
    if place == "variable":
        world.env["AWSDIRENV_MFA_PROCESS"] = str(give)
    else:
        world.config.write_text(
            world.config.read_text().replace("[profile adminrole]", f"[profile adminrole]\nmfa_process = {give}")
        )
    with open_shell(world, kind, folder) as shell:
        before = shell.variable("AWS_ACCESS_KEY_ID")
        world.sts.expire_all_sessions()
        world.sts.life_override = None
        time.sleep(LIFE)
        said = shell.run("true") + shell.run("true")
        assert shell.variable("AWS_ACCESS_KEY_ID") not in ("", before)
        assert "awsdirenv: error" not in said
        assert "Enter MFA" not in shell.log
