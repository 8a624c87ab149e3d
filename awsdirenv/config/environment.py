"""The environment variables that matter to us: which lead to credentials, and which decide what a name stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Flag, auto

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


class Use(Flag):
    """What a variable of `VARIABLES` is to us. It may be several things, or only somebody else's identity (`NONE`)."""

    NONE = 0
    EXPORTED = auto()  # an open directory exports it, and so does `awsdirenv export`
    STALE = auto()  # it would speak against what `awsdirenv export` prints, which takes it out with the same command
    SOURCE = auto()  # a profile that leaves its credentials to the environment or the machine is resolved from it
    DECIDES = auto()  # it tells one such source from another; see `environment_mark`


# All that leads a program to credentials, names an identity or a place, or is ours. A directory takes all of it out
# before it puts a profile's in, and so does `awsdirenv exec`. What decides which file is read stays
# (AWS_SHARED_CREDENTIALS_FILE; BOTO_CONFIG, which gsutil reads, too), and what only turns something off
# (AWS_EC2_METADATA_DISABLED).
VARIABLES: Mapping[str, Use] = {
    "AWS_ACCESS_KEY_ID": Use.EXPORTED | Use.SOURCE | Use.DECIDES,
    "AWS_SECRET_ACCESS_KEY": Use.EXPORTED | Use.SOURCE,
    "AWS_SESSION_TOKEN": Use.EXPORTED | Use.SOURCE,
    "AWS_SECURITY_TOKEN": Use.STALE | Use.SOURCE,
    "AWS_CREDENTIAL_EXPIRATION": Use.EXPORTED | Use.SOURCE,
    "AWS_SESSION_EXPIRATION": Use.STALE,
    "AWS_ACCOUNT_ID": Use.EXPORTED | Use.SOURCE,
    "AWS_REGION": Use.EXPORTED,
    "AWS_DEFAULT_REGION": Use.EXPORTED,
    "AWS_PROFILE": Use.STALE,
    "AWS_DEFAULT_PROFILE": Use.STALE,
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": Use.SOURCE | Use.DECIDES,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": Use.SOURCE | Use.DECIDES,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": Use.SOURCE,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": Use.SOURCE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": Use.SOURCE | Use.DECIDES,
    "AWS_ROLE_ARN": Use.SOURCE | Use.DECIDES,
    "AWS_ROLE_SESSION_NAME": Use.SOURCE,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": Use.SOURCE | Use.DECIDES,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": Use.SOURCE,
    "AWS_CREDENTIAL_FILE": Use.SOURCE,  # a file with keys: Amazon's first tools, and botocore to this day
    # Other names for keys, which the SDKs for Go, Java, JavaScript and Ruby take; and what the one for JavaScript adds.
    **dict.fromkeys(("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_SCOPE"), Use.NONE),
    **dict.fromkeys(("AMAZON_ACCESS_KEY_ID", "AMAZON_SECRET_ACCESS_KEY", "AMAZON_SESSION_TOKEN"), Use.NONE),
    "AWS_BEARER_TOKEN_BEDROCK": Use.NONE,  # an API key of Bedrock's, which every SDK takes there before any other keys
    # What a prompt shows.
    "AWS_VAULT": Use.STALE,
    "AWSUME_PROFILE": Use.STALE,
    # Ours. The time is that of a directory's credentials, which those of `awsdirenv export` replace.
    "AWSDIRENV_PROFILE": Use.EXPORTED,
    "AWSDIRENV_REFRESH_AT": Use.STALE,
    **dict.fromkeys(("AWSDIRENV_LOADED", "AWSDIRENV_DECLARED", "AWSDIRENV_STAGE"), Use.NONE),
}


def _used_for(use: Use) -> tuple[str, ...]:
    return tuple(name for name, uses in VARIABLES.items() if use in uses)


BLOCK = frozenset(VARIABLES)
EXPORTED = _used_for(Use.EXPORTED)
STALE = _used_for(Use.STALE)
SOURCE_VARIABLES = _used_for(Use.SOURCE)
DECIDING_VARIABLES = _used_for(Use.DECIDES)
# Of the SDKs' variables those that we never export: whoever finds one in an open directory, somebody else has set it.
NEVER_EXPORTED = frozenset(name for name in BLOCK if name.startswith(("AWS_", "AMAZON_"))) - {*EXPORTED}


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
