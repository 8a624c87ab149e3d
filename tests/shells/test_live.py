"""`use aws_profile --live`: every SDK renews by itself, for any profile, with nothing secret in the environment."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import stat
import sys
import termios
import threading
import time
import zlib
from pathlib import Path

import pexpect
import pytest

from awsdirenv.cache.live_files import leave
from in_process import caller_arn
from interpreter import count_interpreters
from sdks import at_once, sdk_of
from sentinels import SENTINELS, holders
from shells import SHELLS, Shell, on_terminal
from terminal import Terminal
from world import AT_ONCE, BIN, BLOCK, CLOSED, OUTER, REGION, World, assert_nobody, told, wait_for

LIVE = ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWSDIRENV_PROFILE", "AWSDIRENV_LOADED")
ARN = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
LINE = "awsdirenv: plain: account 123456789012, role plain, eu-west-1, live\n"
# Programs that name several profiles: what each of them is in the end, and whether it had an error.
SEVERAL = {
    "boto3": """\
import json, sys, boto3
for name in json.loads(sys.argv[1]):
    print(boto3.Session(profile_name=name).client("sts").get_caller_identity()["Arn"])
""",
    "aws": """\
import json, sys
from awscli.clidriver import create_clidriver
for name in json.loads(sys.argv[1]):
    words = ["--profile", name, "--region", "eu-west-1", "sts", "get-caller-identity"]
    assert create_clidriver().main([*words, "--query", "Arn", "--output", "text"]) == 0
""",
    "node": """\
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
const providers = require("@aws-sdk/credential-providers");
const [kind, names] = process.argv.slice(1);
(async () => {
  for (const profile of JSON.parse(names)) {
    const options = { region: "eu-west-1", maxAttempts: 1 };
    if (kind === "default") process.env.AWS_PROFILE = profile;
    else options.credentials = providers[kind]({ profile });
    console.log((await new STSClient(options).send(new GetCallerIdentityCommand({}))).Arn);
  }
})().catch((error) => { console.error(error.message); process.exitCode = 1; });
""",
}
CALLER = """\
import sys, botocore.session
print(botocore.session.Session(profile=sys.argv[1]).create_client("sts").get_caller_identity()["Arn"])
"""
SET = """\
import json, sys
from awscli.clidriver import create_clidriver
for words in json.loads(sys.argv[1]):
    assert create_clidriver().main(["configure", *words]) == 0
"""


def several(sdk: str, names: list[str], modules: Path) -> list[str]:
    """Give a program that prints who the profiles are for one way to call AWS: one process for all of them."""
    if sdk in ("aws", "boto3"):
        return [str(BIN / "python"), "-c", SEVERAL[sdk], json.dumps(names)]
    program = [str(BIN / "node"), "-e", SEVERAL["node"], "--", sdk, json.dumps(names)]
    return ["env", f"NODE_PATH={modules}", *program]


@pytest.fixture
def folder(world: World) -> Path:
    """Make a live project that needs no code."""
    world.role("plain", mfa=False)
    return world.project("plain", "use aws_profile plain --live\n")


@pytest.fixture
def admin(world: World) -> Path:
    """Make a live project that needs a code, another role that does, and one behind that."""
    world.role("adminrole")
    other = world.role("other")
    arn = world.sts.add_role("behind", trusted=[other])
    world.profile("behind", role_arn=arn, source_profile="other", region="us-east-1")
    return world.project("adminrole", "use aws_profile adminrole --live\n")


def live(world: World, folder: Path, **env: str) -> dict[str, str]:
    """Enter a live directory; give what it sets, without direnv's own variables."""
    changes, said = world.enter(folder, **env)
    assert ", live\n" in said, said
    now = {**env, **changes}
    found = {name: value for name, value in now.items() if value is not None and not name.startswith("DIRENV_")}
    assert set(LIVE) <= set(found)
    return found


def made(world: World, profile: str = "plain", *options: str, **env: str) -> None:
    """Have a live directory's files made, as entering for the first time does, without a process."""
    done = world.run("awsdirenv", "load", "--live", *options, "--", profile, cwd=None, **env)
    assert done.returncode in (0, 10), done.stderr  # 10: without credentials


def identity(world: World, env: dict[str, str], profile: str | None = None) -> str:
    """Give the ARN that an SDK has, or what it says instead."""
    return caller_arn({**world.env, **env}, world.root, profile, REGION)


def role(arn: str) -> str:
    """Give the role's name of a session's ARN, or the whole of what is none."""
    found = re.fullmatch(r"arn:aws:sts::\d+:assumed-role/([^/]+)/[^/]+", arn)
    return found[1] if found else arn


# What is exported


