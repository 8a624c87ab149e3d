"""Many agents on one sign-in, with the real AWS CLI on the same one: twelve hours in half a minute.

Each hour every credential ends, and all ask at once. The refresh tokens of the doubles work once. `make agents` takes
more agents in each hour, or more hours.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aws_doubles import sso_file
from wall import Wall
from warm import path_of_programs
from world import World

HOURS = int(os.environ.get("HOURS", "12"))
# In the first and the last hour there are fifty, and in the others some: the machine of CI has two cores.
CROWD = 50
USUAL = int(os.environ.get("AGENTS", "8"))
CLIS = 2
ROLES = ("build", "deploy", "audit", "watch")
PROFILES = ("dev", *ROLES)


class Office:
    """One sign-in, five profiles behind it, and the clock of everybody."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.is_sso, self.ahead = world, kind == "Identity Center", 0
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
        clis = [self.start("aws", "sts", "get-caller-identity", "--profile", "dev") for _ in range(CLIS)]
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
def office(world: World, request: pytest.FixtureRequest) -> Iterator[Office]:
    """Have an office of each kind."""
    yield Office(world, request.param)


def test_a_day_of_agents(office: Office) -> None:
    """Every agent has valid credentials of its own profile at each hour, and the one refresh token is never lost."""
    sts, lost = office.world.sts, []
    for hour in range(HOURS):
        refreshed = [call for call in sts.calls if call.action == office.refreshes and not call.error_code]
        assumed = sts.count("AssumeRole")
        wrong, cli = office.hour(CROWD if hour in (0, HOURS - 1) else USUAL)
        assert wrong == [], f"in hour {hour}"
        lost += cli
        token = json.loads(office.file.read_text(encoding="utf-8"))["refreshToken"]
        assert list(office.service.refresh_tokens) == [token]
        again = [call for call in sts.calls if call.action == office.refreshes and not call.error_code]
        assert len(again) - len(refreshed) == (hour > 0)
        assert sts.count("AssumeRole") - assumed == len(ROLES)
        # By turns what there is has ended, and ends soon.
        office.go_on(3600 if hour % 2 else 3600 - 120)
    assert sts.count("RegisterClient") == 0
    print(f"the AWS CLI failed {len(lost)} of {CLIS * HOURS} times")
