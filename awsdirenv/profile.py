"""Which credentials a profile starts from and which roles follow, by botocore's rules.

The walk takes botocore's decisions in botocore's order (botocore.credentials.AssumeRoleProvider): what it accepts we
accept, what it refuses we refuse. We do it ourselves because botocore asks for a code at every hop and shares nothing
between processes.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awsdirenv.aws_files import AwsFiles
from awsdirenv.errors import ConfigError, ProfileNotFoundError

CREDENTIAL_SOURCES = ("Environment", "EcsContainer", "Ec2InstanceMetadata")
_STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key")


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


def resolve_chain(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> Chain:
    """Walk from the profile to its source. Raises ProfileNotFoundError and ConfigError, naming profile and hop."""
    if profile not in files.profiles:
        raise _not_found(files, profile)
    hops: list[RoleHop] = []
    visited = [profile]
    name, credential_source = profile, None
    while _is_role(files.profiles[name]) and not (hops and _has_static_keys(files.profiles[name])):
        hops.append(_role_hop(files, name))
        credential_source = _raw(files, name, "credential_source")
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
    services = files.full_config.get("services", {}).get(_text(files, profile, "services"))
    found = [*set_by_environment, _text(files, profile, "endpoint_url"), services]
    return json.dumps(found) if any(found) else ""


def _fingerprint(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _is_role(config: Mapping[str, Any]) -> bool:
    return "role_arn" in config and "web_identity_token_file" not in config


def _has_static_keys(config: Mapping[str, Any]) -> bool:
    return any(key in config for key in _STATIC_KEYS)


def _role_hop(files: AwsFiles, name: str) -> RoleHop:
    duration = _text(files, name, "duration_seconds")
    return RoleHop(
        profile=name,
        role_arn=_parameter(files, name, "role_arn") or "",
        # botocore ignores what is no number, and so do we: the file may be shared with tools that read it otherwise.
        duration_seconds=_int(duration),
        external_id=_parameter(files, name, "external_id"),
        role_session_name=_text(files, name, "role_session_name"),
        mfa_serial=_parameter(files, name, "mfa_serial"),
    )


def _checked_source(files: AwsFiles, name: str, visited: list[str]) -> str | None:
    """Give the next profile of the walk, or None where credential_source ends it."""
    source, credential_source = _raw(files, name, "source_profile"), _raw(files, name, "credential_source")
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
    return source


def _raw(files: AwsFiles, profile: str, key: str) -> str | None:
    """Give one value, or None where the key is not there.

    A value of several lines is refused, and not quoted: an indented line continues the one before it, and it may have
    been meant to be the secret key.
    """
    value = files.profiles[profile].get(key)
    if value is None or (isinstance(value, str) and "\n" not in value):
        return value
    raise ConfigError(
        f"profile {profile} has several lines for {key}",
        f"write {key} on one line; an indented line continues the one before it",
    )


def _text(files: AwsFiles, profile: str, key: str) -> str | None:
    """Give one value where an empty one is as good as none."""
    return _raw(files, profile, key) or None


def _parameter(files: AwsFiles, profile: str, key: str) -> str | None:
    """Give one value for STS, which takes no empty one; botocore would send it."""
    value = _raw(files, profile, key)
    if value == "":
        raise ConfigError(f"profile {profile} has an empty {key}", f"give {key} a value, or remove the line")
    return value


def _int(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _not_found(files: AwsFiles, profile: str) -> ProfileNotFoundError:
    close = difflib.get_close_matches(profile, list(files.profiles), n=1)
    hint = f"did you mean {close[0]}?" if close else f"add [profile {profile}] to {files.config_path}"
    return ProfileNotFoundError(f"no profile {profile} in {files.config_path} or {files.credentials_path}", hint)
