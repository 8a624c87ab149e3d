"""The input of the checks of `doctor`, where each part is looked up once, and their output: findings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.identity import KeyFacts, LongTermKey, ask_about_key
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config import envrc
from awsdirenv.config.aws_files import AwsFiles, load_files, static_keys
from awsdirenv.config.chain import STATIC, Chain, partition_of
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError, ConfigError, DirectoryError
from awsdirenv.records import Record
from awsdirenv.refresh.request import Request, looking
from awsdirenv.session_credentials import utc_now
from awsdirenv.system.direnv import working_directory
from awsdirenv.system.stamps import stamped_path

ERROR, WARNING, INFO = SEVERITIES = ("error", "warning", "info")
NETWORK_TIME = 8.0  # seconds, for all calls to AWS together
_MOST_KEYS = 3  # AWS is asked about this many keys at most
_ANY_REGION = "us-east-1"  # for a key without a region: every region knows all keys of its partition


class Finding(Record):
    """One thing that is not as it should be.

    `path` is a file, a folder or `path:line`. `check` is the name of the check that found it.
    """

    severity: str
    message: str
    hint: str
    path: str | None = None
    check: str = ""


Check = Callable[["DoctorContext"], Iterable[Finding]]


class StoredSnapshot(Record):
    """What the checks need of a snapshot. `expiration` is None for credentials without an end."""

    path: Path
    profile: str
    config_path: str
    expiration: datetime | None


@dataclass(frozen=True)
class DoctorContext:
    """The directory and the environment to check, and the profiles in use there.

    `environ` is the present environment, `outer` the one from before direnv loaded the directory. `profile` is None if
    nothing declares a profile, or if that is unknown: then `problem` says why. `patience` is the time for all calls to
    AWS together.
    """

    environ: Mapping[str, str]
    directory: Path
    offline: bool = False
    outer: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    region: str | None = None
    patience: timedelta = timedelta(seconds=NETWORK_TIME)
    problem: AwsdirenvError | None = None
    now: datetime = field(default_factory=utc_now)
    told: dict[str, str | None] = field(default_factory=dict)  # direnv's output, by command; None: the command failed

    @classmethod
    def here(cls, environ: Mapping[str, str], *, offline: bool = False) -> DoctorContext:
        """Create the context of the present directory. An error is kept in `problem`, which a check reports."""
        try:
            directory = working_directory(environ)
        except DirectoryError as error:
            return cls(environ, Path("/"), offline, outer=environ, problem=error)
        line = envrc.nearest(directory)
        is_loaded = "AWSDIRENV_PROFILE" in environ or "AWSDIRENV_DECLARED" in environ
        try:
            look = looking(Request(None if is_loaded or not line else line.profile or None), environ)
        except AwsdirenvError as error:
            return cls(environ, directory, offline, outer=environ, problem=error)
        # If nothing names a profile, `looking` returns `default`, which is not declared. And we do not guess a name
        # that only bash can work out (a variable).
        is_declared = is_loaded or (line.profile is not None if line else look.profile != "default")
        return cls(
            environ,
            directory,
            offline,
            outer=look.environ,
            profile=look.profile if is_declared else None,
            region=(line.options.get("--region") if line else None) or (look.region[0] if look.region else None),
            patience=min(look.settings.sts_timeout, timedelta(seconds=NETWORK_TIME)),
            now=look.now,
        )

    @cached_property
    def paths(self) -> CachePaths:
        """Our folders."""
        return CachePaths.from_environ(self.environ)

    @cached_property
    def envrc(self) -> Path | None:
        """The `.envrc` that direnv would load here."""
        folders = (self.directory, *self.directory.parents)
        return next((path for folder in folders if (path := folder / ".envrc").is_file()), None)

    @cached_property
    def project(self) -> Path:
        """The folder of that `.envrc`, or the present directory if there is none."""
        return self.envrc.parent if self.envrc else self.directory

    @cached_property
    def _parsed(self) -> tuple[AwsFiles | None, AwsdirenvError | None]:
        try:
            return load_files(self.outer), None
        except ConfigError as error:
            return None, error

    @property
    def files(self) -> AwsFiles | None:
        """AWS's files, or None if they cannot be read: then `files_problem` says why."""
        return self._parsed[0]

    @property
    def files_problem(self) -> AwsdirenvError | None:
        """The error of reading AWS's files, or None."""
        return self._parsed[1]

    @cached_property
    def snapshots(self) -> list[StoredSnapshot]:
        """All valid snapshots."""
        folder = self.paths.snapshots
        return [
            StoredSnapshot(folder / name, held.profile, stamped_path(held.stamps[0]), held.credentials.expiration)
            for name, held in snapshots.stored(folder).items()
        ]

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """The chains of the profiles in use, this directory's first. Profiles that cannot be resolved are left out."""
        names = dict.fromkeys([*([self.profile] if self.profile else []), *(each.profile for each in self.snapshots)])
        if self.files is None:
            return {}
        chains = {}
        for name in names:
            with contextlib.suppress(AwsdirenvError):
                chains[name] = resolve_chain(self.files, name, self.outer)
        return chains

    @cached_property
    def keys(self) -> list[LongTermKey]:
        """The long-term keys behind the profiles in use, each once."""
        keys: dict[str, LongTermKey] = {}
        for chain in self.chains.values():
            stored = static_keys(self.files, chain.source_profile) if self.files else None
            if chain.source_kind != STATIC or not stored or stored[2]:  # a session token: the key is not long-term
                continue
            region = self.region or chain.region or _ANY_REGION
            if chain.partition in (None, partition_of(region)):
                keys.setdefault(stored[0], LongTermKey(chain.source_profile, stored[0], stored[1], region))
        return [*keys.values()]

    @cached_property
    def asked(self) -> list[KeyFacts]:
        """What AWS says about these keys. Empty if we are offline."""
        if self.offline or self.files is None:
            return []
        budget = Budget(self.patience.total_seconds())
        return [ask_about_key(self.files, key, budget) for key in self.keys[:_MOST_KEYS]]
