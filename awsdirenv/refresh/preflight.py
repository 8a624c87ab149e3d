"""Finds the errors of a load before the load: without the network, and without running a program."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from awsdirenv.aws.providers import is_running_for, nothing_found
from awsdirenv.cache.snapshots import check_region, check_region_of_environment
from awsdirenv.config.aws_files import (
    AGENT_KEY,
    ARNS_KEY,
    INCLUDED,
    POLICY_KEY,
    STAGE_KEY,
    VARIABLES_KEY,
    AwsFiles,
    broken_pair,
    place_of,
    section_header,
    section_of,
    stage_of,
    static_keys,
)
from awsdirenv.config.chain import ATTACHED, ENVIRONMENT, PROCESS, SSO, STATIC, WEB_IDENTITY, Chain, RoleHop
from awsdirenv.config.environment import BLOCK, CONTEXT_VARIABLES, environment_region
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError, ConfigError, CredentialProcessError
from awsdirenv.refresh.plan import USERNAME

if TYPE_CHECKING:
    from awsdirenv.aws.sts import Sts

_OUR_COMMAND = "credential-process"
_LOOP_HINT = "let it name another profile, the one with the source of the credentials"
# The ARN of a role. Other makers of STS leave out the account, and have partitions and names of their own.
_ROLE_ARN = re.compile(
    r"arn:aws(?:-[a-z]+)*:iam::(?:[0-9]{12})?:role/(?:[!-~]{1,510}/)?[\w+=,.@-]{1,64}|arn:(?!aws)[^:\s]+:iam::(?:[0-9]{12})?:role/.+",
    re.ASCII,
)
# Values with which botocore's client is made for certain, by the profile's key or the variable. It has no part in the
# keys that are not here and that `_NOT_THE_CLIENTS` names.
_URL = re.compile(r"(https?://[\w.-]+(:[0-9]{1,5})?/?)?", re.ASCII)  # an empty one is none
_PLAIN = {
    "region": re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}"),
    **dict.fromkeys(("endpoint_url", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTPS_PROXY", "https_proxy"), _URL),
    **dict.fromkeys(("max_attempts", "AWS_MAX_ATTEMPTS"), re.compile(r"[1-9][0-9]{0,3}", re.ASCII)),
    **dict.fromkeys(("retry_mode", "AWS_RETRY_MODE"), re.compile("legacy|standard|adaptive")),
    **dict.fromkeys(("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS"), re.compile("legacy|regional")),
}
_NOT_THE_CLIENTS = {*INCLUDED, "credential_source", "login_session", "mfa_process", "output", "include_profile"}
_NOT_THE_CLIENTS |= {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"}
_NOT_THE_CLIENTS |= {"x_security_token_expires", "aws_credential_expiration", STAGE_KEY, VARIABLES_KEY}
_NOT_THE_CLIENTS |= {AGENT_KEY, ARNS_KEY, POLICY_KEY}
_NOT_THE_CLIENTS -= {*_PLAIN}
_CLIENTS_VARIABLES = re.compile("AWS_|(https?_proxy|REQUESTS_CA_BUNDLE)$", re.IGNORECASE)
_HARMLESS_VARIABLES = {*BLOCK, *CONTEXT_VARIABLES, "AWS_MFA_SERIAL", "AWS_EC2_METADATA_DISABLED", "AWS_PAGER"}
_HARMLESS_VARIABLES -= {*_PLAIN}
# What STS documents of these parameters; the device and its user's name are in the serial.
_SERIAL = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)
_NAME = r"[\w+=,.@-]{2,%d}"
_PARAMETERS = (
    ("role_session_name", "RoleSessionName", re.compile(_NAME % 64, re.ASCII)),
    ("external_id", "ExternalId", re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)),
    ("source_identity", "SourceIdentity", re.compile(_NAME % 256, re.ASCII)),
)
_TAG_SIGNS, _LONGEST_TAG_KEY, _LONGEST_TAG_VALUE, _MOST_TAGS = "_.:/=+-@", 128, 256, 50
_SSO_KEYS = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")


class Preflight:
    """Checks chains of the same files in the same environment. What several chains share is checked once."""

    def __init__(self, files: AwsFiles, environ: Mapping[str, str]) -> None:
        """Keep the files and the environment."""
        self._files = files
        self._environ = environ
        # By what was checked: the first profile that it was checked for, and what came of it.
        self._outcomes: dict[object, tuple[str, AwsdirenvError | None]] = {}

    def check(self, chain: Chain) -> None:
        """Raise the error that a load would raise, or a similar one: ConfigError, NoCredentialsError and others.

        If the profile or the environment has settings of botocore's client, this makes a client, as a load does. That
        takes a quarter of a second.
        """
        refuse_feedback(chain, self._files, self._environ)
        check_region_of_environment(self._environ)
        check_chain(chain, self._files)
        source = (chain.source_profile, chain.source_kind, bool(chain.hops))
        self._once(source, chain, lambda: _check_source(chain, self._files, self._environ, self._sts(chain)))
        settings = self._odd_settings(chain)
        if settings and needs_sts(chain, self._files):
            self._once(settings, chain, lambda: self._sts(chain).check_settings())

    def _once(self, what: object, chain: Chain, check: Callable[[], None]) -> None:
        """Check, or raise again what the same check has raised before, for this chain's profile."""
        if what in self._outcomes:
            first_profile, error = self._outcomes[what]
            if error:
                of_first, of_this = (f"settings of profile {name}" for name in (first_profile, chain.profile))
                raise type(error)(error.message.replace(of_first, of_this), error.hint)
            return
        try:
            check()
        except AwsdirenvError as error:
            self._outcomes[what] = chain.profile, error
            raise
        self._outcomes[what] = chain.profile, None

    def _sts(self, chain: Chain) -> Sts:
        # Not imported at the top: a load calls `refuse_feedback` before it needs these slow modules.
        from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
        from awsdirenv.aws.sts import Sts  # noqa: PLC0415

        region = environment_region(self._environ) or chain.region
        return Sts(self._files, chain, region, self._environ, Budget(0))

    def _odd_settings(self, chain: Chain) -> frozenset[tuple[str, str]]:
        """Return the settings of botocore's client that may be wrong, as pairs of a name and a value."""
        profile = {key: str(value) for key, value in self._files.profiles[chain.profile].items()}
        settings = {key: value for key, value in profile.items() if key not in _NOT_THE_CLIENTS and key[:4] != "cli_"}
        names = {name for name in self._environ if _CLIENTS_VARIABLES.match(name)} - _HARMLESS_VARIABLES
        settings |= {name: self._environ[name] for name in names}
        settings["region"] = environment_region(self._environ) or chain.region or ""
        return frozenset(pair for pair in settings.items() if not _is_plain(*pair))


