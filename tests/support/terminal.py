"""A pseudo-terminal that answers as terminals do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pexpect

from warm import start_on_terminal

if TYPE_CHECKING:
    _Spawn = pexpect.spawn[str]
else:
    _Spawn = pexpect.spawn

# "What are you?": from 4.1 on fish waits ten seconds for the answer. A VT220 with colours.
# "Where is the cursor?": nushell waits for it.
_ANSWERS = {"\x1b[c": b"\x1b[?62;22c", "\x1b[0c": b"\x1b[?62;22c", "\x1b[6n": b"\x1b[1;1R"}


class Terminal(_Spawn):
    """A program on a terminal that says what it is when it is asked. Use it as `pexpect.spawn`.

    With `is_warm`, our commands can be forked there; see warm.py.
    """

    _tail = ""

    def __init__(self, *args: Any, is_warm: bool = False, **options: Any) -> None:
        self._is_warm = is_warm
        super().__init__(*args, **options)

    def _spawnpty(self, args: list[bytes], **options: Any) -> Any:
        """Start the program; pexpect calls it."""
        if self._is_warm:
            return start_on_terminal(args, options["env"], options["cwd"], options.get("dimensions") or (24, 80))
        return super()._spawnpty(args, **options)  # type: ignore[misc] # its types leave it out

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        """Read, and answer a question that is in what was read, be it in two pieces."""
        text: str = super().read_nonblocking(size, timeout)
        seen = self._tail + text
        for question, answer in _ANSWERS.items():
            for _ in range(seen.count(question)):
                os.write(self.child_fd, answer)
        self._tail = "" if seen.endswith(tuple(_ANSWERS)) else seen[-(max(map(len, _ANSWERS)) - 1) :]
        return text