def test_exported(world: World, folder: Path) -> None:
    """Exactly these are set, and all the rest of the block is taken out; no key, no region, no end."""
    changes, said = world.enter(folder, **OUTER)
    assert LINE in said
    found = {name: value for name, value in changes.items() if not name.startswith("DIRENV_")}
    assert {name for name, value in found.items() if value is not None} == set(LIVE)
    assert {name for name, value in found.items() if value is None} == set(OUTER) - {"AWS_PROFILE"}
    assert found["AWS_PROFILE"] == found["AWSDIRENV_PROFILE"] == "plain"
    place = world.cache / "live"
    config, credentials = Path(str(found["AWS_CONFIG_FILE"])), Path(str(found["AWS_SHARED_CREDENTIALS_FILE"]))
    assert (config.parent, credentials.parent) == (place, place)
    assert credentials.read_bytes() == b""
    assert {stat.S_IMODE(path.stat().st_mode) for path in (config, credentials)} == {0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_region(world: World, folder: Path) -> None:
    """Only a region that was asked for is exported: the profile's own would be wrong for every other profile."""
    cases: list[tuple[dict[str, str], str, str | None]] = [
        ({}, "", None),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "", "us-east-2"),
        ({"AWS_REGION": "us-west-2"}, "--region ap-south-1", "ap-south-1"),
        ({}, "--region=ap-south-1", "ap-south-1"),
    ]
    live(world, folder)
    for number, (env, option, expected) in enumerate(cases):
        changes, said = world.enter(world.project(f"case{number}", f"use aws_profile plain --live {option}\n"), **env)
        now = {**env, **{name: value for name, value in changes.items() if name.endswith("_REGION")}}
        assert (now.get("AWS_REGION"), now.get("AWS_DEFAULT_REGION")) == (expected, expected), number
        assert f"role plain, {expected or 'eu-west-1'}, live\n" in said


