"""More commands, as in `cli`: those that programs start, and what live directories are made with."""

from __future__ import annotations

import argparse
import os

from awsdirenv.aws.credential_process import render
from awsdirenv.cli.output import emit, is_watched, report, report_waiting, say
from awsdirenv.refresh.mfa_codes import Wishes
from awsdirenv.refresh.pins import Conditions
from awsdirenv.refresh.request import Reporter, Request, served
from awsdirenv.refresh.sdk_prompt import served_beside


def credential_process(options: argparse.Namespace) -> int:
    """Print what an SDK wants of a credential_process."""
    wishes = Wishes(duration=options.duration)
    silent = Reporter(lambda _holder: None, lambda _notice: None)
    reporter = _reporter() if is_watched() else silent
    if options.live is None:
        made = served(Request(options.profile, wishes=wishes), os.environ, reporter)
    else:
        made = served_beside(options.live, wishes, os.environ, reporter, as_it_is=options.keys)
    emit(render(made.credentials))
    return 0


def load(request: Request, conditions: Conditions) -> int:
    """Load for a live directory; status 0 says that it may be opened, whatever was said about its credentials."""
    from awsdirenv.refresh import live  # noqa: PLC0415

    failed = live.load(request, conditions, os.environ, _reporter())
    if failed:
        report(failed)
    return 0


def _reporter() -> Reporter:
    return Reporter(report_waiting, lambda notice: say(f"awsdirenv: {notice}"))
