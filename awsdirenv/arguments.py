"""The command line: commands, options and their help. What they do is in `cli`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from awsdirenv.console import emit
from awsdirenv.errors import SettingError, UsageError
from awsdirenv.export import FORMATS
from awsdirenv.mfa import is_code
from awsdirenv.settings import role_duration
from awsdirenv.version import __version__

Command = Callable[[argparse.Namespace], int]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Describe the command line; `commands` says what each command does, by its name."""
    top = _Parser(
        prog="awsdirenv",
        description="Short-lived AWS credentials per directory: `use aws_profile NAME` in .envrc, then cd.",
        epilog="Exit status: 0 ok, 1 failed, 2 usage, 3 a person must act, 4 gave up waiting for another awsdirenv.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"awsdirenv {__version__}")
    add = top.add_subparsers(metavar="COMMAND", required=True)
    for name, describe in _COMMANDS.items():
        text = str(describe.__doc__).partition("\n")[0]
        sub = add.add_parser(name, help=text[0].lower() + text[1:].rstrip("."), description=text, allow_abbrev=False)
        describe(sub)
        sub.set_defaults(command=commands[name])
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002 - only help and version come here
        # argparse swallows what cannot be written; help that is cut off by a full disk is no help.
        emit(message)


def _setup(sub: argparse.ArgumentParser) -> None:
    """Install the extension into direnv's lib folder."""
    sub.add_argument("--uninstall", action="store_true", help="remove it again")


def _init(sub: argparse.ArgumentParser) -> None:
    """Write `use aws_profile PROFILE` into the .envrc of this folder, and allow it."""
    _add_profile(sub, "without it, the line names none, and each person's .env or AWS_PROFILE decides")


def _login(sub: argparse.ArgumentParser) -> None:
    """Get a profile's credentials now, asking for an MFA code where one is due."""
    _add_profile(sub)
    sub.add_argument("--token-code", metavar="N", type=_token_code, help="the MFA code, instead of being asked")
    sub.add_argument(
        "--force", action="store_true", help="renew credentials that still hold; with --token-code, the MFA session too"
    )
    _add_duration(sub)
    sub.add_argument("--no-browser", action="store_true", help="print where to sign in, and open no browser")


def _load(sub: argparse.ArgumentParser) -> None:
    """Make sure that a profile's snapshot is fresh; this is what the extension calls."""
    _add_profile(sub)
    _add_duration(sub)
    _add_no_session(sub)
    sub.add_argument("--envrc", action="store_true", help=argparse.SUPPRESS)


def _export(sub: argparse.ArgumentParser) -> None:
    """Print a profile's credentials for a shell, a file or a program."""
    _add_profile(sub)
    sub.add_argument("--format", choices=FORMATS, default="env", help="default: %(default)s")
    sub.add_argument(
        "--output", metavar="FILE", type=Path, help="write to FILE, 0600; a dotenv file is updated in place"
    )
    _add_duration(sub)
    _add_no_session(sub)


def _credential_process(sub: argparse.ArgumentParser) -> None:
    """Print a profile's credentials for AWS's SDKs: `credential_process = awsdirenv credential-process PROFILE`."""
    _add_profile(sub)
    _add_duration(sub)


def _clear(sub: argparse.ArgumentParser) -> None:
    """Forget a profile's credentials, or with --all everything, MFA sessions included."""
    _add_profile(sub)
    sub.add_argument("--all", action="store_true", help="forget everything")


def _explain(sub: argparse.ArgumentParser) -> None:
    """Tell step by step how a profile comes to its credentials, without a call, a question or a write."""
    _add_profile(sub)
    _add_duration(sub)
    _add_json(sub)


def _timer(sub: argparse.ArgumentParser) -> None:
    """Renew a profile's credentials in the background while directories use it; the extension starts this."""
    _add_profile(sub)
    _add_duration(sub)


def _hook(sub: argparse.ArgumentParser) -> None:
    """Print the script that has a shell renew credentials after you have sat still; `setup` installs it as a file."""
    sub.add_argument("shell", choices=("bash", "zsh", "fish"))


def _completion(sub: argparse.ArgumentParser) -> None:
    """Print the completion script of a shell."""
    sub.add_argument("shell", choices=("bash", "zsh", "fish"))


def _demo(sub: argparse.ArgumentParser) -> None:
    """Show it all in a throw-away home, against an STS on this machine."""
    sub.add_argument("--interactive", action="store_true", help="get the shell of the demo instead of a transcript")


_COMMANDS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "setup": _setup,
    "init": _init,
    "login": _login,
    "load": _load,
    "export": _export,
    "credential-process": _credential_process,
    "clear": _clear,
    "explain": _explain,
    "timer": _timer,
    "hook": _hook,
    "completion": _completion,
    "demo": _demo,
}


_DEFAULT = (
    "default: this directory's profile, else AWS_PROFILE of the nearest .env, then of the environment, else `default`"
)


def _add_profile(sub: argparse.ArgumentParser, text: str = _DEFAULT) -> None:
    sub.add_argument("profile", nargs="?", metavar="PROFILE", help=text)


def _add_duration(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--duration", metavar="TIME", type=_duration, help="how long the credentials are to live: 15m to 12h"
    )


def _add_no_session(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--no-session", action="store_true", help="the profile's own long-term keys, which are not kept")


def _add_json(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")


def _duration(text: str) -> int:
    try:
        return role_duration(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def _token_code(text: str) -> str:
    if not is_code(text):
        raise argparse.ArgumentTypeError("an MFA code is six digits")
    return text
