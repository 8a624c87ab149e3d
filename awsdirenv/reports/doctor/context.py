"""What the checks of `doctor` start from, each part looked up once, and what they find. Nothing is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.iam_keys import KeyFacts, LongTermKey, ask
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config import envrc
from awsdirenv.config.aws_files import AwsFiles, load_files, static_keys
from awsdirenv.config.chain import STATIC, Chain, partition_of
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.credentials import utc_now
from awsdirenv.errors import AwsdirenvError, ConfigError, DirectoryError
from awsdirenv.refresh.request import Request, looking
from awsdirenv.system.direnv import working_directory

ERROR, WARNING, INFO = SEVERITIES = ("error", "warning", "info")
NETWORK_TIME = 8.0  # seconds, for all that AWS is asked together
_MOST_KEYS = 3
_GLOBAL = "us-east-1"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. `path` is a file, a folder or `path:line`; `check` is who found it."""

    severity: str
    message: str
    hint: str
    path: str | None = None
    check: str = ""


Check = Callable[["Situation"], Iterable[Finding]]


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot as far as it can be read, with the profile that it is of."""

    path: Path
    profile: str
    config_path: str
    expiration: datetime | None


@dataclass(frozen=True)
class Situation:
    """Where somebody is, and which profiles matter there.

    `environ` is the environment as it is, `outer` as it was outside the directory that direnv has loaded. `profile` is
    None where nothing declares one, and `problem` says why that could not be told.
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
    told: dict[str, str | None] = field(default_factory=dict)  # what direnv said, by command; None where it failed

    @classmethod
    def here(cls, environ: Mapping[str, str], *, offline: bool = False) -> Situation:
        """Look where we are. Raises nothing: what cannot be told is a finding."""
        try:
            directory = working_directory(environ)
        except DirectoryError as error:
            return cls(environ, Path("/"), offline, outer=environ, problem=error)
        line = envrc.nearest(directory)
        is_loaded = "AWSDIRENV_PROFILE" in environ or "AWSDIRENV_DECLARED" in environ
        try:
            found = looking(Request(None if is_loaded or not line else line.profile or None), environ)
        except AwsdirenvError as error:
            return cls(environ, directory, offline, outer=environ, problem=error)
        # `default` is what is meant where nobody has said anything; what only bash can tell is nobody's guess.
        is_declared = is_loaded or (line.profile is not None if line else found.profile != "default")
        return cls(
            environ,
            directory,
            offline,
            outer=found.environ,
            profile=found.profile if is_declared else None,
            region=(line.options.get("--region") if line else None) or (found.region[0] if found.region else None),
            patience=min(found.settings.sts_timeout, timedelta(seconds=NETWORK_TIME)),
            now=found.now,
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
        """The folder of that `.envrc`; without one where we are."""
        return self.envrc.parent if self.envrc else self.directory

    @cached_property
    def _parsed(self) -> tuple[AwsFiles | None, AwsdirenvError | None]:
        try:
            return load_files(self.outer), None
        except ConfigError as error:
            return None, error

    @property
    def files(self) -> AwsFiles | None:
        """AWS's files, or None where they cannot be read: `files_problem` says why."""
        return self._parsed[0]

    @property
    def files_problem(self) -> AwsdirenvError | None:
        """Why AWS's files cannot be read."""
        return self._parsed[1]

    @cached_property
    def snapshots(self) -> list[StoredSnapshot]:
        """All snapshots that we would believe."""
        folder = self.paths.snapshots
        return [
            StoredSnapshot(folder / name, one.profile, one.stamps[0].partition(" ")[2], one.credentials.expiration)
            for name, one in snapshots.stored(folder).items()
        ]

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """The profiles in use, this directory's first, with the chain of each that has one."""
        names = dict.fromkeys([*([self.profile] if self.profile else []), *(each.profile for each in self.snapshots)])
        found = {}
        for name in names if self.files else ():
            with contextlib.suppress(AwsdirenvError):
                found[name] = resolve_chain(self.files, name, self.outer)  # type: ignore[arg-type] # None has no names
        return found

    @cached_property
    def keys(self) -> list[LongTermKey]:
        """The long-term keys behind the profiles in use, each once."""
        found: dict[str, LongTermKey] = {}
        for chain in self.chains.values():
            pair = static_keys(self.files, chain.source_profile) if self.files else None
            if chain.source_kind != STATIC or not pair or pair[2]:
                continue
            region = self.region or chain.region or _GLOBAL
            if chain.partition in (None, partition_of(region)):
                found.setdefault(pair[0], LongTermKey(chain.source_profile, pair[0], pair[1], region))
        return [*found.values()]

    @cached_property
    def asked(self) -> list[KeyFacts]:
        """What AWS says of these keys; nothing where it is not to be asked."""
        if self.offline or self.files is None:
            return []
        budget = Budget(self.patience.total_seconds())
        return [ask(self.files, key, budget) for key in self.keys[:_MOST_KEYS]]
