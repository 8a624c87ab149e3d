"""The environment variables that matter to us: which lead to credentials, and which decide what a name stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping

from awsdirenv.system.text import fnv1a

# What else decides which account a profile's name stands for. Two directories may differ in it and must not share a
# snapshot. The letters only keep the values apart.
CONTEXT_VARIABLES = (
    ("c", "AWS_CONFIG_FILE"),
    ("s", "AWS_SHARED_CREDENTIALS_FILE"),
    ("e", "AWS_ENDPOINT_URL_STS"),
    ("u", "AWS_ENDPOINT_URL"),
    ("i", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
)

# Those of them that decide which STS answers.
ENDPOINT_VARIABLES = tuple(name for _, name in CONTEXT_VARIABLES if "ENDPOINT" in name)

# What decides whose credentials a profile has that leaves it to the environment or to the machine.
DECIDING_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)

# All that such a profile is resolved from.
ATTACHED_VARIABLES = (
    *DECIDING_VARIABLES,
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)

# What would speak against the exported credentials, or outrank them: it goes out with the same command.
STALE = (
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    *("AWS_VAULT", "AWSUME_PROFILE"),  # what a prompt shows
    "AWSDIRENV_REFRESH_AT",  # of a directory's credentials, which these replace
)

EXPORTED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWSDIRENV_PROFILE",
)

# All that names an identity or a place, or is ours: what the extension, too, takes out before it puts a profile's in.
BLOCK = frozenset((*STALE, *EXPORTED, *ATTACHED_VARIABLES, "AWSDIRENV_LOADED", "AWSDIRENV_DECLARED", "AWSDIRENV_STAGE"))


def environment_region(environ: Mapping[str, str]) -> str | None:
    """Give the region that the environment asks for, unless it is one that we exported for a directory's profile."""
    if "AWSDIRENV_PROFILE" in environ:
        return None
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None


def environment_mark(environ: Mapping[str, str]) -> str:
    """Tell one environment and machine from another, for profiles that take their credentials from there."""
    # A home on a network file system has many machines; bash knows the name of its own as we do.
    values = [*(environ.get(name, "") for name in DECIDING_VARIABLES), environ.get("HOSTNAME", os.uname().nodename)]
    return f"{fnv1a(os.fsencode(chr(10).join(values))):08x}"
