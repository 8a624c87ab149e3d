"""The recipes of docs/recipes.md, run as they stand there; stand-ins for engines, clusters and CI are named in it."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml  # type: ignore[import-untyped]

from awsdirenv.config.environment import EXPORTED
from documents import ROOT, blocks, section
from sdks import at_once, sdk_of
from sentinels import SENTINELS
from world import BIN, World

TEXT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
# Starts what compose.yaml says, as an engine does: with the variables of the service, and with no others.
DOCKER = """#!{python}
import os, subprocess, sys
import dotenv, yaml
assert sys.argv[1:] == ["compose", "up"]
with open("compose.yaml", encoding="utf-8") as file:
    (service,) = yaml.safe_load(file)["services"].values()
given = {{name: os.environ[name] for name in service.get("environment", []) if name in os.environ}}
if "env_file" in service:
    given |= dotenv.dotenv_values(service["env_file"])
inside = {{name: os.environ[name] for name in ("AWS_ENDPOINT_URL", "PATH")}}
sys.exit(subprocess.run(["aws", "sts", "get-caller-identity"], env={{**inside, **given}}).returncode)
"""


def recipe(title: str) -> dict[str, list[str]]:
    """Give the blocks of a recipe, by their language."""
    found: dict[str, list[str]] = {}
    for language, body in blocks(section(TEXT, title)):
        found.setdefault(language, []).append(body)
    return found


def line_of(body: str) -> str:
    """Give the line for `.envrc` of a block."""
    return body.partition("    #")[0] + "\n"


def role(said: str) -> str:
    """Give the role in what the AWS CLI says of the caller."""
    found = re.search(r"assumed-role/([^/\"]+)/", said)
    assert found, said
    return found[1]


@pytest.fixture
def admin(world: World) -> World:
    """Have a role behind a code that was typed in the morning, and others."""
    world.role("adminrole", awsdirenv_agent="read-only")
    world.role("dns", region="us-east-1")
    world.login("adminrole")
    return world


def test_an_agent(admin: World) -> None:
    """Each way gives the agent a session of its own, and the file that the hook appends to has no key."""
    parts = recipe("An agent whose shell runs no hook")
    commands, envrc = parts["sh"]
    folder = admin.project("work", line_of(envrc))
    agent = {"CLAUDECODE": "1", "CLAUDE_PROJECT_DIR": str(folder), "CLAUDE_ENV_FILE": str(admin.root / "env")}
    (hook,) = [one for entry in json.loads(parts["json"][0])["hooks"]["SessionStart"] for one in entry["hooks"]]
    admin.process("sh", "-c", hook["command"], cwd=None, **agent).check_returncode()
    written = (admin.root / "env").read_text(encoding="utf-8")
    assert "AWS_CONFIG_FILE" in written
    assert not [one for one in (*SENTINELS, *admin.sts.keys) if one in written]
    script = f"source {admin.root}/env && aws sts get-caller-identity"
    for command in (*commands.splitlines(), f"bash -c '{script}'"):
        done = admin.process("sh", "-c", command, cwd=folder, **agent)
        assert "assumed-role/adminrole/awsdirenv-agent-" in done.stdout, done.stderr


@pytest.mark.needs("mounts")
def test_dev_containers(admin: World) -> None:
    """In another home with the mounts of the recipe nobody is asked, and the snapshot of the host stays as it is."""
    document = json.loads(recipe("Dev containers")["json"][0])
    inside = admin.root / "vscode"
    script = ""
    for mount in document["mounts"]:
        options = dict(word.partition("=")[::2] for word in mount.split(","))
        source = options["source"].replace("${localEnv:HOME}", str(admin.home))
        target = options["target"].replace("/home/vscode", str(inside))
        Path(target).mkdir(parents=True)
        script += f"mount --bind '{source}' '{target}' && "
    env = {"HOME": str(inside), "AWSDIRENV_NO_PROMPT": "1"}
    env |= {name: value.replace("/home/vscode", str(inside)) for name, value in document["containerEnv"].items()}
    folder = admin.project("work", "use aws_profile adminrole\n")
    before = {path: path.stat().st_ino for path in (admin.cache / "snapshots").iterdir()}
    script += f"{document['postCreateCommand']} >&2 && direnv allow && exec direnv exec . aws sts get-caller-identity"
    done = admin.process("unshare", "--mount", "sh", "-c", script, cwd=folder, **env)
    assert role(done.stdout) == "adminrole", done.stderr
    assert admin.sts.count("GetSessionToken") == 1
    assert before.items() <= {path: path.stat().st_ino for path in (admin.cache / "snapshots").iterdir()}.items()


def test_docker_compose(admin: World) -> None:
    """Both ways give the service the session; the variables that are named are those that a directory exports."""
    parts = recipe("Docker Compose")
    (admin.root / "work").mkdir()
    admin.program("docker", DOCKER.format(python=BIN / "python"))
    admin.env["PATH"] = f"{admin.root}/programs:{admin.env['PATH']}"
    services = [yaml.safe_load(text)["services"]["app"] for text in parts["yaml"]]
    named = set(services[0]["environment"])
    assert named == {name for name in EXPORTED if not name.startswith("AWSDIRENV_")} - {"AWS_ACCOUNT_ID"}
    for compose, commands in zip(parts["yaml"], parts["sh"], strict=True):
        (admin.root / "work" / "compose.yaml").write_text(compose, encoding="utf-8")
        done = admin.process("sh", "-ec", commands, cwd=admin.root / "work")
        assert role(done.stdout) == "adminrole", done.stderr
    assert (admin.root / "work" / services[1]["env_file"]).stat().st_mode & 0o777 == 0o600


def signer(admin: World, token: str) -> str:
    """Give the role whose credentials have signed a token for a cluster."""
    encoded = token.removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    assert query["Action"] == ["GetCallerIdentity"]
    (credential,) = query["X-Amz-Credential"]
    return admin.sts.keys[credential.partition("/")[0]].role_arn.rpartition("/")[2]


@pytest.mark.parametrize("line", ["use aws_profile adminrole\n", "use aws_profile adminrole --live\n", ""])
def test_kubectl(admin: World, line: str) -> None:
    """The command of the first kubeconfig works everywhere, that of the second one in directories of ours."""
    texts = recipe("kubectl with EKS")["yaml"]
    ours, theirs = (yaml.safe_load(text)["users"][0]["user"]["exec"] for text in texts)
    folder = admin.project("work", line)
    changes, _ = admin.enter(folder)
    env = {name: value for name, value in changes.items() if value is not None}
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [(ours, {})]
    cases += [(theirs, {})] if line else []
    cases += [(theirs, {"AWS_PROFILE": "dns"})] if "--live" in line else []
    for user, more in cases:
        done = admin.process(user["command"], *user["args"], cwd=folder, **{**env, **more})
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["apiVersion"] == user["apiVersion"]
        assert signer(admin, document["status"]["token"]) == more.get("AWS_PROFILE", "adminrole")


def test_terraform(admin: World) -> None:
    """The backend and both providers have their profiles' roles, all at once, without another code."""
    parts = recipe("Terraform")
    document = hcl2.loads(parts["hcl"][0])
    blocks_of_it = [backend for one in document["terraform"] for backend in one["backend"]] + document["provider"]
    profiles = [str(body["profile"]).strip('"') for block in blocks_of_it for body in block.values()]
    assert profiles == ["adminrole", "adminrole", "dns"]
    folder = admin.project("work", line_of(parts["sh"][0]))
    changes, _ = admin.enter(folder)
    env = {name: value for name, value in changes.items() if value is not None}
    found = at_once(admin, [sdk_of("boto3", folder)(name) for name in profiles], folder, env)
    assert [role(said) for _, said, _ in found] == profiles, found
    assert admin.sts.count("GetSessionToken") == 1


