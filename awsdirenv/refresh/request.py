"""The way into a load and out of it: who is there, which profile is meant, and the terminal in order at the end.

An SDK in a live directory waits for us, and its program may use the same terminal. There the terminal is touched only
for a question. When several processes of ours want credentials at once (a Terraform with ten providers), one of them
asks the person. The others wait without touching the terminal, and if that one gets no answer, all of them fail.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path

from awsdirenv.cache import directories
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import CancelMarks
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.environment import SOURCE_VARIABLES, environment_region
from awsdirenv.config.settings import DeclaredProfile, Settings, declared_profile
from awsdirenv.errors import AwsdirenvError, CacheError, CancelledError, DirectoryError, PersonNeededError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import Loader, LoadOptions
from awsdirenv.refresh.mfa_codes import Human
from awsdirenv.refresh.preflight import refuse_recursion
from awsdirenv.session_credentials import utc_now
from awsdirenv.system import files
from awsdirenv.system.direnv import Evaluation, loaded_directory, without_ours
from awsdirenv.system.lock import Holder, Locks
from awsdirenv.system.paths import encode_name
from awsdirenv.system.text import login_command
from awsdirenv.system.tty import Terminal, open_in_foreground

# What direnv has put in the place of the values that a profile may be resolved from.
_OURS = (*SOURCE_VARIABLES, "AWS_REGION", "AWS_DEFAULT_REGION", "AWSDIRENV_PROFILE", "AWSDIRENV_LOADED")
_WAIT_SILENTLY = 0.3  # seconds


class Request(Record):
    """What a command wants loaded. `from_envrc` says that the extension asks, inside an `.envrc`.

    `is_beside_program` says that a program of the person's waits for us, and has our stderr.
    """

    profile: str | None
    from_envrc: bool = False
    options: LoadOptions = LoadOptions()
    may_ask: bool = True
    is_beside_program: bool = False


class Reporter(Record):
    """Whom to tell of what we wait for (other processes, slow calls), and of what is worth knowing and no failure."""

    waiting: Callable[[Holder | str], None]
    notice: Callable[[str], None]


class ProfileContext(Record):
    """What a report on a profile starts from. `environ` is as it was outside the directory that direnv has loaded."""

    profile: str
    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    duration: int | None  # seconds, from the command line
    region: tuple[str, str] | None  # of the environment, and the variable that says so
    now: datetime


@contextmanager
def loading(request: Request, environ: Mapping[str, str], reporter: Reporter) -> Iterator[Loader]:
    """Keep the terminal in order around a load. Raises CancelledError for Ctrl-C, now or a moment ago."""
    evaluation = _evaluation(request, environ)
    declared = _declared(request, evaluation, environ)
    marks = CancelMarks(CachePaths.from_environ(environ).marks)
    if request.from_envrc and marks.holds(evaluation.directory, evaluation.envrc_mtime, utc_now()):
        raise CancelledError(f"loading {declared.name} was cancelled here", "direnv reload")
    again = "direnv reload" if request.from_envrc else login_command(declared.name)
    settings = Settings.load(environ, evaluation.directory if request.from_envrc else loaded_directory(environ))
    # Python gives signals to its main thread only: elsewhere nobody could cancel.
    is_main = threading.current_thread() is threading.main_thread()
    may_ask = is_main and request.may_ask and not settings.no_prompt
    terminal = Terminal.of_human(environ, again, beside_program=request.is_beside_program) if may_ask else None
    loader = _loader(request, environ, settings, terminal, declared, evaluation, reporter)
    try:
        with terminal.guarded(within_direnv=request.from_envrc) if terminal else nullcontext():
            yield loader
        if request.from_envrc:
            directories.note(loader.paths, declared.name, environ.get("DIRENV_WATCHES", ""))
    except KeyboardInterrupt:
        if request.from_envrc and not (terminal and terminal.was_cancelled_by_key):
            # A real signal: direnv got it too, and gives up on `.envrc`. fish would start it again at every prompt.
            with suppress(CacheError):
                marks.set(evaluation.directory, evaluation.envrc_mtime, utc_now())
        raise CancelledError(f"loading {declared.name} was cancelled", again) from None
    except AwsdirenvError as error:
        if not request.from_envrc:
            error.of_a_command()
        raise


def served(request: Request, environ: Mapping[str, str], reporter: Reporter) -> Snapshot:
    """Give a profile's snapshot to a program that may ask for it before each of its own calls. Raises AwsdirenvError.

    As long as it is fresh nothing is parsed, and a terminal is left alone: it may be another program's at the moment.
    """
    with loading(replace(request, may_ask=False), environ, reporter) as loader:
        refuse_recursion(loader.declared.name, environ)
        found = loader.fresh()
    if found:
        return found
    with loading(request, environ, reporter) as loader:
        loader.chain()  # what would wait for itself is refused before it holds what it waits for
        return loader.load()


def served_beside(
    profile: str, options: LoadOptions, environ: Mapping[str, str], reporter: Reporter, *, as_it_is: bool
) -> Snapshot:
    """Give a profile's snapshot, or with `as_it_is` one of its long-term keys. Raises AwsdirenvError."""
    started = utc_now()
    with loading(Request(profile, options=options, may_ask=False), environ, reporter) as loader:
        refuse_recursion(profile, environ)
        if as_it_is:
            return loader.long_term_keys()
        try:
            return _without_question(loader)
        except PersonNeededError:
            if loader.settings.no_prompt or not _is_in_foreground(environ):
                raise
        with loader.locks.hold("terminal"):
            unanswered = loader.paths.marks / "cancelled-terminal"
            try:
                return _without_question(loader)
            except PersonNeededError:
                if _is_since(unanswered, started):
                    raise
            try:
                with loading(Request(profile, options=options, is_beside_program=True), environ, reporter) as asking:
                    return asking.load()
            except (CancelledError, PersonNeededError):
                files.write_private(unanswered, {"SINCE": str(int(utc_now().timestamp()))})
                raise


