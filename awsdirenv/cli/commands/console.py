"""Open AWS's console in the browser, signed in as a profile."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, say
from awsdirenv.cli.parser import add_profile, add_session_options, session_options
from awsdirenv.errors import OutputError

POSITION = 140
GROUP = "every day"
EXAMPLE = "awsdirenv console adminrole --service s3"
_BROWSER_COMES_WITHIN = 30.0  # seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--service", metavar="NAME", help="which service, such as s3 or ec2; without it, the home page")
    parser.add_argument("--region", metavar="REGION", help="the region, instead of the environment's or the profile's")
    parser.add_argument("--print", action="store_true", help="print the link, which is a secret, and open no browser")
    add_session_options(parser, "how long you stay signed in: 15m to 12h")


def run(options: argparse.Namespace) -> int:
    """Open the console, or print the link."""
    from awsdirenv.cli.loading import loading
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request
    from awsdirenv.reports import console
    from awsdirenv.system import browser
    from awsdirenv.system.text import printable

    if not options.print and not browser.is_there(os.environ):
        raise OutputError("there is no desktop to open a browser on", _printing(options))
    visit = console.Visit(options.service, options.region, options.duration)
    with loading(Request(options.profile, options=LoadOptions(session=session_options(options)))) as loader:
        link = console.link(visit, loader, os.environ)
    if options.print:
        emit(f"{link.address}\n")
    else:
        _open(link.address, _printing(options))
    say(f"awsdirenv: {printable(console.describe(link))}")
    return 0


def _printing(options: argparse.Namespace) -> str:
    """Return the command that prints the same link: of the same profile, or it may be one of another account."""
    from awsdirenv.system.text import command_line, shell_word

    wanted = [f"--{name}={value}" for name in ("service", "region") if (value := getattr(options, name))]
    wanted += session_options(options).for_user()
    line = " ".join(["awsdirenv console --print", *map(shell_word, wanted)])
    return command_line(line, options.profile) if options.profile else line


def _open(address: str, otherwise: str) -> None:
    from awsdirenv.system import browser
    from awsdirenv.system.browser import hand_over

    say(f"awsdirenv: opening your browser; waiting for it up to {_BROWSER_COMES_WITHIN:g}s")
    try:
        has_come = hand_over(address, lambda page: browser.start(page, os.environ), _BROWSER_COMES_WITHIN)
    except OSError as error:
        raise OutputError(f"cannot hand the link to a browser: {error.strerror}", otherwise) from None
    if not has_come:
        raise OutputError(f"no browser came for the link within {_BROWSER_COMES_WITHIN:g}s", otherwise)
