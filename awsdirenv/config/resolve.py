"""Resolves a profile into its chain (its source and the roles that follow), by botocore's rules.

The walk makes botocore's decisions in botocore's order (botocore.credentials.AssumeRoleProvider). We accept what it
accepts and refuse what it refuses. We do this ourselves because botocore asks for a code at every hop, and its
processes share nothing.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from awsdirenv.config.aws_files import (
    STAGE_KEY,
    VARIABLES_KEY,
    AwsFiles,
    headers_meant_for,
    listed,
    place_of,
    section_header,
)
from awsdirenv.config.chain import (
    ATTACHED,
    CREDENTIAL_SOURCES,
    KEYCHAIN,
    LOGIN,
    PROCESS,
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
    RoleHop,
    SsoSession,
)
from awsdirenv.config.environment import BLOCK, ENDPOINT_VARIABLES, MACHINE_VARIABLES, is_secret, variables_text
from awsdirenv.config.keychain_command import keychain_entry
from awsdirenv.config.settings import ROLE_DURATIONS
from awsdirenv.errors import ConfigError, ProfileNotFoundError
from awsdirenv.records import replace

_STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key")
_MOST_ROLES = 50  # of one chain
_SSO_KEYS = ("sso_role_name", "sso_account_id")


def resolve_chain(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> Chain:
    """Walk from the profile to its source. Raises ProfileNotFoundError and ConfigError, naming profile and hop."""
    if profile not in files.profiles:
        raise _not_found(files, profile)
    _check_length(files, profile)
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
    for visit in visited:
        _check_inclusion(files, visit)
    kind = CREDENTIAL_SOURCES[credential_source] if credential_source else source_kind(files, name)
    chain = Chain(
        profile=profile,
        source_profile=name,
        source_kind=kind,
        hops=tuple(reversed(hops)),
        source_mfa_serial=None if credential_source else _text(files, name, "mfa_serial"),
        mfa_process=next((v for v in (_text(files, p, "mfa_process") for p in visited) if v), None),
        region=_text(files, profile, "region"),
        source_fingerprint=_fingerprint(files, name, credential_source),
        endpoint=_endpoint(files, profile, environ),
        sso_session=_sso_session(files, name) if kind == SSO else None,
        keychain=keychain_entry(files.profiles[name]["credential_process"]) if kind == KEYCHAIN else None,
        environment_mfa_serial=environ.get("AWS_MFA_SERIAL") or None,
    )
    variables = MACHINE_VARIABLES if chain.depends_on_environment else ()
    if kind == PROCESS:
        variables = _variables(files, visited)
    if not variables:
        return chain
    fingerprint = f"{chain.source_fingerprint} {variables_text(variables, environ)}"
    return replace(chain, source_fingerprint=fingerprint, variables=variables)


def _variables(files: AwsFiles, visited: Iterable[str]) -> tuple[str, ...]:
    """Return the variables that a credential_process reads, as the profiles on the way to it say. Raises ConfigError.

    Their values are written into our files.
    """
    named: list[str] = []
    for profile in visited:
        for name in listed(_text(files, profile, VARIABLES_KEY) or ""):
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                raise ConfigError(
                    f"profile {profile} has an invalid name in awsdirenv_variables",
                    f"write {VARIABLES_KEY} = NAME, NAME in {place_of(files, profile, VARIABLES_KEY)}",
                )
            if is_secret(name) or name in BLOCK:
                place = place_of(files, profile, VARIABLES_KEY)
                raise ConfigError(
                    f"profile {profile} has {name} in awsdirenv_variables, which may be secret or is set by us",
                    f"name another variable in {place}: we write its value into files",
                )
            named.append(name)
    return tuple(dict.fromkeys(named))


def _check_length(files: AwsFiles, profile: str) -> None:
    """Raise ConfigError for a chain that is too long. A walk through thousands of roles for each profile takes minutes.

    A shorter chain that is wrong is not reported here.
    """
    name, visited = profile, {profile}
    while _is_role(files.profiles[name]) and not (len(visited) > 1 and _has_static_keys(files.profiles[name])):
        if len(visited) > _MOST_ROLES:
            raise ConfigError(
                f"profile {profile} has a chain of more than {_MOST_ROLES} roles",
                f"shorten the chain that begins with source_profile in {place_of(files, profile, 'source_profile')}",
            )
        source = files.profiles[name].get("source_profile")
        if not isinstance(source, str) or source in visited or source not in files.profiles:
            return
        visited.add(source)
        name = source


def source_kind(files: AwsFiles, name: str) -> str:
    """Return which of botocore's providers answers for a profile, in the order in which botocore asks them."""
    config, section = files.profiles[name], files.credentials_sections.get(name, {})
    in_order = (
        (WEB_IDENTITY, bool(config.get("web_identity_token_file"))),
        (SSO, any(key in config for key in _SSO_KEYS)),
        (STATIC, "aws_access_key_id" in section),
        (LOGIN, "login_session" in config),
        (KEYCHAIN if keychain_entry(config.get("credential_process")) else PROCESS, "credential_process" in config),
        (STATIC, "aws_access_key_id" in files.config_profiles.get(name, {})),
    )
    return next((kind for kind, does_answer in in_order if does_answer), ATTACHED)


