"""Write `use aws_profile PROFILE` into the .envrc of this folder, and allow it."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import say, warn
from awsdirenv.cli.parser import add_profile
from awsdirenv.errors import AwsdirenvError

POSITION = 20
GROUP = "set up"
EXAMPLE = "awsdirenv init adminrole"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the profile."""
    add_profile(parser, "without it, the line names none, and each person's .env or AWS_PROFILE decides")


def run(options: argparse.Namespace) -> int:
    """Write the line, run `direnv allow`, and warn of errors that a load would end with."""
    from awsdirenv.cache import drafts
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.config.aws_files import load_files
    from awsdirenv.config.resolve import resolve_chain
    from awsdirenv.config.settings import declared_profile
    from awsdirenv.shell import extension
    from awsdirenv.system.direnv import working_directory
    from awsdirenv.system.files import encode_name

    directory = working_directory(os.environ)
    if options.profile is not None:
        encode_name(options.profile)
    name = declared_profile(options.profile, directory, os.environ).name
    with drafts.noted(CachePaths.from_environ(os.environ), directory / ".envrc"):
        extension.init(directory, options.profile, say)
    extension.direnv_allow(directory, os.environ)
    say("  direnv allow")
    if not extension.extension_path(os.environ).exists():
        warn("the extension is not installed", "awsdirenv setup")
    try:
        resolve_chain(load_files(os.environ), name, os.environ)
    except AwsdirenvError as error:
        warn(error.message, error.hint)
    return 0
