"""The algorithm: look, lock, look again, renew, write.

Everything with an effect is handed in (STS, store, locks, codes, clock), so this is only the order of things:

    snapshot lock -> role hop, from the last to the first -> MFA session at the long-term key

A hop's lock is keyed by everything before it, so two processes can never want two locks in opposite orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from awsdirenv.errors import AwsdirenvError, PersonNeededError, SessionRefusedError
from awsdirenv.lock import ASKING, Locks
from awsdirenv.mfa import CodeSource, prove
from awsdirenv.paths import session_key
from awsdirenv.profile import Chain
from awsdirenv.session_credentials import SessionCredentials
from awsdirenv.sources import CredentialSource
from awsdirenv.store import SessionStore, UsedCodes

# AWS: a role assumed with session credentials lives at most one hour, whatever the role allows.
CHAINING_CAP = 3600  # seconds


@dataclass(frozen=True)
class _Wanted:
    """One session: its key, a label for people, how to get a new one.

    `ahead` renews it before its end; then a failure keeps what still works, and nobody is asked. `force` takes no
    stored one.
    """

    key: str
    label: str
    renew: Callable[[], SessionCredentials]
    ahead: bool
    force: bool

    def is_met_by(self, session: SessionCredentials, now: datetime) -> bool:
        """Whether a stored session makes a new one needless."""
        return not self.force and (session.is_fresh(now) if self.ahead else session.is_usable(now))


@dataclass
class Refresher:
    """Gets one chain's credentials with as few STS calls and codes as there can be."""

    chain: Chain
    sts: CredentialSource
    store: SessionStore
    used: UsedCodes
    locks: Locks
    codes: CodeSource
    now: Callable[[], datetime]
    mfa_session_duration: timedelta
    renew_role: bool = False  # `login --force`: take no stored credentials for the last step
    renew_mfa: bool = False  # `login --force --token-code`: nor the stored MFA session
    _source: SessionCredentials | None = field(default=None, init=False)
    _may_ask: bool = field(default=True, init=False)

    def credentials(self) -> SessionCredentials:
        """Give the credentials of the chain's end. Raises any AwsdirenvError."""
        if self.chain.hops:
            return self._role(len(self.chain.hops) - 1)
        source = self._source_credentials()
        if source.is_long_term:
            return self._key_session(refused=None)
        with self._using_key():
            return self._identified(source)

    def _role(self, index: int, refused: str | None = None) -> SessionCredentials:
        """Give the credentials of one hop; `refused` is the access key id of a session that STS no longer takes."""
        hop = self.chain.hops[index]
        last = index == len(self.chain.hops) - 1
        wanted = _Wanted(
            key=self._hop_key(index),
            label=hop.role_arn,
            renew=lambda: self._assume(index),
            ahead=last,
            force=last and self.renew_role,
        )
        return self._obtain(wanted, refused)

    def _assume(self, index: int) -> SessionCredentials:
        hop = self.chain.hops[index]
        if self._proves_at_role(index):
            caller, serial = self._source_credentials(), self.chain.mfa_serial

            def attempt(code: str) -> SessionCredentials:
                with self._using_key():
                    return self.sts.assume_role(caller, hop, hop.duration_seconds, serial, code)

            return self._prove(serial or "", attempt)
        caller = self._caller(index)
        seconds = self._seconds(index, caller)
        if caller is self._source:
            with self._using_key():
                return self.sts.assume_role(caller, hop, seconds)
        try:
            return self.sts.assume_role(caller, hop, seconds)
        except SessionRefusedError:
            return self.sts.assume_role(self._caller(index, refused=caller.access_key_id), hop, seconds)

    def _caller(self, index: int, refused: str | None = None) -> SessionCredentials:
        """Give what a hop is called with: the hop before it, the key's MFA session, or the source itself."""
        if index > 0:
            return self._role(index - 1, refused)
        source = self._source_credentials()
        return self._key_session(refused) if source.is_long_term and self.chain.mfa_serial else source

    def _key_session(self, refused: str | None) -> SessionCredentials:
        """Give the session of the long-term key, shared by every profile behind the same key and device."""
        source, serial = self._source_credentials(), self.chain.mfa_serial
        seconds = int(self.mfa_session_duration.total_seconds())

        def start(code: str | None) -> SessionCredentials:
            with self._using_key():
                return self._identified(self.sts.get_session_token(source, seconds, serial, code))

        def renew() -> SessionCredentials:
            return self._prove(serial, start, holds_device=True) if serial else start(None)

        wanted = _Wanted(
            key=self._device_key(),
            label=serial or source.access_key_id,
            renew=renew,
            # Without a device it costs nobody a code to be early; with one, it is renewed when it is over.
            ahead=not serial,
            force=self.renew_mfa or (self.renew_role and not self.chain.hops),
        )
        return self._obtain(wanted, refused)

    def _prove(
        self, serial: str, attempt: Callable[[str], SessionCredentials], *, holds_device: bool = False
    ) -> SessionCredentials:
        """Get a code and use it. Codes are single-use: those who need one of the same device ask one after another."""
        if not self._may_ask and not self.codes.silent:
            raise PersonNeededError("the MFA session is over", "awsdirenv login")  # kept from people by _obtain
        if not holds_device:
            with self.locks.hold(self._device_key()):
                return self._prove(serial, attempt, holds_device=True)
        self.locks.note(f"{'getting' if self.codes.silent else ASKING} the MFA code of {serial}")
        try:
            return prove(serial, attempt, self.codes, self.used, self.now)
        finally:
            self.locks.note("calling STS")

    def _obtain(self, wanted: _Wanted, refused: str | None) -> SessionCredentials:
        """Give the stored session if it will do, else a new one; one process at a time gets it.

        `refused` is the access key id of a session that STS no longer takes: it is dropped, but not its successor,
        which another process may have stored meanwhile.
        """
        session = self._stored(wanted.key, refused)
        if session is not None and wanted.is_met_by(session, self.now()):
            return session
        with self.locks.hold(wanted.key):
            session = self._stored(wanted.key, refused)
            if session is not None and wanted.is_met_by(session, self.now()):
                return session
            if session is None and refused:
                self.store.drop(wanted.key)
            keep = session if session is not None and not wanted.force and session.is_usable(self.now()) else None
            self._may_ask &= keep is None  # no question to a person whose credentials still hold
            try:
                renewed = wanted.renew()
            except AwsdirenvError:
                if keep is None:
                    raise
                return keep
            self.store.write(wanted.key, renewed, wanted.label)
            return renewed

    def _stored(self, key: str, refused: str | None) -> SessionCredentials | None:
        session = self.store.read(key)
        return None if session is None or session.access_key_id == refused else session

    def _source_credentials(self) -> SessionCredentials:
        if self._source is None:
            self._source = self.sts.source_credentials(self.chain)
        return self._source

    def _identified(self, session: SessionCredentials) -> SessionCredentials:
        """Add the account where nothing said it so far. A session without it is still good."""
        if session.account_id:
            return session
        try:
            account_id, arn = self.sts.caller_identity(session)
        except SessionRefusedError:
            raise
        except AwsdirenvError:
            return session
        return replace(session, account_id=account_id or None, arn=arn or None)

    def _proves_at_role(self, index: int) -> bool:
        """Whether the role itself is assumed with the code, instead of through the key's MFA session.

        A role that wants more than an hour cannot have it through a session. And where the source is temporary
        already, there is no key to prove the device at: the hop's own serial is handed on, as botocore does.
        """
        if index != 0 or not self.chain.mfa_serial:
            return False
        if not self._source_credentials().is_long_term:
            return self.chain.hops[0].mfa_serial is not None
        last = len(self.chain.hops) == 1
        return last and (self.chain.hops[0].duration_seconds or 0) > CHAINING_CAP

    def _seconds(self, index: int, caller: SessionCredentials) -> int | None:
        """Give the duration to ask for, within the chaining cap where a session assumes the role."""
        wanted = self.chain.hops[index].duration_seconds
        capped = index > 0 or not caller.is_long_term
        return min(wanted, CHAINING_CAP) if wanted is not None and capped else wanted

    def _device_key(self) -> str:
        return session_key("mfa", self._source_identity(), self.chain.mfa_serial or "", self.chain.endpoint)

    def _hop_key(self, index: int) -> str:
        """Name a hop's session by everything that leads to it: an edited role never finds yesterday's credentials."""
        before = [[hop.role_arn, hop.external_id, hop.role_session_name] for hop in self.chain.hops[: index + 1]]
        # How long the hops before the last one live is nobody's wish: they only open the way.
        seconds = self.chain.hops[index].duration_seconds if index == len(self.chain.hops) - 1 else None
        identity = self._source_identity()
        return session_key("role", identity, self.chain.mfa_serial or "", self.chain.endpoint, before, seconds)

    def _source_identity(self) -> str:
        """Tell sources apart: a key by its id; what changes its keys by itself (SSO, …) by what its profile says."""
        source = self._source_credentials()
        if source.expiration is None or self.chain.credential_source:
            return f"key {source.access_key_id}"
        return f"profile {self.chain.source_profile} {self.chain.source_fingerprint}"

    @contextmanager
    def _using_key(self) -> Iterator[None]:
        """Blame the source's profile where STS takes no call signed with its keys."""
        try:
            yield
        except SessionRefusedError:
            name = self.chain.source_profile
            raise SessionRefusedError(
                f"STS does not take the access key of profile {name}",
                f"check aws_access_key_id and aws_secret_access_key of [{name}]",
            ) from None
