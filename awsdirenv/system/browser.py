"""The person's browser: whether there is a desktop for one, and starting it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping

_DESKTOP = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


def is_there(environ: Mapping[str, str]) -> bool:
    """Tell whether there is a desktop to open a page on."""
    # On a Mac that one has come to over the network, it would open on a screen where nobody sits.
    is_mac = sys.platform == "darwin" and not environ.get("SSH_CONNECTION")
    return is_mac or any(environ.get(name) for name in _DESKTOP)


def start(page: str, environ: Mapping[str, str]) -> bool:
    """Start a browser, and say whether. Whether it comes up nobody knows. The page is seen in the list of processes."""
    with contextlib.suppress(OSError):
        # A browser may block, and may talk: it gets a process and a session of its own. Without TERM, `webbrowser`
        # tries none that wants a terminal.
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
