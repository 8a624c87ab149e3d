"""`awsdirenv list`: all profiles of AWS's files, for people and for what stands behind a pipe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from awsdirenv.errors import ConfigError
from awsdirenv.refresh.request import Request, looking
from awsdirenv.reports.explain.report import explain
from awsdirenv.reports.profiles import listed
from corpus import CASES, Case, Refused
from documents import part
from measure import takes_at_most
from reports import ACCOUNT, entries, rows
from world import AT_ONCE, World


def test_every_kind_of_profile(world: World) -> None:
    """Of each kind of profile account, role and source are told as far as the files tell, in the order of the files."""
    role = world.role("adminrole", mfa=False, awsdirenv_stage="production")
    world.profile("behind", role_arn="arn:aws:iam::210987654321:role/a/path/deep", source_profile="adminrole")
    world.sso_session(signed_in=False)
    world.sso_profile("dev", awsdirenv_stage="development")
    world.web_identity_profile("pod")
    world.login_profile("signed")
    world.profile("program", credential_process="true")
    world.profile("machine", role_arn=role, credential_source="Ec2InstanceMetadata")
    world.profile("user", source_profile="base", mfa_serial=world.mfa_serial)
    assert rows(world) == [
        ["base", "", "", "static", "", ""],
        ["adminrole", ACCOUNT, "adminrole", "static base", "production", ""],
        ["behind", "210987654321", "deep", "static base", "", ""],
        ["dev", ACCOUNT, "Developer", "sso", "development", ""],
        ["pod", ACCOUNT, "pod", "web-identity", "", ""],
        ["signed", ACCOUNT, "", "login", "", ""],
        ["program", "", "", "process", "", ""],
        ["machine", ACCOUNT, "adminrole", "instance-metadata", "", ""],
        ["user", ACCOUNT, "", "attached", "", ""],
    ]


def test_json(world: World) -> None:
    """The document has the keys that the reference names, and null for the unknown."""
    arn = world.role("adminrole", awsdirenv_stage="production")
    world.profile("machine", role_arn=arn, credential_source="Environment")
    found = entries(world)
    assert found["adminrole"] == {
        "profile": "adminrole",
        "account_id": ACCOUNT,
        "role_arn": arn,
        "role": "adminrole",
        "source_kind": "static",
        "source_profile": "base",
        "stage": "production",
        "problem": None,
    }
    assert found["machine"]["source_kind"] == "environment"
    assert found["machine"]["source_profile"] is None
    assert found["base"]["account_id"] is None
    named = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", part("List"), re.MULTILINE)))
    assert named == list(found["base"])


def test_an_account_that_was_told(world: World) -> None:
    """The account of a plain user is known once credentials are held; an edit of the files makes it unknown again."""
    world.run("awsdirenv", "load", "base").check_returncode()
    assert entries(world)["base"]["account_id"] == ACCOUNT
    world.profile("other")
    assert entries(world)["base"]["account_id"] is None


def test_a_fault_of_the_source(world: World) -> None:
    """What is wrong with a source is said of every profile behind it, and names the source."""
    for name in ("one", "two"):
        world.role(name, mfa=False, source_profile="half")
    world.profile("half", aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    found = entries(world)
    problem = "profile half has half a key: no aws_secret_access_key"
    assert [found[name]["problem"] for name in ("one", "two")] == [problem, problem]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_list_says_what_explain_says(case: Case, tmp_path: Path) -> None:
    """A profile is sound in the list if `explain` has no error for it; with what a load refuses, it never is."""
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(case.config, encoding="utf-8")
    credentials.write_text(case.credentials, encoding="utf-8")
    places = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    environ = {"HOME": str(tmp_path), **case.environ, **places}
    try:
        found = {entry.profile: entry.problem for entry in listed(environ)}
    except ConfigError:
        assert isinstance(case.expected, Refused)
        return  # the whole list is the error
    for name, problem in found.items():
        error = explain(looking(Request(name), environ)).error
        assert (problem is None) == (error is None), (name, problem, error)
        assert error is None or (problem or "") in error.message
    if isinstance(case.expected, Refused) and case.expected.problem != "profile-not-found":
        assert found[case.profile]


def test_a_source_without_keys(world: World) -> None:
    """A role behind a profile that says nothing about credentials is broken; that profile may have the machine's."""
    world.role("lost", mfa=False, source_profile="plain")
    world.profile("plain", region="eu-west-1")
    found = entries(world)
    assert (found["lost"]["problem"], found["plain"]["problem"]) == ("profile plain has no credentials", None)


def test_a_file_that_cannot_be_parsed(world: World) -> None:
    """Where a file cannot be parsed at all, that is the error, as for every AWS tool."""
    world.config.write_text("[profile a]\nb = 1\nb = 2\n")
    done = world.run("awsdirenv", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot parse {world.config}, line 3: a key is there twice" in done.stderr


def test_other_files(world: World) -> None:
    """AWS_CONFIG_FILE is honoured; a profile of the credentials file alone is listed behind those of the config."""
    other = world.root / "other"
    other.write_text("[profile elsewhere]\ncredential_process = true\n")
    assert [row[0] for row in rows(world, AWS_CONFIG_FILE=str(other))] == ["elsewhere", "base"]


def test_five_thousand_profiles(world: World) -> None:
    """Five thousand profiles, a tenth of them broken, are listed at once."""
    with world.config.open("a", encoding="utf-8") as file:
        for number in range(5000):
            source = "nobody" if number % 10 == 9 else "base"
            role = f"arn:aws:iam::{ACCOUNT}:role/r{number}"
            file.write(f"[profile p{number}]\nrole_arn = {role}\nsource_profile = {source}\nregion = eu-west-1\n")
    found: list[list[str]] = []
    assert takes_at_most(AT_ONCE, lambda: found.extend(rows(world)))
    assert len(found) == 5001
    assert sum(bool(row[5]) for row in found) == 500
