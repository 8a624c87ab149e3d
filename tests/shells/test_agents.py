"""Agents are not people: what one got the other never gets, whatever is done in which order."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.config.environment import AGENT_VARIABLES, SessionOptions, agent_default
from parts import reading
from session_policy import allow
from shells import Shell
from strict_sts import Key
from world import OUTER, World, assert_nobody, told

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
AGENT: dict[str, Any] = {"CLAUDECODE": "1"}
SEED = 1507


def entered(world: World, folder: Path, **env: Any) -> Key | None:
    """Enter a directory; give the key that it exports, or that a live one gives, as STS knows it."""
    changes, _ = world.enter(folder, **env)
    inner = {**env, **{name: value for name, value in changes.items() if value is not None}}
    if changes.get("AWS_CONFIG_FILE"):
        return given(world, inner)
    key = changes.get("AWS_ACCESS_KEY_ID")
    return world.sts.keys[key] if key else None


def given(world: World, env: dict[str, Any]) -> Key | None:
    """Ask as an SDK does in a live directory."""
    text = Path(env["AWS_CONFIG_FILE"]).read_text()
    section = text.partition(f"[profile {env['AWS_PROFILE']}]")[2].partition("\n[")[0]
    (command,) = re.findall(r"^credential_process = (.*)$", section, re.MULTILINE)
    done = world.run("sh", "-c", command, cwd=None, **env)
    return world.sts.keys[json.loads(done.stdout)["AccessKeyId"]] if done.returncode == 0 else None


def name_of(key: Key) -> str:
    """Give the name of a role's session, as CloudTrail has it."""
    return key.arn.rpartition("/")[2]


KNOWN: list[tuple[dict[str, Any], bool]] = [
    *(({name: "1"}, True) for name in (*AGENT_VARIABLES, "CURSOR_AGENT", "CURSOR_TRACE_ID")),
    *(({name: value}, False) for name in ("CLAUDECODE", "CURSOR_AGENT") for value in ("", "0", "false", "No")),
    ({}, False),
    ({"AWSDIRENV_AGENT": "1"}, True),
    ({"AWSDIRENV_AGENT": "0", "CLAUDECODE": "1"}, False),
    ({"AWSDIRENV_AGENT": "no", "CURSOR_AGENT": "1"}, False),
    ({"XCURSOR_THEME": "x", "EDITOR": "vi", "SSH_AGENT_PID": "1"}, False),
]
DETECT = """
_ad_agent='' _ad_options='' _ad_asked=()
_ad_step=agent; source "$_ad_installed/find.sh"
printf '%s\\n' "$_ad_agent:$_ad_options:${_ad_asked[*]}"
"""


def test_the_extension_and_the_commands_know_the_same_agents() -> None:
    """By the same variables, with the same default."""
    for variables, is_agent in KNOWN:
        for default in ("", "a b%"):
            env = {"PATH": os.environ["PATH"], "AWSDIRENV_AGENT_DEFAULT": default, **variables}
            words = ["bash", "-c", reading() + DETECT]
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
            known = agent_default(env)
            assert (known is not None) == is_agent, variables
            options = SessionOptions(agent=known)
            wanted = f"{'1' if is_agent else ''}:{options.text()}:{' '.join(options.arguments())}"
            assert done.stdout == f"{wanted}\n", variables


@pytest.mark.parametrize("variables", [{"CLAUDECODE": "1"}, {"CURSOR_AGENT": "1"}, {"AWSDIRENV_AGENT": "1"}])
def test_an_agent_has_its_own_session(world: World, variables: dict[str, Any]) -> None:
    """In a directory and from a command, and the name of the session says so."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    person, agent = entered(world, folder), entered(world, folder, **variables)
    assert person
    assert agent
    assert name_of(person).startswith("awsdirenv-session-")
    assert name_of(agent).startswith("awsdirenv-agent-")
    done = world.run("awsdirenv", "credential-process", "plain", cwd=None, **variables)
    assert json.loads(done.stdout)["AccessKeyId"] == agent.access_key_id


@pytest.mark.parametrize("live", ["", " --live"])
@pytest.mark.parametrize(
    ("value", "wanted"),
    [("", "plain"), ("read-only", "plain narrow"), (READ_ONLY, "plain narrow"), ("lookout", "lookout"), ("deny", "")],
)
@pytest.mark.parametrize("place", ["profile", "setting"])
def test_the_profile_decides_what_agents_get(world: World, live: str, value: str, wanted: str, place: str) -> None:
    """Or a setting does, for profiles that say nothing. The person gets what they always got."""
    own = {"awsdirenv_agent": value} if place == "profile" and value else {}
    env = {
        **AGENT,
        **({"AWSDIRENV_AGENT_DEFAULT": value} if place == "setting" else {"AWSDIRENV_AGENT_DEFAULT": "deny"}),
    }
    if place == "profile" and not value:
        env = dict(AGENT)
    world.role("plain", mfa=False, **own)
    world.role("lookout", mfa=False)
    folder = world.project("plain", f"use aws_profile plain{live}\n")
    person, agent = entered(world, folder), entered(world, folder, **env)
    assert person
    assert (person.role_arn.rpartition("/")[2], person.policies) == ("plain", None)
    assert bool(agent) == bool(wanted)
    if agent:
        assert agent.role_arn.rpartition("/")[2] == wanted.split(maxsplit=1)[0]
        assert (agent.policies is not None) == wanted.endswith("narrow")
        assert name_of(agent).startswith("awsdirenv-agent-")


def test_a_name_that_the_profile_fixes_says_it_too(world: World) -> None:
    """The person's own name stays readable."""
    world.role("plain", mfa=False, role_session_name="alice@example.com")
    folder = world.project("plain")
    person, agent = entered(world, folder), entered(world, folder, **AGENT)
    assert person
    assert agent
    assert (name_of(person), name_of(agent)) == ("alice@example.com", "alice@example.com-agent")


