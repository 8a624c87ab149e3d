"""`use aws_profile --live`: no keys in the environment, but files that make every SDK ask us when it needs keys.

There are two files: an empty credentials file, and one config file. The config file says what both of AWS's files say,
without their secrets. We write it from the output of botocore's parser. So we need no copy of the parser's rules
(continued lines, quoted names, [DEFAULT], the later of two spellings), which could be wrong. Comments are left out:
nobody reads them there, and people keep old keys in them.
"""

from __future__ import annotations

import locale
import re
from collections.abc import Iterator, Mapping
from typing import Any

from awsdirenv.cache import live_files
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cache.live_files import Made
from awsdirenv.cache.sessions import prepare
from awsdirenv.cache.snapshots import check_region
from awsdirenv.config.aws_files import AwsFiles, stage_of, static_keys
from awsdirenv.config.chain import KEYCHAIN, STATIC, Chain
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.session_options import is_narrowed
from awsdirenv.errors import (
    AwsdirenvError,
    CacheError,
    CancelledError,
    ConfigError,
    ConfirmationNeededError,
    DirectoryError,
    ProfileNameError,
    ProfileNotFoundError,
    SettingError,
    WrongIdentityError,
)
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.pins import Conditions, admitted
from awsdirenv.refresh.request import Reporter, Request, loading
from awsdirenv.system.files import encode_name, own_python
from awsdirenv.system.text import sdk_command

# These errors keep a directory closed. After any other error the files stay valid: it is enough that somebody signs in.
_CLOSING = (
    *(CacheError, ConfigError, DirectoryError, ProfileNotFoundError, SettingError),
    *(ConfirmationNeededError, WrongIdentityError),
)

_SECRETS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"})
# The keys that decide whose credentials a profile has. An SDK would prefer some of them to our credential_process.
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
# The only keys that we copy from the credentials file: other tools keep secrets there, under names of their own.
# The pattern is not compiled here, because most loads write no file.
_SETTINGS = (
    r"(account_id|ec2|retry|s3|sts|use|cli)_[a-z0-9_]+|api_versions|auth_scheme_preference|ca_bundle|defaults_mode"
    r"|disable_request_compression|dynamodb|endpoint_discovery_enabled|endpoint_url|ignore_configured_endpoint_urls"
    r"|max_attempts|output|parameter_validation|region|request_(checksum|min)_[a-z_]+|response_checksum_validation"
    r"|s3|services|sigv4a_signing_region_set|tcp_keepalive|user_agent_appid"
)
# A name that needs no quotes: every parser of these files reads it as one word.
_PLAIN_NAME = r"[^\s\"'\\\[\]#;=]+"
_KINDS = {"sso_sessions": "sso-session", "services": "services"}  # botocore's name of a section -> the file's name
_KEYS, _SESSION = "keys", "session"  # what an SDK gets from us for a profile: its long-term keys, or a session


def load(
    request: Request, conditions: Conditions, environ: Mapping[str, str], reporter: Reporter
) -> AwsdirenvError | None:
    """Write the files of a live directory, then load the credentials, as for any directory.

    Returns the error if only the credentials failed. The directory is opened all the same, because its files can lead
    to the declared identity only. Raises AwsdirenvError if the directory must stay closed.
    """
    failure: AwsdirenvError | None = None
    try:
        with loading(request, environ, reporter) as loader:
            _write_files(loader, reporter)
            try:
                admitted(loader, conditions, loader.load)
            except _CLOSING:
                raise
            except AwsdirenvError as error:
                failure = error
    except CancelledError as error:
        return error
    return failure


def _write_files(loader: Loader, reporter: Reporter) -> None:
    """Write the two files, unless they are there and current."""
    prepare(loader.paths)
    stamps, files = loader.parsed()
    chain = replace(loader.chain(), profile=loader.declared.name)  # agents may get another one's
    check_region(chain.profile, chain.region)
    commands = _commands(loader.environ)
    made_from = _made_from(chain, stamps, stage_of(files, chain.profile), loader, commands)
    folder = loader.paths.live
    path = folder / snapshot_key(chain.profile, loader.environ, loader.options.session)
    with loader.locks.hold("live"):
        aside = live_files.write_empty(folder)
        if not live_files.is_current(path, made_from):
            text = config_text(files, chain, loader.environ, commands, loader.options.session)
            # botocore reads config files in the locale's encoding: it has read the user's, and will read this one.
            encoding = locale.getpreferredencoding(do_setlocale=False)
            live_files.write(path, made_from, text.encode(encoding, "surrogateescape"))
    if aside:
        reporter.notice(
            f"{live_files.empty_file(folder)} must stay empty: what was written into it is now in {aside}, and not used"
        )


class Commands(Record):
    """How SDKs ask us: `python` starts us, and `stored` only prints what is stored. Empty if it cannot be had."""

    python: tuple[str, ...]
    stored: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        """The file that SDKs start first."""
        return self.stored[2] if self.stored else self.python[0]


def _commands(environ: Mapping[str, str]) -> Commands:
    from awsdirenv.shell.extension import own_command, serving_command  # noqa: PLC0415

    return Commands(tuple(own_command()), tuple(serving_command(environ)))


