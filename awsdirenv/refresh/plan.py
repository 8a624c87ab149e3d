"""The plan of a chain: its steps in the order of the calls, what is stored for each, and what the next load does.

All rules are in this module only: the name of a session, its lifetime and what limits it, which step takes the MFA
code, and who is asked for the code. The refresher carries a plan out, and `awsdirenv explain` prints it. Nothing is
called, locked or written here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from awsdirenv.cache.layout import session_key
from awsdirenv.cache.sessions import SessionStore, UserNames
from awsdirenv.config.chain import ENVIRONMENT, KEYCHAIN, PROCESS, STATIC, Chain, account_of
from awsdirenv.errors import ConfigError
from awsdirenv.records import Record, replace
from awsdirenv.session_credentials import SessionCredentials

MFA_SESSION, KEY_SESSION, FEDERATION, ASSUME_ROLE = "mfa-session", "session", "federation", "assume-role"
STS_DEFAULT = 3600  # seconds: the lifetime that AssumeRole gives without a DurationSeconds
# AWS: a role assumed with session credentials lives at most one hour, whatever the role allows.
CHAINING_CAP = 3600  # seconds
# In mfa_serial it stands for the name of the key's IAM user. So a team can share one config file.
USERNAME = "${username}"


class KnownSource(Record):
    """What is known about the source credentials of a chain. Often that is nothing before they are loaded.

    `serial` is the device of an earlier session of theirs, for an `mfa_serial` that leaves the user's name open.
    """

    access_key_id: str = ""
    is_long_term: bool = False
    serial: str | None = None


class Step(Record):
    """One step of a chain: its name, what is stored for it, how it is renewed, and what the next load does.

    `key` is the name of its session in the store. It is empty for plain keys, which are never stored, and as long as
    the name of the device is unknown. `locks` are the locks to hold, in this order, while the step is renewed.
    `seconds` is the lifetime to ask STS for, None for no such request. A step that `proves` needs a code of the device
    `serial`.
    """

    kind: str
    key: str = ""
    locks: tuple[str, ...] = ()
    label: str = ""  # for people who look into the store
    hop: int | None = None  # index into the chain's hops
    seconds: int | None = None
    is_capped: bool = False  # role chaining limits `seconds`
    proves: bool = False
    serial: str | None = None
    needs_user_name: bool = False  # STS must say first which IAM user has the key
    has_no_user: bool = False  # the credentials do not belong to an IAM user, so there is no name
    identifies: bool | None = None  # STS is asked for the account; None: only if the credentials do not say it
    renews_ahead: bool = False  # it is renewed before its end; if that fails, the present session is kept
    force: bool = False  # ignore what is stored
    min_life: timedelta | None = None  # the time that a stored session must have left
    stored: SessionCredentials | None = None
    is_settled: bool = False  # this load has got or kept the session, and does not renew it again
    is_called: bool = False  # the next load renews it
    is_confirmed: bool = False  # our clock was set, so AWS is asked whether the stored session is still valid
    asks: bool = False  # the user is asked for a code

    @property
    def life(self) -> int | None:
        """The lifetime of a new session in seconds, or None if it does not come from STS."""
        return self.seconds or (STS_DEFAULT if self.kind == ASSUME_ROLE else None)

    def is_met(self, now: datetime) -> bool:
        """Return whether the stored session is good enough, so that no call is needed."""
        if self.is_settled:
            return True
        if self.stored is None or self.force or not self.stored.lasts(self.min_life, now):
            return False
        return self.stored.is_fresh(now) if self.renews_ahead else self.stored.is_usable(now)

    def holds(self, now: datetime) -> bool:
        """Return whether the stored session can be kept if a new one cannot be got."""
        stored = self.stored
        return stored is not None and not self.force and stored.is_usable(now) and stored.lasts(self.min_life, now)

    def is_in_doubt(self, now: datetime) -> bool:
        """Return whether only AWS can say if the stored session has ended."""
        return self.stored is not None and not self.force and not self.is_settled and self.stored.is_in_doubt(now)


class Plan(Record):
    """The steps of a chain in the order of the calls, the source first."""

    steps: tuple[Step, ...]
    serial: str | None  # the MFA device, as far as its name is known
    waits_for_code: bool = False  # a code is needed, but nobody may be asked for it now

    @property
    def next_position(self) -> int | None:
        """The index of the first step to renew or to confirm, or None."""
        return next((n for n, step in enumerate(self.steps) if step.is_called or step.is_confirmed), None)


class Planner(Record):
    """Makes the plans of one chain.

    `force` ignores what is stored for the last step, `renew_mfa` the stored session of an MFA device. `got` maps step
    keys to the sessions that this load has got or has decided to keep. `refused` has the access key ids that STS has
    refused during this load.
    """

    chain: Chain
    store: SessionStore
    users: UserNames
    mfa_session_duration: timedelta
    force: bool = False
    renew_mfa: bool = False
    min_life: timedelta | None = None  # the time that the last step's credentials must have left
    got: Mapping[str, SessionCredentials] = MappingProxyType({})
    refused: Container[str] = ()

    def plan(self, source: KnownSource, now: datetime, *, asks_nobody: bool, may_ask: bool = True) -> Plan:
        """Plan the next load.

        `asks_nobody` says that no user has to type the code, `may_ask` that the user may be asked now.
        """
        serial = self._serial(source)
        steps = (
            self._source_step(source),
            *self._key_session(source, serial, now),
            *(self._role(index, source, serial) for index in range(len(self.chain.hops))),
        )
        return _with_calls(steps, serial or self.chain.mfa_serial, now, asks_nobody=asks_nobody, may_ask=may_ask)

    def stored(self, key: str) -> SessionCredentials | None:
        """Return the stored session of a step. None: there is none, or STS has refused it."""
        session = self.got.get(key) or self.store.read(key)
        return None if session is None or session.access_key_id in self.refused else session

    def _source_step(self, source: KnownSource) -> Step:
        chain, is_last = self.chain, not self.chain.hops
        if has_plain_keys(chain):
            return Step(chain.source_kind, is_settled=True, identifies=is_last and not source.is_long_term)
        key = source_key(chain)
        stored = self.stored(key)
        return Step(
            chain.source_kind,
            key=key,
            locks=(key,),
            label=chain.source_profile,
            identifies=is_last and (stored.account_id is None if stored else None),
            renews_ahead=True,
            force=self.force and is_last,
            min_life=self.min_life if is_last else None,
            stored=stored,
            is_settled=key in self.got,
        )

    def _key_session(self, source: KnownSource, serial: str | None, now: datetime) -> Iterator[Step]:
        """Yield the step of the key's own session, if there is one: with an MFA device, or if no role follows.

        Raises ConfigError for the keys of a session that a policy should narrow.
        """
        chain = self.chain
        if chain.narrowing and has_plain_keys(chain) and not chain.hops and not source.is_long_term:
            raise ConfigError(
                f"profile {chain.profile} cannot be narrowed: its keys are those of a session",
                f"name a profile with a role behind it: role_arn = ROLE and source_profile = {chain.profile}",
            )
        needs_none = proves_at_role(chain, is_long_term=True) if chain.mfa_serial else bool(chain.hops)
        if not source.is_long_term or needs_none:
            return
        if chain.mfa_serial and serial is None:
            yield self._known_device(source, now) or replace(self._session_of(source, None), needs_user_name=True)
        else:
            yield self._session_of(source, serial)

    def _session_of(self, source: KnownSource, serial: str | None) -> Step:
        chain, is_last = self.chain, not self.chain.hops
        # A duration of its own makes it a separate session. The device is the same, so both share the device's lock.
        own = chain.duration_seconds if is_last else None
        has_device = bool(chain.mfa_serial)
        is_named = serial is not None or not has_device
        narrowing = chain.narrowing if is_last else None
        others: list[object] = [narrowing.arns, narrowing.policy] if narrowing else []
        others += ["agent"] if is_last and chain.is_for_agent else []
        key = device_key(chain, source.access_key_id, serial, own, *others) if is_named else ""
        return Step(
            MFA_SESSION if has_device else FEDERATION if narrowing else KEY_SESSION,
            key=key,
            locks=(device_key(chain, source.access_key_id, serial), key) if own else (key,),
            label=serial or source.access_key_id,
            seconds=own or int(self.mfa_session_duration.total_seconds()),
            proves=has_device,
            serial=serial,
            identifies=account_of(chain.mfa_serial) is None and not narrowing,  # GetFederationToken says whose they are
            # Without a device an early renewal costs nothing. With one it costs a code, so we wait for the end.
            renews_ahead=not has_device,
            force=self.renew_mfa or (self.force and is_last),
            min_life=self.min_life if is_last else None,
            stored=self.stored(key) if key else None,
            is_settled=key in self.got,
        )

    def _known_device(self, source: KnownSource, now: datetime) -> Step | None:
        """Find a valid session of this key, of a device that fits `mfa_serial`, while the user's name is unknown."""
        own = self.chain.duration_seconds if not self.chain.hops else None
        for key, label, _ in self.store.labelled():
            if fits(self.chain, label) and key == device_key(self.chain, source.access_key_id, label, own):
                step = self._session_of(source, label)
                if step.is_met(now):
                    return step
        return None

    def _role(self, index: int, source: KnownSource, serial: str | None) -> Step:
        chain, is_last = self.chain, index == len(self.chain.hops) - 1
        hop = chain.hops[index]
        proves = index == 0 and proves_at_role(chain, is_long_term=source.is_long_term)
        is_direct = index == 0 and source.is_long_term and (proves or not chain.mfa_serial)  # with the key itself
        is_capped = not is_direct and (hop.duration_seconds or 0) > CHAINING_CAP
        key = hop_key(chain, source.access_key_id, index)
        return Step(
            ASSUME_ROLE,
            key=key,
            # A code can be used once: processes that need one of the same device ask one after another.
            locks=(key, device_key(chain, source.access_key_id, serial)) if proves else (key,),
            label=hop.role_arn,
            hop=index,
            seconds=CHAINING_CAP if is_capped else hop.duration_seconds,
            is_capped=is_capped,
            proves=proves,
            serial=serial if proves else None,
            needs_user_name=proves and serial is None,
            has_no_user=proves and serial is None and self._is_session(source),
            identifies=False,
            renews_ahead=is_last,
            force=self.force and is_last,
            min_life=self.min_life if is_last else None,
            stored=self.stored(key),
            is_settled=key in self.got,
        )

    def _is_session(self, source: KnownSource) -> bool:
        """Return whether the source is known to be temporary. A program's output is unknown until it has run."""
        is_known = self.chain.source_kind != PROCESS or self.stored(source_key(self.chain)) is not None
        return is_known and not source.is_long_term

    def _serial(self, source: KnownSource) -> str | None:
        """Return the device's serial. None: there is no device, or its user's name is unknown."""
        serial = self.chain.mfa_serial
        if not serial or USERNAME not in serial:
            return serial
        user = self.users.read(source.access_key_id) if source.access_key_id else None
        return serial.replace(USERNAME, user) if user else source.serial