def source_place(files: AwsFiles, profile: str) -> str:
    """Name the section, and its file, that has the key by which a profile gets its credentials."""
    keys = {
        WEB_IDENTITY: "web_identity_token_file",
        STATIC: "aws_access_key_id",
        LOGIN: "login_session",
        PROCESS: "credential_process",
        KEYCHAIN: "credential_process",
    }
    kind = source_kind(files, profile) if profile in files.profiles else ATTACHED
    return place_of(files, profile, keys.get(kind, ""))


def _sso_session(files: AwsFiles, name: str) -> SsoSession | None:
    """Return the sign-in of an SSO profile. None if a key is missing: botocore then says which one."""
    session = _text(files, name, "sso_session")
    values = files.full_config.get("sso_sessions", {}).get(session, {}) if session else files.profiles[name]
    start_url, region = values.get("sso_start_url"), values.get("sso_region")
    if not isinstance(start_url, str) or not isinstance(region, str):
        return None
    scopes = str(values.get("sso_registration_scopes") or "")
    scope_names = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
    role_name, account_id = (_text(files, name, key) for key in _SSO_KEYS)
    return SsoSession(session, start_url, region, role_name, scope_names, account_id)


def _check_inclusion(files: AwsFiles, name: str) -> None:
    """Raise ConfigError for an include_profile that `load_files` could not follow."""
    problem = files.inclusion_problems.get(name)
    if problem:
        raise ConfigError(
            f"profile {name}: {problem}", f"change include_profile in {place_of(files, name, 'include_profile')}"
        )


