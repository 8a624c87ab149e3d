"""Which credentials a profile starts from and which roles follow, by botocore's rules.

The files are parsed by botocore's own config loader, and the walk below takes botocore's decisions in botocore's order
(botocore.credentials.AssumeRoleProvider): what it accepts we accept, what it refuses we refuse. We do the walk
ourselves because botocore asks for a code at every hop and shares nothing between processes.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awsdirenv.errors import ConfigError, ProfileNotFoundError
from awsdirenv.paths import home

CREDENTIAL_SOURCES = ("Environment", "EcsContainer", "Ec2InstanceMetadata")
_STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key")


@dataclass(frozen=True)
class AwsFiles:
    """AWS's two files as botocore sees them: `full_config` has the shape of botocore's Session.full_config."""

    config_path: str
    credentials_path: str
    full_config: dict[str, Any]
    credentials_sections: Mapping[str, Mapping[str, Any]]

    @property
    def profiles(self) -> Mapping[str, Mapping[str, Any]]:
        """Every profile; what the credentials file says wins over the config file."""
        profiles: Mapping[str, Mapping[str, Any]] = self.full_config["profiles"]
        return profiles


@dataclass(frozen=True)
class RoleHop:
    """One AssumeRole. `duration_seconds` is None where the profile leaves it to STS (one hour)."""

    profile: str
    role_arn: str
    duration_seconds: int | None
    external_id: str | None
    role_session_name: str | None
    mfa_serial: str | None

    @property
    def role(self) -> str:
        """The role's name, without the path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def account_id(self) -> str | None:
        """The account of the ARN."""
        parts = self.role_arn.split(":")
        return parts[4] if len(parts) > 5 and parts[4].isdigit() else None


@dataclass(frozen=True)
class Chain:
    """Where credentials come from (`source_profile` or `credential_source`), and the hops in the order of the calls."""

    profile: str
    source_profile: str
    credential_source: str | None
    hops: tuple[RoleHop, ...]
    source_mfa_serial: str | None
    mfa_process: str | None
    region: str | None
    source_fingerprint: str  # of all that the source's profile says
    endpoint: str  # set by the profile or the environment; empty for AWS's own

    @property
    def mfa_serial(self) -> str | None:
        """The device to prove, once, at the long-term key.

        The hop next to the key decides, as in the AWS CLI; then the key's own profile; then the later hops.
        """
        serials = [hop.mfa_serial for hop in self.hops]
        return next((s for s in [*serials[:1], self.source_mfa_serial, *serials[1:]] if s), None)

    @property
    def partition(self) -> str:
        """The partition of AWS the chain is in, such as `aws-cn`."""
        arns = [hop.role_arn for hop in self.hops] + [self.mfa_serial or ""]
        return next((arn.split(":")[1] for arn in arns if arn.startswith("arn:")), "aws")


def file_paths(environ: Mapping[str, str]) -> tuple[str, str]:
    """Give the paths of the config and the credentials file, expanded as botocore expands them."""
    folder = home(environ) / ".aws"
    config = environ.get("AWS_CONFIG_FILE", str(folder / "config"))
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    return _expand(config), _expand(credentials)


def load_files(environ: Mapping[str, str]) -> AwsFiles:
    """Parse both files. A missing file is an empty one. Raises ConfigError, naming the file."""
    config_path, credentials_path = file_paths(environ)
    full_config = _parse(config_path, sections=False) or {"profiles": {}}
    # A section of the credentials file that the config file has too adds its keys to it, and wins.
    sections = _parse(credentials_path, sections=True)
    for name, values in sections.items():
        full_config["profiles"].setdefault(name, {}).update(values)
    return AwsFiles(config_path, credentials_path, full_config, sections)


def static_keys(files: AwsFiles, profile: str) -> tuple[str, str, str | None] | None:
    """Give access key id, secret access key and session token where the files hold them and nothing comes before them.

    None for everything else, broken pairs included: that is for botocore to resolve or to refuse. This shortcut spares
    a quarter of a second before the question for a code; tests hold it to botocore's own order of providers.
    """
    config = files.profiles[profile]
    section = files.credentials_sections.get(profile, {})
    if any(key.startswith("sso_") or key == "web_identity_token_file" for key in config):
        return None
    if "aws_access_key_id" not in section:
        if "login_session" in config or "credential_process" in config:
            return None
        section = config
    key_id, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    token = section.get("aws_security_token", section.get("aws_session_token"))
    values = (key_id, secret, token)
    if not key_id or not secret or any(value is not None and not isinstance(value, str) for value in values):
        return None
    return key_id, secret, token or None


