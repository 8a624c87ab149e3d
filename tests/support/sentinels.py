"""What every secret of the tests holds, and where that is found."""

from __future__ import annotations

from pathlib import Path

from strict_sts import SECRET_PREFIX, TOKEN_PREFIX

SENTINELS = (SECRET_PREFIX, TOKEN_PREFIX)


def holders(root: Path) -> list[Path]:
    """Give the files below a folder that hold a sentinel."""
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and any(sentinel.encode() in path.read_bytes() for sentinel in SENTINELS)
    ]
