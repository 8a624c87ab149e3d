"""The user and the roles of docs/iam/: what the documents say is typed, and the strict STS admits who it should."""

from __future__ import annotations

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import hcl2
import pytest

from awsdirenv.aws.botocore_session import local_client
from strict_sts import User
from world import BIN, World

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "iam"
DOCUMENT = (ROOT / "docs" / "iam.md").read_text(encoding="utf-8")
ACCOUNT = "123456789012"


def test_cfn_lint_has_nothing_to_say() -> None:
    """The templates are sound by AWS's own linter, and Terraform's file by a parser of its language."""
    templates = sorted(FOLDER.glob("*.yaml"))
    done = subprocess.run([BIN / "cfn-lint", *templates], capture_output=True, text=True, check=False)
    assert (len(templates), done.returncode, done.stdout) == (2, 0, "")
    with (FOLDER / "main.tf").open(encoding="utf-8") as file:
        assert {"variable", "data", "resource"} <= hcl2.load(file).keys()


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_the_document_has_the_files(name: str) -> None:
    """What stands in the document is what stands in the folder."""
    assert f"```ini\n{(FOLDER / name).read_text(encoding='utf-8')}```" in DOCUMENT


def type_the_commands(world: World) -> User:
    """Type the commands of the document as an administrator; give the user that they make, as the STS knows it."""
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) if block.startswith("aws ")]
    script = "".join(blocks).replace("docs/iam/", f"{FOLDER}/")
    keys = {"AWS_ACCESS_KEY_ID": "administrator", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    command = ["bash", "-ec", script]
    env = {**world.env, **keys}
    done = subprocess.run(command, cwd=world.root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r'"(\w+)": "([^"]+)"', done.stdout))
    iam = local_client("iam", world.sts.url)
    for name in ("adminrole", "readrole"):
        world.sts.add_role(name, trust=iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    made = world.sts.add_user("foo", access_key_id=said["AccessKeyId"], secret=said["SecretAccessKey"])
    assert said["SerialNumber"] == made.mfa_serial
    return made


def use(world: World, user: User, *, with_mfa: bool = True) -> None:
    """Have the two files of the document in the home, with a user's key."""
    config = (FOLDER / "config").read_text(encoding="utf-8")
    if not with_mfa:
        config = re.sub(r"^mfa_serial.*\n", "", config, flags=re.MULTILINE)
    world.config.write_text(config.replace(f":{ACCOUNT}:mfa/foo", f":{user.account}:mfa/{user.name}"), encoding="utf-8")
    keys = (FOLDER / "credentials").read_text(encoding="utf-8")
    keys = keys.replace("THE_ACCESS_KEY_ID", user.access_key_id)
    world.credentials.write_text(keys.replace("THE_SECRET_ACCESS_KEY", user.secret_access_key), encoding="utf-8")


def login(world: World, profile: str, user: User) -> Any:
    """Log in with a code of the user's device."""
    code = world.code()
    world.sts.accept_code(user.mfa_serial, code)
    return world.run("awsdirenv", "login", profile, "--token-code", code)


def test_the_user_comes_in_with_a_code_and_nobody_else(world: World) -> None:
    """One code opens both roles; without a code, for another user, and from another account nothing opens."""
    user = type_the_commands(world)
    has_no_other_right(world, user)
    use(world, user)
    done = login(world, "adminrole", user)
    assert done.stderr == "awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1, 1h00m left\n"
    world.run("awsdirenv", "exec", "readrole", "--", "true").check_returncode()
    assert world.sts.count("GetSessionToken") == 1
    use(world, user, with_mfa=False)
    assert "is not authorized to perform: sts:AssumeRole" in world.run("awsdirenv", "login", "adminrole").stderr
    for stranger in (world.sts.add_user("bar"), world.sts.add_user("foo", "210987654321")):
        use(world, stranger)
        said = login(world, "adminrole", stranger).stderr
        assert f"User: {stranger.arn} is not authorized to perform: sts:AssumeRole" in said


def has_no_other_right(world: World, user: User) -> None:
    """Show that the user's only policy has one action, on the roles that were named, and the condition on MFA."""
    iam = local_client("iam", world.sts.url)
    names = iam.list_user_policies(UserName=user.name)["PolicyNames"]
    assert iam.list_attached_user_policies(UserName=user.name)["AttachedPolicies"] == []
    assert iam.list_groups_for_user(UserName=user.name)["Groups"] == []
    documents = [iam.get_user_policy(UserName=user.name, PolicyName=name)["PolicyDocument"] for name in names]
    assert [document["Statement"] for document in documents] == [
        [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("adminrole", "readrole")],
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            }
        ]
    ]


def test_the_profiles_are_those_of_the_roles() -> None:
    """Each profile with a role names one that the templates make by default."""
    config = ConfigParser()
    config.read(FOLDER / "config", encoding="utf-8")
    named = {config[name]["role_arn"].rpartition("/")[2] for name in config.sections() if "role_arn" in config[name]}
    assert named == set(re.findall(r"^    Default: (\w*role)$", (FOLDER / "roles.yaml").read_text(), re.MULTILINE))
