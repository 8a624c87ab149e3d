"""The plan of a chain: its steps in the order of the calls, what is stored for each, and what the next load does.

All rules are here, and here alone: what a session is called, how long it is asked to live, what caps that, which step
proves the device, who is asked. The refresher carries a plan out, `awsdirenv explain` prints it. Nothing is called,
locked or written here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from awsdirenv.cache.layout import session_key
from awsdirenv.cache.sessions import SessionStore, UserNames
from awsdirenv.config.chain import ENVIRONMENT, PROCESS, STATIC, Chain, account_of
from awsdirenv.errors import ConfigError
from awsdirenv.records import Record, replace
from awsdirenv.session_credentials import SessionCredentials

MFA_SESSION, KEY_SESSION, ASSUME_ROLE = "mfa-session", "session", "assume-role"
STS_DEFAULT = 3600  # seconds: what AssumeRole gives when it is not asked for a duration
# AWS: a role assumed with session credentials lives at most one hour, whatever the role allows.
CHAINING_CAP = 3600  # seconds
# In mfa_serial: the name of the IAM user whose key it is, so that a team can share the line.
USERNAME = "${username}"


class KnownSource(Record):
    """What is known of the credentials that a chain starts from: before they are asked for, often nothing.

    `serial` is the device that they were proved with before, where `mfa_serial` leaves the name of the user open.
    """

    access_key_id: str = ""
    is_long_term: bool = False
    serial: str | None = None


class Step(Record):
    """One step of a chain: what it is called, what is stored for it, how it is renewed, what the next load does.

    `key` is the name of its session in the store: empty for plain keys, which are never stored, and while the device
    has no name. `locks` are held, in this order, while it is renewed. `seconds` is what STS is asked for, None where
    nothing is asked for. A step that `proves` takes a code of `serial`.
    """

    kind: str
    key: str = ""
    locks: tuple[str, ...] = ()
    label: str = ""  # for people who look at the store
    hop: int | None = None  # of the chain's hops
    seconds: int | None = None
    is_capped: bool = False  # by role chaining
    proves: bool = False
    serial: str | None = None
    needs_user_name: bool = False  # STS must first say whose key it is
    has_no_user: bool = False  # the key is no IAM user's, so that nobody can say
    identifies: bool | None = None  # STS is asked for the account; None: unless the credentials say it themselves
    renews_ahead: bool = False  # before its end; then a failure keeps what still works
    force: bool = False  # what is stored does not count
    min_life: timedelta | None = None  # what is stored must have this much left
    stored: SessionCredentials | None = None
    is_settled: bool = False  # by this very load, which does not renew it a second time
    is_called: bool = False
    is_confirmed: bool = False  # AWS is asked whether what is stored still holds, since our clock was set
    asks: bool = False  # a person for a code

    @property
    def life(self) -> int | None:
        """How many seconds a new session lives, where it is STS that gives it."""
        return self.seconds or (STS_DEFAULT if self.kind == ASSUME_ROLE else None)

    def is_met(self, now: datetime) -> bool:
        """Whether what is stored makes a call needless."""
        if self.is_settled:
            return True
        if self.stored is None or self.force or not self.stored.lasts(self.min_life, now):
            return False
        return self.stored.is_fresh(now) if self.renews_ahead else self.stored.is_usable(now)

    def holds(self, now: datetime) -> bool:
        """Whether what is stored will do if there is nothing new."""
        stored = self.stored
        return stored is not None and not self.force and stored.is_usable(now) and stored.lasts(self.min_life, now)

    def is_in_doubt(self, now: datetime) -> bool:
        """Whether only AWS can say if what is stored has ended."""
        return self.stored is not None and not self.force and not self.is_settled and self.stored.is_in_doubt(now)


class Plan(Record):
    """The steps in the order of the calls, the source first."""

    steps: tuple[Step, ...]
    serial: str | None  # of the device to prove, as far as its name is known
    waits_for_code: bool = False  # one is needed, and not asked for because what there is still holds

    @property
    def next_position(self) -> int | None:
        """Which step is to be renewed or confirmed first, if any."""
        return next((n for n, step in enumerate(self.steps) if step.is_called or step.is_confirmed), None)


class Planner(Record):
    """Makes the plans of one chain.

    `force` takes no stored credentials for the last step, `renew_mfa` none of a device. `got` has by their keys the
    sessions that this load has got or has decided to keep, `refused` the access key ids that STS has refused it.
    """

    chain: Chain
    store: SessionStore
    users: UserNames
    mfa_session_duration: timedelta
    force: bool = False
    renew_mfa: bool = False
    min_life: timedelta | None = None  # of the last step's credentials
    got: Mapping[str, SessionCredentials] = MappingProxyType({})
    refused: Container[str] = ()

    def plan(self, source: KnownSource, now: datetime, *, asks_nobody: bool, may_ask: bool = True) -> Plan:
        """Plan the next load.

        `asks_nobody` says that codes come from no person, `may_ask` that one may be asked now.
        """
        serial = self._serial(source)
        steps = (
            self._source_step(source),
            *self._key_session(source, serial, now),
            *(self._role(index, source, serial) for index in range(len(self.chain.hops))),
        )
        return _with_calls(steps, serial or self.chain.mfa_serial, now, asks_nobody=asks_nobody, may_ask=may_ask)

    def stored(self, key: str) -> SessionCredentials | None:
        """Give what is stored for a step, unless STS has refused it."""
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
        """Give the step of GetSessionToken where there is one: with the device, or where no role follows."""
        chain = self.chain
        needs_none = proves_at_role(chain, is_long_term=True) if chain.mfa_serial else bool(chain.hops)
        if not source.is_long_term or needs_none:
            return
        if chain.mfa_serial and serial is None:
            yield self._known_device(source, now) or replace(self._session_of(source, None), needs_user_name=True)
        else:
            yield self._session_of(source, serial)

    def _session_of(self, source: KnownSource, serial: str | None) -> Step:
        chain, is_last = self.chain, not self.chain.hops
        # A life of its own makes another session, but the device is one: who needs a code of it waits.
        own = chain.duration_seconds if is_last else None
        has_device = bool(chain.mfa_serial)
        is_named = serial is not None or not has_device
        key = device_key(chain, source.access_key_id, serial, own) if is_named else ""
        return Step(
            MFA_SESSION if has_device else KEY_SESSION,
            key=key,
            locks=(device_key(chain, source.access_key_id, serial), key) if own else (key,),
            label=serial or source.access_key_id,
            seconds=own or int(self.mfa_session_duration.total_seconds()),
            proves=has_device,
            serial=serial,
            identifies=account_of(chain.mfa_serial) is None,
            # Without a device it costs nobody a code to be early; with one, it is renewed when it is over.
            renews_ahead=not has_device,
            force=self.renew_mfa or (self.force and is_last),
            min_life=self.min_life if is_last else None,
            stored=self.stored(key) if key else None,
            is_settled=key in self.got,
        )

    def _known_device(self, source: KnownSource, now: datetime) -> Step | None:
        """Find a session of this key, with a device that fits `mfa_serial`, where nobody has said whose key it is."""
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
            # Codes are single-use: those who need one of the same device ask one after another.
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
        """Whether the source is known not to be a long-term key. Of a program that was never run nothing is known."""
        is_known = self.chain.source_kind != PROCESS or self.stored(source_key(self.chain)) is not None
        return is_known and not source.is_long_term

    def _serial(self, source: KnownSource) -> str | None:
        """Give the device, with the user's name in it where that is known; None where it is not, or there is none."""
        serial = self.chain.mfa_serial
        if not serial or USERNAME not in serial:
            return serial
        user = self.users.read(source.access_key_id) if source.access_key_id else None
        return serial.replace(USERNAME, user) if user else source.serial


