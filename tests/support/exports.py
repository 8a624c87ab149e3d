"""`awsdirenv export` as tests run it and read it back."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from hypothesis import strategies as st

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.session_credentials import SessionCredentials, utc_now
from world import REGION, World, told

NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWSDIRENV_PROFILE",
)


def exported(world: World, *options: str) -> str:
    """Run the export and give its output, which must be all that it says."""
    done = world.run("awsdirenv", "export", "adminrole", *options)
    assert (done.returncode, told(done.stderr)) == (0, [])
    return done.stdout


def is_what_sts_gave(world: World, values: dict[str, str]) -> bool:
    """Compare credentials with what the server knows about them; True, so that no failure prints them."""
    key = world.sts.keys[values["AWS_ACCESS_KEY_ID"]]
    assert key.role_arn == "arn:aws:iam::123456789012:role/adminrole"
    return (key.secret, key.token) == (values["AWS_SECRET_ACCESS_KEY"], values["AWS_SESSION_TOKEN"])


def snapshot(
    profile: str = "adminrole",
    secret: str = "secret/+=",
    token: str = "token/+==",
    expiration: datetime | None = datetime(2031, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
) -> Snapshot:
    """Make a snapshot by hand."""
    credentials = SessionCredentials("ASIATEST", secret, token, expiration, utc_now(), "123456789012")
    return Snapshot(profile, credentials, REGION, "adminrole", ("absent /config", "absent /credentials"))


printable = st.just("=ls") | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)

fragments = st.sampled_from(
    ["$(touch pwned)", "`touch pwned`", "'", '"', "\\", "!!", "${HOME}", "%s", "~", "\u2019", "#"]
)

names = st.lists(
    fragments | st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8), min_size=1, max_size=6
).map("".join)

snapshots = st.builds(snapshot, profile=names, secret=printable, token=printable)


def refused(world: World, form: str, target: str, *prefix: str) -> str:
    """Run an export that must fail with one error and one hint; give the error's line."""
    done = world.run(*prefix, "awsdirenv", "export", "adminrole", "--format", form, "--output", target)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"awsdirenv: error: [^\n]*\nawsdirenv: hint: [^\n]*\n", done.stderr)
    return done.stderr.splitlines()[0]
