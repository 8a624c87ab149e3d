"""What `awsdirenv credential-process` prints."""

from __future__ import annotations

import json
import re
import subprocess

from world import REGION, World

ONE_LINE = re.compile(r"awsdirenv: error: [^\n]+\n")

NEEDS_CODE = (
    "profile adminrole needs an MFA code for {serial}, and nobody is here to type it: awsdirenv login adminrole"
)


def locks(world: World) -> set[str]:
    """Give the locks that were ever taken."""
    return {path.name for path in (world.cache / "locks").glob("*")}


def printed(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Check that a run of ours succeeded without a word to people; give what it printed."""
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def with_sdk_profiles(world: World) -> World:
    """Add a role behind a code, one without, and for each a profile whose credential_process we are."""
    world.role("adminrole")
    world.role("plain", mfa=False)
    for name in ("adminrole", "plain"):
        world.profile(f"sdk-{name}", credential_process=f"awsdirenv credential-process {name}", region=REGION)
    return world
