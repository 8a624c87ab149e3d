"""The doubles beside the strict STS: each rule shown by a request that is let in and one that is refused."""

from __future__ import annotations

import hashlib
import http.client
import json
import stat
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import botocore.credentials
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ProxyConnectionError, ReadTimeoutError, SSLError
from botocore.parsers import ResponseParserError

from aws_doubles import ACCOUNT_ACCESS, CODE_GRANT, DEVICE_GRANT, encode
from in_process import caller_arn
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX, Call, StrictSts, User
from tls import Authority, ConnectProxy, TlsFront
from world import World

SESSION = botocore.session.Session()
# Its proofs are made where no public name leads.
CREDENTIALS: Any = botocore.credentials
FOR_BOTOCORE = {"AWS_MAX_ATTEMPTS": "1", "AWS_METADATA_SERVICE_TIMEOUT": "2", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the machine's from coming between the client and loopback."""
    monkeypatch.setenv("NO_PROXY", "*")


def client(sts: StrictSts, service: str, *, read_timeout: float = 20, **more: Any) -> Any:
    """Make a real client; without keys it does not sign."""
    options: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "parameter_validation": False}
    if "aws_access_key_id" not in more:
        options["signature_version"] = UNSIGNED
    config = Config(read_timeout=read_timeout, **options, **more.pop("config", {}))
    return SESSION.create_client(service, "eu-west-1", config=config, **{"endpoint_url": sts.url, **more})


def keys(credentials: dict[str, str]) -> dict[str, Any]:
    """Give a client's arguments for credentials, whatever the service calls their parts."""
    lower = {name.lower(): value for name, value in credentials.items()}
    return {
        "aws_access_key_id": lower["accesskeyid"],
        "aws_secret_access_key": lower["secretaccesskey"],
        "aws_session_token": lower.get("sessiontoken") or lower["token"],
    }


def identity(sts: StrictSts, credentials: dict[str, str]) -> str:
    """Give the ARN that the strict STS knows these credentials by, their signature verified."""
    return str(client(sts, "sts", **keys(credentials)).get_caller_identity()["Arn"])


def refused(call: Any, **params: Any) -> tuple[int, str]:
    """Give status and code of the refusal the call must meet."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def ask(
    sts: StrictSts, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Give status and body of a request by hand."""
    with closing(http.client.HTTPConnection("127.0.0.1", sts.port, timeout=10)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def whoami(world: World, profile: str, **env: str) -> str:
    """Give the ARN that botocore, by its own providers, is known by with a profile."""
    found = caller_arn({**world.env, **FOR_BOTOCORE, **env}, world.root, profile, "eu-west-1")
    assert found.startswith("arn:"), found
    return found


def fails(world: World, profile: str, **env: str) -> str:
    """Give what botocore says where it gets no credentials."""
    found = caller_arn({**world.env, **FOR_BOTOCORE, **env}, world.root, profile, "eu-west-1")
    assert not found.startswith("arn:"), found
    return found


def chain(world: World, source: str, role: str) -> str:
    """Assume a role that trusts only `role`, with the credentials of the profile `source`; give its ARN by STS."""
    world.profile("end", role_arn=world.sts.add_role("end", trusted=[role]), source_profile=source)
    return whoami(world, "end")


# Identity Center: the portal


@pytest.fixture
def portal(sts: StrictSts) -> Any:
    """Give a client of the portal."""
    return client(sts, "sso")


def developer(sts: StrictSts, **change: str) -> dict[str, str]:
    """Give the parameters of a good GetRoleCredentials."""
    token = sts.sso.sign_in()["accessToken"]
    return {"accountId": "123456789012", "roleName": "Developer", "accessToken": token, **change}


def test_portal_gives_credentials_of_a_role(sts: StrictSts, portal: Any) -> None:
    """Whoever has a token and an assignment gets a session of the role, in milliseconds, which STS knows."""
    role = sts.sso.assign("Developer", life=7200)
    given = portal.get_role_credentials(**developer(sts))["roleCredentials"]
    assert abs(given["expiration"] / 1000 - time.time() - 7200) < 10
    name = role.rpartition("/")[2]
    assert identity(sts, given) == f"arn:aws:sts::123456789012:assumed-role/{name}/foo@example.com"
    assert given["secretAccessKey"].startswith(SECRET_PREFIX)
    assert sts.count("GetRoleCredentials", ok=True) == 1
    assert sts.sso.assign("Developer") == role
    # Its trust policy is for Identity Center alone.
    api = client(sts, "sts", **keys(given))
    assert refused(api.assume_role, RoleArn=role, RoleSessionName="work") == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accessToken": "unknown"}, (401, "UnauthorizedException")),
        ({"accountId": "210987654321"}, (404, "ResourceNotFoundException")),
        ({"accountId": "12"}, (400, "InvalidRequestException")),
        ({"roleName": "Admin"}, (403, "ForbiddenException")),
        ({"roleName": ""}, (400, "InvalidRequestException")),
    ],
)
def test_portal_refuses(sts: StrictSts, portal: Any, change: dict[str, str], expected: tuple[int, str]) -> None:
    """An unknown token, account or role is refused, each in its own way."""
    sts.sso.assign("Developer")
    portal.get_role_credentials(**developer(sts))
    assert refused(portal.get_role_credentials, **developer(sts, **change)) == expected
    assert sts.count("GetRoleCredentials", ok=False) == 1


