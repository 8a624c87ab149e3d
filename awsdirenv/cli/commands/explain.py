"""Show step by step how a profile gets its credentials, without a call to AWS or a question."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit
from awsdirenv.cli.parser import add_json, add_profile, add_session_options, session_options

POSITION = 110
GROUP = "look"
EXAMPLE = "awsdirenv explain adminrole"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    add_session_options(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation. If a load would fail, fail with the same error."""
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request, looking
    from awsdirenv.reports.explain.report import document, explain, text
    from awsdirenv.system.files import home

    context = looking(Request(options.profile, options=LoadOptions(session=session_options(options))), os.environ)
    explained = explain(context)
    home_folder = str(home(os.environ))
    emit(document(explained) if options.json else text(explained, home_folder, context.now))
    if explained.error:
        raise explained.error
    return 0