def _is_plain(name: str, value: str) -> bool:
    return (name in _PLAIN and bool(_PLAIN[name].fullmatch(value))) or (name == "region" and not value)


def needs_sts(chain: Chain, files: AwsFiles) -> bool:
    """Return whether a load calls STS, for a session or a role."""
    keys = static_keys(files, chain.source_profile) if chain.source_kind == STATIC else None
    return bool(chain.hops or chain.mfa_serial or chain.keychain or (keys and not keys[2]))


def _check_source(chain: Chain, files: AwsFiles, environ: Mapping[str, str], sts: Sts) -> None:
    """Raise the error of a source that cannot give credentials, as far as that can be told offline."""
    profile = chain.source_profile
    if chain.source_kind == STATIC:
        if static_keys(files, profile) is None:
            raise broken_pair(files, profile)
        sts.source_credentials()  # reads the files only; raises if a stored token has ended
    if chain.source_kind == ENVIRONMENT and not environ.get("AWS_ACCESS_KEY_ID"):
        raise nothing_found(files, chain)
    if chain.source_kind == ATTACHED and chain.hops:
        raise nothing_found(files, chain)
    if chain.source_kind == PROCESS:
        sts.process()
    if chain.source_kind == SSO:
        _check_sso(files, profile)
    if chain.source_kind == WEB_IDENTITY and not files.profiles[profile].get("role_arn"):
        raise ConfigError(
            f"profile {profile} has web_identity_token_file and no role_arn",
            f"add role_arn to {place_of(files, profile)}",
        )


def check_chain(chain: Chain, files: AwsFiles) -> None:
    """Refuse what STS or we would refuse, before anybody is asked for a code. Raises ConfigError."""
    stage_of(files, chain.profile)
    check_region(chain.profile, chain.region, lambda: _region_line(files, chain.profile))
    for hop in chain.hops:
        if not _ROLE_ARN.fullmatch(hop.role_arn):
            place = place_of(files, hop.profile, "role_arn")
            raise ConfigError(
                f"profile {hop.profile} has a role_arn that is not the ARN of a role: {hop.role_arn}",
                f"correct role_arn in {place}, as in arn:aws:iam::123456789012:role/NAME",
            )
        for key, parameter, taken in _PARAMETERS:
            if not taken.fullmatch(getattr(hop, key) or "--"):
                raise _not_taken(hop.profile, key, parameter, f"correct {key} in {place_of(files, hop.profile, key)}")
        _check_tags(hop, files)
    serial = (chain.mfa_serial or "").replace(USERNAME, "user")
    if serial and not _SERIAL.fullmatch(serial):
        owner = next((hop.profile for hop in chain.hops if hop.mfa_serial == chain.mfa_serial), chain.source_profile)
        in_files = f"mfa_serial in {place_of(files, owner, 'mfa_serial')}"
        where = "AWS_MFA_SERIAL" if chain.environment_mfa_serial else in_files
        raise _not_taken(
            owner, "mfa_serial", "SerialNumber", f"correct {where}, as in arn:aws:iam::123456789012:mfa/NAME"
        )


def _region_line(files: AwsFiles, profile: str) -> str:
    return f"{section_of(files, profile, 'region')[0]}: {Provenance(files).of(profile, 'region')}"


