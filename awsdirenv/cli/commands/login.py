"""Get a profile's credentials now, and ask for an MFA code if one is needed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from awsdirenv.cli.output import is_watched, say, warn
from awsdirenv.cli.parser import add_profile, add_session_options, session_options
from awsdirenv.errors import WrongIdentityError
from awsdirenv.system.text import printable

POSITION = 30
GROUP = "every day"
EXAMPLE = "awsdirenv login adminrole"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--token-code", metavar="N", type=_token_code, help="the MFA code; without it you are asked")
    parser.add_argument(
        "--force",
        action="store_true",
        help="renew credentials that are still valid; with --token-code, also the MFA session",
    )
    add_session_options(parser)
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address of the sign-in page, and open no browser"
    )
    parser.add_argument("--device-code", action="store_true", help="sign in with a code, in a browser on any device")


def run(options: argparse.Namespace) -> int:
    """Load the profile, also if the user has just cancelled that, and print what was loaded."""
    from awsdirenv.cache.sessions import CancelMarks
    from awsdirenv.cli.loading import describe, loading, region
    from awsdirenv.refresh import pins
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request

    load_options = LoadOptions(
        token_code=options.token_code,
        force=options.force,
        session=session_options(options),
        sign_in=True,
        open_browser=not options.no_browser,
        device_code=options.device_code,
    )
    with loading(Request(options.profile, options=load_options)) as loader:
        CancelMarks(loader.paths.marks).clear()
        conditions = pins.of_directory(loader.declared.name, os.environ)
        is_pinned = conditions.account or conditions.role  # or no file of AWS's is parsed if nothing has to be loaded
        is_told = bool(is_pinned) and not _is_admitted(lambda: pins.check_chain(conditions, loader.chain()))
        snapshot = loader.load()
        if not is_told:
            _is_admitted(lambda: pins.check(conditions, snapshot))
        path = loader.snapshot_path
    if _direnv_says_it(path):
        say(f"awsdirenv: {printable(snapshot.profile)}: logged in")
    else:
        say(f"awsdirenv: {describe(snapshot, region(snapshot))}")
    return 0


def _direnv_says_it(snapshot: Path) -> bool:
    """Return whether direnv evaluates this directory at the next prompt because of the new snapshot, and says our line.

    A program that runs us has no prompt, and direnv may be silent.
    """
    from awsdirenv.system.direnv import sees_change, stays_here

    is_silent = os.environ.get("DIRENV_LOG_FORMAT") == "" or os.environ.get("AWSDIRENV_QUIET") == "1"
    return is_watched() and not is_silent and stays_here(os.environ) and sees_change(os.environ, snapshot)


def _is_admitted(check: Callable[[], None]) -> bool:
    """Return whether the directory lets the credentials in. If not, warn: it stays closed also after the login."""
    try:
        check()
    except WrongIdentityError as error:
        warn(error.message, error.hint)
        return False
    return True


def _token_code(text: str) -> str:
    from awsdirenv.refresh.mfa_codes import is_code

    if not is_code(text):
        raise argparse.ArgumentTypeError("an MFA code is six digits")
    return text