def test_portal_tokens_end(sts: StrictSts, portal: Any) -> None:
    """A token is refused after its life, when all were expired, and when the user was signed out; so is a lost role."""
    sts.sso.assign("Developer")
    unauthorized = (401, "UnauthorizedException")
    for end in (sts.sso.expire_access_tokens, sts.sso.sign_out, lambda: sts.configure(clock_offset=28800)):
        params = developer(sts)
        portal.get_role_credentials(**params)
        end()
        assert refused(portal.get_role_credentials, **params) == unauthorized
    sts.sso.unassign("Developer")
    sts.sso.assign("Other")
    assert refused(portal.get_role_credentials, **developer(sts)) == (403, "ForbiddenException")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("throttle", (429, "TooManyRequestsException")),
        ("500", (500, "InternalServerException")),
        ("503", (503, "ServiceUnavailable")),
        ("access-denied", (403, "ForbiddenException")),
        ("511", (511, "511")),
    ],
)
def test_portal_faults(sts: StrictSts, portal: Any, kind: str, expected: tuple[int, str]) -> None:
    """The faults of STS strike the portal in the portal's words, and only the operation they name."""
    sts.sso.assign("Developer")
    sts.add_fault("AssumeRole", kind, times=None)
    sts.add_fault("GetRoleCredentials", kind)
    assert refused(portal.get_role_credentials, **developer(sts)) == expected
    portal.get_role_credentials(**developer(sts))


def test_portal_spoilt_answers(sts: StrictSts, portal: Any) -> None:
    """An answer may lack the credentials, have expired ones, be cut, be a web page, or not come."""
    sts.sso.assign("Developer")
    sts.add_fault("GetRoleCredentials", "missing-credentials")
    assert "roleCredentials" not in portal.get_role_credentials(**developer(sts))
    sts.add_fault("GetRoleCredentials", "past-expiration")
    given = portal.get_role_credentials(**developer(sts))["roleCredentials"]
    assert given["expiration"] / 1000 < time.time()
    assert refused(client(sts, "sts", **keys(given)).get_caller_identity) == (403, "ExpiredToken")
    for kind in ("truncated", "html", "garbage"):
        sts.add_fault("GetRoleCredentials", kind)
        # botocore takes what it cannot read for an empty answer here, where for STS it raises.
        assert "roleCredentials" not in portal.get_role_credentials(**developer(sts))
    sts.add_fault("GetRoleCredentials", "hang")
    with pytest.raises(ReadTimeoutError):
        client(sts, "sso", read_timeout=0.3).get_role_credentials(**developer(sts))
    assert [call.error_code for call in sts.calls if call.action == "GetRoleCredentials"][-2:] == ["garbage", "hang"]


# Identity Center: OIDC


class Oidc:
    """A person's CLI that is logging in."""

    def __init__(self, sts: StrictSts, *scopes: str) -> None:
        sts.sso.interval = 0
        self.sts, self.api = sts, client(sts, "sso-oidc")
        about = self.api.register_client(clientName="test", clientType="public", scopes=list(scopes))
        self.client = {name: about[name] for name in ("clientId", "clientSecret")}
        self.registered = about

    def start(self, **change: str) -> Any:
        """Start a device authorization."""
        return self.api.start_device_authorization(**{**self.client, "startUrl": self.sts.sso.start_url, **change})

    def device(self, started: Any, **change: str) -> dict[str, str]:
        """Give the parameters of a good poll."""
        return {**self.client, "grantType": DEVICE_GRANT, "deviceCode": started["deviceCode"], **change}

    def refresh(self, token: str, **change: str) -> dict[str, str]:
        """Give the parameters of a good refresh."""
        return {**self.client, "grantType": "refresh_token", "refreshToken": token, **change}


@pytest.fixture
def oidc(sts: StrictSts) -> Oidc:
    """Register a client with the scope that gives refresh tokens."""
    return Oidc(sts, ACCOUNT_ACCESS)


def test_device_authorization(sts: StrictSts, oidc: Oidc) -> None:
    """A poll waits until the person approves; then it gives a token which the portal takes, once."""
    role = sts.sso.assign("Developer")
    assert oidc.registered["clientSecretExpiresAt"] - oidc.registered["clientIdIssuedAt"] == 90 * 86400
    started = oidc.start()
    assert started["verificationUriComplete"].endswith(f"?user_code={started['userCode']}")
    assert refused(oidc.api.create_token, **oidc.device(started)) == (400, "AuthorizationPendingException")
    assert sts.sso.pending() == [started["userCode"]]
    sts.sso.approve(started["userCode"])
    tokens = oidc.api.create_token(**oidc.device(started))
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 28800)
    params = developer(sts, accessToken=tokens["accessToken"])
    given = client(sts, "sso").get_role_credentials(**params)["roleCredentials"]
    assert role.rpartition("/")[2] in identity(sts, given)
    assert refused(oidc.api.create_token, **oidc.device(started)) == (400, "InvalidGrantException")
    assert (sts.count("CreateToken"), sts.count("CreateToken", ok=True)) == (3, 1)


def test_device_authorization_is_denied_or_forgotten(sts: StrictSts, oidc: Oidc) -> None:
    """A person may deny, once, or let the code expire."""
    denied, forgotten = oidc.start(), oidc.start()
    sts.sso.deny(denied["userCode"])
    assert refused(oidc.api.create_token, **oidc.device(denied)) == (400, "AccessDeniedException")
    with pytest.raises(ValueError, match="nobody waits"):
        sts.sso.approve(denied["userCode"])
    sts.configure(clock_offset=600)
    assert refused(oidc.api.create_token, **oidc.device(forgotten)) == (400, "ExpiredTokenException")


