"""What programs cost."""

from __future__ import annotations

import resource
from collections.abc import Callable


def takes_at_most(seconds: float, deed: Callable[[], object]) -> bool:
    """Tell whether a deed, and the programs it runs, take so little processor time, at the third attempt at the latest.

    Others use the machine, too.
    """
    for _ in range(3):
        before = _processor_time()
        deed()
        if _processor_time() - before < seconds:
            return True
    return False


def _processor_time() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
