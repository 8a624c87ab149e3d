"""Promise 1, wherever a random walk leads: the declared identity or none, never another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from walk import SEED, STEPS, Walk, walk
from walk_shells import WalkError
from world import World


@pytest.mark.needs("/proc")
def test_everybody_is_who_they_should_be(tmp_path: Path) -> None:
    """After each step of a walk, STS knows the shell as the identity that is declared, or as nobody."""
    walked = walk(STEPS, SEED, tmp_path)
    # What it must have met, to have shown anything.
    met = {"open", "live", "closed", "outside", *(name for _, name, _ in walked.kinds())}
    assert met - walked.counts.keys() == set()


def test_a_walk_notices(world: World) -> None:
    """A shell that keeps an identity which is no longer declared ends the walk, with all that it takes to repeat it."""
    walked = Walk(world, SEED)
    walked.kinds = lambda: [(1, "prompt in plain", lambda shell: walked._go(shell, "plain"))]  # type: ignore[method-assign]
    walked.go(3)
    for leads in walked.places.leads:
        leads["plain"] = walked.places.arns["plain"][2]
    with pytest.raises(WalkError) as error:
        walked.go(1)
    said = str(error.value)
    assert "/plain-0 in plain, and should be arn:aws:iam::999999999999:role/plain-2\n" in said
    assert f"\nSEED={SEED} STEPS=1; the last steps:\n1: shell " in said
