"""The identity that a directory is for: what its `.envrc` declares, and whether this shell has loaded it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from awsdirenv.cache import live_files, snapshots
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config import envrc
from awsdirenv.config.aws_files import STAGE_KEY, AwsFiles, load_files, static_keys
from awsdirenv.config.chain import WEB_IDENTITY, Chain, account_of
from awsdirenv.config.envrc import Declaration
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.settings import declared_profile, role_duration
from awsdirenv.errors import SettingError
from awsdirenv.records import Record
from awsdirenv.refresh.loader import LoadOptions
from awsdirenv.refresh.request import ProfileContext, Request, looking
from awsdirenv.system.direnv import exported, loaded_directory, working_directory


class Declared(Record):
    """The declared identity. `role` is the role's name, `key` the access key id that the environment should have."""

    profile: str | None = None
    account_id: str | None = None
    role_arn: str | None = None
    region: str | None = None
    stage: str | None = None
    role: str | None = None
    key: str | None = None


class Place(Record):
    """The directory of a shell, and what the shell has loaded.

    `loaded` is the directory that the environment was loaded for, and `is_here` says whether that is this directory.
    `said` is the `use aws_profile` line of the `.envrc` here, or None if it cannot be read.
    """

    environ: Mapping[str, str]
    directory: Path
    loaded: Path | None
    is_here: bool
    said: Declaration | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Place:
        """Look at the present directory and the environment. Raises DirectoryError."""
        directory = working_directory(environ)
        loaded, said = loaded_directory(environ), envrc.nearest(directory)
        is_here = loaded is not None and _is_within(directory, loaded)
        if is_here and loaded and said:
            # Another `.envrc` may be between this folder and the one that was loaded.
            is_here = not (_is_within(said.envrc.parent, loaded) and not _is_within(loaded, said.envrc.parent))
        return cls(environ, directory, loaded, is_here, said)

    @property
    def mark(self) -> str | None:
        """The profile that was loaded here, according to the environment, whether open or closed."""
        if self.loaded is not None and not self.is_here:
            return None
        # What direnv itself has set comes first: an `awsdirenv export other` typed here later declares nothing.
        was_set = exported(self.environ) if self.is_here else {}
        marks = (
            values.get(f"AWSDIRENV_{name}") for values in (was_set, self.environ) for name in ("PROFILE", "DECLARED")
        )
        return next((mark for mark in marks if mark), None)

    def option(self, name: str) -> str | None:
        """Return the value of an option of the line, or None."""
        return self.said.options.get(name) if self.said else None


def declared(place: Place) -> Declared:
    """Resolve what is declared here, from the user's own files. Raises AwsdirenvError."""
    outer = dict(place.environ)
    live_files.leave(outer)
    name = _profile(place, outer)
    if name is None:
        return Declared(region=place.option("--region"), stage=place.option("--stage"))
    duration = _seconds(place.option("--duration"))
    context = looking(Request(name, options=LoadOptions(duration=duration)), outer)
    files = load_files(context.environ)
    chain = resolve_chain(files, name, context.environ)
    snapshot = snapshots.read(context.paths.snapshots / snapshot_key(name, context.environ, duration))
    return _resolved(place, context, files, chain, snapshot)


def _profile(place: Place, outer: Mapping[str, str]) -> str | None:
    line = place.said
    if place.mark and not (line and _is_edited(place, line)):
        return place.mark
    if line is None or line.profile is None:
        return None
    return line.profile or declared_profile(None, line.envrc.parent, outer).name


def _is_edited(place: Place, line: Declaration) -> bool:
    """Return whether the `.envrc` was changed after it was loaded, and names another profile now."""
    loaded_at, _, _ = place.environ.get("AWSDIRENV_LOADED", "").partition(" ")
    try:
        is_same = loaded_at == str(int(line.envrc.stat().st_mtime))
    except OSError:
        return False
    return not is_same and bool(loaded_at) and bool(line.profile) and line.profile != place.mark


def _resolved(
    place: Place, context: ProfileContext, files: AwsFiles, chain: Chain, snapshot: Snapshot | None
) -> Declared:
    own = files.profiles[chain.profile]
    role_arn = chain.hops[-1].role_arn if chain.hops else None
    if chain.source_kind == WEB_IDENTITY and not role_arn:
        role_arn = str(own.get("role_arn") or "") or None
    stored_account = snapshot.credentials.account_id if snapshot else None
    stored_key = snapshot.credentials.access_key_id if snapshot else None
    of_user = None if role_arn else str(own.get("sso_account_id") or "") or account_of(chain.mfa_serial)
    keys = static_keys(files, chain.source_profile) if place.option("--no-session") is not None else None
    set_here = exported(place.environ) if place.is_here else {}
    region = place.option("--region") or (context.region and context.region[0]) or chain.region
    stage = (place.environ.get("AWSDIRENV_STAGE") if place.is_here else None) or place.option("--stage")
    return Declared(
        profile=chain.profile,
        account_id=place.option("--account") or account_of(role_arn) or of_user or stored_account,
        role_arn=role_arn,
        region=set_here.get("AWS_REGION") or region,
        stage=stage or str(own.get(STAGE_KEY) or "") or None,
        role=chain.role or (role_arn and role_arn.rpartition("/")[2]),
        key=keys[0] if keys else stored_key,
    )


def _seconds(text: str | None) -> int | None:
    try:
        return role_duration(text) if text else None
    except SettingError:
        return None


def _is_within(folder: Path, top: Path) -> bool:
    return folder.resolve().is_relative_to(top.resolve())
