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
BARE = {"json": False}  # the options of a call without arguments


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    from awsdirenv.cli.parser import add_json

    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the status. It asks no question, takes no lock and writes nothing."""
    from awsdirenv.reports import status
    from awsdirenv.reports.table import Canvas
    from awsdirenv.session_credentials import utc_now
    from awsdirenv.system.files import home

    held = status.look(os.environ, utc_now())
    emit(status.document(held) if options.json else status.text(held, str(home(os.environ)), Canvas.of(os.environ)))
    return 0
