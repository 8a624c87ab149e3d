"""The OIDC service of IAM Identity Center: clients, device codes, the page that gives a code, and tokens.

Shapes and names are those of the AWS CLI's sign-ins, so that it and every SDK can refresh our tokens.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

from awsdirenv.aws.botocore_session import Budget, boto_session
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.config.aws_files import AwsFiles, place_of, section_header
from awsdirenv.config.chain import Chain, SsoSession
from awsdirenv.config.start_url import canonical, is_of_aws, region_of
from awsdirenv.errors import AwsdirenvError, ConfigError, SignInFailedError
from awsdirenv.records import Record
from awsdirenv.session_credentials import from_epoch, utc_now
from awsdirenv.system.redirects import PATH, RedirectAnswer
from awsdirenv.system.text import one_line, without_keys

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_CODE_GRANTS = ("authorization_code", "refresh_token")
# The port is another one each time, so it is no part of what is registered (RFC 8252).
_REDIRECT_URI = f"http://127.0.0.1{PATH}"
_REGISTER_PATH = "/client/register"
# Without a scope Identity Center gives no refresh token, and the person signs in again after an hour.
_DEFAULT_SCOPES = ("sso:account:access",)
_INTERVAL = 5  # seconds between two questions, where the service does not say
_PENDING, _TOO_FAST = "AuthorizationPendingException", "SlowDownException"
# The page is given to a browser, and both are shown. Neither may be an option of a program, or control the terminal.
_PAGE = re.compile(r"https?://[!-~]+")
_CODE = re.compile(r"[!-~]{1,64}")
_LONGEST_COMPLAINT = 200  # characters
_TIMEOUT = 10  # seconds, of a company's own start URL
_MOVED, _OTHER_METHOD = (301, 302, 303, 307, 308), (405, 501)  # HTTP's status codes

T = TypeVar("T")


class NotYetError(Exception):
    """The person has not signed in yet. `is_too_fast` says that we ask too often."""

    def __init__(self, *, is_too_fast: bool) -> None:
        super().__init__()
        self.is_too_fast = is_too_fast


class Registration(Record, hidden=("client_secret",)):
    """The client that we have registered as. Its secret ends at `expiration`."""

    client_id: str
    client_secret: str
    expiration: datetime


class DeviceCode(Record, hidden=("device_code",)):
    """Where a person signs in and with which code, within `seconds`. We ask for the token every `interval` seconds."""

    page: str
    page_has_code: bool  # False where the person has to type it there
    user_code: str
    device_code: str
    seconds: int
    interval: int


class Pkce(Record, hidden=("verifier",)):
    """The secret that shows that who asks for the tokens is who has opened the page (RFC 7636)."""

    verifier: str

    @classmethod
    def fresh(cls) -> Pkce:
        """Make a new secret."""
        return cls(secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """What the page gets: the hash of the secret."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")


class Tokens(Record, hidden=("access_token", "refresh_token")):
    """What the service gives once the person has signed in. `expiration` is the access token's."""

    access_token: str
    expiration: datetime
    refresh_token: str | None


