"""`awsdirenv list`: all profiles of AWS's files, for people and for what stands behind a pipe."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from interpreter import imported
from reports import ACCOUNT, entries, rows
from sentinels import SENTINELS
from shells import shown
from world import BIN, HOSTILE, World, tree

ROLE = f"arn:aws:iam::{ACCOUNT}:role/x"


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
        ({"region": "eu-west-1 # Ireland"}, "has an invalid region: 'eu-west-1 # Ireland'"),
        ({"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}, "has half a key: no aws_secret_access_key"),
        (
            {"sso_session": "none", "sso_account_id": "1", "sso_role_name": "x"},
            "names an sso_session that does not exist: none",
        ),
        ({"role_arn": "", "source_profile": "base"}, "has an empty role_arn"),
        ({"awsdirenv_stage": "x" * 99}, "has an invalid awsdirenv_stage"),
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


def test_names_are_exact(world: World) -> None:
    """What stands in the first column is what a command takes: spaces, quotes, `$(…)`, a leading dash and all."""
    names = ["two words", "$(touch pwned)", "日本", "-dash", "it's", "a;b|c", "*", "%41", "\u202e", "@x"]
    for name in names:
        quoted = name.replace("'", "'\"'\"'")
        world.profile(f"'{quoted}'", credential_process="true")
    found = [row[0] for row in rows(world)]
    assert found == ["base", *names]
    assert list(entries(world)) == found
    script = 'awsdirenv list | cut -f 1 | while IFS= read -r name; do printf "%s\\0" "$name"; done'
    read = world.run("bash", "-c", script).stdout.split("\0")[:-1]
    explained = [json.loads(world.run("awsdirenv", "explain", "--json", "--", name).stdout) for name in read]
    assert [one["profile"] for one in explained] == found
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
