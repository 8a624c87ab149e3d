"""HTTP servers on this machine's loopback for the user's own browser, which live for one page or one answer."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Linux only: the owner of each end of each connection, and what stands there before an address of IPv4. Programs may
# come to 127.0.0.1 from a socket of IPv6.
_TABLES = {"/proc/net/tcp": b"", "/proc/net/tcp6": bytes(10) + b"\xff\xff"}


class LoopbackServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1, on a port that the kernel chooses, from the moment when it is made.

    A browser may open more connections than it uses, and send nothing on them: each has its own thread. Raises OSError
    without a loopback.
    """

    daemon_threads = True

    def __init__(self, handler: type[LoopbackHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's reverse lookup, which may wait for a name server."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    @property
    def origin(self) -> str:
        """The beginning of all addresses of this server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Answer requests until the end of the block."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            self.shutdown()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Print nothing: a browser may close a connection at any time."""


class LoopbackHandler(BaseHTTPRequestHandler):
    """One request. Whatever is answered is stored nowhere, and its address is given to no other site."""

    timeout = 5  # seconds

    def do_GET(self) -> None:
        """Answer the request."""
        self.get()

    def get(self) -> None:
        """Answer a request for `self.path`."""
        raise NotImplementedError

    def answer(self, status: int, page: str = "", location: str | None = None) -> None:
        """Send a page of HTML, or nothing, and with a `location` the browser to there."""
        body = page.encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if body:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", "default-src 'none'; img-src data:; frame-ancestors 'none'")
            self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def is_ours(self) -> bool:
        """Return whether the connection is the user's own. Another user of the machine may know the address, too.

        root's connections count as ours, because relays from outside (WSL, containers) run as root. Without the table
        of connections, all count as ours.
        """
        owners: list[str] = []
        for table, prefix in _TABLES.items():
            ends = " ".join(_end(prefix, address) for address in (self.client_address, self.connection.getsockname()))
            # In any state: whoever has sent all may have closed their half, and still reads the answer.
            line = rf"^ *\d+: {ends}(?: \S+){{4}} +(\d+) "
            with contextlib.suppress(OSError, ValueError):
                owners += re.findall(line, Path(table).read_text(encoding="ascii"), re.MULTILINE)
        return all(int(owner) in (0, os.geteuid()) for owner in owners)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Print nothing."""


def _end(prefix: bytes, address: tuple[str, int]) -> str:
    """Return one end of a connection as the table has it: words of four bytes in the machine's order, and the port."""
    host, port = address
    data = prefix + socket.inet_aton(host)
    words = [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data), 4)]
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"
