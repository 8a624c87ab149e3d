"""Signing in with PKCE: the browser comes back to our loopback, and only with the answer to our own sign-in."""

from __future__ import annotations

import base64
import copy
import errno
import hashlib
import http.client
import json
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.loaders import Loader

from awsdirenv.aws import sso_token
from awsdirenv.aws.botocore_session import boto_session
from awsdirenv.aws.sso_login import SignIn
from awsdirenv.aws.sso_oidc import Oidc, Pkce
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.chain import SsoSession
from awsdirenv.errors import AwsdirenvError, BadAnswerError, ConfigError, NetworkError, SignInFailedError
from awsdirenv.system import browser
from awsdirenv.system.loopback import LoopbackServer
from awsdirenv.system.redirects import RedirectAnswer
from start_page import StartPage
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX, StrictSts
from tls import Authority

SECTION = "[sso-session corp]"
COMMAND = "awsdirenv login --device-code dev"
PORTAL = "https://ssoins-0123456789abcdef.portal.eu-west-1.app.aws"
Got = tuple[int, str, dict[str, str]]  # status, body and headers of an answer


def get(address: str, method: str = "GET") -> Got:
    """Ask for one page, and follow no redirect."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, address.removeprefix(f"http://{parts.netloc}"))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): text for name, text in answer.getheaders()}
    finally:
        connection.close()


class Visitor:
    """A user at a terminal who goes where they are told, with a browser of the test's own."""

    def __init__(self, sts: StrictSts, root: Path) -> None:
        self.sts, self.said = sts, list[str]()
        self.environ = {"HOME": str(root), "AWS_CONFIG_FILE": str(root / "none"), "AWS_ENDPOINT_URL": sts.url}
        self.environ |= {"BROWSER": "sh", "PATH": "/usr/bin:/bin"}
        self.session = SsoSession("corp", sts.sso.start_url, sts.sso.region)
        self.pages, self.got, self.pauses = list[str](), list[Got](), list[float]()
        self.does: Callable[[str], None] = self.allow
        self._threads: list[threading.Thread] = []
        self._faults: list[BaseException] = []

    def say(self, line: str) -> None:
        """Read a line, and go to the page in it."""
        self.said.append(line)
        page = re.fullmatch(r"awsdirenv:   (http://127\.0\.0\.1:\S+)", line)
        if page and "/device?" not in line:
            self.pages.append(page[1])
            self._threads.append(threading.Thread(target=self._go, args=(page[1],)))
            self._threads[-1].start()

    def _go(self, page: str) -> None:
        try:
            self.does(page)
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self._faults.append(error)
            # Nobody comes back any more, so end the wait, as Ctrl-C does.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def signing(self, session: SsoSession | None = None, **options: Any) -> SignIn:
        """Give what signs in."""
        session = session or self.session
        oidc = Oidc(session, SECTION, boto_session(load_files(self.environ), "default"), timeout=10)
        options = {"open_browser": False, "device_command": COMMAND, "sleep": self.pauses.append, **options}
        return SignIn(session, oidc, self.environ, self.say, **options)

    def sign_in(self, session: SsoSession | None = None, **options: Any) -> dict[str, str]:
        """Sign in, and give what the token file says."""
        try:
            try:
                self.signing(session, **options).run()
            finally:
                for thread in self._threads:
                    thread.join()
        except KeyboardInterrupt:
            assert self._faults
        for fault in self._faults:
            raise fault
        path = sso_token.path(session or self.session, self.environ)
        written: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return written

    def refused(self, session: SsoSession | None = None, **options: Any) -> AwsdirenvError:
        """Sign in in vain, and give the error; nothing is written, nothing listens, and no secret is said."""
        with pytest.raises(AwsdirenvError) as caught:
            self.sign_in(session, **options)
        assert self._faults == []
        assert list(sso_token.path(self.session, self.environ).parent.iterdir()) == []
        for page in self.pages:
            with pytest.raises(ConnectionRefusedError):
                get(page)
        told = [*self.said, caught.value.message, caught.value.hint]
        assert not any(word in line for word in (SECRET_PREFIX, TOKEN_PREFIX) for line in told)
        return caught.value

    # What a browser does.

    def opens(self, page: str) -> str:
        """Open our page, then the service's, and give where that sends the browser."""
        status, _, headers = get(page)
        assert status == 303
        status, _, headers = get(headers["location"])
        assert status == 302
        return headers["location"]

    def comes(self, address: str, method: str = "GET") -> int:
        """Go to an address, keep what it gave, and give its status."""
        self.got.append(get(address, method))
        return self.got[-1][0]

    def allow(self, page: str) -> None:
        """Do what a browser does for somebody who clicks."""
        self.sts.sso.configure(approve_on_visit=True)
        self.comes(self.opens(page))

    def sent(self, action: str) -> list[dict[str, str]]:
        """Give what was sent to the service."""
        return [call.params for call in self.sts.calls if call.action == action]


