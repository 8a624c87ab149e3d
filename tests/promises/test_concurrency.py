"""Many shells at once: real processes, a start barrier, and two counts that cannot both be wrong (screens and STS)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from awsdirenv.system.files import name_of
from shells import SHELLS, Shell, asking_process, clean, on_terminal, times_asked
from world import A_TERMINAL, AT_ONCE, World, wait_for

MANY = 24


class Crowd:
    """Evaluations of `.envrc` in terminals of their own, all let go at the same moment."""

    def __init__(self, world: World, folders: list[Path]) -> None:
        self.gate = world.root / "gate"
        os.mkfifo(self.gate)
        self.outputs = [world.root / f"out{number}" for number in range(len(folders))]
        self.terminals = [
            on_terminal(
                world,
                ["bash", "-c", f"touch {output}.here; read -r _ <{self.gate}; exec direnv export json >{output}"],
                cwd=folder,
            )
            for folder, output in zip(folders, self.outputs, strict=True)
        ]
        self.screens = [""] * len(folders)

    def go(self) -> None:
        """Open the gate once all are there: every reader of the FIFO sees its end at once."""
        wait_for(lambda: all(output.with_name(f"{output.name}.here").exists() for output in self.outputs))
        wait_for(self._all_are_through)

    def _all_are_through(self) -> bool:
        """Open and close it, again for who comes a moment late; where nobody reads it cannot be opened."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.gate, os.O_WRONLY | os.O_NONBLOCK))
        return all(output.exists() for output in self.outputs)

    def look(self) -> None:
        """Read what the terminals show by now."""
        for number, terminal in enumerate(self.terminals):
            with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
                self.screens[number] += clean(terminal.read_nonblocking(65536, timeout=0))

    def asked(self, question: str) -> list[int]:
        """Give the terminals in which somebody is asked."""
        self.look()
        return [number for number, screen in enumerate(self.screens) if question in screen]

    def wait(self) -> list[dict[str, str]]:
        """Wait for all; give what each would export."""
        end = time.monotonic() + 60
        while any(terminal.isalive() for terminal in self.terminals):
            assert time.monotonic() < end, "somebody was never served"
            self.look()
            time.sleep(0.2)
        self.look()
        return [json.loads(output.read_text() or "{}") for output in self.outputs]


@pytest.fixture
def question(world: World) -> str:
    """Give what a person reads."""
    return f"Enter MFA code for {world.mfa_serial}: "


def someone_asked(crowd: Crowd, question: str) -> int:
    """Wait for the question, and a moment longer for a second one that must not come."""
    end = time.monotonic() + 60
    while not (asked := crowd.asked(question)):
        assert time.monotonic() < end, "nobody is asked"
        time.sleep(0.2)
    time.sleep(1.0)
    assert crowd.asked(question) == asked
    return asked[0]


def test_many_directories_of_one_profile(world: World, question: str) -> None:
    """Shells that enter two dozen directories of a profile make one prompt, and one call of each kind."""
    world.role("adminrole")
    folders = [world.project(f"p{number}", "use aws_profile adminrole\n") for number in range(MANY)]
    crowd = Crowd(world, folders)
    crowd.go()
    asked = someone_asked(crowd, question)
    end = time.monotonic() + 60
    while len(crowd.asked("asking for the MFA code of")) < MANY - 1:
        assert time.monotonic() < end, "not everybody is told whom they wait for"
        time.sleep(0.3)
    assert crowd.asked(question) == [asked]
    crowd.terminals[asked].send(world.code() + "\r")
    exported = crowd.wait()
    assert {values["AWS_ACCESS_KEY_ID"] for values in exported} == {exported[0]["AWS_ACCESS_KEY_ID"]}
    assert len(exported) == MANY
    assert crowd.asked(question) == [asked]
    assert world.sts.count("GetSessionToken") == 1
    assert world.sts.count("AssumeRole") == 1