def _with_calls(steps: Sequence[Step], serial: str | None, now: datetime, *, asks_nobody: bool, may_ask: bool) -> Plan:
    """Mark the steps to call: go back from the last step until a stored session is good enough."""
    planned, is_stuck, needs_source = list(steps), False, True
    for position in range(len(steps) - 1, 0, -1):
        step = steps[position]
        if step.is_met(now) or step.is_in_doubt(now):
            planned[position] = replace(step, is_confirmed=not step.is_met(now))
            # A stored role session needs no source. A session of the key itself does: the source names the key.
            # Of a key in the keychain the session is enough: its name says whose it is, and the keychain may be locked.
            needs_source = step.hop is None and steps[0].kind != KEYCHAIN
            break
        may_ask &= not step.holds(now)  # no question as long as the present credentials are valid
        is_stuck = step.proves and not asks_nobody and not may_ask
        if is_stuck:
            planned[position:] = steps[position:]
            break
        planned[position] = replace(step, is_called=True, asks=step.proves and not asks_nobody)
    source = steps[0]
    if needs_source and not source.is_met(now):
        in_doubt = source.is_in_doubt(now)
        planned[0] = replace(source, is_called=not in_doubt, is_confirmed=in_doubt)
    return Plan(tuple(planned), serial, waits_for_code=is_stuck)


