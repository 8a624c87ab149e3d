"""`awsdirenv whoami`: declared, held and actual in every way in which they come to differ, made for real."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.aws.identity import KNOWN, Caller
from awsdirenv.config.environment import BLOCK
from awsdirenv.reports.table import Canvas
from awsdirenv.reports.whoami.report import Declared, Held, Look, Place
from awsdirenv.reports.whoami.report import text as report_text
from interpreter import imported
from network import closed_port, unanswered
from shells import Shell
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import AT_ONCE, BIN, REGION, World

ACCOUNT = "123456789012"
SHAPE = {
    "declared": ["profile", "account_id", "role_arn", "region", "stage"],
    "held": ["profile", "access_key_id", "account_id", "region", "expiration"],
    "actual": ["arn", "account_id", "user_id"],
}


PROFILES = ("adminrole", "other", "far")  # each with a project of its name


class Seen:
    """What whoami has said, for programs and for people."""

    def __init__(self, world: World, cwd: Path, env: Mapping[str, str]) -> None:
        done = world.run("awsdirenv", "whoami", "--json", cwd=cwd, **env)
        text = world.run("awsdirenv", "whoami", cwd=cwd, **env)
        self.check(done, text)
        whole: dict[str, Any] = json.loads(done.stdout)
        self.text = text.stdout
        self.declared, self.held, self.actual = whole["declared"], whole["held"], whole["actual"]
        self.verdict: str = whole["verdict"]
        self.problems: dict[str, dict[str, str]] = {one["kind"]: one for one in whole["problems"]}
        self.kinds = [one["kind"] for one in whole["problems"]]

    @staticmethod
    def check(done: subprocess.CompletedProcess[str], text: subprocess.CompletedProcess[str]) -> None:
        """Hold it to the schema, and to what holds for all."""
        whole = json.loads(done.stdout)
        assert list(whole) == ["version", "declared", "held", "actual", "verdict", "problems"]
        assert whole["version"] == 1
        assert {name: list(whole[name]) for name in SHAPE} == SHAPE
        assert all(list(one) == ["kind", "message", "hint"] for one in whole["problems"])
        assert (done.returncode, text.returncode) == ((0, 0) if whole["verdict"] == "ok" else (1, 1))
        assert (whole["verdict"] == "ok") == (whole["problems"] == [])
        assert f"verdict: {whole['verdict']}: " in text.stdout
        for one in whole["problems"]:
            assert f"- {one['kind']}: " in text.stdout
            assert one["message"] == one["message"].rstrip(".") != ""
            assert one["hint"]
        said = done.stdout + done.stderr + text.stdout + text.stderr
        assert SECRET_PREFIX not in said
        assert TOKEN_PREFIX not in said
        assert "Traceback" not in said


def whoami(world: World, cwd: Path, **env: str) -> Seen:
    """Look around."""
    return Seen(world, cwd, env)


def inside(world: World, folder: Path, **env: str) -> dict[str, str]:
    """Give what a shell in that folder has in its environment besides."""
    if folder.name in PROFILES:
        world.hold(folder.name)
    changes, _ = world.enter(folder, **env)
    return {**env, **{name: value for name, value in changes.items() if value is not None}}


@pytest.fixture
def home(world: World) -> World:
    """Have two roles, each with a project, and another account's."""
    for name in ("adminrole", "other"):
        world.role(name, mfa=False)
        world.project(name)
    arn = world.sts.add_role("far", account="210987654321")
    world.profile("far", role_arn=arn, source_profile="base", region="us-west-2")
    world.project("far")
    return world


# All is well


def test_all_is_well(home: World) -> None:
    """In an open directory the three agree; STS is asked once, with the environment's own keys."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.sts.reset()
    seen = whoami(home, folder, **env)
    assert seen.verdict == "ok"
    assert seen.declared == {
        "profile": "adminrole",
        "account_id": ACCOUNT,
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/adminrole",
        "region": REGION,
        "stage": None,
    }
    expiration = datetime.fromisoformat(env["AWS_CREDENTIAL_EXPIRATION"]).astimezone(timezone.utc)
    assert seen.held == {
        "profile": "adminrole",
        "access_key_id": env["AWS_ACCESS_KEY_ID"],
        "account_id": ACCOUNT,
        "region": REGION,
        "expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert seen.actual["arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/adminrole/")
    assert seen.actual["account_id"] == ACCOUNT
    assert seen.actual["user_id"].startswith("AROA")
    assert [(call.action, call.access_key_id) for call in home.sts.calls] == [
        ("GetCallerIdentity", env["AWS_ACCESS_KEY_ID"])
    ] * 2
    assert "verdict: ok: you are adminrole in account 123456789012\n" in seen.text


def test_a_folder_below(home: World) -> None:
    """Below the folder of the `.envrc`, and by another name of it, it is the same place."""
    folder = home.root / "adminrole"
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    env = inside(home, folder)
    assert whoami(home, below, **env).verdict == "ok"
    (home.root / "link").symlink_to(folder)
    assert whoami(home, home.root / "link" / "a", **env, PWD=f"{home.root}/link/a").verdict == "ok"


def test_no_directory_of_ours(home: World) -> None:
    """Where nothing is declared, the environment's own keys are as good as any."""
    key = home.user
    env = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
    seen = whoami(home, home.root, **env)
    assert seen.verdict == "ok"
    assert set(seen.declared.values()) == {None}
    assert seen.actual["arn"] == key.arn
    assert "you are foo in account" in seen.text


