"""Who comes to a page of ours on loopback: the user's own browser, and no other user of the machine."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import pytest

from awsdirenv.system.redirects import Redirects
from files import STRANGER

ADDRESS = "https://example.com/authorize?state=secret"
FAMILIES = {"127.0.0.1": socket.AF_INET, "::ffff:127.0.0.1": socket.AF_INET6}


def visit(host: str, page: str, user: int, *, sends_no_more: bool) -> str:
    """Ask for a page with a socket of another user's; give the answer."""
    address = urlsplit(page)
    with socket.socket(FAMILIES[host]) as visitor:
        os.fchown(visitor.fileno(), user, -1)
        visitor.connect((host, address.port))
        visitor.sendall(f"GET {address.path} HTTP/1.1\r\n".encode())
        if sends_no_more:
            # The last bytes and the end come at once: nobody sees the connection as it was before.
            visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        visitor.sendall(b"\r\n")
        if sends_no_more:
            visitor.shutdown(socket.SHUT_WR)
        with visitor.makefile() as answer:
            return answer.read()


@pytest.mark.needs("root", "/proc")
@pytest.mark.parametrize("host", FAMILIES)
@pytest.mark.parametrize("sends_no_more", [False, True])
def test_another_user(host: str, *, sends_no_more: bool) -> None:
    """Another user may know the page of a sign-in, from the browser's arguments; it leads them nowhere."""
    redirects = Redirects()
    try:
        with redirects.leading_to(ADDRESS):
            for user, is_ours in ((STRANGER, False), (0, True)):
                said = visit(host, redirects.page, user, sends_no_more=sends_no_more)
                assert (ADDRESS in said, " 404 " in said) == (is_ours, not is_ours)
    finally:
        redirects.close()
