"""What a `.env` refers to: all that its profile depends on, however often and in whatever order names are assigned."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from awsdirenv.config import dotenv
from awsdirenv.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMES = ["AWS_PROFILE", "X", "Y", "STAGE", "AWS_SECRET_ACCESS_KEY"]
OF_ENVIRONMENT = ["X", "STAGE", "UNSET", "AWS_SECRET_ACCESS_KEY"]


def made(chance: random.Random) -> str:
    """Write a few lines of assignments that refer to each other."""

    def value() -> str:
        parts = [
            chance.choice(["a", "b", "", "${%s}", "${%s}", "${%s:-c}", "$%s"]) for _ in range(chance.randint(1, 2))
        ]
        text = "".join(part % chance.choice([*NAMES, "UNSET"]) if "%s" in part else part for part in parts)
        return chance.choice([text, text, f'"{text}"', f"'{text}'"])

    lines = [
        f"{chance.choice(['', '', 'export '])}{chance.choice(NAMES)}={value()}" for _ in range(chance.randint(1, 6))
    ]
    return "\n".join([*lines, *chance.choice([[], ["X"], [f"AWS_PROFILE={value()}"]])]) + "\n"


def test_a_profile_depends_on_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments with the same values of what it refers to have the same profile, and no secret is in any."""
    chance = random.Random(12)
    path, seen = tmp_path / ".env", {"same": 0, "another": 0, "refused": 0}
    for _ in range(700):
        path.write_text(text := made(chance), encoding="utf-8")
        found = []
        for _ in range(2):
            environ = {name: chance.choice(["p", "q"]) for name in OF_ENVIRONMENT if chance.random() < 0.7}
            for name in OF_ENVIRONMENT:
                monkeypatch.delenv(name, raising=False)
            for name, value in environ.items():
                monkeypatch.setenv(name, "SENTINEL-SECRET" if name == "AWS_SECRET_ACCESS_KEY" else value)
            try:
                profile, variables = dotenv.read_profile(path)
            except ConfigError as error:
                shown = f"{error.message} {error.hint}"
                seen["refused"] += 1
            else:
                shown = profile or ""
                found.append((profile, variables, environ))
            assert "SENTINEL" not in shown, text
        if len(found) == 2:
            (one, variables, before), (other, same, after) = found
            assert variables == same, text
            if all(before.get(name) == after.get(name) for name in variables):
                assert one == other, text
            seen["same" if one == other else "another"] += 1
    assert min(seen.values()) > 20, seen
