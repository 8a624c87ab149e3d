"""What `awsdirenv setup` says is to be done next, and a person who does it."""

from __future__ import annotations

import re
from pathlib import Path


def follow_steps(said: str, rc: Path) -> list[str]:
    """Write the lines that `setup` names into a start-up file, in their order; give the steps that are no such line."""
    others = []
    for step in re.findall(r"^    \d\. (.*)$", said, re.MULTILINE):
        place, _, line = step.removeprefix("for completion, ").partition(": ")
        if not place.startswith("add "):
            others.append(step)
            continue
        assert str(rc) in place or place == "add below that"
        before = rc.read_text(encoding="utf-8") if rc.exists() else ""
        is_above = "above the line with awsdirenv" in place
        rc.parent.mkdir(parents=True, exist_ok=True)
        rc.write_text(f"{line}\n{before}" if is_above else f"{before}{line}\n", encoding="utf-8")
    return others
