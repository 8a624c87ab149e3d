"""AWS's two files, parsed by botocore's own config loader. So they mean here what they mean in the AWS CLI."""

from __future__ import annotations

import codecs
import functools
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.config.start_url import region_of
from awsdirenv.errors import ConfigError
from awsdirenv.records import Record
from awsdirenv.system.files import read_bytes
from awsdirenv.system.text import command_line

TYPE_CHECKING = False  # `status` needs this module, and `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

# The keys that a profile inherits through include_profile, as in aws-vault. Access keys are never inherited: a profile
# must have its own.
INCLUDED = frozenset(
    {
        "awsdirenv_variables",
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
KEY_NAMES = ("aws_access_key_id", "aws_secret_access_key")  # the two halves of a long-term key
_OWN_SOURCES = (
    *KEY_NAMES,
    "credential_process",
    "credential_source",
    "login_session",
    "source_profile",
    "web_identity_token_file",
)

MOST_INCLUSIONS = 20  # of one profile: more is a mistake, and would cost minutes where there are thousands

# Our own key in AWS's files: the stage of a profile, such as `production`.
STAGE_KEY = "awsdirenv_stage"
LONGEST_STAGE = 40  # characters
# Our own key, too: the names of the variables that a credential_process reads, with commas between them.
VARIABLES_KEY = "awsdirenv_variables"
# The session policies of a profile: the ARNs of managed ones, and one as JSON or as a path.
ARNS_KEY, POLICY_KEY = "awsdirenv_policy_arns", "awsdirenv_policy"
AGENT_KEY = "awsdirenv_agent"  # what an agent gets in the place of this profile


class AwsFiles(Record):
    """AWS's two files as botocore reads them. `full_config` has the shape of botocore's Session.full_config."""

    config_path: str
    credentials_path: str
    full_config: dict[str, Any]
    config_profiles: Mapping[str, Mapping[str, Any]]
    credentials_sections: Mapping[str, Mapping[str, Any]]
    inclusion_problems: Mapping[str, str]  # why an include_profile cannot be followed, by profile
    inclusions: Mapping[str, Mapping[str, str]]  # the included profile that a value came from, by profile and key

    @property
    def profiles(self) -> Mapping[str, Mapping[str, Any]]:
        """Every profile. A value of the credentials file wins over one of the config file."""
        profiles: Mapping[str, Mapping[str, Any]] = self.full_config["profiles"]
        return profiles


def section_header(name: str, kind: str = "profile") -> str:
    """Return the header of a section in the config file, with quotes where botocore needs them.

    `kind` is `profile`, `sso-session` or `services`.
    """
    if (kind, name) == ("profile", "default"):
        return "[default]"
    if re.fullmatch(r"[^\s'\"\\]+", name):
        return f"[{kind} {name}]"
    return f"[{kind} {shlex.quote(name)}]" if set(name) & set('"\\') else f'[{kind} "{name}"]'


def headers_meant_for(path: str, profile: str) -> list[str]:
    """Return the headers in a file that a person may have meant for a profile, without the brackets."""
    try:
        info = os.stat(path)
    except OSError:
        return []
    return _meant_headers(path, (info.st_ino, info.st_size, info.st_ctime_ns)).get(profile, [])


@functools.lru_cache(maxsize=4)
def _meant_headers(path: str, _state: tuple[int, ...]) -> Mapping[str, list[str]]:
    """Return the headers of a file by the profiles that they may be meant for. It is parsed once for each state."""
    found: dict[str, list[str]] = {}
    for header in _parse(path, path, sections=True):
        meant = re.sub(r"^\s*profile(?=[\s\"'])", "", header, flags=re.IGNORECASE).strip()
        for name in {header, meant, meant.strip("\"'")}:
            found.setdefault(name, []).append(header)
    return found


def stage_of(files: AwsFiles, profile: str) -> str | None:
    """Return the profile's `awsdirenv_stage`, or None. Raises ConfigError for a value that cannot be a stage."""
    stage = files.profiles.get(profile, {}).get(STAGE_KEY)
    if not stage:
        return None
    if not isinstance(stage, str) or len(stage) > LONGEST_STAGE or not stage.isprintable():
        raise ConfigError(
            f"profile {profile} has an invalid {STAGE_KEY}",
            f"set {STAGE_KEY} in {place_of(files, profile, STAGE_KEY)} to a word such as production",
        )
    return stage


def file_paths(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the paths of the config and the credentials file, expanded as botocore expands them."""
    config, credentials = _paths(environ)
    return expand(config, environ), expand(credentials, environ)


def load_files(environ: Mapping[str, str]) -> AwsFiles:
    """Parse both files. A missing file counts as empty. Raises ConfigError, naming the file."""
    (config_set, credentials_set), (config_path, credentials_path) = _paths(environ), file_paths(environ)
    config = _parse(config_set, config_path, sections=False) or {"profiles": {}}
    sections = _parse(credentials_set, credentials_path, sections=True)
    # If both files have a profile, their values are merged, and the credentials file wins.
    profiles = {**config["profiles"]}
    for name, values in sections.items():
        profiles[name] = {**profiles.get(name, {}), **values}
    profiles.setdefault("default", {})  # a machine with an attached role may have neither file
    profiles, problems, inclusions = _with_inclusions(profiles)
    sign_ins = _with_sso_region(config.get("sso_sessions", {}))
    full_config = {**config, "profiles": _with_sso_region(profiles), **({"sso_sessions": sign_ins} if sign_ins else {})}
    return AwsFiles(config_path, credentials_path, full_config, config["profiles"], sections, problems, inclusions)


def _with_inclusions(profiles: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[str, dict[str, str]]]:
    """Follow include_profile, which botocore does not know: an included profile gives the values that are missing.

    As in aws-vault, an included profile that does not exist gives nothing, and a loop is an error of that profile only.
    Returns the profiles, the problems by profile, and the profile that gave each value.
    """
    problems: dict[str, str] = {}
    givers: dict[str, dict[str, str]] = {}
    merged = dict(profiles)
    for name, values in profiles.items():
        included, visited = values.get("include_profile"), [name]
        while isinstance(included, str) and included in profiles and name not in problems:
            if included in visited:
                problems[name] = f"include_profile closes a loop: {' -> '.join([*visited, included])}"
            elif len(visited) > MOST_INCLUSIONS:
                problems[name] = f"include_profile leads through more than {MOST_INCLUSIONS} profiles"
            visited.append(included)
            included_values = profiles[included]
            inherited = {key for key in included_values if key in INCLUDED and not merged[name].get(key)} - _outvoted(
                values
            )
            if included_values.get("source_profile") == name:
                inherited.discard("source_profile")
            merged[name] = {**merged[name], **{key: included_values[key] for key in inherited}}
            givers.setdefault(name, {}).update(dict.fromkeys(inherited, included))
            included = profiles[included].get("include_profile")
    return merged, problems, givers


def _with_sso_region(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return sections with the `sso_region` that the host of `sso_start_url` names, where there is none."""
    completed = dict(sections)
    for name, values in sections.items():
        if isinstance(values, dict) and "sso_start_url" in values and not {"sso_region", "sso_session"} & values.keys():
            region = region_of(values["sso_start_url"])
            completed[name] = {**values, "sso_region": region} if region else values
    return completed


def _outvoted(own: Mapping[str, Any]) -> set[str]:
    """Return the source keys that a profile must not inherit, because it names a source itself."""
    if any(own.get(key) for key in _OWN_SOURCES):
        return {*_OWN_SOURCES, *(key for key in INCLUDED if key.startswith("sso_"))}
    if own.get("sso_session"):
        return {*_OWN_SOURCES, "sso_start_url", "sso_region"}
    return {*_OWN_SOURCES, "sso_session"} if own.get("sso_start_url") else set()


def static_keys(files: AwsFiles, profile: str) -> tuple[str, str, str | None] | None:
    """Return the access key id, the secret access key and the session token of a static profile.

    None for half a pair: botocore will refuse that. This shortcut saves a quarter of a second before the user is asked
    for a code. Tests compare it with botocore's own order of providers.
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


def broken_pair(files: AwsFiles, profile: str) -> ConfigError:
    """Return the error for a static profile without `static_keys`: it says which half is missing or empty.

    Both halves must be in the same file.
    """
    in_credentials = "aws_access_key_id" in files.credentials_sections.get(profile, {})
    section = (files.credentials_sections if in_credentials else files.config_profiles)[profile]
    path = files.credentials_path if in_credentials else files.config_path
    header = f"[{profile}]" if in_credentials else section_header(profile)
    missing = "aws_secret_access_key" if section.get("aws_access_key_id") else "aws_access_key_id"
    return ConfigError(f"profile {profile} has half a key: no {missing}", f"add {missing} to {header} in {path}")


def has_empty_key(files: AwsFiles, profile: str) -> bool:
    """Return whether a profile has an access key with an empty half, which botocore would sign with."""
    section = files.profiles[profile]
    return "" in (section.get("aws_access_key_id"), section.get("aws_secret_access_key"))


def giver_of(files: AwsFiles, profile: str, key: str) -> tuple[str, bool]:
    """Return the profile that gives a profile's value, itself or an included one, and if by the credentials file."""
    giver = files.inclusions.get(profile, {}).get(key, profile)
    return giver, key in files.credentials_sections.get(giver, {})


def place_of(files: AwsFiles, profile: str, key: str = "") -> str:
    """Name the section that a person has to change, and its file: the one with the key, or where it is to be added."""
    return " of ".join(section_of(files, profile, key))


def section_of(files: AwsFiles, profile: str, key: str) -> tuple[str, str]:
    """Return the header of the section that has a profile's key, or where it is to be added, and the path."""
    giver, in_credentials = giver_of(files, profile, key)
    if in_credentials or (giver not in files.config_profiles and giver in files.credentials_sections):
        return f"[{giver}]", files.credentials_path
    return section_header(giver), files.config_path


def stored_expiration(files: AwsFiles, profile: str) -> str | None:
    """Return the expiration of a session token that another tool wrote into the credentials file, if it is there.

    saml2aws and aws-export-credentials write RFC 3339 with an offset. Other tools write local time or UTC, without
    saying which.
    """
    section = files.credentials_sections.get(profile, {})
    expiration = section.get("x_security_token_expires") or section.get("aws_credential_expiration")
    return expiration if isinstance(expiration, str) else None


def _paths(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return both paths as they are set, not expanded."""
    config = environ.get("AWS_CONFIG_FILE", "~/.aws/config")
    return config, environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def listed(text: str) -> list[str]:
    """Return the words of one of our own values, which may have commas or spaces between them."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def expand(path: str, environ: Mapping[str, str]) -> str:
    """Return a path with `~` and variables expanded, as botocore does for AWS's files."""
    expanded = os.path.expandvars(path)
    if expanded == "~" or expanded.startswith("~/"):
        # Not made a Path: the extension compares this text, and bash keeps the slash at the end of a HOME.
        return (environ.get("HOME") or os.path.expanduser("~")) + expanded[1:]
    return os.path.expanduser(expanded)


def sections_by_kind(sections: dict[str, Any]) -> Mapping[str, Any]:
    """Group a config file's sections as botocore does: `profiles`, `sso_sessions` and `services`, each by name."""
    from botocore.configloader import build_profile_map  # noqa: PLC0415

    sorted_by_kind: Mapping[str, Any] = build_profile_map(sections)
    return sorted_by_kind


def _parse(path: str, expanded: str, *, sections: bool) -> dict[str, Any]:
    # This import takes 25 ms. A load with a fresh snapshot, or one that only waits for another, does not need it.
    import botocore.configloader as loader  # noqa: PLC0415
    from botocore.exceptions import ConfigNotFound, ConfigParseError  # noqa: PLC0415

    if "$" not in expanded:
        path = expanded  # with a "$" botocore must expand it: expanding twice may lead to another path
    try:
        # For botocore a path that is no regular file is missing, and a file that it may not open is empty.
        if Path(expanded).exists() and not os.access(expanded, os.R_OK):
            raise ConfigError(f"cannot read {expanded}: permission denied", command_line("chmod u+r", expanded))
        parsed: dict[str, Any] = loader.raw_config_parse(path) if sections else loader.load_config(path)
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        raise ConfigError(f"cannot parse {expanded}{_where(error, expanded)}", f"correct {expanded}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {expanded}: {type(error).__name__}", f"check {expanded}") from None
    return parsed


def _where(error: Exception, path: str) -> str:
    """Return the place of a parse error, and the reason. The line is never quoted: it may have the secret key."""
    from awsdirenv.config.ini_lines import fault  # noqa: PLC0415 - configparser is slow to import

    cause = getattr(error, "kwargs", {}).get("error")
    if isinstance(cause, UnicodeDecodeError):
        is_utf8 = cause.encoding.lower() in ("utf-8", "utf8")
        locale = "" if is_utf8 else f"{cause.encoding.upper()}, the encoding of the locale,"
        return f": not {locale or 'UTF-8'} at byte {cause.start}"
    line, reason = fault(path, cause) or (None, "")
    if line == 1 and (read_bytes(path) or b"").startswith(codecs.BOM_UTF8):
        return ", line 1: a byte order mark; save the file without it"
    return "" if line is None else f", line {line}: {reason}"
