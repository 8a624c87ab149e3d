"""AWS's two files, parsed by botocore's own config loader, so that they mean here what they mean in the AWS CLI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.errors import ConfigError
from awsdirenv.records import Record
from awsdirenv.system.paths import home
from awsdirenv.system.text import command_line

TYPE_CHECKING = False  # `status` needs this module, and `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

# What aws-vault inherits through include_profile, but never keys: whose credentials it has, a profile must say itself.
INCLUDED = frozenset(
    {
        "credential_process",
        "duration_seconds",
        "endpoint_url",
        "external_id",
        "mfa_process",
        "mfa_serial",
        "region",
        "role_arn",
        "role_session_name",
        "session_tags",
        "source_identity",
        "source_profile",
        "sso_account_id",
        "sso_region",
        "sso_role_name",
        "sso_session",
        "sso_start_url",
        "sts_regional_endpoints",
        "transitive_session_tags",
        "web_identity_token_file",
    }
)
_OWN_SOURCES = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "credential_process",
    "credential_source",
    "login_session",
    "source_profile",
    "web_identity_token_file",
)


# Ours, in AWS's file: what kind of place the profile leads to, such as `production`.
STAGE_KEY = "awsdirenv_stage"
LONGEST_STAGE = 40  # characters


class AwsFiles(Record):
    """AWS's two files as botocore sees them: `full_config` has the shape of botocore's Session.full_config."""

    config_path: str
    credentials_path: str
    full_config: dict[str, Any]
    config_profiles: Mapping[str, Mapping[str, Any]]
    credentials_sections: Mapping[str, Mapping[str, Any]]
    inclusion_problems: Mapping[str, str]  # by profile: why its include_profile cannot be followed
    inclusions: Mapping[str, Mapping[str, str]]  # by profile and key: which profile gave it through include_profile

    @property
    def profiles(self) -> Mapping[str, Mapping[str, Any]]:
        """Every profile; what the credentials file says wins over the config file."""
        profiles: Mapping[str, Mapping[str, Any]] = self.full_config["profiles"]
        return profiles


def stage_of(files: AwsFiles, profile: str) -> str | None:
    """Give what the profile's `awsdirenv_stage` says, in one line. Raises ConfigError for what is no stage."""
    said = files.profiles.get(profile, {}).get(STAGE_KEY)
    if not said:
        return None
    if not isinstance(said, str) or len(said) > LONGEST_STAGE or not said.isprintable():
        raise ConfigError(
            f"profile {profile} has an {STAGE_KEY} that cannot be one",
            f"set {STAGE_KEY} in [profile {profile}] to a word such as production",
        )
    return said


def file_paths(environ: Mapping[str, str]) -> tuple[str, str]:
    """Give the paths of the config and the credentials file, expanded as botocore expands them."""
    config, credentials = _paths(environ)
    return _expand(config, environ), _expand(credentials, environ)


def load_files(environ: Mapping[str, str]) -> AwsFiles:
    """Parse both files. A missing file is an empty one. Raises ConfigError, naming the file."""
    (config_set, credentials_set), (config_path, credentials_path) = _paths(environ), file_paths(environ)
    config = _parse(config_set, config_path, sections=False) or {"profiles": {}}
    sections = _parse(credentials_set, credentials_path, sections=True)
    # A section of the credentials file that the config file has too adds its keys to it, and wins.
    profiles = {**config["profiles"]}
    for name, values in sections.items():
        profiles[name] = {**profiles.get(name, {}), **values}
    profiles.setdefault("default", {})  # a machine with a role of its own may have neither file
    profiles, problems, inclusions = _with_inclusions(profiles)
    full_config = {**config, "profiles": profiles}
    return AwsFiles(config_path, credentials_path, full_config, config["profiles"], sections, problems, inclusions)


