"""`make pictures`: docs/scene-*.svg, the screens of real sessions in which the tool says where one is.

Each scene is bash with direnv's hook on a terminal of its own, in a throw-away home against the strict STS; what is
drawn is what showed, with our own colours for who said what.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pexpect

from picture import COLUMNS, PICTURE, draw
from strict_sts import StrictSts
from world import World

DOCS = PICTURE.parent
PROMPT = "\u2063"  # what the prompt ends with, so that it is told from what programs say
_NO_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Zac-ln-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07")


@dataclass(frozen=True)
class Scene:
    """What is typed, line by line; a line that begins with `!` answers a question, `CODE` in it is an MFA code."""

    name: str
    lines: tuple[str, ...]
    before: Callable[[World], None] = lambda _world: None
    hidden: tuple[str, ...] = ()


def project(world: World, name: str, line: str) -> None:
    """Make a project with an allowed `.envrc` in the home."""
    folder = world.home / "projects" / name
    folder.mkdir(parents=True)
    (folder / ".envrc").write_text(f"{line}\n", encoding="utf-8")
    world.run("direnv", "allow", str(folder)).check_returncode()


def careless(world: World) -> None:
    """Make what `doctor` is there for."""
    world.config.chmod(0o644)
    world.credentials.chmod(0o644)
    folder = world.home / "projects" / "adminrole"
    key = "AKIA" + "EXAMPLE" * 2 + "AB"  # the shape of one, and nobody's
    (folder / "deploy.sh").write_text(f"export AWS_ACCESS_KEY_ID={key}\n", encoding="utf-8")
    (world.home / ".bashrc").write_text("export AWS_PROFILE=base\n", encoding="utf-8")


def entered(*names: str) -> tuple[str, ...]:
    """Give the lines that enter projects, a code for the first."""
    return (f"cd ~/projects/{names[0]}", "!CODE", *(f"cd ~/projects/{name}" for name in names[1:]))


SCENES = (
    Scene("entering", (*entered("adminrole"), "aws sts get-caller-identity --query Arn --output text", "cd")),
    Scene(
        "whoami",
        ("export AWS_PROFILE=staging", "awsdirenv whoami"),
        hidden=entered("adminrole"),
    ),
    Scene("status", ("awsdirenv status",), hidden=entered("adminrole", "staging", "production")),
    Scene("doctor", ("awsdirenv doctor",), before=careless, hidden=entered("adminrole")),
    Scene(
        "production",
        ("cd ~/projects/live", "!production", "cd ~/projects/staging"),
        hidden=(*entered("adminrole"), "cd"),
    ),
)


def main() -> None:
    """Play every scene, draw what showed, and say where it is."""
    for scene in SCENES:
        with tempfile.TemporaryDirectory(prefix="awsdirenv-scene-") as root, StrictSts() as sts:
            world = World(sts, Path(root))
            path = DOCS / f"scene-{scene.name}.svg"
            path.write_text(draw(play(world, scene), scene.name), encoding="utf-8")
            sys.stderr.write(f"wrote {path}\n")


def play(world: World, scene: Scene) -> str:
    """Type the lines of a scene; give what showed, with the home as `~`."""
    for name in ("adminrole", "staging", "production"):
        world.role(name)
        project(world, name, f"use aws_profile {name}")
    project(world, "live", "use aws_profile production --stage production --confirm")
    scene.before(world)
    hook = world.home / ".local" / "share" / "awsdirenv" / "hook.bash"
    start = world.root / "start"
    line = f"bind 'set enable-bracketed-paste off'\neval \"$(direnv hook bash)\"\nsource {hook}\nPS1='\\w $ {PROMPT}'\n"
    start.write_text(line, encoding="utf-8")
    child: pexpect.spawn[str] = pexpect.spawn(
        "bash",
        ["--rcfile", str(start), "-i"],
        env={**world.env, "HISTFILE": "/dev/null", "COLUMNS": str(COLUMNS)},
        cwd=str(world.home),
        encoding="utf-8",
        timeout=30,
        dimensions=(50, COLUMNS),
    )
    child.expect_exact(f" $ {PROMPT}")
    before = "~ $ " + "".join(type_line(world, child, line) for line in scene.hidden)
    shown = before.rpartition("\n")[2] + "".join(type_line(world, child, line) for line in scene.lines)
    child.close(force=True)
    for place, name in ((str(world.home), "~"), (str(world.root), "/home/you"), (PROMPT, ""), ("\r", "")):
        shown = shown.replace(place, name)
    return _NO_COLOURS.sub("", shown).rpartition("\n")[0].strip()


def type_line(world: World, child: pexpect.spawn[str], line: str) -> str:
    """Type one line, and give what shows until the next prompt or question."""
    code = world.code() if "CODE" in line else ""
    child.sendline(line.removeprefix("!").replace("CODE", code))
    child.expect([re.escape(f" $ {PROMPT}"), r"Enter MFA code for \S+: ", r"Type \w+ to enter [^:]+: "])
    return str(child.before) + str(child.after)


if __name__ == "__main__":
    main()