@pytest.fixture
def visitor(sts: StrictSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Have a user with a browser on this machine."""
    visitor = Visitor(sts, tmp_path)
    for name in ("HOME", "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, visitor.environ[name])
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return visitor


def test_it_works(visitor: Visitor) -> None:
    """The client, the page and the tokens are asked for as the AWS CLI asks; the proof is the page's challenge."""
    written = visitor.sign_in()
    (page,) = visitor.pages
    assert visitor.said == [
        "awsdirenv: to sign in to corp: open this page in a browser on this machine",
        f"awsdirenv:   {page}",
        f"awsdirenv: with a browser elsewhere: Ctrl-C, then {COMMAND}",
        "awsdirenv: waiting for up to 10m; Ctrl-C cancels",
        "awsdirenv: signed in to corp",
    ]
    (client,), (authorized,), (created,) = map(visitor.sent, ("RegisterClient", "Authorize", "CreateToken"))
    assert client == {
        "clientName": "awsdirenv",
        "clientType": "public",
        "scopes": '["sso:account:access"]',
        "grantTypes": '["authorization_code", "refresh_token"]',
        "redirectUris": '["http://127.0.0.1/oauth/callback"]',
        "issuerUrl": visitor.sts.sso.start_url,
    }
    origin = "http://127.0.0.1:" + str(urlsplit(page).port)
    proof = hashlib.sha256(created["codeVerifier"].encode()).digest()
    assert {**authorized, "state": "", "client_id": ""} == {
        "response_type": "code",
        "client_id": "",
        "redirect_uri": f"{origin}/oauth/callback",
        "state": "",
        "code_challenge_method": "S256",
        "scopes": "sso:account:access",
        "code_challenge": base64.urlsafe_b64encode(proof).decode().rstrip("="),
    }
    assert (created["grantType"], created["redirectUri"]) == ("authorization_code", f"{origin}/oauth/callback")
    names = {"startUrl", "region", "accessToken", "expiresAt", "clientId", "clientSecret", "registrationExpiresAt"}
    assert written.keys() == {*names, "refreshToken"}
    assert written["refreshToken"] in visitor.sts.sso.refresh_tokens
    assert visitor.sts.count("StartDeviceAuthorization") == 0


def test_no_secret_twice(visitor: Visitor) -> None:
    """Address, state and verifier are others each time, and long enough that nobody guesses them."""
    for _ in range(2):
        visitor.sign_in()
    states = {asked["state"] for asked in visitor.sent("Authorize")}
    verifiers = {asked["codeVerifier"] for asked in visitor.sent("CreateToken")}
    paths = {urlsplit(page).path for page in visitor.pages}
    assert [len(found) for found in (states, verifiers, paths)] == [2, 2, 2]
    assert all(43 <= len(verifier) <= 128 for verifier in verifiers)
    assert min(len(text) for text in states | paths) >= 32


def test_the_page_that_answers(visitor: Visitor) -> None:
    """The browser's last page says what comes next. Nothing of it is stored, and it has no part of the answer."""
    visitor.sign_in()
    ((status, body, headers),) = visitor.got
    (created,), (authorized,) = visitor.sent("CreateToken"), visitor.sent("Authorize")
    assert status == 200
    assert "awsdirenv goes on in your terminal" in body
    assert not any(text in body + str(headers) for text in (created["code"], authorized["state"]))
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "src=" not in body
    assert re.findall('href="([^"]*)"', body) == ["data:,"]  # so that no browser asks for an icon


FORGED: list[Callable[[str, str], str]] = [
    lambda address, _: address.replace("state=", "state=x"),
    lambda address, _: re.sub("&state=[^&]*", "", address),
    lambda address, _: address + "&state=" + parse_qs(urlsplit(address).query)["state"][0],
    lambda address, _: address + "&code=another",
    lambda address, _: re.sub("code=[^&]*&", "", address),
    lambda address, _: address + "".join(f"&x{number}=1" for number in range(30)),
    lambda address, _: address + "&x=%ff",
    lambda address, _: re.sub(r"\?.*", "", address),
    lambda address, _: re.sub(r"\?.*", "?error=access_denied", address),
    lambda address, _: address.replace("/oauth/callback", "/oauth/callback/"),
    lambda address, _: address.replace("/oauth/callback", "/"),
    lambda address, _: re.sub(r"/oauth/callback.*", "/favicon.ico", address),
    lambda _, page: page + "x",
    lambda _, page: page[:-1],
]


@pytest.mark.parametrize("number", range(len(FORGED)))
def test_what_is_not_our_answer(visitor: Visitor, number: int) -> None:
    """Another state, doubled or missing parameters, other pages: refused, and the right answer still counts."""

    def visit(page: str) -> None:
        visitor.sts.sso.configure(approve_on_visit=True)
        address = visitor.opens(page)
        forged = FORGED[number](address, page)
        assert forged not in (address, page)
        assert visitor.comes(forged) in (400, 404)
        assert visitor.comes(forged) in (400, 404)
        assert visitor.comes(address) == 200

    visitor.does = visit
    assert visitor.sign_in()["accessToken"]
    (created,) = visitor.sent("CreateToken")
    assert "another" not in created["code"]
    strangers = [line for line in visitor.said if "another sign-in; still waiting" in line]
    assert len(strangers) == (number in {0, 1, 2, 3, 5, 6, 7, 8})  # said once, however often it comes


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
def test_other_methods(visitor: Visitor, method: str) -> None:
    """Only a browser that opens the address brings the answer: a scanner that looks at it first does not use it up."""

    def visit(page: str) -> None:
        visitor.sts.sso.configure(approve_on_visit=True)
        address = visitor.opens(page)
        assert visitor.comes(address, method) == 501
        assert visitor.comes(address) == 200

    visitor.does = visit
    assert visitor.sign_in()["accessToken"]


def test_opened_twice(visitor: Visitor) -> None:
    """A page that was closed is opened again, in the same browser or in another; the first answer counts, once."""

    def visit(page: str) -> None:
        visitor.sts.sso.configure(approve_on_visit=True)
        first, second = visitor.opens(page), visitor.opens(page)
        started = threading.Barrier(2)

        def come(address: str) -> None:
            started.wait()
            try:
                visitor.comes(address)
            except OSError:  # the server has its answer, and is gone
                visitor.got.append((0, "", {}))

        racers = [threading.Thread(target=come, args=(address,)) for address in (first, second)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()

    visitor.does = visit
    assert visitor.sign_in()["accessToken"]
    assert [status for status, _, _ in visitor.got].count(200) == 1
    assert visitor.sts.count("CreateToken") == 1


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            "access_denied",
            "the sign-in to corp was denied",
            "try again and allow it in the browser, or ask who denied it",
        ),
        (
            "server_error",
            "the sign-in to corp was refused: No (server_error)",
            f"check sso_start_url, sso_region and sso_registration_scopes in {SECTION}",
        ),
    ],
)
def test_the_page_says_no(visitor: Visitor, error: str, message: str, hint: str) -> None:
    """What the service sends back in the place of a code is the error, and the browser is told to look here."""
    visitor.sts.sso.configure(page_error=error)
    visitor.does = lambda page: void(visitor.comes(visitor.opens(page)))
    refused = visitor.refused()
    assert isinstance(refused, SignInFailedError)
    assert (refused.message, refused.hint) == (message, hint)
    assert "The sign-in was not allowed" in visitor.got[0][1]
    assert visitor.sts.count("CreateToken") == 0


