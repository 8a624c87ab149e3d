"""Runs a command line and returns its exit status. It imports only the command that it runs.

A command is a file in `commands`: `credential_process.py` makes the command `credential-process`. Such a file has
- a docstring, whose first line is the help,
- POSITION, a number by which `--help` orders the commands, GROUP, under which it shows this one (without it the command
  is for our own use, and not shown), and EXAMPLE, a line to type,
- `run(options)`, which runs the command and returns the exit status,
- `arguments(parser)`, which adds the arguments, if there are any,
- IN_LIVE_FILES = True, if in a closed or live directory it must see what programs see, and not the user's own files,
- BARE, if it must start fast: its options for a call without arguments, for which argparse is not imported,
- ERROR_ON_ONE_LINE = True, if its errors are shown by other programs.
"""

from __future__ import annotations

import importlib
import os
from types import SimpleNamespace

from awsdirenv.cli.output import emit, report
from awsdirenv.errors import AwsdirenvError

TYPE_CHECKING = False  # `typing` would take a tenth of the time of `awsdirenv prompt`
if TYPE_CHECKING:
    import argparse
    from typing import Any

_FOLDER = os.path.join(os.path.dirname(__file__), "commands")


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    command: Any = None
    try:
        if arguments == ["--version"]:
            return _say_version()
        names = _names()
        called = [name for name in names if arguments[:1] == [name]]
        command = _command(called[0]) if called else None
        if called and arguments == called and hasattr(command, "BARE"):
            options: Any = SimpleNamespace(**command.BARE)
        else:
            from awsdirenv.cli.parser import parse, unknown_command  # noqa: PLC0415

            if not called and arguments and not arguments[0].startswith("-"):
                raise unknown_command(arguments[0], names)
            options = parse(_parser(called or names), arguments)
        if not getattr(command, "IN_LIVE_FILES", False) and not {"AWS_CONFIG_FILE", "AWS_PROFILE"}.isdisjoint(
            os.environ
        ):
            from awsdirenv.cache.live_files import leave  # noqa: PLC0415

            leave(os.environ)
        status: int = command.run(options)
    except AwsdirenvError as error:
        report(error, on_one_line=getattr(command, "ERROR_ON_ONE_LINE", False))
        return error.exit_code
    except BrokenPipeError:
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, with all commands."""
    return _parser(_names())


def _say_version() -> int:
    from awsdirenv import __version__  # noqa: PLC0415

    emit(f"awsdirenv {__version__}\n")
    return 0


def _parser(names: list[str]) -> argparse.ArgumentParser:
    from awsdirenv.cli.parser import make  # noqa: PLC0415

    return make({name: _command(name) for name in names})


def _names() -> list[str]:
    """Return the names of all commands."""
    stems = (os.path.splitext(entry) for entry in os.listdir(_FOLDER))
    return [stem.replace("_", "-") for stem, suffix in stems if suffix == ".py" and stem[0] != "_"]


def _command(name: str) -> Any:
    return importlib.import_module(f"awsdirenv.cli.commands.{name.replace('-', '_')}")
