"""Print the script that has a shell renew credentials after you have sat still; `setup` installs it as a file."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit

POSITION = 160


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    from awsdirenv.shell.hooks import script

    emit(script(options.shell, os.environ))
    return 0
