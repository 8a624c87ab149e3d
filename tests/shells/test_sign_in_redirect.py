"""Signing in with PKCE on real terminals: a browser that is started, and comes back by a real HTTP client."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from browsers import LOADED, browser, not_signed_in, token_file
from container import proc
from sentinels import all_arguments
from shells import SHELLS, Shell, children
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import AT_ONCE, World, told, wait_for

WAITS = "waiting for up to 10m; Ctrl-C cancels"


@pytest.fixture
def corp(world: World) -> World:
    """Have a profile `dev` of the session `corp`, which nobody has signed in to, a project, and a browser."""
    browser(world)
    return not_signed_in(world)


def visited(world: World) -> list[str]:
    """Give the pages that the browser was started with."""
    log = world.root / "visited"
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def page_on(shell: Shell) -> str:
    """Wait for the page that is shown, and give it."""
    return str(re.findall(r"http://127\.0\.0\.1:[0-9]+/\S+", shell.expect(WAITS))[-1])


@pytest.fixture
def idle(corp: World) -> World:
    """Have a browser that is started and never comes back."""
    corp.env["BROWSER"] = str(corp.program("browser", "exit"))
    return corp


@pytest.mark.parametrize("kind", SHELLS)
def test_a_browser_comes_back(corp: World, kind: str) -> None:
    """The page is shown, a browser opens it and comes back, and all is loaded; the terminal is as it was."""
    with Shell(corp, kind) as shell:
        before = shell.modes()
        said = shell.run("awsdirenv login dev")
        assert shell.modes() == before
    (page,) = visited(corp)
    assert f"awsdirenv: {WAITS}" in said
    assert told(said) == [
        "awsdirenv: to sign in to corp: your browser opens this page; if not, open it yourself, on this machine",
        f"awsdirenv:   {page}",
        "awsdirenv: with a browser elsewhere: Ctrl-C, then awsdirenv login --device-code dev",
        "awsdirenv: signed in to corp",
        LOADED,
    ]
    assert "BABBLE" not in said
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/\S{32}", page)


def test_the_aws_cli_shares_the_token(corp: World) -> None:
    """The AWS CLI works with our token and refreshes it by the grant that was registered, and we work with its own."""
    corp.sts.sso.configure(token_life=60)  # botocore refreshes what ends within 15 minutes
    with Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")
    ours = json.loads(token_file(corp).read_text(encoding="utf-8"))
    done = corp.run("aws", "sts", "get-caller-identity", "--profile", "dev")
    assert "AWSReservedSSO_Developer" in done.stdout, done.stderr
    theirs = json.loads(token_file(corp).read_text(encoding="utf-8"))
    assert theirs.keys() == ours.keys()
    assert theirs["refreshToken"] != ours["refreshToken"]
    corp.run("awsdirenv", "clear", "--all").check_returncode()
    assert corp.run("awsdirenv", "login", "dev").stderr.strip() == LOADED
    grants = [call.params["grantType"] for call in corp.sts.calls if call.action == "CreateToken"]
    assert grants[0] == "authorization_code"
    assert set(grants[1:]) == {"refresh_token"}
    assert {call.error_code for call in corp.sts.calls} == {None}


def test_on_entering_by_itself(corp: World) -> None:
    """With AWSDIRENV_SSO_LOGIN=auto entering a directory signs in with the browser."""
    with Shell(corp, "zsh", AWSDIRENV_SSO_LOGIN="auto") as shell:
        said = shell.run(f"cd {corp.root / 'dev'}")
        assert "awsdirenv: signed in to corp" in said
        assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASI")
    assert len(visited(corp)) == 1


@pytest.mark.parametrize("options", ["--device-code", "--device-code --no-browser"])
def test_a_code_where_the_user_wants_it(corp: World, options: str) -> None:
    """--device-code shows a code for a browser on any device."""
    with Shell(corp, "bash") as shell:
        shell.start(f"awsdirenv login {options} dev")
        code = re.findall("[A-Z]{4}-[A-Z]{4}", shell.expect("Ctrl-C cancels"))[-1]
        if "--no-browser" in options:
            corp.sts.sso.approve(code)
        assert LOADED in shell.finish()
    assert corp.sts.count("Authorize") == 0


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY", "REMOTE_CONTAINERS", "CODESPACES", "WSL_DISTRO_NAME"])
def test_a_browser_elsewhere(corp: World, name: str) -> None:
    """Over SSH, in an editor's container and in WSL the browser would not find us, so there is a code."""
    corp.sts.sso.auto_approve_after(0)
    corp.env[name] = "x"
    with Shell(corp, "bash") as shell:
        said = shell.run("awsdirenv login --no-browser dev")
    assert "allow it only if the page shows this code" in said
    assert LOADED in said
    assert corp.sts.count("Authorize") == 0


