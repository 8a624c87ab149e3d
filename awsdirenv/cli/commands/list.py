"""List the profiles of AWS's files, with account, role, source and stage; in a pipe with tabs, for fzf."""

from __future__ import annotations

import os

from awsdirenv.cli.output import emit, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

POSITION = 100
GROUP = "look"
EXAMPLE = "awsdirenv list"
BARE = {"json": False}  # the options of a call without arguments


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    from awsdirenv.cli.parser import add_json

    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print a table on a terminal, and rows for programs otherwise."""
    from awsdirenv.config.aws_files import file_paths
    from awsdirenv.reports import profiles
    from awsdirenv.reports.table import Canvas
    from awsdirenv.system.text import printable

    entries = profiles.listed(os.environ)
    if options.json:
        emit(profiles.document(entries))
        return 0
    canvas = Canvas.of(os.environ)
    emit(profiles.text(entries, canvas) if canvas.width else profiles.rows(entries))
    if not entries:
        say(f"awsdirenv: no profiles in {' or '.join(printable(path) for path in file_paths(os.environ))}")
    return 0
