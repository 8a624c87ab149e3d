"""Places of the network where nobody answers, and a proxy's password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

PASSWORD = "SENTINEL-SECRET-of-the-proxy"


def closed_port() -> str:
    """Give a URL where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def unanswered() -> Iterator[str]:
    """Give a URL that swallows what is sent to it, as the address of the metadata service does anywhere but on EC2."""
    with ExitStack() as stack:
        # Linux drops whoever comes when the queue is full.
        server = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        port = server.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}/"
