"""Print the completion script of a shell."""

from __future__ import annotations

import argparse

from awsdirenv.cli.output import emit

POSITION = 180
GROUP = "for shells and programs"
EXAMPLE = "awsdirenv completion zsh"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(options: argparse.Namespace) -> int:
    """Print the script. It is made from the arguments of all commands."""
    from awsdirenv.cli.main import parser
    from awsdirenv.shell.completion import script

    emit(script(options.shell, parser()))
    return 0
