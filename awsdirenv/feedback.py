"""Chains that would feed themselves: refused before anything is locked or run for them."""

from __future__ import annotations

from collections.abc import Mapping

from awsdirenv.aws_files import AwsFiles
from awsdirenv.chain import ENVIRONMENT, PROCESS, Chain
from awsdirenv.credential_process import is_ours, is_running_for
from awsdirenv.errors import ConfigError, CredentialProcessError


def refuse_feedback(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Refuse keys of our own as the source of new ones, and a credential_process that waits for itself.

    Raises ConfigError and CredentialProcessError.
    """
    if chain.source_kind == ENVIRONMENT and "AWSDIRENV_PROFILE" in environ:
        raise ConfigError(
            f"profile {chain.source_profile} takes its keys from the environment, which holds those of a directory",
            "leave the directory first: keys that are exported must not feed their own refresh",
        )
    command = files.profiles[chain.source_profile].get("credential_process")
    if chain.source_kind == PROCESS and is_ours(str(command), chain.profile):
        raise CredentialProcessError(
            f"credential_process of profile {chain.source_profile} is awsdirenv for {chain.profile} itself",
            "have it name another profile, the one that says where the credentials come from",
        )
    refuse_recursion(chain.profile, environ)


def refuse_recursion(profile: str, environ: Mapping[str, str]) -> None:
    """Refuse to work for a profile whose own credential_process has led back to us. Raises CredentialProcessError."""
    if is_running_for(profile, environ):
        raise CredentialProcessError(
            f"credential_process of profile {profile} has come back to awsdirenv for {profile}",
            "have it name another profile, the one that says where the credentials come from",
        )