@pytest.mark.cold
def test_ten_profiles_behind_one_device(world: World, question: str) -> None:
    """Ten profiles behind one device make one prompt, one GetSessionToken and ten AssumeRole."""
    names = [f"role{number}" for number in range(10)]
    for name in names:
        world.role(name)
    crowd = Crowd(world, [world.project(name) for name in names])
    crowd.go()
    asked = someone_asked(crowd, question)
    crowd.terminals[asked].send(world.code() + "\r")
    exported = crowd.wait()
    assert [values["AWSDIRENV_PROFILE"] for values in exported] == names
    assert len({values["AWS_ACCESS_KEY_ID"] for values in exported}) == 10
    assert sum(times_asked(screen, question) for screen in crowd.screens) == 1
    assert world.sts.count("GetSessionToken") == 1
    assert world.sts.count("AssumeRole") == 10


def test_walking_through_directories(world: World) -> None:
    """One after the other, four directories ask once and call AssumeRole once each; a second walk calls nothing."""
    names = [f"role{number}" for number in range(4)]
    for name in names:
        world.role(name)
    folders = [world.project(name) for name in names]
    world.login(names[0])
    for folder in folders * 2:
        changes, said = world.enter(folder)
        assert changes["AWSDIRENV_PROFILE"] == folder.name, said
    assert world.sts.count("GetSessionToken") == 1
    assert world.sts.count("AssumeRole") == 4


@pytest.fixture
def asking(world: World, question: str) -> Iterator[Shell]:
    """Have a bash that is being asked for a code."""
    world.role("adminrole")
    folder = world.project("adminrole")
    with Shell(world, "bash") as shell:
        shell.start(f"cd {folder}")
        shell.expect(question)
        yield shell


def waiting(stack: contextlib.ExitStack, world: World) -> list[Shell]:
    """Start a shell of each kind, and have it enter what another one is asked about."""
    shells = [stack.enter_context(Shell(world, kind)) for kind in SHELLS]
    for shell in shells:
        shell.start(f"cd {world.root}/adminrole")
    return shells


def test_who_waits_is_told_and_served(world: World, asking: Shell) -> None:
    """Further shells say whom they wait for, keep what is typed meanwhile, and take the result."""
    with contextlib.ExitStack() as stack:
        shells = waiting(stack, world)
        for shell in shells:
            told = shell.expect("asking for the MFA code of")
            assert re.search(rf"waiting for pid {asking_process(asking)} on {A_TERMINAL}", told), shell.kind
            shell.send("echo typed-a''head\r")
        time.sleep(0.3)
        asking.send(world.code() + "\r")
        asking.finish()
        for shell in shells:
            said = shell.finish()
            assert "awsdirenv: adminrole: account" in said, shell.kind
            assert "typed-ahead" in said, shell.kind
            assert shell.variable("AWS_ACCESS_KEY_ID") == asking.variable("AWS_ACCESS_KEY_ID") != "", shell.kind
    assert world.sts.count("GetSessionToken") == 1


@pytest.mark.cold
def test_who_waits_can_leave(world: World, asking: Shell) -> None:
    """Ctrl-C while waiting ends this step only, and another shell's success still reaches this one."""
    with contextlib.ExitStack() as stack:
        shells = waiting(stack, world)
        for shell in shells:
            shell.expect("awsdirenv: waiting for pid")
            shell.send("\x03")
            said = shell.finish()
            assert "awsdirenv: error: loading adminrole was cancelled" in said, shell.kind
            assert shell.variable("AWS_ACCESS_KEY_ID") == "", shell.kind
        asking.send(world.code() + "\r")
        asking.finish()
        for shell in shells:
            shell.run("true")
            assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASID"), shell.kind


def test_waiting_has_an_end(world: World, asking: Shell) -> None:
    """Who waits too long gives up with exit status 4 and says for whom it waited."""
    with Shell(world, "bash", AWSDIRENV_LOCK_TIMEOUT="1s") as shell:
        said = shell.run("awsdirenv login adminrole; echo status=$?")
        assert "awsdirenv: error: gave up waiting for another awsdirenv (pid" in said
        assert "status=4" in said