def check_device(plan: Plan) -> None:
    """Refuse ${username} in `mfa_serial` if the credentials do not belong to an IAM user. Raises ConfigError."""
    if any(step.is_called and step.has_no_user for step in plan.steps):
        raise no_user_name()


def no_user_name() -> ConfigError:
    """Return the error for ${username} without an IAM user."""
    return ConfigError(
        f"mfa_serial has {USERNAME}, but the credentials are not those of an IAM user",
        "write the name of the device into mfa_serial, or set AWS_MFA_SERIAL",
    )


def has_plain_keys(chain: Chain) -> bool:
    """Return whether the source is a key in a file or in the environment, which can be read without a call."""
    return chain.source_kind in (STATIC, ENVIRONMENT)


def proves_at_role(chain: Chain, *, is_long_term: bool) -> bool:
    """Return whether the code is given to the first AssumeRole, and not to GetSessionToken before it.

    That is so for a role with a duration of more than an hour, which a session cannot get. And a temporary source
    cannot call GetSessionToken: then the hop's own serial is used, as botocore does.
    """
    if not chain.mfa_serial or not chain.hops:
        return False
    if not is_long_term:
        return chain.hops[0].mfa_serial is not None
    return len(chain.hops) == 1 and (chain.hops[0].duration_seconds or 0) > CHAINING_CAP


