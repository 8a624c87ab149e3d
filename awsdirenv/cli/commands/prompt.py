"""Print this directory's profile for a shell's prompt; the hook does it without Python."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from awsdirenv.cli.output import emit
from awsdirenv.system.text import printable

POSITION = 170
GROUP = "for shells and programs"
EXAMPLE = "PS1='$(awsdirenv prompt) \\$ '"
IN_LIVE_FILES = True  # none of AWS's variables counts here
BARE: dict[str, object] = {}


# Characters with a meaning in a prompt or a status line: expansions of bash, zsh and tmux.
_TAKEN = re.compile(r"[$`\\%!#]")


def run(_options: object) -> int:
    """Print the segment for a prompt, or nothing. The shells' hooks print the same without Python."""
    text = segment(os.environ)
    emit(f"{text}\n" if text else "")
    return 0


def segment(environ: Mapping[str, str]) -> str:
    """Return the loaded directory's profile and stage, or that it is closed. Empty if nothing is loaded."""
    profile, declared = environ.get("AWSDIRENV_PROFILE", ""), environ.get("AWSDIRENV_DECLARED", "")
    stage = environ.get("AWSDIRENV_STAGE", "").upper()
    closed = f"({declared}: closed)" if declared else ""
    return printable(_TAKEN.sub("?", f"{profile} {stage}".rstrip() if profile else closed))