def test_nothing_secret(world: World, admin: Path) -> None:
    """No secret is in the environment, in direnv's copy of it, or in the files that programs are handed."""
    with world.config.open("a", encoding="utf-8") as file:
        file.write(f"[profile inconfig]\naws_access_key_id = {world.user.access_key_id}\n")
        file.write(f"aws_secret_access_key = {world.user.secret_access_key}\n")
        file.write(f"# the old one: aws_secret_access_key = {world.user.secret_access_key}\n")
    world.login("adminrole")
    made(world, "adminrole")
    changes, _ = world.enter(admin)
    diff = zlib.decompress(base64.urlsafe_b64decode(str(changes["DIRENV_DIFF"]))).decode()
    assert "AWS_CONFIG_FILE" in diff
    env = live(world, admin)
    assert role(identity(world, env)) == "adminrole"
    assert identity(world, env, "inconfig").endswith(":user/foo")
    for text in (json.dumps(changes), diff):
        assert not any(sentinel in text for sentinel in (*SENTINELS, world.user.access_key_id))
    kept = [path for path in holders(world.root) if path not in (world.config, world.credentials)]
    assert kept
    assert not [path for path in kept if path.is_relative_to(world.cache / "live")]
    assert not [path for path in kept if world.user.secret_access_key in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("kind", SHELLS)
def test_shells(world: World, admin: Path, kind: str) -> None:
    """In each shell: one code on entering, other profiles work, too, and leaving puts back what was there."""
    outer = {"AWS_PROFILE": "mine", "AWS_CONFIG_FILE": str(world.config), "AWS_SECRET_ACCESS_KEY": "outer"}
    with Shell(world, kind, None, **outer) as shell:
        shell.start(f"cd {admin}")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        shell.send(world.code() + "\r")
        said = shell.finish()
        assert "role adminrole, eu-west-1, live" in said
        assert shell.variable("AWS_SECRET_ACCESS_KEY") == ""
        shell.run(f"env -0 >{world.root}/inside")
        inside = (world.root / "inside").read_text(encoding="utf-8").split("\0")
        env = dict(line.split("=", 1) for line in inside if line)
        for name in (None, "behind"):
            assert role(identity(world, env, name)) == (name or "adminrole")
        shell.run("cd /")
        assert shell.variable("AWS_PROFILE") == "mine"
        assert shell.variable("AWS_CONFIG_FILE") == str(world.config)
        assert shell.variable("AWS_SHARED_CREDENTIALS_FILE") == ""
        assert shell.variable("AWS_SECRET_ACCESS_KEY") == "outer"
    assert world.sts.count("GetSessionToken") == 1


# Programs


def test_sdks_over_generations(world: World, folder: Path, node_modules: Path) -> None:
    """Processes outlive three generations of credentials, without an error in between, and share them."""
    env = live(world, folder)
    world.sts.life_override = 12
    world.run("awsdirenv", "clear", "plain").check_returncode()
    commands = [sdk_of(name, node_modules)("plain", calls=5, pause=7) for name in ("boto3", "default")]
    for status, said, complained in at_once(world, commands, folder, env):
        assert (status, len(said.splitlines())) == (0, 5), complained
        assert {role(line) for line in said.splitlines()} == {"plain"}
    assert world.sts.count("GetCallerIdentity", ok=True) == 5 * len(commands)
    assert world.sts.count("GetCallerIdentity", ok=False) == 0
    assert 4 <= world.sts.count("AssumeRole") <= 8


@pytest.mark.parametrize("way", ["aws", "boto3", "default", "fromProcess"])  # fromIni is in the default one
def test_sdk_with_other_profiles(world: World, admin: Path, node_modules: Path, way: str) -> None:
    """Whatever profile an SDK names: a role behind a code, one behind that, plain keys, a role without a code."""
    world.role("plain", mfa=False)
    world.login("adminrole")
    made(world, "adminrole")
    env = live(world, admin)
    names = ["adminrole", "other", "behind", "base"]
    if way != "fromProcess":  # which takes nothing but a credential_process
        names.append("plain")
    done = world.run(*several(way, names, node_modules), cwd=admin, **env)
    found = [world.user.arn if name == "base" else name for name in names]
    assert [role(line) for line in done.stdout.splitlines()] == found, done.stderr
    assert world.sts.count("GetSessionToken") == 1
    assert live(world, admin) == env


def test_keys_of_the_same_name(world: World, folder: Path, node_modules: Path) -> None:
    """Keys of the same name in the credentials file, and of `default`, do not win over the profile's role."""
    stranger = world.sts.add_user("stranger")
    with world.credentials.open("a", encoding="utf-8") as file:
        for name in ("plain", "default"):
            file.write(f"[{name}]\naws_access_key_id = {stranger.access_key_id}\n")
            file.write(f"aws_secret_access_key = {stranger.secret_access_key}\n")
    made(world)
    env = live(world, folder)
    for way in ("aws", "boto3", "default"):
        done = world.run(*several(way, ["plain"], node_modules), cwd=folder, **env)
        assert role(done.stdout.strip()) == "plain", done.stderr
    assert role(identity(world, env)) == "plain"


def test_profiles_of_the_credentials_file(world: World, folder: Path, node_modules: Path) -> None:
    """Profiles that live only there work: plain keys as they are, so that IAM takes them; a pasted session as it is."""
    key = world.sts.issue_credentials(world.sts.add_role("start"))
    with world.credentials.open("a", encoding="utf-8") as file:
        file.write(f"[only]\nregion = us-east-1\naws_access_key_id = {world.user.access_key_id}\n")
        file.write(f"aws_secret_access_key = {world.user.secret_access_key}\n")
        file.write(f"[pasted]\nregion = {REGION}\naws_access_key_id = {key['AccessKeyId']}\n")
        file.write(f"aws_secret_access_key = {key['SecretAccessKey']}\naws_session_token = {key['SessionToken']}\n")
    made(world)
    env = live(world, folder)
    for way in ("aws", "boto3", "default"):
        done = world.run(*several(way, ["only", "pasted"], node_modules), cwd=folder, **env)
        assert [role(line) for line in done.stdout.splitlines()] == [world.user.arn, "start"], done.stderr
    done = world.run("aws", "--profile", "only", "iam", "get-user", cwd=folder, **env)
    assert done.returncode == 0, done.stderr
    assert (
        world.run("aws", "--profile", "only", "configure", "get", "region", cwd=folder, **env).stdout == "us-east-1\n"
    )
    assert world.sts.count("GetSessionToken") == 0


def test_names(world: World) -> None:
    """A declared profile with any name works, in both of AWS's files."""
    names = ["it's a;b", 'quo"te # größe', "$(id)", "back\\slash", "-x"]
    arn = world.sts.add_role("odd", require_mfa=False)
    for name in names:
        title = name.replace("\\", "\\\\").replace('"', '\\"')
        with world.config.open("a", encoding="utf-8") as file:
            file.write(f'[profile "{title}"]\nrole_arn = {arn}\nsource_profile = base\nregion = {REGION}\n')
        with world.credentials.open("a", encoding="utf-8") as file:
            file.write(f"[{name} too]\naws_access_key_id = {world.user.access_key_id}\n")
            file.write(f"aws_secret_access_key = {world.user.secret_access_key}\n")
    folder = world.project("odd", 'use aws_profile --live -- "$(cat ../name)"\n')
    for name in names:
        (world.root / "name").write_text(name, encoding="utf-8")
        if name != names[0]:  # the first one is cold
            made(world, name)
        env = live(world, folder)
        assert env["AWS_PROFILE"] == name
        assert role(identity(world, env)) == "odd", name
        assert identity(world, {**env, "AWS_PROFILE": f"{name} too"}) == world.user.arn, name


def test_duration(world: World, folder: Path) -> None:
    """The life that the directory wants is that of the credentials that programs get."""
    project = world.project("short", "use aws_profile plain --live --duration 15m\n")
    made(world, "plain", "--duration", "15m")
    env = live(world, project)
    assert role(identity(world, env)) == "plain"
    found = json.loads(world.run("awsdirenv", "export", "plain", "--duration", "15m", "--format", "json").stdout)
    assert world.sts.count("AssumeRole") == 1
    assert found["expiration"]
    made(world)
    assert live(world, folder)["AWS_CONFIG_FILE"] != env["AWS_CONFIG_FILE"]


def test_an_sso_profile(world: World) -> None:
    """A declared profile of IAM Identity Center works, and roles behind it."""
    world.sso_session()
    source = world.sso_profile("dev")
    arn = world.sts.add_role("behind", trusted=[source])
    world.profile("behind", role_arn=arn, source_profile="dev", region=REGION)
    made(world, "dev")
    env = live(world, world.project("dev", "use aws_profile dev --live\n"))
    assert "Developer" in identity(world, env)
    assert role(identity(world, env, "behind")) == "behind"


# Time


def test_opens_without_credentials(world: World, admin: Path) -> None:
    """Where only a code is missing it says so and opens; as soon as somebody logs in, programs work."""
    changes, said = world.enter(admin)
    assert "awsdirenv: error: profile adminrole needs an MFA code for " in said
    assert "awsdirenv: hint: awsdirenv login adminrole\n" in said
    assert "awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1, live\n" in said
    env = {name: str(changes[name]) for name in LIVE}
    started = time.monotonic()
    said = identity(world, env)
    assert "awsdirenv: error: profile adminrole needs an MFA code for " in said
    assert "awsdirenv login adminrole" in said
    assert time.monotonic() - started < AT_ONCE
    done = world.run("awsdirenv", "login", "--token-code", world.code(), cwd=admin, **env)
    assert done.returncode == 0, done.stderr
    assert role(identity(world, env)) == "adminrole"
    assert len(told(world.enter(admin)[1])) == 1


def test_without_a_network(world: World, folder: Path) -> None:
    """Where STS does not answer it opens as well, and works when the network is back."""
    world.sts.add_fault("AssumeRole", "drop", times=None)
    changes, said = world.enter(folder, AWSDIRENV_STS_TIMEOUT="1s")
    assert said.count("awsdirenv: error: ") == 1
    assert LINE in said
    world.sts.reset(faults=True)
    assert role(identity(world, {name: str(changes[name]) for name in LIVE})) == "plain"


def test_clear(world: World, admin: Path) -> None:
    """What `clear` forgets a running program is asked for anew: a role without a word, the MFA session with a hint."""
    world.login("adminrole")
    made(world, "adminrole")
    env = live(world, admin)
    world.run("awsdirenv", "clear", "adminrole", cwd=admin, **env).check_returncode()
    assert role(identity(world, env)) == "adminrole"
    assert world.sts.count("AssumeRole") == 2
    world.run("awsdirenv", "clear", "--all", cwd=admin, **env).check_returncode()
    assert "needs an MFA code" in identity(world, env)
    world.login("adminrole")
    assert role(identity(world, env)) == "adminrole"


def test_no_timer(world: World, folder: Path) -> None:
    """Programs renew by themselves: nothing is left running for a live directory."""
    made(world)
    live(world, folder, AWSDIRENV_AUTO_REFRESH="1", CI="")
    time.sleep(0.5)
    assert not list((world.cache / "timers").iterdir())


# In the foreground of a terminal


def in_terminal(world: World, admin: Path, env: dict[str, str], command: str) -> Terminal:
    """Start something in a terminal."""
    return on_terminal(world, ["sh", "-c", command], env, admin)


def caller(profile: str) -> str:
    """Give the command of a program that says who a profile is, in half the time that the AWS CLI takes."""
    return shlex.join([str(BIN / "python"), "-c", CALLER, profile])


def awaiting(world: World, admin: Path) -> dict[str, str]:
    """Enter the directory without credentials; give what it sets."""
    changes, _ = world.enter(admin, AWSDIRENV_NO_PROMPT="1")
    return {name: str(changes[name]) for name in LIVE}


def test_foreground(world: World, admin: Path) -> None:
    """In the foreground of a terminal a program has the person asked, though it has our stderr."""
    child = in_terminal(world, admin, awaiting(world, admin), f"exec aws {' '.join(ARN)}")
    child.expect_exact(f"Enter MFA code for {world.mfa_serial}: ")
    child.send(world.code() + "\r")
    child.expect("assumed-role/adminrole/")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# Runs a program in a session of its own, without the terminal.
APART = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:], start_new_session=True))"
THREE_AT_ONCE = "".join(f"{caller(name)} & " for name in ("adminrole", "other", "behind"))


