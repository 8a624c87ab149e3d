"""Shells that direnv hooks, and we do not: a directory is the same there, and is renewed on entering only."""

from __future__ import annotations

import os

import pytest

from awsdirenv.config.environment import CLOSED_PROFILE
from shells import Shell
from world import World

QUESTION = "Enter MFA code for "
# The rest is in `make matrix`: each of them takes more than Debian 12 has.
OTHERS = ["tcsh", *os.environ.get("AWSDIRENV_TEST_SHELLS", "").split()]


@pytest.mark.parametrize("kind", OTHERS)
def test_a_shell_that_direnv_hooks(world: World, kind: str) -> None:
    """Enter, be asked, load, go deeper, leave, be closed, and press Ctrl-C: as in the shells that we hook."""
    for name, mfa in (("adminrole", True), ("plain", False)):
        world.role(name, mfa=mfa)
    outer = world.project("outer", "use aws_profile adminrole\n")
    inner = world.project("outer/inner", "use aws_profile plain\n")
    nobody = world.project("nobody", "use aws_profile nobody\n")
    with Shell(world, kind) as shell:
        shell.start(f"cd {outer}")
        shell.expect(QUESTION)
        shell.send(world.code() + "\r")
        assert "awsdirenv: adminrole: account 123456789012" in shell.finish()
        for folder, profile, role in ((outer, "adminrole", "adminrole"), (inner, "plain", "plain")):
            shell.run(f"cd {folder}")
            assert shell.variable("AWSDIRENV_PROFILE") == profile
            assert f"/{role}/" in world.sts.keys[shell.variable("AWS_ACCESS_KEY_ID")].arn
        assert "hint: add [profile nobody]" in shell.run(f"cd {nobody}")
        assert shell.variable("AWS_PROFILE") == CLOSED_PROFILE
        shell.run("cd /")
        assert [shell.variable(name) for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWSDIRENV_PROFILE")] == [""] * 3
        world.run("awsdirenv", "clear", "--all").check_returncode()
        shell.start(f"cd {outer}")
        shell.expect(QUESTION)
        shell.send("\x03")
        assert "the MFA code was not given" in shell.finish()
        assert shell.variable("AWS_PROFILE") == CLOSED_PROFILE
