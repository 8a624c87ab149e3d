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

from awsdirenv.chain import ENVIRONMENT, STATIC, Chain
from awsdirenv.errors import PersonNeededError, SessionRefusedError
from awsdirenv.identity import USERNAME, identified, with_username
from awsdirenv.lock import ASKING, Locks
from awsdirenv.mfa import CodeSource, prove
from awsdirenv.paths import session_key
from awsdirenv.session_credentials import SessionCredentials, duration_text
from awsdirenv.sessions import Sessions, Wanted
from awsdirenv.sources import CredentialSource
from awsdirenv.store import SessionStore, UsedCodes, UserNames

# AWS: a role assumed with session credentials lives at most one hour, whatever the role allows.
CHAINING_CAP = 3600  # seconds


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
    renew_mfa: bool = False  # `login --force --token-code`: nor the stored MFA session
    notices: list[str] = field(default_factory=list)  # what a person should know about what they got
    _source: SessionCredentials | None = field(default=None, init=False)
    _sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self._sessions = Sessions(self.store, self.locks, self.now)

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
            key=self._hop_key(index),
            label=hop.role_arn,
            renew=lambda: self._assume(index),
            ahead=last,
            force=last and self.renew_role,
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
        seconds = int(self.mfa_session_duration.total_seconds())
        own_duration = None if self.chain.hops else self.chain.duration_seconds

        def start(code: str | None) -> SessionCredentials:
            with self._using_source():
                found = self.sts.get_session_token(source, own_duration or seconds, serial, code)
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
            if self.chain.source_kind in (STATIC, ENVIRONMENT):
                self._source = self.sts.source_credentials()
            else:
                wanted = Wanted(
                    key=session_key("source", self._source_identity(), self.chain.endpoint),
                    label=self.chain.source_profile,
                    renew=self._resolve_source,
                    ahead=True,
                    force=self.renew_role and not self.chain.hops,
                )
                self._source = self._sessions.obtain(wanted, refused)
        return self._source

    def _resolve_source(self) -> SessionCredentials:
        sign_in = self.chain.sign_in
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
        if wanted is None or not capped or wanted <= CHAINING_CAP:
            return wanted
        if index == len(self.chain.hops) - 1 and not self.notices:
            self.notices.append(f"{duration_text(wanted)} was asked for and AWS grants 1h: role chaining")
        return CHAINING_CAP

    def _device_key(self, own_duration: int | None = None) -> str:
        own = [own_duration] if own_duration else []
        return session_key("mfa", self._source_identity(), self._serial() or "", self.chain.endpoint, *own)

    def _hop_key(self, index: int) -> str:
        """Name a hop's session by everything that leads to it: an edited role never finds yesterday's credentials."""
        before = [hop.identity for hop in self.chain.hops[: index + 1]]
        # How long the hops before the last one live is nobody's wish: they only open the way.
        seconds = self.chain.hops[index].duration_seconds if index == len(self.chain.hops) - 1 else None
        identity = self._source_identity()
        return session_key("role", identity, self.chain.mfa_serial or "", self.chain.endpoint, before, seconds)

    def _source_identity(self) -> str:
        """Tell sources apart: a key by its id; what changes its keys by itself (SSO, …) by what its profile says."""
        if self.chain.source_kind in (STATIC, ENVIRONMENT):
            return f"key {self._source_credentials().access_key_id}"
        return f"profile {self.chain.source_profile} {self.chain.source_fingerprint}"

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