def three_at_once(world: World, admin: Path) -> Terminal:
    """Start three programs at once in the foreground of one terminal, without credentials; wait for the question."""
    script = f"before=$(stty -g); {THREE_AT_ONCE} wait; [ $before = $(stty -g) ] && echo restored"
    child = in_terminal(world, admin, awaiting(world, admin), script)
    child.expect_exact(f"Enter MFA code for {world.mfa_serial}: ")
    return child


def test_at_once_in_the_foreground(world: World, admin: Path) -> None:
    """Of three programs that need a code at once one has it asked for, and all have credentials."""
    child = three_at_once(world, admin)
    time.sleep(2)  # so that the others are there, too
    child.send(world.code() + "\r")
    child.expect(pexpect.EOF)
    said = str(child.before)
    assert {name for name in ("adminrole", "other", "behind") if f"assumed-role/{name}/" in said} == {
        "adminrole",
        "other",
        "behind",
    }, said
    assert "Enter MFA code" not in said
    assert "restored" in said
    assert world.sts.count("GetSessionToken") == 1


def test_given_up_in_the_foreground(world: World, admin: Path) -> None:
    """Who gives no code is not asked again for the others; the next program asks again."""
    child = three_at_once(world, admin)
    time.sleep(2)
    child.send("\x04")
    child.expect(pexpect.EOF)
    said = str(child.before)
    assert "Enter MFA code" not in said
    assert said.count("awsdirenv login ") == 3
    assert "restored" in said
    time.sleep(1)
    three_at_once(world, admin).close(force=True)


def test_nobody_to_ask(world: World, admin: Path) -> None:
    """Where a program draws on the terminal itself, or nobody is there, it fails at once with the hint."""
    env, program = awaiting(world, admin), caller("adminrole")
    for command in (
        f"stty raw -echo; exec {program}",
        f"export AWSDIRENV_NO_PROMPT=1; exec {program}",
        f"export CI=1; exec {program}",
        f"{sys.executable} -c '{APART}' {program}",
    ):
        child = in_terminal(world, admin, env, command)
        started = time.monotonic()
        child.expect_exact("awsdirenv login adminrole")
        child.expect(pexpect.EOF)
        child.close()
        assert "Enter MFA code" not in str(child.before), command
        assert time.monotonic() - started < AT_ONCE, command