def _with_calls(steps: Sequence[Step], serial: str | None, now: datetime, *, asks_nobody: bool, may_ask: bool) -> Plan:
    """Go from the last step to the first until something that is stored will do: the steps passed are to be called."""
    planned, is_stuck, needs_source = list(steps), False, True
    for position in range(len(steps) - 1, 0, -1):
        step = steps[position]
        if step.is_met(now) or step.is_in_doubt(now):
            planned[position] = replace(step, is_confirmed=not step.is_met(now))
            # The key is looked at before its session is; what a role has in store spares both.
            needs_source = step.hop is None
            break
        may_ask &= not step.holds(now)  # no question to a person whose credentials still hold
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
    """Refuse ${username} in `mfa_serial` where no IAM user's key has to be proved. Raises ConfigError."""
    if any(step.is_called and step.has_no_user for step in plan.steps):
        raise no_user_name()


def no_user_name() -> ConfigError:
    """Give the error for ${username} where there is no IAM user."""
    return ConfigError(
        f"mfa_serial has {USERNAME}, and whose credentials these are is no IAM user",
        "write the name of the device into mfa_serial, or set AWS_MFA_SERIAL",
    )


def has_plain_keys(chain: Chain) -> bool:
    """Whether the source is a key that stands somewhere, and nobody has to be asked for it."""
    return chain.source_kind in (STATIC, ENVIRONMENT)


def proves_at_role(chain: Chain, *, is_long_term: bool) -> bool:
    """Whether the first role is assumed with the code itself, instead of through the key's MFA session.

    A role that wants more than an hour cannot have it through a session. And where the source is temporary already,
    there is no key to prove the device at: the hop's own serial is handed on, as botocore does.
    """
    if not chain.mfa_serial or not chain.hops:
        return False
    if not is_long_term:
        return chain.hops[0].mfa_serial is not None
    return len(chain.hops) == 1 and (chain.hops[0].duration_seconds or 0) > CHAINING_CAP


def _identity(chain: Chain, access_key_id: str) -> str:
    """Tell sources apart: a key by its id; what changes its keys by itself (SSO, …) by what its profile says."""
    if has_plain_keys(chain):
        return f"key {access_key_id}"
    # A named source is the machine's, and the same for every profile that names it.
    profile = "" if chain.is_named_source else chain.source_profile
    return f"profile {profile} {chain.source_fingerprint}"


def source_key(chain: Chain) -> str:
    """Name what somebody else gave for the source."""
    return session_key("source", _identity(chain, ""), chain.endpoint)


def device_key(chain: Chain, access_key_id: str, serial: str | None, own_duration: int | None = None) -> str:
    """Name the key's session, which is also the lock of the device."""
    own = [own_duration] if own_duration else []
    return session_key("mfa", _identity(chain, access_key_id), serial or "", chain.endpoint, *own)


def hop_key(chain: Chain, access_key_id: str, index: int) -> str:
    """Name a hop's session by everything that leads to it: an edited role never finds yesterday's credentials."""
    before = [hop.identity for hop in chain.hops[: index + 1]]
    # How long the hops before the last one live does not matter: they only open the way.
    seconds = chain.hops[index].duration_seconds if index == len(chain.hops) - 1 else None
    identity = _identity(chain, access_key_id)
    return session_key("role", identity, chain.mfa_serial or "", chain.endpoint, before, seconds)


def fits(chain: Chain, serial: str) -> bool:
    """Whether a device can be the one that `mfa_serial` means, with some user's name in it."""
    pattern = re.escape(chain.mfa_serial or "").replace(re.escape(USERNAME), ".+")
    return re.fullmatch(pattern, serial) is not None