def test_polls_keep_the_interval(sts: StrictSts, oidc: Oidc) -> None:
    """Who polls faster than the interval is told to slow down, approved or not; who keeps it is served."""
    sts.sso.interval = 5
    started = oidc.start()
    assert started["interval"] == 5
    assert refused(oidc.api.create_token, **oidc.device(started)) == (400, "AuthorizationPendingException")
    sts.sso.approve(started["userCode"])
    assert refused(oidc.api.create_token, **oidc.device(started)) == (400, "SlowDownException")
    sts.configure(clock_offset=5)
    assert oidc.api.create_token(**oidc.device(started))["accessToken"]


def test_approval_by_itself(sts: StrictSts, oidc: Oidc) -> None:
    """Authorizations may be approved after some polls, or by who opens the page, and by no wrong code."""
    sts.sso.auto_approve_after(2)
    started = oidc.start()
    for _ in range(2):
        assert refused(oidc.api.create_token, **oidc.device(started))[1] == "AuthorizationPendingException"
    assert oidc.api.create_token(**oidc.device(started))["accessToken"]
    sts.sso.auto_approve_after(None)
    started = oidc.start()
    assert ask(sts, f"/device?user_code={started['userCode']}")[0] == 200
    assert refused(oidc.api.create_token, **oidc.device(started))[1] == "AuthorizationPendingException"
    sts.sso.approve_on_visit = True
    assert ask(sts, "/device?user_code=ABCD-EFGH")[0] == 404
    with urllib.request.urlopen(started["verificationUriComplete"], timeout=10) as page:
        assert page.status == 200
    assert oidc.api.create_token(**oidc.device(started))["accessToken"]


def test_clients_are_known(sts: StrictSts, oidc: Oidc) -> None:
    """A client needs its own secret, a registration that holds, and its own device codes and refresh tokens."""
    started, invalid = oidc.start(), (401, "InvalidClientException")
    for change in ({"clientId": "unknown"}, {"clientSecret": "wrong"}):
        assert refused(oidc.start, **change) == invalid
        assert refused(oidc.api.create_token, **oidc.device(started, **change)) == invalid
    other = Oidc(sts, ACCOUNT_ACCESS)
    sts.sso.approve(started["userCode"])
    grant = (400, "InvalidGrantException")
    assert refused(other.api.create_token, **other.device(started)) == grant
    token = oidc.api.create_token(**oidc.device(started))["refreshToken"]
    assert refused(other.api.create_token, **other.refresh(token)) == grant
    sts.configure(clock_offset=90 * 86400)
    assert refused(oidc.api.create_token, **oidc.refresh(token)) == invalid


def test_malformed_oidc_requests(sts: StrictSts, oidc: Oidc) -> None:
    """What is missing or not offered is refused by name."""
    api, started = oidc.api, oidc.start()
    for expected, call, params in (
        ("InvalidClientMetadataException", api.register_client, {"clientName": "x", "clientType": "confidential"}),
        ("InvalidRequestException", api.register_client, {"clientType": "public"}),
        (
            "InvalidScopeException",
            api.register_client,
            {"clientName": "x", "clientType": "public", "scopes": ["sso:all"]},
        ),
        ("InvalidRequestException", oidc.start, {"startUrl": "https://other.awsapps.com/start"}),
        ("UnsupportedGrantTypeException", api.create_token, oidc.device(started, grantType="password")),
        ("InvalidRequestException", api.create_token, {**oidc.client, "grantType": DEVICE_GRANT}),
        ("InvalidRequestException", api.create_token, {**oidc.client, "grantType": "refresh_token"}),
    ):
        assert refused(call, **params) == (400, expected)
    for body in (b"not json", b"[]"):
        assert ask(sts, "/token", "POST", body)[0] == 400
    assert oidc.start(startUrl=sts.sso.start_url + "/")["userCode"]


VERIFIER, REDIRECT = "v" * 64, "http://127.0.0.1:12345/oauth/callback"
PKCE_CLIENT: dict[str, Any] = {
    "clientName": "test",
    "clientType": "public",
    "scopes": [ACCOUNT_ACCESS],
    "grantTypes": [CODE_GRANT, "refresh_token"],
    "redirectUris": ["http://127.0.0.1/oauth/callback"],
}


class Pkce:
    """A client that was registered for a redirect, and its browser."""

    def __init__(self, sts: StrictSts) -> None:
        self.sts, self.api = sts, client(sts, "sso-oidc")
        about = self.api.register_client(**PKCE_CLIENT, issuerUrl=sts.sso.start_url)
        self.client = {name: about[name] for name in ("clientId", "clientSecret")}
        sts.sso.configure(approve_on_visit=True)

    def page(self, **change: str) -> str:
        """Give the page's address."""
        query = {
            "response_type": "code",
            "client_id": self.client["clientId"],
            "redirect_uri": REDIRECT,
            "state": "a-state-of-the-client",
            "code_challenge_method": "S256",
            "code_challenge": encode(hashlib.sha256(VERIFIER.encode()).digest()),
            "scopes": ACCOUNT_ACCESS,
            **change,
        }
        return f"/authorize?{urlencode({name: text for name, text in query.items() if text})}"

    def code(self) -> str:
        """Open the page, and give the code that the browser is sent on with."""
        assert ask(self.sts, self.page())[0] == 302
        answer = urlsplit(self.sts.sso.answer_to(self.sts.sso.authorizations[-1]))
        assert answer.query.endswith("&state=a-state-of-the-client")
        return parse_qs(answer.query)["code"][0]

    def redeem(self, code: str, /, **change: str) -> dict[str, str]:
        """Give the parameters of a good exchange."""
        good = {**self.client, "grantType": CODE_GRANT, "code": code, "redirectUri": REDIRECT, "codeVerifier": VERIFIER}
        return {**good, **change}