def test_the_terminal_is_left_alone(world: World, folder: Path) -> None:
    """Where nothing is to be asked, our part in a program does not touch the terminal's settings."""
    made(world)
    env = live(world, folder)
    world.run("awsdirenv", "clear", "plain").check_returncode()
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    (folder / "caller").write_text(CALLER, encoding="utf-8")
    with pexpect.spawn("sh", env={**world.env, **env, "PS1": "% "}, cwd=str(folder), encoding="utf-8") as child:
        before = termios.tcgetattr(child.child_fd)
        child.expect_exact("% ")
        child.send(f"{BIN}/python ./caller plain\r")
        wait_for(lambda: world.sts.count("AssumeRole"))
        assert termios.tcgetattr(child.child_fd) == before
        child.expect("assumed-role/plain/", timeout=60)


# The config file


def test_rebuilt(world: World, folder: Path) -> None:
    """When the person's config changes, the next prompt has a new one; else it stays as it is, and no Python starts."""
    made(world)
    env = live(world, folder)
    config = Path(env["AWS_CONFIG_FILE"])
    before = config.stat()
    log = count_interpreters(world)
    assert live(world, folder) == env
    assert live(world, world.project("another", "use aws_profile plain --live\n"))["AWS_CONFIG_FILE"] == str(config)
    assert not log.exists()
    assert config.stat().st_ino == before.st_ino
    with Shell(world, "bash") as shell:
        shell.run(f"cd {folder}")
        assert not log.exists()
        world.role("newcomer", mfa=False, region="us-east-1")
        shell.run("true")
        assert role(identity(world, env, "newcomer")) == "newcomer"
    assert int(config.stat().st_mtime) != int(before.st_mtime)


def test_two_shells_do_not_disturb_each_other(world: World, folder: Path) -> None:
    """One change is one new file: what a second shell finds is as it should be, and nobody reloads for ever."""
    made(world)
    live(world, folder)
    log = count_interpreters(world)
    world.role("late", mfa=False)
    with Shell(world, "bash") as one, Shell(world, "zsh") as two:
        for shell in (one, two, one, two, one):
            shell.run(f"cd {folder}")
            shell.run("true")
    assert log.read_text() == "started\n"


def test_what_aws_configure_writes(world: World, folder: Path) -> None:
    """What a program writes into our config file is gone at the next prompt."""
    made(world)
    env = live(world, folder)
    words = json.dumps([["set", "region", "us-west-2"], ["get", "region"]])
    done = world.run(str(BIN / "python"), "-c", SET, words, cwd=folder, **env)
    assert done.stdout == "us-west-2\n", done.stderr
    assert live(world, folder) == env
    assert world.run("aws", "configure", "get", "region", cwd=folder, **env).stdout == f"{REGION}\n"


def test_keys_that_aws_configure_writes(world: World, folder: Path) -> None:
    """Keys that a program writes into our empty file are put aside at the next prompt, and never win after it."""
    made(world)
    env = live(world, folder)
    empty = Path(env["AWS_SHARED_CREDENTIALS_FILE"])
    aside = empty.with_name(".written")
    stranger = world.sts.add_user("stranger")
    keys = {"aws_access_key_id": stranger.access_key_id, "aws_secret_access_key": stranger.secret_access_key}
    words = json.dumps([["set", name, value] for name, value in keys.items()])
    world.run(str(BIN / "python"), "-c", SET, words, cwd=folder, **env).check_returncode()
    assert empty.read_bytes() != b""
    changes, said = world.enter(folder)
    assert f"awsdirenv: {empty} must stay empty: what was written into it is now in {aside}, and not used\n" in said
    assert {name: changes[name] for name in LIVE} == {name: env[name] for name in LIVE}
    assert empty.read_bytes() == b""
    assert stranger.access_key_id in aside.read_text(encoding="utf-8")
    assert role(identity(world, env)) == "plain"


def test_changed_while_elsewhere(world: World, folder: Path) -> None:
    """A change that another directory has loaded already is still a change here."""
    made(world)
    env = live(world, folder)
    world.role("late", mfa=False)
    world.enter(world.project("keys", "use aws_profile plain\n"))
    assert live(world, folder) == env
    assert role(identity(world, env, "late")) == "late"


def test_kept_while_it_is_right(world: World, folder: Path) -> None:
    """New credentials are no reason for a new file, which would have every shell look again."""
    made(world)
    path = Path(live(world, folder)["AWS_CONFIG_FILE"])
    before = path.stat()
    world.run("awsdirenv", "clear", "plain").check_returncode()
    live(world, folder)
    assert (path.stat().st_ino, path.stat().st_mtime) == (before.st_ino, before.st_mtime)


