"""A working day of twelve hours in three minutes: ten shells, five profiles, and what days are like."""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from awsdirenv.system import files
from shells import SHELLS, Shell, children, hook
from timers import timers, wait_until
from world import BLOCK, World

LIFE = 30  # seconds, of roles: "an hour"; a network that is away must be back within two fifths of it
MORNING = 3600  # seconds, of the MFA session: it ends when the test is that far, however slow the machine
PROFILES = ("adminrole", "staging", "production", "deploy", "plain")
ASKED = "Enter MFA code for"
ENDED = "awsdirenv: error: the session for "


class Day:
    """The shells of one person, and what happened to each profile when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shells: list[Shell] = []
        self.events: list[tuple[str, float]] = []  # profile, when something made its credentials worthless
        self.asked = 0
        self.commands = 0

    def open_shells(self) -> None:
        """Open ten shells, in two of three with the hook in the start-up file, each one's profile in turn."""
        for number in range(10):
            shell = Shell(self.world, SHELLS[number % 3])
            if number % 4 != 3:
                shell.run(f"source {hook(self.world, shell.kind)}")
            self.shells.append(shell)

    def profile(self, shell: Shell) -> str:
        """Say what the shell's directory declares."""
        return PROFILES[self.shells.index(shell) % len(PROFILES)]

    def enter_at_once(self) -> None:
        """Let all ten enter their directories together, and type a code where one is asked for."""
        for shell in self.shells:
            shell.send(f"cd {self.world.root}/{self.profile(shell)}\r")
        waiting, end = list(self.shells), time.monotonic() + 60
        while waiting:
            assert time.monotonic() < end, [shell.log[-300:] for shell in waiting]
            for shell in list(waiting):
                shell.settle(0.1)
                self.answer(shell)
                if f"awsdirenv: {self.profile(shell)}: account" in shell.log:
                    waiting.remove(shell)
        for shell in self.shells:
            shell.log = ""  # from here on nobody expects a question

    def answer(self, shell: Shell) -> None:
        """Type a code into a shell that asks for one."""
        if ASKED in shell.log:
            shell.log = ""
            self.asked += 1
            shell.send(f"{self.world.code()}\r")

    def work(self, seconds: float) -> None:
        """Use the shells one after another, at random, for so long: each command must have what is declared."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.command(random.choice(self.shells))
            time.sleep(random.uniform(0, 0.8))

    def command(self, shell: Shell) -> None:
        """Run a command as people do: where no hook acts before a command, an Enter comes first."""
        if shell.kind == "bash" or self.shells.index(shell) % 4 == 3:
            shell.run("true")
        held = shell.variable("AWS_ACCESS_KEY_ID")
        now = time.time()
        assert ASKED not in shell.log, "a command became a question"
        assert held, f"{shell.kind} in {self.profile(shell)} has nothing: {shell.log[-600:]}"
        key = self.world.sts.keys[held]
        assert key.expires > now, f"{shell.kind} in {self.profile(shell)}: over for {now - key.expires:.1f} s"
        assert f":assumed-role/{self.profile(shell)}/" in key.arn
        self.commands += 1

    def happened(self, *profiles: str) -> None:
        """Note that the credentials of these profiles are worthless from now on."""
        self.events += [(profile, time.time()) for profile in profiles]

    def processes(self) -> list[int]:
        """Give the shells, what they run, and the timers."""
        return [pid for shell in self.shells for pid in (shell.pid, *children(shell.pid))] + timers(self.world)


@pytest.fixture
def day(world: World) -> Iterator[Day]:
    """Make five profiles behind one device, one of them a chain and one without a code."""
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    world.sts.life_override, world.sts.session_life = LIFE, MORNING
    for name in ("adminrole", "staging", "production"):
        world.role(name)
    world.role("deploy", mfa=False, source_profile="staging")
    world.role("plain", mfa=False)
    for name in PROFILES:
        world.project(name)
    made = Day(world)
    yield made
    for shell in made.shells:
        shell.child.close(force=True)


@contextmanager
def suspended(day: Day) -> Iterator[None]:
    """Stop everything of the person's, as a laptop does that is closed."""
    stopped = day.processes()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_day(day: Day) -> None:
    """Every command has valid credentials of the declared role; one call for each generation, one code per session."""
    world = day.world
    day.open_shells()
    day.enter_at_once()
    assert day.asked == 1
    assert world.sts.count("GetSessionToken") == 1
    day.work(32)

    # The network is away for a while: what there is holds until it is back.
    world.sts.stop()
    day.work(3)
    world.sts.start()
    day.work(8)

    # Lunch with the lid closed, longer than any role's credentials live.
    with suspended(day):
        time.sleep(LIFE + 2)
    day.happened(*PROFILES)
    day.work(5)

    world.run("awsdirenv", "clear", "plain").check_returncode()
    day.happened("plain")
    text = world.config.read_text(encoding="utf-8")
    edited = text.replace("[profile staging]\n", "[profile staging]\nrole_session_name = afternoon\n")
    world.config.write_text(edited, encoding="utf-8")
    day.happened("staging", "deploy")
    day.work(5)

    # A new start of everything: what is stored is still good.
    before = world.sts.count("*")
    for shell in day.shells:
        shell.child.close(force=True)
    for pid in timers(world):
        os.kill(pid, signal.SIGKILL)
    day.shells.clear()
    day.open_shells()
    day.enter_at_once()
    assert day.asked == 1
    assert world.sts.count("*") - before <= len(PROFILES), "a restart costs at most what was due anyway"
    day.work(8)

    afternoon(day)
    evening(day)


