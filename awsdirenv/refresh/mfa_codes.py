"""The sources of MFA codes: the command line, a command that prints one, or the user at the terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from awsdirenv.cache.sessions import UsedCodes
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    CodeProcessError,
    CodeRefusedError,
    NetworkError,
    PersonNeededError,
)
from awsdirenv.records import Record
from awsdirenv.system import subprocesses
from awsdirenv.system.clocks import patience
from awsdirenv.system.text import login_command

_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_USED = re.compile(r"\b(already|previously) (been )?used\b", re.IGNORECASE)
_TRIES = 3
_STEP = 30  # seconds for which a device shows one code (RFC 6238, and every AWS device)
_PROCESS_TIMEOUT = 60  # seconds
# The hint does not show the command itself, because people write their MFA secret into it.
_PROCESS_HINT = "run the command of AWSDIRENV_MFA_PROCESS or mfa_process yourself"

T = TypeVar("T")


class Human(Record):
    """A user at the terminal. `ask` asks for a line, with a time limit in seconds; `say` shows a line.

    `had_session` says whether the user has had credentials of the profile before, so that a session can have ended.
    `begin` is called with the MFA serial before each question, and may raise an AwsdirenvError.
    """

    ask: Callable[[str, float], str]
    say: Callable[[str], None]
    had_session: bool = True
    begin: Callable[[str], None] = lambda _: None
    ask_hidden: Callable[[str, float], str] | None = None  # as `ask`, for a secret: what is typed is not shown


class CodeSource(Protocol):
    """A source of MFA codes. After `tries` wrong codes no other one is tried."""

    tries: int
    silent: bool  # it asks nobody

    def next_code(self, mfa_serial: str) -> str:
        """Return six digits. Raises an AwsdirenvError if there is no code."""

    def refused(self, reason: str, *, wait: bool) -> None:
        """Take note that the last code was refused. `wait` says that the device's next code will do."""


class Prompt:
    """Asks the user for codes. Each question has its own time limit, in seconds."""

    tries = _TRIES
    silent = False

    def __init__(self, human: Human, timeout: float) -> None:
        """Create the prompt. `timeout` is the limit of one question."""
        self._human = human
        self._timeout = timeout

    def next_code(self, mfa_serial: str) -> str:
        """Ask until the answer is six digits."""
        self._human.begin(mfa_serial)
        while True:
            answer = self._human.ask(f"Enter MFA code for {mfa_serial}: ", self._timeout).strip()
            if is_code(answer):
                return answer
            self._human.say("awsdirenv: an MFA code is six digits")

    def refused(self, reason: str, *, wait: bool) -> None:
        """Tell the user. They decide when to type the next code."""
        self._human.say(f"awsdirenv: {reason}" + (", the next one comes within 30 s" if wait else ""))


