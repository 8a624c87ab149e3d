"""Credentials for an SDK in a live directory. Its program waits for us, and may be using the same terminal.

The terminal is touched only for a question. When several processes of ours want credentials at once (an SDK with ten
clients, a Terraform with ten providers), one of them asks the person. The others wait without touching the terminal,
and if that one gets no answer, all of them fail.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.errors import CancelledError, PersonNeededError
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.mfa_codes import Wishes
from awsdirenv.refresh.preflight import refuse_recursion
from awsdirenv.refresh.request import Reporter, Request, loading
from awsdirenv.session_credentials import utc_now
from awsdirenv.system import private_files
from awsdirenv.system.tty import open_in_foreground


def served_beside(
    profile: str, wishes: Wishes, environ: Mapping[str, str], reporter: Reporter, *, as_it_is: bool
) -> Snapshot:
    """Give a profile's snapshot, or with `as_it_is` one of its long-term keys. Raises AwsdirenvError."""
    started = utc_now()
    with loading(Request(profile, wishes=wishes, may_ask=False), environ, reporter) as loader:
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
                with loading(Request(profile, wishes=wishes, is_beside_program=True), environ, reporter) as asking:
                    return asking.load()
            except (CancelledError, PersonNeededError):
                private_files.write_private(unanswered, {"SINCE": str(int(utc_now().timestamp()))})
                raise


def _without_question(loader: Loader) -> Snapshot:
    """Load without asking a person. Raises PersonNeededError where that is needed."""
    fresh = loader.fresh()
    if fresh:
        return fresh
    loader.chain()  # raises for a profile that would wait for its own lock, before the lock is taken
    return loader.load()


def _is_since(mark: Path, started: datetime) -> bool:
    """Tell whether the mark, of a question without an answer, was written after we started."""
    since = (private_files.read_private(mark) or {}).get("SINCE", "")
    return since.isdecimal() and int(since) >= int(started.timestamp())


def _is_in_foreground(environ: Mapping[str, str]) -> bool:
    descriptor = open_in_foreground(environ)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True
