"""The timers of a world: how many run, and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from container import proc
from world import World

# Credentials live ten seconds: renewed from the fifth on, not used in the last.
LIFE = 10

# Seconds: soon, on a machine that has a lot else to do; a timer that is to end looks after 20 at the latest.
SOON = 30


def timers(world: World) -> list[int]:
    """Give the timers of this world's home."""
    found = []
    for entry in proc().iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"timer" in words and f"HOME={world.home}".encode() in environ:
                found.append(int(entry.name))
    return found


def running(world: World) -> int:
    """Wait for the one timer, until it has left its mark; give its process id."""
    (pid,) = all_running(world, 1)
    return pid


def all_running(world: World, number: int) -> list[int]:
    """Wait for so many timers, each with its mark; while one starts, it is several processes for a moment."""

    def marked() -> list[int]:
        marks = [path.read_text().strip() for path in (world.cache / "timers").iterdir() if path.suffix != ".used"]
        return sorted(int(mark) for mark in marks if mark)

    assert wait_until(lambda: len(marked()) == number and marked() == sorted(timers(world)), SOON)
    return marked()


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for something that is to come; say whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
