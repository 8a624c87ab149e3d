"""The AWS CLI, boto3 and the JavaScript SDK as programs that call AWS."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from installs import npm_install, once
from warm import fork_the_aws_cli, path_of_programs
from world import BIN, World

# Both at the last release that also runs on the Node.js of Debian 12.
NODE_PACKAGES = ("@aws-sdk/client-sts@3.899.0", "@aws-sdk/credential-providers@3.899.0")

BOTO3 = """\
import sys, time, boto3
client = boto3.Session(profile_name=sys.argv[1]).client("sts")
for number in range(int(sys.argv[2])):
    time.sleep(float(sys.argv[3]) if number else 0)
    print(client.get_caller_identity()["Arn"])
"""

NODE = """\
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
const providers = require("@aws-sdk/credential-providers");
const [kind, profile, calls, pause] = process.argv.slice(1);
const options = { region: "eu-west-1", maxAttempts: 1 };
if (kind !== "default") options.credentials = providers[kind]({ profile });
(async () => {
  const client = new STSClient(options);
  for (let number = 0; number < Number(calls); number++) {
    if (number) await new Promise((done) => setTimeout(done, 1000 * Number(pause)));
    console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
  }
})().catch((error) => { console.error(error.message); process.exitCode = 1; });
"""


SDKS = ("aws", "boto3", "default", "fromIni", "fromProcess")

ONE_OF_EACH = ("aws", "boto3", "default")  # where the ways of the JavaScript SDK do not differ


@dataclass(frozen=True)
class Sdk:
    """One way to call AWS. `template` is for sh; `hides` is what it says instead of what we said."""

    template: str
    hides: str = ""

    def __call__(self, profile: str, calls: int = 1, pause: float = 0) -> list[str]:
        """Give a command that calls GetCallerIdentity `calls` times, `pause` seconds apart."""
        return ["sh", "-c", self.template.format(profile=profile, calls=calls, pause=pause)]


def sdk_of(name: str, modules: Path) -> Sdk:
    """Give the AWS CLI, boto3, or one of three ways of the JavaScript SDK."""
    if name == "aws":
        one = "aws --profile {profile} --region eu-west-1 sts get-caller-identity --query Arn --output text"
        return Sdk("for n in $(seq {calls}); do [ $n = 1 ] || sleep {pause}; " + one + " || exit; done")
    if name == "boto3":
        return Sdk(f"exec {BIN}/python -c '{BOTO3}' {{profile}} {{calls}} {{pause}}")
    program = NODE.replace("{", "{{").replace("}", "}}")
    command = f"NODE_PATH={modules} exec {BIN}/node -e '{program}' -- {name} {{profile}} {{calls}} {{pause}}"
    if name == "default":
        return Sdk(f"AWS_PROFILE={{profile}} {command}", hides="Could not load credentials from any providers")
    return Sdk(command)


def at_once(
    world: World, commands: list[list[str]], folder: Path | None = None, more: Mapping[str, str] | None = None
) -> list[tuple[int, str, str]]:
    """Run commands at the same time; give status, stdout and stderr of each."""
    pipe, cwd, env = subprocess.PIPE, folder or world.root, {**world.env, **(more or {})}
    if not world.is_cold:
        fork_the_aws_cli()
        env |= path_of_programs(env)
    running = [
        subprocess.Popen(command, env=env, cwd=cwd, stdin=-3, stdout=pipe, stderr=pipe, text=True)
        for command in commands
    ]
    return [(process.wait(), said, complained) for process in running for said, complained in [process.communicate()]]


def installed_node_modules() -> Path:
    """Install the JavaScript SDK, once for each choice of versions, into the cache folder of whoever runs the tests."""
    name = hashlib.sha256(repr(NODE_PACKAGES).encode()).hexdigest()[:12]
    return once(f"node-{name}", lambda folder: npm_install(folder, *NODE_PACKAGES)) / "node_modules"
