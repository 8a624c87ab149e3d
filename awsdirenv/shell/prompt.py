"""The segment of a prompt: which profile a directory has open. The shells' hooks give the same without Python."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What a prompt, a status line or a terminal would take for its own: expansions of bash, zsh and tmux, escapes.
_TAKEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff$`\\\\%!#]")


def segment(environ: Mapping[str, str]) -> str:
    """Give the profile and the stage of the directory that direnv has loaded, or that it is closed; '' for neither."""
    profile, declared = environ.get("AWSDIRENV_PROFILE", ""), environ.get("AWSDIRENV_DECLARED", "")
    stage = environ.get("AWSDIRENV_STAGE", "").upper()
    closed = f"({declared}: closed)" if declared else ""
    return _TAKEN.sub("?", f"{profile} {stage}".rstrip() if profile else closed)