def test_tampered_with(world: World, folder: Path) -> None:
    """A config file that is not exactly as we left it is made anew before it is used."""
    made(world)
    path = Path(live(world, folder)["AWS_CONFIG_FILE"])
    log = count_interpreters(world)
    for what in ("link", "mode", "folder", "python", "program", "header"):
        text = path.read_text(encoding="utf-8")
        if what == "link":
            shutil.copy(path, world.root / "copy")
            path.unlink()
            path.symlink_to(world.root / "copy")
        elif what == "mode":
            path.chmod(0o666)
        elif what == "folder":
            path.parent.chmod(0o777)
        else:
            old = {"python": text[: text.index("/python")].split()[-1], "program": "credential-process.sh"}.get(what)
            old = old or "# profile=plain"
            info = path.stat()
            path.write_text(text.replace(old, old + "x"), encoding="utf-8")
            os.utime(path, (info.st_mtime, info.st_mtime))
        assert live(world, folder)["AWS_CONFIG_FILE"] == str(path)
        assert log.exists(), what
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, what
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, what
        without_time = re.compile(r"mtime=\d+")
        assert without_time.sub("", path.read_text(encoding="utf-8")) == without_time.sub("", text), what
        log.unlink()
        live(world, folder)
        assert not log.exists(), what