def test_ci(world: World) -> None:
    """The job has the role for its token, and nobody is asked; a token that AWS refuses is a status."""
    parts = recipe("CI")
    ((job),) = yaml.safe_load(parts["yaml"][0]).values()
    arn = world.sts.add_role("deploy", trusted=[])
    token = world.sts.web_identity.add(arn)
    place = "/tmp/aws-id-token"
    assert place in parts["ini"][0]
    (world.root / "ci").mkdir()
    config = parts["ini"][0].replace(place, str(world.root / "token"))
    (world.root / "ci" / "aws-config").write_text(config, encoding="utf-8")
    script = "\n".join(job["script"]).replace(place, str(world.root / "token"))
    env = {"CI": "true", "CI_PROJECT_DIR": str(world.root)}
    env |= {name: value.replace("$CI_PROJECT_DIR", str(world.root)) for name, value in job["variables"].items()}
    (name,) = job["id_tokens"]
    done = world.process("sh", "-ec", script, cwd=None, **env, **{name: token})
    assert role(done.stdout) == "deploy", done.stderr
    world.run("awsdirenv", "clear", "--all").check_returncode()
    done = world.process("sh", "-ec", script, cwd=None, **env, **{name: "no token"})
    assert done.returncode not in (0, 127)
    assert "awsdirenv: error: " in done.stderr
