"""Signing in to IAM Identity Center by OIDC device authorization (RFC 8628), as `aws sso login --use-device-code` does.

botocore only refreshes tokens; getting the first one takes a person with a browser.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from awsdirenv import sso_token
from awsdirenv.boto_session import Budget
from awsdirenv.chain import SsoSession
from awsdirenv.errors import SignInFailedError
from awsdirenv.lock import ASKING, Locks
from awsdirenv.session_credentials import from_epoch, utc_now
from awsdirenv.sts_errors import guarded

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# Without a scope Identity Center gives no refresh token, and the person signs in again after an hour.
_DEFAULT_SCOPES = ("sso:account:access",)
_INTERVAL = 5  # seconds, where the answer does not say
_SLOWER = 5  # seconds more, as RFC 8628 has it
_CALL = 20  # seconds for one call


@dataclass(frozen=True)
class SignIn:
    """One sign-in: where, and how to reach the person."""

    sso_session: SsoSession
    boto_session: Any
    environ: Mapping[str, str]
    say: Callable[[str], None]
    open_browser: bool
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Have the person sign in, and write the token. Raises SignInFailedError, NetworkError and CacheError."""
        import botocore.exceptions as bx  # noqa: PLC0415
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        config = Config(region_name=self.sso_session.region, signature_version=UNSIGNED)
        client = self.boto_session.create_client("sso-oidc", config=config)
        registration = self._call(lambda: client.register_client(**self._registration()))
        client_id = {"clientId": registration["clientId"], "clientSecret": registration["clientSecret"]}
        device = self._call(lambda: client.start_device_authorization(**client_id, startUrl=self.sso_session.start_url))
        self._show(device)
        deadline, pause = time.monotonic() + device.get("expiresIn", 600), device.get("interval") or _INTERVAL

        def poll() -> Any:
            try:
                return client.create_token(**client_id, grantType=_DEVICE_GRANT, deviceCode=device["deviceCode"])
            except bx.ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code in ("AuthorizationPendingException", "SlowDownException"):
                    return code
                if code in ("AccessDeniedException", "ExpiredTokenException"):
                    raise self._failed("was denied" if code == "AccessDeniedException" else "took too long") from None
                raise

        answer = self._call(poll)
        while isinstance(answer, str):
            pause += _SLOWER if answer == "SlowDownException" else 0
            if time.monotonic() + pause > deadline:
                raise self._failed("took too long")
            self.sleep(pause)
            answer = self._call(poll)
        self._write(answer, registration)

    def _registration(self) -> dict[str, Any]:
        scopes = self.sso_session.registration_scopes or (_DEFAULT_SCOPES if self.sso_session.name else ())
        wanted: dict[str, Any] = {"clientName": "awsdirenv", "clientType": "public"}
        if scopes:
            # With the scopes come refresh tokens, for which the grant is named.
            wanted |= {"scopes": list(scopes), "grantTypes": [_DEVICE_GRANT, "refresh_token"]}
        return wanted

    def _show(self, device: Mapping[str, Any]) -> None:
        """Say where to go and with which code; the browser is opened where there is a desktop to open it on."""
        url = device.get("verificationUriComplete") or device["verificationUri"]
        self.say(f"awsdirenv: sign in to {self.sso_session} in a browser: {url}")
        self.say(f"awsdirenv: the page has to show the code {device['userCode']}")
        has_desktop = any(self.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
        if self.open_browser and (has_desktop or sys.platform == "darwin"):
            # A browser may block, and may talk: it gets a process and a session of its own.
            subprocess.Popen(
                [sys.executable, "-I", "-m", "webbrowser", "-t", url],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(self.environ),
                start_new_session=True,
            )

    def _write(self, answer: Mapping[str, Any], registration: Mapping[str, Any]) -> None:
        token = {
            "accessToken": answer["accessToken"],
            "expiresAt": utc_now() + timedelta(seconds=answer["expiresIn"]),
            "clientId": registration["clientId"],
            "clientSecret": registration["clientSecret"],
            "registrationExpiresAt": from_epoch(registration["clientSecretExpiresAt"]),
        }
        if answer.get("refreshToken"):
            token["refreshToken"] = answer["refreshToken"]
        sso_token.write(self.sso_session, token, self.environ)

    def _call(self, call: Callable[[], Any]) -> Any:
        what = f"the sign-in to {self.sso_session}"
        return guarded(what, lambda: Budget(_CALL).spend(what, call), f"[sso-session {self.sso_session}]")

    def _failed(self, how: str) -> SignInFailedError:
        return SignInFailedError(f"the sign-in to {self.sso_session} {how}", "try again: awsdirenv login")


def sign_in_once(wanted: SignIn, key: str, locks: Locks) -> None:
    """Sign in, one process at a time; who has waited takes what the other has got.

    `key` is the lock's. Raises SignInFailedError, NetworkError and CacheError.
    """
    before = sso_token.read(wanted.sso_session, wanted.environ)
    with locks.hold(key):
        if sso_token.read(wanted.sso_session, wanted.environ) == before:
            locks.note(f"{ASKING} the sign-in to {wanted.sso_session}")
            wanted.run()
