"""Say who you are here: what .envrc declares, what the environment has, and what AWS says."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, report_waiting
from awsdirenv.cli.parser import add_json

POSITION = 130
GROUP = "look"
EXAMPLE = "awsdirenv whoami"
IN_LIVE_FILES = True  # it shows what programs see in a live directory
_ANSWER_COMES_WITHIN = 6.0  # seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Look at the environment, ask AWS, and print the report. The status is 0 only if nothing is wrong."""
    from awsdirenv.aws import identity
    from awsdirenv.reports.table import Canvas
    from awsdirenv.reports.whoami import report as whoami
    from awsdirenv.reports.whoami.problems import with_problems
    from awsdirenv.session_credentials import utc_now
    from awsdirenv.system.clocks import patience

    environ = dict(os.environ)
    os.environ["AWSDIRENV_NO_PROMPT"] = (
        "1"  # a credential_process may start us again: whoami must not lead to questions
    )
    with patience(report_waiting, "AWS to say who this is"):
        caller = identity.ask_caller(environ, _ANSWER_COMES_WITHIN)
    checked = with_problems(whoami.look(environ, caller, utc_now()))
    emit(whoami.document(checked) if options.json else whoami.text(checked, Canvas.of(environ)))
    return 0 if checked.verdict == whoami.OK else 1
