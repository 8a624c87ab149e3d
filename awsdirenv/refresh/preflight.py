"""Finds the errors of a load before the load: without the network, and without running a program."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from awsdirenv.aws.providers import is_running_for
from awsdirenv.cache.snapshots import check_region, check_region_of_environment
from awsdirenv.config.aws_files import STAGE_KEY, VARIABLES_KEY, AwsFiles, section_header, stage_of, static_keys
from awsdirenv.config.chain import ATTACHED, ENVIRONMENT, PROCESS, SSO, STATIC, WEB_IDENTITY, Chain, RoleHop
from awsdirenv.config.environment import BLOCK, CONTEXT_VARIABLES, environment_region
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError, ConfigError, CredentialProcessError
from awsdirenv.refresh.plan import USERNAME

_OUR_COMMAND = "credential-process"
_LOOP_HINT = "have it name another profile, the one that says where the credentials come from"
# The ARN of a role. Other makers of STS leave out the account, and have partitions and names of their own.
_ROLE_ARN = re.compile(
    r"arn:aws(?:-[a-z]+)*:iam::(?:[0-9]{12})?:role/(?:[!-~]{1,510}/)?[\w+=,.@-]{1,64}|arn:(?!aws)[^:\s]+:iam::(?:[0-9]{12})?:role/.+",
    re.ASCII,
)
# Settings that botocore's client does not read, or that cannot be wrong; and regions of the usual form.
_OURS_TO_CHECK = {
    "role_arn",
    "source_profile",
    "credential_source",
    "duration_seconds",
    "mfa_serial",
    "mfa_process",
    "region",
}
_OURS_TO_CHECK |= {"output", "include_profile", "session_tags", "transitive_session_tags", STAGE_KEY, VARIABLES_KEY}
_OURS_TO_CHECK |= {
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_process",
    "sso_session",
}
_HARMLESS_VARIABLES = {*BLOCK, *CONTEXT_VARIABLES, "AWS_MFA_SERIAL", "AWS_EC2_METADATA_DISABLED", "AWS_PAGER"}
_PLAIN_REGION = re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
# What STS documents of these parameters; the device and its user's name are in the serial.
_SERIAL = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)
_TAG_SIGNS, _LONGEST_TAG_KEY, _LONGEST_TAG_VALUE, _MOST_TAGS = "_.:/=+-@", 128, 256, 50
_SSO_KEYS = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")


def check(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Raise the error that a load would raise, or a similar one: ConfigError, NoCredentialsError and others."""
    # Not imported at the top: a load calls `refuse_feedback` before it needs these slow modules.
    from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
    from awsdirenv.aws.sts import Sts  # noqa: PLC0415

    refuse_feedback(chain, files, environ)
    check_region_of_environment(environ)
    check_chain(chain, files)
    sts = Sts(files, chain, None, environ, Budget(0))
    if chain.source_kind == STATIC:
        if static_keys(files, chain.source_profile) is None:
            raise _broken_pair(files, chain.source_profile)
        sts.source_credentials()  # reads the files only; raises if a stored token has ended
    if chain.source_kind == ENVIRONMENT and not environ.get("AWS_ACCESS_KEY_ID"):
        raise sts.nothing_found()
    if chain.source_kind == ATTACHED and chain.hops:
        raise sts.nothing_found()
    if chain.source_kind == PROCESS:
        sts.process()
    if chain.source_kind == SSO:
        _check_sso(files, chain.source_profile)
    if chain.source_kind == WEB_IDENTITY and not files.profiles[chain.source_profile].get("role_arn"):
        profile = chain.source_profile
        raise ConfigError(
            f"profile {profile} has web_identity_token_file and no role_arn",
            f"add role_arn to {section_header(profile)}",
        )


