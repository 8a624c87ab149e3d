"""Session policies: what a line, a command or a profile narrows is narrow at the other end, and only there."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from interpreter import count_interpreters
from sources import ALONE, BEHIND, Make, keys_in_credentials, role_behind
from strict_sts import Call, Key
from world import OUTER, World, assert_nobody, told

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BUCKETS = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}


def policy(world: World, action: str = "s3:*", name: str = "policy.json") -> Path:
    """Write a policy as people do, with spaces, beside the projects."""
    path = world.root / name
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": ["*"]}]}
    path.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")
    return path


def entered(world: World, name: str, line: str, **env: Any) -> tuple[Key, str]:
    """Enter a directory with this line; give the key that it exports, as STS knows it, and the line on entering."""
    changes, said = world.enter(world.project(name, f"{line}\n"), **env)
    assert "error" not in said, said
    return world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])], said


def asked(call: Call) -> tuple[list[str], object]:
    """Give the policies of a call: the ARNs in their order, and the JSON."""
    arns = [value for name, value in sorted(call.params.items()) if name.startswith("PolicyArns.")]
    return arns, json.loads(call.params["Policy"]) if "Policy" in call.params else None


def last(world: World, action: str = "AssumeRole") -> Call:
    """Give the last call of this kind."""
    return [call for call in world.sts.calls if call.action == action][-1]


def is_warm(world: World, folder: Path) -> bool:
    """Enter a directory again; tell whether no Python was started and nobody called."""
    log, calls = count_interpreters(world), len(world.sts.calls)
    _, said = world.enter(folder)
    return not log.exists() and len(world.sts.calls) == calls and "only" in said


def role_with_keys(world: World) -> None:
    """Make a role behind a key without a device."""
    world.role("start", mfa=False)


@pytest.fixture
def role(world: World) -> str:
    """Make a role that needs no code."""
    return world.role("plain", mfa=False)


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize(
    ("options", "arns", "shown"),
    [
        ("--read-only", [READ_ONLY], "only ReadOnlyAccess"),
        (f"--policy-arn {READ_ONLY}", [READ_ONLY], "only ReadOnlyAccess"),
        (f"--policy-arn={READ_ONLY} --duration 15m --policy-arn arn:aws:iam::123456789012:policy/team/Own", None, ""),
        ("--policy ../policy.json", [], "only policy.json"),
        ("--read-only --policy ../policy.json", [READ_ONLY], "only ReadOnlyAccess + policy.json"),
    ],
)
def test_a_line_narrows_the_session(world: World, options: str, arns: list[str] | None, shown: str) -> None:
    """STS gets the policies, the line on entering names them, and a second shell starts no Python."""
    world.sts.managed_policies["arn:aws:iam::123456789012:policy/team/Own"] = BUCKETS
    policy(world)
    key, said = entered(world, "narrow", f"use aws_profile plain {options}")
    if arns is None:
        arns, shown = [READ_ONLY, "arn:aws:iam::123456789012:policy/team/Own"], "only ReadOnlyAccess + Own"
    assert shown in said
    text = json.loads((world.root / "policy.json").read_text()) if "--policy " in options else None
    assert asked(last(world)) == (arns, text)
    assert key.policies is not None
    assert is_warm(world, world.root / "narrow")


WISHES = ("", "--read-only", "--policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "--policy ../policy.json")


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize("live", ["", "--live"])
def test_wide_and_narrow_never_serve_each_other(world: World, live: str) -> None:
    """In every order, with all that was stored before, each line gets what it asks for."""
    policy(world)
    found: dict[str, set[str]] = {}
    for number, (one, other) in enumerate(itertools.permutations(WISHES, 2)):
        for wish in (one, other):
            changes, said = world.enter(world.project(f"p{number}", f"use aws_profile plain {live} {wish}\n"))
            assert "error" not in said
            env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
            key = str(changes.get("AWS_ACCESS_KEY_ID"))
            if live:
                text = Path(env["AWS_CONFIG_FILE"]).read_text()
                (command,) = re.findall(r"^credential_process = (.* --live=plain)$", text, re.MULTILINE)
                done = world.run("sh", "-c", command, **env)
                key = json.loads(done.stdout)["AccessKeyId"]
            found.setdefault(wish, set()).add(key)
    assert {wish: len(keys) for wish, keys in found.items()} == dict.fromkeys(WISHES, 1)
    assert len(set.union(*found.values())) == len(WISHES)
    for wish, keys in found.items():
        assert all((world.sts.keys[key].policies is not None) == bool(wish) for key in keys)


@pytest.mark.usefixtures("role")
def test_an_edited_policy_gives_new_credentials(world: World) -> None:
    """Also one of the same size, at once and in a shell that was there already; and the old ones serve nobody."""
    policy(world)
    first, _ = entered(world, "narrow", "use aws_profile plain --policy ../policy.json")
    policy(world, "ec2:*")
    second, _ = entered(world, "narrow", "use aws_profile plain --policy ../policy.json")
    assert first.access_key_id != second.access_key_id
    assert asked(last(world))[1] != json.loads(json.dumps(BUCKETS))
    assert "ec2:*" in str(second.policies)
    (world.root / "policy.json").unlink()
    changes, said = world.enter(world.root / "narrow")
    assert_nobody(changes)
    assert told(said)[0].startswith("awsdirenv: error: the policy ")


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize("command", ["exec", "export", "credential-process", "login"])
def test_commands_narrow_too(world: World, command: str) -> None:
    """The same options for each command that gives credentials; without them the role's own session is as it was."""
    wide, _ = entered(world, "wide", "use aws_profile plain")
    words = ["plain", "--read-only"] + (["--", "true"] if command == "exec" else [])
    done = world.run("awsdirenv", command, *words)
    assert done.returncode == 0, done.stderr
    assert asked(last(world)) == ([READ_ONLY], None)
    calls = len(world.sts.calls)
    assert entered(world, "wide", "use aws_profile plain")[0].access_key_id == wide.access_key_id
    assert len(world.sts.calls) == calls


