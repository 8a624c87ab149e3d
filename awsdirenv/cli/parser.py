"""The argparse parser of the command line, and the options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, NoReturn

from awsdirenv import __version__
from awsdirenv.cli.output import emit
from awsdirenv.errors import SettingError, UsageError

_PROFILE = (
    "default: this directory's profile, else AWS_PROFILE of the nearest .env, then of the environment, else `default`"
)


def make(commands: Mapping[str, ModuleType]) -> argparse.ArgumentParser:
    """Return the parser for these commands; `main` says what a command is."""
    top = _Parser(
        prog="awsdirenv",
        description="Short-lived AWS credentials per directory: `use aws_profile NAME` in .envrc, then cd.",
        epilog="Exit status: 0 ok, 1 failed, 2 usage, 3 a person must act, 4 gave up waiting for another awsdirenv.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"awsdirenv {__version__}")
    add = top.add_subparsers(metavar="COMMAND", required=True)
    for name, command in sorted(commands.items(), key=lambda item: (item[1].POSITION, item[0])):
        text = str(command.__doc__).partition("\n")[0]
        sub = add.add_parser(name, help=text[0].lower() + text[1:].rstrip("."), description=text, allow_abbrev=False)
        if hasattr(command, "arguments"):
            command.arguments(sub)
    return top


def parse(top: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Raises UsageError.

    For `exec`, the words after `--` are another command's line. argparse would read them as ours.
    """
    if arguments[:1] != ["exec"] or {"-h", "--help"} & set(arguments[: _cut(arguments)]):
        return top.parse_args(arguments)
    words = arguments[_cut(arguments) + 1 :]
    if not words:
        raise UsageError("exec needs a command behind --", "awsdirenv exec PROFILE -- COMMAND")
    options = top.parse_args(arguments[: _cut(arguments)])
    options.words = words
    return options


def add_profile(sub: argparse.ArgumentParser, text: str = _PROFILE) -> None:
    """Add the optional argument PROFILE."""
    sub.add_argument("profile", nargs="?", metavar="PROFILE", help=text)


def add_duration(sub: argparse.ArgumentParser) -> None:
    """Add --duration. Its parsed value is in seconds."""
    sub.add_argument(
        "--duration", metavar="TIME", type=duration, help="how long the credentials are to live: 15m to 12h"
    )


def add_no_session(sub: argparse.ArgumentParser) -> None:
    """Add --no-session, for long-term keys."""
    sub.add_argument("--no-session", action="store_true", help="the profile's own long-term keys, which are not kept")


def add_json(sub: argparse.ArgumentParser) -> None:
    """Add --json."""
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_min_life(sub: argparse.ArgumentParser) -> None:
    """Add --min-life. Its parsed value is a timedelta."""
    sub.add_argument("--min-life", metavar="TIME", type=_minimum_life, help="renew them if less than that is left")


def duration(text: str) -> int:
    """Read a --duration, and return its seconds. Raises ArgumentTypeError."""
    from awsdirenv.config.settings import role_duration  # noqa: PLC0415

    try:
        return role_duration(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def _minimum_life(text: str) -> timedelta:
    from awsdirenv.config.settings import least_life  # noqa: PLC0415

    try:
        return least_life(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def _cut(arguments: Sequence[str]) -> int:
    """Return the index of the first `--`, or the length."""
    return list(arguments).index("--") if "--" in arguments else len(arguments)


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse leaves that to the parser of all commands, whose help has no option of any
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002 - only help and version come here
        # argparse ignores write errors. With `emit`, help that a full disk cuts off is an error.
        emit(message)
