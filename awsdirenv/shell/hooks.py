"""The line in a shell's start-up file that tells direnv the time and a prompt the place: for bash, zsh and fish.

direnv looks only at files. Once credentials are due the hook makes direnv's list of watched files stale, so that it
looks again, in zsh and fish also before a command that was typed after the person had sat still. A script is a file to
source: opening a shell starts no Python.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.system.files import read_text
from awsdirenv.system.paths import data_folder
from awsdirenv.system.text import command_line, fish_quote, sh_quote

TYPE_CHECKING = False  # `awsdirenv hook` installs nothing
if TYPE_CHECKING:
    from awsdirenv.shell.extension import InstalledFile

SHELLS = ("bash", "zsh", "fish")
_WORDS = "# awsdirenv's hook for "


def script(shell: str, environ: Mapping[str, str]) -> str:
    """Give the hook of `bash`, `zsh` or `fish`."""
    template = (Path(__file__).parent / "scripts" / "hooks" / f"awsdirenv.{shell}").read_text(encoding="utf-8")
    # fish learns the time from the age of a file: of the installed hook itself, which `setup` gives the time 0.
    epoch = fish_quote(str(installed(shell, environ)))
    completions = sh_quote(str(data_folder(environ) / "zsh"))
    return template.replace("@STALE@", _stale_watches()).replace("@EPOCH@", epoch).replace("@COMPLETIONS@", completions)


def installed(shell: str, environ: Mapping[str, str]) -> Path:
    """Give the place of the hook that `setup` installs."""
    return data_folder(environ) / f"hook.{shell}"


def files(environ: Mapping[str, str]) -> list[InstalledFile]:
    """Give the scripts as `setup` installs them."""
    from awsdirenv.shell.extension import InstalledFile  # noqa: PLC0415

    # As old as the clock: see above.
    return [InstalledFile(installed(shell, environ), script(shell, environ), _WORDS, mtime=0) for shell in SHELLS]


def line_to_add(environ: Mapping[str, str]) -> str | None:
    """Give the line that the start-up file of the person's shell lacks, or None, also where that cannot be told."""
    from awsdirenv.shell.extension import rc_file  # noqa: PLC0415

    shell = Path(environ.get("SHELL", "")).name
    if shell not in SHELLS or f"awsdirenv/hook.{shell}" in (read_text(rc_file(shell, environ)) or ""):
        return None
    return command_line("source", str(installed(shell, environ)))


def _stale_watches() -> str:
    """Give a DIRENV_WATCHES that decodes and is true of no machine: the root folder, changed in the year 1970."""
    watches = json.dumps([{"path": "/", "modtime": 0, "exists": True}], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(watches.encode())).decode()
