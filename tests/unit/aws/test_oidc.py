"""The OIDC service of IAM Identity Center, and waiting for a person: in this process, by a clock of the test's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.aws import sso_token
from awsdirenv.aws.botocore_session import boto_session
from awsdirenv.aws.sso_login import SignIn, sign_in_once
from awsdirenv.aws.sso_oidc import DeviceCode, Oidc, Registration, Tokens
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.chain import SsoSession
from awsdirenv.errors import AwsdirenvError, BadAnswerError, ConfigError, NetworkError, SignInFailedError
from awsdirenv.session_credentials import utc_now
from awsdirenv.system.lock import Locks
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX, StrictSts

SECTION = "[sso-session corp]"
ANSWERS: dict[str, dict[str, Any]] = {
    "register_client": {"clientId": "c", "clientSecret": "s", "clientSecretExpiresAt": 2000000000},
    "start_device_authorization": {
        "deviceCode": "d",
        "userCode": "ABCD-EFGH",
        "verificationUri": "https://device.example/",
        "verificationUriComplete": "https://device.example/?user_code=ABCD-EFGH",
        "expiresIn": 600,
        "interval": 1,
    },
    "create_token": {"accessToken": "a", "expiresIn": 28800, "refreshToken": "r"},
}


class Clock:
    """Time that passes by sleeping only, here and at the service."""

    def __init__(self, sts: StrictSts) -> None:
        self.sts = sts
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return sum(self.pauses)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.sts.configure(clock_offset=sum(self.pauses))


class Person:
    """One home, what is said to the person in it, and their sign-in."""

    def __init__(self, sts: StrictSts, root: Path) -> None:
        self.sts, self.clock, self.said = sts, Clock(sts), list[str]()
        self.environ = {"HOME": str(root), "AWS_CONFIG_FILE": str(root / "none"), "AWS_ENDPOINT_URL": sts.url}
        self.session = SsoSession("corp", sts.sso.start_url, sts.sso.region)

    def sign_in(self, session: SsoSession | None = None, boto: Any = None) -> dict[str, str]:
        """Sign in, and give what the token file says."""
        session = session or self.session
        self.signing(session, boto).run()
        written: dict[str, str] = json.loads(sso_token.path(session, self.environ).read_text(encoding="utf-8"))
        return written

    def signing(self, session: SsoSession | None = None, boto: Any = None) -> SignIn:
        """Give what signs in."""
        session = session or self.session
        oidc = Oidc(session, SECTION, boto or boto_session(load_files(self.environ), "default"), timeout=10)
        return SignIn(
            session, oidc, self.environ, self.said.append, open_browser=True, sleep=self.clock.sleep, clock=self.clock
        )

    def refused(self, session: SsoSession | None = None, boto: Any = None) -> AwsdirenvError:
        """Sign in in vain, and give the error; nothing is written."""
        with pytest.raises(AwsdirenvError) as caught:
            self.sign_in(session, boto)
        folder = sso_token.path(self.session, self.environ).parent
        assert list(folder.iterdir()) == []
        told = [*self.said, caught.value.message, caught.value.hint]
        assert not any(word in line for word in (SECRET_PREFIX, TOKEN_PREFIX) for line in told)
        return caught.value


class Odd:
    """A service that answers anything."""

    def __init__(self, operation: str, **change: Any) -> None:
        self.answers = {**ANSWERS, operation: {**ANSWERS[operation], **change}}

    def create_client(self, *_: object, **__: object) -> Odd:
        self.meta = self.events = self
        return self

    def register(self, *_: object) -> None:
        """Take a listener to events that never happen here."""

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.answers[name]


@pytest.fixture
def person(sts: StrictSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Have a person who is asked to sign in, without a desktop."""
    person = Person(sts, tmp_path)
    for name, value in {**person.environ, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    return person


def test_waiting_for_a_person(person: Person) -> None:
    """We ask at the interval that the service gives, and are never told to slow down."""
    person.sts.sso.configure(interval=7)
    person.sts.sso.auto_approve_after(3)
    person.sign_in()
    assert person.clock.pauses == [7, 7, 7]
    polls = [call.error_code for call in person.sts.calls if call.action == "CreateToken"]
    assert polls == ["AuthorizationPendingException"] * 3 + [None]
    (code,) = {line.rpartition("user_code=")[2] for line in person.said if "user_code=" in line}
    assert person.said == [
        "awsdirenv: to sign in to corp: open this page in a browser, on any device",
        f"awsdirenv:   {person.sts.url}/device?user_code={code}",
        f"awsdirenv: allow it only if the page shows this code: {code}",
        "awsdirenv: waiting for up to 10m; Ctrl-C cancels",
        "awsdirenv: signed in to corp",
    ]


def test_slowing_down(person: Person) -> None:
    """Told to slow down, we ask five seconds later each time, as RFC 8628 has it."""
    person.sts.sso.auto_approve_after(2)
    person.sts.add_fault("CreateToken", "throttle", times=2)
    person.sign_in()
    assert person.clock.pauses == [6, 11, 11, 11]


def test_an_interval_that_is_not_given(person: Person) -> None:
    """Without an interval it is five seconds."""
    person.sts.sso.configure(interval=0)
    person.sts.sso.auto_approve_after(1)
    person.sign_in()
    assert person.clock.pauses == [5]


@pytest.mark.parametrize("scopes", [(), ("sso:account:access",)])
def test_scopes(person: Person, scopes: tuple[str, ...]) -> None:
    """A session asks for the scope that gives a refresh token, whether or not its section names it."""
    person.sts.sso.auto_approve_after(0)
    written = person.sign_in(SsoSession("corp", person.session.start_url, "eu-west-1", None, scopes))
    (call,) = (call for call in person.sts.calls if call.action == "RegisterClient")
    # As the AWS CLI asks for a device code: without grant types.
    sent = {"clientName": "awsdirenv", "clientType": "public", "scopes": '["sso:account:access"]'}
    assert call.params == sent
    assert written["refreshToken"] in person.sts.sso.refresh_tokens


def test_a_legacy_profile(person: Person) -> None:
    """Without an sso-session no scope is asked for, and there is no refresh token, as in the AWS CLI."""
    person.sts.sso.auto_approve_after(0)
    written = person.sign_in(SsoSession(None, person.session.start_url, "eu-west-1"))
    (call,) = (call for call in person.sts.calls if call.action == "RegisterClient")
    assert call.params == {"clientName": "awsdirenv", "clientType": "public"}
    assert "refreshToken" not in written
    assert f"awsdirenv: signed in to {person.session.start_url}" in person.said


def test_no_secret_is_said(person: Person) -> None:
    """Neither tokens nor the client's secret nor the device code are among what is said, or in any repr."""
    person.sts.sso.auto_approve_after(1)
    written = person.sign_in()
    (device_code,) = {call.params["deviceCode"] for call in person.sts.calls if call.action == "CreateToken"}
    client = Registration("id", written["clientSecret"], utc_now())
    device = DeviceCode("https://page/", True, "code", device_code, 1, 1)
    tokens = Tokens(written["accessToken"], utc_now(), written["refreshToken"])
    said = "\n".join([*person.said, repr([client, device, tokens])])
    secrets = [written[name] for name in ("accessToken", "refreshToken", "clientSecret")]
    assert not any(secret in said for secret in [*secrets, device_code])


def test_denied(person: Person) -> None:
    """A person, or an administrator, may say no."""
    person.sts.add_fault("CreateToken", "access-denied")
    error = person.refused()
    assert isinstance(error, SignInFailedError)
    assert error.message == "the sign-in to corp was denied"
    assert error.hint == "try again and allow it in the browser, or ask who denied it"


@pytest.mark.parametrize("interval", [1, 100])
def test_too_late(person: Person, interval: int) -> None:
    """The device code's own life is how long we wait, and the service is not asked for one that is over."""
    person.sts.sso.configure(device_life=30, interval=interval)
    error = person.refused()
    assert isinstance(error, SignInFailedError)
    assert error.message == "the sign-in to corp took too long"
    assert error.hint == "try again, and allow it while it waits"
    assert sum(person.clock.pauses) <= 30


def test_the_code_ends_early(person: Person) -> None:
    """A device code that the service ends before its time is the same."""
    clock, sso = person.clock, person.sts.sso

    def sleep(seconds: float) -> None:
        clock.pauses.append(seconds)
        person.sts.configure(clock_offset=clock() + 600)

    clock.sleep = sleep  # type: ignore[method-assign]
    assert person.refused().message == "the sign-in to corp took too long"
    assert sso.pending() != []
    assert len(clock.pauses) == 1


def test_a_network_that_comes_back(person: Person) -> None:
    """A network that is away while the person signs in is said once, asked less often, and no reason to end."""
    person.sts.sso.auto_approve_after(1)
    for kind in ("drop", "503"):
        person.sts.add_fault("CreateToken", kind)
    person.sign_in()
    assert person.clock.pauses == [6, 11, 11]
    trouble = [line for line in person.said if "trying again" in line]
    assert trouble == ["awsdirenv: the sign-in to corp: no answer (ConnectionClosedError); trying again"]


def test_a_network_that_was_away(person: Person) -> None:
    """A network that came back is not to blame for a person who did not."""
    person.sts.sso.configure(device_life=29)  # and not 30, when the last of our questions would be refused
    person.sts.add_fault("CreateToken", "drop")
    assert person.refused().message == "the sign-in to corp took too long"


def test_a_network_that_stays_away(person: Person) -> None:
    """A network that does not come back is the error, once the device code is over."""
    person.sts.add_fault("CreateToken", "drop", times=None)
    error = person.refused()
    assert isinstance(error, NetworkError)
    assert error.message == "the sign-in to corp: no answer (ConnectionClosedError)"
    assert 500 < person.clock() <= 600


@pytest.mark.parametrize("action", ["RegisterClient", "StartDeviceAuthorization"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("drop", "the sign-in to corp: no answer (ConnectionClosedError)"),
        ("500", "the sign-in to corp: AWS has a problem (500) (InternalServerException)"),
        ("503", "the sign-in to corp: AWS has a problem (503) (ServiceUnavailable)"),
        ("throttle", "the sign-in to corp: AWS asks for fewer calls (SlowDownException)"),
    ],
)
def test_no_network_at_all(person: Person, action: str, kind: str, message: str) -> None:
    """Before a person is asked, a service that cannot be reached is an error at once."""
    person.sts.add_fault(action, kind)
    error = person.refused()
    assert isinstance(error, NetworkError)
    assert error.message == message
    assert (person.clock.pauses, person.said) == ([], [])


@pytest.mark.parametrize("action", ["RegisterClient", "StartDeviceAuthorization", "CreateToken"])
@pytest.mark.parametrize("kind", ["html", "garbage", "empty", "truncated", "missing-credentials", "redirect"])
def test_what_answers_is_not_aws(person: Person, action: str, kind: str) -> None:
    """A Wi-Fi's page, half an answer, or none of the members that it must have: botocore sees an empty answer."""
    person.sts.sso.auto_approve_after(0)
    person.sts.add_fault(action, kind)
    error = person.refused()
    assert isinstance(error, BadAnswerError)
    assert error.message == "the sign-in to corp: the answer is not from AWS"


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("register_client", {"clientId": 7}),
        ("register_client", {"clientSecret": ""}),
        ("register_client", {"clientSecretExpiresAt": "soon"}),
        ("register_client", {"clientSecretExpiresAt": 10**18}),
        ("start_device_authorization", {"deviceCode": None}),
        ("start_device_authorization", {"expiresIn": "600"}),
        ("start_device_authorization", {"verificationUriComplete": "javascript:alert(1)"}),
        ("start_device_authorization", {"verificationUriComplete": "file:///etc/passwd"}),
        ("start_device_authorization", {"verificationUriComplete": "--help"}),
        ("start_device_authorization", {"verificationUriComplete": "https://x/\x1b[2J"}),
        ("start_device_authorization", {"verificationUriComplete": "https://x/ y"}),
        ("start_device_authorization", {"verificationUriComplete": "https://x/\n"}),
        ("start_device_authorization", {"verificationUriComplete": None, "verificationUri": "x"}),
        ("start_device_authorization", {"userCode": "\x1b]0;x\x07"}),
        ("start_device_authorization", {"userCode": "A" * 65}),
        ("create_token", {"accessToken": 7}),
        ("create_token", {"expiresIn": 10**18}),
        ("create_token", {"expiresIn": None}),
    ],
    ids=str,
)
def test_odd_answers(person: Person, operation: str, change: dict[str, Any]) -> None:
    """Whatever the members hold, nothing but a page of the web reaches a browser, and nothing steers the terminal."""
    error = person.refused(boto=Odd(operation, **change))
    assert isinstance(error, BadAnswerError)
    assert all(line.isprintable() for line in person.said)


