"""The user's browser: whether there is a desktop, how to start the browser, and how to give it a secret address.

A browser gets the address as an argument, and every user of the machine can read that. So for a secret address the
browser gets an address on loopback, which works once and redirects to the secret one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from awsdirenv.system.loopback import LoopbackHandler, LoopbackServer

_DESKTOP = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
# What says that the user's browser is on another machine, or in another network than we are: SSH, a container of an
# editor or of a website, and WSL, where a browser of Windows often cannot reach 127.0.0.1.
_ELSEWHERE = (
    *("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"),
    *("CODESPACES", "REMOTE_CONTAINERS", "DEVCONTAINER", "GITPOD_WORKSPACE_ID", "CLOUD_SHELL"),
    *("WSL_DISTRO_NAME", "WSL_INTEROP"),
)
# Programs that show a page. Python's `webbrowser` tries these, and more.
_OPENERS = (
    *("xdg-open", "gio", "x-www-browser", "sensible-browser"),
    *("firefox", "google-chrome", "chromium", "chromium-browser", "brave-browser", "microsoft-edge"),
)


def is_there(environ: Mapping[str, str]) -> bool:
    """Return whether there is a desktop to open a page on."""
    # On a Mac that the user has reached by SSH, the browser would open on a screen that nobody sees.
    is_mac = sys.platform == "darwin" and not environ.get("SSH_CONNECTION")
    return is_mac or any(environ.get(name) for name in _DESKTOP)


def is_here(environ: Mapping[str, str]) -> bool:
    """Return whether the user's browser is on this very machine, as far as we can see, and so reaches our loopback."""
    is_elsewhere = any(environ.get(name) for name in _ELSEWHERE) or environ.get("AWS_EXECUTION_ENV") == "CloudShell"
    if is_elsewhere or not is_there(environ):
        return False
    chosen = [_program(command) for command in environ.get("BROWSER", "").split(os.pathsep)]
    has_screen = sys.platform == "darwin" or any(environ.get(name) for name in _DESKTOP[1:])
    candidates = [*chosen, *(("open", *_OPENERS) if has_screen else ())]
    return any(name and shutil.which(name, path=environ.get("PATH", "")) for name in candidates)


def _program(command: str) -> str:
    """Return the program of a command in BROWSER."""
    try:
        return next(iter(shlex.split(command)), "")
    except ValueError:  # a quote that is not closed
        return ""


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
    with _Server(address) as server, server.serving():
        return start(server.page) and server.has_come.wait(seconds)


class _Server(LoopbackServer):
    def __init__(self, address: str) -> None:
        self.address = address
        self.path = f"/{secrets.token_urlsafe(24)}"
        self.has_come = threading.Event()
        self.is_first = threading.Lock()
        super().__init__(_Handler)

    @property
    def page(self) -> str:
        """The address that works once."""
        return f"{self.origin}{self.path}"


class _Handler(LoopbackHandler):
    server: _Server

    def get(self) -> None:
        """Redirect the first request of the page by the user, and no other."""
        is_theirs = secrets.compare_digest(self.path.encode(), self.server.path.encode()) and self.is_ours()
        if is_theirs and self.server.is_first.acquire(blocking=False):
            self.answer(303, location=self.server.address)
            self.server.has_come.set()
        else:
            self.answer(404)