def void(_: object) -> None:
    """Give nothing."""


def test_nobody_comes_back(visitor: Visitor) -> None:
    """The wait has an end; the hint is the way for a browser elsewhere."""
    visitor.does = void
    error = visitor.refused(redirect_within=0.1)
    assert isinstance(error, SignInFailedError)
    assert error.message == "no browser has come back from the sign-in to corp"
    assert error.hint == f"try again, or with a browser on another device: {COMMAND}"


def test_strangers_do_not_keep_us(visitor: Visitor) -> None:
    """The wait ends also while others come with wrong answers."""
    ended = threading.Event()

    def visit(page: str) -> None:
        while not ended.is_set():
            try:
                get(f"{urlsplit(page)._replace(path='/oauth/callback').geturl()}?code=x&state=y")
            except OSError:
                return

    visitor.does = visit
    try:
        assert "no browser has come back" in visitor.refused(redirect_within=0.3).message
    finally:
        ended.set()


def test_the_code_has_ended(visitor: Visitor) -> None:
    """A code that came too late is said as that."""
    visitor.sts.sso.configure(code_life=0)
    assert visitor.refused().message == "the sign-in to corp took too long"


def test_the_code_was_used(visitor: Visitor) -> None:
    """A code works once: one that somebody else has used is refused in the service's words."""

    def visit(page: str) -> None:
        visitor.sts.sso.configure(approve_on_visit=True)
        address = visitor.opens(page)
        visitor.sts.sso.codes.clear()
        visitor.comes(address)

    visitor.does = visit
    words = "Invalid authorization code provided (InvalidGrantException)"
    assert visitor.refused().message == f"the sign-in to corp was refused: {words}"


