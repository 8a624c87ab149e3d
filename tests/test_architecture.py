"""The shape of the house: imports go one way, each effect has one owner, nothing is imported before its time."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import awsdirenv
from awsdirenv.aws_files import load_files
from awsdirenv.boto_session import boto_session
from awsdirenv.lock import Locks
from awsdirenv.paths import CachePaths, snapshot_key
from world import BIN, World

PACKAGE = Path(awsdirenv.__file__).parent
# From low to high; a module imports only what stands before it.
LAYERS = (
    "version",
    "errors",
    "clock",
    "session_credentials",
    "paths",
    "files",
    "own_files",
    "dotenv_file",
    "settings",
    "aws_files",
    "chain",
    "profile",
    "live_text",
    "provenance",
    "glance",
    "steps",
    "console_link",
    "snapshot",
    "live_files",
    "sso_token",
    "store",
    "lock",
    "terminal",
    "direnv",
    "directories",
    "processes",
    "declaration",
    "patience",
    "program",
    "browser",
    "handover",
    "mfa",
    "person",
    "sources",
    "identity",
    "sessions",
    "credential_process",
    "feedback",
    "crt",
    "boto_session",
    "boto_provider",
    "sts_errors",
    "source_errors",
    "caller",
    "providers",
    "sts_clock",
    "sts",
    "key_facts",
    "federation",
    "soundness",
    "forecast",
    "hop_values",
    "explain",
    "listing",
    "status",
    "oidc",
    "sign_in",
    "refresh",
    "timer",
    "export",
    "execution",
    "clearing",
    "loader",
    "admission",
    "console_session",
    "entry",
    "beside",
    "api",
    "install",
    "place",
    "whoami",
    "whoami_problems",
    "live",
    "hook",
    "start_files",
    "situation",
    "doctor_setup",
    "doctor_files",
    "doctor_keys",
    "doctor_store",
    "doctor_aws",
    "prompt",
    "completion",
    "console",
    "table",
    "look_text",
    "whoami_text",
    "doctor",
    "explain_text",
    "common_options",
    "arguments",
    "demo",
    "cli_look",
    "cli_live",
    "cli",
    "__main__",
    "__init__",
)
# Who may import what is slow, or is an effect of one module alone. The demo is a program of its own.
OWNERS = {
    "botocore": {
        *("boto_session", "boto_provider", "oidc", "providers", "source_errors", "sts_errors", "aws_files", "demo"),
        "sts_clock",
        *("federation", "caller"),
        "key_facts",
        "provenance",  # whose rules name the sections
        "__init__",  # for a type only
    },
    "boto3": {"boto_provider", "demo", *("api", "__init__")},  # the last two for a type only
    "filelock": {"lock"},
    "dotenv": {"dotenv_file"},
    "moto": {"demo"},
    "pexpect": {"demo"},
}
SPEAKERS = {"cli", "cli_live", "cli_look", "console", "__main__", "demo"}
LONGEST_MODULE, LONGEST_FUNCTION = 250, 40  # lines

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def tree(module: str) -> ast.Module:
    """Parse a module."""
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Give every module that a module imports, wherever in it; one of our own as `awsdirenv.<name>`."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "awsdirenv":
                known = {alias.name if alias.name in MODULES else "__init__" for alias in node.names}
                yield from (f"awsdirenv.{name}" for name in known)
            else:
                yield node.module or ""


def functions(module: str) -> Iterator[tuple[str, int]]:
    """Give the functions and methods of a module with the number of their lines, without decorators."""
    for node in ast.walk(tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_every_module_has_its_layer() -> None:
    """A new module must be put in its place in the list of layers, and one that is gone taken out."""
    assert sorted(LAYERS) == MODULES
    assert [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()] == [], "the package is flat"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    """A module imports only modules of lower layers."""
    below = {f"awsdirenv.{name}" for name in LAYERS[: LAYERS.index(module)]}
    ours = {name for name in imports(module) if name.split(".")[0] == "awsdirenv"}
    assert ours <= below


@pytest.mark.parametrize("module", MODULES)
def test_each_dependency_has_its_owner(module: str) -> None:
    """Only the owner of a dependency imports it, and its owner really does."""
    roots = {name.split(".")[0] for name in imports(module)}
    assert {name for name, owners in OWNERS.items() if module not in owners} & roots == set()


@pytest.mark.parametrize("module", sorted(set(MODULES) - SPEAKERS))
def test_only_the_command_line_speaks(module: str) -> None:
    """Only `cli` and its like print, exit, or read the environment; the others are handed what they need."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    forbidden = {"os.environ", "os.environb", "os.getenv", "print", "input", "sys.exit", "exit", "os._exit"}
    forbidden |= {"sys.stdout", "sys.stderr", "sys.stdin", "sys.argv"}
    if module == "terminal":
        forbidden.remove("sys.exit")  # the handler of a signal has nobody to raise to
    if module == "api":
        forbidden.remove("os.environ")  # its callers are programs, and their environment is the one that counts
    assert found & forbidden == set()


