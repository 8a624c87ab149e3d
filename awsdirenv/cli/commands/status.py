"""Show what is held and what runs: profiles, MFA sessions, locks, timers, and which directories use them."""

from __future__ import annotations

import os

from awsdirenv.cli.output import emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

POSITION = 90
BARE = {"json": False}  # the options when there are none


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the form."""
    from awsdirenv.cli.parser import add_json

    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Look and print; nothing is asked, locked or written."""
    from awsdirenv.reports import status
    from awsdirenv.reports.table import Canvas
    from awsdirenv.session_credentials import utc_now
    from awsdirenv.system.paths import home

    seen = status.look(os.environ, utc_now())
    emit(status.document(seen) if options.json else status.text(seen, str(home(os.environ)), Canvas.of(os.environ)))
    return 0
