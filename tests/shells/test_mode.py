"""AWSDIRENV_MODE: from the environment or from the `.env` next to the `.envrc`, and what the line says wins."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from awsdirenv.config import dotenv
from interpreter import count_interpreters
from shells import Shell
from world import World, assert_nobody

DOTENVS = (
    None,
    "AWSDIRENV_MODE=live\n",
    "AWSDIRENV_MODE=keys\n",
    "# AWSDIRENV_MODE=live\n",
    "export AWSDIRENV_MODE='live'\r\n",
    "TEXT='\nAWSDIRENV_MODE=live\n'\n",
    "AWSDIRENV_MODE=${HOW}\n",
    "AWSDIRENV_MODE=\n",
    "AWSDIRENV_MODE=keys\nOTHER=1\n'AWSDIRENV_MODE' = live",
    "AWSDIRENV_NO_PROMPT=1\n",
)
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"HOW": "live"},
    {"HOW": "keys"},
    {"AWSDIRENV_MODE": ""},
    {"AWSDIRENV_MODE": "live"},
    {"AWSDIRENV_MODE": "keys", "HOW": "live"},
)
LINES = ("plain", "", "plain --duration 15m", "plain --live", "plain --keys")


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project whose profile needs no code."""
    world.role("plain", mfa=False)
    world.profile("default", source_profile="base", role_arn=world.sts.add_role("of-default", require_mfa=False))
    return world.project("plain")


def write(world: World, folder: Path, line: str, text: str | None) -> None:
    """Write what the directory says."""
    (folder / ".envrc").write_text(f"use aws_profile {line}\n", encoding="utf-8")
    world.allow(folder)
    (folder / ".env").unlink(missing_ok=True)
    if text is not None:
        (folder / ".env").write_text(text, encoding="utf-8", newline="")


def mode_of(world: World, folder: Path, **env: str) -> str:
    """Enter, and give the mode that it is opened in."""
    changes, said = world.enter(folder, **env)
    assert bool(changes.get("AWS_ACCESS_KEY_ID")) != bool(changes.get("AWS_CONFIG_FILE")), said
    assert changes.get("AWSDIRENV_PROFILE") in {"plain", "default"}
    return "live" if changes.get("AWS_CONFIG_FILE") else "keys"


def test_any_combination(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line wins over the environment, and this over what python-dotenv makes of the file; cold and warm alike."""
    states = list(itertools.product(DOTENVS, ENVIRONMENTS, LINES))
    for text, env, line in random.Random(1).sample(states, 40):
        write(world, folder, line, text)
        with monkeypatch.context() as patch:
            patch.delenv("AWSDIRENV_MODE", raising=False)
            for name, value in env.items():
                patch.setenv(name, value)
            said = {**(dotenv.read(folder / ".env") if text is not None else {}), **env}.get("AWSDIRENV_MODE")
        wanted = line.partition("--")[2] if line.endswith(("live", "keys")) else said or "keys"
        for _ in range(2):
            assert mode_of(world, folder, **env) == wanted, (text, env, line)


def test_warm(world: World, folder: Path) -> None:
    """Once Python has said what the file means, it is not started again, for a profile of the line or of the file."""
    log = count_interpreters(world)
    for line in ("plain", ""):
        for mode in ("live", "keys"):
            write(world, folder, line, f"AWS_PROFILE=plain\nAWSDIRENV_MODE={mode}\n")
            assert mode_of(world, folder) == mode
            log.unlink()
            assert mode_of(world, folder) == mode
            assert not log.exists(), (line, mode)


def test_at_the_next_prompt(world: World, folder: Path) -> None:
    """An edited `.env` counts at the next prompt, also where it made no sense before."""
    write(world, folder, "plain", "AWSDIRENV_MODE=live\n")
    with Shell(world, "bash") as shell:
        shell.run(f"cd {folder}")
        assert shell.variable("AWS_PROFILE") == "plain"
        for number, (mode, profile) in enumerate((("keys", ""), ("life", "closed"), ("live", "plain")), 1):
            text = f"AWSDIRENV_MODE={mode}\n"
            shell.run(f"printf '{text.strip()}\\n' >.env; TZ=UTC0 touch -t 197001010000.0{number} .env")
            shell.run("true")
            found = shell.variable("AWS_PROFILE")
            assert found.startswith(profile) if profile else not found
        assert "AWSDIRENV_MODE in " in shell.log


def test_no_mode(world: World, folder: Path) -> None:
    """A `.env` that names no mode closes the directory, and says so each time; one above it does not count."""
    write(world, folder, "plain", "AWSDIRENV_MODE=Live\n")
    for _ in range(2):
        changes, said = world.enter(folder)
        assert_nobody(changes)
        assert f"awsdirenv: error: AWSDIRENV_MODE in {folder}/.env must be live or keys: Live\n" in said
        assert f"awsdirenv: hint: write AWSDIRENV_MODE=live into {folder}/.env\n" in said
    inner = world.project("plain/inner", "use aws_profile plain\n")
    assert mode_of(world, inner) == "keys"
    assert mode_of(world, folder, AWSDIRENV_MODE="live") == "live"


@pytest.mark.as_program
@pytest.mark.parametrize(
    ("end", "words"), [("kill -9 $$", "awsdirenv was ended by signal 9"), ("exit 127", "awsdirenv is not where this ")]
)
def test_who_reads_the_mode_is_ended(world: World, folder: Path, end: str, words: str) -> None:
    """The directory is closed, with the same words as where a load is ended."""
    write(world, folder, "plain", "AWSDIRENV_MODE=live\n")
    world.replace_command(end)
    changes, said = world.enter(folder)
    assert_nobody(changes)
    assert f"awsdirenv: error: {words}" in said