def test_an_agent_is_asked_nothing_and_confirms_nothing(world: World) -> None:
    """A person's confirmation is for the person; and where a code is needed, a person is told to log in."""
    world.role("coded")
    world.role("plain", mfa=False)
    folder = world.project("plain", "use aws_profile plain --confirm\n")
    world.enter(folder)
    inside = {"AWSDIRENV_PROFILE": "plain", "AWSDIRENV_LOADED": "x"}
    changes, said = world.enter(folder, **AGENT, **inside)
    assert_nobody({**inside, **changes})
    assert "needs a confirmation" in told(said)[0]
    changes, said = world.enter(world.project("coded"), **AGENT, **OUTER)
    assert_nobody({**OUTER, **changes})
    assert told(said)[1] == "awsdirenv: hint: awsdirenv login coded"
    world.login("coded")
    agent = entered(world, world.root / "coded", **AGENT)
    assert agent
    assert name_of(agent).startswith("awsdirenv-agent-")


@pytest.mark.parametrize("line", ["use aws_profile base --no-session", "use aws_profile device"])
def test_what_is_a_person_s_only(world: World, line: str) -> None:
    """Long-term keys, and the MFA session of a user without a role."""
    world.profile("device", source_profile="base", mfa_serial=world.mfa_serial)
    world.env["AWSDIRENV_AGENT_DEFAULT"] = ""
    changes, said = world.enter(world.project("own", f"{line}\n"), **AGENT, **OUTER)
    assert_nobody({**OUTER, **changes})
    assert len(told(said)) == 2


def test_never_a_person_s_credentials_in_an_agent_s_hands(world: World) -> None:
    """A thousand steps of both, over directories, commands and times: each key was given to one kind only.

    STEPS=10000 in the environment takes more.
    """
    dice = random.Random(SEED)
    world.role("plain", mfa=False)
    world.role("wide", mfa=False, awsdirenv_agent="read-only")
    world.role("other", mfa=False, awsdirenv_agent="plain")
    world.sso_session()
    world.sso_profile("center")
    folders = [
        world.project(f"{name}{number}", f"use aws_profile {name}{options}\n")
        for name in ("plain", "wide", "other", "center")
        for number, options in enumerate(("", " --live", " --duration 15m"))
    ]
    kinds: dict[str, set[bool]] = {}
    for step in range(int(os.environ.get("STEPS", "1000"))):
        is_agent = dice.random() < 0.5
        env = dict(AGENT) if is_agent else {}
        if dice.random() < 0.1:
            for held in list(world.sts.keys.values()):
                if held.kind == "role" and dice.random() < 0.3:
                    world.sts.expire(held.access_key_id)
        if step % 20 == 0:
            key = entered(world, dice.choice(folders), **env)
        else:
            words = ["--read-only"] * (dice.random() < 0.2) + ["--duration=15m"] * (dice.random() < 0.2)
            name = dice.choice(("plain", "wide", "other"))
            done = world.run("awsdirenv", "credential-process", name, *words, cwd=None, **env)
            key = world.sts.keys[json.loads(done.stdout)["AccessKeyId"]] if done.returncode == 0 else None
        if key:
            kinds.setdefault(key.access_key_id, set()).add(is_agent)
    assert len(kinds) > 8
    assert {len(both) for both in kinds.values()} == {1}
    roles = [(world.sts.keys[one], both == {True}) for one, both in kinds.items()]
    named = [(name_of(key).startswith("awsdirenv-agent-"), is_agent) for key, is_agent in roles if "SSO" not in key.arn]
    assert all(says_so == is_agent for says_so, is_agent in named)


