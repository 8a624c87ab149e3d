"""Where an MFA code comes from, and how often: given, printed by a command, or typed by the person who is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from awsdirenv.cache.sessions import UsedCodes
from awsdirenv.errors import AwsdirenvError, CodeProcessError, CodeRefusedError, PersonNeededError
from awsdirenv.records import Record
from awsdirenv.system import subprocesses
from awsdirenv.system.clocks import patience
from awsdirenv.system.text import login_command

_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_USED = re.compile(r"\b(already|previously) (been )?used\b", re.IGNORECASE)
_TRIES = 3
_STEP = 30  # seconds in which a device shows one code (RFC 6238, and every AWS device)
_PROCESS_TIMEOUT = 60  # seconds
# Not the command itself: people put seeds into it.
_PROCESS_HINT = "try by hand what AWSDIRENV_MFA_PROCESS or mfa_process says"

T = TypeVar("T")


class Human(Record):
    """A person who is there: how to ask them for a line within some seconds, and how to tell them something."""

    ask: Callable[[str, float], str]
    say: Callable[[str], None]


class CodeSource(Protocol):
    """Something that gives codes. `tries` is how many wrong ones may be followed by another."""

    tries: int
    silent: bool  # asks nobody

    def next_code(self, mfa_serial: str) -> str:
        """Give six digits, or raise an AwsdirenvError."""

    def refused(self, reason: str, *, wait: bool) -> None:
        """Hear that the last code will not do; `wait` says that the next step's will."""


class Prompt:
    """Codes typed by a person. Each question has its own time limit, in seconds."""

    tries = _TRIES
    silent = False

    def __init__(self, ask: Callable[[str, float], str], say: Callable[[str], None], timeout: float) -> None:
        """Take how to ask, how to say, and how long to wait for an answer."""
        self._ask = ask
        self._say = say
        self._timeout = timeout

    def next_code(self, mfa_serial: str) -> str:
        """Ask until the answer has the shape of a code."""
        while True:
            answer = self._ask(f"Enter MFA code for {mfa_serial}: ", self._timeout).strip()
            if is_code(answer):
                return answer
            self._say("awsdirenv: an MFA code is six digits")

    def refused(self, reason: str, *, wait: bool) -> None:
        """Tell the person; they know best when to type the next one."""
        self._say(f"awsdirenv: {reason}" + (", the next one comes within 30 s" if wait else ""))


