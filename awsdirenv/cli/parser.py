"""The command line: commands, options and their help. What they do is in `cli`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from awsdirenv.cli.common_options import (
    account,
    add_duration,
    add_json,
    add_min_life,
    add_no_session,
    add_profile,
    duration,
    token_code,
)
from awsdirenv.cli.output import emit
from awsdirenv.errors import UsageError
from awsdirenv.refresh.export import FORMATS
from awsdirenv.system.paths import decode_name
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


def parse(top: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take a command line apart. Raises UsageError.

    What follows `--` of `exec` is another command's line, which argparse would take for ours.
    """
    if arguments[:1] != ["exec"] or {"-h", "--help"} & set(arguments[: _cut(arguments)]):
        return top.parse_args(arguments)
    words = arguments[_cut(arguments) + 1 :]
    if not words:
        raise UsageError("exec needs a command behind --", "awsdirenv exec PROFILE -- COMMAND")
    options = top.parse_args(arguments[: _cut(arguments)])
    options.words = words
    return options


def _cut(arguments: Sequence[str]) -> int:
    return list(arguments).index("--") if "--" in arguments else len(arguments)


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
    add_profile(sub, "without it, the line names none, and each person's .env or AWS_PROFILE decides")


def _login(sub: argparse.ArgumentParser) -> None:
    """Get a profile's credentials now, asking for an MFA code where one is due."""
    add_profile(sub)
    sub.add_argument("--token-code", metavar="N", type=token_code, help="the MFA code, instead of being asked")
    sub.add_argument(
        "--force", action="store_true", help="renew credentials that still hold; with --token-code, the MFA session too"
    )
    add_duration(sub)
    sub.add_argument("--no-browser", action="store_true", help="print where to sign in, and open no browser")


def _load(sub: argparse.ArgumentParser) -> None:
    """Make sure that a profile's snapshot is fresh; this is what the extension calls."""
    add_profile(sub)
    add_duration(sub)
    add_min_life(sub)
    add_no_session(sub)
    sub.add_argument("--account", metavar="ID", type=account, help="refuse credentials of another account")
    sub.add_argument("--role", metavar="NAME", help="refuse credentials of another role")
    sub.add_argument("--stage", metavar="STAGE", help="what kind of place it is, such as production")
    sub.add_argument("--confirm", action="store_true", help="have the person type the stage, or the profile's name")
    sub.add_argument("--envrc", action="store_true", help=argparse.SUPPRESS)
    sub.add_argument("--live", action="store_true", help=argparse.SUPPRESS)


def _export(sub: argparse.ArgumentParser) -> None:
    """Print a profile's credentials for a shell, a file or a program."""
    add_profile(sub)
    sub.add_argument("--format", choices=FORMATS, default="env", help="default: %(default)s")
    sub.add_argument(
        "--output", metavar="FILE", type=Path, help="write to FILE, 0600; a dotenv file is updated in place"
    )
    add_duration(sub)
    add_no_session(sub)


def _exec(sub: argparse.ArgumentParser) -> None:
    """Run a command with a profile's credentials: `awsdirenv exec PROFILE -- COMMAND ...`."""
    add_profile(sub)
    sub.add_argument("--region", metavar="REGION", help="instead of the environment's and the profile's")
    add_duration(sub)
    add_min_life(sub)
    add_no_session(sub)


def _credential_process(sub: argparse.ArgumentParser) -> None:
    """Print a profile's credentials for AWS's SDKs: `credential_process = awsdirenv credential-process PROFILE`."""
    add_profile(sub)
    add_duration(sub)
    # For what stands in a live directory's config file: an encoded name, and keys as they are.
    sub.add_argument("--live", metavar="NAME", type=decode_name, help=argparse.SUPPRESS)
    sub.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)


def _clear(sub: argparse.ArgumentParser) -> None:
    """Forget a profile's credentials, or with --all everything, MFA sessions included."""
    add_profile(sub)
    sub.add_argument("--all", action="store_true", help="forget everything")


def _status(sub: argparse.ArgumentParser) -> None:
    """Show what is held and what runs: profiles, MFA sessions, locks, timers, and which directories use them."""
    add_json(sub)


def _list(sub: argparse.ArgumentParser) -> None:
    """List the profiles of AWS's files, with account, role, source and stage; behind a pipe with tabs, for fzf."""
    add_json(sub)


def _explain(sub: argparse.ArgumentParser) -> None:
    """Tell step by step how a profile comes to its credentials, without a call, a question or a write."""
    add_profile(sub)
    add_duration(sub)
    add_json(sub)


def _doctor(sub: argparse.ArgumentParser) -> None:
    """Look for what is wrong, and tell how to mend it; nothing is changed."""
    sub.add_argument("--offline", action="store_true", help="do not ask AWS about your keys")
    add_json(sub)


def _whoami(sub: argparse.ArgumentParser) -> None:
    """Tell who you are here: what .envrc declares, what the environment holds, and what AWS says, side by side."""
    add_json(sub)


def _console(sub: argparse.ArgumentParser) -> None:
    """Open AWS's console in the browser, signed in as a profile."""
    add_profile(sub)
    sub.add_argument("--service", metavar="NAME", help="which part, as s3 or ec2; without it, the home page")
    sub.add_argument("--region", metavar="REGION", help="instead of the environment's and the profile's")
    sub.add_argument("--print", action="store_true", help="print the link, which is a secret, and open no browser")
    sub.add_argument("--duration", metavar="TIME", type=duration, help="how long you stay signed in: 15m to 12h")


def _timer(sub: argparse.ArgumentParser) -> None:
    """Renew a profile's credentials in the background while directories use it; the extension starts this."""
    add_profile(sub)
    add_duration(sub)


def _hook(sub: argparse.ArgumentParser) -> None:
    """Print the script that has a shell renew credentials after you have sat still; `setup` installs it as a file."""
    sub.add_argument("shell", choices=("bash", "zsh", "fish"))


def _prompt(_sub: argparse.ArgumentParser) -> None:
    """Print this directory's profile for a shell's prompt; with the hook in your shell, without starting Python."""


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
    "exec": _exec,
    "credential-process": _credential_process,
    "clear": _clear,
    "status": _status,
    "list": _list,
    "explain": _explain,
    "doctor": _doctor,
    "whoami": _whoami,
    "console": _console,
    "timer": _timer,
    "hook": _hook,
    "prompt": _prompt,
    "completion": _completion,
    "demo": _demo,
}