def test_a_program_in_a_person_s_live_directory(world: World) -> None:
    """The person has entered, and starts an agent there: what the SDK gets is the agent's."""
    world.role("plain", mfa=False, awsdirenv_agent="read-only")
    changes, _ = world.enter(world.project("plain", "use aws_profile plain --live\n"))
    env = {name: value for name, value in changes.items() if value is not None}
    person, agent = given(world, env), given(world, {**env, **AGENT})
    assert person
    assert agent
    assert (person.policies is None, agent.policies is None) == (True, False)


def test_reports_say_whose_they_are(world: World) -> None:
    """`status` and `whoami` name the limits, in the table and for programs; `explain` names policies and session."""
    world.role("plain", mfa=False, awsdirenv_agent="read-only")
    folder = world.project("plain")
    entered(world, folder)
    changes, said = world.enter(folder, **AGENT)
    assert ", for agents, only ReadOnlyAccess" in said
    rows = json.loads(world.run("awsdirenv", "status", "--json").stdout)["profiles"]
    assert {(row.get("is_for_agents"), row.get("policies")) for row in rows} == {(None, None), (True, "ReadOnlyAccess")}
    assert "for agents, only ReadOnlyAccess" in world.run("awsdirenv", "status").stdout
    env = {name: value for name, value in changes.items() if value is not None}
    report = json.loads(world.run("awsdirenv", "whoami", "--json", cwd=folder, **{**AGENT, **env}).stdout)
    assert (report["declared"]["policies"], report["verdict"]) == ("ReadOnlyAccess", "ok")
    text = world.run("awsdirenv", "explain", "plain", cwd=None, **AGENT).stdout
    assert "awsdirenv-agent-TIME" in text
    number = 1 + world.config.read_text().splitlines().index("awsdirenv_agent = read-only")
    assert re.search(rf"awsdirenv_policy_arns +{READ_ONLY}\s+\(\S+:{number}\)", text)
    world.role("silent", mfa=False)
    text = world.run("awsdirenv", "explain", "silent", cwd=None, **AGENT, AWSDIRENV_AGENT_DEFAULT="read-only").stdout
    assert re.search(rf"awsdirenv_policy_arns +{READ_ONLY}\s+\(AWSDIRENV_AGENT_DEFAULT\)", text)


ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.mark.parametrize("line", ["--read-only", f"--policy-arn {READ_ONLY}", "--policy ../policy.json"])
@pytest.mark.parametrize("value", ["read-only", READ_ONLY, ADMIN])
def test_what_agents_get_never_widens_what_the_line_allows(world: World, line: str, value: str) -> None:
    """Where both narrow, it is the same policy, or the directory stays closed."""
    (world.root / "policy.json").write_text('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}')
    world.role("plain", mfa=False, awsdirenv_agent=value)
    agent = entered(world, world.project("plain", f"use aws_profile plain {line}\n"), **AGENT)
    is_same = (line, value) in {("--read-only", "read-only"), (f"--policy-arn {READ_ONLY}", READ_ONLY)}
    assert bool(agent) == is_same
    if agent:
        assert not allow(agent.policies or (), "s3:PutObject")


def test_a_profile_that_is_called_deny_is_denied(world: World) -> None:
    """The words come before the names of profiles."""
    world.role("deny", mfa=False)
    assert entered(world, world.project("deny"), **AGENT, AWSDIRENV_AGENT_DEFAULT="deny") is None


def test_an_agent_at_a_terminal_is_asked_nothing(world: World) -> None:
    """Some agents type into a terminal of their own. A code is still a person's to give."""
    world.role("coded")
    folder = world.project("coded")
    with Shell(world, "bash", **AGENT) as shell:
        said = shell.run(f"cd {folder}")
        assert "Enter MFA code" not in said
        assert "awsdirenv: hint: awsdirenv login coded" in said
        said = shell.run("awsdirenv login coded")
        assert "Enter MFA code" not in said
        assert "nobody is here to type it" in said


def test_that_a_person_is_there_confirms_nothing_for_an_agent(world: World) -> None:
    """A person in a directory is not asked again when its line begins to want it; an agent in their shell stays out."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    changes, _ = world.enter(folder)
    inside: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    world.project("plain", "use aws_profile plain --confirm\n")
    os.utime(folder / ".envrc", (1, 1))  # for direnv, another state of it
    # The first evaluation behind `direnv allow` may ask, so it confirms for nobody.
    for env, is_open in ((AGENT, False), ({}, True), (AGENT, False)):
        changes, said = world.enter(folder, **{**inside, **env})
        assert bool(changes.get("AWS_ACCESS_KEY_ID", inside["AWS_ACCESS_KEY_ID"])) == is_open, said
        assert ("needs a confirmation" in said) != is_open
