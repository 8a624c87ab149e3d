"""The OIDC service of IAM Identity Center, through botocore: register, get a device code, and the token for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.config.chain import SsoSession
from awsdirenv.credentials import from_epoch, utc_now
from awsdirenv.errors import AwsdirenvError, SignInFailedError
from awsdirenv.system.text import one_line

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# Without a scope Identity Center gives no refresh token, and the person signs in again after an hour.
_DEFAULT_SCOPES = ("sso:account:access",)
_INTERVAL = 5  # seconds, where the answer does not say
_PENDING, _TOO_FAST = "AuthorizationPendingException", "SlowDownException"
# The page is handed to a browser and the code is shown: neither may be anything else, or steer the terminal.
_PAGE = re.compile(r"https?://[!-~]+")
_CODE = re.compile(r"[!-~]{1,64}")


class NotYetError(Exception):
    """The person has not signed in yet. `is_too_fast`: we ask too often."""

    def __init__(self, *, is_too_fast: bool) -> None:
        """Take what the service says."""
        super().__init__()
        self.is_too_fast = is_too_fast


@dataclass(frozen=True)
class Registration:
    """What we are to the service: a client, until its secret is over."""

    client_id: str
    client_secret: str = field(repr=False)
    expiration: datetime


@dataclass(frozen=True)
class DeviceCode:
    """Where a person signs in and with which code, for `seconds`; we ask every `interval` seconds."""

    page: str
    page_has_code: bool  # or the person types it there
    user_code: str
    device_code: str = field(repr=False)
    seconds: int
    interval: int


@dataclass(frozen=True)
class Tokens:
    """What comes of it."""

    access_token: str = field(repr=False)
    expiration: datetime
    refresh_token: str | None = field(repr=False)


class Oidc:
    """The service of one sign-in. `timeout` is for each call, in seconds.

    All calls raise SignInFailedError, NetworkError, BadAnswerError and ConfigError.
    """

    def __init__(
        self,
        sso_session: SsoSession,
        section: str,
        boto_session: Any,
        timeout: float,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take where to sign in, the section that says so, botocore's session, the timeout, and who hears of waits."""
        self._sso_session = sso_session
        self._section = section
        self._boto_session = boto_session
        self._timeout = timeout
        self._waiting = waiting
        self._name = one_line(str(sso_session))
        self._what = f"the sign-in to {self._name}"
        self._client: Any = None

    def register(self) -> Registration:
        """Register as a client. The page shows the person its name."""
        # No grant types: so the AWS CLI registers for a device code, and with a scope it is given refresh tokens.
        request: dict[str, Any] = {"clientName": "awsdirenv", "clientType": "public"}
        scopes = self._sso_session.registration_scopes or (_DEFAULT_SCOPES if self._sso_session.name else ())
        if scopes:
            request["scopes"] = list(scopes)
        needed = {"clientId": str, "clientSecret": str, "clientSecretExpiresAt": int}
        answer = self._call("register_client", request, needed)
        try:
            expiration = from_epoch(answer["clientSecretExpiresAt"])
        except (OverflowError, ValueError, OSError):
            raise bad_answer(self._what) from None
        return Registration(answer["clientId"], answer["clientSecret"], expiration)

    def start(self, client: Registration) -> DeviceCode:
        """Get a device code."""
        request = {**_identity(client), "startUrl": self._sso_session.start_url}
        needed = {"deviceCode": str, "userCode": str, "verificationUri": str, "expiresIn": int}
        answer = self._call("start_device_authorization", request, needed)
        whole, interval = answer.get("verificationUriComplete"), answer.get("interval")
        page = whole if isinstance(whole, str) and whole else answer["verificationUri"]
        if not _PAGE.fullmatch(page) or not _CODE.fullmatch(answer["userCode"]):
            raise bad_answer(self._what)
        return DeviceCode(
            page=page,
            page_has_code=page == whole,
            user_code=answer["userCode"],
            device_code=answer["deviceCode"],
            seconds=answer["expiresIn"],
            interval=interval if isinstance(interval, int) and interval > 0 else _INTERVAL,
        )

    def tokens(self, client: Registration, device: DeviceCode) -> Tokens:
        """Get the tokens. Raises NotYetError while the person has not signed in."""
        request = {**_identity(client), "grantType": _DEVICE_GRANT, "deviceCode": device.device_code}
        answer = self._call("create_token", request, {"accessToken": str, "expiresIn": int})
        try:
            expiration = utc_now() + timedelta(seconds=answer["expiresIn"])
        except OverflowError:
            raise bad_answer(self._what) from None
        return Tokens(answer["accessToken"], expiration, answer.get("refreshToken") or None)

    def _call(self, operation: str, request: Mapping[str, Any], needed: Mapping[str, type]) -> dict[str, Any]:
        """Call, and give an answer that has what is needed: to botocore a page of HTML is one without members."""
        import botocore.exceptions as bx  # noqa: PLC0415

        def call() -> dict[str, Any]:
            try:
                answer: dict[str, Any] = getattr(self._get_client(), operation)(**request)
            except bx.ClientError as error:
                if not self._is_refusal(operation, error.response):
                    raise
                return dict(error.response)
            return answer

        answer = guarded(
            self._what, lambda: Budget(self._timeout, self._waiting).spend(self._what, call), self._section
        )
        if "Error" in answer:
            raise self._refused(operation, answer)
        if not all(isinstance(answer.get(name), kind) and answer[name] for name, kind in needed.items()):
            raise bad_answer(self._what)
        return answer

    def _get_client(self) -> Any:
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        if self._client is None:
            config = Config(region_name=self._sso_session.region, signature_version=UNSIGNED)
            self._client = self._boto_session.create_client("sso-oidc", config=config)
        return self._client

    @staticmethod
    def _is_refusal(operation: str, response: Mapping[str, Any]) -> bool:
        """Tell what the service means for us from what any service of AWS's may answer, which `guarded` knows."""
        if response["Error"].get("Code") in (_PENDING, _TOO_FAST):
            return operation == "create_token"
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(response.get("error_description")) and status < 500

    def _refused(self, operation: str, response: Mapping[str, Any]) -> AwsdirenvError | NotYetError:
        code = str(response["Error"].get("Code"))
        if code in (_PENDING, _TOO_FAST):
            return NotYetError(is_too_fast=code == _TOO_FAST)
        if operation == "create_token" and code == "AccessDeniedException":
            return SignInFailedError(
                f"the sign-in to {self._name} was denied", "allow it in the browser, or ask who denied it"
            )
        if code == "ExpiredTokenException":
            return self.too_late()
        # OAuth's words: AWS puts none of its own beside them, where botocore looks.
        words = one_line(str(response["error_description"]))
        settings = "sso_start_url, sso_region and sso_registration_scopes"
        return SignInFailedError(
            f"the sign-in to {self._name} was refused: {words} ({one_line(code)})",
            f"check {settings} in {self._section}",
        )

    def too_late(self) -> SignInFailedError:
        """Say that the device code is over."""
        return SignInFailedError(f"the sign-in to {self._name} took too long", "try again, and allow it while it waits")


def _identity(client: Registration) -> dict[str, str]:
    return {"clientId": client.client_id, "clientSecret": client.client_secret}