@pytest.fixture
def pkce(sts: StrictSts) -> Pkce:
    """Register a client for a redirect."""
    return Pkce(sts)


def test_authorization_code(sts: StrictSts, pkce: Pkce) -> None:
    """A code is good once, for its client, its redirect and its verifier, and not for long; its tokens are renewed."""
    grant = (400, "InvalidGrantException")
    for change in (
        {"codeVerifier": "w" * 64},
        {"redirectUri": REDIRECT.replace("12345", "12346")},
        Pkce(sts).client,
        {"code": "another"},
    ):
        code = pkce.code()
        assert refused(pkce.api.create_token, **pkce.redeem(code, **change)) == grant
        # A wrong try has used it up.
        assert ("code" in change) or refused(pkce.api.create_token, **pkce.redeem(code)) == grant
    code = pkce.code()
    tokens = pkce.api.create_token(**pkce.redeem(code))
    assert refused(pkce.api.create_token, **pkce.redeem(code)) == grant
    fresh = {**pkce.client, "grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}
    assert pkce.api.create_token(**fresh)["refreshToken"] != tokens["refreshToken"]
    late = pkce.code()
    sts.configure(clock_offset=60)
    assert refused(pkce.api.create_token, **pkce.redeem(late)) == (400, "ExpiredTokenException")


def test_grants_are_those_of_the_client(sts: StrictSts, pkce: Pkce, oidc: Oidc) -> None:
    """A client that registered for a redirect has no device codes, and the other way round."""
    sts.sso.auto_approve_after(0)
    started, other = oidc.start(), (400, "UnauthorizedClientException")
    device = {**pkce.client, "grantType": DEVICE_GRANT, "deviceCode": started["deviceCode"]}
    assert refused(pkce.api.create_token, **device) == other
    assert refused(oidc.api.create_token, **pkce.redeem(pkce.code(), **oidc.client)) == other
    assert ask(sts, pkce.page(client_id=oidc.client["clientId"]))[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"response_type": "token"},
        {"client_id": "unknown"},
        {"redirect_uri": "http://127.0.0.1/oauth/callback"},
        {"redirect_uri": REDIRECT.replace("127.0.0.1", "localhost")},
        {"redirect_uri": "http://127.0.0.1:12345/other"},
        {"redirect_uri": "https://example.com/oauth/callback"},
        {"state": ""},
        {"state": "short"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"code_challenge": VERIFIER},
        {"scopes": ""},
        {"scopes": "sso:all"},
    ],
    ids=str,
)
def test_a_page_that_is_not_whole(sts: StrictSts, pkce: Pkce, change: dict[str, str]) -> None:
    """A page without one of its parts opens for nobody."""
    assert ask(sts, pkce.page(**change))[0] == 400
    assert sts.sso.authorizations == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"redirectUris": ["http://127.0.0.1:80/oauth/callback"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["https://example.com/"]}, "InvalidRedirectUriException"),
        ({"redirectUris": []}, "InvalidRedirectUriException"),
        ({"issuerUrl": "https://other.awsapps.com/start"}, "InvalidRequestException"),
        ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
    ],
    ids=str,
)
def test_registrations_for_a_redirect(sts: StrictSts, change: dict[str, Any], code: str) -> None:
    """A client may be sent to its own machine only, and is of one access portal."""
    api = client(sts, "sso-oidc")
    good = {**PKCE_CLIENT, "issuerUrl": sts.sso.start_url}
    assert refused(api.register_client, **{**good, **change}) == (400, code)


def test_refresh_tokens_work_once(sts: StrictSts, oidc: Oidc) -> None:
    """A refresh gives new tokens, the used one is refused; without the scope there is none; signing out ends all."""
    cached = sts.sso.sign_in()
    oidc.client = {name: cached[name] for name in ("clientId", "clientSecret")}
    sts.sso.token_life = 60
    fresh = oidc.api.create_token(**oidc.refresh(cached["refreshToken"]))
    assert fresh["expiresIn"] == 60
    grant = (400, "InvalidGrantException")
    assert refused(oidc.api.create_token, **oidc.refresh(cached["refreshToken"])) == grant
    sts.sso.sign_out()
    assert refused(oidc.api.create_token, **oidc.refresh(fresh["refreshToken"])) == grant
    assert "refreshToken" not in sts.sso.sign_in(scopes=())
    plain = Oidc(sts)
    sts.sso.auto_approve_after(0)
    assert "refreshToken" not in plain.api.create_token(**plain.device(plain.start()))


def test_oidc_faults(sts: StrictSts, oidc: Oidc) -> None:
    """The faults of STS strike OIDC in its words."""
    for kind, expected in (("throttle", (400, "SlowDownException")), ("500", (500, "InternalServerException"))):
        sts.add_fault("StartDeviceAuthorization", kind)
        assert refused(oidc.start) == expected
    oidc.start()


def test_no_secret_is_recorded(sts: StrictSts, oidc: Oidc) -> None:
    """The calls show what was asked for, and neither secrets nor tokens."""
    started = oidc.start()
    sts.sso.approve(started["userCode"])
    oidc.api.create_token(**oidc.refresh(oidc.api.create_token(**oidc.device(started))["refreshToken"]))
    shown = repr(sts.calls)
    assert "grantType" in shown
    assert SECRET_PREFIX not in shown
    assert TOKEN_PREFIX not in shown
    assert started["deviceCode"] not in shown


# Identity Center: profiles