def test_no_browser_is_wanted(corp: World) -> None:
    """With --no-browser the page is only shown; whoever opens it on this machine signs in."""
    with Shell(corp, "fish") as shell:
        shell.start("awsdirenv login --no-browser dev")
        said = shell.expect(WAITS)
        assert "open this page in a browser on this machine" in said
        page = re.findall(r"http://127\.0\.0\.1:[0-9]+/\S+", said)[-1]
        corp.process(corp.env["BROWSER"], page).check_returncode()
        assert LOADED in shell.finish()
    assert visited(corp) == [page]


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}, {"AWSDIRENV_NO_PROMPT": "1"}, {"AI_AGENT": "x"}], ids=str)
@pytest.mark.parametrize("how", ["login", "entering"])
def test_no_browser_for_nobody(corp: World, environment: dict[str, str], how: str) -> None:
    """Without a user at a terminal, and for an agent, no browser is started, and the service is not troubled."""
    corp.env["AWSDIRENV_SSO_LOGIN"] = "auto"
    if not environment:
        if how == "login":
            assert corp.run("awsdirenv", "login", "dev").returncode == 3
        else:
            corp.enter(corp.root / "dev")
    else:
        corp.env.update(environment)
        with Shell(corp, "bash") as shell:
            said = shell.run("awsdirenv login dev; echo status=$?" if how == "login" else f"cd {corp.root / 'dev'}")
        assert ("status=3" in said) == (how == "login")
    assert visited(corp) == []
    assert corp.sts.count("RegisterClient") == 0


@pytest.mark.parametrize(("kind", "how"), [("bash", "key"), ("zsh", "key"), ("fish", "key"), ("bash", "signal")])
def test_ctrl_c(idle: World, kind: str, how: str) -> None:
    """Ctrl-C ends the wait at once; nothing is written or listens any more, and the next sign-in is as the first."""
    with Shell(idle, kind) as shell:
        before = shell.modes()
        shell.start(f"awsdirenv login dev; echo status={'$status' if kind == 'fish' else '$?'}")
        page = page_on(shell)
        started = time.monotonic()
        if how == "key":
            shell.send("\x03")
        else:
            os.kill(_signer(shell), signal.SIGINT)
        said = shell.expect("status=3")
        assert time.monotonic() - started < AT_ONCE
        shell.finish()
        assert "awsdirenv: error: loading dev was cancelled" in said
        assert shell.modes() == before
        assert idle.process(sys.executable, "-c", _OPEN, page).returncode != 0
        assert list(token_file(idle).parent.iterdir()) == []
        shell.start("awsdirenv login dev")
        idle.process(sys.executable, "-c", _OPEN, page_on(shell)).check_returncode()
        assert LOADED in shell.finish()


_OPEN = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()"


def _signer(shell: Shell) -> int:
    """Find the process that waits for its browser."""
    pids = children(shell.pid)
    return next(pid for pid in pids if b"login" in (proc() / str(pid) / "cmdline").read_bytes())


def test_denied(corp: World) -> None:
    """What the user denies on the page is an error here, at once."""
    corp.sts.sso.configure(page_error="access_denied")
    with Shell(corp, "bash") as shell:
        said = shell.run("awsdirenv login dev; echo status=$?")
    assert "awsdirenv: error: the sign-in to corp was denied, for profile dev" in said
    assert "status=3" in said
    assert corp.sts.count("CreateToken") == 0


def test_many_at_once(idle: World) -> None:
    """Five shells have one sign-in: the others wait, and are told for whom."""
    with ExitStack() as opened:
        shells = [opened.enter_context(Shell(idle, kind)) for kind in ("bash", "zsh", "fish", "bash", "zsh")]
        shells[0].start("awsdirenv login dev")
        page = page_on(shells[0])
        for shell in shells[1:]:
            shell.start("awsdirenv login dev")
        for shell in shells[1:]:
            shell.expect("asking for the sign-in to corp")
        idle.process(sys.executable, "-c", _OPEN, page).check_returncode()
        for shell in shells:
            assert LOADED in shell.finish()
    assert [idle.sts.count(action) for action in ("RegisterClient", "Authorize", "CreateToken")] == [1, 1, 1]