def looking(request: Request, environ: Mapping[str, str]) -> ProfileContext:
    """Give what a look at a profile starts from, when nothing is to be loaded, locked or asked."""
    declared = _declared(request, _evaluation(request, environ), environ)
    region = environment_region(environ)
    return ProfileContext(
        profile=declared.name,
        environ=without_ours(environ, _OURS),
        settings=Settings.load(environ, loaded_directory(environ)),
        paths=CachePaths.from_environ(environ),
        duration=request.options.duration,
        region=(region, "AWS_REGION" if environ.get("AWS_REGION") else "AWS_DEFAULT_REGION") if region else None,
        now=utc_now(),
    )


def _without_question(loader: Loader) -> Snapshot:
    """Load without asking a person. Raises PersonNeededError where that is needed."""
    fresh = loader.fresh()
    if fresh:
        return fresh
    loader.chain()  # raises for a profile that would wait for its own lock, before the lock is taken
    return loader.load()


def _is_since(mark: Path, started: datetime) -> bool:
    """Tell whether the mark, of a question without an answer, was written after we started."""
    since = (files.read_private(mark) or {}).get("SINCE", "")
    return since.isdecimal() and int(since) >= int(started.timestamp())


def _is_in_foreground(environ: Mapping[str, str]) -> bool:
    descriptor = open_in_foreground(environ)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _evaluation(request: Request, environ: Mapping[str, str]) -> Evaluation:
    try:
        return Evaluation.current(environ)
    except DirectoryError:
        # A service outlives the release whose folder it was started in; where the profile is known it needs none.
        if request.from_envrc or (request.profile is None and _profile_here(environ) is None):
            raise
        return Evaluation(Path("/"), 0, is_entering=True)


def _declared(request: Request, evaluation: Evaluation, environ: Mapping[str, str]) -> DeclaredProfile:
    present = None if request.from_envrc else _profile_here(environ)
    argument = present if request.profile is None else request.profile
    declared = declared_profile(argument, evaluation.directory, environ)
    encode_name(declared.name)  # refuses names that cannot be
    return declared


def _profile_here(environ: Mapping[str, str]) -> str | None:
    # Inside a directory of ours AWS_PROFILE is not there to ask.
    return environ.get("AWSDIRENV_PROFILE") or environ.get("AWSDIRENV_DECLARED")


def _loader(  # noqa: PLR0913, PLR0917 - it is where the parts come together
    request: Request,
    environ: Mapping[str, str],
    settings: Settings,
    terminal: Terminal | None,
    declared: DeclaredProfile,
    evaluation: Evaluation,
    reporter: Reporter,
) -> Loader:
    paths = CachePaths.from_environ(environ)
    has_codes = bool(settings.mfa_process or request.options.token_code)
    on_wait = _Waiting(declared.name, reporter.waiting, has_human=terminal is not None, has_codes=has_codes)
    return Loader(
        environ=environ if request.from_envrc else without_ours(environ, _OURS),
        settings=settings,
        paths=paths,
        locks=Locks(paths.locks, settings.lock_timeout.total_seconds(), on_wait, terminal.name if terminal else ""),
        declared=declared,
        human=Human(terminal.ask, terminal.say) if terminal else None,
        is_expected=evaluation.is_entering or not request.from_envrc,
        tell=reporter.notice,
        waiting=reporter.waiting,
        options=request.options,
    )


class _Waiting:
    """Tells a person whom we wait for: once for each holder, and again when it turns to a person itself."""

    def __init__(self, profile: str, report: Callable[[Holder], None], *, has_human: bool, has_codes: bool) -> None:
        self._profile = profile
        self._report = report
        self._has_human = has_human
        self._has_codes = has_codes
        self._told: set[tuple[int, bool]] = set()

    def __call__(self, holder: Holder | None, waited: float) -> None:
        # A command for codes will be asked in its turn; it is no use in front of a browser.
        may_wait = self._has_human or (self._has_codes and holder is not None and not holder.is_signing_in)
        if holder is not None and holder.is_asking and not may_wait:
            # For a code or a sign-in: whoever asks has said it in its note.
            raise PersonNeededError(
                f"profile {self._profile} waits for an answer: {holder}", login_command(self._profile)
            )
        if holder is None or waited < _WAIT_SILENTLY or (holder.pid, holder.is_asking) in self._told:
            return
        self._told.add((holder.pid, holder.is_asking))
        self._report(holder)
