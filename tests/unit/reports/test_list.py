"""`awsdirenv list`: all profiles of AWS's files, for people and for what stands behind a pipe."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from documents import part
from interpreter import imported
from measure import quickest
from sentinels import SENTINELS
from shells import shown
from world import AT_ONCE, BIN, HOSTILE, World, tree

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/x"


def rows(world: World, **env: str) -> list[list[str]]:
    """Give the rows as a program behind a pipe sees them."""
    done = world.run("awsdirenv", "list", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\t") for line in done.stdout.splitlines()]


def entries(world: World, **env: str) -> dict[str, dict[str, Any]]:
    """Give the profiles of the JSON document by their names."""
    done = world.run("awsdirenv", "list", "--json", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads(done.stdout)
    assert list(whole) == ["version", "profiles"]
    assert whole["version"] == 1
    return {entry["profile"]: entry for entry in whole["profiles"]}


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


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"role_arn": ROLE}, "has role_arn but neither source_profile nor credential_source"),
        (
            {"role_arn": ROLE, "source_profile": "nobody"},
            "names a source_profile that does not exist: nobody",
        ),
        ({"role_arn": ROLE, "source_profile": "broken"}, "closes a loop: broken -> broken"),
        ({"include_profile": "broken"}, "include_profile closes a loop: broken -> broken"),
        ({"region": "eu-west-1 # Ireland"}, "has a region that cannot be one: 'eu-west-1 # Ireland'"),
        ({"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}, "has half a key: no aws_secret_access_key"),
        (
            {"sso_session": "none", "sso_account_id": "1", "sso_role_name": "x"},
            "names an sso_session that does not exist: none",
        ),
        ({"role_arn": "", "source_profile": "base"}, "has an empty role_arn"),
        ({"awsdirenv_stage": "x" * 99}, "has an awsdirenv_stage that cannot be one"),
    ],
)
def test_broken_profiles_are_listed(world: World, values: dict[str, str], problem: str) -> None:
    """A profile that no load could use is listed with what is wrong, and the others as ever."""
    world.profile("broken", **values)
    world.role("fine", mfa=False)
    found = entries(world)
    assert found["broken"]["problem"] == problem
    assert found["broken"]["account_id"] == (ACCOUNT if values.get("role_arn") else values.get("sso_account_id"))
    assert found["fine"]["problem"] is None
    assert [row[-1] for row in rows(world)] == ["", problem, ""]
    assert problem in " ".join(shown(world, 200, "list").split())


def test_a_fault_of_the_source(world: World) -> None:
    """What is wrong with a source is said of every profile behind it, and names the source."""
    for name in ("one", "two"):
        world.role(name, mfa=False, source_profile="half")
    world.profile("half", aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    found = entries(world)
    problem = "profile half has half a key: no aws_secret_access_key"
    assert [found[name]["problem"] for name in ("one", "two")] == [problem, problem]


def test_keys_in_another_environment(world: World) -> None:
    """A profile that takes its keys from the environment is not broken where they are not."""
    world.role("machine", mfa=False, source_profile="base")
    world.config.write_text(
        world.config.read_text().replace("source_profile = base", "credential_source = Environment")
    )
    assert entries(world)["machine"]["problem"] is None


def test_names_are_exact(world: World) -> None:
    """What stands in the first column is what a command takes: spaces, quotes, `$(…)`, a leading dash and all."""
    names = ["two words", "$(touch pwned)", "日本", "-dash", "it's", "a;b|c", "*", "%41", "\u202e", "@x"]
    for name in names:
        quoted = name.replace("'", "'\"'\"'")
        world.profile(f"'{quoted}'", credential_process="true")
    found = [row[0] for row in rows(world)]
    assert found == ["base", *names]
    assert list(entries(world)) == found
    script = 'awsdirenv list | cut -f 1 | while IFS= read -r name; do awsdirenv explain --json -- "$name"; done'
    done = world.run("bash", "-c", script)
    assert re.findall(r'^  "profile": (.*),$', done.stdout, re.MULTILINE) == [json.dumps(name) for name in found]
    assert not (world.root / "pwned").exists()


def test_nothing_steers_a_program_or_a_terminal(world: World) -> None:
    """Control characters end no row, reach no terminal, and make a name unusable, which is said."""
    world.role("fine", mfa=False)  # of the same source, which is checked once
    world.profile(f'"a\tb{HOSTILE}"', role_arn=f"arn:aws:iam::{ACCOUNT}:role/{HOSTILE}", source_profile="base")
    world.profile("c", awsdirenv_stage=HOSTILE, source_profile=HOSTILE, role_arn="x")
    found = rows(world)
    assert [len(row) for row in found] == [6, 6, 6, 6]
    assert found[2][0] == "a?b?]0;pwned??2J\u202eé"
    assert found[2][5] == "the profile name has control characters"
    screen = shown(world, 200, "list", NO_COLOR="1")
    assert all(char.isprintable() or char == "\n" for char in screen), screen


def test_the_terminal(world: World) -> None:
    """On a terminal there is a header, aligned and within the width; a narrow one gets blocks, NO_COLOR no colours."""
    world.role("adminrole", mfa=False, awsdirenv_stage="production")
    assert shown(world, 80, "list", NO_COLOR="1") == (
        "profile    account       role       source       stage\n"
        "base       -             -          static       -\n"
        f"adminrole  {ACCOUNT}  adminrole  static base  production\n"
    )
    assert "\x1b[31mproduction\x1b[0m" in shown(world, 80, "list")
    assert shown(world, 30, "list", NO_COLOR="1").endswith(
        f"\n\nprofile: adminrole\naccount: {ACCOUNT}\nrole: adminrole\nsource: static base\nstage: production\n"
    )
    world.profile("p" * 60, role_arn=f"arn:aws:iam::{ACCOUNT}:role/{'r' * 60}", source_profile="s" * 60)
    long = shown(world, 80, "list", NO_COLOR="1").splitlines()
    assert len(long) == 4
    assert max(len(line) for line in long) <= 80


def test_fzf_s_kind_of_use(world: World) -> None:
    """A reader that leaves early is no error, and COLUMNS shortens nothing behind a pipe."""
    world.profile("p" * 60, credential_process="true")
    done = world.run("bash", "-c", 'awsdirenv list | { IFS= read -r line; printf %s "$line"; }', COLUMNS="20")
    assert (done.stdout, done.stderr) == ("base\t\t\tstatic\t\t", "")
    assert rows(world, COLUMNS="20")[1][0] == "p" * 60


def test_no_profiles(tmp_path: Path) -> None:
    """Without any file there is nothing on stdout, and a person is told where it was looked."""
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([BIN / "awsdirenv", "list"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == f"awsdirenv: no profiles in {tmp_path}/.aws/config or {tmp_path}/.aws/credentials\n"


def test_a_file_that_cannot_be_parsed(world: World) -> None:
    """Where a file cannot be parsed at all, that is the error, as for every AWS tool."""
    world.config.write_text("[profile a]\nb = 1\nb = 2\n")
    done = world.run("awsdirenv", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot parse {world.config}, line 3: a key stands twice" in done.stderr


def test_other_files(world: World) -> None:
    """AWS_CONFIG_FILE is honoured; a profile of the credentials file alone is listed behind those of the config."""
    other = world.root / "other"
    other.write_text("[profile elsewhere]\ncredential_process = true\n")
    assert [row[0] for row in rows(world, AWS_CONFIG_FILE=str(other))] == ["elsewhere", "base"]


def test_costs_nobody_anything(world: World) -> None:
    """It calls nobody, runs no program, writes nothing and tells no secret."""
    program = world.program("touch", f"touch {world.root}/ran")
    world.profile("start", credential_process=program, mfa_process=program)
    world.role("one", source_profile="start", mfa_process=program)
    before = tree(world.root)
    for words in ((), ("--json",)):
        done = world.run("awsdirenv", "list", *words)
        assert not any(sentinel in done.stdout for sentinel in SENTINELS)
    assert tree(world.root) == before
    assert world.sts.count("*") == 0
    slow = {"boto3", "botocore.session", "botocore.client", "urllib3", "filelock"}
    assert imported(world, "list") & slow == set()


def test_five_thousand_profiles(world: World) -> None:
    """Five thousand profiles, a tenth of them broken, are listed at once."""
    with world.config.open("a", encoding="utf-8") as file:
        for number in range(5000):
            source = "nobody" if number % 10 == 9 else "base"
            role = f"arn:aws:iam::{ACCOUNT}:role/r{number}"
            file.write(f"[profile p{number}]\nrole_arn = {role}\nsource_profile = {source}\nregion = eu-west-1\n")
    assert quickest(lambda: rows(world)) < AT_ONCE
    found = rows(world)
    assert len(found) == 5001
    assert sum(bool(row[5]) for row in found) == 500