class Oidc:
    """The OIDC service of one sign-in.

    `section` is the one of AWS's files that configures it. `timeout` is in seconds, for each call; `waiting` is told
    of a call that takes longer than a second. All calls raise SignInFailedError, NetworkError, BadAnswerError and
    ConfigError.
    """

    def __init__(
        self,
        sso_session: SsoSession,
        section: str,
        boto_session: Any,
        timeout: float,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sso_session = sso_session
        self._section = section
        self._boto_session = boto_session
        self._timeout = timeout
        self._waiting = waiting
        self._name = one_line(str(sso_session))
        self._what = f"the sign-in to {self._name}"
        self._address = ""  # of the service, as botocore has resolved it for the last call

    @property
    def knows_redirects(self) -> bool:
        """Whether botocore knows the sign-in with a redirect: since 1.34.103, of May 2024."""
        model = self._guarded(lambda: self._client.meta.service_model)
        return "codeVerifier" in model.operation_model("CreateToken").input_shape.members

    def register(self, *, for_redirect: bool = False) -> Registration:
        """Register as a client, for a device code or for a redirect. The sign-in page shows the person its name."""
        request: dict[str, Any] = {"clientName": "awsdirenv", "clientType": "public"}
        if self._scopes:  # with a scope the service gives refresh tokens
            request["scopes"] = list(self._scopes)
        if for_redirect:
            # The AWS CLI leaves these out for a device code.
            request |= {"grantTypes": list(_CODE_GRANTS), "redirectUris": [_REDIRECT_URI], "issuerUrl": self._start_url}
        needed = {"clientId": str, "clientSecret": str, "clientSecretExpiresAt": int}
        answer = self._call("register_client", request, needed)
        try:
            expiration = from_epoch(answer["clientSecretExpiresAt"])
        except (OverflowError, ValueError, OSError):
            raise bad_answer(self._what) from None
        return Registration(answer["clientId"], answer["clientSecret"], expiration)

    def start(self, client: Registration) -> DeviceCode:
        """Ask for a device code."""
        request = {**_identity(client), "startUrl": self._start_url}
        needed = {"deviceCode": str, "userCode": str, "verificationUri": str, "expiresIn": int}
        answer = self._call("start_device_authorization", request, needed)
        page_with_code, interval = answer.get("verificationUriComplete"), answer.get("interval")
        has_page_with_code = isinstance(page_with_code, str) and page_with_code != ""
        page = str(page_with_code) if has_page_with_code else answer["verificationUri"]
        if not _PAGE.fullmatch(page) or not _CODE.fullmatch(answer["userCode"]):
            raise bad_answer(self._what)
        return DeviceCode(
            page=page,
            page_has_code=has_page_with_code,
            user_code=answer["userCode"],
            device_code=answer["deviceCode"],
            seconds=answer["expiresIn"],
            interval=interval if isinstance(interval, int) and interval > 0 else _INTERVAL,
        )

    def tokens(self, client: Registration, device: DeviceCode) -> Tokens:
        """Ask for the tokens. Raises NotYetError while the person has not signed in."""
        request = {**_identity(client), "grantType": _DEVICE_GRANT, "deviceCode": device.device_code}
        return self._created(request)

    def authorization_page(self, client: Registration, redirect_uri: str, state: str, pkce: Pkce) -> str:
        """Return the page where the person signs in, for a client that was registered for a redirect just now."""
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge_method": "S256",
            "scopes": " ".join(self._scopes),  # in OAuth it is `scope`; the AWS CLI sends this
            "code_challenge": pkce.challenge,
        }
        page = f"{self._address}/authorize?{urlencode(query, quote_via=quote)}"
        if not _PAGE.fullmatch(page):
            raise bad_answer(self._what)
        return page

    def redeem(self, client: Registration, answer: RedirectAnswer, redirect_uri: str, pkce: Pkce) -> Tokens:
        """Exchange the code that the browser has brought for tokens, once. Raises NotYetError if we are to wait.

        If the browser has brought an error, that is raised.
        """
        if answer.error == "access_denied":
            raise self._denied()
        if answer.error:
            raise self._refusal(answer.error, answer.description or "no reason given")
        request = {**_identity(client), "grantType": _CODE_GRANTS[0], "code": answer.code}
        return self._created({**request, "redirectUri": redirect_uri, "codeVerifier": pkce.verifier})

    def _created(self, request: Mapping[str, Any]) -> Tokens:
        answer = self._call("create_token", request, {"accessToken": str, "expiresIn": int})
        try:
            expiration = utc_now() + timedelta(seconds=answer["expiresIn"])
        except OverflowError:
            raise bad_answer(self._what) from None
        return Tokens(answer["accessToken"], expiration, answer.get("refreshToken") or None)

    @property
    def _scopes(self) -> tuple[str, ...]:
        return self._sso_session.registration_scopes or (_DEFAULT_SCOPES if self._sso_session.name else ())

    @functools.cached_property
    def _start_url(self) -> str:
        """The start URL as Identity Center knows it. A company's own URL redirects there, as for the AWS CLI."""
        url = canonical(self._sso_session.start_url)
        if is_of_aws(url) or not url.startswith("https://"):
            return url
        leads_to = canonical(self._guarded(lambda: _redirected(url, self._boto_session)))
        region = region_of(leads_to)
        if region and region != self._sso_session.region:
            raise ConfigError(
                f"{one_line(url)} leads to {region}, and sso_region is {one_line(self._sso_session.region)}",
                f"set sso_region = {region} in {self._section}",
            )
        return leads_to if is_of_aws(leads_to) else url

    def _call(self, operation: str, request: Mapping[str, Any], needed: Mapping[str, type]) -> dict[str, Any]:
        """Call, and give an answer that has the members that are `needed`, by name and type.

        botocore takes a page of HTML for an answer without members.
        """
        import botocore.exceptions as bx  # noqa: PLC0415

        def call() -> dict[str, Any]:
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**request)
            except bx.ClientError as error:
                if not self._is_refusal(operation, error.response):
                    raise
                return dict(error.response)
            return answer

        answer = self._guarded(call)
        if "Error" in answer:
            raise self._refused(operation, answer)
        if not all(isinstance(answer.get(name), kind) and answer[name] for name, kind in needed.items()):
            raise bad_answer(self._what)
        return answer

    def _guarded(self, call: Callable[[], T]) -> T:
        return guarded(self._what, lambda: Budget(self._timeout, self._waiting).spend(self._what, call), self._section)

    @functools.cached_property
    def _client(self) -> Any:
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        config = Config(region_name=self._sso_session.region, signature_version=UNSIGNED)
        client = self._boto_session.create_client("sso-oidc", config=config)
        client.meta.events.register("before-send.sso-oidc.RegisterClient", self._note_address)
        return client

    def _note_address(self, request: Any, **_: Any) -> None:
        """Take note where the service is: botocore has no operation for the page of a sign-in."""
        self._address = str(request.url).removesuffix(_REGISTER_PATH)

    @staticmethod
    def _is_refusal(operation: str, response: Mapping[str, Any]) -> bool:
        """Return whether an error is special to this service, so for `_refused`. `guarded` knows all others."""
        if response["Error"].get("Code") in (_PENDING, _TOO_FAST):
            return operation == "create_token"
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(response.get("error_description")) and status < 500

    def _refused(self, operation: str, response: Mapping[str, Any]) -> AwsdirenvError | NotYetError:
        code = str(response["Error"].get("Code"))
        if code in (_PENDING, _TOO_FAST):
            return NotYetError(is_too_fast=code == _TOO_FAST)
        if operation == "create_token" and code == "AccessDeniedException":
            return self._denied()
        if code == "ExpiredTokenException":
            return self.too_late()
        # The description is where OAuth has it: there is no message where botocore looks for one.
        return self._refusal(code, str(response["error_description"]))

    def _denied(self) -> SignInFailedError:
        return SignInFailedError(
            f"the sign-in to {self._name} was denied", "try again and allow it in the browser, or ask who denied it"
        )

    def _refusal(self, code: str, description: str) -> SignInFailedError:
        words = without_keys(one_line(description))[:_LONGEST_COMPLAINT]
        settings = "sso_start_url, sso_region and sso_registration_scopes"
        return SignInFailedError(
            f"the sign-in to {self._name} was refused: {words} ({one_line(code)[:_LONGEST_COMPLAINT]})",
            f"check {settings} in {self._section}",
        )

    def too_late(self) -> SignInFailedError:
        """Make the error for a device code that has ended before the person signed in."""
        return SignInFailedError(f"the sign-in to {self._name} took too long", "try again, and allow it while it waits")