def test_nobody_waits_without_a_human(world: World, asking: Shell) -> None:
    """An editor does not hang for as long as a person in a terminal takes to answer."""
    started = time.monotonic()
    changes, said = world.enter(world.root / "adminrole")
    assert time.monotonic() - started < AT_ONCE
    assert changes.get("AWS_ACCESS_KEY_ID") is None
    assert "awsdirenv: hint: awsdirenv login adminrole" in said


@pytest.mark.cold
def test_killed_holder_is_followed(world: World, asking: Shell, question: str) -> None:
    """When the asking process is killed, the next in line asks at once."""
    with Shell(world, "zsh") as shell:
        shell.start(f"cd {world.root}/adminrole")
        shell.expect("awsdirenv: waiting for pid")
        os.kill(asking_process(asking), signal.SIGKILL)
        started = time.monotonic()
        shell.expect(question)
        assert time.monotonic() - started < AT_ONCE
        shell.send(world.code() + "\r")
        shell.finish()
        asking.finish()
        asking.run("true")
        assert asking.variable("AWS_ACCESS_KEY_ID") == shell.variable("AWS_ACCESS_KEY_ID") != ""


def test_refresh_reaches_every_shell(world: World) -> None:
    """What one process renews, every shell in that profile has at its next prompt, each time."""
    world.role("adminrole")
    folder = world.project("adminrole")
    world.login("adminrole")
    with contextlib.ExitStack() as stack:
        shells = [stack.enter_context(Shell(world, kind, cwd=folder)) for kind in SHELLS]
        seen = [shell.variable("AWS_ACCESS_KEY_ID") for shell in shells]
        for _ in range(2):
            done = world.run("awsdirenv", "login", "adminrole", "--force")
            assert done.returncode == 0, done.stderr
            for shell in shells:
                shell.run("true")
            now = [shell.variable("AWS_ACCESS_KEY_ID") for shell in shells]
            assert len(set(now)) == 1
            assert not set(now) & set(seen)
            seen = now


@pytest.mark.cold
def test_killing_at_any_moment(world: World) -> None:
    """A refresher killed at any point leaves nothing torn or locked: the next one succeeds at once."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    command = [str(Path(sys.executable).parent / "awsdirenv"), "load", "plain"]
    started = time.monotonic()
    subprocess.run(command, env=world.env, check=True)
    whole, rounds = time.monotonic() - started, 10
    for step in range(rounds):
        world.run("awsdirenv", "clear", "--all").check_returncode()
        process = subprocess.Popen(command, env=world.env)
        time.sleep(whole * 1.1 * step / rounds)
        process.kill()
        process.wait()
        for snapshot in (world.cache / "snapshots").iterdir():
            lines = snapshot.read_text().splitlines()
            assert name_of(snapshot) != snapshot.name or lines[-1] == "AWSDIRENV_END=1"
        before = time.monotonic()
        changes, said = world.enter(folder)
        assert str(changes["AWS_ACCESS_KEY_ID"]).startswith("ASID"), said
        assert time.monotonic() - before < whole * 2 + AT_ONCE


@pytest.mark.cold
def test_many_without_a_human(world: World) -> None:
    """Twelve evaluations with nobody at a terminal run the command for codes once, and all have the result."""
    world.role("adminrole")
    log = world.root / "asked"
    world.env["AWSDIRENV_MFA_PROCESS"] = f"echo asked >>{log}; echo {world.code()}"
    folders = [world.project(f"p{number}", "use aws_profile adminrole\n") for number in range(12)]
    pipe, command = subprocess.PIPE, ["direnv", "export", "json"]
    started = [subprocess.Popen(command, cwd=one, env=world.env, stdout=pipe, stderr=pipe) for one in folders]
    exported = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    assert len({values["AWS_ACCESS_KEY_ID"] for values in exported}) == 1
    assert log.read_text() == "asked\n"
    assert world.sts.count("GetSessionToken") == 1
    assert world.sts.count("AssumeRole") == 1