def check_thoroughly(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Check as `check` does, and have botocore look at the settings as a load does, if there are any to look at.

    botocore takes a quarter of a second for that.
    """
    from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
    from awsdirenv.aws.sts import Sts  # noqa: PLC0415

    check(chain, files, environ)
    region = environment_region(environ) or chain.region
    profiles = [chain.profile, *(hop.profile for hop in chain.hops)]
    settings = {key for profile in profiles for key in files.profiles[profile] if not key.startswith("cli_")}
    variables = {name for name in environ if name.startswith("AWS_")} - _HARMLESS_VARIABLES
    is_plain = settings <= _OURS_TO_CHECK and not variables and (not region or _PLAIN_REGION.fullmatch(region))
    if (chain.hops or chain.mfa_serial) and not is_plain:
        Sts(files, chain, region, environ, Budget(0)).check_settings()


def check_chain(chain: Chain, files: AwsFiles) -> None:
    """Refuse what STS or we would refuse, before anybody is asked for a code. Raises ConfigError."""
    stage_of(files, chain.profile)
    check_region(chain.profile, chain.region, lambda: Provenance(files).of(chain.profile, "region"))
    for hop in chain.hops:
        if not _ROLE_ARN.fullmatch(hop.role_arn):
            raise ConfigError(
                f"profile {hop.profile} has a role_arn that is none: {hop.role_arn}",
                f"correct role_arn in {section_header(hop.profile)}, as in arn:aws:iam::123456789012:role/NAME",
            )
        _check_tags(hop)
    serial = (chain.mfa_serial or "").replace(USERNAME, "user")
    if serial and not _SERIAL.fullmatch(serial):
        owner = next((hop.profile for hop in chain.hops if hop.mfa_serial == chain.mfa_serial), chain.source_profile)
        where = "AWS_MFA_SERIAL" if chain.environment_mfa_serial else f"mfa_serial in {section_header(owner)}"
        raise _not_taken(
            owner, "mfa_serial", "SerialNumber", f"correct {where}, as in arn:aws:iam::123456789012:mfa/NAME"
        )


def _check_tags(hop: RoleHop) -> None:
    """Raise ConfigError for session tags that STS does not take."""
    keys = {key.lower() for key, _ in hop.session_tags}
    is_sound = len(keys) == len(hop.session_tags) <= _MOST_TAGS and not any(key.startswith("aws:") for key in keys)
    for key, value in hop.session_tags:
        is_sound = is_sound and len(key) <= _LONGEST_TAG_KEY and len(value) <= _LONGEST_TAG_VALUE
        is_sound = is_sound and all(_may_be_in_tag(char) for char in key + value)
    if not is_sound:
        hint = f"correct session_tags in {section_header(hop.profile)}"
        raise _not_taken(hop.profile, "session_tags", "Tags", hint)
    if not keys.issuperset(key.lower() for key in hop.transitive_session_tags):
        hint = f"name keys of session_tags only in {section_header(hop.profile)}"
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
            f"profile {chain.source_profile} takes its keys from the environment, which holds those of a directory",
            "leave the directory first: keys that are exported must not feed their own refresh",
        )
    refuse_recursion(chain.profile, environ)
    if chain.source_kind == PROCESS:
        refuse_recursion(chain.source_profile, environ)
        _refuse_loop(chain, files, environ)


def refuse_recursion(profile: str, environ: Mapping[str, str]) -> None:
    """Refuse a profile whose own credential_process has started us. Raises CredentialProcessError."""
    if is_running_for(profile, environ):
        raise CredentialProcessError(f"credential_process of profile {profile} has come back to awsdirenv", _LOOP_HINT)


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


def _broken_pair(files: AwsFiles, profile: str) -> ConfigError:
    """Return the error that says which half of a key pair is missing. Both halves must be in the same file."""
    in_credentials = "aws_access_key_id" in files.credentials_sections.get(profile, {})
    section = (files.credentials_sections if in_credentials else files.config_profiles)[profile]
    path = files.credentials_path if in_credentials else files.config_path
    missing = "aws_secret_access_key" if section.get("aws_access_key_id") else "aws_access_key_id"
    return ConfigError(f"profile {profile} has half a key: no {missing}", f"add {missing} to it in {path}")


def _check_sso(files: AwsFiles, profile: str) -> None:
    """Raise ConfigError for a profile of IAM Identity Center that lacks a key or contradicts its sso_session."""
    values = files.profiles[profile]
    name = values.get("sso_session")
    sessions = files.full_config.get("sso_sessions", {})
    if name and name not in sessions:
        raise ConfigError(
            f"profile {profile} names an sso_session that does not exist: {name}",
            f"add [sso-session {name}] to {files.config_path}",
        )
    session = sessions[name] if name else {}
    different = next((key for key in _SSO_KEYS if key in values and session.get(key, values[key]) != values[key]), None)
    if different:
        raise ConfigError(
            f"profile {profile} and its sso_session {name} differ in {different}",
            f"take {different} out of {section_header(profile)}",
        )
    merged = {**values, **session}
    missing = next((key for key in _SSO_KEYS if not merged.get(key)), None)
    if missing:
        section = f"sso-session {name}" if name and missing in _SSO_KEYS[:2] else section_header(profile)[1:-1]
        raise ConfigError(
            f"profile {profile} is of IAM Identity Center and has no {missing}", f"add {missing} to [{section}]"
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
        if word in ("--", "--duration"):
            value = next(words, None)
            if word == "--":
                return value
        elif not word.startswith("-"):
            return word
    return None
