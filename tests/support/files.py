"""Private files as tests make and judge them."""

from __future__ import annotations

import stat
from pathlib import Path

VALUES = {"NAME": "value", "EMPTY": "", "EQUALS": "a=b=", "SPACES": "  x  y ", "ÜMLAUT": "日本", "RAW": "\udcff"}

STRANGER = 12345


def mode(path: Path) -> int:
    """Give the permission bits of the thing itself."""
    return stat.S_IMODE(path.lstat().st_mode)
