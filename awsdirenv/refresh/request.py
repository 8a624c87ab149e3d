"""Starts a load and ends it: finds the profile and the user's terminal, and leaves the terminal as it was.

In a live directory an SDK waits for us, and its program may use the same terminal. There we touch the terminal only
to ask a question. If several processes of ours need credentials at once (a Terraform with ten providers), one of them
asks the user. The others wait without touching the terminal. If the one gets no answer, all of them fail.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path

from awsdirenv.cache import directories
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cache.sessions import CancelMarks, EvaluationMarks, prepare
from awsdirenv.cache.snapshots import Snapshot, check_region_of_environment
from awsdirenv.config.environment import SOURCE_VARIABLES, SessionOptions, environment_region, region_variable
from awsdirenv.config.settings import DeclaredProfile, Settings, declared_profile
from awsdirenv.errors import (
    AwsdirenvError,
    CacheError,
    CancelledError,
    CodeRefusedError,
    DirectoryError,
    PersonNeededError,
)
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import Loader, LoadOptions, stored
from awsdirenv.refresh.mfa_codes import Human
from awsdirenv.refresh.preflight import refuse_recursion
from awsdirenv.session_credentials import utc_now
from awsdirenv.system import clocks, files
from awsdirenv.system.direnv import Evaluation, loaded_directory, opened_profile, without_ours
from awsdirenv.system.files import encode_name
from awsdirenv.system.lock import Holder, Locks
from awsdirenv.system.text import login_command
from awsdirenv.system.tty import Terminal, open_in_foreground

# direnv has replaced these variables in a directory of ours, and a profile may be resolved from their old values.
_OURS = (*SOURCE_VARIABLES, "AWS_REGION", "AWS_DEFAULT_REGION", "AWSDIRENV_PROFILE", "AWSDIRENV_LOADED")
_WAIT_SILENTLY = 0.3  # seconds


class Request(Record):
    """What to load, and for whom. `from_envrc` says that the extension asks, from inside an `.envrc`.

    `evaluation` is then the process that evaluates the `.envrc`, None if nobody waits for us. `is_beside_program` says
    that a program of the user's waits for us, and shares our stderr. `was_asked` says that this program has had the
    user asked a moment ago, in vain.
    """

    profile: str | None
    from_envrc: bool = False
    options: LoadOptions = LoadOptions()
    may_ask: bool = True
    is_beside_program: bool = False
    was_asked: bool = False
    evaluation: int | None = None


class Reporter(Record):
    """How to reach the user: `waiting` gets what we wait for (a lock's holder, a slow call), `notice` a message."""

    waiting: Callable[[Holder | str], None]
    notice: Callable[[str], None]


class ProfileContext(Record):
    """What a report on a profile needs. `environ` is the environment as it was outside the loaded directory."""

    profile: str
    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    options: SessionOptions  # from the command line
    region: tuple[str, str] | None  # the environment's region, and the variable that has it
    now: datetime


@contextmanager
def loading(request: Request, environ: Mapping[str, str], reporter: Reporter) -> Iterator[Loader]:
    """Yield the loader of a request, and restore the terminal at the end.

    Raises CancelledError for Ctrl-C, also for one a moment ago, and the AwsdirenvErrors of the load.
    """
    check_region_of_environment(environ)
    evaluation = _evaluation(request, environ)
    declared = _declared(request, evaluation, environ)
    marks = CancelMarks(CachePaths.from_environ(environ).marks)
    if request.from_envrc and marks.holds(evaluation.directory, evaluation.envrc_mtime, utc_now()):
        raise CancelledError(f"loading {declared.name} was cancelled here", "direnv reload")
    again = "direnv reload" if request.from_envrc else login_command(declared.name)
    settings = Settings.load(environ, evaluation.directory if request.from_envrc else loaded_directory(environ))
    # Python gives signals to its main thread only. In another thread nobody could cancel a question.
    is_main = threading.current_thread() is threading.main_thread()
    is_person = request.options.session.agent is None
    may_ask = is_main and is_person and request.may_ask and not settings.no_prompt
    terminal = Terminal.of_human(environ, again, beside_program=request.is_beside_program) if may_ask else None
    loader = _loader(request, environ, settings, terminal, declared, evaluation, reporter)
    try:
        with terminal.guarded(within_direnv=request.from_envrc) if terminal else nullcontext():
            yield loader
        if request.from_envrc:
            directories.note(loader.paths, declared.name, environ.get("DIRENV_WATCHES", ""))
    except KeyboardInterrupt:
        if request.from_envrc and not (terminal and terminal.was_cancelled_by_key):
            # The signal reached direnv too, which now gives up on `.envrc`. fish would start it again at every prompt.
            with suppress(CacheError):
                marks.set(evaluation.directory, evaluation.envrc_mtime, utc_now())
        raise CancelledError(f"loading {declared.name} was cancelled", again) from None
    except AwsdirenvError as error:
        if not request.from_envrc:
            error.of_a_command()
        raise


def served(request: Request, environ: Mapping[str, str], reporter: Reporter) -> Snapshot:
    """Return a profile's snapshot for a program, which may ask before each of its own calls. Raises AwsdirenvError.

    While the snapshot is fresh, no file is parsed and the terminal is not touched: another program may be using it.
    """
    with loading(replace(request, may_ask=False), environ, reporter) as loader:
        refuse_recursion(loader.declared.name, environ)
        snapshot = loader.fresh()
    if snapshot:
        return snapshot
    with loading(request, environ, reporter) as loader:
        loader.chain()  # raises for a profile that would wait for its own lock, before the lock is taken
        return loader.load()


def served_beside(
    profile: str, options: LoadOptions, environ: Mapping[str, str], reporter: Reporter, *, as_it_is: bool
) -> Snapshot:
    """Return a profile's snapshot for an SDK in a live directory. Raises AwsdirenvError.

    With `as_it_is` the snapshot has the profile's long-term keys.
    """
    refuse_recursion(profile, environ)
    # First, because for a fresh snapshot SDKs get the same from a program that is no Python.
    if not as_it_is and (fresh := stored(profile, options.session, without_ours(environ, _OURS))):
        return fresh
    started, program = utc_now(), _Program(CancelMarks(CachePaths.from_environ(environ).marks))
    request = Request(profile, options=options, may_ask=False, was_asked=program.was_asked(started))
    with loading(request, environ, reporter) as loader:
        if as_it_is:
            return loader.long_term_keys()
        try:
            return _without_question(loader)
        except PersonNeededError:
            if request.was_asked or loader.settings.no_prompt or not _is_in_foreground(environ):
                raise
        with loader.locks.hold("terminal"):
            unanswered = loader.paths.marks / "cancelled-terminal"
            is_unanswered = _is_since(unanswered, started)
            try:
                return _without_question(loader.after_question() if is_unanswered else loader)
            except PersonNeededError:
                if is_unanswered:
                    raise
            try:
                with loading(Request(profile, options=options, is_beside_program=True), environ, reporter) as asking:
                    return asking.load()
            except (CancelledError, CodeRefusedError, PersonNeededError) as error:
                files.write_private(unanswered, {"SINCE": _microseconds(utc_now())})
                program.has_no_answer(utc_now())
                if isinstance(error, CancelledError) and error.is_interrupt:
                    program.interrupt()
                raise


def looking(request: Request, environ: Mapping[str, str]) -> ProfileContext:
    """Return what a report on a profile needs. Nothing is loaded, locked or asked."""
    declared = _declared(request, _evaluation(request, environ), environ)
    region = environment_region(environ)
    return ProfileContext(
        profile=declared.name,
        environ=without_ours(environ, _OURS),
        settings=Settings.load(environ, loaded_directory(environ)),
        paths=CachePaths.from_environ(environ),
        options=request.options.session,
        region=(region, region_variable(environ)) if region else None,
        now=utc_now(),
    )


class _Program:
    """The program that waits for us in a live directory: it, and all that it has started, are one process group."""

    def __init__(self, marks: CancelMarks) -> None:
        self._marks = marks
        self._group = os.getpgrp()
        self._name, self._start = f"program {self._group}", clocks.start_of_process(self._group)

    def was_asked(self, now: datetime) -> bool:
        """Return whether it has had the user asked a moment ago, in vain. Then a loop in it has us ask again."""
        return self._marks.holds(self._name, self._start, now)

    def has_no_answer(self, now: datetime) -> None:
        """Note that the user has given no code."""
        self._marks.set(self._name, self._start, now)

    def interrupt(self) -> None:
        """Hand on Ctrl-C, which the terminal would have sent to all of them. We go on, to say what has happened."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.killpg(self._group, signal.SIGINT)


def _without_question(loader: Loader) -> Snapshot:
    """Load without a question. Raises PersonNeededError if one is needed."""
    fresh = loader.fresh()
    if fresh:
        return fresh
    loader.chain()  # raises for a profile that would wait for its own lock, before the lock is taken
    return loader.load()


def _is_since(mark: Path, started: datetime) -> bool:
    """Return whether the mark of an unanswered question was written after we started."""
    since = (files.read_private(mark) or {}).get("SINCE", "")
    return since.isdecimal() and int(since) >= int(_microseconds(started))


def _microseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 10**6))


def _is_in_foreground(environ: Mapping[str, str]) -> bool:
    descriptor = open_in_foreground(environ)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _evaluation(request: Request, environ: Mapping[str, str]) -> Evaluation:
    try:
        return Evaluation.current(environ, request.evaluation)
    except DirectoryError:
        # A service may still run after the folder that it was started in is gone. If its profile is known, that is
        # no error.
        if request.from_envrc or (request.profile is None and _profile_here(environ) is None):
            raise
        return Evaluation(Path("/"), 0, is_entering=True, envrc=Path("/.envrc"))


def _declared(request: Request, evaluation: Evaluation, environ: Mapping[str, str]) -> DeclaredProfile:
    present = None if request.from_envrc else _profile_here(environ)
    argument = present if request.profile is None else request.profile
    declared = declared_profile(argument, evaluation.directory, environ)
    encode_name(declared.name)  # raises for a name that no profile can have
    return declared


def _profile_here(environ: Mapping[str, str]) -> str | None:
    # Inside a directory of ours AWS_PROFILE is unset.
    return environ.get("AWSDIRENV_PROFILE") or environ.get("AWSDIRENV_DECLARED")


def _loader(  # noqa: PLR0913, PLR0917 - it puts all the parts together
    request: Request,
    environ: Mapping[str, str],
    settings: Settings,
    terminal: Terminal | None,
    declared: DeclaredProfile,
    evaluation: Evaluation,
    reporter: Reporter,
) -> Loader:
    paths = CachePaths.from_environ(environ)
    marks = EvaluationMarks(paths.marks, _evaluation_id(request))
    is_expected = not request.from_envrc or _is_expected(evaluation, paths, marks)
    has_codes = bool(settings.mfa_process or request.options.token_code)
    on_wait = _Waiting(
        declared.name, reporter.waiting, has_human=terminal is not None, has_codes=has_codes, is_expected=is_expected
    )
    key = snapshot_key(declared.name, environ, request.options.session)
    had_session = opened_profile(environ) == declared.name or (paths.snapshots / key).exists()
    return Loader(
        environ=environ if request.from_envrc else without_ours(environ, _OURS),
        settings=settings,
        paths=paths,
        locks=Locks(
            paths.locks,
            settings.lock_timeout.total_seconds(),
            on_wait,
            terminal.name if terminal else "",
            (lambda: terminal.place(environ)) if terminal else None,
        ),
        declared=declared,
        human=Human(terminal.ask, terminal.say, had_session, ask_hidden=terminal.ask_hidden) if terminal else None,
        is_expected=is_expected,
        was_asked=request.was_asked,
        marks=marks,
        evaluation=evaluation,
        tell=reporter.notice,
        waiting=reporter.waiting,
        options=request.options,
    )


def _evaluation_id(request: Request) -> str:
    """Return what tells the evaluation that waits for us from all others, also after its pid is given again."""
    return f"{request.evaluation}.{clocks.start_of_process(request.evaluation)}" if request.evaluation else ""


def _is_expected(evaluation: Evaluation, paths: CachePaths, marks: EvaluationMarks) -> bool:
    """Return whether the user expects a question: they have entered the directory, or said `direnv reload` here."""
    try:
        prepare(paths)
        is_told = marks.takes(evaluation.envrc, evaluation.told_at)
    except CacheError:  # the load raises it again, with nobody asked
        is_told = False
    return evaluation.is_entering or is_told


class _Waiting:
    """Tells the user which process we wait for: once for each, and again when that process asks its own user."""

    def __init__(
        self, profile: str, report: Callable[[Holder], None], *, has_human: bool, has_codes: bool, is_expected: bool
    ) -> None:
        self._profile = profile
        self._report = report
        self._has_human = has_human
        self._has_codes = has_codes
        self._is_expected = is_expected
        self._told: set[tuple[int, bool]] = set()

    def __call__(self, holder: Holder | None, waited: float) -> None:
        # With a command for codes we wait for our turn. The command does not help if the holder waits for a browser.
        may_wait = self._has_human or (self._has_codes and holder is not None and not holder.is_signing_in)
        # An answer may take a minute. Nobody who typed `ls` in a loaded directory should wait for that.
        if holder is not None and holder.is_asking and not (may_wait and self._is_expected):
            # The holder's note says what it asks for: a code or a sign-in.
            raise PersonNeededError(
                f"profile {self._profile} waits for an answer: {holder}", login_command(self._profile)
            )
        if holder is None or waited < _WAIT_SILENTLY or (holder.pid, holder.is_asking) in self._told:
            return
        self._told.add((holder.pid, holder.is_asking))
        self._report(holder)
