"""The clock on the wall, as a person or a time server sets it while programs run: see wall_clock.c."""

from __future__ import annotations

from container import allows, must_have
from warm import wall_clock
from world import World


class Wall:
    """The wall clock of everything that is run in a world; AWS's, and the time since the start, go on as they are."""

    def __init__(self, world: World) -> None:
        must_have("LD_PRELOAD", is_there=allows("LD_PRELOAD"))
        self._file = world.root / "ahead"
        world.env |= {"LD_PRELOAD": wall_clock(), "WALL_CLOCK": str(self._file)}
        self.set(0)

    def set(self, ahead: int) -> None:
        """Set it by so many seconds ahead of the true time."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{ahead}\n")
        draft.replace(self._file)
