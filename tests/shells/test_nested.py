"""Several lines of ours in one evaluation: what is asked once, and which line decides."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shells import Shell
from world import OUTER, World

QUESTION = "Enter MFA code for "


@pytest.fixture
def nested(world: World) -> Path:
    """Make a folder with a line of ours inside another one, both behind one device."""
    world.role("outer")
    world.role("inner")
    world.project("outer")
    return world.project("outer/inner", "source_up\nuse aws_profile inner\n")


def test_a_device_is_asked_for_once(world: World, nested: Path) -> None:
    """Whoever gives no code, or three wrong ones, is not asked for the same device by the next line; a reload asks."""
    refusals = {"\x03": "the MFA code was not given", "000000\r": f"STS refused 3 MFA codes for {world.mfa_serial}"}
    with Shell(world, "bash") as shell:
        for number, (answer, error) in enumerate(refusals.items()):
            time.sleep(1.1)
            shell.start("direnv reload" if number else f"cd {nested}")
            for _ in range(3 if answer.endswith("\r") else 1):
                shell.expect(QUESTION)
                shell.send(answer)
            shown = shell.finish()
            assert f"awsdirenv: error: {error}" in shown
            again = f"profile inner needs an MFA code for {world.mfa_serial}, and one was asked for just now"
            assert f"awsdirenv: error: {again}\r\nawsdirenv: hint: awsdirenv login inner" in shown
            assert QUESTION not in shown
        assert shell.variable("AWSDIRENV_DECLARED") == "inner"
        time.sleep(1.1)
        shell.start("direnv reload")
        shell.expect(QUESTION)
        shell.send(f"{world.code()}\r")
        assert QUESTION not in shell.finish()
        assert shell.variable("AWSDIRENV_PROFILE") == "inner"


def test_another_device_is_another_question(world: World, nested: Path) -> None:
    """No code for the outer line's device says nothing about the inner line's."""
    other = "arn:aws:iam::123456789012:mfa/other"
    world.role("second", mfa_serial=other)
    (nested / ".envrc").write_text("source_up\nuse aws_profile second\n")
    world.allow(nested)
    with Shell(world, "bash") as shell:
        shell.start(f"cd {nested}")
        for serial in (world.mfa_serial, other):
            shell.expect(f"{QUESTION}{serial}")
            shell.send("\x03")
        assert "asked for just now" not in shell.finish()


ASKS = "to enter production"
LINES = {
    "source_up\nuse aws_profile plain\n": False,
    "source_up_if_exists && use aws_profile plain\n": False,
    "use aws_profile plain\nsource_up\n": True,
    "source_up\nexport OTHER=1\n": True,
    "source_up\n# use aws_profile plain\n": True,
    "source_env ..\nuse_aws_profile plain\n": False,
}


def test_only_the_line_that_decides_is_confirmed(world: World) -> None:
    """An outer line's `--confirm` is asked for where no line of ours comes after it; otherwise it stays closed."""
    for name in ("plain", "production"):
        world.role(name, mfa=False)
        world.hold(name)
    outer = world.project("outer", "use aws_profile production --confirm\n")
    notice = "awsdirenv: production needs a confirmation and stays closed: "
    with Shell(world, "bash") as shell:
        for number, (text, is_asked) in enumerate(LINES.items()):
            inner = world.project(f"outer/{number}", f'{text}\necho "this: $AWSDIRENV_PROFILE"\n')
            shell.start(f"cd {inner}")
            if is_asked:
                shell.expect(ASKS)
                shell.send("\x03")
            shown = shell.finish()
            assert ASKS not in shown, text
            assert (f"{notice}{inner}/.envrc has another line after it\r\n" in shown) != is_asked, text
            assert shell.variable("AWSDIRENV_PROFILE") == ("" if is_asked else "plain"), text
        grandchild = world.project("outer/0/below", "source_up\n")
        assert notice in shell.run(f"cd {grandchild}")
        assert shell.variable("AWSDIRENV_PROFILE") == "plain"
        shell.start(f"cd {outer}")
        shell.expect(ASKS)
        shell.send("production\r")
        shell.finish()
        assert shell.variable("AWSDIRENV_PROFILE") == "production"
        assert notice not in shell.run(f"cd {grandchild}")


def test_an_inner_line_that_is_not_reached(world: World) -> None:
    """Where bash does not come to the inner line after all, the directory is closed, and not the outer one's."""
    world.role("production", mfa=False)
    world.hold("production")
    world.project("outer", "use aws_profile production --confirm\n")
    inner = world.project("outer/inner", "source_up\nif false; then use aws_profile plain; fi\n")
    changes, said = world.enter(inner)
    assert "AWS_ACCESS_KEY_ID" not in changes
    assert "production needs a confirmation and stays closed" in said


INNER_LINES = ["plain", "plain --live", "other --region us-west-2", "other --live", "nothere", "base --no-session", ""]
OUTERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "a region": {"AWS_REGION": "ap-northeast-1"},
    "another region": {"AWS_DEFAULT_REGION": "ap-northeast-1", "AWS_PROFILE": "other"},
    "keys": {**OUTER, "AWS_EC2_METADATA_DISABLED": "false"},
}


@pytest.mark.parametrize("outer", OUTERS)
def test_a_line_below_another_is_as_if_alone(world: World, outer: str) -> None:
    """Keys, live or closed, with a region or a profile of the login shell: the last line alone decides, all of it.

    Each two of what is outside, above and below meet, and each three in half of the cases.
    """
    for name in ("plain", "other"):
        world.role(name, mfa=False)
        world.hold(name)

    def entered(name: str, envrc: str) -> tuple[dict[str, str | None], list[str]]:
        changes, said = world.enter(world.project(name, envrc), **OUTERS[outer])
        env = {**world.env, **OUTERS[outer], **changes, "AWSDIRENV_LOADED": None}
        ours = {key: value for key, value in env.items() if value is not None and not key.startswith("DIRENV_")}
        return {**ours}, said.splitlines()[-2:-1]  # the last word but direnv's

    alone = [entered(f"alone{number}", f"use aws_profile {line}\n") for number, line in enumerate(INNER_LINES)]
    assert len({str(sorted(changes.items())) for changes, _ in alone}) >= len(INNER_LINES) - 1
    first = [*OUTERS].index(outer)
    for above_number, above in enumerate(("plain", "other --live", "nothere", "base --no-session")):
        for number, line in list(enumerate(INNER_LINES))[(first + above_number) % 2 :: 2]:
            nested = entered(f"nested{number}", f"use aws_profile {above}\nuse aws_profile {line}\n")
            assert nested == alone[number], (above, line)
