"""A program in the foreground that has the user asked for a code: Ctrl-C reaches it, and a loop does not ask again."""

from __future__ import annotations

from pathlib import Path

import pytest

from shells import SHELLS, Shell
from world import BIN, CLOSED, World

# A program that tries again and again, as those do that wait for a service.
LOOP = """\
import sys, botocore.session
for number in range(int(sys.argv[1])):
    try:
        client = botocore.session.Session().create_client("sts", region_name="eu-west-1")
        print(client.get_caller_identity()["Arn"])
        break
    except KeyboardInterrupt:
        print("interrupted")
        break
    except Exception as error:
        print("again:", error)
print("end of the program")
"""
ASKED_ALREADY = (
    "profile adminrole needs an MFA code for {serial}, and one was asked for just now: awsdirenv login adminrole"
)


@pytest.fixture
def admin(world: World) -> Path:
    """Make a live project that needs a code, and two programs in it."""
    world.role("adminrole")
    folder = world.project("adminrole", "use aws_profile adminrole --live\n")
    (folder / "loop").write_text(LOOP, encoding="utf-8")
    return folder


def entered(world: World, shell: Shell, admin: Path) -> str:
    """Enter the directory, and give no code; give the question."""
    question = f"Enter MFA code for {world.mfa_serial}: "
    shell.start(f"cd {admin}")
    shell.expect(question)
    shell.send("\r")
    shell.finish()
    assert shell.variable("AWS_PROFILE") == "adminrole" != CLOSED["AWS_PROFILE"]
    return question


@pytest.mark.parametrize("kind", SHELLS)
def test_ctrl_c(world: World, admin: Path, kind: str) -> None:
    """Ctrl-C at the question ends the program, as it would without the question, and the terminal is as before."""
    with Shell(world, kind) as shell:
        question = entered(world, shell, admin)
        modes = shell.modes()
        status = "$status" if kind == "fish" else "$?"
        for command in (f"{BIN}/python loop 5", "aws sts get-caller-identity"):
            shell.start(f"{command}; echo ended with {status}")
            shell.expect(question)
            shell.send("12\x03")
            said = shell.finish()
            assert "again:" not in said
            assert ("interrupted" in said, "ended with 130" in said) in ((True, False), (False, True)), said
            assert shell.modes() == modes


@pytest.mark.parametrize("kind", SHELLS)
def test_a_loop(world: World, admin: Path, kind: str) -> None:
    """A program that tries again is told why nobody is asked; the next one has the user asked."""
    with Shell(world, kind) as shell:
        question = entered(world, shell, admin)
        for command in (f"{BIN}/python loop 3", f"sh -c 'for n in 1 2 3; do {BIN}/python loop 1; done'"):
            shell.start(command)
            shell.expect(question)
            shell.send("\r")
            said = shell.finish()
            assert said.count(ASKED_ALREADY.format(serial=world.mfa_serial)) == 2, said
            assert question not in said
        shell.start(f"{BIN}/python loop 1")
        shell.expect(question)
        shell.send(world.code() + "\r")
        assert "assumed-role/adminrole/" in shell.finish()


@pytest.mark.parametrize("answer", ["nothing", "three wrong codes", "Ctrl-D"])
def test_no_good_answer(world: World, admin: Path, answer: str) -> None:
    """However a question ends without a code, the program does not have the user asked again."""
    timeout = "1s" if answer == "nothing" else "60s"
    with Shell(world, "bash", AWSDIRENV_PROMPT_TIMEOUT=timeout) as shell:
        question = entered(world, shell, admin)
        shell.start(f"{BIN}/python loop 2")
        for code in {"nothing": [""], "Ctrl-D": ["\x04"]}.get(answer, ["000001\r", "000002\r", "000003\r"]):
            shell.expect(question)
            shell.send(code)
        said = shell.expect("end of the program") + shell.finish()
        assert said.count("again:") == 2
        assert said.count(ASKED_ALREADY.format(serial=world.mfa_serial)) == 1, said


def test_another_program_is_asked(world: World, admin: Path) -> None:
    """What one program was refused does not count for the next one, also in the same second, and `login` ends it."""
    with Shell(world, "bash") as shell:
        question = entered(world, shell, admin)
        for _ in range(2):
            shell.start(f"{BIN}/python loop 1")
            shell.expect(question)
            shell.send("\r")
            shell.finish()
        shell.start(f"sh -c '{BIN}/python loop 1; awsdirenv login --token-code {world.code()}; {BIN}/python loop 1'")
        shell.expect(question)
        shell.send("\r")
        assert "assumed-role/adminrole/" in shell.finish()
