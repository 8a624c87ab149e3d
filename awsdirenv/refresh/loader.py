"""Loads a declared profile into a snapshot on disk, for one command.

It gets the environment, the settings and the ways to reach the user as arguments. It decides nothing about STS (see
refresher.py) or about output (see cli/).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from awsdirenv.aws import sso_token
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths, name_key, session_key, snapshot_key
from awsdirenv.cache.sessions import EvaluationMarks, SessionStore, UsedCodes, UserNames, prepare
from awsdirenv.cache.snapshots import Basis, Snapshot
from awsdirenv.config.aws_files import AwsFiles, load_files, stage_of
from awsdirenv.config.chain import Chain, account_of
from awsdirenv.config.environment import SessionOptions, environment_region, variables_text
from awsdirenv.config.session_options import resolve
from awsdirenv.config.settings import DeclaredProfile, Settings
from awsdirenv.errors import (
    AgentDeniedError,
    AwsdirenvError,
    CacheError,
    ConfigError,
    LockTimeoutError,
    PersonNeededError,
    SignInNeededError,
)
from awsdirenv.records import Record, replace
from awsdirenv.refresh.mfa_codes import CodeSource, Human, WantedCode, code_source, not_again
from awsdirenv.refresh.preflight import check_chain, needs_sts, refuse_feedback, refuse_recursion
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system.direnv import Evaluation
from awsdirenv.system.files import remove
from awsdirenv.system.keychain import Keychain
from awsdirenv.system.lock import Locks
from awsdirenv.system.text import login_command

if TYPE_CHECKING:
    from awsdirenv.aws.sts import Sts


class LoadOptions(Record):
    """The options with which a command or a directory asks for credentials."""

    token_code: str | None = None
    force: bool = False
    session: SessionOptions = SessionOptions()
    min_life: timedelta | None = None  # credentials with less time left are renewed
    insist: bool = False  # if there is less than `min_life` after all, fail instead of keeping what still works
    sign_in: bool = False  # let the user sign in if that is needed, whatever the settings say
    open_browser: bool = True
    device_code: bool = False  # sign in with a code that the user compares, and no redirect


def stored(profile: str, options: SessionOptions, environ: Mapping[str, str]) -> Snapshot | None:
    """Return a profile's snapshot, or None if it must be renewed. `environ` is as for `Loader`.

    direnvrc.d/credential-process.sh does the same.
    """
    key = snapshot_key(profile, environ, options)
    snapshot = snapshots.read(CachePaths.from_environ(environ).snapshots / key)
    if snapshot and snapshot.holds(Basis.present(profile, environ, options), utc_now()):
        return snapshot if snapshot.credentials.is_fresh(utc_now()) else None
    return None


@dataclass(frozen=True)
class Loader:
    """Everything one load needs."""

    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    locks: Locks
    declared: DeclaredProfile
    human: Human | None
    tell: Callable[[str], None]  # shows the user a notice
    waiting: Callable[[str], None] = lambda _: None  # is called with what takes longer than a second
    is_expected: bool = True  # whether the user expects a question now
    was_asked: bool = False  # see `Request`
    options: LoadOptions = LoadOptions()  # noqa: RUF009 - frozen
    evaluation: Evaluation | None = None
    marks: EvaluationMarks = field(default_factory=lambda: EvaluationMarks(Path(), ""))
    _parsed: dict[tuple[str, str], AwsFiles] = field(default_factory=dict)
    _asked: list[str] = field(default_factory=list)  # what this load has asked the user for

    def with_options(self, options: LoadOptions) -> Loader:
        """Return a copy of this loader with other options."""
        return dataclasses.replace(self, options=options)

    def after_question(self) -> Loader:
        """Return a copy that says that the user was asked just now, in vain."""
        return dataclasses.replace(self, was_asked=True)

    @property
    def snapshot_path(self) -> Path:
        """The path of this profile's snapshot."""
        return self.paths.snapshots / self.key

    @property
    def key(self) -> str:
        """The file name of this profile's snapshot."""
        return snapshot_key(self.declared.name, self.environ, self.options.session)

    def load(self) -> Snapshot:
        """Return the profile's snapshot. Renew and write it first if needed. Raises an AwsdirenvError."""
        refuse_recursion(self.declared.name, self.environ)
        self._note_name()
        try:
            return self._load()
        finally:
            self._release_claim()

    def _note_name(self) -> None:
        """Write down for the extension which profile a `.env` declares."""
        prepare(self.paths)
        if self.declared.dotenv:
            key = name_key(self.declared.dotenv, self.environ)
            with self.locks.hold(f"name-{key}"):
                variables = variables_text(self.declared.variables, self.environ)
                note = snapshots.NameNote(self.declared.name, self.declared.stamp, variables)
                snapshots.write_name(self.paths.names / key, note)

    def _load(self) -> Snapshot:
        if snapshot := self.fresh():
            return snapshot
        try:
            with self.locks.hold_unless(f"snapshot-{self.key}", self.fresh) as fresh_snapshot:
                snapshots.settle(self.snapshot_path)
                renewed_snapshot = fresh_snapshot or self.fresh()  # another process may have renewed it while we waited
                if renewed_snapshot:
                    return renewed_snapshot
                self.locks.note(f"getting credentials for profile {self.declared.name}")
                return self._renew()
        except (LockTimeoutError, PersonNeededError):
            present = snapshots.read(self.snapshot_path)
            if present is None or not self._may_keep(present, self._basis()):
                raise
            return present

    def fresh(self) -> Snapshot | None:
        """Return the profile's snapshot, or None if it must be renewed."""
        if self.options.force:
            return None
        snapshot = stored(self.declared.name, self.options.session, self.environ)
        return snapshot if snapshot and self._lasts(snapshot) else None

    def _lasts(self, snapshot: Snapshot) -> bool:
        return snapshot.credentials.lasts(self.options.min_life, utc_now())

    def _basis(self) -> Basis:
        return Basis.present(self.declared.name, self.environ, self.options.session)

    def _renew(self) -> Snapshot:
        basis = self._basis()  # taken before the files are read, so that an edit in between is noticed later
        present = snapshots.read(self.snapshot_path)
        holds = present is not None and present.holds(basis, utc_now())
        lasts = present is not None and self._lasts(present)
        may_keep = present is not None and self._may_keep(present, basis)
        try:
            renewed = self._make(basis, ask=not (holds and lasts) or self.options.force)
            snapshots.write(self.snapshot_path, renewed)
        except AwsdirenvError as error:
            if present is None or not may_keep:
                snapshots.tell_of_the_end(self.snapshot_path, present)
                raise
            if not lasts and self.is_expected:
                self._tell_of_short_life(present, error.message)
            return present  # it is still valid, so a failed renewal changes nothing
        self._tell_of_short_life(renewed, "new credentials do not last longer")
        return renewed

    def _may_keep(self, present: Snapshot, basis: Basis) -> bool:
        """Return whether a snapshot that is due may be used if it cannot be renewed now."""
        is_long_enough = not self.options.insist or self._lasts(present)
        return is_long_enough and not self.options.force and present.holds(basis, utc_now())

    def _tell_of_short_life(self, snapshot: Snapshot, why: str) -> None:
        short = snapshot.credentials.shortfall(self.options.min_life, utc_now())
        if short:
            self.tell(f"{snapshot.profile}: {short}: {why}")

    def parsed(self) -> tuple[tuple[str, str], AwsFiles]:
        """Return the stamps of AWS's files, and the parsed files. Raises ConfigError."""
        return (stamps := snapshots.present_stamps(self.environ)), self._files(stamps)

    def chain(self) -> Chain:
        """Resolve the profile's chain. Raises ProfileNotFoundError and ConfigError."""
        return self._resolve(self.parsed()[1])

    def long_term_keys(self) -> Snapshot:
        """Return a snapshot with the profile's own long-term keys. It is never written. Raises an AwsdirenvError."""
        self._note_name()
        basis = self._basis()
        files = self._files(basis.stamps)
        if self.options.session.agent is not None:
            raise AgentDeniedError(
                f"agents do not get the long-term keys of profile {self.declared.name}", "leave this to the user"
            )
        chain = self._resolve(files)
        if chain.narrowing:
            raise ConfigError(
                f"profile {chain.profile} has a session policy, and no policy narrows long-term keys",
                "leave --no-session out",
            )
        if chain.hops:
            raise ConfigError(
                f"profile {chain.profile} assumes a role, which has no long-term keys",
                f"use --no-session with the profile that has the keys: {chain.source_profile}",
            )
        keys = self._sts(files, chain).source_credentials()
        if not keys.is_long_term:
            raise ConfigError(
                f"profile {chain.profile} has no long-term keys, but temporary credentials", "leave --no-session out"
            )
        account_id = keys.account_id or account_of(chain.mfa_serial)
        keys, stage = replace(keys, account_id=account_id), stage_of(files, chain.profile)
        return Snapshot(chain.profile, keys, chain.region, None, basis.stamps, basis.context, stage=stage)

    def _make(self, basis: Basis, *, ask: bool) -> Snapshot:
        files = self._files(basis.stamps)
        chain = self._resolve(files)
        try:
            credentials = self._credentials(files, chain, ask=ask)
        except (AwsdirenvError, KeyboardInterrupt) as error:
            self._remember_questions()
            if isinstance(error, AwsdirenvError):
                error.on_the_way_to(chain.profile)
            raise
        environment = variables_text(chain.variables, self.environ) or None
        role, stage = chain.role_of(credentials.arn), stage_of(files, chain.profile)
        made = Snapshot(
            self.declared.name, credentials, chain.region, role, basis.stamps, basis.context, environment, stage
        )
        narrowing = chain.narrowing
        return replace(made, policies=narrowing.label, policy_stamp=narrowing.stamp) if narrowing else made

    def _resolve(self, files: AwsFiles) -> Chain:
        try:
            chain = resolve(files, self.declared.name, self.options.session, self.environ)
            refuse_feedback(chain, files, self.environ)
        except AwsdirenvError as error:
            error.on_the_way_to(self.declared.name)
            raise
        return chain

    def _files(self, stamps: tuple[str, str]) -> AwsFiles:
        """Return AWS's parsed files. They are parsed once for each pair of stamps."""
        if stamps not in self._parsed:
            self._parsed[stamps] = load_files(self.environ)
        return self._parsed[stamps]

    def _credentials(self, files: AwsFiles, chain: Chain, *, ask: bool) -> SessionCredentials:
        # The import is slow. It is only needed now that we hold the lock and know that the snapshot is old.
        from awsdirenv.refresh.refresher import Refresher  # noqa: PLC0415

        sts = self._sts(files, chain)
        check_chain(chain, files)  # before a person is asked for a code in vain
        if needs_sts(chain, files):
            sts.check_settings()
        store = SessionStore(self.paths.sessions, self.paths.mfa_renewed)
        refresher = Refresher(
            chain=chain,
            sts=sts,
            store=store,
            used=UsedCodes(self.paths.marks),
            users=UserNames(self.paths.marks),
            locks=self.locks,
            codes=self._codes(chain, ask=ask),
            now=utc_now,
            mfa_session_duration=self.settings.mfa_session_duration,
            renew_role=self.options.force,
            min_life=self.options.min_life,
            may_ask=ask,
            renew_mfa=self.options.force and self.options.token_code is not None,
        )
        token_before = sso_token.read(chain.sso_session, self.environ) if chain.sso_session else None
        try:
            credentials = refresher.credentials()
        except SignInNeededError as error:
            if not (self.options.sign_in or (self.settings.sso_login_auto and ask and self.is_expected)):
                raise
            self._sign_in(files, chain, token_before, error)
            store.announce(utc_now())
            credentials = refresher.credentials()
        if self.is_expected:
            for notice in refresher.notices:
                self.tell(f"{chain.profile}: {notice}")
        return credentials

    def _sts(self, files: AwsFiles, chain: Chain) -> Sts:
        from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
        from awsdirenv.aws.sts import Sts  # noqa: PLC0415

        region = environment_region(self.environ) or chain.region
        budget = Budget(self.settings.sts_timeout.total_seconds(), self.waiting)
        tell = self.tell if self.is_expected else lambda _: None
        # A window that asks for a password is a question, too.
        may_ask = self.human is not None and self.is_expected
        seconds = self.settings.keychain_timeout.total_seconds()
        keychain = Keychain(seconds, self.environ, self.waiting, may_ask=may_ask)
        return Sts(files, chain, region, self.environ, budget, tell, keychain)

    def _sign_in(
        self, files: AwsFiles, chain: Chain, token_before: sso_token.SsoToken | None, why: SignInNeededError
    ) -> None:
        """Let the user sign in. Raises SignInNeededError without an sso_session, or if nobody is at a terminal."""
        if chain.sso_session is None:
            raise why
        if self.human is None:
            raise SignInNeededError(f"{why.message}, and nobody is here to sign in", f"in a terminal: {why.hint}")
        from awsdirenv.aws.sso_login import SignIn, sign_in_once  # noqa: PLC0415 - imports botocore
        from awsdirenv.aws.sso_oidc import oidc_service  # noqa: PLC0415

        sign_in_key = session_key("sign-in", chain.sign_in)
        if self.marks.was_unanswered(sign_in_key):
            raise why
        self._asked.append(sign_in_key)
        self._release_claim()
        oidc = oidc_service(chain, chain.sso_session, files, self.settings.sts_timeout, self.waiting)
        sign_in = SignIn(
            chain.sso_session,
            oidc,
            self.environ,
            self.human.say,
            self.options.open_browser,
            self.options.device_code,
            login_command(chain.profile, "--device-code"),
        )
        sign_in_once(sign_in, sign_in_key, self.locks, token_before)

    def _codes(self, chain: Chain, *, ask: bool) -> CodeSource:
        command = self.settings.mfa_process or chain.mfa_process
        human = replace(self.human, ask=self._ask, begin=self._begin) if self.human else None
        timeout = self.settings.prompt_timeout
        wanted_code = WantedCode(chain.profile, self.options.token_code, command, timeout, self.was_asked)
        return code_source(wanted_code, human, self.waiting, may_ask=ask and self.is_expected)

    def _ask(self, prompt: str, timeout: float) -> str:
        assert self.human is not None  # noqa: S101 - see _codes
        self._release_claim()  # the user may take long, and other shells should not wait for that in silence
        return self.human.ask(prompt, timeout)

    def _begin(self, mfa_serial: str) -> None:
        """Raise PersonNeededError if another line of the same `.envrc` has asked for the same device's code in vain."""
        if self.marks.was_unanswered(mfa_serial):
            raise not_again(self.declared.name, mfa_serial)
        self._asked.append(mfa_serial)

    def _remember_questions(self) -> None:
        with contextlib.suppress(CacheError):
            for question in self._asked:
                self.marks.left_unanswered(question)

    def _release_claim(self) -> None:
        with contextlib.suppress(CacheError):
            remove(self.paths.claims / self.key)
