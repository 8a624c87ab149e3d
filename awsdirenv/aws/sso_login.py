"""Signing in to IAM Identity Center, as the AWS CLI does since 2.22: the browser of this machine comes back to us.

botocore can only refresh the token of a sign-in. Getting the first one takes a person with a browser. If the browser is
on this machine, the sign-in is OAuth's authorization code with PKCE: the page redirects the browser to our loopback. So
a page that somebody else has started is of no use to them. With a browser elsewhere, and for profiles without an
`sso_session`, it is a device code (RFC 8628), which the person compares.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from awsdirenv.aws import sso_token
from awsdirenv.aws.sso_oidc import DeviceCode, NotYetError, Oidc, Pkce, Registration, Tokens
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.config.chain import SsoSession
from awsdirenv.errors import NetworkError, SignInFailedError
from awsdirenv.records import Record
from awsdirenv.session_credentials import duration_text
from awsdirenv.system import browser
from awsdirenv.system.lock import SIGNING_IN, Locks
from awsdirenv.system.redirects import Redirects
from awsdirenv.system.text import one_line

_SLOWER = 5  # seconds to add after `SlowDownException`, as RFC 8628 has it
_REDIRECT_WITHIN = 600  # seconds for the browser to come back, as in the AWS CLI
_MOST_TRIES = 5  # to give the code for the tokens, if the service asks to wait


class SignIn(Record):
    """One sign-in, and how to reach the person: `say` shows a line. `sleep` and `clock` count in seconds.

    `redirect_within` is how long the browser may take to come back, in seconds.
    """

    sso_session: SsoSession
    oidc: Oidc
    environ: Mapping[str, str]
    say: Callable[[str], None]
    open_browser: bool
    device_code: bool = False  # as the person wants it, also where a browser is
    device_command: str = ""  # what to type for that
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    redirect_within: float = _REDIRECT_WITHIN

    def run(self) -> None:
        """Have the person sign in, and write the token file. Raises what `Oidc` raises, and CacheError."""
        # First, so that nobody signs in and then the token cannot be written.
        sso_token.prepare(self.sso_session, self.environ)
        redirects = self._redirects()
        if redirects:
            with contextlib.closing(redirects):
                client, tokens = self._by_redirect(redirects)
        else:
            client, tokens = self._by_device_code()
        self._write(client, tokens)
        self.say(f"awsdirenv: signed in to {self._name}")

    @property
    def _name(self) -> str:
        return one_line(str(self.sso_session))

    def _redirects(self) -> Redirects | None:
        """Listen for the browser. None where it would not find us, and for a profile of the old kind."""
        if self.device_code or self.sso_session.name is None or not browser.is_here(self.environ):
            return None
        if not self.oidc.knows_redirects:
            return None
        with contextlib.suppress(OSError):  # no loopback
            return Redirects()
        return None

    def _by_redirect(self, redirects: Redirects) -> tuple[Registration, Tokens]:
        pkce, uri = Pkce.fresh(), redirects.redirect_uri
        client = self.oidc.register(for_redirect=True)
        with redirects.leading_to(self.oidc.authorization_page(client, uri, redirects.state, pkce)):
            self._show_redirect(redirects.page)
            answer = redirects.wait(self.redirect_within, self._tell_of_stranger)
        if answer is None:
            raise SignInFailedError(
                f"no browser has come back from the sign-in to {self._name}",
                f"try again, or with a browser on another device: {self.device_command}",
            )
        return client, self._redeem(lambda: self.oidc.redeem(client, answer, uri, pkce))

    def _redeem(self, redeem: Callable[[], Tokens]) -> Tokens:
        tries = 0
        while True:
            try:
                return redeem()
            except NotYetError:
                tries += 1
            if tries == _MOST_TRIES:
                raise self.oidc.too_late()
            self.sleep(_SLOWER)

    def _show_redirect(self, page: str) -> None:
        """Show the user where to sign in, and start their browser there."""
        if self.open_browser and browser.start(page, self.environ):
            where = "your browser opens this page; if not, open it yourself, on this machine"
        else:
            where = "open this page in a browser on this machine"
        self.say(f"awsdirenv: to sign in to {self._name}: {where}")
        self.say(f"awsdirenv:   {page}")
        self.say(f"awsdirenv: with a browser elsewhere: Ctrl-C, then {self.device_command}")
        self.say(f"awsdirenv: waiting for up to {duration_text(int(self.redirect_within))}; Ctrl-C cancels")

    def _tell_of_stranger(self) -> None:
        self.say("awsdirenv: a browser has come with an answer to another sign-in; still waiting")

    def _by_device_code(self) -> tuple[Registration, Tokens]:
        client = self.oidc.register()
        device = self.oidc.start(client)
        self._show(device)
        return client, self._wait(client, device)

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
