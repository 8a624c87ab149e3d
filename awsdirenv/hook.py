"""The line in a shell's start-up file that tells direnv the time and a prompt the place: for bash, zsh and fish.

direnv looks only at files. Once credentials are due the hook makes direnv's list of watched files stale, so that it
looks again, in zsh and fish also before a command that was typed after the person had sat still. A script is a file to
source: opening a shell starts no Python.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from awsdirenv.errors import SetupError
from awsdirenv.export import fish_quote
from awsdirenv.files import replace_file
from awsdirenv.install import rc_file
from awsdirenv.paths import data_folder

SHELLS = ("bash", "zsh", "fish")
_FIRST_WORDS = "# awsdirenv's hook for "


def script(shell: str, environ: Mapping[str, str]) -> str:
    """Give the hook of `bash`, `zsh` or `fish`."""
    template = (Path(__file__).parent / "hooks" / f"awsdirenv.{shell}").read_text(encoding="utf-8")
    # fish learns the time from the age of a file: of the installed hook itself, which `setup` gives the time 0.
    epoch = fish_quote(str(installed(shell, environ)))
    return template.replace("@STALE@", _stale_watches()).replace("@EPOCH@", epoch)


def installed(shell: str, environ: Mapping[str, str]) -> Path:
    """Give the place of the hook that `setup` installs."""
    return data_folder(environ) / f"hook.{shell}"


def install(environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Write the scripts into our data folder. Raises SetupError."""
    for shell in SHELLS:
        target, text = installed(shell, environ), script(shell, environ)
        present = _read(target)
        say(f"  {target} is up to date" if present == text else f"{'+' if present is None else '~'} {target}")
        try:
            if present != text:
                target.parent.mkdir(parents=True, exist_ok=True)
                replace_file(target, text.encode(), 0o644)
            os.utime(target, (0, 0))  # as old as the clock: see above
        except OSError as error:
            raise SetupError(f"cannot write {target}: {error.strerror}", f"make {target.parent} writable") from None


def uninstall(environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Remove the scripts, and nothing else. Raises SetupError."""
    for target in (installed(shell, environ) for shell in SHELLS):
        if not (_read(target) or "").startswith(_FIRST_WORDS):
            continue
        say(f"- {target}")
        try:
            target.unlink()
        except OSError as error:
            raise SetupError(f"cannot remove {target}: {error.strerror}", f"rm {target}") from None


def line_to_add(environ: Mapping[str, str]) -> str | None:
    """Give the line that the start-up file of the person's shell lacks, or None, also where that cannot be told."""
    shell = Path(environ.get("SHELL", "")).name
    if shell not in SHELLS or f"awsdirenv/hook.{shell}" in (_read(rc_file(shell, environ)) or ""):
        return None
    return f"source {shlex.quote(str(installed(shell, environ)))}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _stale_watches() -> str:
    """Give a DIRENV_WATCHES that decodes and is true of no machine: the root folder, changed in the year 1970."""
    watches = json.dumps([{"path": "/", "modtime": 0, "exists": True}], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(watches.encode())).decode()
