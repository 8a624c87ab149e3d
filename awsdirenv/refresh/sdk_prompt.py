"""Credentials for a program in a live directory, which waits for us, has our stderr, and may share its terminal.

The terminal is touched only for a question. Of all that ask for credentials there at once (an SDK for each of ten
clients, a Terraform with ten providers) one asks the person; the others wait without touching the terminal, and give up
with the one that was given no answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.credentials import utc_now
from awsdirenv.errors import CancelledError, PersonNeededError
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.mfa_codes import Wishes
from awsdirenv.refresh.preflight import refuse_recursion
from awsdirenv.refresh.request import Reporter, Request, loading
from awsdirenv.system import private_files
from awsdirenv.system.tty import open_in_foreground


def served_beside(
    profile: str, wishes: Wishes, environ: Mapping[str, str], reporter: Reporter, *, as_it_is: bool
) -> Snapshot:
    """Give a profile's snapshot, or with `as_it_is` its long-term keys. Raises AwsdirenvError."""
    started = utc_now()
    with loading(Request(profile, wishes=wishes, may_ask=False), environ, reporter) as loader:
        refuse_recursion(profile, environ)
        if as_it_is:
            return loader.long_term_keys()
        try:
            return _quietly(loader)
        except PersonNeededError:
            if loader.settings.no_prompt or not _is_in_foreground(environ):
                raise
        with loader.locks.hold("terminal"):
            unanswered = loader.paths.marks / "cancelled-terminal"
            try:
                return _quietly(loader)
            except PersonNeededError:
                if _is_since(unanswered, started):
                    raise
            try:
                with loading(Request(profile, wishes=wishes, is_beside_program=True), environ, reporter) as asking:
                    return asking.load()
            except (CancelledError, PersonNeededError):
                private_files.write_private(unanswered, {"SINCE": str(int(utc_now().timestamp()))})
                raise


def _quietly(loader: Loader) -> Snapshot:
    found = loader.fresh()
    if found:
        return found
    loader.chain()  # what would wait for itself is refused before it holds what it waits for
    return loader.load()


def _is_since(mark: Path, started: datetime) -> bool:
    since = (private_files.read_private(mark) or {}).get("SINCE", "")
    return since.isdecimal() and int(since) >= int(started.timestamp())


def _is_in_foreground(environ: Mapping[str, str]) -> bool:
    descriptor = open_in_foreground(environ)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True