def test_identity_center(home: World) -> None:
    """A role of Identity Center is known by the name that people gave it, and its account by the profile."""
    home.sso_session()
    home.sso_profile("dev")
    folder = home.project("dev")
    home.hold("dev")
    seen = whoami(home, folder, **inside(home, folder))
    assert (seen.verdict, seen.declared["account_id"], seen.declared["role_arn"]) == ("ok", ACCOUNT, None)
    assert re.search(r"^role +Developer +- +Developer +yes$", seen.text, re.MULTILINE)


def test_long_term_keys(home: World) -> None:
    """With --no-session the keys are the profile's own, and that is well."""
    folder = home.project("keys", "use aws_profile base --no-session\n")
    seen = whoami(home, folder, **inside(home, folder))
    assert (seen.verdict, seen.held["profile"]) == ("ok", "base")


def test_options_of_the_line(home: World) -> None:
    """Region, duration and stage of the line are what is declared."""
    folder = home.project("line", "use aws_profile adminrole --region us-east-2 --duration 30m\n")
    home.run("awsdirenv", "load", "--duration", "30m", "adminrole").check_returncode()
    seen = whoami(home, folder, **inside(home, folder))
    assert (seen.verdict, seen.declared["region"], seen.held["region"]) == ("ok", "us-east-2", "us-east-2")
    home.profile("staged", source_profile="base", role_arn=f"arn:aws:iam::{ACCOUNT}:role/other", awsdirenv_stage="test")
    folder = home.project("staged")
    home.hold("staged")
    assert whoami(home, folder, **inside(home, folder)).declared["stage"] == "test"


@pytest.mark.parametrize(
    "line", ["use_aws_profile far", "has ls && use aws_profile far", "if has ls; then use aws_profile far; fi"]
)
def test_other_ways_to_write_the_line(home: World, line: str) -> None:
    """However `.envrc` comes to call us, whoami and doctor know what it declares, before it is loaded and after."""
    home.hold("far")
    folder = home.project("way", f"{line}\n")
    seen = whoami(home, folder)
    assert (seen.declared["profile"], seen.kinds[0]) == ("far", "not-loaded")
    seen = whoami(home, folder, **inside(home, folder))
    assert (seen.verdict, seen.declared["profile"]) == ("ok", "far")
    (folder / ".envrc").write_text(f"use aws_profile adminrole\n{line.replace('far', 'gone')}\n")
    done = home.run("awsdirenv", "doctor", "--offline", cwd=folder)
    assert "gone" in done.stdout + done.stderr


def test_hostile_names(home: World) -> None:
    """Names with spaces, quotes, commands or a leading hyphen are names."""
    profiles = ["a b's", "$(touch pwned)", "é", "-x", 'd"q']
    for profile in profiles:
        quoted = profile.replace("\\", "\\\\").replace('"', '\\"')
        home.profile(f'"{quoted}"', role_arn=f"arn:aws:iam::{ACCOUNT}:role/other", source_profile="base", region=REGION)
    for number, profile in enumerate(profiles):
        folder = home.root / f"hostile{number}"
        folder.mkdir()
        home.run("awsdirenv", "init", "--", profile, cwd=folder).check_returncode()
        seen = whoami(home, folder)
        assert (seen.verdict, seen.kinds[0], seen.declared["profile"]) == ("none", "not-loaded", profile)
        home.hold(profile)
        seen = whoami(home, folder, **inside(home, folder))
        assert (seen.verdict, seen.declared["profile"]) == ("ok", profile)
    assert not list(home.root.rglob("pwned"))


