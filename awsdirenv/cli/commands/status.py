"""Show what is stored and what runs: profiles, MFA sessions, locks, timers, and the directories that use them."""

from __future__ import annotations

import os

from awsdirenv.cli.output import emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

POSITION = 90
GROUP = "look"
EXAMPLE = "awsdirenv status"
BARE = {"json": False, "watch": False}  # the options of a call without arguments
_SECONDS = 1.0  # between two looks of --watch


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options --json and --watch."""
    from awsdirenv.cli.parser import add_json

    way = parser.add_mutually_exclusive_group()
    add_json(way)
    way.add_argument("--watch", action="store_true", help="show it again each second, until Ctrl-C")


def run(options: argparse.Namespace) -> int:
    """Print the status. It asks no question, takes no lock and writes nothing."""
    from awsdirenv.reports import status
    from awsdirenv.session_credentials import utc_now

    if options.watch:
        return _watch()
    emit(status.document(status.look(os.environ, utc_now())) if options.json else _text())
    return 0


def _text() -> str:
    from awsdirenv.reports import status
    from awsdirenv.reports.table import Canvas
    from awsdirenv.session_credentials import utc_now
    from awsdirenv.system.files import home

    return status.text(status.look(os.environ, utc_now()), str(home(os.environ)), Canvas.of(os.environ))


def _watch() -> int:
    """Show the status again and again, in the place of the one before. Ctrl-C is the normal end."""
    import sys
    import time

    from awsdirenv.errors import UsageError

    if not sys.stdout.isatty():
        raise UsageError("--watch needs a terminal", "awsdirenv status")
    try:
        while True:
            emit(f"\x1b[H\x1b[2J{_text()}")
            time.sleep(_SECONDS)
    except KeyboardInterrupt:
        return 0