class Process:
    """Codes printed by a command of the person's own (AWSDIRENV_MFA_PROCESS, or `mfa_process` as in aws-vault)."""

    tries = 1
    silent = True

    def __init__(
        self,
        command: str,
        sleep: Callable[[float], None] = time.sleep,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the command line, for sh, how to sleep, and whom to tell of what takes longer than a second."""
        self._command = command
        self._waiting = waiting
        self._sleep = sleep
        self._has_waited = False

    def next_code(self, mfa_serial: str) -> str:
        """Run the command; its standard error is the person's to see."""
        what = f"the MFA process for {mfa_serial}"
        hint = _PROCESS_HINT
        try:
            with patience(self._waiting, what):
                done = subprocesses.run(self._command, _PROCESS_TIMEOUT)
        except OSError as error:
            raise CodeProcessError(f"{what} cannot start: {error.strerror}", hint) from None
        except subprocesses.StillRunningError:
            raise CodeProcessError(f"{what} gave nothing within {_PROCESS_TIMEOUT}s", hint) from None
        except subprocesses.TooMuchOutputError:
            raise CodeProcessError(f"{what} did not print six digits", hint) from None
        if done.status != 0:
            raise CodeProcessError(f"{what} failed with status {done.status}", hint)
        code = done.output.decode("ascii", "replace").strip()
        if not is_code(code):
            raise CodeProcessError(f"{what} did not print six digits", hint)
        return code

    def refused(self, reason: str, *, wait: bool) -> None:
        """Wait for the next code where that may help."""
        if not wait or self._has_waited:  # a command that never gives another code would hold everybody up
            raise CodeProcessError(f"the MFA process gave a code that will not do: {reason}", _PROCESS_HINT)
        self._has_waited = True
        with patience(self._waiting, "the next code of the MFA process"):
            self._sleep(_STEP - time.time() % _STEP + 1)


class Given:
    """The one code of `--token-code`."""

    tries = 1
    silent = True

    def __init__(self, code: str) -> None:
        """Take the code; its shape was checked with the command line."""
        self._code = code

    def next_code(self, mfa_serial: str) -> str:  # noqa: ARG002 - whoever gave the code knew the device
        """Give it."""
        return self._code

    def refused(self, reason: str, *, wait: bool) -> None:
        """There is no second one."""
        when = " when the next code shows, within 30 s" if wait else ""
        raise CodeRefusedError(f"{reason}: {self._code}", f"try again{when}")


class Nobody:
    """No code can be had. Says why at once, so that nothing hangs where nobody looks."""

    tries = 1
    silent = True

    def __init__(self, reason: Callable[[str], AwsdirenvError]) -> None:
        """Take what to raise for a device."""
        self._reason = reason

    def next_code(self, mfa_serial: str) -> str:
        """Raise."""
        raise self._reason(mfa_serial)

    def refused(self, reason: str, *, wait: bool) -> None:
        """Never happens: no code was given."""


def is_code(text: str) -> bool:
    """Tell whether this has the shape of an MFA code: six ASCII digits."""
    return _CODE.fullmatch(text) is not None


def nobody_there(profile: str) -> Nobody:
    """Fail at once where there is no human."""
    return Nobody(
        lambda serial: PersonNeededError(
            f"profile {profile} needs an MFA code for {serial}, and nobody is here to type it", login_command(profile)
        )
    )


def not_now(profile: str) -> Nobody:
    """Fail at once where a person is there, but does not expect a question."""
    return Nobody(lambda _: PersonNeededError(f"the session for {profile} has ended", login_command(profile)))


class WantedCode(Record):
    """A code of whose device: the one `given` on the command line, or what `command` prints, or else a question."""

    profile: str
    given: str | None
    command: str | None
    timeout: timedelta


def code_source(
    wanted: WantedCode, human: Human | None, waiting: Callable[[str], None], *, may_ask: bool
) -> CodeSource:
    """Decide who gives the code; `may_ask` says whether the person expects a question now.

    `waiting` is told of a command that takes longer than a second.
    """
    if wanted.given is not None:
        return Given(wanted.given)
    if wanted.command:
        return Process(wanted.command, waiting=waiting)
    if human is None:
        return nobody_there(wanted.profile)
    if not may_ask:
        return not_now(wanted.profile)
    return Prompt(human.ask, human.say, wanted.timeout.total_seconds())


def prove(
    mfa_serial: str, attempt: Callable[[str], T], codes: CodeSource, used: UsedCodes, now: Callable[[], datetime]
) -> T:
    """Get codes until `attempt` takes one. The caller holds the lock of the device.

    A code counts once: AWS refuses the second use with the words for a wrong one, so what was used is remembered here.
    Raises CodeRefusedError after three wrong codes, and whatever the source or the attempt raises.
    """
    left = codes.tries
    while True:
        code = codes.next_code(mfa_serial)
        if used.contains(mfa_serial, code, now()):
            codes.refused("that code was already used", wait=True)
            continue
        try:
            result = attempt(code)
        except CodeRefusedError as error:
            left -= 1
            if left <= 0:
                if codes.tries > 1:
                    raise CodeRefusedError(
                        f"STS refused {codes.tries} MFA codes for {mfa_serial}",
                        "check mfa_serial and the clock of the device, then direnv reload",
                    ) from None
                raise
            codes.refused("STS refused that code", wait=_says_used(error))
            continue
        used.remember(mfa_serial, code, now())
        return result


def _says_used(error: CodeRefusedError) -> bool:
    return _USED.search(error.message) is not None