def test_at_once(world: World, folder: Path) -> None:
    """Six shells that enter at the same time make one file and one call."""
    results: list[dict[str, str]] = []
    threads = [threading.Thread(target=lambda: results.append(live(world, folder))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert len({env["AWS_CONFIG_FILE"] for env in results}) == 1
    assert world.sts.count("AssumeRole") == 1


def test_many_profiles(world: World, folder: Path) -> None:
    """With 5,000 profiles the file is made in little more time than a load takes, and then it is as quick as ever."""
    section = (
        "[profile p{0}]\nrole_arn = arn:aws:iam::123456789012:role/r{0}\nsource_profile = base\nmfa_serial = {1}\n"
    )
    with world.config.open("a", encoding="utf-8") as file:
        file.writelines(section.format(number, world.mfa_serial) for number in range(5000))
    started = time.monotonic()
    world.run("awsdirenv", "load", "plain").check_returncode()
    bare = time.monotonic() - started
    started = time.monotonic()
    env = live(world, folder)
    assert time.monotonic() - started < 3 * bare + AT_ONCE
    log = count_interpreters(world)
    assert live(world, folder) == env
    assert not log.exists()


# Where it stays closed


def assert_closed(world: World, folder: Path, **env: str) -> str:
    """Enter a directory that must stay closed, with the person's files as they were; give what was said."""
    changes, said = world.enter(folder, **{**OUTER, **env})
    assert changes.keys() >= set(BLOCK)
    assert_nobody(changes)
    assert "AWS_CONFIG_FILE" not in changes
    assert "AWS_SHARED_CREDENTIALS_FILE" not in changes
    assert said.count("awsdirenv: error: ") == 1
    return said


def test_closed(world: World, folder: Path) -> None:
    """A line or a profile that makes no sense leaves the directory closed."""
    world.profile("broken", role_arn="arn:aws:iam::123456789012:role/x", source_profile="missing")
    world.profile("region", role_arn=world.sts.add_role("x"), source_profile="base", region="eu # west")
    world.profile("circle", credential_process="awsdirenv credential-process circle")
    made(world)
    live(world, folder)
    for line, said in (
        ("nonsense --live", "error: no profile nonsense in "),
        ("plain --live --no-session", "error: use aws_profile takes --live or --no-session, not both\n"),
        ("plain --live=yes", "error: unknown option of use aws_profile: --live=yes\n"),
        ("plain --live --duration 1s", "error: --duration must be a time between 15m and 12h: 1s\n"),
        ("broken --live", "error: profile broken names a source_profile that does not exist: missing\n"),
        ("region --live", "error: profile region has an invalid region: "),
        ("circle --live", "error: credential_process of profile circle closes a loop: circle -> circle\n"),
        ("'' --live", "error: the profile name is empty\n"),
    ):
        project = world.project("closed", f"use aws_profile {line}\n")
        assert said in assert_closed(world, project), line
        found = [path.name for path in (world.cache / "live").iterdir()]
        assert not [name for name in found if name != ".empty" and not name.startswith("plain")], line


@pytest.mark.parametrize(
    ("mode", "options", "is_live"),
    [
        ("live", "", True),
        ("live", "--duration 15m", True),
        ("live", "--keys", False),
        ("live", "--keys --duration 15m", False),
        ("keys", "", False),
        ("keys", "--live", True),
        ("", "--keys", False),
    ],
)
def test_the_mode_of_all_directories(world: World, folder: Path, mode: str, options: str, *, is_live: bool) -> None:
    """A setting makes live directories the rule; the line goes back, and a warm load does the same as a cold one."""
    made(world)
    project = world.project("mode", f"use aws_profile plain {options}\n")
    for _ in range(2):
        changes, _ = world.enter(project, AWSDIRENV_MODE=mode)
        assert bool(changes.get("AWS_CONFIG_FILE")) == is_live
        assert bool(changes.get("AWS_ACCESS_KEY_ID")) != is_live


def test_a_config_that_breaks(world: World, folder: Path) -> None:
    """A config that was mended opens again at the next prompt; a broken one closes, even with an old file there."""
    made(world)
    live(world, folder)
    text = world.config.read_text(encoding="utf-8")
    with Shell(world, "bash") as shell:
        shell.run(f"cd {folder}")
        world.config.write_text("nonsense\n" + text, encoding="utf-8")
        os.utime(world.config, (1, 1))  # a second of its own: direnv compares whole ones
        shell.run("true")
        assert shell.variable("AWS_CONFIG_FILE") == ""
        assert "awsdirenv: error: cannot parse " in shell.log
        world.config.write_text(text, encoding="utf-8")
        shell.run("true")
        assert shell.variable("AWS_PROFILE") == "plain"


@pytest.mark.needs("root")
def test_no_place_for_the_files(world: World, folder: Path) -> None:
    """Where the files cannot be written the directory is closed."""
    os.chown(world.cache / "live", 12345, 12345)
    assert "belongs to another user" in assert_closed(world, folder)


# Our own commands, and the way back


def test_own_commands(world: World, admin: Path) -> None:
    """Inside, every command of ours sees the person's own files, and means the directory's profile."""
    world.login("adminrole")
    made(world, "adminrole")
    env = {**live(world, admin), "PWD": str(admin)}
    inside = {name: env[name] for name in LIVE}
    outside = json.loads(world.run("awsdirenv", "explain", "adminrole", "--json").stdout)
    assert json.loads(world.run("awsdirenv", "explain", "--json", cwd=admin, **inside).stdout) == outside
    assert str(world.config) in json.dumps(outside)
    for command in ("export --format json", "credential-process"):
        done = world.run("awsdirenv", *command.split(), cwd=admin, **inside)
        assert done.returncode == 0, done.stderr
    assert "adminrole: account" in world.run("awsdirenv", "login", cwd=admin, **inside).stderr
    done = world.run("awsdirenv", "export", "--no-session", "base", cwd=admin, **inside)
    assert world.user.access_key_id in done.stdout
    text = "import awsdirenv; print(awsdirenv.session().client('sts').get_caller_identity()['Arn'])"
    done = world.run(str(BIN / "python"), "-c", text, cwd=admin, **inside)
    assert role(done.stdout.strip()) == "adminrole", done.stderr
    assert (world.sts.count("GetSessionToken"), world.sts.count("AssumeRole")) == (1, 1)
    # One that took our files for the person's would have another snapshot, by way of ourselves.
    assert len(list((world.cache / "snapshots").iterdir())) == 1


def test_a_program_of_the_persons_own(world: World) -> None:
    """A credential_process that we run has the person's own files, and not ours, which would lead it back to us."""
    world.role("plain", mfa=False)
    note = world.root / "note"
    script = world.program("tool", f'env | grep "^AWS_" >{note}\nexec awsdirenv credential-process plain')
    world.profile("tool", credential_process=script, region=REGION)
    made(world, "tool")
    env = live(world, world.project("tool", "use aws_profile tool --live\n"))
    note.unlink()
    world.run("awsdirenv", "clear", "--all").check_returncode()
    assert role(identity(world, env)) == "plain"
    assert not any(name in note.read_text(encoding="utf-8") for name in LIVE[:3])


@pytest.mark.parametrize("set_to", ["path", "tilde"])
def test_files_of_the_environment(world: World, folder: Path, set_to: str) -> None:
    """AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE of the environment count, and come back exactly."""
    keys = world.credentials.read_text(encoding="utf-8").replace("[base]", "[profile base]")
    text = world.config.read_text(encoding="utf-8").replace("[profile base]", keys)
    (world.home / "my config").write_text(text, encoding="utf-8")
    outer = {"AWS_CONFIG_FILE": str(world.home / "my config"), "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    if set_to == "tilde":
        outer = {"AWS_CONFIG_FILE": "~/my config", "AWS_SHARED_CREDENTIALS_FILE": "$HOME/nowhere"}
    made(world, **outer)
    made(world)
    env = live(world, folder, **outer)
    plain = live(world, folder)
    assert env["AWS_CONFIG_FILE"] != plain["AWS_CONFIG_FILE"]
    for name in (env, plain):
        assert role(identity(world, name)) == "plain"
    found = dict(env)
    leave(found)
    assert {name: value for name, value in found.items() if name in outer} == outer
    # In a nested shell that direnv has lost sight of, our file is not taken for the person's.
    again = live(world, folder, **env)
    assert again["AWS_CONFIG_FILE"] == env["AWS_CONFIG_FILE"]
    project = world.project("keys", "use aws_profile plain\n")
    changes, _ = world.enter(project, **env)
    assert {name: changes.get(name) for name in outer} == outer
    assert str(changes["AWS_ACCESS_KEY_ID"]).startswith("ASID")
    assert changes["AWS_PROFILE"] is None


def test_closed_in_a_stale_shell(world: World, folder: Path) -> None:
    """A directory that is closed in such a shell gives back the person's files, too."""
    made(world)
    env = live(world, folder)
    changes, _ = world.enter(world.project("closed", "use aws_profile nonsense\n"), **env)
    assert changes.keys() >= set(LIVE[:3])
    assert_nobody(changes, LIVE[:3])
    Path(env["AWS_CONFIG_FILE"]).unlink()
    changes, said = world.enter(folder, **env)
    assert (
        f"awsdirenv: error: AWS_CONFIG_FILE names a live file that no longer exists: {env['AWS_CONFIG_FILE']}\n" in said
    )
    names = "AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE"
    assert f"awsdirenv: hint: unset {names}; in fish: set -e {names}; then: direnv reload\n" in said
    assert_nobody(changes, ["AWS_PROFILE"])
    done = world.run("awsdirenv", "explain", "plain", cwd=folder, **env)
    assert done.stderr == (
        f"awsdirenv: error: AWS_CONFIG_FILE names a live file that no longer exists: {env['AWS_CONFIG_FILE']}\n"
        f"awsdirenv: hint: direnv reload; without direnv: unset {names}; in fish: set -e {names}\n"
    )


def test_below_another_directory(world: World, folder: Path) -> None:
    """Below a live directory (`source_up`) one with keys has keys and the person's files, and the other way round."""
    world.role("inner", mfa=False)
    made(world)
    made(world, "inner")
    inner = world.project("plain/inner", "source_up\nuse aws_profile inner\n")
    changes, _ = world.enter(inner)
    assert "AWS_CONFIG_FILE" not in changes
    assert "AWS_SHARED_CREDENTIALS_FILE" not in changes
    assert (changes["AWSDIRENV_PROFILE"], "AWS_PROFILE" in changes) == ("inner", False)
    (inner / ".envrc").write_text("source_up\nuse aws_profile inner --live\n", encoding="utf-8")
    world.allow(inner)
    env = live(world, inner)
    assert role(identity(world, env)) == "inner"
    (folder / ".envrc").write_text("use aws_profile plain\n", encoding="utf-8")
    world.allow(folder)
    env = live(world, inner)
    assert not {"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWSDIRENV_REFRESH_AT"} & set(env)
    assert role(identity(world, env)) == "inner"


def test_profile_of_a_dotenv(world: World, folder: Path) -> None:
    """The profile may come from a `.env`, and another one there is another live directory."""
    world.role("other", mfa=False)
    made(world)
    made(world, "other")
    (folder / ".envrc").write_text("use aws_profile --live\n", encoding="utf-8")
    world.allow(folder)
    for name in ("plain", "other", "plain"):
        (folder / ".env").write_text(f"AWS_PROFILE={name}\n", encoding="utf-8")
        assert role(identity(world, live(world, folder))) == name
    log = count_interpreters(world)
    live(world, folder)
    assert not log.exists()


def test_strict_env(world: World, folder: Path) -> None:
    """It works under strict_env and set -x, and prints no secret."""
    project = world.project("strict", "strict_env\nset -x\nuse aws_profile plain --live\nset +x\nexport REST=loaded\n")
    for _ in range(2):
        changes, said = world.enter(project)
        assert changes["REST"] == "loaded"
        assert LINE in said
        assert "AWS_CONFIG_FILE" not in said.split("direnv: export")[0]


def test_help(world: World) -> None:
    """What only our own files say to us is in nobody's help or completion."""
    for words in (["credential-process", "--help"], ["load", "--help"], ["completion", "bash"]):
        done = world.run("awsdirenv", *words)
        assert done.stdout
        assert "--live" not in done.stdout


# What the line insists on


def test_another_account(world: World, folder: Path) -> None:
    """A line that insists on another account or role leaves the directory closed, before anybody is called."""
    for option in ("--account 999999999999", "--role other"):
        project = world.project("insists", f"use aws_profile plain --live {option}\n")
        assert "error: profile plain leads to " in assert_closed(world, project)
    assert world.sts.count("*") == 0
    for option in ("--account 123456789012", "--role plain"):
        made(world)
        live(world, world.project("insists", f"use aws_profile plain --live {option}\n"))
    (folder / ".envrc").touch()
    live(world, folder)


def test_an_account_that_nobody_knows_yet(world: World, admin: Path) -> None:
    """Where the line insists on something it stays closed without credentials, and opens once somebody logs in."""
    project = world.project("insists", "use aws_profile adminrole --live --account 123456789012\n")
    with Shell(world, "bash", AWSDIRENV_NO_PROMPT="1") as shell:
        assert "needs an MFA code" in shell.run(f"cd {project}")
        assert shell.variable("AWS_PROFILE") == CLOSED["AWS_PROFILE"]
        world.login("adminrole")
        shell.run("true")
        assert shell.variable("AWS_PROFILE") == "adminrole"
    assert live(world, admin)["AWS_PROFILE"] == "adminrole"


def test_stage(world: World) -> None:
    """A stage is shown and exported, also where there are no credentials yet, and a confirmation is asked for once."""
    world.role("adminrole", awsdirenv_stage="staging area")
    project = world.project("adminrole", "use aws_profile adminrole --live\n")
    changes, said = world.enter(project, AWSDIRENV_PROMPT_VARIABLE="AWS_VAULT")
    assert "*** STAGING AREA *** adminrole: account 123456789012, role adminrole, eu-west-1, live\n" in said
    assert (changes["AWSDIRENV_STAGE"], changes["AWS_VAULT"]) == ("staging area", "adminrole")
    world.login("adminrole")
    assert world.enter(project)[0]["AWSDIRENV_STAGE"] == "staging area"
    confirmed = world.project("confirmed", "use aws_profile adminrole --live --stage production --confirm\n")
    assert "needs a confirmation" in assert_closed(world, confirmed)
    with Shell(world, "bash") as shell, Shell(world, "zsh", AWSDIRENV_NO_PROMPT="1") as other:
        other.run(f"cd {confirmed}")
        assert other.variable("AWS_PROFILE") == CLOSED["AWS_PROFILE"]
        shell.start(f"cd {confirmed}")
        shell.expect("Type production to enter adminrole (123456789012): ")
        shell.send("production\r")
        shell.finish()
        assert shell.variable("AWSDIRENV_STAGE") == "production"
        other.run("true")
        assert other.variable("AWS_PROFILE") == shell.variable("AWS_PROFILE") == "adminrole"
    assert live(world, confirmed)["AWSDIRENV_STAGE"] == "production"
