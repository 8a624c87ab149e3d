"""Run a command with a profile's credentials."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from awsdirenv.cli.parser import add_min_life, add_no_session, add_profile, add_session_options, session_options
from awsdirenv.errors import CommandNotFoundError, CommandNotRunnableError
from awsdirenv.system.text import command_line

POSITION = 60
GROUP = "every day"
EXAMPLE = "awsdirenv exec adminrole -- aws s3 ls"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments before `--`. `parser.parse` reads the words after it."""
    add_profile(parser)
    parser.add_argument("--region", metavar="REGION", help="the region, instead of the environment's or the profile's")
    add_session_options(parser)
    add_min_life(parser)
    add_no_session(parser)


def run(options: argparse.Namespace) -> int:
    """Load the credentials, and replace this process with the command."""
    from awsdirenv.cli.loading import loading, region, variables
    from awsdirenv.config.environment import BLOCK
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request

    load_options = LoadOptions(session=session_options(options), min_life=options.min_life, insist=True)
    with loading(Request(options.profile, options=load_options)) as loader:
        snapshot = loader.long_term_keys() if options.no_session else loader.load()
    # The environment of the command has the profile's block, and no other variable that names an identity.
    kept = {name: value for name, value in os.environ.items() if name not in BLOCK}
    _become(options.words, {**kept, **variables(snapshot, options.region or region(snapshot))})


def _become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process with a command. The command keeps our terminal and folder, and gets `environ`.

    Raises CommandNotFoundError and CommandNotRunnableError. Their exit codes are the ones a shell would give.
    """
    import shutil

    name = command[0]
    path = shutil.which(name, mode=os.F_OK, path=environ.get("PATH", os.defpath))
    if not path:
        raise CommandNotFoundError(f"there is no command {name}", "check the name, and PATH")
    # Python ignores SIGPIPE, and the command would inherit that: `… | head` would end in error messages.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(name, list(command), dict(environ))  # noqa: S606 - on purpose without a shell in between
    except FileNotFoundError:
        raise CommandNotRunnableError(
            f"cannot run {name}: its interpreter is missing", command_line("head -n 1", path)
        ) from None
    except OSError as error:
        raise CommandNotRunnableError(f"cannot run {name}: {error.strerror}", command_line("ls -l", path)) from None
