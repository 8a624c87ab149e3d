"""Many agents on one sign-in, with the real AWS CLI on the same one: four hours in half a minute.

Each hour every credential ends, and all ask at once. The refresh tokens of the doubles work once. By turns the tokens
end soon or have ended, so four hours show all that twelve show. `make agents` takes twelve, and more agents in each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import Any

import pytest

from aws_doubles import sso_file
from wall import Wall
from warm import fork_the_aws_cli, path_of_programs
from world import World

HOURS = int(os.environ.get("HOURS", "4"))
# In the last hour there are fifty, and in the others some: the machine of CI has two cores. For `aws login` there are
# half as many, as each is a new Python.
CROWD = {"Identity Center": 50, "aws login": 25}
USUAL = int(os.environ.get("AGENTS", "7"))
CLIS = 3  # in the last hour; one in the others
ROLES = ("build", "deploy", "audit", "watch")
PROFILES = ("dev", *ROLES)


class Office:
    """One sign-in, five profiles behind it, and the clock of everybody."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.is_sso, self.ahead = world, kind == "Identity Center", 0
        self.crowd = max(CROWD[kind], USUAL)
        self.wall = Wall(world)
        if self.is_sso:
            world.sts.sso.configure(token_life=3600)
            world.sso_session(signed_in=False)
            source = world.sso_profile("dev")
            self.file = sso_file(world.home, "corp", world.sts.sso.sign_in())
        else:
            self.file, source = world.login_profile("dev"), world.user.arn
        for name in ROLES:
            arn = world.sts.add_role(name, trusted=[source])
            world.profile(name, role_arn=arn, source_profile="dev", region="eu-west-1")
        self.service: Any = world.sts.sso if self.is_sso else world.sts.signin
        self.refreshes = "CreateToken" if self.is_sso else "CreateOAuth2Token"

    def go_on(self, seconds: int) -> None:
        """Move everybody's clock on."""
        self.ahead += seconds
        self.wall.set(self.ahead)
        self.world.sts.configure(clock_offset=self.ahead)

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        """Start a program of an agent, which has no terminal."""
        whole = {**self.world.env, **env}
        if not self.world.is_cold:
            fork_the_aws_cli()
            whole |= path_of_programs(whole)
        output = subprocess.PIPE
        return subprocess.Popen(
            command, env=whole, cwd=self.world.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
        )

    def agent(self, number: int) -> tuple[str, subprocess.Popen[str]]:
        """Start an agent; give its profile and its program, which prints an access key."""
        name = PROFILES[number % len(PROFILES)]
        ways = ["awsdirenv", "credential-process", "--", name], ["awsdirenv", "export", "--format", "env", "--", name]
        return name, self.start(*ways[number // len(PROFILES) % 2], AI_AGENT="test", AWSDIRENV_NO_PROMPT="1")

    def hour(self, agents: int) -> tuple[list[str], list[str]]:
        """Have so many agents, and the AWS CLI, ask at once; give what went wrong for the agents, and for the CLI."""
        clis = [
            self.start("aws", "sts", "get-caller-identity", "--profile", "dev")
            for _ in range(CLIS if agents >= self.crowd else 1)
        ]
        started = [self.agent(number) for number in range(agents)]
        wrong = [text for name, program in started if (text := self.fault(name, program))]
        return wrong, [err for cli in clis if (err := cli.communicate(timeout=300)[1]) and cli.returncode]

    def fault(self, name: str, program: subprocess.Popen[str]) -> str:
        """Wait for an agent's program; say what is wrong with what it got."""
        out, err = program.communicate(timeout=300)
        if program.returncode:
            return f"{name}: {err}"
        found = re.search(r"\b(?:AKID|ASID)TEST\w+", out)
        assert found, out + err
        key = self.world.sts.keys[found[0]]
        if key.expires <= time.time() + self.ahead:
            return f"{name}: over"
        is_right = f"role/{name}/" in key.arn if name in ROLES else "role/" not in key.arn or "Developer" in key.arn
        return "" if is_right else f"{name}: {key.arn}"


@pytest.fixture(params=["Identity Center", "aws login"])
def office(world: World, request: pytest.FixtureRequest) -> Office:
    """Have an office of each kind."""
    return Office(world, request.param)


def test_a_day_of_agents(office: Office) -> None:
    """Each hour every agent gets its own profile's credentials, by one refresh; the refresh token is never lost."""
    sts, refreshes = office.world.sts, office.refreshes
    is_soon = False  # by turns the tokens end soon, or have ended
    for hour in range(HOURS):
        sts.reset(faults=True)
        sts.add_fault(refreshes, "delay", seconds=0.3, times=2)  # so that they meet
        wrong, cli = office.hour(office.crowd if hour == HOURS - 1 else USUAL)
        assert wrong == [], f"in hour {hour}"
        # Who loses the race for an AWS CLI still has a token that works; later the AWS CLI itself may fail.
        assert cli == [] or not (is_soon and office.is_sso)
        token = json.loads(office.file.read_text(encoding="utf-8"))["refreshToken"]
        assert list(office.service.refresh_tokens) == [token]
        assert sts.count(refreshes, ok=True) == (hour > 0)
        assert (sts.count("AssumeRole"), sts.count("RegisterClient")) == (len(ROLES), 0)
        office.go_on(3600 if is_soon else 3600 - 120)
        is_soon = not is_soon
