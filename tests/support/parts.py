"""The extension's parts, for tests that run their functions alone, without direnv."""

from __future__ import annotations

import shlex

from awsdirenv.shell.extension import stat_program
from awsdirenv.system.files import extension_source
from awsdirenv.system.stamps import OPTIONS


def reading(*parts: str) -> str:
    """Return commands for bash that read parts and run no step."""
    _, option, text, _ = OPTIONS
    values = {
        "installed": str(extension_source().parent),
        "parts": "",
        "step": "",
        "stat_program": stat_program() or "",
        "stat_option": option,
        "stat_format": text,
    }
    words = [f"_ad_{name}={shlex.quote(value)}" for name, value in values.items()]
    files = (extension_source().with_name(f"{part}.sh") for part in ("aws_profile", "enter", *parts))
    return "\n".join((*words, *(f"source {shlex.quote(str(file))}" for file in files), ""))
