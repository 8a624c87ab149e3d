"""A random walk: shells go from folder to folder while files are edited, processes are killed and AWS fails.

After each step a model says who the shell that took it should be, by AWS's files as they are now, and STS says who it
is: the declared identity; nobody, where that is declared or where something was disturbed; never anyone else.

No step waits for a clock. Where two things run at once, or one is killed, only that is asserted which holds whatever
their order was. The steps follow from the seed alone: what has come of one decides nothing about the next.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from awsdirenv.shell.extension import BOOT
from strict_sts import Fault, StrictSts
from walk_places import DOTENVS, EDITED, EDITS, ENVRCS, NAMES, OUTSIDE, Places
from walk_shells import Shell, WalkError, begin, check, end, is_closed, key_of
from world import OUTER, World

STEPS, SEED = 400, 12
LAST = 20  # steps that a report has
TELL = 1000  # steps between two words about how far it is
# Faults of AWS's calls; the last one only holds the answer back.
FAULTS = ("access-denied", "throttle", "503", "drop", "truncated", "html", "missing-credentials", "delay")
# Seconds: a night, nearly the life of a role's session, and what a clock is set back by.
TIMES = (86400, 3000, -7200)
# Where loads are disturbed: it takes one, or two for a nested line.
LOADS = ("plain", "prod", "live", "ambient", "ambient/live", "dotenv", "prod/inner", "live/keys")
# Where direnv's every evaluation starts a Python of its own: people go there, too, but less often.
COSTLY = {"bare", "unknown", "pinned"}
# What another program has loaded before, mostly: that costs no process here.
ELSEWHERE = 0.98
LONGEST = 0.15  # seconds until something happens to a load: it is under way, also on a fast machine, where it is forked


class Loaded(NamedTuple):
    """What another program has loaded; `dotenv` has the variables by which a `.env` named it."""

    config: int
    profile: str
    live: bool
    dotenv: tuple[str | None, str | None] | None


class Walk:
    """A world, its shells, and their steps."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.random = random.Random(seed)
        self.places = Places(world)
        self.counts: Counter[str] = Counter()
        self.story: deque[str] = deque(maxlen=LAST)
        self.stale = world.run("awsdirenv", "hook", "bash").stdout.partition("DIRENV_WATCHES=")[2].partition("\n")[0]
        # What has been loaded since the last change of a file.
        self.loaded: set[Loaded] = set()
        outers: tuple[dict[str, str], ...] = (
            {},
            {**OUTER, "AWS_PROFILE": "prod", "AWS_DEFAULT_PROFILE": "prod"},
            {"AWS_PROFILE": "staging", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"},
            {"AWS_PROFILE": "plain", "STAGE": "staging"},
            {"AWS_CONFIG_FILE": str(self.places.configs[1])},
        )
        self.shells = [Shell(f"shell {number}", {**world.env, **outer}) for number, outer in enumerate(outers)]

    # What happens in a shell.

    def _say(self, words: str) -> None:
        self.story[-1] += words

    def _end(self, shell: Shell, folder: str, process: subprocess.Popen[str]) -> None:
        said = end(self.places, shell, folder, process)
        self._say(f"\n      {shell.name} in {folder}{' evaluates' if shell.fresh else ''}: {said}")

    def _go(self, shell: Shell, folder: str) -> None:
        """Have a shell's prompt in a folder."""
        self._end(shell, folder, begin(self.places, shell, folder))

    def _prompt(self, shell: Shell) -> None:
        self._load_elsewhere(shell, shell.folder)
        self._go(shell, shell.folder)

    def _cd(self, shell: Shell) -> None:
        folder = self._somewhere(list(ENVRCS))
        self._say(f" {folder}")
        self._load_elsewhere(shell, folder)
        self._go(shell, folder)

    def _reload(self, shell: Shell) -> None:
        """Have direnv evaluate where a shell is, as `direnv reload` or as our hook does."""
        if self.random.random() < 0.5:
            shell.env["DIRENV_WATCHES"] = self.stale
        elif shell.folder != OUTSIDE:
            self.places.touch_envrc(self.places.home_of(shell.folder))
        self._go(shell, shell.folder)

    def _variable(self, shell: Shell) -> None:
        """Change a variable that decides. Nothing tells direnv about it, so the person has it evaluate."""
        name = "AWS_PROFILE" if shell.folder == OUTSIDE else "STAGE"
        value = self.random.choice([None, *NAMES, "gone"])
        self._say(f" {name}={value}")
        shell.set(name, value)
        self._load_elsewhere(shell, shell.folder)
        self._reload(shell)

    # What happens to files.

    def _edit(self, shell: Shell) -> None:
        """Lead a profile to another role, or take it out, or bring it back."""
        self._edit_config()
        self._prompt(shell)

    def _edit_config(self) -> None:
        number = self.random.choice([0, 0, 1])
        leads = self.places.leads[number]
        # One of them may be gone at a time.
        name = next((name for name in NAMES if not leads[name]), self.random.choice(NAMES))
        leads[name] = self.random.choice([*([None] if leads[name] else []), *self.places.arns[name]])
        self._say(f", [{name}] of config {number} leads to {leads[name]}")
        self.places.write_config(number)
        self.loaded = {what for what in self.loaded if what.config != number}

    def _touch(self, shell: Shell) -> None:
        self.places.touch_config(0)
        self.loaded = {what for what in self.loaded if what.config != 0}
        self._prompt(shell)

    def _line(self, shell: Shell) -> None:
        self._edit_line()
        self._prompt(shell)

    def _edit_line(self) -> None:
        folder, line = self.random.choice(EDITED), f"use aws_profile {self.random.choice(EDITS)}"
        self._say(f", in {folder}: {line}")
        self.places.write_envrc(folder, line)

    def _dotenv(self, shell: Shell) -> None:
        self._edit_dotenv()
        self._prompt(shell)

    def _edit_dotenv(self) -> None:
        text = self.random.choice(DOTENVS)
        self._say(f", .env: {text}")
        self.places.write_dotenv(text)
        self.loaded = {what for what in self.loaded if not what.dotenv}

    # What other terminals do.

    def _ours(self, *words: str) -> None:
        """Run a command of ours in another terminal; what it cannot do is no matter here."""
        self.world.run("awsdirenv", *words)

    def _load_elsewhere(self, shell: Shell, folder: str) -> None:
        """Have another program load what a folder declares, mostly."""
        if above := self.places.above(folder):
            self._load_elsewhere(shell, above)
        line, env = self.places.line(folder), shell.outer
        name = self.places.profile(folder, env)
        dotenv = (env.get("STAGE"), env.get("AWS_PROFILE")) if folder == "dotenv" else None
        what = Loaded(self.places.config_of(env), name, line.live, dotenv)
        if folder == OUTSIDE or line.bare or what in self.loaded or not self.places.declared(folder, env):
            return
        if self.random.random() >= ELSEWHERE:
            return
        self.loaded.add(what)
        self._say(f", {name} loaded elsewhere")
        self.places.supply_codes()
        # Not always for a live directory: then there is a snapshot, and no file of that state.
        options = ["--live"] if line.live and self.random.random() < 0.9 else []
        self.world.run(
            "awsdirenv", "load", *options, *([] if dotenv else ["--", name]), cwd=self.world.root / folder, **env
        )

    def _clear(self, shell: Shell) -> None:
        self._clear_something()
        self._prompt(shell)

    def _clear_something(self) -> None:
        everything = self.random.random() < 0.3
        name = "--all" if everything else self.random.choice(NAMES)
        self._say(f", clear {name}")
        self.loaded.clear()
        self._ours("clear", *([name] if everything else ["--", name]))

    # What goes wrong.

    def _clock(self, shell: Shell) -> None:
        """Let time pass, a night or into the last minutes of what is kept, or let the clock be set back."""
        seconds = self.random.choice(TIMES)
        if seconds > 0:
            self._say(f", {seconds} s pass")
            self.places.let_pass(seconds)
        else:
            self._say(f", the clock is set back by {-seconds} s")
            self.places.set_clock_back(-seconds)
        self.loaded.clear()
        self._load_elsewhere(shell, shell.folder)
        self._reload(shell)

    def _fault(self, shell: Shell) -> None:
        """Let AWS fail while a shell has to ask it; it may be closed then, until it is evaluated again."""
        kind, action = self.random.choice(FAULTS), self.random.choice(["AssumeRole", "GetSessionToken", "*"])
        times = self.random.choice([1, None])
        self._say(f", {action} answers {kind}{' once' if times else ''}")
        folder = self._begin_something(shell)
        self.world.sts.faults.append(Fault(action, kind, times, 0.05))
        self._go(shell, folder)
        self.world.sts.faults.clear()
        shell.sound = kind == "delay"
        if self.random.random() < 0.5:
            check(self.places, shell)
            self._reload(shell)

    def _kill(self, shell: Shell) -> None:
        """End a load half-way: all of it, and the shell keeps what it has; or only our process."""
        folder = self._begin_something(shell)
        is_all = self.random.random() < 0.5
        process = begin(self.places, shell, folder)
        self._wait()
        if is_all:
            self._say(", all is killed")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        else:
            self._say(f", {_kill_ours(process.pid)} of ours killed")
            self._end(shell, folder, process)
            shell.sound = False
            check(self.places, shell)
        self._reload(shell)

    def _meanwhile(self, shell: Shell) -> None:
        """Change something while a shell loads: the next prompt has seen it."""
        folder = self._begin_something(shell)
        before = self.places.declared(folder, shell.outer)
        change = self.random.choice([self._edit_config, self._edit_config, self._edit_line, self._edit_dotenv])
        process = begin(self.places, shell, folder)
        self._wait()
        change()
        self._end(shell, folder, process)
        # A file that is edited before direnv has looked whether it is allowed is blocked, and none of ours runs.
        if "AWSDIRENV_LOADED" in shell.env and not is_closed(shell) and (key := key_of(self.places, shell)):
            who, after = key.role_arn or key.arn, self.places.declared(folder, shell.outer)
            if who not in (before, after):
                raise WalkError(f"{shell.name} is {who} in {folder}, and should be {before}, or by now {after}")
        self._go(shell, folder)

    def _two(self, shell: Shell) -> None:
        """Load in two shells at once."""
        other = self.random.choice([each for each in self.shells if each is not shell])
        goals = [(each, self._begin_something(each)) for each in (shell, other)]
        started = [(each, folder, begin(self.places, each, folder)) for each, folder in goals]
        for each, folder, process in started:
            self._end(each, folder, process)
        check(self.places, other)

    def _begin_something(self, shell: Shell) -> str:
        """Choose a folder for a shell, and see to it that there is something to load; give the folder."""
        here = self.places.home_of(shell.folder)
        folder, everything = self.random.choice([name for name in LOADS if name != here]), self.random.random() < 0.3
        self._say(f", {shell.name} goes to {folder}{' with nothing kept' if everything else ''}")
        self.loaded.clear()
        name = self.places.profile(folder, shell.outer)
        self._ours("clear", *(["--all"] if everything else ["--", name]))
        return folder

    def _wait(self) -> None:
        seconds = self.random.random() * LONGEST
        self._say(f", after {seconds * 1000:.0f} ms")
        time.sleep(seconds)

    def _somewhere(self, folders: list[str]) -> str:
        return self.random.choices(folders, [1 if name in COSTLY else 6 for name in folders])[0]

    # The walk.

    def kinds(self) -> list[tuple[float, str, Callable[[Shell], None]]]:
        """Give each kind of step with its weight: what is cheap, and must change nothing, is most."""
        return [
            (68, "prompt", self._prompt),
            (10, "cd", self._cd),
            (3, "reload", self._reload),
            (5, "edit", self._edit),
            (0.5, "touch", self._touch),
            (2.5, "line", self._line),
            (2.5, "dotenv", self._dotenv),
            (1.5, "variable", self._variable),
            (1.5, "clear", self._clear),
            (2, "clock", self._clock),
            (1, "fault", self._fault),
            (1, "kill", self._kill),
            (1, "meanwhile", self._meanwhile),
            (1, "two at once", self._two),
        ]

    def go(self, steps: int, tell: Callable[[str], object] = str) -> None:
        """Take so many steps. Raises WalkError with the seed, the step's number and the last steps."""
        kinds = self.kinds()
        for number in range(1, steps + 1):
            if number % TELL == 0:
                tell(f"step {number} of {steps}\n")
            self.places.supply_codes()
            _, name, take = self.random.choices(kinds, [weight for weight, *_ in kinds])[0]
            shell = self.random.choice(self.shells)
            self.counts[name] += 1
            self.story.append(f"{number}: {shell.name} in {shell.folder}: {name}")
            try:
                take(shell)
                self.counts[check(self.places, shell)] += 1
            except Exception as error:
                last, what = "\n".join(self.story), str(error) if isinstance(error, AssertionError) else repr(error)
                raise WalkError(f"{what}\nSEED={self.seed} STEPS={number}; the last steps:\n{last}") from error


def _kill_ours(session: int) -> int:
    """Kill the processes of ours in a session, but neither direnv nor its bash; give how many those were."""
    killed = 0
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            # Behind the name: the state, the parent, the group, the session.
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if int(words[3]) == session and BOOT.encode() in command and b"load" in command:
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed


def walk(steps: int, seed: int, root: Path, tell: Callable[[str], object] = str) -> Walk:
    """Take so many steps in a world of their own in a folder; give where that has led. Raises WalkError.

    `tell` is told now and then how far it has come.
    """
    with StrictSts() as sts:
        world = World(sts, root)
        walked = Walk(world, seed)
        try:
            walked.go(steps, tell)
        finally:
            world.end_timers()
        return walked


def main() -> None:
    """Walk, and say what was on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="awsdirenv-walk-"))
    try:
        walked = walk(options.steps, options.seed, root, sys.stderr.write)
    except WalkError as error:
        sys.exit(f"{error}\nas it was left: {root}")
    shutil.rmtree(root)
    counts = ", ".join(f"{name} {count}" for name, count in walked.counts.most_common())
    sys.stderr.write(
        f"{options.steps} steps with SEED={options.seed}, and everybody was who they should be: {counts}\n"
    )


if __name__ == "__main__":
    main()