def test_a_live_directory(home: World) -> None:
    """In a live directory there are no keys: SDKs come to them by the profile, and so do we."""
    folder = home.project("live", "use aws_profile adminrole --live\n")
    home.run("awsdirenv", "load", "--live", "adminrole").check_returncode()
    env = inside(home, folder)
    assert "AWS_ACCESS_KEY_ID" not in env
    seen = whoami(home, folder, **env)
    assert (seen.verdict, seen.kinds) == ("ok", [])
    assert seen.held["profile"] == seen.declared["profile"] == "adminrole"
    assert seen.declared["role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/adminrole"
    assert seen.actual["arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/adminrole/")
    home.hold("far")  # or its credential_process takes a while, and at times too long for a look
    seen = whoami(home, folder, **{**env, "AWS_PROFILE": "far"})
    assert (seen.verdict, seen.actual["account_id"]) == ("mismatch", "210987654321")


# What differs


def test_aws_profile_beside_keys(home: World) -> None:
    """AWS_PROFILE beside keys is said, though STS still says what is declared."""
    folder = home.root / "adminrole"
    seen = whoami(home, folder, **inside(home, folder), AWS_PROFILE="other")
    assert seen.verdict == "mismatch"
    assert seen.kinds == ["profile-beside-keys", "override"]
    assert seen.problems["profile-beside-keys"] == {
        "kind": "profile-beside-keys",
        "message": "AWS_PROFILE is other, and keys are set, too: some SDKs use the profile, some the keys",
        "hint": "unset AWS_PROFILE; in fish: set -e AWS_PROFILE",
    }
    assert seen.actual["account_id"] == ACCOUNT
    assert re.search(r"^profile +adminrole +other +.*differs$", seen.text, re.MULTILINE)
    seen = whoami(home, home.root, **inside(home, folder), AWS_DEFAULT_PROFILE="other")
    assert (
        seen.problems["profile-beside-keys"]["hint"] == "unset AWS_DEFAULT_PROFILE; in fish: set -e AWS_DEFAULT_PROFILE"
    )


BELOW_OUR_LINE = {
    "a profile": ("export AWS_PROFILE=far", "", "profile-beside-keys", "AWS_PROFILE"),
    "a profile in a .env": ("dotenv", "AWS_PROFILE=far", "profile-beside-keys", "AWS_PROFILE"),
    "two keys": ("dotenv", "AWS_ACCESS_KEY_ID=AKIAX\nAWS_SECRET_ACCESS_KEY=x", "other-keys", "AWS_ACCESS_KEY_ID"),
    "three": (
        "dotenv",
        "AWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=x\nAWS_SESSION_TOKEN=x",
        "other-keys",
        "AWS_ACCESS_KEY_ID",
    ),
    "a secret": ("dotenv", "AWS_SECRET_ACCESS_KEY=x", "other-keys", "AWS_SECRET_ACCESS_KEY"),
    "a token": ("dotenv", "AWS_SESSION_TOKEN=x", "other-keys", "AWS_SESSION_TOKEN"),
    "no token": ("unset AWS_SESSION_TOKEN", "", "other-keys", ""),
}


@pytest.mark.parametrize("where", ["", "/below"])
@pytest.mark.parametrize("case", BELOW_OUR_LINE)
def test_what_stands_below_our_line(home: World, case: str, where: str) -> None:
    """What an `.envrc` sets after our line, itself or in a folder below, is a mismatch, and the hint names the line."""
    line, dotenv, kind, name = BELOW_OUR_LINE[case]
    first = "source_up" if where else "use aws_profile adminrole"
    home.project("both", "use aws_profile adminrole\n")
    folder = home.project(f"both{where}", f"{first}\n{line}\n")
    if dotenv:
        (folder / ".env").write_text(dotenv + "\n")
    seen = whoami(home, folder, **inside(home, folder))
    assert seen.verdict == "mismatch"
    assert "stale" not in seen.kinds
    hint = seen.problems[kind]["hint"]
    assert hint == (
        f"remove the line of .envrc that sets {name}, such as dotenv; "
        "for another profile: awsdirenv exec, or --live in .envrc"
        if name
        else "direnv reload"
    )
    assert "reload" not in hint or not name


def test_two_regions(home: World) -> None:
    """Two regions that differ are said, also where the `.envrc` itself has set one of them after ours."""
    set_by = home.project("adminrole", "use aws_profile adminrole\nexport AWS_DEFAULT_REGION=us-west-2\n")
    for folder, env, hint in (
        (set_by, inside(home, set_by), "remove the line of .envrc that sets one of them"),
        (home.root, {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": "us-west-2"}, "unset AWS_DEFAULT_REGION; in fish: "),
    ):
        seen = whoami(home, folder, **env)
        assert "regions" in seen.kinds
        assert seen.problems["regions"]["message"] == (
            "AWS_REGION is eu-west-1 and AWS_DEFAULT_REGION is us-west-2: some programs use the first, some the second"
        )
        assert seen.problems["regions"]["hint"].startswith(hint)
    assert whoami(home, set_by, **inside(home, set_by)).verdict == "mismatch"
    mended = home.project("adminrole", "use aws_profile adminrole --region us-west-2\n")
    assert whoami(home, mended, **inside(home, mended)).verdict == "ok"


def test_a_profile_that_is_not_there(home: World) -> None:
    """An AWS_PROFILE that names nothing stops every SDK: it is named as the trouble."""
    folder = home.root / "adminrole"
    seen = whoami(home, folder, **inside(home, folder), AWS_PROFILE="gone")
    assert seen.verdict == "mismatch"
    assert seen.problems["profile-not-found"]["message"] == "AWS_PROFILE names a profile that does not exist: gone"


@pytest.mark.parametrize(("name", "kind"), [("other", "other-role"), ("far", "other-account")])
def test_keys_of_another_place(home: World, name: str, kind: str) -> None:
    """Keys of another profile are known by its snapshot, and by what STS says of them."""
    folder = home.root / "adminrole"
    env, theirs = inside(home, folder), inside(home, home.root / name)
    mixed = {**env, **{key: theirs[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}}
    seen = whoami(home, folder, **mixed)
    assert seen.verdict == "mismatch"
    assert {"override", "other-keys", kind} <= set(seen.kinds)
    assert (
        seen.problems["other-keys"]["message"] == f"the keys are of profile {name}, but this directory is for adminrole"
    )
    assert seen.held["profile"] == name
    assert re.search(rf"^profile +adminrole +{name} +- +differs$", seen.text, re.MULTILINE)
    message = seen.problems[kind]["message"]
    if kind == "other-account":
        assert message == "AWS says account 210987654321, and profile adminrole is for 123456789012"
        assert re.search(r"^account +123456789012 +123456789012 +210987654321 +differs$", seen.text, re.MULTILINE)
    else:
        assert message == "AWS says role other, and profile adminrole is for role adminrole"


def test_an_export_that_was_typed_here(home: World) -> None:
    """`eval "$(awsdirenv export far)"` changes what is held, and not what the place is for."""
    folder = home.root / "adminrole"
    env, theirs = inside(home, folder), inside(home, home.root / "far")
    typed = {name: value for name, value in theirs.items() if name.startswith("AWS") and name != "AWSDIRENV_LOADED"}
    seen = whoami(home, folder, **{**env, **typed})
    assert seen.declared["profile"] == "adminrole"
    assert seen.verdict == "mismatch"
    assert {"override", "other-keys", "other-account"} <= set(seen.kinds)


def test_keys_of_nobody_we_know(home: World) -> None:
    """The user's own keys in the place of the role's are not ours, and STS says whose they are."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    del env["AWS_SESSION_TOKEN"]
    key = home.user
    env |= {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
    seen = whoami(home, folder, **env)
    assert seen.verdict == "mismatch"
    assert seen.problems["other-keys"]["message"] == "the keys are not ours, but this directory is for adminrole"
    assert seen.held["profile"] is None
    assert seen.problems["other-role"]["message"] == f"AWS says {key.arn}, and profile adminrole is for role adminrole"


def test_an_rc_file_that_overrides(home: World) -> None:
    """A shell in a shell whose start-up file sets AWS_PROFILE: direnv thinks all is loaded, and whoami does not."""
    folder = home.root / "adminrole"
    (home.home / ".bashrc").write_text("export AWS_PROFILE=other AWS_REGION=us-east-1\n")
    home.hold("adminrole")
    with Shell(home, "bash") as shell:
        shell.run(f"cd {folder}")
        said = shell.run("bash -ic 'awsdirenv whoami; echo status=$?'")
    assert "status=1" in said
    assert "- override: AWS_PROFILE and AWS_REGION are not as direnv set them: a start-up file" in said
    assert said.count("override") == 1
    assert re.search(r"region +eu-west-1 +us-east-1 +- +differs|region +eu-west-1 +us-east-1 +differs", said)


def test_a_variable_that_is_gone(home: World) -> None:
    """What somebody has unset since is missed."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    del env["AWS_SESSION_TOKEN"]
    seen = whoami(home, folder, **env)
    assert seen.problems["override"]["message"] == "AWS_SESSION_TOKEN was unset after direnv had set it"
    assert seen.verdict == "mismatch"
    del env["AWS_SECRET_ACCESS_KEY"], env["AWS_REGION"]
    said = whoami(home, folder, **env).problems["override"]["message"]
    assert said == "AWS_REGION, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN were unset after direnv had set them"


# AWS's own variables, with which a live directory leads programs to us; they are not in the table of what we take out.
LEADING = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED")


@pytest.mark.parametrize("options", ["", " --live"])
def test_whatever_was_changed_by_hand_is_said(home: World, options: str) -> None:
    """Each variable that a directory exports, with another value or unset: a problem names it."""
    folder = home.project("changed", f"use aws_profile adminrole --stage production{options}\n")
    home.hold("adminrole")
    env = inside(home, folder)
    assert whoami(home, folder, **env).verdict == "ok"
    values = {"AWS_CONFIG_FILE": str(home.config), "AWS_SHARED_CREDENTIALS_FILE": str(home.credentials)}
    names = {name for name in env if name in BLOCK or (options and name in LEADING)}
    names -= {"AWSDIRENV_LOADED"}  # it says which directory's they are: without it they are just keys
    assert {"AWSDIRENV_PROFILE", "AWSDIRENV_STAGE"} < names
    for name in sorted(names):
        for changed in ({**env, name: values.get(name, "other")}, {key: env[key] for key in env if key != name}):
            seen = whoami(home, folder, **changed)
            assert seen.verdict != "ok", (name, changed.get(name))
            assert name in str(seen.problems), (name, seen.problems)


def test_a_fish_universal(home: World) -> None:
    """What shows in a closed directory because fish has it as a universal variable is called that."""
    token = "odd: \\ 'value' é $x"
    fish = ["fish", "-c", "set -Ux AWS_SESSION_TOKEN $argv[1]; set -U AWS_PROFILE unexported", token]
    home.run(*fish).check_returncode()
    assert (home.home / ".config/fish/fish_variables").exists()
    home.profile("broken", role_arn=f"arn:aws:iam::{ACCOUNT}:role/gone", source_profile="base")
    folder = home.project("broken")
    script = f"cd {folder}; direnv export fish 2>/dev/null | source; awsdirenv whoami --json"
    whole = json.loads(home.run("fish", "-c", script).stdout)
    problems = {one["kind"]: one for one in whole["problems"]}
    assert problems["fish-universal"] == {
        "kind": "fish-universal",
        "message": "AWS_SESSION_TOKEN is a universal variable of fish, which direnv cannot unset",
        "hint": "in fish: set -eU AWS_SESSION_TOKEN",
    }
    assert "override" not in problems
    assert whole["verdict"] != "ok"
    # Outside of it the variable is the person's own business, and so it is where it is not to be seen.
    assert "fish-universal" not in whoami(home, home.root).kinds
    folder = home.root / "adminrole"
    assert whoami(home, folder, **inside(home, folder)).verdict == "ok"


def test_a_shell_that_was_left_behind(home: World) -> None:
    """A shell without the hook, gone elsewhere, still has the directory's keys; there is nothing declared there."""
    home.hold("adminrole")
    with Shell(home, "bash") as shell:
        shell.run(f"cd {home.root}/adminrole")
        alone = shell.run(f"bash --norc -c 'cd {home.root} && awsdirenv whoami --json > {home.root}/1'")
        elsewhere = shell.run(f"bash --norc -c 'cd {home.root}/far && awsdirenv whoami --json > {home.root}/2'")
    assert "rror" not in alone + elsewhere
    first, second = (json.loads((home.root / name).read_text()) for name in ("1", "2"))
    for whole in (first, second):
        assert whole["verdict"] == "mismatch"
        assert whole["problems"][0]["kind"] == "stale"
        assert f"this shell still has the variables of {home.root}/adminrole" in whole["problems"][0]["message"]
    assert first["declared"]["profile"] is None
    assert second["declared"]["account_id"] == "210987654321"
    assert {one["kind"] for one in second["problems"]} == {"stale", "other-keys", "other-account", "other-role"}


def test_a_directory_within(home: World) -> None:
    """Another `.envrc` of ours between here and the one that was loaded counts, and was not loaded."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    below = folder / "far" / "deep"
    below.mkdir(parents=True)
    (below.parent / ".envrc").write_text("use aws_profile far\n")
    loaded = (folder / ".envrc").stat().st_mtime
    os.utime(below.parent / ".envrc", (loaded, loaded))
    seen = whoami(home, below, **env)
    assert (seen.verdict, seen.kinds[0], seen.declared["profile"]) == ("mismatch", "stale", "far")
    assert seen.problems["stale"]["message"].startswith(f"this shell still has the variables of {folder}")


def test_keys_that_were_renewed_since(home: World) -> None:
    """A shell that has not looked since the last renewal is told so, though its keys still hold."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.sts.life_override = 1800  # another end, as any renewal has that is not of the same second
    home.run("awsdirenv", "login", "adminrole", "--force").check_returncode()
    seen = whoami(home, folder, **env)
    assert (seen.verdict, seen.kinds, seen.held["profile"]) == ("mismatch", ["stale"], "adminrole")
    assert seen.problems["stale"]["message"] == "this shell has the keys from before the last renewal"


def test_an_envrc_that_was_edited(home: World) -> None:
    """What the `.envrc` says now counts, where the shell has not loaded it again."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    time.sleep(1.1)  # direnv's times are whole seconds
    (folder / ".envrc").write_text("use aws_profile far\n")
    seen = whoami(home, folder, **env)
    assert seen.declared["profile"] == "far"
    assert seen.problems["stale"]["message"] == "the .envrc has changed since this shell loaded it for adminrole"
    assert "other-account" in seen.kinds


def test_an_envrc_that_is_gone(home: World) -> None:
    """Nothing declares any more what this shell still has; below it, and with another `.envrc` above, the same."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    (folder / "below").mkdir()
    (folder / ".envrc").unlink()
    for above in (None, "use aws_profile adminrole\n"):
        if above:
            (home.root / ".envrc").write_text(above)
        for place in (folder, folder / "below"):
            seen = whoami(home, place, **env)
            assert (seen.verdict, seen.kinds) == ("mismatch", ["stale"])
            said = seen.problems["stale"]["message"]
            assert said == f"{folder / '.envrc'} no longer exists, and this shell still has its variables"


# Nothing there


@pytest.mark.parametrize("has_default", [False, True])
def test_a_closed_directory(home: World, *, has_default: bool) -> None:
    """A closed directory has no keys, and those of [default] are not found either."""
    if has_default:
        key = home.user
        with home.credentials.open("a") as file:
            file.write(
                f"[default]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret_access_key}\n"
            )
    home.role("coded")
    folder = home.project("coded")
    seen = whoami(home, folder, **inside(home, folder))
    assert seen.declared["profile"] == "coded"
    assert seen.held["access_key_id"] is None
    assert seen.problems["closed"] == {
        "kind": "closed",
        "message": f"{folder} is closed: there are no credentials for profile coded",
        "hint": "awsdirenv login coded",
    }
    assert seen.held["profile"] is None
    assert (seen.verdict, seen.kinds) == ("none", ["closed", "none"])


def test_a_directory_that_a_wrong_line_closes(home: World) -> None:
    """Where the line cannot be read nothing is declared, and the report says that the directory is closed."""
    folder = home.project("wrong", "use aws_profile --nonsense\n")
    seen = whoami(home, folder, **inside(home, folder))
    assert (seen.verdict, seen.kinds) == ("none", ["closed", "none"])
    assert seen.problems["closed"]["message"] == f"{folder} is closed"
    assert seen.problems["closed"]["hint"] == "direnv reload, which says why"


@pytest.mark.parametrize(
    ("pin", "message"),
    [
        ("--account 999999999999", "leads to account 123456789012, but .envrc wants account 999999999999"),
        ("--role other", "leads to role adminrole, but .envrc wants role other"),
    ],
)
@pytest.mark.parametrize("profile", ["adminrole", "base"])
def test_a_directory_that_a_pin_closes(home: World, pin: str, message: str, profile: str) -> None:
    """The pin is named, and no hint signs in to the account that it is there to keep out."""
    folder = home.project("pinned", f"use aws_profile {profile} {pin}\n")
    seen = whoami(home, folder, **inside(home, folder))
    said = f"profile {profile} {message if profile == 'adminrole' else message.replace('role adminrole', 'no role')}"
    assert seen.problems["closed"] == {
        "kind": "closed",
        "message": f"{folder} is closed: {said}",
        "hint": f"correct [profile {profile}], or the line in .envrc",
    }
    assert not any("login" in problem["hint"] for problem in seen.problems.values())


def test_a_directory_that_nobody_has_confirmed(home: World) -> None:
    """There are credentials, and none is missing: `direnv reload` is what asks again."""
    folder = home.project("asking", "use aws_profile adminrole --confirm\n")
    seen = whoami(home, folder, **inside(home, folder))
    assert seen.problems["closed"] == {
        "kind": "closed",
        "message": f"{folder} is closed, and there are credentials for profile adminrole",
        "hint": "direnv reload, which says why",
    }
    assert seen.problems["none"]["hint"] == "direnv reload"


def test_not_loaded(home: World) -> None:
    """Where direnv has loaded nothing, the `.envrc` is read as text, and never run."""
    folder = home.root / "adminrole"
    (folder / ".envrc").write_text(f"touch {home.root}/pwned\nuse aws_profile far --region us-east-2 --stage 'a b'\n")
    seen = whoami(home, folder)
    assert (seen.verdict, seen.kinds) == ("none", ["not-loaded", "none"])
    assert seen.declared == {
        "profile": "far",
        "account_id": "210987654321",
        "role_arn": "arn:aws:iam::210987654321:role/far",
        "region": "us-east-2",
        "stage": "a b",
    }
    (folder / ".envrc").write_text(f'use aws_profile "$(touch {home.root}/pwned)"\n')
    seen = whoami(home, folder)
    assert seen.declared["profile"] is None
    assert not (home.root / "pwned").exists()
    (folder / ".envrc").write_text("use aws_profile\n")
    (folder / ".env").write_text("AWS_PROFILE=other\n")
    assert whoami(home, folder).declared["profile"] == "other"


def test_broken_files(home: World) -> None:
    """A profile that is gone, and files that cannot be parsed, are problems among others."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    (folder / ".envrc").write_text("use aws_profile gone\n")
    assert whoami(home, folder).kinds[0] == "profile-not-found"
    home.config.write_text("[profile adminrole\nx")
    seen = whoami(home, folder, **env)
    assert seen.kinds[0] == "config"
    assert seen.verdict == "mismatch"
    assert seen.held["access_key_id"] == env["AWS_ACCESS_KEY_ID"]


# The end


@pytest.mark.parametrize("who", ["clock", "AWS"])
def test_expired(home: World, who: str) -> None:
    """Credentials are over by their own time, or because AWS says so."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.sts.expire(env["AWS_ACCESS_KEY_ID"])
    if who == "clock":
        end = datetime.now(timezone.utc) - timedelta(minutes=90)
        env["AWS_CREDENTIAL_EXPIRATION"] = end.isoformat()
        env["AWS_ENDPOINT_URL"] = closed_port()
    seen = whoami(home, folder, **env)
    assert seen.verdict == "expired"
    problem = seen.problems["expired"]
    # By AWS they are over and what is stored still holds: without --force, `login` would keep it.
    assert problem["hint"] == f"awsdirenv login {'--force ' if who == 'AWS' else ''}adminrole"
    assert (
        problem["message"]
        == {
            "clock": "the credentials ended 1h30m ago",
            "AWS": "AWS says that the credentials have expired (ExpiredToken)",
        }[who]
    )


def follow(world: World, hint: str, folder: Path) -> dict[str, str]:
    """Type the command of a hint, and give what a shell in that folder has then."""
    command, *words = shlex.split(hint)
    if command == "awsdirenv":
        world.run(command, *words, cwd=folder).check_returncode()
    changes, _ = world.enter(folder)
    return {name: value for name, value in changes.items() if value is not None}


LINES = {
    "a role": "adminrole",
    "a role for a while": "adminrole --duration 30m",
    "a user": "base",
    "live": "adminrole --live",
}


@pytest.mark.parametrize("end", ["expired", "revoked"])
@pytest.mark.parametrize("line", LINES)
def test_what_aws_refuses_in_date(home: World, line: str, end: str) -> None:
    """Where credentials still hold by their own time, `login` alone would keep them: the hint renews them."""
    folder = home.project("place", f"use aws_profile {LINES[line]}\n")
    changes, _ = home.enter(folder)
    env = {name: value for name, value in changes.items() if value is not None}
    for key, held in list(home.sts.keys.items()):
        if held.token:
            (home.sts.expire if end == "expired" else home.sts.revoke)(key)
    seen = whoami(home, folder, **env)
    assert seen.verdict == ("expired" if end == "expired" else "mismatch")
    assert seen.kinds == ["expired" if end == "expired" else "session-refused"]
    (problem,) = seen.problems.values()
    assert problem["hint"].startswith("awsdirenv login --force ")
    assert whoami(home, folder, **follow(home, problem["hint"], folder)).verdict == "ok"


def test_an_older_renewed_key_that_has_ended(home: World) -> None:
    """Where newer credentials are stored already, the shell only has to take them."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.run("awsdirenv", "login", "--force", "adminrole").check_returncode()
    home.sts.expire(env["AWS_ACCESS_KEY_ID"])
    problem = whoami(home, folder, **env).problems["expired"]
    assert problem["hint"] == "direnv reload"
    assert whoami(home, folder, **follow(home, problem["hint"], folder)).verdict == "ok"


def test_long_term_keys_that_aws_refuses(home: World) -> None:
    """Keys that are nobody's any more are to be corrected where they stand; keys of nobody's we know, taken out."""
    folder = home.project("base", "use aws_profile base --no-session\n")
    env = inside(home, folder)
    home.sts.revoke(env["AWS_ACCESS_KEY_ID"])
    hint = whoami(home, folder, **env).problems["session-refused"]["hint"]
    assert hint == f"check aws_access_key_id and aws_secret_access_key of [base] of {home.credentials}"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    hint = whoami(home, home.root, **{name: env[name] for name in names}).problems["session-refused"]["hint"]
    assert hint.startswith("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")
    hint = whoami(home, home.root, AWS_PROFILE="base").problems["session-refused"]["hint"]
    assert hint == f"get new credentials for [base] of {home.credentials} from their source"


def test_a_sign_in_that_is_over(home: World) -> None:
    """Outside of our directories, too, a sign-in that is over is what it is called; one that never was is not over."""
    home.sso_session(signed_in=False)
    home.sso_profile("dev")
    seen = whoami(home, home.root, AWS_PROFILE="dev")
    assert (seen.verdict, seen.kinds) == ("none", ["none"])
    assert seen.problems["none"]["message"] == "the credentials of this environment: nobody has signed in"
    home.sso_sign_in(life=-60)
    home.sts.sso.sign_out()
    seen = whoami(home, home.root, AWS_PROFILE="dev")
    assert (seen.verdict, seen.kinds) == ("expired", ["expired"])
    assert seen.problems["expired"]["message"] == "the credentials of this environment: the sign-in has ended"


def test_a_sign_in_of_aws_login(home: World) -> None:
    """Credentials that `aws login` gave are renewed as an SDK would, with AWS's native library."""
    home.login_profile("me", life=60)
    done = home.process("awsdirenv", "whoami", "--json", AWS_PROFILE="me")
    whole = json.loads(done.stdout)
    assert (whole["verdict"], whole["actual"]["arn"]) == ("ok", home.user.arn), done.stdout


# No network


@pytest.mark.parametrize("kind", ["closed", "silent", "portal"])
def test_offline(home: World, kind: str) -> None:
    """Without AWS it says so, quickly, and shows the rest."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    if kind == "portal":
        home.sts.add_fault("GetCallerIdentity", "html", times=None)
    with unanswered() as nobody:
        env |= {"closed": {"AWS_ENDPOINT_URL_STS": closed_port()}, "silent": {"AWS_ENDPOINT_URL_STS": nobody}}.get(
            kind, {}
        )
        started = time.monotonic()
        seen = whoami(home, folder, **env)
        assert time.monotonic() - started < 3 * AT_ONCE  # botocore's own patience is a minute, and more than once
    assert (seen.verdict, seen.kinds) == ("offline", ["offline"])
    assert seen.actual == {"arn": None, "account_id": None, "user_id": None}
    assert seen.declared["account_id"] == seen.held["account_id"] == ACCOUNT
    assert seen.problems["offline"]["message"].startswith("AWS was not reached: GetCallerIdentity: ")
    assert re.search(r"^account +123456789012 +123456789012 +(- +)?yes$", seen.text, re.MULTILINE)


@pytest.mark.needs("network namespaces")
def test_no_network_at_all(home: World) -> None:
    """Without any network it is the same."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    done = home.run("unshare", "-n", str(BIN / "awsdirenv"), "whoami", "--json", cwd=folder, **env)
    assert json.loads(done.stdout)["verdict"] == "offline", done.stderr
    assert done.returncode == 1


def test_a_difference_is_seen_offline(home: World) -> None:
    """What can be seen to differ without AWS is a mismatch with or without it."""
    folder = home.root / "adminrole"
    env = {**inside(home, folder), "AWS_PROFILE": "other", "AWS_ENDPOINT_URL_STS": closed_port()}
    seen = whoami(home, folder, **env)
    assert seen.verdict == "mismatch"
    assert {"profile-beside-keys", "offline"} <= set(seen.kinds)


def test_waiting_is_said(home: World) -> None:
    """Who waits longer than a second is told for what."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.sts.add_fault("GetCallerIdentity", "delay", seconds=2)
    done = home.run("awsdirenv", "whoami", cwd=folder, **env)
    assert done.returncode == 0
    assert done.stderr == "awsdirenv: waiting for AWS to say who this is\n"


# Manners


def test_nobody_is_asked(home: World) -> None:
    """A profile for which SDKs would ask for a code asks nobody here, even on a terminal."""
    home.role("coded")
    with Shell(home, "bash", AWS_PROFILE="coded") as shell:
        said = shell.run("awsdirenv whoami; echo status=$?", timeout=30)
    assert "status=1" in said
    assert "an SDK would ask for an MFA code here" in said
    assert "Enter MFA code" not in said


def test_a_live_directory_asks_nobody(home: World) -> None:
    """In a live directory it is us whom botocore calls, and who would ask: not for a look."""
    home.role("coded")
    folder = home.project("coded", "use aws_profile coded --live\n")
    env = inside(home, folder)
    assert env["AWS_PROFILE"] == "coded"
    caller = home.root / "caller.py"
    caller.write_text("import botocore.session as b; b.Session().create_client('sts').get_caller_identity()\n")
    with Shell(home, "bash", cwd=folder, **env) as shell:
        shell.start(f"{BIN}/python {caller}")
        shell.expect("Enter MFA code")
        shell.send("\x03")
        shell.finish()
        said = shell.run("awsdirenv whoami; echo status=$?")
    assert "status=1" in said
    assert "hint: awsdirenv login coded" in said
    assert "Enter MFA code" not in said


def test_a_program_that_fails(home: World) -> None:
    """What a program says is not quoted; the hint shows how to see it."""
    home.profile("broken", credential_process=home.program("broken", f"echo {SECRET_PREFIX}1; exit 1"), region=REGION)
    seen = whoami(home, home.root, AWS_PROFILE="broken")
    assert (seen.verdict, seen.kinds) == ("none", ["credential-source"])
    assert seen.problems["credential-source"]["hint"] == "aws sts get-caller-identity --profile broken"


@pytest.mark.parametrize("command", ["echo nonsense", "printf '\\377'"], ids=["no JSON", "no text"])
def test_a_program_that_prints_nonsense(home: World, command: str) -> None:
    """A program whose output cannot be read is at fault, and not the network."""
    home.profile("broken", credential_process=home.program("broken", command), region=REGION)
    seen = whoami(home, home.root, AWS_PROFILE="broken")
    assert (seen.verdict, seen.kinds) == ("none", ["credential-source"])
    assert seen.problems["credential-source"]["hint"] == "aws sts get-caller-identity --profile broken"


def test_nothing_is_written(home: World) -> None:
    """A look writes nothing."""
    folder = home.root / "adminrole"
    env = inside(home, folder)

    def tree() -> dict[Path, int]:
        return {path: path.lstat().st_ctime_ns for path in home.root.rglob("*")}

    before = tree()
    assert whoami(home, folder, **env).verdict == "ok"
    assert tree() == before


def test_no_boto3(home: World) -> None:
    """Botocore does for one call."""
    folder = home.root / "adminrole"
    env = inside(home, folder)
    home.env.update(env)
    found = imported(home, "whoami", status=1)  # not in that folder
    assert "botocore" in found
    assert found & {"boto3", "filelock"} == set()


def look(arn: str) -> Look:
    """Make a look as it might be."""
    place = Place({}, Path("/"), None, is_here=False, said=None)
    now = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
    held = Held("x\x1b]0;pwned\x07", "ASIDTEST12345678901", ACCOUNT, REGION, now + timedelta(minutes=35))
    declared = Declared("a" * 30, ACCOUNT, "arn:aws:iam::123456789012:role/team/adminrole", REGION, role="adminrole")
    return Look(place, declared, held, Caller(KNOWN, arn, ACCOUNT, "AROA:x", "ASIDTEST12345678901"), {}, {}, now)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200, None])
def test_text_fits(width: int | None) -> None:
    """No line of the table is wider than the terminal, numbers and ARNs are whole, nothing steers the terminal."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/adminrole/session"
    text = report_text(look(arn), Canvas(width))
    table = text.partition("declared role: ")[0]
    assert width is None or all(len(line) <= max(width, 44) for line in table.splitlines())
    assert arn in text
    assert "arn:aws:iam::123456789012:role/team/adminrole" in text
    assert "…" not in text
    assert ACCOUNT in table
    assert "ASIDTEST12345678901" in table
    assert "35m left" in table
    assert all(char.isprintable() or char == "\n" for char in text)


def test_colour_only_repeats() -> None:
    """Colour is for terminals that want it, and says nothing that no word says."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/adminrole/session"
    plain, colour = (report_text(look(arn), Canvas(200, is_coloured=on)) for on in (False, True))
    assert "\x1b[" in colour
    assert re.sub(r"\x1b\[\d+m", "", colour) == plain


def test_on_a_terminal(home: World) -> None:
    """On a terminal there is colour, unless NO_COLOR says otherwise."""
    folder = home.root / "adminrole"
    env = {**home.env, **inside(home, folder)}
    for no_color in ({}, {"NO_COLOR": "1"}):
        main, terminal = pty.openpty()
        whole = {**env, **no_color}
        subprocess.run([BIN / "awsdirenv", "whoami"], env=whole, cwd=folder, stdout=terminal, check=True)
        os.close(terminal)
        said = os.read(main, 65536).decode()
        os.close(main)
        assert ("\x1b[" in said) != bool(no_color)
        assert "verdict: ok" in said
