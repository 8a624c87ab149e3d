"""Look for what is wrong, and say how to repair it; nothing is changed."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit, say
from awsdirenv.cli.parser import add_json

POSITION = 120
GROUP = "look"
EXAMPLE = "awsdirenv doctor"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--offline", action="store_true", help="do not ask AWS about your keys")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run all checks, and print the findings."""
    from awsdirenv.reports.doctor import report as checks
    from awsdirenv.reports.doctor.context import DoctorContext
    from awsdirenv.reports.table import Canvas
    from awsdirenv.system.files import home

    findings = checks.examine(DoctorContext.here(os.environ, offline=options.offline), say)
    text = checks.text(findings, str(home(os.environ)), is_coloured=Canvas.of(os.environ).is_coloured)
    emit(checks.document(findings) if options.json else text)
    return checks.exit_status(findings)