def _endpoint(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> str:
    """Return all settings that decide which STS answers. A session of LocalStack must never be used at AWS."""
    own = [_text(files, profile, key) for key in ("endpoint_url", "ignore_configured_endpoint_urls")]
    services = files.full_config.get("services", {}).get(_text(files, profile, "services"))
    deciding_values = [*(environ.get(name) for name in ENDPOINT_VARIABLES), *own, services]
    return json.dumps(deciding_values) if any(deciding_values) else ""


def _fingerprint(files: AwsFiles, name: str, credential_source: str | None) -> str:
    """Return a hash of all that decides what a source gives. For a credential_source that is little of the profile."""
    values = files.profiles[name]
    decides: list[object] = [values, files.full_config.get("sso_sessions")]
    if credential_source:
        decides = [credential_source, {key: values[key] for key in values if key.startswith("ec2_metadata_service_")}]
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _is_role(config: Mapping[str, Any]) -> bool:
    return "role_arn" in config and "web_identity_token_file" not in config


def _has_static_keys(config: Mapping[str, Any]) -> bool:
    return any(key in config for key in _STATIC_KEYS)


def _role_hop(files: AwsFiles, name: str) -> RoleHop:
    tags, transitive = _session_tags(files, name)
    return RoleHop(
        profile=name,
        role_arn=_parameter(files, name, "role_arn") or "",
        duration_seconds=_duration(files, name),
        external_id=_parameter(files, name, "external_id"),
        role_session_name=_text(files, name, "role_session_name"),
        mfa_serial=_parameter(files, name, "mfa_serial"),
        source_identity=_parameter(files, name, "source_identity"),
        session_tags=tags,
        transitive_session_tags=transitive,
    )


def _duration(files: AwsFiles, name: str) -> int | None:
    """Return duration_seconds in AssumeRole's range.

    botocore ignores a value that is not a number, and so do we: other tools may read the same file differently.
    """
    text = _text(files, name, "duration_seconds")
    try:
        seconds = int(text) if text else None
    except ValueError:
        return None
    least, most = ROLE_DURATIONS
    if seconds is not None and not least <= seconds <= most:
        place = place_of(files, name, "duration_seconds")
        raise ConfigError(
            f"profile {name} has a duration_seconds out of range: {text}",
            f"set duration_seconds in {place} between {least} (15m) and {most} (12h)",
        )
    return seconds


def _session_tags(files: AwsFiles, name: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return session_tags (`Key=Value,Key=Value`) and transitive_session_tags (`Key,Key`), as aws-vault has them."""
    tags: dict[str, str] = {}
    for part in (_text(files, name, "session_tags") or "").split(","):
        key, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals or not key.strip():
            raise ConfigError(
                f"profile {name} has session_tags that are not key=value: {part.strip()}",
                f"write session_tags = Key=Value,Key=Value in {place_of(files, name, 'session_tags')}",
            )
        tags[key.strip()] = value.strip()
    transitive = tuple(
        key.strip() for key in (_text(files, name, "transitive_session_tags") or "").split(",") if key.strip()
    )
    return tuple(tags.items()), transitive


def _checked_source(files: AwsFiles, name: str, visited: list[str]) -> str | None:
    """Return the next profile of the walk, or None if credential_source ends it. Raises ConfigError."""
    source, credential_source = _raw(files, name, "source_profile"), _raw(files, name, "credential_source")
    if source is not None and credential_source is not None:
        raise ConfigError(
            f"profile {name} has both source_profile and credential_source",
            f"keep one of them in {place_of(files, name, 'source_profile')}",
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
            f"add source_profile to {place_of(files, name)}",
        )
    if source not in files.profiles:
        raise ConfigError(
            f"profile {name} names a source_profile that does not exist: {source}",
            _miswritten(files, source)
            or f"add {section_header(source)} to {files.config_path}, or [{source}] to {files.credentials_path}",
        )
    # A profile may name itself to use its own static keys. Any other repeated profile would make an endless loop.
    if source in visited and not (source == name and _has_static_keys(files.profiles[source])):
        raise ConfigError(
            f"profile {name} closes a loop: {' -> '.join([*visited, source])}",
            f"change source_profile in {place_of(files, name, 'source_profile')}",
        )
    return source


def _raw(files: AwsFiles, profile: str, key: str) -> str | None:
    """Return one value, or None without such a key. Raises ConfigError for a value of several lines.

    The error does not quote the value: an indented line continues the one before it, and it may be the secret key.
    """
    value = files.profiles[profile].get(key)
    if value is None or (isinstance(value, str) and "\n" not in value):
        return value
    raise ConfigError(
        f"profile {profile} has several lines for {key}",
        f"write {key} on one line; an indented line continues the one before it",
    )


def _text(files: AwsFiles, profile: str, key: str) -> str | None:
    """Return one value, or None for a missing or an empty one."""
    return _raw(files, profile, key) or None


def _parameter(files: AwsFiles, profile: str, key: str) -> str | None:
    """Return one value for STS. Raises ConfigError for an empty one, which botocore would send and STS would refuse."""
    value = _raw(files, profile, key)
    if value == "":
        raise ConfigError(f"profile {profile} has an empty {key}", f"give {key} a value, or remove the line")
    return value


def _not_found(files: AwsFiles, profile: str) -> ProfileNotFoundError:
    # A profile with a stage is never suggested: a slip of the fingers must not lead into production.
    without_stage = [name for name, values in files.profiles.items() if not values.get(STAGE_KEY)]
    close = difflib.get_close_matches(profile, without_stage, n=1)
    hint = f"did you mean {close[0]}?" if close else f"add {section_header(profile)} to {files.config_path}"
    hint = _miswritten(files, profile) or hint
    return ProfileNotFoundError(f"no profile {profile} in {files.config_path} or {files.credentials_path}", hint)


def _miswritten(files: AwsFiles, profile: str) -> str | None:
    """Return how to write the header of a section that is meant for this profile and that botocore reads otherwise."""
    wanted_headers = ((files.config_path, section_header(profile)), (files.credentials_path, f"[{profile}]"))
    for path, wanted in wanted_headers:
        for header in headers_meant_for(path, profile):
            if f"[{header}]" != wanted:
                return f"write {wanted} instead of [{header}] in {path}"
    return None
