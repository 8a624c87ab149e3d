"""Print the hook that gives a shell new credentials after a pause; `setup` installs it as a file."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import emit

POSITION = 160
GROUP = "for shells and programs"
EXAMPLE = "source <(awsdirenv hook bash)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    from awsdirenv.shell.hooks import script

    emit(script(options.shell, os.environ))
    return 0
