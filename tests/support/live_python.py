"""What starts our Python from files of `--live` and lines of `keys`: the real one, or a fork (see warm.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from awsdirenv.refresh import live
from awsdirenv.shell import extension
from awsdirenv.system.files import own_python

_MODULES: tuple[Any, Any] = live, extension


def name_in_live_files(python: Callable[[], Path | None]) -> None:
    """Name a program there from now on. It is asked for when there is such a file to write, or to look at."""
    own_command = extension.own_command
    _MODULES[0].own_python = lambda: str(python() or own_python())
    _MODULES[1].own_command = lambda: [str(python() or own_python()), *own_command()[1:]]


@contextmanager
def named_in_live_files(python: Callable[[], Path | None]) -> Iterator[None]:
    """Name a program there for as long as this lasts."""
    before = own_python, extension.own_command
    name_in_live_files(python)
    try:
        yield
    finally:
        _MODULES[0].own_python, _MODULES[1].own_command = before
