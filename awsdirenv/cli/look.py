"""More commands, as in `cli`: those that only look around, and tell."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, report_waiting, say
from awsdirenv.credentials import utc_now
from awsdirenv.errors import OutputError
from awsdirenv.refresh.mfa_codes import Wishes
from awsdirenv.refresh.request import Reporter, Request, loading
from awsdirenv.system.paths import home
from awsdirenv.system.progress import patience
from awsdirenv.system.text import printable

_ANSWER_COMES_WITHIN = 6.0  # seconds
_BROWSER_COMES_WITHIN = 30.0


def status(options: argparse.Namespace) -> int:
    """Show what is held and what runs."""
    from awsdirenv.reports import status as state  # noqa: PLC0415
    from awsdirenv.reports.look_text import status_text  # noqa: PLC0415
    from awsdirenv.reports.table import Canvas  # noqa: PLC0415

    seen = state.look(os.environ, utc_now())
    emit(state.document(seen) if options.json else status_text(seen, str(home(os.environ)), Canvas.of(os.environ)))
    return 0


def listing(options: argparse.Namespace) -> int:
    """List the profiles of AWS's files."""
    from awsdirenv.config.aws_files import file_paths  # noqa: PLC0415
    from awsdirenv.reports import profiles  # noqa: PLC0415
    from awsdirenv.reports.look_text import list_rows, list_text  # noqa: PLC0415
    from awsdirenv.reports.table import Canvas  # noqa: PLC0415

    entries = profiles.listed(os.environ)
    if options.json:
        emit(profiles.document(entries))
    else:
        canvas = Canvas.of(os.environ)
        emit(list_text(entries, canvas) if canvas.width else list_rows(entries))
        if not entries:
            say(f"awsdirenv: no profiles in {' or '.join(printable(path) for path in file_paths(os.environ))}")
    return 0


def whoami(options: argparse.Namespace) -> int:
    """Tell where this shell is; 0 only where nothing is wrong."""
    from awsdirenv.aws import caller_identity  # noqa: PLC0415
    from awsdirenv.reports.table import Canvas  # noqa: PLC0415
    from awsdirenv.reports.whoami import text as whoami_text  # noqa: PLC0415
    from awsdirenv.reports.whoami import verdict as looks  # noqa: PLC0415
    from awsdirenv.reports.whoami.problems import with_problems  # noqa: PLC0415

    environ = dict(os.environ)
    os.environ["AWSDIRENV_NO_PROMPT"] = "1"  # for a credential_process that is us: a look asks nobody
    with patience(report_waiting, "AWS to say who this is"):
        asked = caller_identity.ask(environ, _ANSWER_COMES_WITHIN)
    seen = with_problems(looks.look(environ, asked, utc_now()))
    emit(looks.document(seen) if options.json else whoami_text.text(seen, Canvas.of(environ)))
    return 0 if seen.verdict == looks.OK else 1


def console(options: argparse.Namespace) -> int:
    """Open AWS's console, or print the link."""
    from awsdirenv.reports import console as links  # noqa: PLC0415
    from awsdirenv.system import browser  # noqa: PLC0415

    if not options.print and not browser.is_there(os.environ):
        raise OutputError("there is no desktop to open a browser on", "awsdirenv console --print")
    visit = links.Visit(options.service, options.region, options.duration)
    reporter = Reporter(report_waiting, lambda notice: say(f"awsdirenv: {notice}"))
    with loading(Request(options.profile, wishes=Wishes(duration=options.duration)), os.environ, reporter) as loader:
        found = links.link(visit, loader, os.environ)
    if options.print:
        emit(f"{found.address}\n")
    else:
        _open(found.address)
    say(f"awsdirenv: {printable(links.describe(found))}")
    return 0


def _open(address: str) -> None:
    from awsdirenv.system import browser  # noqa: PLC0415
    from awsdirenv.system.handover import hand_over  # noqa: PLC0415

    say(f"awsdirenv: opening your browser; waiting for it up to {_BROWSER_COMES_WITHIN:g}s")
    try:
        has_come = hand_over(address, lambda page: browser.start(page, os.environ), _BROWSER_COMES_WITHIN)
    except OSError as error:
        raise OutputError(f"cannot hand the link to a browser: {error.strerror}", "awsdirenv console --print") from None
    if not has_come:
        raise OutputError(
            f"no browser came for the link within {_BROWSER_COMES_WITHIN:g}s", "awsdirenv console --print"
        )


def doctor(options: argparse.Namespace) -> int:
    """Look for what is wrong."""
    from awsdirenv.reports.doctor import report as checks  # noqa: PLC0415
    from awsdirenv.reports.doctor.context import Situation  # noqa: PLC0415
    from awsdirenv.reports.table import Canvas  # noqa: PLC0415

    found = checks.examine(Situation.here(os.environ, offline=options.offline), say)
    text = checks.text(found, str(home(os.environ)), is_coloured=Canvas.of(os.environ).is_coloured)
    emit(checks.document(found) if options.json else text)
    return checks.exit_status(found)


def prompt(_options: argparse.Namespace) -> int:
    """Print the segment of a prompt, or nothing."""
    from awsdirenv.shell.prompt import segment  # noqa: PLC0415

    text = segment(os.environ)
    emit(f"{text}\n" if text else "")
    return 0
