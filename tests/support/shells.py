"""Real interactive shells with direnv's real hook, on a pseudo-terminal, driven as a person would."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pexpect

from container import proc
from terminal import Terminal
from warm import variables_of_shell
from world import World

SHELLS = ("bash", "zsh", "fish")
_COMMANDS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "--no-rcs", "-i"],
    "fish": ["fish", "--no-config", "-i"],
    "tcsh": ["tcsh", "-f", "-i"],
    "elvish": ["elvish", "-norc"],
    "nu": ["nu", "--no-config-file", "--no-history", "--execute"],
}
_SETUP = {
    "bash": "PS1='READY> '; bind 'set enable-bracketed-paste off' 2>/dev/null; eval \"$(direnv hook bash)\"",
    "zsh": "unsetopt zle_bracketed_paste 2>/dev/null; PS1='READY> '; unsetopt promptsp; eval \"$(direnv hook zsh)\"",
    "fish": "function fish_prompt; echo -n 'READY> '; end; direnv hook fish | source",
    "tcsh": "set prompt='READY> '; eval `direnv hook tcsh`",
    "elvish": "set edit:prompt = { put 'READY> ' }; eval (direnv hook elvish | slurp)",
    # As in direnv's documentation.
    "nu": "$env.PROMPT_COMMAND = ''; $env.PROMPT_INDICATOR = 'READY> '; $env.PROMPT_COMMAND_RIGHT = ''; "
    "$env.config.show_banner = false; $env.config.hooks.pre_prompt = [{ || "
    "direnv export json | from json --strict | default {} | load-env }]",
}
PROMPT = "READY> "
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b[]P][^\x07\x1b]*(?:\x07|\x1b\\)|\x0f")


class Shell:
    """One shell in a terminal of its own. Use as a context manager; it is ended at the end."""

    reads_files = False  # no start-up file, and direnv's hook

    def __init__(self, world: World, kind: str, cwd: Path | None = None, **env: str) -> None:
        self.kind = kind
        self.prompt = PROMPT  # its last word; "" where a test sets another one
        warm = {} if world.is_cold else variables_of_shell(world.env)
        self.child = Terminal(
            _COMMANDS[kind][0],
            ["-i"] if self.reads_files else _COMMANDS[kind][1:] + [_SETUP[kind]] * (kind == "nu"),
            env={**world.env, "HISTFILE": "/dev/null", **warm, **env},
            is_warm=bool(warm),
            cwd=str(cwd or world.root),
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 300),
        )
        self.child.delaybeforesend = 0.02
        self.log = ""
        self._numbers = itertools.count(1)
        if kind == "nu":  # takes nothing that is typed before its first prompt
            self.expect(PROMPT)
            self.start("")
        else:
            self.start(_SETUP[kind].partition("; eval")[0] if self.reads_files else _SETUP[kind])
        self.finish()

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    def send(self, text: str) -> None:
        """Type, without Enter."""
        self.child.send(text)

    def expect(self, text: str, timeout: float = 60) -> str:
        """Wait for the text on the screen; give what came before it, without escape sequences."""
        self.child.expect_exact(text, timeout=timeout)
        seen = clean(str(self.child.before) + str(self.child.after))
        self.log += seen
        return seen

    def run(self, command: str, timeout: float = 60) -> str:
        """Type a command and give all that shows until it is over; fails when something asks for input meanwhile."""
        self.start(command)
        return self.finish(timeout)

    def start(self, command: str) -> None:
        """Type a command with a mark behind it that `finish` waits for."""
        self._mark = f"done{next(self._numbers)}"
        # The mark is typed in two halves, so that the echo of the command line is not taken for its output.
        self.send(f"{command}\r")
        self._pending = True

    def _look(self, command: str) -> str:
        """Type a command that asks for nothing and changes nothing, with its mark in one line; give what shows."""
        self._mark = f"done{next(self._numbers)}"
        return self._expect_mark(f"{command}; ")

    def finish(self, timeout: float = 60) -> str:
        """Wait until the shell takes commands again: it answers one that we type behind, and prompts.

        What comes behind that answer is left on the screen. Before it prompts, the shell runs direnv's hook once more,
        which would see what the test does next.
        """
        return self._expect_mark("", timeout)

    def _expect_mark(self, before: str, timeout: float = 60) -> str:
        types_ahead = self.kind != "elvish"  # which loses an Enter then
        seen = "" if types_ahead or before else self.expect(self.prompt, timeout)
        half = len(self._mark) // 2
        first, second = self._mark[:half], self._mark[half:]
        said = f'print ("{first}" + "{second}")' if self.kind == "nu" else f'echo "{first}""{second}"'
        self.send(f"{before}{said}\r")
        seen += self.expect(self._mark, timeout)
        after = f"(?=.*{re.escape(self.prompt)})" if types_ahead else re.escape(self.prompt)
        self.child.expect(re.compile(f"(?s){after}"), timeout=timeout)
        return seen

    def variable(self, name: str) -> str:
        """Give the value that programs started from this shell see; empty when unset."""
        way = {"fish": f'echo "<<"(printenv {name})">>"', "tcsh": f'echo "<<`printenv {name}`>>"'}
        way |= dict.fromkeys(("elvish", "nu"), f"sh -c 'echo \"<<${name}>>\"'")
        out = self._look(way.get(self.kind, f'echo "<<$(printenv {name})>>"'))
        found = re.findall(r"<<([^<>$()`]*)>>", out.replace("\r", "").replace("\n", ""))
        return str(found[-1]) if found else ""

    def modes(self) -> str:
        """Give the terminal's settings as commands of this shell find them."""
        # In one write: a program in the background may print something right before it.
        found = re.findall(r"modes=([0-9a-f]+(?::[0-9a-f]+){10,})", self._look('echo "modes=$(stty -g </dev/tty)"'))
        assert found, "stty said nothing"
        return str(found[-1])

    @property
    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid

    def settle(self, seconds: float = 0.3) -> str:
        """Give what shows within a moment, without waiting for anything in particular."""
        end = time.monotonic() + seconds
        text = ""
        while time.monotonic() < end:
            try:
                text += self.child.read_nonblocking(4096, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
        self.log += clean(text)
        return clean(text)


class OwnShell(Shell):
    """A shell that reads its user's start-up file, and has direnv's hook only from there."""

    reads_files = True


def times_asked(shown: str, question: str) -> int:
    """Tell how often a question was put. It is drawn again once, behind direnv's notice; that does not count."""
    return re.sub(rf"{(text := re.escape(question))}[^\n]*\n?\r(?={text})", "", shown).count(question)


def clean(text: str) -> str:
    """Take the escape sequences out."""
    return _ESCAPES.sub("", text)


def children(pid: int) -> list[int]:
    """Give the processes below one, nearest first; not one that stands for another (see warm.py), but the other."""
    below: dict[int, list[int]] = {}
    stand_ins = set()
    for entry in filter(str.isdigit, os.listdir(proc())):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        name, _, fields = stat.partition("(")[2].rpartition(")")
        below.setdefault(int(fields.split()[1]), []).append(int(entry))
        if name.startswith("warm "):
            stand_ins.add(int(entry))
            below.setdefault(int(entry), []).append(int(name.removeprefix("warm ")))
    found = [pid]
    for one in found:
        found += below.get(one, [])
    return [one for one in found[1:] if one not in stand_ins]


def hook(world: World, kind: str) -> Path:
    """Give the hook that `setup` has installed."""
    return world.home / ".local" / "share" / "awsdirenv" / f"hook.{kind}"


def asking_process(shell: Shell) -> int:
    """Find the process that asks: the last one below the shell that is ours."""
    for pid in reversed(children(shell.pid)):
        if b"load" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return pid
    raise AssertionError("nobody asks")


def on_terminal(
    world: World, words: list[str], env: Mapping[str, str] | None = None, cwd: Path | None = None, columns: int = 300
) -> Terminal:
    """Start a program on a terminal of its own; ours are forked there, unless the world `is_cold`."""
    whole = {**world.env, **(env or {})}
    warm = {} if world.is_cold else variables_of_shell(whole)
    return Terminal(
        words[0],
        words[1:],
        env={**whole, **warm},
        is_warm=bool(warm),
        cwd=str(cwd or world.root),
        encoding="utf-8",
        timeout=60,
        dimensions=(50, columns),
    )


def shown(world: World, columns: int, *words: str, **env: str) -> str:
    """Give what a command shows in a terminal with so many columns."""
    child = on_terminal(world, ["awsdirenv", *words], env, columns=columns)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    return str(child.before).replace("\r\n", "\n")
