"""Promise 1, wherever a random walk leads: the declared identity or none, never another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from walk import Walk, WalkError, walk
from world import World

WALK_SEED, WALK_STEPS = 12, 500
# What every walk of this length must have met, to have shown anything.
MET = {"open", "closed", "asked by a program", "edit", "clear", "kill", "fault", "end", "two at once"}


def test_everybody_is_who_they_should_be(tmp_path: Path) -> None:
    """After each step of a walk, STS knows the shell as the identity that is declared, or as nobody."""
    walked = walk(WALK_STEPS, WALK_SEED, tmp_path)
    assert walked.counts.keys() >= MET


def test_a_walk_notices(world: World) -> None:
    """A shell that keeps an identity which is no longer declared ends the walk, with all that it takes to repeat it."""
    walked = Walk(world, WALK_SEED)
    shell = walked.shells[0]
    walked.leads["plain"] = walked.arns["plain"][1]
    walked._write_config()
    walked._prompt(shell, "plain")
    walked._check(shell)
    walked.leads["plain"] = walked.arns["plain"][0]
    with pytest.raises(WalkError, match=r"is .*/plain-1 in plain, and should be .*/plain-0"):
        walked._check(shell)
