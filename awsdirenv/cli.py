"""The commands: arguments in, exit codes and words out. Only this module reads os.environ, prints and exits."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NoReturn

from awsdirenv import __version__
from awsdirenv.credentials import time_left, utc_now
from awsdirenv.direnv import Evaluation, working_directory
from awsdirenv.errors import AwsdirenvError, CacheError, CancelledError, PersonNeededError, UsageError
from awsdirenv.loader import Human, Loader
from awsdirenv.lock import Holder, Locks
from awsdirenv.mfa import login_command
from awsdirenv.paths import CachePaths
from awsdirenv.settings import DeclaredProfile, Settings, declared_profile
from awsdirenv.snapshot import Snapshot
from awsdirenv.store import CancelMarks, prepare
from awsdirenv.terminal import Terminal

_WAIT_SILENTLY = 0.3  # seconds
_TOKEN_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit status."""
    try:
        options = parser().parse_args(arguments)
        status: int = options.command(options)
    except AwsdirenvError as error:
        say(f"awsdirenv: error: {_printable(error.message)}")
        say(f"awsdirenv: hint: {_printable(error.hint)}")
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def say(line: str) -> None:
    """Tell a person, on stderr."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, UnicodeEncodeError):
        pass  # a closed terminal is no reason to fail


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = _Parser(
        prog="awsdirenv",
        description="Short-lived AWS credentials per directory: `use aws_profile NAME` in .envrc, then cd.",
        epilog="Exit status: 0 ok, 1 failed, 2 usage, 3 a person must act, 4 gave up waiting for another awsdirenv.",
    )
    top.add_argument("--version", action="version", version=f"awsdirenv {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        return sub

    sub = add("setup", _setup, "install the extension into direnv's lib folder")
    sub.add_argument("--uninstall", action="store_true", help="remove it again")
    sub = add("init", _init, "write `use aws_profile PROFILE` into the .envrc of this folder, and allow it")
    _add_profile(sub)
    sub = add("login", _login, "get a profile's credentials now, asking for an MFA code where one is due")
    _add_profile(sub)
    sub.add_argument("--token-code", metavar="N", type=_token_code, help="the MFA code, instead of being asked")
    sub.add_argument(
        "--force", action="store_true", help="renew credentials that still hold; with --token-code, the MFA session too"
    )
    sub = add("load", _load, "what the extension calls: make sure that a profile's snapshot is fresh")
    _add_profile(sub)
    sub.add_argument("--envrc", action="store_true", help=argparse.SUPPRESS)
    sub = add("export", _export, "print a profile's credentials for a shell, a file or a program")
    _add_profile(sub)
    from awsdirenv.export import FORMATS  # noqa: PLC0415

    sub.add_argument("--format", choices=FORMATS, default="env", help="default: %(default)s")
    sub.add_argument(
        "--output", metavar="FILE", type=Path, help="write to FILE, 0600; a dotenv file is updated in place"
    )
    sub = add("clear", _clear, "forget a profile's credentials, or with --all everything, MFA sessions included")
    _add_profile(sub)
    sub.add_argument("--all", action="store_true", help="forget everything")
    sub = add("completion", _completion, "print the completion script of a shell")
    sub.add_argument("shell", choices=("bash", "zsh", "fish"))
    sub = add("demo", _demo, "show it all in a throw-away home, against an STS on this machine")
    sub.add_argument("--interactive", action="store_true", help="get the shell of the demo instead of a transcript")
    return top


def _add_profile(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "profile",
        nargs="?",
        metavar="PROFILE",
        help="default: AWS_PROFILE of the nearest .env, then of the environment, then `default`",
    )


def _token_code(text: str) -> str:
    if not _TOKEN_CODE.fullmatch(text):
        raise argparse.ArgumentTypeError("an MFA code is six digits")
    return text


def _load(options: argparse.Namespace) -> int:
    with _loading(options.profile, from_envrc=options.envrc) as loader:
        loader.load()
    return 0


def _login(options: argparse.Namespace) -> int:
    with _loading(options.profile, token_code=options.token_code, force=options.force) as loader:
        CancelMarks(loader.paths.marks).clear()
        made = loader.load()
    say(f"awsdirenv: {_describe(made, _region(made))}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from awsdirenv import export  # noqa: PLC0415

    with _loading(options.profile) as loader:
        made = loader.load()
    region = _region(made)
    if options.output is None:
        sys.stdout.write(export.render(options.format, made, region))
        sys.stdout.flush()
    elif options.format == "dotenv":
        from awsdirenv import dotenv_file  # noqa: PLC0415

        values = export.variables(made, region)
        dotenv_file.update(options.output, values, export.stale_names(values))
    else:
        from awsdirenv import install  # noqa: PLC0415

        install.write_output(options.output, export.render(options.format, made, region))
    if options.output is not None:
        say(f"awsdirenv: wrote {options.output}: {_describe(made, region)}")
    return 0


def _clear(options: argparse.Namespace) -> int:
    from awsdirenv import clearing  # noqa: PLC0415

    if options.all and options.profile:
        raise UsageError("clear takes a PROFILE or --all, not both", "awsdirenv clear --help")
    with _loading(options.profile) as loader:
        if options.all:
            count = clearing.clear_all(loader.paths, loader.locks)
            say(f"awsdirenv: forgot everything ({count} files)")
        else:
            count = clearing.clear_profile(loader.declared.name, loader.paths, loader.locks)
            say(
                f"awsdirenv: forgot the credentials of {loader.declared.name} ({count} files); "
                "MFA sessions are shared and stay: awsdirenv clear --all"
            )
    return 0


def _setup(options: argparse.Namespace) -> int:
    from awsdirenv import install  # noqa: PLC0415

    if options.uninstall:
        install.uninstall(os.environ, say)
        return 0
    install.install(os.environ, say)
    prepare(CachePaths.from_environ(os.environ))
    for problem, remedy in install.missing_parts(os.environ):
        say(f"awsdirenv: warning: {problem}")
        say(f"awsdirenv: hint: {remedy}")
    say("  next, in a project: awsdirenv init PROFILE")
    return 0


def _init(options: argparse.Namespace) -> int:
    from awsdirenv import install  # noqa: PLC0415
    from awsdirenv.paths import encode_name  # noqa: PLC0415
    from awsdirenv.profile import load_files, resolve_chain  # noqa: PLC0415

    directory = working_directory(os.environ)
    if options.profile is not None:
        encode_name(options.profile)
    name = declared_profile(options.profile, directory, os.environ).name
    install.init(directory, options.profile, say)
    install.direnv_allow(directory, os.environ)
    say("  direnv allow")
    if not install.extension_path(os.environ).exists():
        say("awsdirenv: warning: the extension is not installed")
        say("awsdirenv: hint: awsdirenv setup")
    try:
        resolve_chain(load_files(os.environ), name, os.environ)
    except AwsdirenvError as error:
        say(f"awsdirenv: warning: {_printable(error.message)}")
        say(f"awsdirenv: hint: {_printable(error.hint)}")
    return 0


def _completion(options: argparse.Namespace) -> int:
    from awsdirenv.completion import script  # noqa: PLC0415

    sys.stdout.write(script(options.shell, parser()))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from awsdirenv import demo  # noqa: PLC0415

    return demo.run(interactive=options.interactive)


@contextmanager
def _loading(
    profile: str | None, *, from_envrc: bool = False, token_code: str | None = None, force: bool = False
) -> Iterator[Loader]:
    """Put a loader together and keep the terminal in order around it."""
    evaluation = Evaluation.current(os.environ)
    paths = CachePaths.from_environ(os.environ)
    marks = CancelMarks(paths.marks)
    declared = _declared(profile, evaluation.directory)
    if from_envrc and marks.holds(evaluation.directory, evaluation.envrc_mtime, utc_now()):
        raise CancelledError(f"loading {declared.name} was cancelled here", "direnv reload")
    settings = Settings.load(os.environ, evaluation.directory)
    terminal = Terminal.of_human(os.environ)
    locks = Locks(
        paths.locks,
        timeout=settings.lock_timeout.total_seconds(),
        on_wait=_Waiting(declared.name, has_human=terminal is not None or settings.mfa_process is not None),
        terminal=terminal.name if terminal else "",
    )
    loader = Loader(
        environ=os.environ,
        settings=settings,
        paths=paths,
        locks=locks,
        declared=declared,
        human=Human(terminal.ask, terminal.say) if terminal else None,
        is_expected=evaluation.is_entering or not from_envrc,
        token_code=token_code,
        force=force,
    )
    try:
        with terminal.guarded() if terminal else nullcontext():
            yield loader
    except KeyboardInterrupt:
        if from_envrc and not (terminal and terminal.was_cancelled_by_key):
            # A real signal: direnv got it too, and gives up on `.envrc`. fish would start it again at every prompt.
            with suppress(CacheError):
                marks.set(evaluation.directory, evaluation.envrc_mtime, utc_now())
        hint = "direnv reload" if from_envrc else login_command(declared.name)
        raise CancelledError(f"loading {declared.name} was cancelled", hint) from None


def _declared(profile: str | None, directory: Path) -> DeclaredProfile:
    from awsdirenv.paths import encode_name  # noqa: PLC0415

    declared = declared_profile(profile, directory, os.environ)
    encode_name(declared.name)  # refuses names that cannot be
    return declared


class _Waiting:
    """Tells a person whom we wait for: once for each holder, and again when it turns to a person itself."""

    def __init__(self, profile: str, *, has_human: bool) -> None:
        self._profile = profile
        self._has_human = has_human
        self._told: set[tuple[int, bool]] = set()

    def __call__(self, holder: Holder | None, waited: float) -> None:
        if holder is not None and holder.is_asking and not self._has_human:
            raise PersonNeededError(
                f"profile {self._profile} needs an MFA code, which {holder.place} is being asked for",
                login_command(self._profile),
            )
        if holder is None or waited < _WAIT_SILENTLY or (holder.pid, holder.is_asking) in self._told:
            return
        self._told.add((holder.pid, holder.is_asking))
        say(f"awsdirenv: waiting for {holder}")


def _region(snapshot: Snapshot) -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or snapshot.region


def _describe(snapshot: Snapshot, region: str | None) -> str:
    """Say where a snapshot leads, in the words of the extension's line on entering."""
    credentials = snapshot.credentials
    parts = [f"account {credentials.account_id or 'unknown'}"]
    if snapshot.role:
        parts.append(f"role {snapshot.role}")
    parts.append(region or "no region")
    if credentials.expiration:
        parts.append(f"{time_left(credentials.expiration, utc_now())} left")
    return f"{_printable(snapshot.profile)}: {', '.join(parts)}"


def _printable(text: str) -> str:
    """Keep what a file or a server says from steering the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