@pytest.mark.usefixtures("role")
def test_a_command_in_a_narrowed_directory_is_narrow(world: World) -> None:
    """Where it names no profile it is for the directory's; by its name the profile is what it is anywhere."""
    folder = world.project("narrow", "use aws_profile plain --read-only\n")
    changes, _ = world.enter(folder)
    env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for words, is_narrow in (((), True), (("plain",), False)):
        done = world.run("awsdirenv", "credential-process", *words, cwd=folder, **env)
        key = world.sts.keys[json.loads(done.stdout)["AccessKeyId"]]
        assert (key.policies is not None) == is_narrow
    done = world.run("awsdirenv", "credential-process", cwd=folder, **{**env, "AWSDIRENV_NARROWED": "read-onlx"})
    assert "AWSDIRENV_NARROWED has no policies" in done.stderr


@pytest.mark.parametrize("place", ["file", "relative", "home", "variable", "inline", "arns"])
def test_a_profile_narrows_its_sessions(world: World, place: str) -> None:
    """Whoever uses it, and in a live directory, where no SDK knows such keys. A role behind it is not narrowed."""
    path = policy(world)
    (world.config.parent / "own.json").write_text(path.read_text())
    (world.home / "own.json").write_text(path.read_text())
    paths = {"file": str(path), "relative": "own.json", "home": "~/own.json", "variable": "$HOME/own.json"}
    value = {**paths, "inline": json.dumps(BUCKETS)}.get(place, READ_ONLY)
    world.role("plain", mfa=False, **{"awsdirenv_policy_arns" if place == "arns" else "awsdirenv_policy": value})
    world.role("behind", mfa=False, source_profile="plain")
    assert entered(world, "one", "use aws_profile plain")[0].policies is not None
    assert entered(world, "two", "use aws_profile behind")[0].policies is None
    text = world.run("awsdirenv", "explain", "plain").stdout
    assert "awsdirenv_policy" in text
    changes, _ = world.enter(world.project("live", "use aws_profile behind --live\n"))
    sections = Path(str(changes["AWS_CONFIG_FILE"])).read_text().split("[profile ")
    assert "credential_process" in next(section for section in sections if section.startswith("plain]"))


def test_a_policy_of_the_profile_s_own_file_is_noticed_when_edited(world: World) -> None:
    """The line does not name the file; the snapshot does."""
    path = policy(world)
    world.role("plain", mfa=False, awsdirenv_policy=str(path))
    first, said = entered(world, "one", "use aws_profile plain")
    assert "only policy.json" in said
    assert is_warm(world, world.root / "one")
    policy(world, "ec2:*")
    second, _ = entered(world, "one", "use aws_profile plain")
    assert "ec2:*" in str(second.policies)
    assert first.access_key_id != second.access_key_id


