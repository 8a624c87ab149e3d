"""The user's browser: whether there is a desktop, how to start the browser, and how to give it a secret address.

A browser gets the address as an argument, and every user of the machine can read that. So for a secret address the
browser gets an address on loopback, which works once and redirects to the secret one.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_DESKTOP = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
_TABLE = Path("/proc/net/tcp")  # Linux only: the owner of each end of each connection
_ESTABLISHED = "01"


def is_there(environ: Mapping[str, str]) -> bool:
    """Return whether there is a desktop to open a page on."""
    # On a Mac that the user has reached by SSH, the browser would open on a screen that nobody sees.
    is_mac = sys.platform == "darwin" and not environ.get("SSH_CONNECTION")
    return is_mac or any(environ.get(name) for name in _DESKTOP)


def start(page: str, environ: Mapping[str, str]) -> bool:
    """Start a browser. Return whether that worked; its window may still fail. All users can see the address."""
    with contextlib.suppress(OSError):
        # A browser may block, and may print: it gets its own process and session. Without TERM, `webbrowser` does not
        # try browsers that need a terminal.
        subprocess.Popen(
            [sys.executable, "-I", "-m", "webbrowser", "-t", page],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in environ.items() if name != "TERM"},
            start_new_session=True,
        )
        return True
    return False


def hand_over(address: str, start: Callable[[str], bool], seconds: float) -> bool:
    """Start a browser on a page that redirects to `address`. Return whether it has opened the page within `seconds`.

    `start` starts a browser on a page and returns whether that worked. Raises OSError without a loopback.
    """
    # A browser may open more connections than it uses, and send nothing on them: each has its own thread.
    with _Server(address) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            return start(server.page) and server.has_come.wait(seconds)
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.address = address
        self.path = f"/{secrets.token_urlsafe(24)}"
        self.has_come = threading.Event()
        self._is_first = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # Replaces HTTPServer's method, whose reverse lookup may wait for a name server.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    @property
    def page(self) -> str:
        """The address that works once."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def take(self, path: str, client: tuple[str, int]) -> str | None:
        """Return the secret address for the first request of the page by the user, and None for any other request."""
        is_theirs = secrets.compare_digest(path.encode(), self.path.encode()) and _is_ours(client)
        return self.address if is_theirs and self._is_first.acquire(blocking=False) else None

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Print nothing: a browser may close a connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5  # seconds

    def do_GET(self) -> None:
        """Redirect the browser."""
        address = self.server.take(self.path, self.client_address)
        self.send_response(303 if address else 404)
        if address:
            self.send_header("Location", address)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        if address:
            self.wfile.flush()
            self.server.has_come.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Print nothing."""


def _is_ours(client: tuple[str, int]) -> bool:
    """Return whether a connection is the user's own. Another user of the machine can read the page's address, too.

    root's connections count as ours, because relays from outside (WSL, containers) run as root. Without the table of
    connections, all count as ours.
    """
    host, port = client
    end = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
    try:
        table = _TABLE.read_text(encoding="ascii")
    except (OSError, ValueError):
        return True
    owners = re.findall(rf"^ *\d+: {end} \S+ {_ESTABLISHED} \S+ \S+ \S+ +(\d+) ", table, re.MULTILINE)
    return all(int(owner) in (0, os.geteuid()) for owner in owners)