def oidc_service(
    chain: Chain, sso_session: SsoSession, files: AwsFiles, timeout: timedelta, waiting: Callable[[str], None]
) -> Oidc:
    """Make the service for a chain's sign-in. `timeout` is for each call, and `waiting` is told of slow ones."""
    name = sso_session.name
    section = section_header(name, "sso-session") if name else place_of(files, chain.source_profile, "sso_start_url")
    return Oidc(sso_session, section, boto_session(files, chain.profile), timeout.total_seconds(), waiting)


def _identity(client: Registration) -> dict[str, str]:
    return {"clientId": client.client_id, "clientSecret": client.client_secret}


def _redirected(url: str, boto_session: Any) -> str:
    """Return where a URL redirects to, or the URL itself. One step only. Raises what botocore raises."""
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415
    from botocore.utils import get_environ_proxies  # noqa: PLC0415

    bundle = boto_session.get_config_variable("ca_bundle")
    session = URLLib3Session(verify=bundle or True, proxies=get_environ_proxies(url), timeout=_TIMEOUT)
    for method in ("HEAD", "GET"):
        answer = session.send(AWSRequest(method, url).prepare())
        if answer.status_code not in _OTHER_METHOD:
            break
    location = answer.headers.get("location") if answer.status_code in _MOVED else None
    target = urljoin(url, location) if location else url
    return target if urlsplit(target).scheme == "https" else url
