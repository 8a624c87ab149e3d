"""What every secret of the tests holds, and where that is found."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from container import proc
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import World

SENTINELS = (SECRET_PREFIX, TOKEN_PREFIX)


def holders(root: Path) -> list[Path]:
    """Give the files below a folder that hold a sentinel."""
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and any(sentinel.encode() in path.read_bytes() for sentinel in SENTINELS)
    ]


@contextmanager
def all_arguments(world: World) -> Iterator[set[bytes]]:
    """Collect the arguments of all processes of a world, for as long as this runs.

    Other tests run meanwhile, and some give secrets to fish and to `aws configure` as arguments.
    """
    seen: set[bytes] = set()
    ended = threading.Event()
    ours = f"HOME={world.home}".encode()
    folder = proc()

    def watch() -> None:
        while not ended.is_set():
            for process in folder.glob("[0-9]*"):
                try:
                    if ours in (process / "environ").read_bytes().split(b"\0"):
                        seen.add((process / "cmdline").read_bytes())
                except OSError:
                    continue
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()
