"""The argparse parser of the command line, and the options that several commands share."""

from __future__ import annotations

import argparse
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from awsdirenv import __version__
from awsdirenv.cli.output import emit
from awsdirenv.errors import SettingError, UsageError
from awsdirenv.system.files import extension_source, read_text

if TYPE_CHECKING:
    from awsdirenv.config.environment import SessionOptions

T = TypeVar("T")

# The groups of commands in the general help, in their order; a command without a group is for our own use.
_GROUPS = ("set up", "every day", "look", "for shells and programs")
_DOCUMENTATION = "Documentation: README.md and docs/ in awsdirenv's source; begin with docs/quickstart.md."
_STATUSES = (
    "Exit status: 0 ok, 1 failed, 2 usage, 3 you must act (a code, a sign-in), 4 gave up waiting for another awsdirenv."
)
_PROFILE = (
    "default: this directory's profile, else AWS_PROFILE of the nearest .env, then of the environment, else `default`"
)


def make(commands: Mapping[str, ModuleType]) -> argparse.ArgumentParser:
    """Return the parser for these commands; `main` says what a command is."""
    top = _Parser(
        prog="awsdirenv",
        description="Short-lived AWS credentials per directory: `use aws_profile NAME` in .envrc, then cd.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"awsdirenv {__version__}")
    add = top.add_subparsers(metavar="COMMAND", required=True)
    top.groups = {title: [] for title in _GROUPS}
    for name, command in sorted(commands.items(), key=lambda item: (item[1].POSITION, item[0])):
        text = str(command.__doc__).partition("\n")[0]
        group = getattr(command, "GROUP", "")
        shown: dict[str, Any] = {"help": text[0].lower() + text[1:].rstrip(".")} if group else {}
        sub = add.add_parser(name, **shown, description=text, allow_abbrev=False)
        if hasattr(command, "EXAMPLE"):
            sub.example = command.EXAMPLE
        if hasattr(command, "arguments"):
            command.arguments(sub)
        if group:
            top.groups[group].append(add._choices_actions[-1])  # noqa: SLF001 - argparse has no public way to its help
    return top


def parse(top: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Raises UsageError.

    For `exec`, the words after `--` are another command's line. argparse would read them as ours.
    """
    if arguments[:1] != ["exec"] or {"-h", "--help"} & set(arguments[: _cut(arguments)]):
        return top.parse_args(arguments)
    words = arguments[_cut(arguments) + 1 :]
    if not words:
        raise UsageError("exec needs a command after --", "awsdirenv exec PROFILE -- COMMAND")
    options = top.parse_args(arguments[: _cut(arguments)])
    options.words = words
    return options


def unknown_command(word: str, names: Iterable[str]) -> UsageError:
    """Return the error for a word that is no command, with the command that was meant, if one is like it."""
    import difflib  # noqa: PLC0415 - no command that is spelled right needs it

    likely = difflib.get_close_matches(word, names, 1)
    return UsageError(f"there is no command {word}", f"awsdirenv {likely[0] if likely else '--help'}")


def add_profile(sub: argparse.ArgumentParser, text: str = _PROFILE) -> None:
    """Add the optional argument PROFILE."""
    sub.add_argument("profile", nargs="?", metavar="PROFILE", help=text)


def add_session_options(sub: argparse.ArgumentParser, life: str = "lifetime of the credentials: 15m to 12h") -> None:
    """Add --duration, whose parsed value is in seconds, and the options that narrow a session by policies."""
    sub.add_argument("--duration", metavar="TIME", type=_duration, help=life)
    sub.add_argument("--read-only", action="store_true", help="the session may only read: AWS's policy ReadOnlyAccess")
    sub.add_argument(
        "--policy-arn", metavar="ARN", type=_policy_arn, action="append", default=[], help="a session policy; up to ten"
    )
    sub.add_argument("--policy", metavar="FILE", type=_path, help="a session policy as JSON")
    sub.add_argument("--agent", metavar="DEFAULT", help=argparse.SUPPRESS)


def session_options(options: argparse.Namespace, *, is_by_user: bool = True) -> SessionOptions:
    """Return what the options of `add_session_options` say.

    Where a user names no profile, the policies of the loaded directory count, too. Raises SettingError.
    """
    from awsdirenv.config.environment import SessionOptions, agent_default  # noqa: PLC0415

    agent = agent_default(os.environ) if options.agent is None else options.agent
    asked = SessionOptions(options.duration, tuple(options.policy_arn), options.policy, options.read_only, agent)
    if not is_by_user or options.profile is not None or "AWSDIRENV_NARROWED" not in os.environ:
        return asked
    from awsdirenv.config.session_options import of_directory  # noqa: PLC0415

    return of_directory(asked, os.environ)


def add_no_session(sub: argparse.ArgumentParser) -> None:
    """Add --no-session, for long-term keys."""
    sub.add_argument("--no-session", action="store_true", help="the profile's own long-term keys, never stored")


def add_json(sub: argparse._ActionsContainer) -> None:
    """Add --json."""
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_min_life(sub: argparse.ArgumentParser) -> None:
    """Add --min-life. Its parsed value is a timedelta."""
    sub.add_argument(
        "--min-life", metavar="TIME", type=_minimum_life, help="renew the credentials if less time is left"
    )


def _duration(text: str) -> int:
    from awsdirenv.config.settings import role_duration  # noqa: PLC0415

    return _read(role_duration, text)


def _minimum_life(text: str) -> timedelta:
    from awsdirenv.config.settings import least_life  # noqa: PLC0415

    return _read(least_life, text)


def _path(text: str) -> str:
    """Return an absolute path, and do not change one: the extension finds a snapshot by it."""
    if not text:
        raise argparse.ArgumentTypeError("it needs the path of a file")
    return os.path.join(os.getcwd(), text)


def _policy_arn(text: str) -> str:
    from awsdirenv.config.session_options import policy_arn  # noqa: PLC0415

    return _read(policy_arn, text)


def _read(reader: Callable[[str], T], text: str) -> T:
    """Read the value of an option. Raises ArgumentTypeError."""
    try:
        return reader(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def _cut(arguments: Sequence[str]) -> int:
    """Return the index of the first `--`, or the length."""
    return list(arguments).index("--") if "--" in arguments else len(arguments)


def _line_in_envrc() -> str:
    """Return the usage of our line, as it stands in the extension."""
    usage = re.findall(r"^# Usage: (.*(?:\n#  +.*)*)", read_text(extension_source()) or "", re.MULTILINE)
    words = " ".join(line.removeprefix("#").strip() for text in usage for line in text.splitlines())
    # An option and its value stay on one line.
    whole = re.sub(r"\[[^]]*\]", lambda group: group[0].replace(" ", "\0"), words)
    lines = textwrap.wrap(whole, 78, initial_indent="  ", subsequent_indent=" " * 18, break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines).replace("\0", " ")


class _Parser(argparse.ArgumentParser):
    groups: dict[str, list[argparse.Action]] | None = None
    example = ""
    _is_within = False

    def format_help(self) -> str:
        """Return the help. That of the program has its commands in groups; that of a command has an example."""
        if self.groups is None:
            return super().format_help() + (f"\nexample: {self.example}\n" if self.example else "")
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        options = [action for action in self._actions if action.option_strings]
        for title, actions in {**self.groups, "options": options}.items():
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        line = f"in .envrc (see docs/reference.md):\n{_line_in_envrc()}"
        return f"{formatter.format_help()}\n{line}\n{_DOCUMENTATION}\n{_STATUSES}\n"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        has_several = sum(not action.option_strings for action in self._actions) > 1
        if self.groups is not None or self._is_within or not has_several:
            found, unknown = super().parse_known_args(args, namespace)
        else:
            # Otherwise argparse takes an optional argument for left out if an option is in front of it.
            self._is_within = True
            try:
                found, unknown = super().parse_known_intermixed_args(args, namespace)
            finally:
                self._is_within = False
        if (
            unknown and not self._is_within
        ):  # argparse leaves that to the parser of all commands, whose help has no option of any
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002 - only help and version come here
        # argparse ignores write errors. With `emit`, help that a full disk cuts off is an error.
        emit(message)
