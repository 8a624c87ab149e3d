"""Print the state of files; the extension calls this if the system has no program for it."""

from __future__ import annotations

import argparse

POSITION = 43
EXAMPLE = "awsdirenv look .envrc"
IN_LIVE_FILES = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths."""
    parser.add_argument("paths", nargs="*", metavar="FILE", help="a file, or a folder")


def run(options: argparse.Namespace) -> int:
    """Print a line for each file that is there."""
    from awsdirenv.cli.output import emit
    from awsdirenv.system.stamps import look

    emit(look(options.paths))
    return 0
