"""The person behind a load: what they want of it, and how they come to give a code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from awsdirenv.refresh.mfa_codes import CodeSource, Given, Process, Prompt, nobody_there, not_now


@dataclass(frozen=True)
class Human:
    """A person who is there: how to ask them for a line within some seconds, and how to tell them something."""

    ask: Callable[[str, float], str]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """How a command or a directory wants its credentials, other than by default."""

    token_code: str | None = None
    force: bool = False
    duration: int | None = None  # seconds
    min_life: timedelta | None = None  # renewed if less is left
    insist: bool = False  # on `min_life`: less is a failure, although it would do for now
    sign_in: bool = False  # where that is due, and not only if the settings say so
    open_browser: bool = True


@dataclass(frozen=True)
class WantedCode:
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
