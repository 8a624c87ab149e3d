"""Chains that would feed themselves: refused before anything is locked or run for them."""

from __future__ import annotations

from collections.abc import Mapping

from awsdirenv.aws.credential_process import is_running_for, profile_wanted
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.config.chain import ENVIRONMENT, PROCESS, Chain
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError, ConfigError, CredentialProcessError

_HINT = "have it name another profile, the one that says where the credentials come from"


def refuse_feedback(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Refuse keys of our own as the source of new ones, and a credential_process that waits for itself.

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
    """Refuse to work for a profile whose own credential_process has led back to us. Raises CredentialProcessError."""
    if is_running_for(profile, environ):
        raise CredentialProcessError(f"credential_process of profile {profile} has come back to awsdirenv", _HINT)


def _refuse_loop(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> None:
    """Follow the profiles whose credential_process is us, as far as the files tell, and refuse to go round."""
    visited = [chain.profile]
    while chain.source_kind == PROCESS:
        wanted = profile_wanted(str(files.profiles[chain.source_profile].get("credential_process")))
        if wanted is None:
            return
        if wanted in visited:
            raise CredentialProcessError(
                f"credential_process of profile {chain.source_profile} closes a loop: "
                f"{' -> '.join([*visited, wanted])}",
                _HINT,
            )
        visited.append(wanted)
        try:
            chain = resolve_chain(files, wanted, environ)
        except AwsdirenvError:
            return  # it will say so itself when it is run
