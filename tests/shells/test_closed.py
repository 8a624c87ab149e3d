"""Closed is nobody: what programs, our own commands and other lines of ours make of a directory that stays closed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from awsdirenv.config.environment import CLOSED_PROFILE, METADATA_SWITCH
from in_process import caller_arn
from sdks import NODE
from world import BIN, REGION, World, assert_nobody

ROOT = Path(__file__).resolve().parents[2]
WHO = ("sts", "get-caller-identity", "--region", REGION, "--query", "Arn", "--output", "text")


@pytest.fixture
def tempting(world: World) -> World:
    """Have [default] keys, the role of an EC2 instance, profiles with and without a code, and one with keys."""
    key, other = world.user, world.sts.add_user("xavier")
    with world.credentials.open("a", encoding="utf-8") as file:
        for name, one in (("default", key), ("x", other)):
            file.write(f"[{name}]\naws_access_key_id = {one.access_key_id}\n")
            file.write(f"aws_secret_access_key = {one.secret_access_key}\n")
    world.sts.imds.attach()
    world.role("coded")
    world.role("plain", mfa=False)
    del world.env[METADATA_SWITCH]
    return world


def no_parts(world: World) -> None:
    """Have an extension that does not find its parts."""
    world.install(installed="/nowhere")


def nothing(_world: World) -> None:
    """Damage nothing."""


CLOSED_BY = {
    "no code": ("use aws_profile coded", nothing),
    "no profile": ("use aws_profile missing", nothing),
    "no option": ("use aws_profile plain --nonsense", nothing),
    "pin": ("use aws_profile plain --account 999999999999", nothing),
    "live": ("use aws_profile plain --live --account 999999999999", nothing),
    "live without credentials": ("use aws_profile coded --live", nothing),
    "no session": ("use aws_profile plain --no-session", nothing),
    "readonly": ("readonly AWS_ACCESS_KEY_ID=x; use aws_profile plain", nothing),
    "readonly profile": ("readonly AWS_PROFILE=x; use aws_profile plain", nothing),
    "below an open one": ("use aws_profile plain; use aws_profile coded", nothing),
    "no parts": ("use aws_profile plain", no_parts),
}


@pytest.mark.parametrize("case", CLOSED_BY)
def test_programs_find_nobody(tempting: World, node_modules: Path, case: str) -> None:
    """Neither [default] nor the machine is found by botocore or by the JavaScript SDK, however it came to be closed."""
    line, damage = CLOSED_BY[case]
    damage(tempting)
    # Below our line, where it is not taken out: otherwise nobody would find the test's metadata service.
    endpoint = f"export AWS_EC2_METADATA_SERVICE_ENDPOINT={tempting.sts.imds.endpoint}\n"
    changes, said = tempting.enter(tempting.project("there", f"{line}\n{endpoint}"))
    assert "awsdirenv: error: " in said
    inside = {name: value for name, value in changes.items() if value is not None}
    answered = tempting.sts.count("GetCallerIdentity", ok=True)
    assert not caller_arn({**tempting.env, **inside}, tempting.root, None, REGION).startswith("arn:")
    words = (str(BIN / "node"), "-e", NODE, "--", "default", "", "1", "0")
    done = tempting.process(*words, cwd=None, NODE_PATH=str(node_modules), AWS_REGION=REGION, **inside)
    assert (done.stdout, done.stderr) == ("", "Could not load credentials from any providers\n")
    assert tempting.sts.count("GetCallerIdentity", ok=True) == answered
    assert changes[METADATA_SWITCH] == "true"


def test_without_it_they_would(tempting: World, node_modules: Path) -> None:
    """Outside of the directory both find [default], and without that the machine: the test above can fail."""
    words = (str(BIN / "node"), "-e", NODE, "--", "default", "", "1", "0")
    for arn in (tempting.user.arn, "arn:aws:sts::123456789012:assumed-role/instance/"):
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": tempting.sts.imds.endpoint, "AWS_REGION": REGION}
        assert caller_arn({**tempting.env, **env}, tempting.root, None, REGION).startswith(arn)
        done = tempting.process(*words, cwd=None, NODE_PATH=str(node_modules), **env)
        assert done.stdout.startswith(arn)
        tempting.credentials.write_text(tempting.credentials.read_text().replace("[default]", "[elsewhere]"))


def closed(world: World, line: str = "use aws_profile coded", **env: str) -> tuple[Path, dict[str, str]]:
    """Enter a directory that stays closed; give it, and the environment in it."""
    folder = world.project("shut", f"{line}\n")
    changes, said = world.enter(folder, **env)
    assert "awsdirenv: error: " in said
    assert_nobody({**env, **changes})
    return folder, {name: value for name, value in {**env, **changes}.items() if value is not None}


def test_the_aws_cli_says_what_to_type(tempting: World) -> None:
    """Its own error shows the name that no file has; and whoever names a profile by hand gets that."""
    folder, inside = closed(tempting)
    done = tempting.process("aws", *WHO, cwd=folder, **inside)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert f"({CLOSED_PROFILE}) could not be found" in done.stderr
    assert CLOSED_PROFILE.endswith("type-direnv-reload")
    assert tempting.process("aws", *WHO, cwd=folder, **{**inside, "AWS_PROFILE": "x"}).stdout.endswith("user/xavier\n")


def test_the_extension_writes_this_name() -> None:
    """Bash's name is Python's, and the parts know it by its beginning."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "direnvrc.d").glob("*.sh")}
    assert re.findall(r"closed-by-awsdirenv:[\w-]+", "".join(texts.values())) == [CLOSED_PROFILE]
    assert f"AWS_PROFILE={CLOSED_PROFILE} {METADATA_SWITCH}=true" in texts["aws_profile.sh"]


