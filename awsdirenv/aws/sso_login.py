"""Signing in to IAM Identity Center by OIDC device authorization (RFC 8628), as `aws sso login --use-device-code` does.

botocore can only refresh the token of a sign-in. Getting the first one takes a person with a browser: we register as a
client, ask for a device code, show it to the person, and ask for the token until they have allowed it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from awsdirenv.aws import sso_token
from awsdirenv.aws.botocore_session import Budget, boto_session
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.config.aws_files import AwsFiles, place_of, section_header
from awsdirenv.config.chain import Chain, SsoSession
from awsdirenv.errors import AwsdirenvError, NetworkError, SignInFailedError
from awsdirenv.records import Record
from awsdirenv.session_credentials import duration_text, from_epoch, utc_now
from awsdirenv.system import browser
from awsdirenv.system.lock import SIGNING_IN, Locks
from awsdirenv.system.text import one_line, without_keys

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# Without a scope Identity Center gives no refresh token, and the person signs in again after an hour.
_DEFAULT_SCOPES = ("sso:account:access",)
_INTERVAL = 5  # seconds between two questions, where the service does not say
_SLOWER = 5  # seconds to add after `SlowDownException`, as RFC 8628 has it
_PENDING, _TOO_FAST = "AuthorizationPendingException", "SlowDownException"
# The page is given to a browser, and both are shown. Neither may be an option of a program, or control the terminal.
_PAGE = re.compile(r"https?://[!-~]+")
_CODE = re.compile(r"[!-~]{1,64}")


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
        self._client: Any = None

    def register(self) -> Registration:
        """Register as a client. The sign-in page shows the person its name."""
        # Without grant types, as the AWS CLI does for a device code. With a scope the service gives refresh tokens.
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
        """Ask for a device code."""
        request = {**_identity(client), "startUrl": self._sso_session.start_url}
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
        answer = self._call("create_token", request, {"accessToken": str, "expiresIn": int})
        try:
            expiration = utc_now() + timedelta(seconds=answer["expiresIn"])
        except OverflowError:
            raise bad_answer(self._what) from None
        return Tokens(answer["accessToken"], expiration, answer.get("refreshToken") or None)

    def _call(self, operation: str, request: Mapping[str, Any], needed: Mapping[str, type]) -> dict[str, Any]:
        """Call, and give an answer that has the members that are `needed`, by name and type.

        botocore takes a page of HTML for an answer without members.
        """
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
            return SignInFailedError(
                f"the sign-in to {self._name} was denied", "try again and allow it in the browser, or ask who denied it"
            )
        if code == "ExpiredTokenException":
            return self.too_late()
        # The description is where OAuth has it: there is no message where botocore looks for one.
        words = without_keys(one_line(str(response["error_description"])))
        settings = "sso_start_url, sso_region and sso_registration_scopes"
        return SignInFailedError(
            f"the sign-in to {self._name} was refused: {words} ({one_line(code)})",
            f"check {settings} in {self._section}",
        )

    def too_late(self) -> SignInFailedError:
        """Make the error for a device code that has ended before the person signed in."""
        return SignInFailedError(f"the sign-in to {self._name} took too long", "try again, and allow it while it waits")


class SignIn(Record):
    """One sign-in, and how to reach the person: `say` shows a line. `sleep` and `clock` count in seconds."""

    sso_session: SsoSession
    oidc: Oidc
    environ: Mapping[str, str]
    say: Callable[[str], None]
    open_browser: bool
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def run(self) -> None:
        """Have the person sign in, and write the token file. Raises what `Oidc` raises, and CacheError."""
        # First, so that nobody signs in and then the token cannot be written.
        sso_token.prepare(self.sso_session, self.environ)
        client = self.oidc.register()
        device = self.oidc.start(client)
        self._show(device)
        self._write(client, self._wait(client, device))
        self.say(f"awsdirenv: signed in to {self._name}")

    @property
    def _name(self) -> str:
        return one_line(str(self.sso_session))

    def _show(self, device: DeviceCode) -> None:
        """Show the user where to sign in and with which code. If there is a desktop, open a browser there."""
        if self.open_browser and browser.is_there(self.environ) and browser.start(device.page, self.environ):
            where = "your browser opens this page; if not, open it yourself, on any device"
        else:
            where = "open this page in a browser, on any device"
        self.say(f"awsdirenv: to sign in to {self._name}: {where}")
        self.say(f"awsdirenv:   {device.page}")
        code = "allow it only if the page shows this code" if device.page_has_code else "type this code there"
        self.say(f"awsdirenv: {code}: {device.user_code}")
        self.say(f"awsdirenv: waiting for up to {duration_text(device.seconds)}; Ctrl-C cancels")

    def _wait(self, client: Registration, device: DeviceCode) -> Tokens:
        """Ask for the tokens until the person has signed in, or the device code has ended."""
        deadline, pause = self.clock() + device.seconds, device.interval
        failure: NetworkError | None = None
        while True:
            try:
                return self.oidc.tokens(client, device)
            except NotYetError as answer:
                pause += _SLOWER if answer.is_too_fast else 0
                failure = None
            except NetworkError as error:
                # A network that is away for a while, as when a VPN starts, must not make the person begin again.
                if failure is None:
                    self.say(f"awsdirenv: {error.message}; trying again")
                pause += _SLOWER
                failure = error
            if self.clock() + pause > deadline:
                raise failure or self.oidc.too_late()
            self.sleep(pause)

    def _write(self, client: Registration, tokens: Tokens) -> None:
        values = {
            "accessToken": tokens.access_token,
            "expiresAt": tokens.expiration,
            "clientId": client.client_id,
            "clientSecret": client.client_secret,
            "registrationExpiresAt": client.expiration,
        }
        if tokens.refresh_token:
            values["refreshToken"] = tokens.refresh_token
        sso_token.write(self.sso_session, values, self.environ)


def oidc_service(
    chain: Chain, sso_session: SsoSession, files: AwsFiles, timeout: timedelta, waiting: Callable[[str], None]
) -> Oidc:
    """Make the service for a chain's sign-in. `timeout` is for each call, and `waiting` is told of slow ones."""
    name = sso_session.name
    section = section_header(name, "sso-session") if name else place_of(files, chain.source_profile, "sso_start_url")
    return Oidc(sso_session, section, boto_session(files, chain.profile), timeout.total_seconds(), waiting)


def sign_in_once(sign_in: SignIn, key: str, locks: Locks, before: SsoToken | None) -> None:
    """Sign in, one process at a time. A process that has waited for another takes the token that this one has got.

    `key` names the lock, and `before` is the token that was not good enough. Raises what `SignIn.run` raises, and
    LockTimeoutError.
    """
    with locks.hold(key):
        if sso_token.read(sign_in.sso_session, sign_in.environ) == before:
            locks.note(f"{SIGNING_IN} to {sign_in.sso_session}")
            try:
                sign_in.run()
            finally:
                locks.note("calling AWS")  # other processes no longer wait for a person


def _identity(client: Registration) -> dict[str, str]:
    return {"clientId": client.client_id, "clientSecret": client.client_secret}
