"""Lines of text given to each shell, and programs that only write down with which words they were started."""

from __future__ import annotations

from pathlib import Path

from world import World

RUN = {
    "bash": ("bash", "--norc", "-c"),
    "zsh": ("zsh", "--no-rcs", "-c"),
    "fish": ("fish", "--no-config", "-c"),
    "sh": ("sh", "-c"),
}


def recorders(world: World, *names: str) -> Path:
    """Make programs that only write down their arguments, one line for each call; give the folder."""
    folder = world.root / "recorders"
    folder.mkdir()
    for name in names:
        program = folder / name
        program.write_text(f'#!/bin/sh\n{{ printf "%s\\0" {name} "$@"; echo; }} >>{world.root}/log\n', encoding="utf-8")
        program.chmod(0o755)
    return folder


def recorded(world: World) -> list[list[str]]:
    """Give what the recorders have written down."""
    log = world.root / "log"
    lines = log.read_text(encoding="utf-8").split("\0\n") if log.exists() else [""]
    return [line.split("\0") for line in lines[:-1]]