def test_asked_to_wait(visitor: Visitor) -> None:
    """Told to slow down, we wait as for a device code, and no longer than the code may live."""
    visitor.sts.add_fault("CreateToken", "throttle", times=2)
    assert visitor.sign_in()["accessToken"]
    assert visitor.pauses == [5, 5]
    sso_token.path(visitor.session, visitor.environ).unlink()
    visitor.sts.add_fault("CreateToken", "throttle", times=None)
    assert visitor.refused().message == "the sign-in to corp took too long"
    assert visitor.pauses == [5] * 6


@pytest.mark.parametrize("action", ["RegisterClient", "CreateToken"])
@pytest.mark.parametrize(
    ("kind", "expected"), [("drop", NetworkError), ("html", BadAnswerError), ("500", NetworkError)]
)
def test_faults_of_the_network(visitor: Visitor, action: str, kind: str, expected: type[AwsdirenvError]) -> None:
    """A service that fails is the error of that call; nobody is sent to a page if the first one fails."""
    visitor.sts.add_fault(action, kind)
    assert isinstance(visitor.refused(), expected)
    assert len(visitor.pages) == (action == "CreateToken")


@pytest.mark.parametrize("address", ["http://x y", "http://x/\x1b[2J", "file:///etc", ""])
def test_only_a_page_of_the_web(visitor: Visitor, address: str) -> None:
    """Nothing but a page of the web reaches a browser."""
    oidc = visitor.signing().oidc
    client = oidc.register(for_redirect=True)
    oidc._address = address
    with pytest.raises(BadAnswerError):
        oidc.authorization_page(client, "http://127.0.0.1:1/x", "state", Pkce.fresh())


def test_nothing_secret_in_a_repr() -> None:
    """Neither the verifier nor the code is in a repr."""
    pkce = Pkce.fresh()
    assert pkce.verifier not in repr(pkce)
    assert "abc" not in repr(RedirectAnswer(code="abc"))


def test_only_this_machine(visitor: Visitor) -> None:
    """The server listens on 127.0.0.1 only: not on another address of loopback, and not by IPv6."""

    def visit(page: str) -> None:
        port = urlsplit(page).port or 0
        for address in ("127.0.0.2", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family) as probe, pytest.raises(OSError, match=r"refused|assign|unreachable"):
                probe.connect((address, port))
        visitor.allow(page)

    visitor.does = visit
    assert visitor.sign_in()["accessToken"]


# Where a device code is used