BAD: Mapping[str, tuple[str, str]] = {
    "no JSON": ("{", "it is no JSON"),
    "a list": ("[]", "it has no Statement"),
    "too many brackets": ('{"Statement": ' + "[" * 100_000, "it is nested too deep"),
    "a name twice": ('{"Statement": [], "Statement": []}', "stands twice"),
    "a Principal": (
        '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}',
        "Principal",
    ),
    "no Resource": ('{"Statement": {"Effect": "Allow", "Action": "*"}}', "either Resource or NotResource"),
    "a wrong Effect": ('{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}', "Effect"),
    "an unknown element": ('{"Statement": {"Effect": "Allow", "Actions": "*", "Resource": "*"}}', "Actions"),
    "too long": (
        json.dumps({"Statement": {"Effect": "Allow", "Action": ["s3:GetObject"] * 200, "Resource": "*"}}),
        "AWS takes 2048",
    ),
    "NaN": ('{"Statement": {"Effect": "Allow", "Action": NaN, "Resource": "*"}}', "NaN"),
    "nothing": ("", "it is no JSON"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_policy_that_sts_would_refuse_is_refused_before(world: World, kind: str) -> None:
    """Before anybody is called or asked for a code."""
    world.role("coded")
    (world.root / "policy.json").write_text(BAD[kind][0])
    changes, said = world.enter(world.project("narrow", "use aws_profile coded --policy ../policy.json\n"), **OUTER)
    assert_nobody(changes)
    assert BAD[kind][1] in told(said)[0]
    assert len(told(said)) == 2
    assert not world.sts.calls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--policy ../gone.json", "cannot be read"),
        ("--policy ..", "cannot be read"),
        ("--policy-arn ReadOnlyAccess", "needs the ARN"),
        ("--policy-arn", "needs the ARN"),
        ("--policy-arn arn:aws-cn:iam::aws:policy/ReadOnlyAccess", "partition"),
        ("--policy", "needs the path"),
        ("--no-session --read-only", "long-term keys"),
        (" ".join(f"--policy-arn arn:aws:iam::123456789012:policy/P{n}" for n in range(11)), "AWS takes 10"),
    ],
)
def test_what_cannot_be_asked_for(world: World, options: str, words: str) -> None:
    """One error that names what is wrong, and a closed directory."""
    world.role("coded")
    changes, said = world.enter(world.project("narrow", f"use aws_profile coded {options}\n"), **OUTER)
    assert_nobody(changes)
    lines = told(said)
    assert len(lines) == 2
    assert words in lines[0]
    assert not world.sts.calls


def test_a_profile_is_narrowed_once(world: World) -> None:
    """With two wishes together a session may do more than either allows, so that is refused."""
    world.role("plain", mfa=False, awsdirenv_policy_arns=READ_ONLY)
    changes, said = world.enter(world.project("narrow", "use aws_profile plain --policy-arn " + READ_ONLY + "\n"))
    assert_nobody(changes)
    assert "cannot be narrowed again" in said


@pytest.mark.parametrize("make", ALONE, ids=lambda make: make.__name__)
def test_a_source_is_narrowed_or_refused(world: World, make: Make) -> None:
    """Whatever a profile's credentials come from: those that open the directory are narrow, else it stays closed."""
    source = make(world)
    folder = world.project("narrow", "use aws_profile start --read-only\n")
    changes, said = world.enter(folder, **source.env)
    key = changes.get("AWS_ACCESS_KEY_ID")
    if key:
        held = world.sts.keys[key]
        assert held.policies is not None
        assert "only ReadOnlyAccess" in said
    else:
        assert_nobody({**source.env, **changes})
        lines = told(said)
        assert "cannot be narrowed" in lines[0], said
        assert "role_arn = " in lines[1]
    assert bool(key) == (make.__name__ in {"keys_in_credentials", "keys_in_config", "web_identity"})


@pytest.mark.parametrize("make", BEHIND, ids=lambda make: make.__name__)
def test_a_role_behind_any_source_is_narrowed(world: World, make: Make) -> None:
    """The policies are those of the last step's call, and of no call before it."""
    source = make(world)
    role_behind(world, source)
    changes, said = world.enter(world.project("narrow", "use aws_profile end --read-only\n"), **source.env)
    assert "error" not in said, said
    assert world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])].policies is not None
    narrowed = [call for call in world.sts.calls if "PolicyArns.member.1.arn" in call.params]
    assert [call.action for call in narrowed] == ["AssumeRole"]


