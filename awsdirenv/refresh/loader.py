"""From a declared profile to a snapshot on disk: puts the parts together for one command.

It is handed the environment, the settings and a console, and decides nothing about STS (refresh does) or output (cli).
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
from awsdirenv.cache.sessions import SessionStore, UsedCodes, UserNames, prepare
from awsdirenv.cache.snapshots import Snapshot, file_stamp
from awsdirenv.config.aws_files import AwsFiles, file_paths, load_files, stage_of
from awsdirenv.config.chain import Chain, account_of, with_duration
from awsdirenv.config.environment import environment_mark, environment_region
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.settings import DeclaredProfile, Settings
from awsdirenv.errors import AwsdirenvError, CacheError, ConfigError, SignInNeededError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.mfa_codes import CodeSource, Human, WantedCode, code_source
from awsdirenv.refresh.preflight import refuse_feedback, refuse_recursion
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system.files import remove
from awsdirenv.system.lock import Locks

if TYPE_CHECKING:
    from awsdirenv.refresh.refresher import CredentialSource


class LoadOptions(Record):
    """How a command or a directory wants its credentials, other than by default."""

    token_code: str | None = None
    force: bool = False
    duration: int | None = None  # seconds
    min_life: timedelta | None = None  # renewed if less is left
    insist: bool = False  # on `min_life`: less is a failure, although it would do for now
    sign_in: bool = False  # where that is due, and not only if the settings say so
    open_browser: bool = True


@dataclass(frozen=True)
class Loader:
    """Everything one load needs."""

    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    locks: Locks
    declared: DeclaredProfile
    human: Human | None
    tell: Callable[[str], None]  # what is worth knowing and no failure
    waiting: Callable[[str], None] = lambda _: None  # what takes longer than a second
    is_expected: bool = True  # whether the person expects a question now
    options: LoadOptions = LoadOptions()  # noqa: RUF009 - frozen
    _parsed: dict[tuple[str, str], AwsFiles] = field(default_factory=dict)

    def with_options(self, options: LoadOptions) -> Loader:
        """Give the same loader with other options."""
        return dataclasses.replace(self, options=options)

    @property
    def snapshot_path(self) -> Path:
        """Where this profile's snapshot is."""
        return self.paths.snapshots / self.key

    @property
    def key(self) -> str:
        """What the snapshot is called."""
        return snapshot_key(self.declared.name, self.environ, self.options.duration)

    def load(self) -> Snapshot:
        """Give the profile's snapshot, renewed and written if that was due. Raises any AwsdirenvError."""
        refuse_recursion(self.declared.name, self.environ)
        self._note_name()
        try:
            return self._load()
        finally:
            self._release_claim()

    def _note_name(self) -> None:
        """Tell the extension what a `.env` declares."""
        prepare(self.paths)
        if self.declared.dotenv:
            key = name_key(self.declared.dotenv, self.environ)
            with self.locks.hold(f"name-{key}"):
                snapshots.write_name(self.paths.names / key, self.declared.name, self.declared.dotenv)

    def _load(self) -> Snapshot:
        if found := self.fresh():
            return found
        with self.locks.hold_unless(f"snapshot-{self.key}", self.fresh) as seen:
            snapshots.settle(self.snapshot_path)
            seen_now = seen or self.fresh()  # somebody else may have done it while we waited
            if seen_now:
                return seen_now
            self.locks.note(f"getting credentials for profile {self.declared.name}")
            return self._renew()

    def fresh(self) -> Snapshot | None:
        """Give the profile's snapshot if there is no reason yet to renew it."""
        if self.options.force:
            return None
        found = snapshots.read(self.snapshot_path)
        if found and found.holds(self._stamps(), self.declared.name, environment_mark(self.environ), utc_now()):
            return found if found.credentials.is_fresh(utc_now()) and self._lasts(found) else None
        return None

    def _lasts(self, snapshot: Snapshot) -> bool:
        return snapshot.credentials.lasts(self.options.min_life, utc_now())

    def _stamps(self) -> tuple[str, str]:
        config, credentials = file_paths(self.environ)
        return file_stamp(config), file_stamp(credentials)

    def _renew(self) -> Snapshot:
        stamps = self._stamps()  # before the files are read: an edit in between then shows as a difference
        present = snapshots.read(self.snapshot_path)
        holds = present is not None and present.holds(
            stamps, self.declared.name, environment_mark(self.environ), utc_now()
        )
        lasts = present is not None and self._lasts(present)
        try:
            made = self._make(stamps, ask=not (holds and lasts) or self.options.force)
            snapshots.write(self.snapshot_path, made)
        except AwsdirenvError as error:
            may_keep = holds and not self.options.force and (lasts or not self.options.insist)
            if present is None or not may_keep:
                snapshots.tell_of_the_end(self.snapshot_path, present)
                raise
            if not lasts and self.is_expected:
                self._tell_of_short_life(present, error.message)
            return present  # ahead of the end, a failure changes nothing
        self._tell_of_short_life(made, "that is as long as they live")
        return made

    def _tell_of_short_life(self, snapshot: Snapshot, why: str) -> None:
        short = snapshot.credentials.shortfall(self.options.min_life, utc_now())
        if short:
            self.tell(f"{snapshot.profile}: {short}: {why}")

    def parsed(self) -> tuple[tuple[str, str], AwsFiles]:
        """Give the state that AWS's files are in, and what they say. Raises ConfigError."""
        return (stamps := self._stamps()), self._files(stamps)

    def chain(self) -> Chain:
        """Resolve the profile's chain. Raises ProfileNotFoundError and ConfigError."""
        return self._resolve(self.parsed()[1])

    def long_term_keys(self) -> Snapshot:
        """Give the profile's own long-term keys, which are never written. Raises any AwsdirenvError."""
        self._note_name()
        stamps = self._stamps()
        files = self._files(stamps)
        chain = self._resolve(files)
        if chain.hops:
            raise ConfigError(
                f"profile {chain.profile} assumes a role, which has no long-term keys",
                f"use --no-session with the profile that has the keys: {chain.source_profile}",
            )
        found = self._sts(files, chain).source_credentials()
        if not found.is_long_term:
            raise ConfigError(
                f"profile {chain.profile} has no long-term keys, but temporary credentials", "leave --no-session out"
            )
        account_id = found.account_id or account_of(chain.mfa_serial)
        found, stage = replace(found, account_id=account_id), stage_of(files, chain.profile)
        return Snapshot(chain.profile, found, chain.region, None, stamps, stage=stage)

    def _make(self, stamps: tuple[str, str], *, ask: bool) -> Snapshot:
        files = self._files(stamps)
        chain = self._resolve(files)
        try:
            credentials = self._credentials(files, chain, ask=ask)
        except AwsdirenvError as error:
            error.on_the_way_to(chain.profile)
            raise
        mark = environment_mark(self.environ) if chain.depends_on_environment else None
        role, stage = chain.role_of(credentials.arn), stage_of(files, chain.profile)
        return Snapshot(chain.profile, credentials, chain.region, role, stamps, mark, stage)

    def _resolve(self, files: AwsFiles) -> Chain:
        try:
            chain = with_duration(resolve_chain(files, self.declared.name, self.environ), self.options.duration)
            refuse_feedback(chain, files, self.environ)
        except AwsdirenvError as error:
            error.on_the_way_to(self.declared.name)
            raise
        return chain

    def _files(self, stamps: tuple[str, str]) -> AwsFiles:
        """Parse AWS's files, once in each of their states."""
        if stamps not in self._parsed:
            self._parsed[stamps] = load_files(self.environ)
        return self._parsed[stamps]

    def _credentials(self, files: AwsFiles, chain: Chain, *, ask: bool) -> SessionCredentials:
        # What this imports is only worth it now that the lock is held and the snapshot is known to be old.
        from awsdirenv.refresh.refresher import Refresher  # noqa: PLC0415

        store = SessionStore(self.paths.sessions, self.paths.mfa_renewed)
        refresher = Refresher(
            chain=chain,
            sts=self._sts(files, chain),
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
        seen = sso_token.read(chain.sso_session, self.environ) if chain.sso_session else None
        try:
            credentials = refresher.credentials()
        except SignInNeededError as error:
            if not (self.options.sign_in or (self.settings.sso_login_auto and ask and self.is_expected)):
                raise
            self._sign_in(files, chain, seen, error)
            store.announce(utc_now())
            credentials = refresher.credentials()
        if self.is_expected:
            for notice in refresher.notices:
                self.tell(f"{chain.profile}: {notice}")
        return credentials

    def _sts(self, files: AwsFiles, chain: Chain) -> CredentialSource:
        from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
        from awsdirenv.aws.sts import Sts  # noqa: PLC0415

        region = environment_region(self.environ) or chain.region
        budget = Budget(self.settings.sts_timeout.total_seconds(), self.waiting)
        return Sts(files, chain, region, self.environ, budget, self.tell if self.is_expected else lambda _: None)

    def _sign_in(self, files: AwsFiles, chain: Chain, seen: sso_token.SsoToken | None, why: SignInNeededError) -> None:
        """Have the person sign in, or raise why they should."""
        if chain.sso_session is None:
            raise why
        if self.human is None:
            raise SignInNeededError(f"{why.message}, and nobody is here to sign in", f"in a terminal: {why.hint}")
        from awsdirenv.aws.sso_login import SignIn, oidc_service, sign_in_once  # noqa: PLC0415 - imports botocore

        self._release_claim()
        oidc = oidc_service(chain, chain.sso_session, files, self.settings.sts_timeout, self.waiting)
        wanted = SignIn(chain.sso_session, oidc, self.environ, self.human.say, self.options.open_browser)
        sign_in_once(wanted, session_key("sign-in", chain.sign_in), self.locks, seen)

    def _codes(self, chain: Chain, *, ask: bool) -> CodeSource:
        command = self.settings.mfa_process or chain.mfa_process
        human = replace(self.human, ask=self._ask) if self.human else None
        wanted = WantedCode(chain.profile, self.options.token_code, command, self.settings.prompt_timeout)
        return code_source(wanted, human, self.waiting, may_ask=ask and self.is_expected)

    def _ask(self, prompt: str, timeout: float) -> str:
        assert self.human is not None  # noqa: S101 - see _codes
        self._release_claim()  # a person takes longer than others should wait without a word
        return self.human.ask(prompt, timeout)

    def _release_claim(self) -> None:
        with contextlib.suppress(CacheError):
            remove(self.paths.claims / self.key)
