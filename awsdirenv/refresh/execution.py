"""One command with a profile's credentials, in the place of our own process: its signals and its status are its own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.environment import BLOCK
from awsdirenv.errors import CommandNotFoundError, CommandNotRunnableError
from awsdirenv.refresh.export import variables
from awsdirenv.system.commands import command_line


def environment(environ: Mapping[str, str], snapshot: Snapshot, region: str | None) -> dict[str, str]:
    """Give the environment with the profile's block in it, and whatever else would name an identity out of it."""
    kept = {name: value for name, value in environ.items() if name not in BLOCK}
    return {**kept, **variables(snapshot, region)}


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by a command, which has everything of ours but the environment.

    Raises CommandNotFoundError and CommandNotRunnableError, which carry the status that a shell would give.
    """
    name = command[0]
    found = shutil.which(name, mode=os.F_OK, path=environ.get("PATH", os.defpath))
    if not found:
        raise CommandNotFoundError(f"there is no command {name}", "check the name, and PATH")
    # Python ignores SIGPIPE, and what is ignored stays so in the command: `… | head` would end in error messages.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(name, list(command), dict(environ))  # noqa: S606 - that no shell is in between is the point
    except FileNotFoundError:
        raise CommandNotRunnableError(
            f"cannot run {name}: its interpreter is missing", command_line("head -n 1", found)
        ) from None
    except OSError as error:
        raise CommandNotRunnableError(f"cannot run {name}: {error.strerror}", command_line("ls -l", found)) from None
