"""`awsdirenv console`: whom AWS lets in, where the link leads, for how long, and who gets to see it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from awsdirenv.system import browser
from console import console, granted, link
from sentinels import all_arguments
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import REGION, World, wait_for

BROWSER = """#!{python}
import os, sys, time, urllib.request
while not os.path.exists("{log}.seen"):  # until somebody has seen our arguments
    time.sleep(0.01)
open("{log}", "a").write(" ".join(sys.argv[1:]) + "\\n")
class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        # Not the console itself, which is in the internet.
        return super().redirect_request(req, fp, code, msg, headers, newurl) if "/federation" in newurl else None
try:
    urllib.request.build_opener(Stop).open(sys.argv[1]).read()
except urllib.error.HTTPError as error:
    open("{log}", "a").write(f"{{error.code}} {{error.headers.get('Location')}}\\n")
"""


@pytest.fixture
def world(world: World) -> World:
    """Have the sign-in of AWS on this machine."""
    world.env["AWSDIRENV_SIGNIN_ENDPOINT"] = world.sts.url
    return world


def test_the_directory_s_profile(world: World) -> None:
    """Without a PROFILE it is the directory's, whose credentials are used as they are."""
    world.role("adminrole", mfa=False)
    changes, _ = world.enter(world.project("adminrole"))
    inside = {name: value for name, value in changes.items() if value is not None}
    link(world, **inside)
    assert granted(world) == ("adminrole", None)
    assert world.sts.count("AssumeRole") == 1


@pytest.fixture
def visits(world: World) -> Path:
    """Put a browser into the environment; give its log."""
    log = world.root / "visited"
    log.touch()
    log.with_name("visited.seen").touch()
    world.env["BROWSER"] = str(world.program("browser", BROWSER.format(python=sys.executable, log=log)))
    return log


def test_a_browser_opens(world: World, visits: Path) -> None:
    """The browser is signed in, stdout has nothing, and no process ever had the link or a secret as an argument."""
    world.role("adminrole", mfa=False)
    mark = visits.with_name("visited.seen")
    mark.unlink()

    def mark_when_seen() -> None:
        wait_for(lambda: any(b"http://127.0.0.1:" in one for one in tuple(seen)))
        mark.touch()

    with all_arguments(world) as seen:
        waiting = threading.Thread(target=mark_when_seen)
        waiting.start()
        done = world.process("awsdirenv", "console", "adminrole", "--service", "s3")
        waiting.join()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "awsdirenv: opening your browser; waiting for it up to 30s",
        "awsdirenv: console of adminrole: account 123456789012, role adminrole, for 1h00m",
    ]
    wait_for(lambda: len(visits.read_text().splitlines()) == 2)
    page, came_to = visits.read_text().splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\S{32}", page)
    assert came_to == f"302 https://{REGION}.console.aws.amazon.com/s3/home?region={REGION}"
    assert world.sts.federation.visits == [came_to.split()[1]]
    assert any(page.encode() in arguments for arguments in seen)
    secrets = (SECRET_PREFIX.encode(), TOKEN_PREFIX.encode(), b"SigninToken")
    assert not any(secret in arguments for arguments in seen for secret in secrets)


def test_no_desktop(world: World) -> None:
    """Without a desktop nothing is loaded; the hint names the way."""
    world.role("adminrole", mfa=False)
    done = world.process("awsdirenv", "console", "adminrole")
    assert done.returncode == 1
    assert done.stderr == (
        "awsdirenv: error: there is no desktop to open a browser on\n"
        "awsdirenv: hint: awsdirenv console --print adminrole\n"
    )
    assert world.sts.count("*") == 0


def test_a_browser_that_does_not_come(world: World) -> None:
    """Who waits for a browser in vain is told so."""
    world.role("adminrole", mfa=False)
    program = (
        "import os, awsdirenv.cli.commands.console as console; from awsdirenv.cli.main import run; "
        "console._BROWSER_COMES_WITHIN = 0.5; os._exit(run(['console', 'adminrole']))"
    )
    done = world.run(sys.executable, "-c", program, BROWSER="/nowhere/browser")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "awsdirenv: error: no browser came for the link within 0.5s",
        "awsdirenv: hint: awsdirenv console --print adminrole",
    ]


@pytest.mark.needs("/proc")
@pytest.mark.needs("root")
def test_another_user_is_not_sent_on() -> None:
    """Another user of the machine, who has read the page's address in the list of processes, gets nothing."""
    said: list[str] = []

    def start(page: str) -> bool:
        parts = urlsplit(page)
        talk = f"exec 3<>/dev/tcp/127.0.0.1/{parts.port}; printf 'GET {parts.path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        for user in (12345, 0):
            done = subprocess.run(["bash", "-c", talk], user=user, cwd="/", capture_output=True, text=True, check=False)
            said.append(done.stdout)
        return True

    assert browser.hand_over("https://secret", start, 1)
    assert [answer.split()[1] for answer in said] == ["404", "303"]
    assert "secret" not in said[0]


def test_no_secret_shows(world: World) -> None:
    """Errors show no secret, and the link's token is only on stdout."""
    world.role("adminrole", mfa=False)
    done = console(world, "adminrole")
    assert TOKEN_PREFIX in done.stdout
    assert SECRET_PREFIX not in done.stdout
    assert TOKEN_PREFIX not in done.stderr
    for kind in ("garbage", "truncated", "html", "500"):
        world.sts.add_fault("getSigninToken", kind, times=None)
        done = console(world, "adminrole", PYTHONDEVMODE="1")
        assert done.returncode == 1
        assert not any(sentinel in done.stdout + done.stderr for sentinel in (SECRET_PREFIX, TOKEN_PREFIX))
        world.sts.reset(faults=True)
