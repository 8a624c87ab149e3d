"""Our hooks for bash, zsh and fish: they make direnv load due credentials again, and print the prompt segment.

direnv looks at files only, and not at the time. When credentials are due, the hook makes direnv's list of watched files
stale, so that direnv evaluates again. In zsh and fish it does this also before a command that was typed after a pause.
A start-up file sources the hook from a file, so that a new shell does not start Python.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.system.files import data_folder, read_text
from awsdirenv.system.text import command_line, fish_quote, sh_quote

TYPE_CHECKING = False  # `awsdirenv hook` installs nothing
if TYPE_CHECKING:
    from awsdirenv.shell.extension import InstalledFile

SHELLS = ("bash", "zsh", "fish")
_WORDS = "# awsdirenv's hook for "


def script(shell: str, environ: Mapping[str, str]) -> str:
    """Return the hook of `bash`, `zsh` or `fish`."""
    template = (Path(__file__).parent / "scripts" / "hooks" / f"awsdirenv.{shell}").read_text(encoding="utf-8")
    # fish gets the time from the age of a file. That file is the installed hook, which `setup` gives the mtime 0.
    epoch = fish_quote(str(installed(shell, environ)))
    completions = sh_quote(str(data_folder(environ) / "zsh"))
    return template.replace("@STALE@", _stale_watches()).replace("@EPOCH@", epoch).replace("@COMPLETIONS@", completions)


def installed(shell: str, environ: Mapping[str, str]) -> Path:
    """Return the place of the hook that `setup` installs."""
    return data_folder(environ) / f"hook.{shell}"


def files(environ: Mapping[str, str]) -> list[InstalledFile]:
    """Return the hooks as `setup` installs them."""
    from awsdirenv.shell.extension import InstalledFile  # noqa: PLC0415

    # The mtime 0 is for fish; see `script`.
    return [InstalledFile(installed(shell, environ), script(shell, environ), _WORDS, mtime=0) for shell in SHELLS]


def line_to_add(environ: Mapping[str, str]) -> str | None:
    """Return the line to add to the user's start-up file. None: it is there, or the file is unknown."""
    from awsdirenv.shell.extension import rc_file  # noqa: PLC0415

    shell = Path(environ.get("SHELL", "")).name
    if shell not in SHELLS or f"awsdirenv/hook.{shell}" in (read_text(rc_file(shell, environ)) or ""):
        return None
    return command_line("source", str(installed(shell, environ)))


def _stale_watches() -> str:
    """Return a valid DIRENV_WATCHES that is wrong on every machine: it says that the root folder is from 1970."""
    watches = json.dumps([{"path": "/", "modtime": 0, "exists": True}], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(watches.encode())).decode()