def end_the_morning(world: World) -> None:
    """Make it as if the MFA session had been got for the time until about now, at STS and where we keep it."""
    (path,) = (world.cache / "sessions").glob("mfa-*")
    values = files.read_private(path)
    assert values
    end = int(time.time()) + 5  # which we take for over already; a call that is on its way is still good
    world.sts.keys[values["ACCESS_KEY_ID"]].expires = end
    files.write_private(path, {**values, "EXPIRATION": str(end)})


def last_end(world: World) -> float:
    """Say when the last role behind the MFA session ends: a chain's source outlives that session and renews its end."""
    # A timer may be writing one of plain's: then there is a draft beside it for a moment.
    paths = [path for path in (world.cache / "snapshots").iterdir() if not path.name.startswith(".")]
    found = [values for path in paths if (values := files.read_private(path))]
    return max(float(values["AWSDIRENV_EXPIRATION"]) for values in found if values["AWSDIRENV_PROFILE"] != "plain")


def afternoon(day: Day) -> None:
    """Let the MFA session end: it is said, not asked; one login in one shell is for all."""
    world = day.world
    end_the_morning(world)
    while time.time() <= last_end(world) + 1:
        time.sleep(1)
    for shell in day.shells:
        shell.run("true")
        held = shell.variable("AWS_ACCESS_KEY_ID")
        assert (held == "") == (day.profile(shell) != "plain")
        assert ASKED not in shell.log
        assert shell.log.count(ENDED) == (day.profile(shell) != "plain"), shell.log[-800:]
    day.shells[2].send("awsdirenv login adminrole\r")
    day.shells[2].expect(ASKED)
    day.asked += 1
    day.shells[2].send(f"{world.code()}\r")
    day.shells[2].expect("role adminrole")
    day.shells[2].log = ""
    day.happened(*PROFILES)
    for shell in day.shells:
        shell.run("true")
    day.work(10)


def evening(day: Day) -> None:
    """Leave: the variables are gone, the calls were as many as the generations, and no process is left."""
    world = day.world
    for shell in day.shells:
        shell.run(f"cd {world.root}")
        assert not [name for name in BLOCK if name != "PATH" and shell.variable(name)]
        assert not re.search("panic|Traceback|command not found|unbound variable", shell.log)
    assert day.asked == world.sts.count("GetSessionToken") == 2
    for name in PROFILES:
        calls = [call.time for call in world.sts.calls if arn_of(call.params).endswith(f"/{name}")]
        for before, after in itertools.pairwise(calls):
            due = after - before > LIFE / 2 - 1.5
            assert due or any(who == name and before - 1 < when < after for who, when in day.events), name
    assert not [call for call in world.sts.calls if call.error_code]
    assert day.commands > 30
    world.run("awsdirenv", "clear", "--all").check_returncode()
    assert wait_until(gone(world), 30), timers(world)


def arn_of(params: dict[str, str]) -> str:
    """Give the role that a call was for."""
    return params.get("RoleArn", "")


def gone(world: World) -> Callable[[], bool]:
    """Tell whether no process of this home is left."""
    return lambda: not timers(world)
