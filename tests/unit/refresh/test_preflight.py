"""What can be told before a person is asked for a code is told before: no code is spent in vain."""

from __future__ import annotations

import pytest

from awsdirenv.refresh.preflight import profile_wanted
from world import World

ROLE = "arn:aws:iam::123456789012:role/plain"
# A setting of the profile, and what the error has to say of it.
REFUSED = {
    "a comment behind the region": ({"region": "us-east-1 # prod lives here"}, "an invalid region"),
    "a region of two words": ({"region": "eu west 1"}, "an invalid region"),
    "a region that begins with a dash": ({"region": "-eu-west-1"}, "an invalid region"),
    "a user's ARN": ({"role_arn": "arn:aws:iam::123456789012:user/x"}, "role_arn that is not the ARN of a role"),
    "an assumed role's ARN": (
        {"role_arn": "arn:aws:sts::123456789012:assumed-role/x/y"},
        "role_arn that is not the ARN of a role",
    ),
    "an account that is too short": (
        {"role_arn": "arn:aws:iam::1234:role/x"},
        "role_arn that is not the ARN of a role",
    ),
    "a role without a name": (
        {"role_arn": "arn:aws:iam::123456789012:role/"},
        "role_arn that is not the ARN of a role",
    ),
    "a name alone": ({"role_arn": "adminrole"}, "role_arn that is not the ARN of a role"),
    "a role with a space": ({"role_arn": f"{ROLE} x"}, "role_arn that is not the ARN of a role"),
    "a role that ends with a slash": ({"role_arn": f"{ROLE}/"}, "role_arn that is not the ARN of a role"),
    "a role with a name that is too long": (
        {"role_arn": f"{ROLE}{'x' * 60}"},
        "role_arn that is not the ARN of a role",
    ),
    "a partition with a slip": ({"role_arn": ROLE.replace("aws", "aws cn")}, "role_arn that is not the ARN of a role"),
    "a device that is too short": ({"mfa_serial": "x"}, "SerialNumber"),
    "a device with a space": ({"mfa_serial": "arn:aws:iam::123456789012:mfa/a b"}, "SerialNumber"),
    "a device with a comment": ({"mfa_serial": "arn:aws:iam::123456789012:mfa/foo # mine"}, "SerialNumber"),
    "a device that is too long": ({"mfa_serial": "x" * 257}, "SerialNumber"),
    "a tag with braces": ({"session_tags": "a={b}"}, "as Tags"),
    "a tag with a long key": ({"session_tags": f"{'k' * 129}=b"}, "as Tags"),
    "a tag with a long value": ({"session_tags": f"k={'v' * 257}"}, "as Tags"),
    "a tag of AWS's": ({"session_tags": "AWS:x=b"}, "as Tags"),
    "a tag twice": ({"session_tags": "Team=a,team=b"}, "as Tags"),
    "too many tags": ({"session_tags": ",".join(f"k{number}=v" for number in range(51))}, "as Tags"),
    "a transitive tag that is none": ({"session_tags": "a=b", "transitive_session_tags": "c"}, "as TransitiveTagKeys"),
    "a stage that is too long": ({"awsdirenv_stage": "x" * 41}, "an invalid awsdirenv_stage"),
}


# The same, told by botocore's client and its model of STS.
BY_BOTOCORE = {
    "a region of digits": ({"region": "1234"}, "region"),
    "a region that ends with a dash": ({"region": "us-east-1-"}, "region"),
    "services that are not there": ({"services": "nowhere"}, "nowhere"),
    "a mode for account ids of no kind": ({"account_id_endpoint_mode": "maybe"}, "maybe"),
    "defaults of no kind": ({"defaults_mode": "maybe"}, "maybe"),
    "no attempts": ({"max_attempts": "0"}, "max_attempts"),
    "regional endpoints of no kind": ({"sts_regional_endpoints": "sometimes"}, "sometimes"),
    "attempts that are no number": ({"max_attempts": "zero"}, "settings of profile plain"),
    "a session name that is too short": ({"role_session_name": "x"}, "RoleSessionName"),
    "a session name with a space": ({"role_session_name": "a b"}, "RoleSessionName"),
    "an external id that is too short": ({"external_id": "x"}, "ExternalId"),
    "an external id with a semicolon": ({"external_id": "x;y"}, "ExternalId"),
    "a source identity with a colon": ({"source_identity": "x:y"}, "SourceIdentity"),
}


