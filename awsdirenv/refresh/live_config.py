"""AWS's two files as one config file for the programs in a live directory, without a secret in it.

It is written from what botocore's parser has made of the files, so that no rule of its own (continued lines, quoted
names, [DEFAULT], the later of two spellings) has a copy here that could be wrong. Comments are left out: nobody reads
them there, and people keep old keys in them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from awsdirenv.config.aws_files import AwsFiles, static_keys
from awsdirenv.config.chain import STATIC, Chain
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError, ProfileNameError
from awsdirenv.system.paths import encode_name

_SECRETS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"})
# All that decides whose credentials a profile has. What any SDK would prefer to our credential_process must be gone.
_CREDENTIAL_KEYS = _SECRETS | {
    "aws_credential_expiration",
    "credential_process",
    "credential_source",
    "duration_seconds",
    "external_id",
    "include_profile",
    "login_session",
    "mfa_process",
    "mfa_serial",
    "role_arn",
    "role_session_name",
    "session_tags",
    "source_identity",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_registration_scopes",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "transitive_session_tags",
    "web_identity_token_file",
}
# What is taken from the credentials file, where other tools keep secrets under names of their own.
_SETTINGS = re.compile(
    r"(account_id|ec2|retry|s3|sts|use|cli)_[a-z0-9_]+|api_versions|auth_scheme_preference|ca_bundle|defaults_mode"
    r"|disable_request_compression|dynamodb|endpoint_discovery_enabled|endpoint_url|ignore_configured_endpoint_urls"
    r"|max_attempts|output|parameter_validation|region|request_(checksum|min)_[a-z_]+|response_checksum_validation"
    r"|s3|services|sigv4a_signing_region_set|tcp_keepalive|user_agent_appid"
)
# Names that no parser of these files takes for more than a word.
_PLAIN = re.compile(r"[^\s\"'\\\[\]#;=]+")
_KINDS = {"sso_sessions": "sso-session", "services": "services"}  # as botocore calls them, and as they are written
_KEYS, _SESSION = "keys", "session"


def config_text(
    files: AwsFiles, declared: Chain, environ: Mapping[str, str], command: Sequence[str], duration: int | None
) -> str:
    """Give the text. `command` runs us, and `duration` (seconds) is the life that the directory wants."""
    ways = _ways(files, declared, environ)
    sections: list[str] = []
    for name in files.profiles:
        values = _settings(files, name, replaced=name in ways)
        if name in ways:
            try:
                wanted = duration if name == declared.profile else None
                values["credential_process"] = command_line(command, name, wanted, ways[name])
            except ProfileNameError:
                continue  # nobody can have written it, and nobody can ask for it
        if values or name in files.config_profiles:
            sections.append(_section(_title("profile", name), values))
    for kind, found in files.full_config.items():
        if kind in _KINDS:
            sections += [_section(_title(_KINDS[kind], name), values) for name, values in found.items()]
        elif kind != "profiles" and isinstance(found, dict):
            sections.append(_section(kind, found))
    return "\n".join(sections)


def command_line(command: Sequence[str], profile: str, duration: int | None = None, way: str = _SESSION) -> str:
    """Give our credential_process for a profile, which means the same to sh, to botocore's shlex and behind INI.

    Raises ProfileNameError.
    """
    words = [*command, "credential-process", *([f"--duration={duration}"] if duration else [])]
    words += [*(["--keys"] if way == _KEYS else []), f"--live={encode_name(profile)}"]
    # To some parsers ` #` and ` ;` begin a comment, in quotes or not: a pair of quotes that is nothing goes between.
    return " ".join(re.sub(r"(\s)(?=[#;])", r"\1''", shlex.quote(word)) for word in words)


def _ways(files: AwsFiles, declared: Chain, environ: Mapping[str, str]) -> dict[str, str]:
    """Say which profiles are to have their credentials from us, and whether a session or their long-term keys."""
    chains = {name: _chain(files, name, environ) for name in files.profiles}
    ways = {declared.profile: _SESSION}
    for name, chain in chains.items():
        way = _way(files, name, chain)
        if way:
            ways.setdefault(name, way)
    # A role whose caller has become another one (a session in the place of keys) is for us to assume, with its caps.
    behind = [name for name, chain in chains.items() if chain and _is_behind(chain, ways)]
    return {**ways, **dict.fromkeys(behind, _SESSION)}


def _chain(files: AwsFiles, name: str, environ: Mapping[str, str]) -> Chain | None:
    try:
        return resolve_chain(files, name, environ)
    except AwsdirenvError:
        return None  # who uses it hears of it from the SDK, as before


def _is_behind(chain: Chain, ways: Mapping[str, str]) -> bool:
    sources = {chain.source_profile, *(hop.profile for hop in chain.hops)} - {chain.profile}
    return any(ways.get(source) == _SESSION for source in sources)


def _way(files: AwsFiles, name: str, chain: Chain | None) -> str | None:
    has_keys = not _SECRETS.isdisjoint(files.config_profiles.get(name, {})) or (
        not _CREDENTIAL_KEYS.isdisjoint(files.credentials_sections.get(name, {}))
    )
    if chain is None:
        return _SESSION if has_keys else None  # without its keys an SDK would say less than we do
    if chain.hops:
        return _SESSION if has_keys or chain.mfa_serial else None
    if chain.source_kind == STATIC and chain.source_mfa_serial:
        return _SESSION
    keys = static_keys(files, name) if chain.source_kind == STATIC else None
    return None if not has_keys else _KEYS if keys and not keys[2] else _SESSION


def _settings(files: AwsFiles, name: str, *, replaced: bool) -> dict[str, Any]:
    """Give what a profile says besides where its credentials come from, or all but keys where it is not replaced."""
    values = dict(files.config_profiles.get(name, {}))
    section = files.credentials_sections.get(name, {})
    values |= {key: value for key, value in section.items() if _SETTINGS.fullmatch(key)}
    if not replaced:
        return values
    for key in files.inclusions.get(name, {}):
        values.setdefault(key, files.profiles[name][key])
    return {key: value for key, value in values.items() if key not in _CREDENTIAL_KEYS}


def _title(kind: str, name: str) -> str:
    if kind == "profile" and name == "default":
        return name
    if _PLAIN.fullmatch(name):
        return f"{kind} {name}"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{kind} "{escaped}"'


def _section(title: str, values: Mapping[str, Any]) -> str:
    lines = [f"[{title}]"]
    for key, value in values.items():
        if key not in _SECRETS:
            lines += _lines(key, value)
    return "\n".join(lines) + "\n"


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        first, rest = "", [f"{name} = {text}" for name, text in value.items()]
    else:
        first, *rest = str(value).split("\n")
    yield f"{key} = {first}".rstrip()
    # An indented line continues the one before it; to the JavaScript SDK it is a setting, or a key.
    yield from (f"  {line}".rstrip() for line in rest if re.split("[=:]", line)[0].strip().lower() not in _SECRETS)
