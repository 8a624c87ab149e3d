"""Files that `setup` writes for other programs to find: each is named when written, and known again by its words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from awsdirenv.errors import SetupError
from awsdirenv.records import Record
from awsdirenv.system.commands import command_line
from awsdirenv.system.files import read_text, replace_file


class OwnFile(Record):
    """One file; `words` stand in every release of it, and `mtime` is the time it is to have, where that matters."""

    path: Path
    text: str
    words: str
    mtime: int | None = None


def write(file: OwnFile, say: Callable[[str], None]) -> None:
    """Write the file and say so, unless it is as it should be, or somebody else's. Raises SetupError."""
    present = read_text(file.path)
    if present is not None and file.words not in present:
        say(f"  {file.path} is not ours, and stays as it is")
        return
    say(f"  {file.path} is up to date" if present == file.text else f"{'+' if present is None else '~'} {file.path}")
    try:
        if present != file.text:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(Path(os.path.realpath(file.path)), file.text.encode(), 0o644)
        if file.mtime is not None:
            os.utime(file.path, (file.mtime, file.mtime))
    except OSError as error:
        raise SetupError(f"cannot write {file.path}: {error.strerror}", f"make {file.path.parent} writable") from None


def remove(file: OwnFile, say: Callable[[str], None]) -> None:
    """Remove the file if it is ours, and say so. Raises SetupError."""
    if file.words not in (read_text(file.path) or ""):
        return
    say(f"- {file.path}")
    try:
        file.path.unlink()
    except OSError as error:
        raise SetupError(f"cannot remove {file.path}: {error.strerror}", command_line("rm", str(file.path))) from None
