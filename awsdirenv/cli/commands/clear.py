"""Forget a profile's credentials, or with --all everything, MFA sessions included."""

from __future__ import annotations

import argparse

from awsdirenv.cli.output import say
from awsdirenv.cli.parser import add_profile
from awsdirenv.errors import UsageError

POSITION = 80


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="forget everything")


def run(options: argparse.Namespace) -> int:
    """Delete the stored credentials, and print how many files that were."""
    from awsdirenv.cache import clear
    from awsdirenv.cli.loading import loading
    from awsdirenv.refresh.request import Request

    if options.all and options.profile:
        raise UsageError("clear takes a PROFILE or --all, not both", "awsdirenv clear --help")
    with loading(Request(options.profile)) as loader:
        if options.all:
            count = clear.clear_all(loader.paths, loader.locks)
            say(f"awsdirenv: forgot everything ({count} files)")
        else:
            count = clear.clear_profile(loader.declared.name, loader.paths, loader.locks)
            say(
                f"awsdirenv: forgot the credentials of {loader.declared.name} ({count} files); "
                "MFA sessions are shared and stay: awsdirenv clear --all"
            )
    return 0
