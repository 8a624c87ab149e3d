"""Signing in to IAM Identity Center by OIDC device authorization (RFC 8628), as `aws sso login --use-device-code` does.

botocore only refreshes tokens; getting the first one takes a person with a browser.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from awsdirenv.aws import sso_token
from awsdirenv.aws.botocore_session import boto_session
from awsdirenv.aws.sso_oidc import DeviceCode, NotYetError, Oidc, Registration, Tokens
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.config.chain import Chain, SsoSession
from awsdirenv.credentials import duration_text
from awsdirenv.errors import NetworkError
from awsdirenv.system import browser
from awsdirenv.system.lock import SIGNING_IN, Locks
from awsdirenv.system.text import one_line

_SLOWER = 5  # seconds more between two questions, as RFC 8628 has it


@dataclass(frozen=True)
class SignIn:
    """One sign-in: where, and how to reach the person."""

    sso_session: SsoSession
    oidc: Oidc
    environ: Mapping[str, str]
    say: Callable[[str], None]
    open_browser: bool
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def run(self) -> None:
        """Have the person sign in, and write the token. Raises what `Oidc` raises, and CacheError."""
        sso_token.prepare(self.sso_session, self.environ)  # nobody should sign in for nothing
        client = self.oidc.register()
        device = self.oidc.start(client)
        self._show(device)
        self._write(client, self._wait(client, device))
        self.say(f"awsdirenv: signed in to {self._name}")

    @property
    def _name(self) -> str:
        return one_line(str(self.sso_session))

    def _show(self, device: DeviceCode) -> None:
        """Say where to go and with which code; the browser is opened where there is a desktop to open it on."""
        if self._open(device.page):
            where = "your browser opens this page; if not, open it yourself, on any device"
        else:
            where = "open this page in a browser, on any device"
        self.say(f"awsdirenv: to sign in to {self._name}: {where}")
        self.say(f"awsdirenv:   {device.page}")
        code = "allow it only if the page shows this code" if device.page_has_code else "type this code there"
        self.say(f"awsdirenv: {code}: {device.user_code}")
        self.say(f"awsdirenv: waiting for up to {duration_text(device.seconds)}; Ctrl-C cancels")

    def _open(self, page: str) -> bool:
        """Start a browser if there is a desktop, and say whether."""
        return self.open_browser and browser.is_there(self.environ) and browser.start(page, self.environ)

    def _wait(self, client: Registration, device: DeviceCode) -> Tokens:
        """Ask until the person has signed in, or the device code is over."""
        deadline, pause = self.clock() + device.seconds, device.interval
        trouble: NetworkError | None = None
        while True:
            try:
                return self.oidc.tokens(client, device)
            except NotYetError as answer:
                pause += _SLOWER if answer.is_too_fast else 0
                trouble = None
            except NetworkError as error:
                # A network that changes, as when a VPN comes up, is no reason to have the person begin again.
                if trouble is None:
                    self.say(f"awsdirenv: {error.message}; trying again")
                pause += _SLOWER
                trouble = error
            if self.clock() + pause > deadline:
                raise trouble or self.oidc.too_late()
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
    """Give the service of a chain's sign-in; `timeout` is for each call, and `waiting` hears of slow ones."""
    profile = chain.source_profile if chain.source_profile == "default" else f"profile {chain.source_profile}"
    section = f"sso-session {sso_session.name}" if sso_session.name else profile
    return Oidc(sso_session, f"[{section}]", boto_session(files, chain.profile), timeout.total_seconds(), waiting)


def sign_in_once(wanted: SignIn, key: str, locks: Locks, before: SsoToken | None) -> None:
    """Sign in, one process at a time; who has waited takes what the other has got.

    `key` is the lock's, `before` the token that would not do. Raises what `SignIn.run` raises, and LockTimeoutError.
    """
    with locks.hold(key):
        if sso_token.read(wanted.sso_session, wanted.environ) == before:
            locks.note(f"{SIGNING_IN} to {wanted.sso_session}")
            try:
                wanted.run()
            finally:
                locks.note("calling AWS")  # who waits from now on does not wait for a person
