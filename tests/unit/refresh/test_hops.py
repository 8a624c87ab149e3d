"""Errors along a chain: each names the profile that was asked for, the hop where it fails, and the line to change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from world import World

Break = Callable[[World], dict[str, object]]


def _role(world: World) -> str:
    return world.sts.add_role("hop", require_mfa=False)


# What the hop says, and words that the hint must have. The hop is called `hop`, the profile behind it `top`.
BROKEN: dict[str, tuple[Break, str]] = {
    "source is missing": (lambda w: {"role_arn": _role(w), "source_profile": "gone"}, "[profile gone]"),
    "source is not named": (lambda w: {"role_arn": _role(w)}, "source_profile to [profile hop]"),
    "both sources": (
        lambda w: {"role_arn": _role(w), "source_profile": "base", "credential_source": "Environment"},
        "[profile hop]",
    ),
    "unknown credential_source": (lambda w: {"role_arn": _role(w), "credential_source": "Ec2"}, "EcsContainer"),
    "loop": (lambda w: {"role_arn": _role(w), "source_profile": "top"}, "source_profile in [profile hop]"),
    "no credentials": (lambda w: {"region": "eu-west-1"}, "[hop]"),
    "half a key": (lambda w: {"aws_access_key_id": "AKIDTEST"}, "[profile hop]"),
    "program fails": (lambda w: {"credential_process": "false"}, "credential_process"),
    "program is not there": (lambda w: {"credential_process": "/nowhere"}, "credential_process"),
    "token file is not there": (
        lambda w: {"role_arn": _role(w), "web_identity_token_file": "/nowhere"},
        "[profile hop]",
    ),
    "sso is not whole": (lambda w: {"sso_account_id": "1", "sso_role_name": "x"}, "[profile hop]"),
    "sso session is missing": (
        lambda w: {"sso_account_id": "1", "sso_role_name": "x", "sso_session": "gone"},
        "[profile hop]",
    ),
    "duration is out of range": (
        lambda w: {"role_arn": _role(w), "source_profile": "base", "duration_seconds": 60},
        "duration_seconds in [profile hop]",
    ),
    "tags are none": (
        lambda w: {"role_arn": _role(w), "source_profile": "base", "session_tags": "a"},
        "session_tags = Key=Value",
    ),
    "role does not exist": (
        lambda w: {"role_arn": "arn:aws:iam::123456789012:role/none", "source_profile": "base"},
        "role_arn in [profile hop]",
    ),
    "external id is wrong": (
        lambda w: {
            "role_arn": w.sts.add_role("strict", external_id="right"),
            "source_profile": "base",
            "external_id": "wrong",
        },
        "[profile hop]",
    ),
    "device is another's": (
        lambda w: {"role_arn": _role(w), "source_profile": "base", "mfa_serial": "arn:aws:iam::123456789012:mfa/x"},
        "mfa_serial in [profile hop]",
    ),
    "include goes round": (lambda w: {"include_profile": "hop"}, "include_profile in [profile hop]"),
    "no role in this container": (
        lambda w: {"role_arn": _role(w), "credential_source": "EcsContainer"},
        "[profile hop]",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_error_names_the_profile_and_the_hop(world: World, name: str) -> None:
    """Whoever reads it knows what was wanted, where it failed, and what to change."""
    make, hint = BROKEN[name]
    world.profile("hop", **make(world))
    world.profile("top", role_arn=world.sts.add_role("top"), source_profile="hop", region="eu-west-1")
    done = world.run("awsdirenv", "login", "top", "--token-code", "123456")
    assert done.returncode == 1
    error, hinted = done.stderr.splitlines()
    assert error.startswith("awsdirenv: error: ")
    assert " hop" in error
    assert " top" in error
    assert hinted.startswith("awsdirenv: hint: ")
    assert hint in hinted
    assert "SENTINEL" not in done.stderr


def test_a_refused_key_is_named_with_its_profile(world: World) -> None:
    """The key at the bottom is somebody else's trouble than the role at the top."""
    world.role("hop", mfa=False)
    world.profile("top", role_arn=world.sts.add_role("top"), source_profile="hop", region="eu-west-1")
    world.sts.revoke(world.user.access_key_id)
    done = world.run("awsdirenv", "login", "top")
    assert "STS does not take the access key of profile base (InvalidClientTokenId), on the way to top" in done.stderr
    assert "aws_access_key_id and aws_secret_access_key of [base]" in done.stderr
