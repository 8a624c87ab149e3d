"""What programs cost."""

from __future__ import annotations

import resource
from collections.abc import Callable


def quickest(deed: Callable[[], object]) -> float:
    """Give the seconds of processor time that the programs take at least which are run: others use the machine, too."""
    took = []
    for _ in range(3):
        before = processor_time()
        deed()
        took.append(processor_time() - before)
    return min(took)


def processor_time() -> float:
    """Give the seconds that this process, and the programs that it has run, have had of a processor."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