@pytest.mark.usefixtures("role")
def test_narrow_is_narrow_at_the_other_end(world: World) -> None:
    """The real AWS CLI may list, and may not create."""
    folder = world.project("narrow", "use aws_profile plain --read-only\n")
    changes, _ = world.enter(folder)
    env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    url = f"--endpoint-url={world.sts.url}"
    may = world.run("aws", "iam", "list-users", url, cwd=folder, **env)
    assert may.returncode == 0, may.stderr
    may_not = world.run("aws", "iam", "create-user", "--user-name", "eve", url, cwd=folder, **env)
    assert "AccessDenied" in may_not.stderr


@pytest.mark.usefixtures("role")
def test_a_hint_is_as_narrow_as_the_command(world: World) -> None:
    """What `console` tells you to type, where it can open no browser, has all options that you gave."""
    done = world.run("awsdirenv", "console", "plain", "--read-only", "--policy", "a b.json", "--duration", "1h")
    hint = done.stderr.splitlines()[-1].removeprefix("awsdirenv: hint: ")
    path = f"--policy={world.root}/a b.json"
    assert shlex.split(hint) == ["awsdirenv", "console", "--print", "--duration=3600", path, "--read-only", "plain"]


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize("options", ["--policy ../gone.json", "--policy-arn x", "--read-only --nonsense", "--policy"])
def test_a_closed_directory_is_no_way_round_its_policies(world: World, options: str) -> None:
    """Where the line or the file is wrong, a command without a profile gives nothing: not what the role may do."""
    folder = world.project("narrow", f"use aws_profile plain {options}\n")
    changes, _ = world.enter(folder)
    env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    done = world.run("awsdirenv", "export", cwd=folder, **env)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert not world.sts.calls


def test_other_profiles_of_a_narrowed_live_directory_are_as_they_are(world: World) -> None:
    """The line is about its own profile: the files name another one without policies, and that is what it gets."""
    world.role("plain", mfa=False)
    world.role("coded")
    world.login("coded")
    changes, _ = world.enter(world.project("narrow", "use aws_profile plain --live --read-only\n"))
    env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for name, is_narrow in (("plain", True), ("coded", False)):
        section = Path(env["AWS_CONFIG_FILE"]).read_text().partition(f"[profile {name}]")[2].partition("\n[")[0]
        (command,) = re.findall(r"^credential_process = (.*)$", section, re.MULTILINE)
        done = world.run("sh", "-c", command, **env)
        key = world.sts.keys[json.loads(done.stdout)["AccessKeyId"]]
        assert (key.policies is not None) == is_narrow, name


@pytest.mark.usefixtures("role")
def test_a_line_has_its_own_policies_only(world: World) -> None:
    """Not those that a shell still has of another directory, which direnv has lost sight of."""
    folder = world.project("wide", "use aws_profile\n")
    (folder / ".env").write_text("AWS_PROFILE=plain\n")
    for _ in range(2):
        changes, said = world.enter(folder, AWSDIRENV_NARROWED="read-only", AWSDIRENV_PROFILE="other")
        assert "error" not in said, said
        assert world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])].policies is None


@pytest.mark.usefixtures("role")
def test_python_in_a_narrowed_directory_is_narrow(world: World) -> None:
    """As a command is: without a profile it is for the directory's."""
    folder = world.project("narrow", "use aws_profile plain --read-only\n")
    changes, _ = world.enter(folder)
    env: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    for profile, is_narrow in (("", True), ("'plain'", False)):
        code = f"import awsdirenv; print(awsdirenv.credentials({profile}).access_key_id)"
        done = world.run(sys.executable, "-c", code, cwd=folder, **env)
        assert (world.sts.keys[done.stdout.strip()].policies is not None) == is_narrow, done.stderr


@pytest.mark.parametrize("make", [keys_in_credentials, role_with_keys], ids=lambda make: make.__name__)
def test_explain_foretells_the_calls(world: World, make: Callable[[World], object]) -> None:
    """With policies, too: the calls of the next load are those that it names, in their order."""
    make(world)
    told = world.run("awsdirenv", "explain", "start", "--read-only").stdout.rpartition("next load: ")[2]
    done = world.run("awsdirenv", "load", "--read-only", "--", "start")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"calls (\w+)", told) == [call.action for call in world.sts.calls]
