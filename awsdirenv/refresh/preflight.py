"""Finds the errors of a load before the load: without the network, and without running a program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from awsdirenv.aws.providers import is_running_for
from awsdirenv.cache.snapshots import check_region
from awsdirenv.config.aws_files import AwsFiles, section_header, static_keys
from awsdirenv.config.chain import ATTACHED, ENVIRONMENT, PROCESS, SSO, STATIC, WEB_IDENTITY, Chain
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError, ConfigError, CredentialProcessError

_OUR_COMMAND = "credential-process"
_LOOP_HINT = "have it name another profile, the one that says where the credentials come from"
# The ARN of a role. Other makers of STS leave out the account, and have names of their own.
_ROLE_ARN = re.compile(r"arn:[^:\s]+:iam::(?:[0-9]{12})?:role/.+")
_SSO_KEYS = ("sso_start_url", "sso_region", "sso_account_id", "sso_role_name")


def check(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Raise the error that a load would raise, or a similar one: ConfigError, NoCredentialsError and others."""
    # Not imported at the top: a load calls `refuse_feedback` before it needs these slow modules.
    from awsdirenv.aws.botocore_session import Budget  # noqa: PLC0415
    from awsdirenv.aws.sts import Sts  # noqa: PLC0415

    refuse_feedback(chain, files, environ)
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


def check_chain(chain: Chain, files: AwsFiles) -> None:
    """Refuse a region or a role that cannot be one, before anybody is asked for a code. Raises ConfigError."""
    check_region(chain.profile, chain.region, lambda: Provenance(files).of(chain.profile, "region"))
    for hop in chain.hops:
        if not _ROLE_ARN.fullmatch(hop.role_arn):
            raise ConfigError(
                f"profile {hop.profile} has a role_arn that is none: {hop.role_arn}",
                f"correct role_arn in {section_header(hop.profile)}, as in arn:aws:iam::123456789012:role/NAME",
            )


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
