"""Hints followed to the letter: how to get a message, what its hint says, and the same thing done once more.

A row is a generator. It makes a world with something wrong in it and yields what shows the message (an `Act`). It gets
the hint, does what it says, and ends: then the same is done again, or what it yields second, and the message must be
gone. What the row returns is the message that stands in its place, if there is one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogue import matches
from world import World

Said = list[tuple[str, str]]  # messages, each with its hint
Act = Callable[[], Said]


class Findings(list[tuple[str, str]]):
    """What a report says: beside the one that a row is about, others may have a right to stay."""


class Hint(str):
    """A hint, with the message above it."""

    __slots__ = ("message",)
    message: str


Steps = Generator[Act, Hint, Any]  # at its end: the message that stands there then, if any
_PAIR = re.compile(r"^awsdirenv: (?:error|warning): (.*)\nawsdirenv: hint: (.*)$", re.MULTILINE)
_ALL = re.compile(r"^awsdirenv: (?:error|warning): (.*)$", re.MULTILINE)


class Walk:
    """A world in which something is wrong, and the hands of the person who is told what to do about it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.env: dict[str, str] = {}  # of this person's shell
        self.writes = 0
        world.sts.add_role("r")
        self.folder = world.root / "project"

    # What shows messages.

    def shell(self, line: str, cwd: Path | None = None) -> Act:
        """Give what runs a command line, quoted as it is, and gives what it says."""
        return lambda: said(self.run(line, cwd).stderr)

    def load(self, profile: str, *options: str) -> Act:
        """Give what loads a profile."""
        return self.shell(shlex.join(["awsdirenv", "load", *options, "--", profile]))

    def enter(self, envrc: str | None = None) -> Act:
        """Give what enters the project, whose `.envrc` it is; each time is a new shell."""
        if envrc is not None:
            self.world.project(self.folder.name, envrc)
        return lambda: said(self.world.enter(self.folder, **self.env)[1])

    def report(self, line: str, rows: str) -> Act:
        """Give what runs a command that prints JSON, and gives its findings or problems."""

        def act() -> Said:
            done = self.run(f"{line} --json", self.folder if self.folder.exists() else None)
            assert done.stdout, done.stderr
            return Findings((row["message"], row["hint"]) for row in json.loads(done.stdout)[rows])

        return act

    # What hands do.

    def run(self, line: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a line that a hint shows: a command of ours in this process, any other one by bash."""
        words = shlex.split(line)
        if words[0] != "awsdirenv" or set(line) & set(";<>|&"):
            words = ["bash", "-c", line]
        return self.world.run(*words, cwd=cwd, **self.env)

    def does(self, line: str, cwd: Path | None = None) -> str:
        """Run a line that a hint shows, which must work; give its output."""
        self.wait_for_reload(line)
        done = self.run(line, cwd)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def wait_for_reload(self, line: str) -> None:
        """Wait until `direnv reload` in a line gives the `.envrc` another time: direnv compares whole seconds."""
        envrc = self.folder / ".envrc"
        while "direnv reload" in line and envrc.exists() and int(time.time()) <= int(envrc.stat().st_mtime):
            time.sleep(0.05)

    def config(self, text: str, path: Path | None = None) -> None:
        """Append to the config file, or to another one."""
        path = path or self.world.config
        self._write(path, (path.read_text(encoding="utf-8") if path.exists() else "") + text)

    def _write(self, path: Path, text: str) -> None:
        """Write a file in a second of its own: direnv compares whole seconds, and a person is not that fast."""
        path.write_text(text, encoding="utf-8")
        self.writes += 1
        second = time.time() - 1000 + 2 * self.writes
        os.utime(path, (second, second))

    def edit(self, hint: Hint, **values: str | None) -> None:
        """Set or remove keys in the section that a hint names, in the file that it names, else in the config file.

        As a person does who reads no more than the hint: where the section is not there, it is added as it is written.
        """
        header = re.search(r"\[[^\]]*\]", hint)
        assert header, hint
        for key in values:
            assert key in hint or key in hint.message, f"nobody has named {key}: {hint}"
        named = [word.rstrip(":,") for word in hint.split() if word.startswith("/")]
        path = Path(re.sub(r":\d+$", "", named[0])) if named else self.world.config
        self.rewrite(path, header[0], **values)

    def rewrite(self, path: Path, header: str, **values: str | None) -> None:
        """Set or remove keys in a section of a file."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        before, found, after = f"\n{text}".partition(f"\n{header}\n")
        body, bracket, rest = after.partition("\n[") if not after.startswith("[") else ("", "[", after[1:])
        lines = [line for line in body.splitlines() if line.partition("=")[0].strip() not in values]
        lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
        body = "".join(f"{line}\n" for line in lines)
        if not found:
            before, bracket, rest = f"{before.rstrip()}\n", "", ""
        self._write(path, f"{before.lstrip()}\n{header}\n{body}{bracket.strip()}{rest}")


@dataclass(frozen=True)
class Row:
    """One way to a message: its two templates as the catalogue has them, and the steps."""

    message: str
    hint: str
    steps: Callable[[Walk], Steps]
    name: str


ROWS: list[Row] = []


def row(message: str, hint: str) -> Callable[[Callable[[Walk], Steps]], Callable[[Walk], Steps]]:
    """Note the steps to a message and its hint. A generator may stand for several of them."""

    def note(steps: Callable[[Walk], Steps]) -> Callable[[Walk], Steps]:
        ROWS.append(Row(message, hint, steps, f"{steps.__module__[10:]}-{steps.__name__.strip('_')}-{len(ROWS)}"))
        return steps

    return note


def said(stderr: str) -> Said:
    """Give the messages in what commands have printed. Raises AssertionError for one without a hint."""
    pairs = _PAIR.findall(stderr)
    assert len(pairs) == len(_ALL.findall(stderr)), stderr
    return pairs


def shows(template: str, message: str) -> bool:
    """Tell whether this is the message, with or without the profile that it stands in the way of."""
    return any(matches(template + way, message) for way in ("", ", on the way to …", ", for profile …"))


def follow(walk: Walk, wanted: Row) -> None:
    """Show the message, do what its hint says, and see that it is gone or that the promised one stands there."""
    steps = wanted.steps(walk)
    act = next(steps)
    first = act()
    found = [pair for pair in first if shows(wanted.message, pair[0])]
    assert found, f"not shown: {wanted.message}\nbut: {first}"
    # What says `direnv reload` in a directory says to try again where a command was run.
    wanted_hints = (wanted.hint, wanted.hint.replace("then direnv reload", "then try again"))
    found = [pair for pair in found if any(matches(one, pair[1]) for one in wanted_hints)]
    assert found, f"another hint: {first}"
    message, hint = found[0]
    leads_to, then = None, None
    try:
        given = Hint(hint)
        given.message = message
        then = steps.send(given)()
        next(steps)
    except StopIteration as end:
        leads_to = end.value
    then = act() if then is None else then
    texts = [text for text, _ in then]
    assert message not in texts, f"the hint leads back: {hint}"
    if leads_to is not None:
        assert any(shows(leads_to, text) for text in texts), f"{leads_to} is not in {texts}"
    elif isinstance(then, Findings):
        assert not any(shows(wanted.message, text) for text in texts), f"the hint leads to: {texts}"
    else:
        assert texts == [], f"the hint leads to: {texts}"


def all_rows() -> Iterator[Row]:
    """Give every row, in the order of the modules that have them."""
    import hint_rows_aws  # noqa: F401, PLC0415 - they note their rows
    import hint_rows_commands  # noqa: F401, PLC0415
    import hint_rows_config  # noqa: F401, PLC0415
    import hint_rows_directory  # noqa: F401, PLC0415
    import hint_rows_doctor  # noqa: F401, PLC0415
    import hint_rows_hooks  # noqa: F401, PLC0415
    import hint_rows_keys  # noqa: F401, PLC0415
    import hint_rows_migrate  # noqa: F401, PLC0415
    import hint_rows_policies  # noqa: F401, PLC0415
    import hint_rows_whoami  # noqa: F401, PLC0415

    return iter(ROWS)