def _identity(chain: Chain, access_key_id: str) -> str:
    """Return what identifies the source: a key's id, or what the profile says if the keys change (SSO, …)."""
    if has_plain_keys(chain):
        return f"key {access_key_id}"
    if chain.keychain:
        return f"keychain {chain.keychain.name} {chain.keychain.user_id}"
    # A credential_source belongs to the machine: it is the same for every profile that names it.
    profile = "" if chain.is_named_source else chain.source_profile
    return f"profile {profile} {chain.source_fingerprint}"


def source_key(chain: Chain) -> str:
    """Return the key of the source's stored credentials."""
    return session_key("source", _identity(chain, ""), chain.endpoint)


def device_key(
    chain: Chain,
    access_key_id: str,
    serial: str | None,
    own_duration: int | None = None,
    *others: object,
) -> str:
    """Return the key of the access key's own session. It is also the name of the device's lock.

    `others` has what else makes it another session.
    """
    own: list[object] = [own_duration] if own_duration else []
    return session_key("mfa", _identity(chain, access_key_id), serial or "", chain.endpoint, *own, *others)


def hop_key(chain: Chain, access_key_id: str, index: int) -> str:
    """Return the key of a hop's session. It covers all that leads to it: an edited role never gets old credentials."""
    before = [hop.identity for hop in chain.hops[: index + 1]]
    # The durations of the hops before the last one are left out: those sessions only lead to the last.
    seconds = chain.hops[index].duration_seconds if index == len(chain.hops) - 1 else None
    identity = _identity(chain, access_key_id)
    return session_key("role", identity, chain.mfa_serial or "", chain.endpoint, before, seconds)


def fits(chain: Chain, serial: str) -> bool:
    """Return whether a device's serial matches `mfa_serial`, with any name in place of ${username}."""
    pattern = re.escape(chain.mfa_serial or "").replace(re.escape(USERNAME), ".+")
    return re.fullmatch(pattern, serial) is not None
