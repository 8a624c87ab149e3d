"""Nobody looks at a still terminal: what takes longer than a second says what it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SILENTLY = 1.0  # seconds


@contextmanager
def patience(tell: Callable[[str], None], what: str) -> Iterator[None]:
    """Tell, once and from another thread, what is waited for, if that takes longer than a second."""
    timer = threading.Timer(_SILENTLY, tell, (what,))
    timer.daemon = True  # who leaves before is not held back
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
