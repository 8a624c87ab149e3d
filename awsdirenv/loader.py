"""From a declared profile to a snapshot on disk: puts the parts together for one command.

It is handed the environment, the settings and a console, and decides nothing about STS (refresh does) or output (cli).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from awsdirenv import snapshot as snapshots
from awsdirenv.aws_files import file_paths, load_files
from awsdirenv.chain import ENVIRONMENT, Chain
from awsdirenv.errors import AwsdirenvError, CacheError, ConfigError
from awsdirenv.files import remove
from awsdirenv.lock import Locks
from awsdirenv.mfa import CodeSource, Given, Process, Prompt, nobody_there, not_now
from awsdirenv.paths import CachePaths, name_key, snapshot_key
from awsdirenv.profile import resolve_chain
from awsdirenv.session_credentials import utc_now
from awsdirenv.settings import DeclaredProfile, Settings, environment_region
from awsdirenv.snapshot import Snapshot, file_stamp
from awsdirenv.store import SessionStore, UsedCodes, UserNames, prepare


@dataclass(frozen=True)
class Human:
    """A person who is there: how to ask them for a line within some seconds, and how to tell them something."""

    ask: Callable[[str, float], str]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Loader:
    """Everything one load needs."""

    environ: Mapping[str, str]
    settings: Settings
    paths: CachePaths
    locks: Locks
    declared: DeclaredProfile
    human: Human | None
    is_expected: bool = True  # whether the person expects a question now
    token_code: str | None = None
    force: bool = False

    @property
    def snapshot_path(self) -> Path:
        """Where this profile's snapshot is."""
        return self.paths.snapshots / self._key

    @property
    def _key(self) -> str:
        return snapshot_key(self.declared.name, self.environ)

    def load(self) -> Snapshot:
        """Give the profile's snapshot, renewed and written if that was due. Raises any AwsdirenvError."""
        prepare(self.paths)
        if self.declared.dotenv:
            key = name_key(self.declared.dotenv, self.environ)
            with self.locks.hold(f"name-{key}"):
                snapshots.write_name(self.paths.names / key, self.declared.name, self.declared.dotenv)
        try:
            return self._load()
        finally:
            self._release_claim()

    def _load(self) -> Snapshot:
        found = self._fresh()
        if found:
            return found
        with self.locks.hold_unless(f"snapshot-{self._key}", self._fresh) as seen:
            seen_now = seen or self._fresh()  # somebody else may have done it while we waited
            if seen_now:
                return seen_now
            self.locks.note(f"getting credentials for profile {self.declared.name}")
            return self._renew()

    def _fresh(self) -> Snapshot | None:
        if self.force:
            return None
        found = snapshots.read(self.snapshot_path)
        if found and found.holds(self._stamps(), self.declared.name, utc_now()):
            return found if found.credentials.is_fresh(utc_now()) else None
        return None

    def _stamps(self) -> tuple[str, str]:
        config, credentials = file_paths(self.environ)
        return file_stamp(config), file_stamp(credentials)

    def _renew(self) -> Snapshot:
        stamps = self._stamps()  # before the files are read: an edit in between then shows as a difference
        present = snapshots.read(self.snapshot_path)
        holds = present is not None and present.holds(stamps, self.declared.name, utc_now())
        try:
            made = self._make(stamps, ask=not holds or self.force)
            snapshots.write(self.snapshot_path, made)
        except AwsdirenvError:
            if present is None or not holds or self.force:
                raise
            return present  # ahead of the end, a failure changes nothing
        return made

    def _make(self, stamps: tuple[str, str], *, ask: bool) -> Snapshot:
        files = load_files(self.environ)
        chain = resolve_chain(files, self.declared.name, self.environ)
        if chain.source_kind == ENVIRONMENT and "AWSDIRENV_PROFILE" in self.environ:
            raise ConfigError(
                f"profile {chain.source_profile} takes its keys from the environment, which holds those of a directory",
                "leave the directory first: keys that are exported must not feed their own refresh",
            )
        # What these import is only worth it now that the lock is held and the snapshot is known to be old.
        from awsdirenv.boto_session import Budget  # noqa: PLC0415
        from awsdirenv.refresh import Refresher  # noqa: PLC0415
        from awsdirenv.sts import Sts  # noqa: PLC0415

        region = environment_region(self.environ) or chain.region
        refresher = Refresher(
            chain=chain,
            sts=Sts(files, chain, region, self.environ, Budget(self.settings.sts_timeout.total_seconds())),
            store=SessionStore(self.paths.sessions, self.paths.mfa_renewed),
            used=UsedCodes(self.paths.marks),
            users=UserNames(self.paths.marks),
            locks=self.locks,
            codes=self._codes(chain, ask=ask),
            now=utc_now,
            mfa_session_duration=self.settings.mfa_session_duration,
            renew_role=self.force,
            renew_mfa=self.force and self.token_code is not None,
        )
        credentials = refresher.credentials()
        role = chain.hops[-1].role if chain.hops else None
        return Snapshot(chain.profile, credentials, chain.region, role, stamps)

    def _codes(self, chain: Chain, *, ask: bool) -> CodeSource:
        if self.token_code is not None:
            return Given(self.token_code)
        command = self.settings.mfa_process or chain.mfa_process
        if command:
            return Process(command)
        if self.human is None:
            return nobody_there(chain.profile)
        if not ask or not self.is_expected:
            return not_now(chain.profile)
        return Prompt(self._ask, self.human.say, self.settings.prompt_timeout.total_seconds())

    def _ask(self, prompt: str, timeout: float) -> str:
        assert self.human is not None  # noqa: S101 - see _codes
        self._release_claim()  # a person takes longer than others should wait without a word
        return self.human.ask(prompt, timeout)

    def _release_claim(self) -> None:
        with contextlib.suppress(CacheError):
            remove(self.paths.claims / self._key)