REDIRECT_NAMES = ["grantTypes", "issuerUrl", "redirectUris"]
HERE = {"BROWSER": "sh", "PATH": "/usr/bin:/bin"}
REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "CODESPACES", "REMOTE_CONTAINERS", "GITPOD_WORKSPACE_ID")


@pytest.mark.parametrize(
    ("platform", "environ", "is_here"),
    [
        ("linux", {}, True),
        ("linux", {"BROWSER": ""}, False),
        ("linux", {"BROWSER": "/nowhere/browser"}, False),
        ("linux", {"BROWSER": "/nowhere/browser:sh"}, True),
        ("linux", {"BROWSER": "sh -c %s"}, True),
        ("linux", {"BROWSER": "'"}, False),
        ("linux", {"BROWSER": "", "DISPLAY": ":0", "PATH": "/nowhere"}, False),
        ("linux", {"BROWSER": "", "DISPLAY": ":0", "PATH": "{bin}"}, True),
        ("linux", {"BROWSER": "", "WAYLAND_DISPLAY": "wayland-0", "PATH": "{bin}"}, True),
        ("linux", {"BROWSER": "", "PATH": "{bin}"}, False),
        *(("linux", {name: "x"}, False) for name in (*REMOTE, "WSL_DISTRO_NAME", "CLOUD_SHELL")),
        ("linux", {"AWS_EXECUTION_ENV": "CloudShell"}, False),
        ("darwin", {"BROWSER": "", "PATH": "{bin}"}, True),
        ("darwin", {"BROWSER": "", "PATH": "{bin}", "SSH_TTY": "/dev/ttys1"}, False),
    ],
    ids=str,
)
def test_whether_the_browser_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, environ: dict[str, str], *, is_here: bool
) -> None:
    """A redirect needs a browser that reaches our loopback: a program of this machine, and no sign of another one."""
    for name in ("xdg-open", "open"):
        (tmp_path / name).write_text("", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr("sys.platform", platform)
    assert browser.is_here({**HERE, **{name: text.format(bin=tmp_path) for name, text in environ.items()}}) == is_here


def make_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have botocore's description of the service be that of before May 2024."""
    load = Loader.load_service_model

    def load_older(loader: Any, service_name: str, *rest: Any, **options: Any) -> Any:
        model = copy.deepcopy(load(loader, service_name, *rest, **options))
        if service_name == "sso-oidc" and "shapes" in model:
            for shape, names in {
                "CreateTokenRequest": ["codeVerifier"],
                "RegisterClientRequest": REDIRECT_NAMES,
            }.items():
                for name in names:
                    del model["shapes"][shape]["members"][name]
        return model

    monkeypatch.setattr(Loader, "load_service_model", load_older)


@pytest.mark.parametrize("why", ["legacy profile", "--device-code", "SSH", "no loopback", "older botocore"])
def test_a_device_code_all_the_same(visitor: Visitor, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """A profile without a session, an option, SSH, or a machine without a loopback: a code, as before."""
    visitor.sts.sso.auto_approve_after(0)
    name = None if why == "legacy profile" else "corp"
    if why == "SSH":
        visitor.environ["SSH_CONNECTION"] = "x"
    if why == "older botocore":
        make_older(monkeypatch)
    if why == "no loopback":

        def fail(_: object) -> None:
            raise OSError(errno.EADDRNOTAVAIL, "none")

        monkeypatch.setattr(LoopbackServer, "server_bind", fail)
    session = SsoSession(name, visitor.session.start_url, visitor.session.region)
    visitor.sign_in(session, device_code=why == "--device-code")
    assert visitor.sts.count("StartDeviceAuthorization") == 1
    assert "grantTypes" not in visitor.sent("RegisterClient")[0]
    assert "allow it only if the page shows this code" in visitor.said[2]


def test_a_region_that_cannot_be(visitor: Visitor) -> None:
    """A region that is none is said as what it is."""
    error = visitor.refused(SsoSession("corp", visitor.session.start_url, "not a region"))
    assert isinstance(error, ConfigError)
    assert error.message == "the sign-in to corp: Provided region_name 'not a region' doesn't match a supported format"
    assert (visitor.pages, visitor.sts.calls) == ([], [])


# Start URLs


@pytest.mark.parametrize("end", ["", "/", "#", "#/", "/#/", "/#", "#/saml/custom", "?x=1", "/?x=1#/"])
@pytest.mark.parametrize("way", ["redirect", "device code"])
def test_start_urls_as_they_are_copied(visitor: Visitor, end: str, way: str) -> None:
    """What a browser or a portal adds to a start URL does not reach the service. The file has it as configured."""
    visitor.sts.sso.auto_approve_after(0)
    session = SsoSession("corp", visitor.session.start_url + end, visitor.session.region)
    written = visitor.sign_in(session, device_code=way == "device code")
    sent = (
        visitor.sent("RegisterClient")[0]["issuerUrl"]
        if way == "redirect"
        else visitor.sent("StartDeviceAuthorization")[0]["startUrl"]
    )
    assert sent == visitor.sts.sso.start_url
    assert written["startUrl"] == session.start_url


@pytest.fixture
def company(visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartPage]:
    """Have a company whose start URL is its own, and whose sign-ins are in the region of `visitor`."""
    authority = Authority(tmp_path / "ca")
    with StartPage(authority) as company:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
        visitor.session = SsoSession("corp", f"{company.url}/aws/#/", visitor.session.region)
        visitor.sts.sso.configure(start_url=PORTAL)
        yield company


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("target", [PORTAL, f"{PORTAL}/", f"{PORTAL}:443/", f"{PORTAL}/#/"])
def test_a_company_s_own_url(visitor: Visitor, company: StartPage, status: int, method: str, target: str) -> None:
    """A start URL that redirects to AWS's is used as the latter, as the AWS CLI does; the file has it as configured."""
    company.answers[method] = (status, target)
    written = visitor.sign_in()
    assert visitor.sent("RegisterClient")[0]["issuerUrl"] == PORTAL
    assert written["startUrl"] == visitor.session.start_url
    assert company.asked == ["HEAD /aws", "GET /aws"][: 1 + (method == "GET")]


def test_a_company_s_own_url_for_a_device_code(visitor: Visitor, company: StartPage) -> None:
    """It is the same for a device code."""
    company.answers["HEAD"] = (302, PORTAL)
    visitor.sts.sso.auto_approve_after(0)
    visitor.sign_in(device_code=True)
    assert visitor.sent("StartDeviceAuthorization")[0]["startUrl"] == PORTAL


def test_a_company_s_own_url_of_another_region(visitor: Visitor, company: StartPage) -> None:
    """A URL that leads to another region than the session's is said with both, before anybody is asked."""
    company.answers["HEAD"] = (302, PORTAL.replace("eu-west-1", "eu-central-1"))
    error = visitor.refused()
    assert isinstance(error, ConfigError)
    url = visitor.session.start_url.removesuffix("/#/")
    assert error.message == f"{url} leads to eu-central-1, and sso_region is eu-west-1"
    assert error.hint == f"set sso_region = eu-central-1 in {SECTION}"
    assert (visitor.pages, visitor.sts.calls) == ([], [])


@pytest.mark.parametrize(
    "answer",
    [
        (200, ""),
        (404, ""),
        (302, ""),
        (302, "https://portal.example.com/start"),
        (302, PORTAL.replace("https", "http")),
        (302, "https://app.aws.example.com"),
        (200, PORTAL),
    ],
    ids=str,
)
def test_a_url_that_leads_nowhere(visitor: Visitor, company: StartPage, answer: tuple[int, str]) -> None:
    """Where a URL does not lead to AWS, it is used as it stands, and the service says what it thinks of it."""
    company.answers["HEAD"] = answer
    assert "was refused: Invalid start url provided" in visitor.refused().message
    assert visitor.sent("RegisterClient")[0]["issuerUrl"] == visitor.session.start_url.removesuffix("/#/")


def test_a_company_that_is_away(visitor: Visitor, company: StartPage) -> None:
    """A URL that cannot be asked is an error of the network."""
    visitor.session = SsoSession("corp", "https://localhost:1/aws", visitor.session.region)
    assert isinstance(visitor.refused(), NetworkError)
    assert company.asked == []