def is_called(tree: ast.Module, name: str) -> bool:
    """Tell whether a function of this name is called anywhere."""
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == name for node in ast.walk(tree))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_evaluated(module: str) -> None:
    """No module evaluates text as Python, and none unpickles."""
    assert not any(is_called(tree(module), name) for name in ("eval", "exec", "compile", "__import__"))
    assert not {"pickle", "marshal", "shelve"} & set(imports(module))


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    """A module is read in one go: it has at most 250 lines."""
    assert len((PACKAGE / f"{module}.py").read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short(module: str) -> None:
    """A function has at most 40 lines."""
    assert [name for name, lines in functions(module) if lines > LONGEST_FUNCTION] == []


def imported(world: World, *words: str, status: int = 0) -> set[str]:
    """Run our command and give the names of all packages and modules that Python imported."""
    done = world.run(str(BIN / "python"), "-X", "importtime", "-m", "awsdirenv", *words)
    assert done.returncode == status, done.stderr
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", done.stderr, re.MULTILINE)
    assert "awsdirenv.cli" in names
    return {name.split(".")[0] for name in names} | set(names)


SLOW = {"boto3", "botocore", "urllib3", "filelock", "dotenv", "asyncio", "http"}


@pytest.fixture
def fresh(world: World) -> World:
    """Load a role's credentials, so that its snapshot is fresh."""
    world.role("adminrole", mfa=False)
    world.run("awsdirenv", "load", "adminrole").check_returncode()
    return world


@pytest.mark.parametrize(
    "words",
    ["--version", "--help", "load --help", "load adminrole", "load --envrc adminrole", "login adminrole", "setup"]
    + ["credential-process adminrole"]
    + [f"export adminrole --format {form}" for form in ("env", "fish", "powershell", "json")]
    + [f"completion {shell}" for shell in ("bash", "zsh", "fish")],
)
def test_what_needs_no_sts_imports_no_botocore(fresh: World, words: str) -> None:
    """With a fresh snapshot, and where none is needed, nothing slow is imported: no boto3, filelock or dotenv."""
    assert imported(fresh, *words.split()) & SLOW == set()
    assert fresh.sts.count("*") == 1


def test_waiting_imports_no_botocore(world: World) -> None:
    """Who only waits for another process never imports botocore: it is imported under the lock."""
    world.role("adminrole", mfa=False)
    locks = Locks(CachePaths.from_environ(world.env).locks, timeout=1, on_wait=lambda *_: None)
    (world.cache / "locks").mkdir(parents=True, exist_ok=True)
    world.env["AWSDIRENV_LOCK_TIMEOUT"] = "1s"
    with locks.hold(f"snapshot-{snapshot_key('adminrole', world.env)}"):
        found = imported(world, "load", "adminrole", status=4)
    assert "filelock" in found
    assert found & {"boto3", "botocore", "urllib3"} == set()


def test_the_crt_is_imported_for_aws_login_only(world: World) -> None:
    """Botocore takes the native library wherever it is installed, as here; only `aws login` has a use for it."""
    world.role("adminrole", mfa=False)
    world.login_profile("me", life=60)  # to be refreshed, for which it is needed
    for words in (["load", "--envrc"], ["login", "--force"], ["credential-process"]):
        assert "botocore.session" in (found := imported(world, *words, "adminrole")), words
        assert "_awscrt" not in found, words
        world.run("awsdirenv", "clear", "--all").check_returncode()
    assert "_awscrt" in imported(world, "load", "--envrc", "me")


def test_a_client_looks_for_no_other_service(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself botocore lists the folders of all services, to know one by its name."""
    looked, listdir = [], os.listdir

    def look(folder: str) -> list[str]:
        looked.append(Path(folder).name)
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", look)
    loader = boto_session(load_files(world.env), "base").get_component("data_loader")
    assert loader.load_service_model("sts", "service-2")["metadata"]["serviceId"] == "STS"
    assert set(looked) == {"sts"}


def test_the_measure_measures(world: World) -> None:
    """A load that calls STS does import botocore, so that the tests above would notice it."""
    world.role("adminrole", mfa=False)
    assert {"botocore", "filelock"} <= imported(world, "load", "adminrole")
