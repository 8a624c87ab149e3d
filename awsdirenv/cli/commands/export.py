"""Print a profile's credentials for a shell, a file or a program."""

from __future__ import annotations

import argparse
from pathlib import Path

from awsdirenv.cli.output import emit, say
from awsdirenv.cli.parser import add_duration, add_no_session, add_profile

POSITION = 50
FORMATS = ("env", "fish", "powershell", "json", "dotenv")  # the forms of `refresh.export.render`


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--format", choices=FORMATS, default="env", help="default: %(default)s")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write to FILE, 0600; a dotenv file is updated in place"
    )
    add_duration(parser)
    add_no_session(parser)


def run(options: argparse.Namespace) -> int:
    """Load the credentials, and print them or write them to a file."""
    from awsdirenv.cli.loading import describe, loading, region
    from awsdirenv.refresh import export
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request

    with loading(Request(options.profile, options=LoadOptions(duration=options.duration))) as loader:
        snapshot = loader.long_term_keys() if options.no_session else loader.load()
    used_region = region(snapshot)
    if options.output is None:
        emit(export.render(options.format, snapshot, used_region))
        return 0
    if options.format == "dotenv":
        from awsdirenv.config import dotenv

        values = export.variables(snapshot, used_region)
        dotenv.update(options.output, values, export.stale_names(values))
    else:
        from awsdirenv.shell import extension

        extension.write_output(options.output, export.render(options.format, snapshot, used_region))
    say(f"awsdirenv: wrote {options.output}: {describe(snapshot, used_region)}")
    return 0
