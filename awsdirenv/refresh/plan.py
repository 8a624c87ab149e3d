"""What a load would do now, step by step, from what is stored: nothing is called, asked, locked or written for it.

It follows `refresh` with the same arithmetic (`steps`) and the same stores; tests hold the two together by making the
load after the forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from awsdirenv.aws import sso_token
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cache.sessions import SessionStore, UserNames
from awsdirenv.cache.snapshots import Snapshot, file_stamp
from awsdirenv.config.aws_files import AwsFiles, file_paths, static_keys
from awsdirenv.config.chain import ENVIRONMENT, PROCESS, SSO, STATIC, Chain
from awsdirenv.config.environment import environment_mark
from awsdirenv.config.settings import Settings
from awsdirenv.credentials import SessionCredentials
from awsdirenv.refresh import session_rules
from awsdirenv.refresh.identity import USERNAME

MFA_SESSION, KEY_SESSION, ASSUME_ROLE = "mfa-session", "session", "assume-role"
STS_DEFAULT = 3600  # seconds: what AssumeRole gives when it is not asked for a duration


@dataclass(frozen=True)
class Step:
    """One step of a chain. `seconds` is what STS will be asked for, or None where that is not ours to say."""

    kind: str
    hop: int | None = None  # of the chain's hops
    seconds: int | None = None
    is_capped: bool = False
    proves: bool = False  # takes a code
    stored: SessionCredentials | None = None
    renews_ahead: bool = False
    is_called: bool = False
    asks: bool = False

    def holds(self, now: datetime) -> bool:
        """Whether what is stored for it can be used."""
        return self.stored is not None and self.stored.is_usable(now)

    def is_met(self, now: datetime) -> bool:
        """Whether what is stored makes a call needless."""
        return self.stored is not None and (
            self.stored.is_fresh(now) if self.renews_ahead else self.stored.is_usable(now)
        )


@dataclass(frozen=True)
class Forecast:
    """The steps in the order of the calls, the source first. `snapshot` is the one that can be used, if any."""

    steps: tuple[Step, ...]
    serial: str | None
    snapshot: Snapshot | None
    is_fresh: bool  # so that nothing happens at all
    waits_for_code: bool = False  # a code is due, and is not asked for because what there is still holds
    sign_in: SsoToken | None = None
    needs_sign_in: bool = False


def forecast(chain: Chain, files: AwsFiles, given: Circumstances) -> Forecast:
    """Say what the next load of a sound chain does."""
    return _Forecaster(chain, files, given).made()


@dataclass
class _Forecaster:
    chain: Chain
    files: AwsFiles
    given: Circumstances
    _store: SessionStore = field(init=False)
    _key_id: str = field(init=False, default="")
    _is_long_term: bool = field(init=False, default=False)

    def made(self) -> Forecast:
        self._store = SessionStore(self.given.paths.sessions)
        source = self._source()
        serial = self._serial()
        found = self._snapshot()
        token = sso_token.read(self.chain.sso_session, self.given.environ) if self.chain.sso_session else None
        plain = Forecast(
            steps=(source, *self._key_session(serial), *(self._role(i, serial) for i in range(len(self.chain.hops)))),
            serial=serial,
            snapshot=found,
            is_fresh=found is not None and found.credentials.is_fresh(self.given.now),
            sign_in=token,
        )
        return plain if plain.is_fresh else self._walked(plain)

    def _source(self) -> Step:
        chain, environ, stored = self.chain, self.given.environ, None
        if chain.source_kind == STATIC:
            self._look_at_keys()
        elif chain.source_kind == ENVIRONMENT:
            self._key_id = environ.get("AWS_ACCESS_KEY_ID", "")
            self._is_long_term = not (environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN"))
        else:
            stored = self._store.read(session_rules.source_key(chain, self._identity()))
            self._key_id = stored.access_key_id if stored else ""
            # A program may print long-term keys, which are never stored; but their session is.
            trace = session_rules.device_key(chain, self._identity(), chain.mfa_serial or "", self._own_duration())
            is_key = chain.source_kind == PROCESS and stored is None and self._store.read(trace) is not None
            self._is_long_term = is_key
        return Step(chain.source_kind, stored=stored, renews_ahead=True)

    def _look_at_keys(self) -> None:
        keys = static_keys(self.files, self.chain.source_profile)
        if keys:
            self._key_id, self._is_long_term = keys[0], not keys[2]

    def _serial(self) -> str | None:
        serial = self.chain.mfa_serial
        if not serial or USERNAME not in serial:
            return serial
        user = UserNames(self.given.paths.marks).read(self._key_id)
        return serial.replace(USERNAME, user) if user else serial

    def _key_session(self, serial: str | None) -> list[Step]:
        """Give the step of GetSessionToken, where there is one."""
        chain = self.chain
        through_role = chain.hops and (
            not serial or session_rules.proves_at_role(chain, is_long_term=self._is_long_term)
        )
        if not self._is_long_term or through_role:
            return []
        default = int(self.given.settings.mfa_session_duration.total_seconds())
        seconds, own = session_rules.key_session_seconds(chain, default)
        return [
            Step(
                MFA_SESSION if serial else KEY_SESSION,
                seconds=seconds,
                proves=bool(serial),
                stored=self._store.read(session_rules.device_key(chain, self._identity(), serial or "", own)),
                renews_ahead=not serial,
            )
        ]

    def _role(self, index: int, serial: str | None) -> Step:
        chain = self.chain
        proves = index == 0 and session_rules.proves_at_role(chain, is_long_term=self._is_long_term)
        direct = self._is_long_term and (proves or not serial)  # called with the key itself
        capped = session_rules.is_capped(chain, index, caller_is_long_term=direct)
        return Step(
            ASSUME_ROLE,
            hop=index,
            seconds=session_rules.CHAINING_CAP if capped else chain.hops[index].duration_seconds or STS_DEFAULT,
            is_capped=capped,
            proves=proves,
            stored=self._store.read(session_rules.hop_key(chain, self._identity(), index)),
            renews_ahead=index == len(chain.hops) - 1,
        )

    def _identity(self) -> str:
        return session_rules.source_identity(self.chain, self._key_id)

    def _own_duration(self) -> int | None:
        return session_rules.key_session_seconds(self.chain, 0)[1]

    def _snapshot(self) -> Snapshot | None:
        given = self.given
        key = snapshot_key(given.profile, given.environ, given.duration)
        found = snapshots.read(given.paths.snapshots / key)
        config, credentials = file_paths(given.environ)
        stamps, mark = (file_stamp(config), file_stamp(credentials)), environment_mark(given.environ)
        return found if found and found.holds(stamps, given.profile, mark, given.now) else None

    def _walked(self, plain: Forecast) -> Forecast:
        """Go from the last step to the first, as `refresh` does, until something that is stored will do."""
        now, has_codes = self.given.now, bool(self.given.settings.mfa_process or self.chain.mfa_process)
        made, may_ask, is_stuck = list(plain.steps), plain.snapshot is None, False
        source_needed = True
        for position in range(len(made) - 1, 0, -1):
            step = made[position]
            # The key is looked at before its session is; what a role has in store spares both.
            if step.is_met(now):
                source_needed = step.hop is None
                break
            may_ask &= not step.holds(now)
            is_stuck = step.proves and not has_codes and not may_ask
            if is_stuck:
                made[position:] = [replace(later, is_called=False, asks=False) for later in made[position:]]
                break
            made[position] = replace(step, is_called=True, asks=step.proves and not has_codes)
        if source_needed and not session_rules.has_plain_keys(self.chain) and not made[0].is_met(now):
            made[0] = replace(made[0], is_called=True)
        needs_sign_in = made[0].is_called and not made[0].holds(now) and not self._is_signed_in(plain.sign_in)
        if needs_sign_in and not self.given.settings.sso_login_auto:
            made[1:] = [replace(step, is_called=False, asks=False) for step in made[1:]]
        return replace(plain, steps=tuple(made), waits_for_code=is_stuck, needs_sign_in=needs_sign_in)

    def _is_signed_in(self, token: SsoToken | None) -> bool:
        if self.chain.source_kind != SSO:
            return True
        return token is not None and (token.expiration > self.given.now or token.can_refresh)


@dataclass(frozen=True)
class Circumstances:
    """What a look at a profile starts from. `environ` is as it was outside the directory that direnv has loaded."""

    profile: str
    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    duration: int | None  # seconds, wished for on the command line
    region: tuple[str, str] | None  # of the environment, and the variable that says so
    now: datetime
