"""Make sure that a profile's snapshot is fresh; this is what the extension calls."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from awsdirenv.cli.output import emit, report, say
from awsdirenv.cli.parser import add_min_life, add_no_session, add_profile, add_session_options, session_options
from awsdirenv.errors import LaterLineError
from awsdirenv.system.text import printable

if TYPE_CHECKING:
    from awsdirenv.refresh.pins import Conditions
    from awsdirenv.refresh.request import Request

POSITION = 40
EXAMPLE = "awsdirenv load adminrole"
_WITHOUT_CREDENTIALS = 10  # for the extension: a live directory may be opened, but not for its credentials


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `use aws_profile`, and the options that only the extension gives."""
    add_profile(parser)
    add_session_options(parser)
    add_min_life(parser)
    add_no_session(parser)
    parser.add_argument("--account", metavar="ID", type=_account, help="refuse credentials of another account")
    parser.add_argument("--role", metavar="NAME", help="refuse credentials of another role")
    parser.add_argument("--stage", metavar="STAGE", help="what the directory is for, such as production")
    parser.add_argument("--confirm", action="store_true", help="let the user type the stage, or the profile's name")
    parser.add_argument("--envrc", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--evaluation", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--live", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Load the profile. Long-term keys are never written: they are printed as a snapshot."""
    from awsdirenv.cache.snapshots import text
    from awsdirenv.cli.loading import loading
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.pins import Conditions, admitted
    from awsdirenv.refresh.request import Request

    load_options = LoadOptions(
        session=session_options(options, is_by_user=not options.envrc), min_life=options.min_life
    )
    request = Request(options.profile, options.envrc, load_options, evaluation=options.evaluation)
    conditions = Conditions(options.account, options.role, options.stage, options.confirm)
    try:
        if options.live:
            return _load_live(request, conditions)
        with loading(request) as loader:
            if options.no_session:
                emit(text(admitted(loader, conditions, loader.long_term_keys)))
            else:
                admitted(loader, conditions, loader.load)
    except LaterLineError as error:  # the next line says who one is, so this is no fault
        say(f"awsdirenv: {printable(error.message)}")
        return error.exit_code
    return 0


def _load_live(request: Request, conditions: Conditions) -> int:
    """Load for a live directory. It may be opened, also after an error about its credentials."""
    from awsdirenv.cli.loading import reporter
    from awsdirenv.refresh import live

    error = live.load(request, conditions, os.environ, reporter())
    if error:
        report(error)
        return _WITHOUT_CREDENTIALS
    return 0


def _account(text: str) -> str:
    if not (len(text) == 12 and text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("an account id is twelve digits")
    return text
