"""Print a profile's credentials for AWS's SDKs: `credential_process = awsdirenv credential-process PROFILE`."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, is_watched
from awsdirenv.cli.parser import add_duration, add_profile
from awsdirenv.system.files import decode_name

POSITION = 70
ERROR_ON_ONE_LINE = True  # SDKs show our error inside a message of their own


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments. Two options are only for the config file of a live directory, and are not in the help."""
    add_profile(parser)
    add_duration(parser)
    parser.add_argument("--live", metavar="NAME", type=decode_name, help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Print the JSON that an SDK expects. `--live` has an encoded profile name; `--keys` prints its long-term keys."""
    from awsdirenv.aws.credential_process import render
    from awsdirenv.cli.loading import reporter
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Reporter, Request, served, served_beside

    load_options = LoadOptions(duration=options.duration)
    # A program shows our lines later, and only if we fail. So other lines than errors are of no use there.
    messages = reporter() if is_watched() else Reporter(lambda _holder: None, lambda _notice: None)
    if options.live is None:
        snapshot = served(Request(options.profile, options=load_options), os.environ, messages)
    else:
        snapshot = served_beside(options.live, load_options, os.environ, messages, as_it_is=options.keys)
    emit(render(snapshot.credentials))
    return 0
