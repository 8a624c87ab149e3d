"""Run a command with a profile's credentials: `awsdirenv exec PROFILE -- COMMAND ...`."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.parser import add_duration, add_min_life, add_no_session, add_profile

POSITION = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments before `--`. `parser.parse` reads the words after it."""
    add_profile(parser)
    parser.add_argument("--region", metavar="REGION", help="instead of the environment's and the profile's")
    add_duration(parser)
    add_min_life(parser)
    add_no_session(parser)


def run(options: argparse.Namespace) -> int:
    """Load the credentials, and replace this process with the command."""
    from awsdirenv.cli.loading import loading, region
    from awsdirenv.refresh import export
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request

    load_options = LoadOptions(duration=options.duration, min_life=options.min_life, insist=True)
    with loading(Request(options.profile, options=load_options)) as loader:
        snapshot = loader.long_term_keys() if options.no_session else loader.load()
    environ = export.command_environment(os.environ, snapshot, options.region or region(snapshot))
    export.become(options.words, environ)