class Process:
    """Runs a command of the user's that prints a code (AWSDIRENV_MFA_PROCESS, or `mfa_process` as in aws-vault)."""

    tries = 1
    silent = True

    def __init__(
        self,
        command: str,
        sleep: Callable[[float], None] = time.sleep,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Create the source. `command` is run by sh; `waiting` is called with what takes longer than a second."""
        self._command = command
        self._waiting = waiting
        self._sleep = sleep
        self._has_waited = False

    def next_code(self, mfa_serial: str) -> str:
        """Run the command and return its code. The user sees its stderr. Raises CodeProcessError."""
        what = f"the MFA process for {mfa_serial}"
        hint = _PROCESS_HINT
        try:
            with patience(self._waiting, what):
                done = subprocesses.run(self._command, _PROCESS_TIMEOUT)
        except OSError as error:
            raise CodeProcessError(f"{what} cannot start: {error.strerror}", hint) from None
        except subprocesses.StillRunningError:
            raise CodeProcessError(f"{what} did not end within {_PROCESS_TIMEOUT}s", hint) from None
        except subprocesses.TooMuchOutputError:
            raise CodeProcessError(f"{what} did not print six digits", hint) from None
        if done.status != 0:
            raise CodeProcessError(f"{what} failed with status {done.status}", hint)
        code = done.output.decode("ascii", "replace").strip()
        if not is_code(code):
            raise CodeProcessError(f"{what} did not print six digits", hint)
        return code

    def refused(self, reason: str, *, wait: bool) -> None:
        """Wait once for the device's next code, if that may help. Raises CodeProcessError otherwise."""
        if not wait or self._has_waited:  # a command that always prints the same code would block every shell
            raise CodeProcessError(f"AWS does not accept the code of the MFA process: {reason}", _PROCESS_HINT)
        self._has_waited = True
        with patience(self._waiting, "the next code of the MFA process"):
            self._sleep(_STEP - time.time() % _STEP + 1)


class Given:
    """The single code from `--token-code`."""

    tries = 1
    silent = True

    def __init__(self, code: str) -> None:
        """Keep the code. The command line has checked that it is six digits."""
        self._code = code

    def next_code(self, mfa_serial: str) -> str:  # noqa: ARG002 - the user has chosen the device already
        """Return the code."""
        return self._code

    def refused(self, reason: str, *, wait: bool) -> None:  # noqa: ARG002 - only for a code that was used: always true
        """Raise CodeRefusedError: there is no second code. What STS says of this one is raised as it is."""
        raise CodeRefusedError(f"{reason}: {self._code}", "try again when the next code shows, within 30 s")


class Nobody:
    """Fails at once, with a reason, because no code can be got. So nothing hangs where nobody sees it."""

    tries = 1
    silent = True

    def __init__(self, reason: Callable[[str], AwsdirenvError]) -> None:
        """Keep `reason`, which makes the error to raise for a device."""
        self._reason = reason

    def next_code(self, mfa_serial: str) -> str:
        """Raise the error for the device."""
        raise self._reason(mfa_serial)

    def refused(self, reason: str, *, wait: bool) -> None:
        """Do nothing. It is never called, because there is no code to refuse."""


def is_code(text: str) -> bool:
    """Return whether the text is six ASCII digits, as an MFA code is."""
    return _CODE.fullmatch(text) is not None


def nobody_there(profile: str) -> Nobody:
    """Return a source that fails because nobody is at a terminal."""
    return Nobody(
        lambda serial: PersonNeededError(
            f"profile {profile} needs an MFA code for {serial}, and nobody is here to type it", login_command(profile)
        )
    )


def not_now(profile: str, *, had_session: bool) -> Nobody:
    """Return a source that fails because the user does not expect a question now."""
    hint = login_command(profile)
    if had_session:
        return Nobody(lambda _: PersonNeededError(f"the session for {profile} has ended", hint))
    return Nobody(lambda serial: PersonNeededError(f"profile {profile} needs an MFA code for {serial}", hint))


def not_again(profile: str, mfa_serial: str) -> PersonNeededError:
    """Return the error for a question that another line of the same evaluation has put in vain."""
    return PersonNeededError(
        f"profile {profile} needs an MFA code for {mfa_serial}, and one was asked for just now", login_command(profile)
    )


class WantedCode(Record):
    """What decides the source of a profile's code: the code `given` on the command line, `command`, or a question.

    `was_asked` says that the program that waits for us has had the user asked a moment ago, in vain.
    """

    profile: str
    given: str | None
    command: str | None
    timeout: timedelta
    was_asked: bool = False


def code_source(
    wanted: WantedCode, human: Human | None, waiting: Callable[[str], None], *, may_ask: bool
) -> CodeSource:
    """Choose the source of the code. `may_ask` says whether the user expects a question now.

    `waiting` is called with the name of a command that takes longer than a second.
    """
    if wanted.given is not None:
        return Given(wanted.given)
    if wanted.command:
        return Process(wanted.command, waiting=waiting)
    if wanted.was_asked:
        return Nobody(lambda serial: not_again(wanted.profile, serial))
    if human is None:
        return nobody_there(wanted.profile)
    if not may_ask:
        return not_now(wanted.profile, had_session=human.had_session)
    return Prompt(human, wanted.timeout.total_seconds())


def prove(
    mfa_serial: str, attempt: Callable[[str], T], codes: CodeSource, used: UsedCodes, now: Callable[[], datetime]
) -> T:
    """Get codes until `attempt` accepts one, and return its result. The caller holds the lock of the device.

    A code can be used once. AWS refuses a used code with the same words as a wrong one, so we remember the used ones,
    from before a code is sent, as the answer may be lost. Raises CodeRefusedError after three wrong codes, and what the
    source or the attempt raises.
    """
    tries_left = codes.tries
    while True:
        code = codes.next_code(mfa_serial)
        if used.contains(mfa_serial, code, now()):
            codes.refused("that code was already used", wait=True)
            continue
        used.remember(mfa_serial, code, now())
        try:
            return attempt(code)
        except CodeRefusedError as error:
            if not _says_used(error):
                used.forget(mfa_serial, code, now())
            tries_left -= 1
            if tries_left <= 0:
                if codes.tries > 1:
                    raise CodeRefusedError(
                        f"STS refused {codes.tries} MFA codes for {mfa_serial}",
                        "check mfa_serial and the clock of the device, then direnv reload",
                    ) from None
                raise
            codes.refused("STS refused that code", wait=_says_used(error))
        except AwsdirenvError as error:
            is_unsent = isinstance(error, NetworkError) and error.is_unsent
            if is_unsent or not isinstance(error, BadAnswerError | NetworkError):
                used.forget(mfa_serial, code, now())
            raise


def _says_used(error: CodeRefusedError) -> bool:
    return _USED.search(error.message) is not None