def _made_from(chain: Chain, stamps: tuple[str, str], stage: str | None, loader: Loader, commands: Commands) -> Made:
    environ = loader.environ
    account_id = chain.hops[-1].account_id if chain.hops else None
    return Made(
        profile=encode_name(chain.profile),
        stamps=stamps,
        originals=(environ.get("AWS_CONFIG_FILE"), environ.get("AWS_SHARED_CREDENTIALS_FILE")),
        mfa_serial=environ.get("AWS_MFA_SERIAL", ""),
        options=loader.options.session.text(),
        python=own_python(),
        program=commands.program,
        region=chain.region or "",
        account_id=account_id or "",
        role=chain.role or "",
        stage=stage or "",
        policies=chain.narrowing.label if chain.narrowing else "",
    )


def config_text(
    files: AwsFiles, declared: Chain, environ: Mapping[str, str], commands: Commands, options: SessionOptions
) -> str:
    """Return the text of the config file. `options` are for the declared profile."""
    ways = _ways(files, declared, environ)
    sections: list[str] = []
    for name in files.profiles:
        values = _settings(files, name, replaced=name in ways)
        if name in ways:
            try:
                own_options = options if name == declared.profile else SessionOptions()
                values["credential_process"] = command_line(commands, name, own_options, ways[name])
            except ProfileNameError:
                continue  # nobody can ask us for such a name
        if values or name in files.config_profiles:
            sections.append(_section(_title("profile", name), values))
    for kind, content in files.full_config.items():
        if kind in _KINDS:
            sections += [_section(_title(_KINDS[kind], name), values) for name, values in content.items()]
        elif kind != "profiles" and isinstance(content, dict):
            sections.append(_section(kind, content))
    return "\n".join(sections)


def command_line(
    commands: Commands,
    profile: str,
    options: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
    way: str = _SESSION,
) -> str:
    """Return the credential_process by which an SDK asks us for a profile. Raises ProfileNameError.

    `way` says whether the SDK gets the profile's long-term keys or a session.
    """
    stored = [*commands.stored, options.text()] if commands.stored and way == _SESSION else []
    words = [*stored, *commands.python, "credential-process", *options.arguments()]
    words += [*(["--keys"] if way == _KEYS else []), f"--live={encode_name(profile)}"]
    return sdk_command(words)


def _ways(files: AwsFiles, declared: Chain, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the profiles that get their credentials from us, each with what it gets: a session or long-term keys."""
    chains = {name: _chain(files, name, environ) for name in files.profiles}
    ways = {declared.profile: _SESSION}
    for name, chain in chains.items():
        way = _way(files, name, chain)
        if way:
            ways.setdefault(name, way)
    # If we give a session in place of a profile's keys, we must also serve the roles that start from this profile: AWS
    # allows a session less than it allows keys.
    roles = [name for name, chain in chains.items() if chain and _starts_from_session(chain, ways)]
    return {**ways, **dict.fromkeys(roles, _SESSION)}


def _chain(files: AwsFiles, name: str, environ: Mapping[str, str]) -> Chain | None:
    try:
        return resolve_chain(files, name, environ)
    except AwsdirenvError:
        return None  # an SDK that uses this profile reports the error itself, as it would without us


def _starts_from_session(chain: Chain, ways: Mapping[str, str]) -> bool:
    sources = {chain.source_profile, *(hop.profile for hop in chain.hops)} - {chain.profile}
    return any(ways.get(source) == _SESSION for source in sources)


def _way(files: AwsFiles, name: str, chain: Chain | None) -> str | None:
    """Return what an SDK gets from us for a profile. None: the SDK can resolve it from the live config file alone."""
    has_keys = not _SECRETS.isdisjoint(files.config_profiles.get(name, {})) or (
        not _CREDENTIAL_KEYS.isdisjoint(files.credentials_sections.get(name, {}))
    )
    if is_narrowed(files.profiles[name]):
        return _SESSION  # no SDK knows our keys
    if chain is None:
        return _SESSION if has_keys else None  # its keys are left out there, so only we can say what is wrong with it
    if chain.hops:
        # In a live directory an SDK finds neither the container's variables nor the machine's role; we do.
        return _SESSION if has_keys or chain.mfa_serial or chain.depends_on_environment else None
    if chain.source_kind in (STATIC, KEYCHAIN) and chain.source_mfa_serial:
        return _SESSION
    keys = static_keys(files, name) if chain.source_kind == STATIC else None
    return None if not has_keys else _KEYS if keys and not keys[2] else _SESSION


def _settings(files: AwsFiles, name: str, *, replaced: bool) -> dict[str, Any]:
    """Return a profile's keys and values. With `replaced`, without those that decide whose credentials it has."""
    values = dict(files.config_profiles.get(name, {}))
    section = files.credentials_sections.get(name, {})
    values |= {key: value for key, value in section.items() if re.fullmatch(_SETTINGS, key)}
    if not replaced:
        return values
    for key in files.inclusions.get(name, {}):
        values.setdefault(key, files.profiles[name][key])
    return {key: value for key, value in values.items() if key not in _CREDENTIAL_KEYS}


def _title(kind: str, name: str) -> str:
    if kind == "profile" and name == "default":
        return name
    if re.fullmatch(_PLAIN_NAME, name):
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
    # An indented line continues the one before it. But the JavaScript SDK reads it as a setting, which may be a secret.
    yield from (f"  {line}".rstrip() for line in rest if re.split("[=:]", line)[0].strip().lower() not in _SECRETS)
