"""Leaving production is said first: before the line of the next directory, and before direnv's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shells import SHELLS, Shell, hook
from world import World, told

LINE = "use aws_profile plain"
STAGED = f"{LINE} --stage production"
LEAVING, LEFT = "awsdirenv: leaving *** PRODUCTION ***", "awsdirenv: left *** PRODUCTION ***"
PLAIN = "awsdirenv: plain: account 123456789012, role plain, eu-west-1, 1h00m left"
STAGE = PLAIN.replace("plain:", "*** PRODUCTION *** plain:")

# From where to where, and what we say, in this order. Folders that are not in FOLDERS have no `.envrc`.
FOLDERS = {
    "prod": STAGED,
    "prod/inner": LINE,
    "prod/up": "source_up",
    "prod/both": f"source_up\n{LINE}",
    "prod/foreign": "export VARIABLE=value",
    "second": STAGED,
    "other": LINE,
    "foreign": "export VARIABLE=value",
    "closed": "use aws_profile absent",
}
WAYS: tuple[tuple[str, str, list[str]], ...] = (
    ("prod", "prod/folder", []),
    ("prod/folder", ".", [LEAVING]),
    ("prod", "other", [LEAVING, PLAIN]),
    ("prod", "second", [LEAVING, STAGE]),
    ("prod", "foreign", [LEAVING]),
    ("prod", "prod/inner", [LEAVING, PLAIN]),
    ("prod", "prod/both", [LEAVING, STAGE, PLAIN]),
    # What `source_up` keeps is not left. Only direnv can tell, and then it has been said already.
    ("prod", "prod/up", [STAGE]),
    ("prod/up", "prod", [STAGE]),
    ("prod/up", "prod/up/folder", []),
    ("prod/up", "other", [LEAVING, PLAIN]),
    ("prod", "prod/foreign", [LEFT]),
    ("prod/inner", "prod", [STAGE]),
    ("prod/inner", ".", []),
    ("other", ".", []),
)


@pytest.fixture
def places(world: World) -> World:
    """Make the folders, and have credentials for all of them."""
    world.role("plain", mfa=False)
    world.hold("plain")
    for name, envrc in FOLDERS.items():
        world.project(name, f"{envrc}\n")
    for _, name, _ in WAYS:
        (world.root / name).mkdir(exist_ok=True)
    return world


@pytest.mark.parametrize("kind", SHELLS)
def test_leaving_is_said_first(places: World, kind: str) -> None:
    """Whatever the next directory is, leaving stands above its line and above direnv's; what is kept is not left."""
    with Shell(places, kind, places.root) as shell:
        shell.run(f"source {hook(places, kind)}")
        for start, end, expected in WAYS:
            shell.run(f"cd {places.root / start}")
            shown = shell.run(f"cd {places.root / end}").replace("\r", "")
            assert told(shown) == expected, (start, end)
            if LEAVING in expected:
                assert "direnv: " not in shown.partition(LEAVING)[0].replace("awsdirenv: ", ""), (start, end)
            assert told(shell.run("true")) == [], (start, end)
            shell.run(f"cd {places.root}")


@pytest.mark.parametrize("kind", SHELLS)
def test_leaving_for_a_closed_directory(places: World, kind: str) -> None:
    """It stands above the error of a directory that stays closed."""
    with Shell(places, kind, places.root / "prod") as shell:
        shell.run(f"source {hook(places, kind)}")
        said = told(shell.run(f"cd {places.root / 'closed'}"))
        assert said[0] == LEAVING
        assert said[1].startswith("awsdirenv: error: ")


@pytest.mark.parametrize("kind", SHELLS)
def test_what_only_a_subshell_leaves(places: World, kind: str) -> None:
    """A folder that a command goes to for itself, or comes back from, is not left by the person."""
    with Shell(places, kind, places.root / "prod") as shell:
        shell.run(f"source {hook(places, kind)}")
        there = places.root / "folder"
        there.mkdir(exist_ok=True)
        command = f"fish -c 'cd {there}'" if kind == "fish" else f"(cd {there}); : $(cd {there})"
        assert LEAVING not in told(shell.run(command))
        assert LEAVING not in told(shell.run("true"))


@pytest.mark.parametrize("kind", SHELLS)
def test_a_link_to_the_directory(places: World, kind: str) -> None:
    """The same directory by another name is not left."""
    link = places.root / "link"
    link.symlink_to(places.root / "prod", target_is_directory=True)
    with Shell(places, kind, places.root / "prod") as shell:
        shell.run(f"source {hook(places, kind)}")
        assert LEAVING not in told(shell.run(f"cd {link}"))


def test_paths_that_a_shell_could_misread(places: World, tmp_path: Path) -> None:
    """A folder with a blank, a quote and a dash is found as any other."""
    folder = places.project("-a b'c", f"{STAGED}\n")
    for kind in SHELLS:
        with Shell(places, kind, folder) as shell:
            shell.run(f"source {hook(places, kind)}")
            assert told(shell.run(f"cd {tmp_path}")) == [LEAVING], kind