def _with_inclusions(profiles: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[str, dict[str, str]]]:
    """Follow include_profile, which botocore does not know: what a profile lacks, the one that it includes gives.

    As in aws-vault one that does not exist gives nothing, and a loop is an error; of that profile alone.
    """
    problems: dict[str, str] = {}
    givers: dict[str, dict[str, str]] = {}
    made = dict(profiles)
    for name, values in profiles.items():
        included, visited = values.get("include_profile"), [name]
        while isinstance(included, str) and included in profiles and name not in problems:
            if included in visited:
                problems[name] = f"include_profile closes a loop: {' -> '.join([*visited, included])}"
            visited.append(included)
            given = profiles[included]
            wanted = {key for key in given if key in INCLUDED and not made[name].get(key)} - _outvoted(values)
            if given.get("source_profile") == name:
                wanted.discard("source_profile")
            made[name] = {**made[name], **{key: given[key] for key in wanted}}
            givers.setdefault(name, {}).update(dict.fromkeys(wanted, included))
            included = profiles[included].get("include_profile")
    return made, problems, givers


def _outvoted(own: Mapping[str, Any]) -> set[str]:
    """Give the keys about a source that count for nothing, because the profile itself says where it starts."""
    if any(own.get(key) for key in _OWN_SOURCES):
        return {*_OWN_SOURCES, *(key for key in INCLUDED if key.startswith("sso_"))}
    if own.get("sso_session"):
        return {*_OWN_SOURCES, "sso_start_url", "sso_region"}
    return {*_OWN_SOURCES, "sso_session"} if own.get("sso_start_url") else set()


def static_keys(files: AwsFiles, profile: str) -> tuple[str, str, str | None] | None:
    """Give access key id, secret access key and session token of a profile whose source is static.

    None for broken pairs: those are for botocore to refuse. This shortcut spares a quarter of a second before the
    question for a code; tests hold it to botocore's own order of providers.
    """
    section = files.credentials_sections.get(profile, {})
    if "aws_access_key_id" not in section:
        section = files.config_profiles.get(profile, {})
    key_id, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    token = section.get("aws_security_token", section.get("aws_session_token"))
    values = (key_id, secret, token)
    if not key_id or not secret or any(value is not None and not isinstance(value, str) for value in values):
        return None
    return key_id, secret, token or None


def stored_expiration(files: AwsFiles, profile: str) -> str | None:
    """Give the end of a session token that another tool wrote into the credentials file, where it noted it.

    saml2aws and aws-export-credentials write RFC 3339 with an offset. What others write is local time or UTC, and does
    not say which.
    """
    section = files.credentials_sections.get(profile, {})
    found = section.get("x_security_token_expires") or section.get("aws_credential_expiration")
    return found if isinstance(found, str) else None


def _paths(environ: Mapping[str, str]) -> tuple[str, str]:
    """Give both paths as they are set."""
    config = environ.get("AWS_CONFIG_FILE", "~/.aws/config")
    return config, environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def _expand(path: str, environ: Mapping[str, str]) -> str:
    expanded = os.path.expandvars(path)
    if expanded == "~" or expanded.startswith("~/"):
        return str(home(environ)) + expanded[1:]
    return os.path.expanduser(expanded)


def sections_by_kind(sections: dict[str, Any]) -> Mapping[str, Any]:
    """Sort a config file's sections as botocore does: `profiles`, `sso_sessions` and `services`, each by name."""
    from botocore.configloader import build_profile_map  # noqa: PLC0415

    sorted_by_kind: Mapping[str, Any] = build_profile_map(sections)
    return sorted_by_kind


def _parse(path: str, expanded: str, *, sections: bool) -> dict[str, Any]:
    # 25 ms that a load with a fresh snapshot, or one that only waits for another, need not pay.
    import botocore.configloader as loader  # noqa: PLC0415
    from botocore.exceptions import ConfigNotFound, ConfigParseError  # noqa: PLC0415

    if "$" not in expanded:
        path = expanded  # else botocore must expand it, once: a second time may be another path
    try:
        # botocore takes what is no regular file for a missing one, and what it may not open for an empty one.
        if Path(expanded).exists() and not os.access(expanded, os.R_OK):
            raise ConfigError(f"cannot read {expanded}: permission denied", command_line("chmod u+r", expanded))
        parsed: dict[str, Any] = loader.raw_config_parse(path) if sections else loader.load_config(path)
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        raise ConfigError(f"cannot parse {expanded}{_where(error)}", f"mend {expanded}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {expanded}: {type(error).__name__}", f"mend {expanded}") from None
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
