"""The recipes of docs/keychain.md for other keepers of secrets, typed as they stand there, with the real AWS CLI."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from container import must_have
from documents import ROOT, blocks
from world import World

PAGE = (ROOT / "docs" / "keychain.md").read_text(encoding="utf-8")
PRINTER = "aws-key-as-json"

# They take the arguments of the recipes, and no others. `op` keeps a document, `envchain` asks for each variable.
OP = """case "$*" in
  "document create - --title aws-base") umask 077; cat >"$HOME/op-document" ;;
  "document get aws-base") cat "$HOME/op-document" ;;
  *) echo "op: $*" >&2; exit 2 ;;
esac"""
ENVCHAIN = """#!/bin/bash
if [[ "$1 $2 $3" == "--set --noecho aws-base" ]]; then
  umask 077
  for name in "${@:4}"; do read -rs value; printf '%s=%s\\n' "$name" "$value"; done >"$HOME/envchain"
elif [[ $1 == aws-base ]]; then
  set -a; . "$HOME/envchain"; exec "${@:2}"
else
  exit 2
fi"""
YKMAN = """[ "$*" = "oath accounts code --single AWS" ] || exit 2
cat "$HOME/code" """


def recipe(name: str) -> tuple[str, str]:
    """Give the commands and the settings of a recipe."""
    part = re.split(r"^### ", PAGE, flags=re.MULTILINE)
    (text,) = [one for one in part if one.startswith(f"{name}\n")]
    found = blocks(re.split(r"^## ", text, flags=re.MULTILINE)[0])
    return "".join(body for kind, body in found if kind == "sh"), "".join(b for kind, b in found if kind == "ini")


@pytest.fixture
def home(world: World) -> World:
    """Have the program that the page shows, and a role behind the key."""
    (text,) = [body for kind, body in blocks(PAGE) if kind == "sh" and body.startswith("#!")]
    folder = world.program(PRINTER, text).parent
    world.env["PATH"] = f"{folder}:{world.env['PATH']}"
    world.role("admin")
    return world


def follow(world: World, name: str, typed: str = "") -> None:
    """Type the commands of a recipe, write its settings, and remove the key from the file."""
    commands, settings = recipe(name)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env=world.env,
        input=typed,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert world.user.secret_access_key not in done.stdout + done.stderr
    world.credentials.write_text("")
    text = world.config.read_text()
    world.config.write_text(settings + text.partition("[profile base]\n")[2])


def check(world: World) -> None:
    """See that the AWS CLI finds the key, and that one code opens a role."""
    done = world.process("aws", "sts", "get-caller-identity", "--profile", "base")
    assert json.loads(done.stdout)["Arn"] == world.user.arn, done.stderr
    world.process("awsdirenv", "login", "--token-code", world.code(), "admin").check_returncode()
    assert world.process("awsdirenv", "login", "--force", "admin").returncode == 0


@pytest.fixture
def gpg(home: World) -> Iterator[World]:
    """Have pass with a key of GnuPG without a passphrase."""
    must_have("pass", is_there=shutil.which("pass") is not None)
    whose, env = "foo@example.com", home.env
    generate = ("gpg", "--batch", "--passphrase", "", "--quick-generate-key", whose, "default", "default", "never")
    for command in (generate, ("pass", "init", whose)):
        subprocess.run(command, env=env, capture_output=True, check=True)
    yield home
    subprocess.run(["gpgconf", "--kill", "all"], env=home.env, check=True)


def test_pass(gpg: World) -> None:
    """A key in pass."""
    follow(gpg, "pass")
    assert not [path for path in gpg.home.rglob("*") if path.is_file() and b"SENTINEL-SECRET" in path.read_bytes()]
    check(gpg)


def test_1password(home: World) -> None:
    """A key in 1Password, whose `op` a program stands in for."""
    home.program("op", OP)
    follow(home, "1Password")
    check(home)


def test_envchain(home: World) -> None:
    """A key in envchain, which a program stands in for."""
    home.program("envchain", ENVCHAIN)
    user = home.user
    follow(home, "envchain", f"{user.access_key_id}\n{user.secret_access_key}\n")
    check(home)


def test_yubikey(home: World) -> None:
    """The code of a YubiKey, for which a program stands in."""
    home.program("ykman", YKMAN)
    (home.home / "code").write_text(f"{home.code()}\n")
    commands, _ = recipe("A YubiKey for the codes")
    done = subprocess.run(
        ["bash", "-c", f"{commands}\nawsdirenv login admin"], env=home.env, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_real_ykman_knows_the_command(home: World) -> None:
    """The real one has such a command and such an option; there is no YubiKey here."""
    must_have("ykman", is_there=shutil.which("ykman") is not None)
    done = home.process("ykman", "oath", "accounts", "code", "--help")
    assert "--single" in done.stdout, done.stderr
