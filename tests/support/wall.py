"""The clock on the wall, as a person or a time server sets it while programs run: see wall_clock.c."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from container import allows, must_have
from world import World


@functools.cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """Compile it, once for all worlds of a process."""
    must_have("LD_PRELOAD", is_there=allows("LD_PRELOAD"))
    folder = tempfile.TemporaryDirectory(prefix="awsdirenv-wall-")
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", f"{folder.name}/wall_clock.so", source], check=True)
    return folder


class Wall:
    """The wall clock of everything that is run in a world; AWS's, and the time since the start, go on as they are."""

    def __init__(self, world: World) -> None:
        self._file = world.root / "ahead"
        world.env |= {"LD_PRELOAD": f"{_compiled().name}/wall_clock.so", "WALL_CLOCK": str(self._file)}
        self.set(0)

    def set(self, ahead: int) -> None:
        """Set it by so many seconds ahead of the true time."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{ahead}\n")
        draft.replace(self._file)