@pytest.mark.parametrize("session", ["corp", None])
def test_sso_profiles(world: World, session: str | None) -> None:
    """The AWS CLI works with a profile of an sso-session and with a legacy one, as a source of a chain too."""
    if session:
        world.sso_session(session)
    role = world.sso_profile("dev", session)
    assert role.rpartition("/")[2] in whoami(world, "dev")
    assert chain(world, "dev", role) == "arn:aws:sts::123456789012:assumed-role/end/" + last_session_name(world.sts)
    world.sts.sso.expire_access_tokens()
    assert "sso" in fails(world, "dev").lower()


def last_session_name(sts: StrictSts) -> str:
    """Give the RoleSessionName of the last AssumeRole."""
    return next(call.params["RoleSessionName"] for call in reversed(sts.calls) if call.action == "AssumeRole")


def test_sso_token_is_refreshed(world: World) -> None:
    """The AWS CLI renews a token near its end by the cached refresh token, and writes the next one down."""
    world.sso_session("corp", signed_in=False)
    world.sso_profile("dev")
    assert "Token for" in fails(world, "dev")
    path = world.sso_sign_in("corp", life=0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = json.loads(path.read_text())
    whoami(world, "dev")
    after = json.loads(path.read_text())
    assert after["refreshToken"] != before["refreshToken"]
    assert world.sts.count("CreateToken", ok=True) == 1


# A container


def in_container(sts: StrictSts, **more: str) -> dict[str, str]:
    """Give the environment of a container."""
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": sts.container.uri, **more}


def test_container(world: World) -> None:
    """A container's credentials are of its role, serve as the source of a chain, and stay until near their end."""
    sts = world.sts
    world.profile(
        "end", role_arn=sts.add_role("end", trusted=[sts.container.role_arn]), credential_source="EcsContainer"
    )
    assert ":assumed-role/end/" in whoami(world, "end", **in_container(sts))
    status, body = ask(sts, "/container/credentials")
    first, second = json.loads(body), json.loads(ask(sts, "/container/credentials")[1])
    assert (status, first["AccountId"]) == (200, "123456789012")
    assert first == second
    assert ":assumed-role/container/" in identity(sts, first)
    sts.expire_all_sessions()
    assert json.loads(ask(sts, "/container/credentials")[1])["Token"] != first["Token"]
    sts.container.configure(account_id=False, role_arn="arn:aws:iam::210987654321:role/task")
    third = json.loads(ask(sts, "/container/credentials")[1])
    assert "AccountId" not in third
    assert identity(sts, third).startswith("arn:aws:sts::210987654321:assumed-role/task/")


def test_container_authorization(world: World) -> None:
    """Where a token is wanted, only its holder is served."""
    sts = world.sts
    sts.container.authorization = "SENTINEL-TOKEN-container"
    world.profile("end", role_arn=sts.add_role("end"), credential_source="EcsContainer")
    assert whoami(world, "end", **in_container(sts, AWS_CONTAINER_AUTHORIZATION_TOKEN=sts.container.authorization))
    for headers in ({}, {"Authorization": "wrong"}):
        assert ask(sts, "/container/credentials", headers=headers)[0] == 401
    assert sts.count("ContainerCredentials", ok=False) == 2


def test_container_faults(sts: StrictSts) -> None:
    """The container's service may know nothing, fail, talk nonsense, give what is over, or hang."""
    for kind, expected in (("404", 404), ("500", 500), ("503", 503), ("access-denied", 403)):
        sts.add_fault("ContainerCredentials", kind)
        status, body = ask(sts, "/container/credentials")
        assert status == expected
        assert json.loads(body)["code"]
    sts.add_fault("ContainerCredentials", "garbage")
    assert SECRET_PREFIX in ask(sts, "/container/credentials")[1]
    sts.add_fault("ContainerCredentials", "past-expiration")
    over = json.loads(ask(sts, "/container/credentials")[1])
    assert datetime.fromisoformat(over["Expiration"].rstrip("Z") + "+00:00") < datetime.now(timezone.utc)
    assert json.loads(ask(sts, "/container/credentials")[1])["Token"] != over["Token"]
    sts.add_fault("ContainerCredentials", "hang", seconds=0.2)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(sts, "/container/credentials")


# An instance


def imds_token(sts: StrictSts, ttl: str = "60", **headers: str) -> tuple[int, str]:
    """Ask for a token of version 2."""
    return ask(sts, "/latest/api/token", "PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl, **headers})


def imds(sts: StrictSts, path: str = "", token: str | None = None) -> tuple[int, str]:
    """Ask for the role, or for its credentials, with a token if one is given."""
    headers = {} if token is None else {"X-aws-ec2-metadata-token": token}
    return ask(sts, f"/latest/meta-data/iam/security-credentials/{path}", headers=headers)


def on_instance(sts: StrictSts) -> dict[str, str]:
    """Give the environment of an instance."""
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": sts.imds.endpoint}


def test_instance(world: World) -> None:
    """The AWS CLI asks for a token, the role and its credentials, which are the source of a chain."""
    sts = world.sts
    sts.imds.http_tokens = "required"
    role = sts.imds.attach("web")
    world.profile("end", role_arn=sts.add_role("end", trusted=[role]), credential_source="Ec2InstanceMetadata")
    assert ":assumed-role/end/" in whoami(world, "end", **on_instance(sts))
    counts = [sts.count(name, ok=True) for name in ("ImdsToken", "ImdsRole", "ImdsCredentials")]
    assert counts == [1, 1, 1]
    sts.imds.detach()
    fails(world, "end", **on_instance(sts))
    assert sts.count("ImdsRole", ok=False) == 1


def test_imds_tokens(sts: StrictSts) -> None:
    """Version 2 needs a good token; version 1 works without one if it may, and never with a wrong one."""
    sts.imds.attach("web")
    _, token = imds_token(sts)
    assert imds(sts, token=token) == (200, "web")
    assert imds(sts) == (200, "web")
    assert imds(sts, token="wrong")[0] == 401
    sts.imds.http_tokens = "required"
    assert imds(sts)[0] == 401
    assert imds(sts, "web")[0] == 401
    assert json.loads(imds(sts, "web", token)[1])["Code"] == "Success"
    sts.configure(clock_offset=60)
    assert imds(sts, token=token)[0] == 401
    for ttl in ("", "0", "21601", "x"):
        assert imds_token(sts, ttl)[0] == 400
    assert imds_token(sts, "21600")[0] == 200
    assert imds_token(sts, **{"X-Forwarded-For": "192.0.2.1"})[0] == 403
    assert ask(sts, "/latest/api/token")[0] == 405


def test_imds_without_a_role(sts: StrictSts) -> None:
    """Without a role, and for another than the attached one, it is 404; what else IMDS has is not here."""
    assert imds(sts)[0] == 404
    sts.imds.attach("web")
    assert imds(sts, "other")[0] == 404
    assert ask(sts, "/latest/meta-data/instance-id")[0] == 404
    sts.imds.detach()
    assert imds(sts, "web")[0] == 404


def test_imds_credentials(sts: StrictSts) -> None:
    """Credentials stay until near their end, and may be over."""
    sts.imds.attach("web")
    first = json.loads(imds(sts, "web")[1])
    assert json.loads(imds(sts, "web")[1])["Token"] == first["Token"]
    assert ":assumed-role/web/" in identity(sts, first)
    sts.configure(clock_offset=21600 - 299)
    assert json.loads(imds(sts, "web")[1])["Token"] != first["Token"]
    sts.imds.life = -60
    sts.expire_all_sessions()
    over = json.loads(imds(sts, "web")[1])
    assert refused(client(sts, "sts", **keys(over)).get_caller_identity)[0] == 403


def test_imds_is_off(sts: StrictSts) -> None:
    """The service may be disabled, or never answer until the server stops."""
    sts.imds.http_endpoint = "disabled"
    assert imds_token(sts)[0] == 403
    sts.imds.http_endpoint = "silent"
    with closing(http.client.HTTPConnection("127.0.0.1", sts.port, timeout=0.3)) as connection:
        connection.request("PUT", "/latest/api/token")
        with pytest.raises(TimeoutError):
            connection.getresponse()
    assert sts.calls[-1].error_code == "hang"


# aws login


def test_login_session(world: World) -> None:
    """The AWS CLI uses cached credentials while they hold, as a source of a chain too."""
    world.login_profile("me")
    assert whoami(world, "me") == world.user.arn
    assert chain(world, "me", world.user.arn).startswith("arn:aws:sts::123456789012:assumed-role/end/")
    assert world.sts.count("CreateOAuth2Token") == 0


def test_login_session_is_refreshed(world: World) -> None:
    """Credentials near their end are renewed with a proof of the key, and the next refresh token is written down."""
    path = world.login_profile("me", life=0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = json.loads(path.read_text())
    assert whoami(world, "me") == world.user.arn
    after = json.loads(path.read_text())
    assert after["refreshToken"] != before["refreshToken"]
    assert whoami(world, "me") == world.user.arn
    assert world.sts.count("CreateOAuth2Token", ok=True) == 1
    world.sts.signin.expire_refresh_tokens()
    world.sts.expire_all_sessions()
    path.write_text(json.dumps({**after, "accessToken": before["accessToken"]}))
    assert "login" in fails(world, "me")
    assert world.sts.calls[-1].error_code == "AccessDeniedException"


class Login:
    """A CLI by hand, whose proofs can be spoilt."""

    def __init__(self, sts: StrictSts) -> None:
        self.sts, self.token = sts, sts.signin.sign_in(sts.add_user("bob").arn)

    def proof(self, pem: str | None = None, jti: str = "", **change: Any) -> str:
        """Sign a proof with the cached key or another; the URL is the endpoint's unless changed."""
        key = CREDENTIALS.LoginCredentialFetcher._load_private_key({"dpopKey": pem or self.token["dpopKey"]})
        url = change.get("url", f"{self.sts.url}/v1/token")
        return str(CREDENTIALS._build_dpop_header(key, url, uid=jti or None, ts=change.get("ts")))

    def refresh(self, proof: str | None, **change: str) -> tuple[int, Any]:
        """Ask for credentials with a proof; give the status and the answer."""
        about = {"clientId": self.token["clientId"], "grantType": "refresh_token"}
        sent = {**about, "refreshToken": self.token["refreshToken"], **change}
        headers = {} if proof is None else {"DPoP": proof}
        status, body = ask(self.sts, "/v1/token", "POST", json.dumps(sent).encode(), headers)
        return status, json.loads(body)


def test_login_refresh_needs_the_key(sts: StrictSts) -> None:
    """A proof must be there, whole, by the login's own key, for this URL, of now, and new."""
    login = Login(sts)
    head, claims, signature = login.proof().split(".")
    for proof in (
        None,
        "nonsense",
        f"{head}.{claims}.{encode(bytes(64))}",
        f"{head}.{encode(b'{}')}.{signature}",
        login.proof(sts.signin.sign_in(sts.add_user("eve").arn)["dpopKey"]),
        login.proof(url="https://signin.example.com/v1/token"),
        login.proof(ts=int(time.time()) - 301),
    ):
        assert login.refresh(proof) == (400, {"error": "invalid_request", "message": "Refused: invalid_request"})
    status, answer = login.refresh(login.proof(jti="once"))
    assert (status, answer["expiresIn"], answer["tokenType"]) == (200, 900, "aws_sigv4")
    assert identity(sts, answer["accessToken"]) == "arn:aws:iam::123456789012:user/bob"
    assert login.refresh(login.proof())[1]["error"] == "TOKEN_EXPIRED"
    login.token["refreshToken"] = answer["refreshToken"]
    assert login.refresh(login.proof(jti="once"))[1]["error"] == "invalid_request"
    assert login.refresh(login.proof())[0] == 200


def test_login_refresh_is_refused(sts: StrictSts) -> None:
    """A wrong client or grant, a new password, and what the service may answer on a bad day."""
    login = Login(sts)
    assert login.refresh(login.proof(), clientId="me")[1]["error"] == "invalid_request"
    assert login.refresh(login.proof(), grantType="password")[1]["error"] == "unsupported_grant_type"
    sts.signin.refusal = "USER_CREDENTIALS_CHANGED"
    assert login.refresh(login.proof())[1]["error"] == "USER_CREDENTIALS_CHANGED"
    sts.signin.refusal = ""
    for kind, expected in (("throttle", 429), ("500", 500), ("503", 503)):
        sts.add_fault("CreateOAuth2Token", kind)
        assert login.refresh(login.proof())[0] == expected
    assert login.refresh(login.proof())[0] == 200
    assert sts.count("CreateOAuth2Token", ok=True) == 1


# Web identities and programs


def test_web_identity_profile(world: World) -> None:
    """A token file becomes a role's session, as a source of a chain too; an expired token is refused."""
    role = world.web_identity_profile("ci")
    assert ":assumed-role/ci/" in whoami(world, "ci")
    assert ":assumed-role/end/" in chain(world, "ci", role)
    world.sts.web_identity.expire((world.root / "ci.token").read_text())
    assert "ExpiredTokenException" in fails(world, "ci")


def test_credential_process(world: World) -> None:
    """A program can hand out credentials that STS knows."""
    given = world.sts.issue_credentials("arn:aws:iam::123456789012:role/tool", life=900)
    program = world.program("give", f"echo '{json.dumps({'Version': 1, **given})}'")
    world.profile("tool", credential_process=program)
    assert whoami(world, "tool") == "arn:aws:sts::123456789012:assumed-role/tool/work"
    python = world.program("other", "#!/usr/bin/env python3\nprint('hello')\n")
    assert world.run(str(python)).stdout == "hello\n"


# TLS and proxies


@pytest.fixture
def bob(sts: StrictSts) -> dict[str, Any]:
    """Give a user's keys, as a client's arguments."""
    return user_keys(sts.add_user("bob"))


def user_keys(user: User) -> dict[str, Any]:
    """Give a user's keys, as a client's arguments."""
    return {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make a CA."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def front(sts: StrictSts, authority: Authority) -> Iterator[TlsFront]:
    """Put TLS in front of STS."""
    with TlsFront(sts.port, authority) as front:
        yield front


def test_tls(sts: StrictSts, bob: dict[str, Any], authority: Authority, front: TlsFront, tmp_path: Path) -> None:
    """With the CA's bundle STS is reached and verifies the signature; without, or with another CA's, it is not."""
    api = client(sts, "sts", endpoint_url=front.url, verify=str(authority.bundle), **bob)
    assert api.get_caller_identity()["Arn"].endswith(":user/bob")
    assert api.get_session_token()["Credentials"]
    assert front.handshakes == 1
    for distrusting in (None, str(Authority(tmp_path / "other").bundle)):
        with pytest.raises(SSLError):
            client(sts, "sts", endpoint_url=front.url, verify=distrusting, **bob).get_caller_identity()
    assert sts.count("*") == 2


def test_tls_by_environment(world: World, authority: Authority, front: TlsFront) -> None:
    """AWS_CA_BUNDLE is all that a program needs."""
    env = {"AWS_ENDPOINT_URL": front.url}
    assert whoami(world, "base", AWS_CA_BUNDLE=str(authority.bundle), **env) == world.user.arn
    assert "SSL" in fails(world, "base", **env)


def test_tls_checks_names(sts: StrictSts, bob: dict[str, Any], authority: Authority) -> None:
    """A certificate is good for its names and no other."""
    with TlsFront(sts.port, authority, names=["sts.example.com"]) as front, pytest.raises(SSLError):
        client(sts, "sts", endpoint_url=front.url, verify=str(authority.bundle), **bob).get_caller_identity()
    assert sts.count("*") == 0


def test_proxy(world: World, authority: Authority) -> None:
    """AWS's own host is asked for through the proxy, which gives out the strict STS in its place."""
    host = "sts.eu-west-1.amazonaws.com"
    with TlsFront(world.sts.port, authority, names=[host]) as front, ConnectProxy(front.port) as proxy:
        env = {"AWS_CA_BUNDLE": str(authority.bundle), "HTTPS_PROXY": proxy.url, "AWS_REGION": "eu-west-1"}
        world.env.pop("AWS_ENDPOINT_URL")
        assert whoami(world, "base", **env) == world.user.arn
    assert proxy.hosts == [f"{host}:443"]


def test_proxy_wants_credentials(
    sts: StrictSts, bob: dict[str, Any], authority: Authority, front: TlsFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends the proxy's credentials passes, who does not is refused and reaches nobody."""
    monkeypatch.delenv("NO_PROXY")
    with ConnectProxy(credentials="user:SENTINEL-SECRET-proxy") as proxy:
        for url in (proxy.url, f"http://127.0.0.1:{proxy.port}"):
            config = {"proxies": {"https": url}}
            api = client(sts, "sts", endpoint_url=front.url, verify=str(authority.bundle), config=config, **bob)
            if url == proxy.url:
                assert api.get_caller_identity()["Arn"].endswith(":user/bob")
            else:
                with pytest.raises(ProxyConnectionError):
                    api.get_caller_identity()
        assert (proxy.refused, proxy.hosts) == (1, [f"localhost:{front.port}"] * 2)
    assert sts.count("*") == 1


def test_proxy_for_plain_requests(sts: StrictSts, bob: dict[str, Any]) -> None:
    """A plain request passes too, its signature whole; what is not loopback is refused, never sought."""
    with ConnectProxy() as proxy:
        config = {"proxies": {"http": proxy.url}}
        api = client(sts, "sts", config=config, **bob)
        assert [api.get_caller_identity()["Arn"].rpartition("/")[2] for _ in range(2)] == ["bob", "bob"]
        away = client(sts, "sts", endpoint_url="http://sts.example.com", config=config, **bob)
        with pytest.raises(ResponseParserError):
            away.get_caller_identity()
        assert proxy.hosts == [f"127.0.0.1:{sts.port}"] * 2 + ["sts.example.com:80"]


# From another process


def control(sts: StrictSts, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method by /_control."""
    body = json.dumps({"method": method, "args": args, "kwargs": kwargs}).encode()
    with urllib.request.urlopen(f"{sts.url}/_control", body, timeout=10) as answer:
        return json.load(answer)


def test_everything_by_control(sts: StrictSts) -> None:
    """Another process can drive every double."""
    role = control(sts, "sso.assign", "Developer", account="210987654321")
    token = control(sts, "sso.sign_in", life=60)["accessToken"]
    params = {"accountId": "210987654321", "roleName": "Developer", "accessToken": token}
    assert client(sts, "sso").get_role_credentials(**params)["roleCredentials"]
    control(sts, "sso.expire_access_tokens")
    assert refused(client(sts, "sso").get_role_credentials, **params)[0] == 401
    oidc = Oidc(sts)
    control(sts, "sso.configure", token_life=5, approve_on_visit=True)
    for settle in ("approve", "deny"):
        started = oidc.start()
        assert control(sts, "sso.pending") == [started["userCode"]]
        control(sts, f"sso.{settle}", started["userCode"])
        if settle == "approve":
            assert oidc.api.create_token(**oidc.device(started))["expiresIn"] == 5
    control(sts, "sso.auto_approve_after", 0)
    control(sts, "sso.sign_out")
    control(sts, "sso.unassign", "Developer", account="210987654321")
    control(sts, "container.configure", role_arn=role)
    control(sts, "imds.configure", http_tokens="required")
    assert control(sts, "imds.attach", "web").endswith(":role/web")
    assert imds(sts)[0] == 401
    control(sts, "imds.detach")
    control(sts, "signin.configure", life=60)
    assert control(sts, "signin.sign_in", "arn:aws:iam::123456789012:user/eve")["dpopKey"]
    control(sts, "signin.expire_refresh_tokens")
    web = control(sts, "web_identity.add", role)
    control(sts, "web_identity.expire", web)
    assert control(sts, "issue_credentials", role)["SessionToken"]


def test_unknown_settings(sts: StrictSts) -> None:
    """A misspelt setting would be a test that tests nothing."""
    for double in (sts.sso, sts.container, sts.imds, sts.signin, sts.web_identity):
        with pytest.raises(ValueError, match="unknown settings"):
            double.configure(lief=1)


def test_region_and_date(sts: StrictSts, bob: dict[str, Any]) -> None:
    """A call shows the region that was signed for; the Date header can be put off by some minutes."""
    sts.add_fault("*", "date", seconds=-600)
    api = client(sts, "sts", **bob)
    dates = []
    for _ in range(2):
        answer = api.get_caller_identity()
        dates.append(parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]))
    assert abs(dates[1] - dates[0] - timedelta(seconds=600)) < timedelta(seconds=5)
    last: Call = sts.calls[-1]
    assert (last.region, last.error_code) == ("eu-west-1", None)


def test_iam_lists_what_is_ones_own(sts: StrictSts) -> None:
    """IAM gives a user the dates of their keys and their MFA devices, and nobody else's; a policy may forbid it."""
    alice, other = sts.add_user("alice"), sts.add_user("other", mfa=False)
    sts.iam.created[alice.access_key_id] = 86400.0
    pairs = [(user.access_key_id, user.secret_access_key) for user in (alice, other)]
    own, others = (client(sts, "iam", aws_access_key_id=key, aws_secret_access_key=secret) for key, secret in pairs)
    (listed,) = own.list_access_keys()["AccessKeyMetadata"]
    assert (listed["AccessKeyId"], listed["Status"]) == (alice.access_key_id, "Active")
    assert listed["CreateDate"] == datetime(1970, 1, 2, tzinfo=timezone.utc)
    assert [device["SerialNumber"] for device in own.list_mfa_devices()["MFADevices"]] == [alice.mfa_serial]
    assert others.list_mfa_devices()["MFADevices"] == []
    sts.iam.denied = {"ListMFADevices"}
    with pytest.raises(ClientError, match="AccessDenied"):
        own.list_mfa_devices()


def test_iam_takes_no_strangers(sts: StrictSts) -> None:
    """A wrong secret, and a key that is gone, are refused as by STS."""
    user = sts.add_user("alice")
    for secret, code in (("wrong", "SignatureDoesNotMatch"), (user.secret_access_key, "InvalidClientTokenId")):
        iam = client(sts, "iam", aws_access_key_id=user.access_key_id, aws_secret_access_key=secret)
        with pytest.raises(ClientError, match=code):
            iam.list_access_keys()
        sts.revoke(user.access_key_id)
