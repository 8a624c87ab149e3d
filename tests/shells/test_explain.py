"""`awsdirenv explain` as a process: without any network, and at what cost."""

from __future__ import annotations

import pytest

from desk import HOUR, Desk
from interpreter import imported
from world import BIN, World


@pytest.mark.needs("network namespaces")
@pytest.mark.parametrize("profile", ["one", "three"])
def test_works_offline(desk: Desk, profile: str) -> None:
    """Without any network it says the same as with it, before and after a load."""
    desk.world.role("one", duration_seconds=2 * HOUR)
    desk.world.role("two", mfa=False, source_profile="one")
    desk.world.role("three", mfa=False, source_profile="two", duration_seconds=2 * HOUR)
    for known in desk.world.sts.roles.values():
        known.max_duration = 2 * HOUR
    words = ("awsdirenv", "explain", profile, "--json")
    for _ in range(2):
        alone = desk.world.run("unshare", "-n", str(BIN / words[0]), *words[1:])
        assert (alone.returncode, alone.stderr) == (0, "")
        assert alone.stdout == desk.world.run(*words).stdout
        assert desk.load(profile) is None


def test_imports_little(world: World) -> None:
    """Of botocore only the parser of AWS's files is imported; no client, no session, no lock."""
    world.role("one")
    world.env["AWS_ENDPOINT_URL"] = ""  # where one is set, botocore is asked which
    found = imported(world, "explain", "one")
    assert "botocore.configloader" in found
    slow = {"boto3", "botocore.session", "botocore.client", "botocore.credentials", "urllib3", "filelock", "socket.ssl"}
    assert found & slow == set()
