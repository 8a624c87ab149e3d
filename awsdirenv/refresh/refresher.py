"""The algorithm: from the last hop to the first, take what is stored, get what is not.

Everything with an effect is handed in (STS, store, locks, codes, clock), so this is only the order of things:

    snapshot lock -> role hop, from the last to the first -> MFA session at the long-term key, or what stands for a key

A hop's lock is keyed by everything before it, so two processes can never want two locks in opposite orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from awsdirenv.cache.layout import session_key
from awsdirenv.cache.sessions import SessionStore, UsedCodes, UserNames
from awsdirenv.config.chain import Chain
from awsdirenv.credentials import SessionCredentials, duration_text
from awsdirenv.errors import PersonNeededError, SessionRefusedError
from awsdirenv.refresh import session_rules
from awsdirenv.refresh.identity import USERNAME, identified, with_username
from awsdirenv.refresh.mfa_codes import CodeSource, prove
from awsdirenv.refresh.session_cache import Sessions, Wanted
from awsdirenv.refresh.session_rules import CHAINING_CAP
from awsdirenv.refresh.sources import CredentialSource
from awsdirenv.system.lock import ASKING, Locks


@dataclass
class Refresher:
    """Gets one chain's credentials with as few STS calls and codes as there can be."""

    chain: Chain
    sts: CredentialSource
    store: SessionStore
    used: UsedCodes
    users: UserNames
    locks: Locks
    codes: CodeSource
    now: Callable[[], datetime]
    mfa_session_duration: timedelta
    renew_role: bool = False  # `login --force`: take no stored credentials for the last step
    min_life: timedelta | None = None  # of the last step's credentials
    renew_mfa: bool = False  # `login --force --token-code`: nor the stored MFA session
    notices: list[str] = field(default_factory=list)  # what a person should know about what they got
    _source: SessionCredentials | None = field(default=None, init=False)
    _sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self._sessions = Sessions(self.store, self.locks, self.now, self.sts.confirmed)

    def credentials(self) -> SessionCredentials:
        """Give the credentials of the chain's end. Raises any AwsdirenvError."""
        if self.chain.hops:
            return self._role(len(self.chain.hops) - 1)
        source = self._source_credentials()
        if source.is_long_term:
            return self._key_session(refused=None)
        if self.chain.duration_seconds:
            self.notices.append("--duration has no say: what gives these credentials decides how long they live")
        try:
            with self._using_source():
                return identified(source, self.sts)
        except SessionRefusedError:
            renewed = self._source_credentials(refused=source.access_key_id)
            if renewed.access_key_id == source.access_key_id:
                raise
            with self._using_source():
                return identified(renewed, self.sts)

    def _role(self, index: int, refused: str | None = None) -> SessionCredentials:
        """Give the credentials of one hop; `refused` is the access key id of a session that STS no longer takes."""
        hop = self.chain.hops[index]
        last = index == len(self.chain.hops) - 1
        wanted = Wanted(
            key=session_rules.hop_key(self.chain, self._source_identity(), index),
            label=hop.role_arn,
            renew=lambda: self._assume(index),
            ahead=last,
            force=last and self.renew_role,
            min_life=self.min_life if last else None,
        )
        return self._sessions.obtain(wanted, refused)

    def _assume(self, index: int) -> SessionCredentials:
        hop = self.chain.hops[index]
        if self._proves_at_role(index):
            caller, serial = self._source_credentials(), self._serial() or ""
            seconds = self._seconds(index, caller)

            def attempt(code: str) -> SessionCredentials:
                with self._using_source():
                    return self.sts.assume_role(caller, hop, seconds, serial, code)

            return self._prove(serial, attempt)
        caller = self._caller(index)
        try:
            return self._assume_with(index, caller)
        except SessionRefusedError:
            renewed = self._caller(index, refused=caller.access_key_id)
            if renewed.access_key_id == caller.access_key_id:
                raise
            return self._assume_with(index, renewed)

    def _assume_with(self, index: int, caller: SessionCredentials) -> SessionCredentials:
        with self._using_source() if caller is self._source else nullcontext():
            return self.sts.assume_role(caller, self.chain.hops[index], self._seconds(index, caller))

    def _caller(self, index: int, refused: str | None = None) -> SessionCredentials:
        """Give what a hop is called with: the hop before it, the key's MFA session, or the source itself."""
        if index > 0:
            return self._role(index - 1, refused)
        source = self._source_credentials(refused)
        return self._key_session(refused) if source.is_long_term and self.chain.mfa_serial else source

    def _key_session(self, refused: str | None) -> SessionCredentials:
        """Give the session of the long-term key, shared by every profile behind the same key and device."""
        source, serial = self._source_credentials(), self._serial()
        default = int(self.mfa_session_duration.total_seconds())
        seconds, own_duration = session_rules.key_session_seconds(self.chain, default)

        def start(code: str | None) -> SessionCredentials:
            with self._using_source():
                found = self.sts.get_session_token(source, seconds, serial, code)
                return identified(found, self.sts)

        def renew() -> SessionCredentials:
            return self._prove(serial, start, holds_device=True) if serial else start(None)

        key = self._device_key(own_duration)
        wanted = Wanted(
            key=key,
            label=serial or source.access_key_id,
            renew=renew,
            # Without a device it costs nobody a code to be early; with one, it is renewed when it is over.
            ahead=not serial,
            force=self.renew_mfa or (self.renew_role and not self.chain.hops),
            min_life=None if self.chain.hops else self.min_life,
        )
        if own_duration:  # a session of its own life, but the device is one: who needs a code waits for it
            with self.locks.hold(self._device_key()):
                return self._sessions.obtain(wanted, refused)
        return self._sessions.obtain(wanted, refused)

    def _prove(
        self, serial: str, attempt: Callable[[str], SessionCredentials], *, holds_device: bool = False
    ) -> SessionCredentials:
        """Get a code and use it. Codes are single-use: those who need one of the same device ask one after another."""
        if not self._sessions.may_ask and not self.codes.silent:
            raise PersonNeededError("the MFA session is over", "awsdirenv login")  # kept from people by `obtain`
        if not holds_device:
            with self.locks.hold(self._device_key()):
                return self._prove(serial, attempt, holds_device=True)
        self.locks.note(f"{'getting' if self.codes.silent else ASKING} the MFA code of {serial}")
        try:
            return prove(serial, attempt, self.codes, self.used, self.now)
        finally:
            self.locks.note("calling STS")

    def _source_credentials(self, refused: str | None = None) -> SessionCredentials:
        """Give where the chain starts; what others have to be asked for is stored, as any session."""
        if self._source is None or (refused and self._source.access_key_id == refused):
            if session_rules.has_plain_keys(self.chain):
                self._source = self.sts.source_credentials()
            else:
                wanted = Wanted(
                    key=session_rules.source_key(self.chain, self._source_identity()),
                    label=self.chain.source_profile,
                    renew=self._resolve_source,
                    ahead=True,
                    force=self.renew_role and not self.chain.hops,
                    min_life=None if self.chain.hops else self.min_life,
                )
                self._source = self._sessions.obtain(wanted, refused)
        return self._source

    def _resolve_source(self) -> SessionCredentials:
        # A refresh token is good for one use: one process at a time renews what a person signed in to.
        sign_in = self.chain.sign_in if self.sts.may_renew_sign_in() else None
        with self.locks.hold(session_key("sign-in", sign_in)) if sign_in else nullcontext():
            return self.sts.source_credentials()

    def _serial(self) -> str | None:
        """Give the device, with the name of the key's IAM user where `mfa_serial` asks for it."""
        serial = self.chain.mfa_serial
        if not serial or USERNAME not in serial:
            return serial
        source = self._source_credentials()
        with self._using_source():
            return with_username(serial, source, self.sts, self.users)

    def _proves_at_role(self, index: int) -> bool:
        """Whether the role itself is assumed with the code: see `session_rules.proves_at_role`."""
        if index != 0 or not self.chain.mfa_serial:
            return False
        return session_rules.proves_at_role(self.chain, is_long_term=self._source_credentials().is_long_term)

    def _seconds(self, index: int, caller: SessionCredentials) -> int | None:
        """Give the duration to ask for, within the chaining cap where a session assumes the role."""
        wanted = self.chain.hops[index].duration_seconds
        if wanted is None or not session_rules.is_capped(self.chain, index, caller_is_long_term=caller.is_long_term):
            return wanted
        if index == len(self.chain.hops) - 1 and not self.notices:
            self.notices.append(f"{duration_text(wanted)} was asked for and AWS grants 1h: role chaining")
        return CHAINING_CAP

    def _device_key(self, own_duration: int | None = None) -> str:
        return session_rules.device_key(self.chain, self._source_identity(), self._serial() or "", own_duration)

    def _source_identity(self) -> str:
        key_id = self._source_credentials().access_key_id if session_rules.has_plain_keys(self.chain) else ""
        return session_rules.source_identity(self.chain, key_id)

    @contextmanager
    def _using_source(self) -> Iterator[None]:
        """Blame the source's profile where STS takes no call signed with its credentials."""
        try:
            yield
        except SessionRefusedError:
            name = self.chain.source_profile
            if self._source is None or self._source.is_long_term:
                raise SessionRefusedError(
                    f"STS does not take the access key of profile {name}",
                    f"check aws_access_key_id and aws_secret_access_key of [{name}]",
                ) from None
            raise SessionRefusedError(
                f"STS does not take the credentials of profile {name}", f"renew what [{name}] takes them from"
            ) from None