@pytest.mark.parametrize("interval", ["7", -7, None, 0])
def test_odd_intervals(person: Person, interval: object) -> None:
    """An interval that makes no sense is five seconds."""
    odd = Odd("start_device_authorization", interval=interval)
    service = Oidc(person.session, SECTION, odd, timeout=10)
    assert service.start(service.register()).interval == 5


def test_a_code_to_type(person: Person) -> None:
    """Where the page's address has no code in it, the person is told to type it."""
    person.sign_in(boto=Odd("start_device_authorization", verificationUriComplete=None))
    assert person.said[1:3] == ["awsdirenv:   https://device.example/", "awsdirenv: type this code there: ABCD-EFGH"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_url": "https://other.awsapps.com/start"}, "Invalid start url provided (InvalidRequestException)"),
        ({"registration_scopes": ("no:such:scope",)}, "Invalid scope (InvalidScopeException)"),
    ],
    ids=["start URL", "scope"],
)
def test_refused(person: Person, change: dict[str, Any], message: str) -> None:
    """The service's own words say what is wrong; they are OAuth's, which botocore does not take for a message."""
    session = SsoSession(**{**vars(person.session), **change})
    error = person.refused(session)
    assert isinstance(error, SignInFailedError)
    assert error.message == f"the sign-in to corp was refused: {message}"
    assert error.hint == f"check sso_start_url, sso_region and sso_registration_scopes in {SECTION}"