def test_killed_while_waiting(idle: World) -> None:
    """When the one who waits is killed, the next in line has its own page."""
    with Shell(idle, "bash") as first, Shell(idle, "bash") as second:
        first.start("awsdirenv login dev")
        page = page_on(first)
        second.start("awsdirenv login dev")
        second.expect("asking for the sign-in to corp")
        os.kill(_signer(first), signal.SIGKILL)
        other = page_on(second)
        assert other != page
        idle.process(sys.executable, "-c", _OPEN, other).check_returncode()
        assert LOADED in second.finish()
        first.finish()


@pytest.mark.needs("/proc")
@pytest.mark.needs("root")
def test_another_user_of_the_machine(idle: World) -> None:
    """Another user, who knows the page and even the answer, is not taken for ours: they cannot sign us in as them."""
    fetch = "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; head -n 1 <&3"

    def status(address: str, user: int) -> str:
        parts = urlsplit(address)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        command = fetch.format(port=parts.port, path=path.replace("%", "%%"))
        done = subprocess.run(["bash", "-c", command], user=user, cwd="/", capture_output=True, text=True, check=False)
        return done.stdout.split()[1]

    with Shell(idle, "bash") as shell:
        shell.start("awsdirenv login dev")
        page = page_on(shell)
        assert status(page, 12345) == "404"
        assert status(page, 0) == "303"
        idle.sts.sso.configure(approve_on_visit=False)
        idle.process(sys.executable, "-c", _OPEN, page).check_returncode()
        (asked,) = idle.sts.sso.authorizations
        answer = idle.sts.sso.answer_to(asked)
        assert status(answer, 12345) == "404"
        assert idle.sts.count("CreateToken") == 0
        assert status(answer, 0) == "200"
        assert LOADED in shell.finish()


@pytest.mark.needs("/proc")
def test_secrets(corp: World) -> None:
    """No token, secret, code, verifier or state is on the screen, in an argument, or in a file that others may read."""
    with all_arguments(corp) as arguments, Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")
        log = shell.log
    created = next(call.params for call in corp.sts.calls if call.action == "CreateToken")
    (authorized,) = (call.params for call in corp.sts.calls if call.action == "Authorize")
    secrets = {SECRET_PREFIX, TOKEN_PREFIX, created["codeVerifier"], created["code"], authorized["state"]}
    found = b"".join(arguments)
    assert visited(corp)[0].encode() in found
    for secret in secrets:
        assert secret not in log
        assert secret.encode() not in found
    files = [path for path in corp.home.rglob("*") if path.is_file() and path != corp.credentials]
    holders = [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]
    assert token_file(corp) in holders
    assert [path for path in holders if path.stat().st_mode & 0o077] == []


def test_a_region_that_the_url_names(world: World) -> None:
    """Without sso_region a profile works if the start URL names the region; `explain` says from where it is."""
    url = "https://ssoins-0123456789abcdef.portal.eu-west-1.app.aws"
    world.sts.sso.configure(start_url=url)
    with world.config.open("a", encoding="utf-8") as file:
        file.write(f"[sso-session corp]\nsso_start_url = {url}/#/\n")
    world.sso_profile("dev")
    world.sts.sso.auto_approve_after(0)
    with Shell(world, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")
    explained = json.loads(world.run("awsdirenv", "explain", "--json", "dev").stdout)
    values = explained["hops"][0]["values"]
    assert values["sso_region"] == {"value": "eu-west-1", "source": values["sso_start_url"]["source"]}


@pytest.fixture(autouse=True)
def _no_browser_left(world: World) -> Iterator[None]:
    """Wait for the browsers that a test has started: they are in sessions of their own."""
    yield
    program = str(world.root / "programs" / "browser").encode()

    def runs() -> bool:
        for process in proc().glob("[0-9]*"):
            try:
                if program in (process / "cmdline").read_bytes().split(b"\0"):
                    return True
            except OSError:
                continue
        return False

    wait_for(lambda: not runs())
