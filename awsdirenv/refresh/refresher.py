"""Carries out the plan of a chain: check, lock, check again, call, store, make a new plan, until no step is left.

Everything with an effect is an argument (STS, store, locks, codes, clock). The locks of one step are released before
the next step begins. So no process waits for a lock of one step while it holds a lock of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from awsdirenv.cache.layout import session_key
from awsdirenv.cache.sessions import SessionStore, UsedCodes, UserNames
from awsdirenv.config.chain import Chain, Narrowing, RoleHop
from awsdirenv.errors import AwsdirenvError, SessionRefusedError
from awsdirenv.records import replace
from awsdirenv.refresh.mfa_codes import CodeSource, Nobody, prove
from awsdirenv.refresh.plan import (
    FEDERATION,
    KnownSource,
    Plan,
    Planner,
    Step,
    check_device,
    has_plain_keys,
    no_user_name,
    source_key,
)
from awsdirenv.session_credentials import SessionCredentials, duration_text
from awsdirenv.system.lock import ASKING, Locks


class CredentialSource(Protocol):
    """The calls that a refresher makes. `aws.sts.Sts` implements them."""

    def source_credentials(self) -> SessionCredentials:
        """Return the credentials that the chain starts from."""

    def source_refused(self, source: SessionCredentials, code: str) -> SessionRefusedError:
        """Make the error for credentials of the source that STS refuses."""

    def may_renew_sign_in(self) -> bool:
        """Return whether `source_credentials` may renew the token of a sign-in."""

    def get_session_token(
        self, source: SessionCredentials, seconds: int, mfa_serial: str | None, token_code: str | None
    ) -> SessionCredentials:
        """Call GetSessionToken with a long-term key."""

    def get_federation_token(
        self, source: SessionCredentials, seconds: int, narrowing: Narrowing
    ) -> SessionCredentials:
        """Call GetFederationToken with a long-term key."""

    def assume_role(
        self,
        source: SessionCredentials,
        hop: RoleHop,
        seconds: int | None,
        mfa_serial: str | None = None,
        token_code: str | None = None,
    ) -> SessionCredentials:
        """Call AssumeRole for a hop."""

    def caller_identity(self, source: SessionCredentials) -> tuple[str, str]:
        """Return the account id and the ARN of credentials."""

    def confirmed(self, session: SessionCredentials) -> SessionCredentials:
        """Ask AWS about a session whose end our clock cannot tell. Return the session with correct times."""


@dataclass
class Refresher:
    """Gets the credentials of one chain with as few STS calls and codes as possible."""

    chain: Chain
    sts: CredentialSource
    store: SessionStore
    used: UsedCodes
    users: UserNames
    locks: Locks
    codes: CodeSource
    now: Callable[[], datetime]
    mfa_session_duration: timedelta
    renew_role: bool = False  # `login --force`: ignore what is stored for the last step
    min_life: timedelta | None = None  # the time that the last step's credentials must have left
    renew_mfa: bool = False  # `login --force --token-code`: also ignore the stored MFA session
    may_ask: bool = True  # False while the user has valid credentials
    notices: list[str] = field(default_factory=list)  # what the user should know about the result
    _keys: SessionCredentials | None = field(default=None, init=False)  # of a source that is a plain key
    _got: dict[str, SessionCredentials] = field(default_factory=dict, init=False)  # got or kept, by the step's key
    _refusals: dict[str, SessionRefusedError] = field(default_factory=dict, init=False)  # by access key id
    _repeated: set[str] = field(default_factory=set, init=False)  # keys of the steps that were tried twice
    _planner: Planner = field(init=False)

    def __post_init__(self) -> None:
        self._planner = Planner(
            self.chain,
            self.store,
            self.users,
            self.mfa_session_duration,
            force=self.renew_role,
            renew_mfa=self.renew_mfa,
            min_life=self.min_life,
            got=self._got,
            refused=self._refusals,
        )

    def credentials(self) -> SessionCredentials:
        """Return the credentials of the chain's last step. Raises an AwsdirenvError."""
        if has_plain_keys(self.chain):
            self._keys = self.sts.source_credentials()
        while True:
            plan = self._plan()
            position = plan.next_position
            try:
                check_device(plan)
                if position is None:
                    return self._end(plan)
                self._carry_out(plan, position)
            except AwsdirenvError as error:
                at = len(plan.steps) if position is None else position
                if not (self._renounces(plan, at, error) or self._keeps(plan, at)):
                    raise

    @property
    def _unloaded(self) -> KnownSource:
        """What is known of the source before it is loaded: what `awsdirenv keys` keeps are always long-term keys."""
        return KnownSource(is_long_term=self.chain.keychain is not None)

    def _plan(self) -> Plan:
        source = self._keys or self._got.get(source_key(self.chain))
        known = KnownSource(source.access_key_id, source.is_long_term) if source else self._unloaded
        # `Nobody` asks nobody either, but has no code. If no question is allowed, the plan must stop before the calls
        # that would only lead to a code.
        asks_nobody = self.codes.silent and (self.may_ask or not isinstance(self.codes, Nobody))
        return self._planner.plan(known, self.now(), asks_nobody=asks_nobody, may_ask=self.may_ask)

    def _end(self, plan: Plan) -> SessionCredentials:
        """Return the last step's credentials. For a chain without hops, ask for the account if it is unknown."""
        if plan.waits_for_code and not plan.steps[-1].holds(self.now()):
            self.codes.next_code(plan.serial or "")  # raises the error that says why there is no code
        session = self._session(plan, len(plan.steps) - 1)
        if len(plan.steps) > 1:
            return session
        notice = "--duration has no effect: the source of these credentials decides how long they are valid"
        if self.chain.duration_seconds and notice not in self.notices:
            self.notices.append(notice)
        with self._blaming_source(session):
            return self._identified(session)

    def _session(self, plan: Plan, position: int) -> SessionCredentials:
        session = (self._keys if position == 0 else None) or plan.steps[position].stored
        assert session is not None  # noqa: S101 - every step before the next one has a session
        return session

    def _carry_out(self, plan: Plan, position: int) -> None:
        """Renew one step under its locks, unless another process has done so in the meantime."""
        step = plan.steps[position]
        if step.needs_user_name:
            self._learn_user_name(self._session(plan, 0))
            return
        with ExitStack() as held:
            for name in step.locks:
                held.enter_context(self.locks.hold(name))
            step = replace(step, stored=self._planner.stored(step.key))
            if step.is_in_doubt(self.now()):
                self._confirm(step)
                return
            if step.is_met(self.now()):
                return
            if step.stored is None and self._refusals:
                self._drop_refused(step)
            renewed = self._renewed(plan, position)
            # A program may give long-term keys, which we never write, or credentials without an expiration.
            if not renewed.is_long_term and renewed.expiration is not None:
                self.store.write(step.key, renewed, step.label)
            if renewed.access_key_id in self._refusals:
                raise self._refusals[renewed.access_key_id]
            self._got[step.key] = renewed

    def _renewed(self, plan: Plan, position: int) -> SessionCredentials:
        """Make the call of one step, with the credentials of the step before it."""
        step = plan.steps[position]
        if position == 0:
            # A refresh token can be used once, so one process at a time may renew a sign-in.
            sign_in = self.chain.sign_in if self.sts.may_renew_sign_in() else None
            with self.locks.hold(session_key("sign-in", sign_in)) if sign_in else nullcontext():
                return self.sts.source_credentials()
        caller = self._session(plan, position - 1)

        def call(code: str | None) -> SessionCredentials:
            with self._blaming_source(caller) if position == 1 else nullcontext():
                return self._called(step, caller, code)

        if not step.proves:
            return call(None)
        serial = step.serial or ""
        self.locks.note(f"{'getting' if self.codes.silent else ASKING} the MFA code of {serial}")
        try:
            return prove(serial, call, self.codes, self.used, self.now)
        finally:
            self.locks.note("calling STS")

    def _called(self, step: Step, caller: SessionCredentials, code: str | None) -> SessionCredentials:
        if step.kind == FEDERATION and self.chain.narrowing:
            return self.sts.get_federation_token(caller, step.seconds or 0, self.chain.narrowing)
        if step.hop is None:
            return self._identified(self.sts.get_session_token(caller, step.seconds or 0, step.serial, code))
        hop = self.chain.hops[step.hop]
        if step.is_capped and step.hop == len(self.chain.hops) - 1 and not self.notices:
            wanted_duration = duration_text(hop.duration_seconds or 0)
            self.notices.append(f"you asked for {wanted_duration}, but AWS allows 1h at most with role chaining")
        return self.sts.assume_role(caller, hop, step.seconds, step.serial, code)

    def _identified(self, session: SessionCredentials) -> SessionCredentials:
        """Return the session with its account, and ask STS for it if needed. It is also good without.

        Raises SessionRefusedError if STS refuses the session itself.
        """
        if session.account_id:
            return session
        try:
            account_id, arn = self.sts.caller_identity(session)
        except SessionRefusedError:
            raise
        except AwsdirenvError:
            return session
        return replace(session, account_id=account_id or None, arn=arn or None)

    def _learn_user_name(self, source: SessionCredentials) -> None:
        """Ask STS for the key's IAM user, and remember it for this key. Raises ConfigError if there is no such user."""
        with self._blaming_source(source):
            _, arn = self.sts.caller_identity(source)
        if ":user/" not in arn:
            raise no_user_name()
        self.users.remember(source.access_key_id, arn.rpartition("/")[2])

    def _confirm(self, step: Step) -> None:
        """Ask AWS whether a session has ended. We cannot tell, because our clock was set."""
        assert step.stored is not None  # noqa: S101 - a step in doubt has a stored session
        self.locks.note("asking AWS whether the session is still valid")
        try:
            confirmed = self.sts.confirmed(step.stored)
        except SessionRefusedError:
            self.store.drop(step.key)
        else:
            self.store.write(step.key, confirmed, step.label)

    def _drop_refused(self, step: Step) -> None:
        """Delete a stored session that STS has refused, but not a newer one that another process has stored."""
        session = self.store.read(step.key)
        if session is not None and session.access_key_id in self._refusals:
            self.store.drop(step.key)

    def _renounces(self, plan: Plan, position: int, error: AwsdirenvError) -> bool:
        """Drop the credentials that STS has refused for a step, so that the step before it is renewed.

        Returns whether that was done. It is done once for each step.
        """
        step = plan.steps[position] if position < len(plan.steps) else None
        key = step.key if step else ""
        is_final = step is not None and (step.proves or step.hop is None)
        if not isinstance(error, SessionRefusedError) or position == 0 or is_final or key in self._repeated:
            return False
        if position == 1 and self._keys is not None:  # a plain key cannot be renewed
            return False
        refused = self._session(plan, position - 1).access_key_id
        self._repeated.add(key)
        self._refusals[refused] = error
        self._got.pop(plan.steps[position - 1].key, None)
        return True

    def _keeps(self, plan: Plan, position: int) -> bool:
        """After a failure, keep a stored session that is still valid: of this step or of a later one.

        Returns whether there is one.
        """
        kept = next((step for step in plan.steps[position:] if step.holds(self.now())), None)
        if kept is None or kept.stored is None:
            return False
        self._got[kept.key] = kept.stored
        return True

    @contextmanager
    def _blaming_source(self, source: SessionCredentials) -> Iterator[None]:
        """Name the source's profile in the error if STS refuses the source's credentials."""
        try:
            yield
        except SessionRefusedError as error:
            raise self.sts.source_refused(source, error.code) from None
