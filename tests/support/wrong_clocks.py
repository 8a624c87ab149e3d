"""Clocks that are wrong: spans of time, and a file edited in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MINUTE, HOUR, DAY = 60, 3600, 86400


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Change a private file in place."""
    path.write_text(change(path.read_text()))


GARBAGE = [
    "x",
    "01234567.22:",
    "01234567.22:-1",
    "01234567.22:1234567890123",
    ":1",
    "01234567.22:1\t",
    "ghijklmn.22:1",
]
