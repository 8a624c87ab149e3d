"""Print a profile's credentials for AWS's SDKs, as the `credential_process` of a profile."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from awsdirenv.cli.output import emit, is_watched
from awsdirenv.cli.parser import add_profile, add_session_options, session_options
from awsdirenv.system.files import decode_name
from awsdirenv.system.text import utc_text

if TYPE_CHECKING:
    from awsdirenv.session_credentials import SessionCredentials

POSITION = 70
GROUP = "for shells and programs"
EXAMPLE = "awsdirenv credential-process adminrole"
ERROR_ON_ONE_LINE = True  # SDKs show our error inside a message of their own


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments. Two options are only for the config file of a live directory, and are not in the help."""
    add_profile(parser)
    add_session_options(parser)
    parser.add_argument("--live", metavar="NAME", type=decode_name, help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Print the JSON that an SDK expects. `--live` has an encoded profile name; `--keys` prints its long-term keys."""
    from awsdirenv.cli.loading import reporter
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Reporter, Request, served, served_beside

    load_options = LoadOptions(session=session_options(options, is_by_user=options.live is None))
    # A program shows our lines later, and only if we fail. So other lines than errors are of no use there.
    messages = reporter() if is_watched() else Reporter(lambda _holder: None, lambda _notice: None)
    if options.live is None:
        snapshot = served(Request(options.profile, options=load_options), os.environ, messages)
    else:
        snapshot = served_beside(options.live, load_options, os.environ, messages, as_it_is=options.keys)
    emit(render(snapshot.credentials))
    return 0


def render(given: SessionCredentials) -> str:
    """Return the text to print, as AWS defines Version 1 of it. An unknown end is left out, as the format demands."""
    document = {
        "Version": 1,
        "AccessKeyId": given.access_key_id,
        "SecretAccessKey": given.secret_access_key,
        "SessionToken": given.session_token,
        "Expiration": given.expiration and utc_text(given.expiration),
        "AccountId": given.account_id,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}) + "\n"
