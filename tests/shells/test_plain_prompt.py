"""A plain prompt in a loaded directory never becomes a question, whatever has changed; entering does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shells import SHELLS, Shell
from world import World

QUESTION = "Enter MFA code"
Event = Callable[[World, Path, Shell], None]
EVENTS: dict[str, Event] = {}


def event(name: str) -> Callable[[Event], Event]:
    """Put something into the table that happens elsewhere while people sit in the directory."""

    def add(happens: Event) -> Event:
        EVENTS[name] = happens
        return happens

    return add


def in_pane(pane: Shell, command: str) -> None:
    """Type a command in another pane, where it leads to a question, and cancel that."""
    pane.start(command)
    pane.expect(QUESTION)
    pane.send("\x03")
    pane.finish()


def replace(path: Path, text: str) -> None:
    """Write a file as editors do that save in one step."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text)
    time.sleep(0.05)
    draft.replace(path)


@event("direnv reload in another pane, and Ctrl-C")
def _(_world: World, _folder: Path, pane: Shell) -> None:
    in_pane(pane, "direnv reload")


@event("direnv allow in another pane, and Ctrl-C")
def _(_world: World, _folder: Path, pane: Shell) -> None:
    in_pane(pane, "direnv allow")


@event("an .envrc that is touched")
def _(_world: World, folder: Path, _pane: Shell) -> None:
    os.utime(folder / ".envrc")


@event("an .envrc that is saved as it was")
def _(_world: World, folder: Path, _pane: Shell) -> None:
    replace(folder / ".envrc", (folder / ".envrc").read_text())


@event("an .envrc that is edited, and allowed in another pane")
def _(_world: World, folder: Path, pane: Shell) -> None:
    (folder / ".envrc").write_text((folder / ".envrc").read_text() + "export EDITED=1\n")
    assert "is blocked" in pane.run("true")
    in_pane(pane, "direnv allow")


@event("an edited config")
def _(world: World, _folder: Path, _pane: Shell) -> None:
    world.role("another")


@event("a config that was away")
def _(world: World, _folder: Path, pane: Shell) -> None:
    world.config.rename(world.root / "config")
    assert QUESTION not in pane.run("ls")
    (world.root / "config").rename(world.config)
    os.utime(world.config)


@event("edited credentials")
def _(world: World, _folder: Path, _pane: Shell) -> None:
    replace(world.credentials, world.credentials.read_text() + "\n")


@event("a file that .envrc watches itself")
def _(_world: World, folder: Path, _pane: Shell) -> None:
    os.utime(folder / "note")


@event("a new session behind another device")
def _(world: World, _folder: Path, _pane: Shell) -> None:
    os.utime(world.cache / "marks" / "mfa-renewed")


@event("a cleared cache, just after a reload that asked")
def _(world: World, _folder: Path, pane: Shell) -> None:
    in_pane(pane, "direnv reload")
    assert world.run("awsdirenv", "clear", "--all").returncode == 0


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project whose credentials are there, and end with the next `clear`."""
    world.role("adminrole")
    world.login("adminrole")
    folder = world.project("adminrole", "watch_file note\nuse aws_profile adminrole\n")
    (folder / "note").write_text("")
    os.utime(folder / "note", (1, 1))  # direnv compares whole seconds
    return folder


@pytest.fixture
def panes(world: World, folder: Path) -> Iterator[list[Shell]]:
    """Open a shell of each kind in the directory, and a bash for what happens elsewhere; then the session is gone."""
    with ExitStack() as stack:
        shells = [stack.enter_context(Shell(world, kind, folder)) for kind in (*SHELLS, "bash")]
        for shell in shells:
            assert shell.variable("AWS_ACCESS_KEY_ID")
        world.sts.expire_all_sessions()
        assert world.run("awsdirenv", "clear", "--all").returncode == 0
        (world.cache / "marks" / "mfa-renewed").touch(0o600)
        yield shells


def test_a_plain_prompt_asks_nobody(world: World, folder: Path, panes: list[Shell]) -> None:
    """Whatever makes direnv evaluate again in a loaded directory, open or closed, an `ls` there asks in no shell."""
    *shells, pane = panes
    for shell in panes:
        assert "awsdirenv: hint: awsdirenv login adminrole" in shell.run("ls")
    for name, happens in EVENTS.items():
        time.sleep(1.1)  # direnv compares whole seconds
        happens(world, folder, pane)
        for shell in shells:
            shown = shell.run("ls")
            assert f"direnv: loading {folder}/.envrc" in shown, (name, shell.kind)
            assert QUESTION not in shown, (name, shell.kind)
            assert not shell.variable("AWS_ACCESS_KEY_ID"), (name, shell.kind)


def test_who_asks_for_it_is_asked(world: World, folder: Path, panes: list[Shell]) -> None:
    """In each shell, after another one's reload, too: `direnv reload`, `direnv allow` and coming back are answered."""
    *shells, pane = panes
    for shell in shells:
        shell.run("ls")
        in_pane(pane, "direnv reload")
        time.sleep(1.1)
        in_pane(shell, "direnv reload")
        time.sleep(1.1)
        (folder / ".envrc").write_text((folder / ".envrc").read_text() + "\n")
        assert "is blocked" in shell.run("ls")
        in_pane(shell, "direnv allow")
        shell.run(f"cd {world.root}")
        in_pane(shell, f"cd {folder}")


def test_an_outer_line_is_no_entering(world: World, folder: Path) -> None:
    """A plain prompt in an inner folder asks for no line of an outer one, which `source_up` reads each time."""
    world.role("inner")
    inner = world.project("adminrole/inner", "source_up\nuse aws_profile inner\n")
    with Shell(world, "bash", inner) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        world.sts.expire_all_sessions()
        assert world.run("awsdirenv", "clear", "--all").returncode == 0
        assert QUESTION not in shell.run("ls")
        os.utime(folder / "note")
        shown = shell.run("ls")
        assert f"direnv: loading {folder}/.envrc" in shown
        assert QUESTION not in shown
        time.sleep(1.1)
        in_pane(shell, "direnv reload")