def resolve_chain(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> Chain:
    """Walk from the profile to its source. Raises ProfileNotFoundError and ConfigError, naming profile and hop."""
    if profile not in files.profiles:
        raise _not_found(files, profile)
    hops: list[RoleHop] = []
    visited = [profile]
    name, credential_source = profile, None
    while _is_role(files.profiles[name]) and not (hops and _has_static_keys(files.profiles[name])):
        hops.append(_role_hop(files, name))
        credential_source = files.profiles[name].get("credential_source")
        source = _checked_source(files, name, visited)
        if source is None:
            break
        visited.append(source)
        name = source
    return Chain(
        profile=profile,
        source_profile=name,
        credential_source=credential_source,
        hops=tuple(reversed(hops)),
        source_mfa_serial=None if credential_source else _text(files, name, "mfa_serial"),
        mfa_process=next((v for v in (_text(files, p, "mfa_process") for p in visited) if v), None),
        region=_text(files, profile, "region"),
        source_fingerprint=_fingerprint([files.profiles[name], files.full_config.get("sso_sessions")]),
        endpoint=_endpoint(files, profile, environ),
    )


def _endpoint(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> str:
    """Give whatever decides which STS answers: sessions of LocalStack's are worth nothing at AWS, and worse."""
    set_by_environment = [environ.get(name) for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")]
    config = files.profiles[profile]
    services = files.full_config.get("services", {}).get(config.get("services"))
    found = [*set_by_environment, config.get("endpoint_url"), services]
    return json.dumps(found) if any(found) else ""


def _fingerprint(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _is_role(config: Mapping[str, Any]) -> bool:
    return "role_arn" in config and "web_identity_token_file" not in config


def _has_static_keys(config: Mapping[str, Any]) -> bool:
    return any(key in config for key in _STATIC_KEYS)


def _role_hop(files: AwsFiles, name: str) -> RoleHop:
    role_arn = _text(files, name, "role_arn")
    if not role_arn:
        raise ConfigError(f"profile {name} has an empty role_arn", f"set role_arn in [profile {name}]")
    duration = _text(files, name, "duration_seconds")
    return RoleHop(
        profile=name,
        role_arn=role_arn,
        # botocore ignores what is no number, and so do we: the file may be shared with tools that read it otherwise.
        duration_seconds=_int(duration),
        external_id=_text(files, name, "external_id"),
        role_session_name=_text(files, name, "role_session_name"),
        mfa_serial=_text(files, name, "mfa_serial"),
    )


def _checked_source(files: AwsFiles, name: str, visited: list[str]) -> str | None:
    """Give the next profile of the walk, or None where credential_source ends it."""
    config = files.profiles[name]
    source, credential_source = config.get("source_profile"), config.get("credential_source")
    if source is not None and credential_source is not None:
        raise ConfigError(
            f"profile {name} has both source_profile and credential_source", f"keep one of them in [profile {name}]"
        )
    if credential_source is not None:
        if credential_source not in CREDENTIAL_SOURCES:
            raise ConfigError(
                f"profile {name} has an unknown credential_source: {credential_source}",
                f"set it to one of {', '.join(CREDENTIAL_SOURCES)}",
            )
        return None
    if source is None:
        raise ConfigError(
            f"profile {name} has role_arn but neither source_profile nor credential_source",
            f"add source_profile to [profile {name}]",
        )
    if source not in files.profiles:
        raise ConfigError(
            f"profile {name} names a source_profile that does not exist: {source}",
            f"add [profile {source}] to {files.config_path}, or [{source}] to {files.credentials_path}",
        )
    # A profile may name itself to find its own static keys; anything else seen before would go round for ever.
    if source in visited and not (source == name and _has_static_keys(files.profiles[source])):
        raise ConfigError(
            f"profile {name} closes a loop: {' -> '.join([*visited, source])}",
            f"change source_profile in [profile {name}]",
        )
    return str(source)


def _text(files: AwsFiles, profile: str, key: str) -> str | None:
    value = files.profiles[profile].get(key)
    if isinstance(value, Mapping):
        raise ConfigError(f"profile {profile} has a nested value for {key}", f"write {key} on one line")
    return value or None


def _int(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _not_found(files: AwsFiles, profile: str) -> ProfileNotFoundError:
    close = difflib.get_close_matches(profile, list(files.profiles), n=1)
    hint = f"did you mean {close[0]}?" if close else f"add [profile {profile}] to {files.config_path}"
    return ProfileNotFoundError(f"no profile {profile} in {files.config_path} or {files.credentials_path}", hint)


def _expand(path: str) -> str:
    return os.path.expanduser(os.path.expandvars(path))


def _parse(path: str, *, sections: bool) -> dict[str, Any]:
    # 25 ms that a load with a fresh snapshot, or one that only waits for another, need not pay.
    import botocore.configloader as loader  # noqa: PLC0415
    from botocore.exceptions import ConfigNotFound, ConfigParseError  # noqa: PLC0415

    try:
        # botocore takes what is no regular file for a missing one, and what it may not open for an empty one.
        if Path(path).exists() and not os.access(path, os.R_OK):
            raise ConfigError(f"cannot read {path}: permission denied", f"chmod u+r {path}")
        parsed: dict[str, Any] = loader.raw_config_parse(path) if sections else loader.load_config(path)
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        raise ConfigError(f"cannot parse {path}{_where(error)}", f"mend {path}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {type(error).__name__}", f"mend {path}") from None
    return parsed


def _where(error: Exception) -> str:
    """Say where, and never quote the line: it may be the one with the secret key."""
    cause = getattr(error, "kwargs", {}).get("error")
    if isinstance(cause, UnicodeDecodeError):
        return f": not UTF-8 at byte {cause.start}"
    line = getattr(cause, "lineno", None) or next(iter(getattr(cause, "errors", [])), (None,))[0]
    if line is None:
        return ""
    detail = {"DuplicateOptionError": "a key stands twice", "DuplicateSectionError": "a section stands twice"}
    return f", line {line}: {detail.get(type(cause).__name__, 'neither a section nor key = value')}"