def refusal(world: World, settings: dict[str, str]) -> tuple[str, str]:
    """Give the two lines with which a load fails, with a code at hand that must not be used."""
    world.sts.add_role("plain")
    if "services" in settings:
        del world.env["AWS_ENDPOINT_URL"]  # which wins
    world.profile("plain", **{"role_arn": ROLE, "source_profile": "base", "mfa_serial": world.mfa_serial, **settings})
    done = world.run("awsdirenv", "login", "plain", "--token-code", world.code())
    assert done.returncode == 1, done.stderr
    error, hint = done.stderr.splitlines()
    return error, hint


def refused_alike(world: World, settings: dict[str, str], words: str) -> None:
    """Check that a load fails without a call and without the code, and that `explain` says the same."""
    error, hint = refusal(world, settings)
    assert words in error
    assert "plain" in hint
    assert world.sts.calls == []
    explained = world.run("awsdirenv", "explain", "plain")
    assert (explained.returncode, explained.stderr) == (1, f"{error}\n{hint}\n")


@pytest.mark.parametrize("name", BY_BOTOCORE)
def test_what_botocore_refuses_costs_no_code(world: World, name: str) -> None:
    """The client is made before a person is asked, and the requests to come are held against the model of STS."""
    settings, words = BY_BOTOCORE[name]
    refused_alike(world, settings, words)


@pytest.mark.parametrize("name", REFUSED)
def test_no_code_is_spent_in_vain(world: World, name: str) -> None:
    """What STS would refuse later is refused first, without a call; `explain` says the same."""
    settings, words = REFUSED[name]
    refused_alike(world, settings, words)


def test_the_line_of_a_region_is_named(world: World) -> None:
    """It is the one that has to be changed, and not a line of the source's."""
    _, hint = refusal(world, {"region": "eu-west-1 ; dev"})
    lines = world.config.read_text(encoding="utf-8").splitlines()
    number = 1 + next(n for n, line in enumerate(lines) if "; dev" in line)
    assert hint.endswith(f"set region in [profile plain]: {world.config}:{number}")


@pytest.mark.parametrize("arn", ["arn:aws:iam::123456789012:role/a/path/x+=,.@-_9", "arn:minio:iam:::role/dummy"])
def test_a_role_as_it_may_be_called(world: World, arn: str) -> None:
    """Paths, odd characters, and other makers' roles go to STS."""
    world.profile("plain", role_arn=arn, source_profile="base", region="eu-west-1")
    done = world.run("awsdirenv", "login", "plain")
    assert "is none" not in done.stderr
    assert world.sts.count("AssumeRole") == 1


@pytest.mark.parametrize(
    ("command", "profile"),
    [
        ("awsdirenv credential-process me", "me"),
        ("/opt/bin/awsdirenv credential-process 'my self'", "my self"),
        ("python3 -m awsdirenv credential-process --duration 2h me", "me"),
        ("env awsdirenv credential-process --duration=2h -- -me", "-me"),
        ("awsdirenv credential-process me --duration 1h", "me"),
        ("awsdirenv credential-process", None),
        ("awsdirenv credential-process --", None),
        ("env AWS_CONFIG_FILE=/elsewhere awsdirenv credential-process me", None),
        ("sh -c 'awsdirenv credential-process me'", None),
        ("awsdirenv export me", None),
        ("my-awsdirenv credential-process me", None),
        ("awsdirenv 'credential-process me", None),
        ("", None),
    ],
)
def test_profile_wanted(command: str, profile: str | None) -> None:
    """A command is only taken for one of ours where it plainly is."""
    assert profile_wanted(command) == profile
