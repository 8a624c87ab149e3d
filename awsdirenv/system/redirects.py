"""Where an OAuth server sends the user's browser with its answer: a page on this machine's loopback (RFC 8252).

The browser starts at a page of ours, which redirects to the server's. So the server's address, which has the `state`,
is neither an argument of a program nor on the screen, and a browser that does not reach our loopback fails at once.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from awsdirenv.records import Record
from awsdirenv.system.loopback import LoopbackHandler, LoopbackServer

PATH = "/oauth/callback"
_MOST_PARAMETERS = 20
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>awsdirenv</title><link rel="icon" href="data:,"></head>
<body><h1>{}</h1><p>{}</p></body></html>
"""
_RECEIVED = ("awsdirenv goes on in your terminal", "You can close this page.")
_DENIED = ("The sign-in was not allowed", "You can close this page. Your terminal says what to do.")
_NOT_OURS = (
    "This answer is not for the sign-in that waits here",
    "If you did not start it yourself, close this page. Your terminal still waits.",
)


class RedirectAnswer(Record, hidden=("code",)):
    """What the browser has brought: a code, or the server's `error` with its description."""

    code: str = ""
    error: str = ""
    description: str = ""


class Redirects:
    """Takes the one answer to a sign-in that has our `state`, and only from this user's own browser."""

    def __init__(self) -> None:
        """Listen. Raises OSError without a loopback."""
        self.state = secrets.token_urlsafe(32)
        self._server = _Server(self.state)

    @property
    def redirect_uri(self) -> str:
        """Where the server must send the browser."""
        return f"{self._server.origin}{PATH}"

    @property
    def page(self) -> str:
        """Where the user's browser starts. It works until the answer has come."""
        return f"{self._server.origin}{self._server.start_path}"

    @contextmanager
    def leading_to(self, address: str) -> Iterator[None]:
        """Redirect the browser from our page to `address`, and take answers, until the end of the block."""
        self._server.address = address
        with self._server, self._server.serving():
            yield

    def wait(self, seconds: float, on_stranger: Callable[[], None]) -> RedirectAnswer | None:
        """Wait for the answer. None if none has come within `seconds`. Calls `on_stranger` once for a wrong `state`."""
        deadline, has_told = time.monotonic() + seconds, False
        while True:
            try:
                answer = self._server.arrived.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return None
            if answer is not None:
                return answer
            if not has_told:
                on_stranger()
                has_told = True

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()


class _Server(LoopbackServer):
    def __init__(self, state: str) -> None:
        self.address = ""
        self.state = state
        self.start_path = f"/{secrets.token_urlsafe(24)}"
        self.arrived: queue.SimpleQueue[RedirectAnswer | None] = queue.SimpleQueue()  # None: with a wrong state
        self.is_first = threading.Lock()
        super().__init__(_Handler)


class _Handler(LoopbackHandler):
    server: _Server

    def get(self) -> None:
        """Send the browser to the sign-in, or take the answer with which it comes back."""
        if secrets.compare_digest(self.path.encode(), self.server.start_path.encode()) and self.is_ours():
            is_open = not self.server.is_first.locked()
            self.answer(303 if is_open else 404, location=self.server.address if is_open else None)
        elif urlsplit(self.path).path == PATH and self.is_ours():
            self._take()
        else:
            self.answer(404)

    def _take(self) -> None:
        values = _parameters(self.path)
        if not secrets.compare_digest(values.get("state", "").encode(), self.server.state.encode()):
            self.answer(400, _PAGE.format(*_NOT_OURS))
            self.server.arrived.put(None)
        elif not (values.get("code") or values.get("error")) or not self.server.is_first.acquire(blocking=False):
            self.answer(400, _PAGE.format(*_NOT_OURS))
        else:
            error = values.get("error", "")
            try:
                self.answer(200, _PAGE.format(*(_DENIED if error else _RECEIVED)))
            finally:  # a browser that does not wait for the page has brought the answer all the same
                answer = RedirectAnswer("" if error else values["code"], error, values.get("error_description", ""))
                self.server.arrived.put(answer)


def _parameters(address: str) -> dict[str, str]:
    """Return the parameters of an address. None of them for one that has a parameter twice, or cannot be read."""
    try:
        values = parse_qs(urlsplit(address).query, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError:
        return {}
    return {name: given[0] for name, given in values.items()} if all(len(one) == 1 for one in values.values()) else {}