def _check_tags(hop: RoleHop, files: AwsFiles) -> None:
    """Raise ConfigError for session tags that STS does not take."""
    keys = {key.lower() for key, _ in hop.session_tags}
    is_sound = len(keys) == len(hop.session_tags) <= _MOST_TAGS and not any(key.startswith("aws:") for key in keys)
    for key, value in hop.session_tags:
        is_sound = is_sound and len(key) <= _LONGEST_TAG_KEY and len(value) <= _LONGEST_TAG_VALUE
        is_sound = is_sound and all(_may_be_in_tag(char) for char in key + value)
    if not is_sound:
        hint = f"correct session_tags in {place_of(files, hop.profile, 'session_tags')}"
        raise _not_taken(hop.profile, "session_tags", "Tags", hint)
    if not keys.issuperset(key.lower() for key in hop.transitive_session_tags):
        hint = f"name keys of session_tags only in {place_of(files, hop.profile, 'transitive_session_tags')}"
        raise _not_taken(hop.profile, "transitive_session_tags", "TransitiveTagKeys", hint)


def _not_taken(profile: str, key: str, parameter: str, hint: str) -> ConfigError:
    return ConfigError(f"profile {profile} has a value for {key} that STS does not take as {parameter}", hint)


def _may_be_in_tag(char: str) -> bool:
    return char in _TAG_SIGNS or unicodedata.category(char)[0] in "LZN"


def refuse_feedback(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Refuse our own exported keys as the source of new ones, and a credential_process that waits for itself.

    Raises ConfigError and CredentialProcessError.
    """
    if chain.source_kind == ENVIRONMENT and "AWSDIRENV_PROFILE" in environ:
        raise ConfigError(
            f"profile {chain.source_profile} takes its keys from the environment, but these are a directory's keys",
            "leave the directory first: exported keys must not renew themselves",
        )
    refuse_recursion(chain.profile, environ)
    if chain.source_kind == PROCESS:
        refuse_recursion(chain.source_profile, environ)
        _refuse_loop(chain, files, environ)


def refuse_recursion(profile: str, environ: Mapping[str, str]) -> None:
    """Refuse a profile whose own credential_process has started us. Raises CredentialProcessError."""
    if is_running_for(profile, environ):
        raise CredentialProcessError(
            f"credential_process of profile {profile} calls awsdirenv for the same profile", _LOOP_HINT
        )


def _refuse_loop(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Follow the profiles whose credential_process is awsdirenv. Raises CredentialProcessError if they form a loop."""
    visited = [chain.profile]
    while chain.source_kind == PROCESS:
        next_profile = profile_wanted(str(files.profiles[chain.source_profile].get("credential_process")))
        if next_profile is None:
            return
        if next_profile in visited:
            raise CredentialProcessError(
                f"credential_process of profile {chain.source_profile} closes a loop: "
                f"{' -> '.join([*visited, next_profile])}",
                _LOOP_HINT,
            )
        visited.append(next_profile)
        try:
            chain = resolve_chain(files, next_profile, environ)
        except AwsdirenvError:
            return  # the process reports this error itself when it runs


def _check_sso(files: AwsFiles, profile: str) -> None:
    """Raise ConfigError for a profile of IAM Identity Center that lacks a key or contradicts its sso_session."""
    values = files.profiles[profile]
    name = values.get("sso_session")
    sessions = files.full_config.get("sso_sessions", {})
    if name and name not in sessions:
        raise ConfigError(
            f"profile {profile} names an sso_session that does not exist: {name}",
            f"add {section_header(name, 'sso-session')} to {files.config_path}",
        )
    session = sessions[name] if name else {}
    different = next((key for key in _SSO_KEYS if key in values and session.get(key, values[key]) != values[key]), None)
    if different:
        raise ConfigError(
            f"profile {profile} and its sso_session {name} differ in {different}",
            f"remove {different} from {place_of(files, profile, different)}",
        )
    merged = {**values, **session}
    missing = next((key for key in _SSO_KEYS if not merged.get(key)), None)
    if missing:
        in_session = name and missing in _SSO_KEYS[:2]
        section = section_header(str(name), "sso-session") if in_session else place_of(files, profile, missing)
        raise ConfigError(
            f"profile {profile} is of IAM Identity Center and has no {missing}", f"add {missing} to {section}"
        )


def profile_wanted(command: str) -> str | None:
    """Return the profile that a credential_process asks us for. None for another program, or if that is unclear."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if _OUR_COMMAND not in words:
        return None
    before, after = words[: words.index(_OUR_COMMAND)], iter(words[words.index(_OUR_COMMAND) + 1 :])
    # Behind `env NAME=value` the same name may be another profile.
    if any("=" in word for word in before) or not any(PurePath(word).name == "awsdirenv" for word in before):
        return None
    return _positional(after)


def _positional(words: Iterator[str]) -> str | None:
    """Return the first argument that is no option of `awsdirenv credential-process`."""
    for word in words:
        if word in ("--", "--duration", "--policy", "--policy-arn"):
            value = next(words, None)
            if word == "--":
                return value
        elif not word.startswith("-"):
            return word
    return None
