"""A company's own start URL of IAM Identity Center: a page over TLS that redirects to AWS's, or does not."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tls import Authority, TlsFront


class StartPage:
    """Answers each method with a status and a Location, 405 by default; a context manager with its `url`."""

    def __init__(self, authority: Authority) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.url = ""
        self._authority = authority
        self._stack = ExitStack()

    def __enter__(self) -> StartPage:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                page.asked.append(f"{self.command} {self.path}")
                status, location = page.answers.get(self.command, (405, ""))
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

            def do_GET(self) -> None:
                self.do_HEAD()

            def log_message(self, *_: object) -> None:
                pass

        server = self._stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._stack.callback(server.shutdown)
        self.url = self._stack.enter_context(TlsFront(server.server_address[1], self._authority)).url
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