@pytest.mark.parametrize("action", ["RegisterClient", "StartDeviceAuthorization"])
def test_refused_before_a_person_is_asked(person: Person, action: str) -> None:
    """Only a person's no is called a denial."""
    person.sts.add_fault(action, "access-denied")
    words = "Access denied by an injected fault (AccessDeniedException)"
    assert person.refused().message == f"the sign-in to corp was refused: {words}"


def test_a_region_that_cannot_be(person: Person) -> None:
    """A region that is none is said as what it is."""
    error = person.refused(SsoSession("corp", person.session.start_url, "not a region"))
    assert isinstance(error, ConfigError)
    assert error.message == "the sign-in to corp: Provided region_name 'not a region' doesn't match a supported format"
    assert error.hint == f"correct {SECTION}"


def test_who_has_waited_signs_in_to_nothing(person: Person, tmp_path: Path) -> None:
    """Under the lock, a token that is another than before makes a second sign-in needless; the same one does not."""
    person.sts.sso.auto_approve_after(0)
    signing = person.signing()
    locks = Locks(tmp_path, timeout=1, on_wait=lambda *_: None)
    before = sso_token.read(person.session, person.environ)
    sign_in_once(signing, "sign-in-corp", locks, before)
    sign_in_once(signing, "sign-in-corp", locks, before)
    assert person.sts.count("RegisterClient") == 1
    sign_in_once(signing, "sign-in-corp", locks, sso_token.read(person.session, person.environ))
    assert person.sts.count("RegisterClient") == 2
    # Who waits for what comes behind the sign-in does not wait for a person.
    assert "asking" not in (tmp_path / "sign-in-corp.lock").read_text()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Have no browser started, but noted how it would be."""
    found: list[dict[str, Any]] = []

    def note(command: list[str], **options: Any) -> None:
        found.append({"page": command[-1], **options})

    monkeypatch.setattr("awsdirenv.system.browser.subprocess.Popen", note)
    return found


@pytest.mark.parametrize(
    ("platform", "environ", "count"),
    [
        ("linux", {}, 0),
        ("linux", {"DISPLAY": ""}, 0),
        ("linux", {"DISPLAY": ":0", "SSH_CONNECTION": "x"}, 1),  # forwarded, as was asked for with ssh -X
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, 1),
        ("linux", {"BROWSER": "firefox"}, 1),
        ("darwin", {}, 1),
        ("darwin", {"SSH_CONNECTION": "x"}, 0),
        ("darwin", {"SSH_CONNECTION": "x", "BROWSER": "code-helper"}, 1),
    ],
    ids=str,
)
def test_a_desktop(
    person: Person, started: list[dict[str, Any]], platform: str, environ: dict[str, str], count: int
) -> None:
    """A browser is started where there is a screen with somebody before it, and none that wants a terminal."""
    person.environ |= {"TERM": "xterm", **environ}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        person.sign_in(boto=Odd("create_token"))
    assert len(started) == count
    assert ("your browser opens this page" in person.said[0]) == bool(count)
    for options in started:
        assert options["page"] == "https://device.example/?user_code=ABCD-EFGH"
        assert options["start_new_session"]
        assert "TERM" not in options["env"]


def test_no_process_for_a_browser(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started, the person opens the page."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    person.environ["BROWSER"] = "firefox"
    person.sign_in(boto=Odd("create_token"))
    assert "open this page in a browser" in person.said[0]
