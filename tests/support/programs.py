"""Programs that hang, and what is left of them."""

from __future__ import annotations

import time

from container import proc


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, within a moment; one that nobody has waited for yet has."""
    for _ in range(40):
        try:
            state = (proc() / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


HANGING = "echo $$ >~/pid; sleep 300 & echo $! >~/child; wait"
