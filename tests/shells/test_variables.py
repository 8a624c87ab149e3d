"""The variables that lead to credentials: one table, which the extension and the documents repeat."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from awsdirenv.config.environment import BLOCK, EXPORTED, VARIABLES
from in_process import caller_arn
from world import REGION, World

ROOT = Path(__file__).resolve().parents[2]

THEIRS = sorted(name for name in BLOCK if not name.startswith("AWSDIRENV_"))


def test_the_extension_takes_out_just_these() -> None:
    """A directory takes out what `exec` takes out, and what whoami and doctor speak of: bash's list is the table."""
    text = (ROOT / "direnvrc.d" / "enter.sh").read_text(encoding="utf-8")
    assert sorted(re.findall(r'_ad_block=" (.*) "$', text, re.MULTILINE)[0].split()) == sorted(VARIABLES)


def test_the_reference_names_just_these() -> None:
    """The reference says which variables a directory takes out, each once."""
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = (
        text.partition("### Unsets\n")[2].partition("\nWhen you leave, direnv restores")[0].partition("    ")[2].split()
    )
    assert sorted(listed) == sorted(VARIABLES)


def test_botocore_knows_no_other() -> None:
    """Each variable of botocore's credential providers is in the table, or known to be only a setting."""
    import botocore.credentials  # noqa: PLC0415 - of this test only
    import botocore.utils  # noqa: PLC0415

    source = Path(botocore.credentials.__file__).read_text(encoding="utf-8")
    known = set(re.findall(r"'((?:AWS|BOTO)_[A-Z_]+)'", source))
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in known
    assert known - BLOCK == {"BOTO_CONFIG"}  # a whole file of settings, which gsutil reads, too


@pytest.mark.parametrize("name", THEIRS)
def test_a_login_shell_that_exports_it(world: World, name: str) -> None:
    """Whatever of these a login shell exports, a correct directory has none of it, and whoami finds nothing wrong."""
    world.role("adminrole", mfa=False)
    folder = world.project("adminrole")
    world.hold("adminrole")
    value = REGION if name.endswith("REGION") else "elsewhere"
    changes, said = world.enter(folder, **{name: value})
    assert "awsdirenv: adminrole: account 123456789012, role adminrole, " in said
    inside = {key: text for key, text in {name: value, **changes}.items() if text is not None}
    assert name in EXPORTED or name not in inside
    seen = world.run("awsdirenv", "whoami", cwd=folder, **inside)
    assert (seen.returncode, "verdict: ok: you are adminrole in account 123456789012\n" in seen.stdout) == (0, True)


def keys(world: World) -> dict[str, str]:
    """Export the user's keys."""
    return {"AWS_ACCESS_KEY_ID": world.user.access_key_id, "AWS_SECRET_ACCESS_KEY": world.user.secret_access_key}


def key_file(world: World) -> dict[str, str]:
    """Name a file with the user's keys, as Amazon's first tools had it."""
    path = world.root / "key-file"
    path.write_text(f"AWSAccessKeyId={world.user.access_key_id}\nAWSSecretKey={world.user.secret_access_key}\n")
    return {"AWS_CREDENTIAL_FILE": str(path)}


def profile(world: World) -> dict[str, str]:
    """Name a profile with keys."""
    assert "[base]" in world.credentials.read_text()
    return {"AWS_PROFILE": "base"}


def default_profile(world: World) -> dict[str, str]:
    """Name a profile with keys the other way."""
    return {"AWS_DEFAULT_PROFILE": profile(world)["AWS_PROFILE"]}


def container(world: World) -> dict[str, str]:
    """Be in a container with a role."""
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": world.sts.container.uri}


def instance(world: World) -> dict[str, str]:
    """Be an EC2 instance with a role, or beside a program that plays one."""
    world.sts.imds.attach()
    more = {"AWS_METADATA_SERVICE_TIMEOUT": "1", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1"}
    return {"AWS_EC2_METADATA_DISABLED": "false", **more, "AWS_EC2_METADATA_SERVICE_ENDPOINT": world.sts.imds.endpoint}


def web_identity(world: World) -> dict[str, str]:
    """Have a token of a web identity."""
    arn = world.web_identity_profile("elsewhere")
    token = str(world.root / "elsewhere.token")
    return {"AWS_ROLE_ARN": arn, "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_SESSION_NAME": "me"}


LEADS = (keys, key_file, profile, default_profile, container, instance, web_identity)


def lead(world: World, env: Mapping[str, str]) -> str:
    """Give who botocore's own providers, which are the AWS CLI's, make of an environment; "" for nobody."""
    arn = caller_arn({**world.env, **env}, world.root, None, REGION)
    return arn if arn.startswith("arn:") else ""


@pytest.mark.parametrize("make", LEADS, ids=lambda make: make.__name__)
def test_a_closed_directory_leads_nobody_there(world: World, make: Callable[[World], dict[str, str]]) -> None:
    """Where SDKs come to credentials outside of a directory, they find none in it when it is closed."""
    env = make(world)
    assert lead(world, env).startswith("arn:aws:")
    inside = closed(world, env)
    answered = world.sts.count("GetCallerIdentity", ok=True)
    assert lead(world, inside) == ""
    assert world.sts.count("GetCallerIdentity", ok=True) == answered  # an EC2 instance has its own, which STS refuses


def test_a_closed_directory_leads_the_aws_cli_nobody(world: World) -> None:
    """The AWS CLI says who it is outside, and that it has no credentials inside."""
    env = {**profile(world), "AWS_EC2_METADATA_DISABLED": "true"}
    words = ("aws", "sts", "get-caller-identity", "--region", REGION, "--query", "Arn", "--output", "text")
    assert world.process(*words, cwd=None, **env).stdout.strip() == world.user.arn
    done = world.process(*words, cwd=None, **closed(world, env))
    assert (done.returncode != 0, done.stdout) == (True, "")


def closed(world: World, env: dict[str, str]) -> dict[str, str]:
    """Enter a directory that cannot be opened; give the environment in it."""
    changes, said = world.enter(world.project("missing"), **env)
    assert "awsdirenv: error: " in said
    return {name: text for name, text in {**env, **changes}.items() if text is not None}
