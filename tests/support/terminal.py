"""A pseudo-terminal that answers as terminals do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pexpect

if TYPE_CHECKING:
    _Spawn = pexpect.spawn[str]
else:
    _Spawn = pexpect.spawn

_QUESTIONS = ("\x1b[c", "\x1b[0c")  # "what are you?": from 4.1 on fish waits ten seconds for the answer
_ANSWER = b"\x1b[?62;22c"  # a VT220 with colours


class Terminal(_Spawn):
    """A program on a terminal that says what it is when it is asked. Use it as `pexpect.spawn`."""

    _tail = ""

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        """Read, and answer a question that is in what was read, be it in two pieces."""
        text: str = super().read_nonblocking(size, timeout)
        seen = self._tail + text
        for _ in range(sum(seen.count(question) for question in _QUESTIONS)):
            os.write(self.child_fd, _ANSWER)
        self._tail = "" if seen.endswith(_QUESTIONS) else seen[-(max(map(len, _QUESTIONS)) - 1) :]
        return text
