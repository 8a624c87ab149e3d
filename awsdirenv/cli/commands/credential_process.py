"""Print a profile's credentials for AWS's SDKs: `credential_process = awsdirenv credential-process PROFILE`."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, is_watched
from awsdirenv.cli.parser import add_duration, add_profile
from awsdirenv.system.paths import decode_name

POSITION = 70
ERROR_ON_ONE_LINE = True  # SDKs show it in the middle of a message of their own


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add whose credentials; two options are for what stands in a live directory's config file."""
    add_profile(parser)
    add_duration(parser)
    parser.add_argument("--live", metavar="NAME", type=decode_name, help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Print what an SDK wants of a credential_process: for `--live` of an encoded name, for `--keys` as they are."""
    from awsdirenv.aws.credential_process import render
    from awsdirenv.cli.loading import reporter
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Reporter, Request, served, served_beside

    load_options = LoadOptions(duration=options.duration)
    # Programs keep what we say for later, and show it only where we failed.
    told = reporter() if is_watched() else Reporter(lambda _holder: None, lambda _notice: None)
    if options.live is None:
        made = served(Request(options.profile, options=load_options), os.environ, told)
    else:
        made = served_beside(options.live, load_options, os.environ, told, as_it_is=options.keys)
    emit(render(made.credentials))
    return 0