COMMANDS = (
    "login plain",
    "exec plain -- true",
    "export",
    "credential-process",
    "load plain",
    "explain",
    "list",
    "status",
)


@pytest.mark.parametrize("line", ["coded", "--nonsense"])
@pytest.mark.parametrize("outer", ["", "x"])
def test_our_commands_do_not_take_it_for_a_profile(tempting: World, line: str, outer: str) -> None:
    """They are for what the directory declares, else for what the outer environment does, and never name it."""
    folder, inside = closed(tempting, f"use aws_profile {line}", **({"AWS_PROFILE": outer} if outer else {}))
    declared = "coded" if line == "coded" else outer or "default"
    for command in COMMANDS:
        done = tempting.run("awsdirenv", *command.split(), cwd=folder, **inside)
        assert CLOSED_PROFILE not in done.stdout + done.stderr, command
        asks = declared == "coded" and command in {"export", "credential-process"}
        assert (done.returncode == 0) != asks, (command, done.stderr)
    assert tempting.run("awsdirenv", "explain", cwd=folder, **inside).stdout.startswith(f"{declared}: ")


@pytest.mark.parametrize("switch", [None, "false"])
def test_what_our_commands_start_sees_the_outer_environment(tempting: World, switch: str | None) -> None:
    """A credential_process and the command of `exec` see neither the name nor our switch."""
    show = tempting.program(
        "show", f'echo "${{AWS_PROFILE-none}} ${{{METADATA_SWITCH}-none}}" >>{tempting.root}/seen\nfalse'
    )
    tempting.profile("asks", credential_process=show)
    env = {METADATA_SWITCH: switch} if switch else {}
    for line in ("coded", "coded --live"):
        changes, _ = tempting.enter(tempting.project("shut", f"use aws_profile {line}\n"), **env)
        inside = {name: value for name, value in {**env, **changes}.items() if value is not None}
        assert inside[METADATA_SWITCH] == "true"
        tempting.run("awsdirenv", "login", "asks", cwd=tempting.root / "shut", **inside)
        tempting.process("awsdirenv", "exec", "plain", "--", str(show), cwd=tempting.root / "shut", **inside)
    seen = (tempting.root / "seen").read_text().splitlines()
    assert seen == [f"none {switch or 'none'}"] * 4


BELOW = {"nothing": None, "a .env that falls back": "AWS_PROFILE=${AWS_PROFILE:-default}\n"}


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize(("above", "switch"), [("coded", "false"), ("coded", "true"), ("coded --live", "false")])
def test_a_line_below_one_that_is_closed(tempting: World, above: str, below: str, switch: str) -> None:
    """Without a profile of its own it is for `default`, as below an open one, and our switch is not the outer one."""
    tempting.project("shut", f"use aws_profile {above}\n")
    text = BELOW[below]
    for number, options in enumerate(("", "--no-session", "--live")):
        folder = tempting.project(f"shut/{number}", f"source_up\nuse aws_profile {options}\n")
        if text:
            (folder / ".env").write_text(text)
        for _ in range(1 if options else 2):
            changes, said = tempting.enter(folder, **{METADATA_SWITCH: switch})
            assert changes.get("AWSDIRENV_PROFILE") == "default", (options, said)
            assert changes.get("AWS_PROFILE") == ("default" if options == "--live" else None)
            assert changes.get(METADATA_SWITCH, switch) == "true" or options != "--live"


def test_the_machine_s_role_below_a_closed_line(tempting: World) -> None:
    """A profile that names the instance as its source opens below a line that is closed."""
    arn = tempting.sts.add_role("onmachine")
    tempting.profile("onmachine", role_arn=arn, credential_source="Ec2InstanceMetadata", region=REGION)
    endpoint = f"AWS_EC2_METADATA_SERVICE_ENDPOINT={tempting.sts.imds.endpoint}"
    for above in ("coded", "coded --live"):
        both = f"use aws_profile {above}\nexport {endpoint}\nuse aws_profile onmachine\n"
        changes, said = tempting.enter(tempting.project("both", both))
        assert changes.get("AWSDIRENV_PROFILE") == "onmachine", said


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize("option", ["", " --live", " --no-session"])
def test_a_region_of_the_environment_that_cannot_be_one(world: World, name: str, option: str) -> None:
    """It closes the directory, whether credentials are there or not; the variable is blamed, and nothing steers."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"use aws_profile {'base' if 'no' in option else 'plain'}{option}\n")
    for value in ("us-east-1 # prod\x1b]0;pwned\x07\u202e", "-x", "a" * 64):
        for _ in range(2):
            changes, said = world.enter(folder, **{name: value})
            assert_nobody(changes)
            assert f"awsdirenv: error: {name} is not a valid region: " in said
            assert f"awsdirenv: hint: unset {name}; in fish: set -e {name}\n" in said
            assert not [text for text in ("\x07", "\u202e", "\x1b]") if text in said]
        world.hold("plain")
    changes, said = world.enter(folder, **{name: "us-west-2"})
    assert changes["AWSDIRENV_PROFILE"], said
