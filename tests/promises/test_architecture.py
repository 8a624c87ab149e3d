"""The shape of the house: imports go down, each effect has one owner, nothing is imported before its time."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import awsdirenv
from awsdirenv.aws.botocore_session import boto_session
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.config.aws_files import load_files
from awsdirenv.system.lock import Locks
from documents import ROOT, parsed
from interpreter import SLOW, imported
from world import BIN, World

PACKAGE = Path(awsdirenv.__file__).parent
# From the ground up: a module imports from its own floor or a lower one. What stands in the root is the ground, open to
# all, but for the two ways in, which are above everything.
FLOORS = ("system", "config", "cache", "aws", "shell", "refresh", "reports", "api", "cli", "__main__")
GROUND = {"errors", "records", "session_credentials"}
# What is slow, or an effect of one place alone. `aws` is a floor, the others are modules.
OWNERS = {
    "botocore": {"aws", "config.aws_files"},
    "boto3": {"aws.boto3_provider"},
    "filelock": {"system.lock"},
    "dotenv": {"config.dotenv"},
    "keyring": {"system.keychain"},
    "moto": {"cli.commands.demo"},
    "pexpect": {"cli.commands.demo"},
}
LONGEST_MODULE, LONGEST_FUNCTION = 400, 40  # lines
MOST_FOLDERS, MOST_FILES = 9, 7  # of the package's root

Sources = dict[str, str]  # of modules, by their dotted name below the package


def sources() -> Sources:
    """Read every module but the floors' charters."""
    paths = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("*.py")}
    return {
        ".".join(path.with_suffix("").parts): full.read_text(encoding="utf-8")
        for path, full in sorted(paths.items())
        if path.name != "__init__.py"
    }


MODULES = sources()


def floor(module: str) -> int:
    """Give how high a module stands; the ground is -1."""
    root = module.partition(".")[0]
    return -1 if root in GROUND else FLOORS.index(root)


@functools.cache
def runtime_nodes(source: str) -> list[ast.AST]:
    """Give what runs: not what is imported for types only."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [parsed(source)]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
    return found


def imports(source: str, modules: Sources) -> Iterator[tuple[str, str | None]]:
    """Give every import, wherever in a module: what is imported, and which name of it. Ours without `awsdirenv.`."""
    for node in runtime_nodes(source):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            origin = node.module or ""
            for alias in node.names:
                ours = f"{origin}.{alias.name}".removeprefix("awsdirenv.")
                if origin.partition(".")[0] != "awsdirenv":
                    yield origin, alias.name
                elif ours in modules:
                    yield ours, None
                elif origin != "awsdirenv":
                    yield origin.removeprefix("awsdirenv."), alias.name


def below(module: str, modules: Sources) -> set[str]:
    """Give the modules of ours that a module imports."""
    return {name for name, _ in imports(modules[module], modules) if name in modules}


def upward_imports(modules: Sources) -> set[str]:
    """Point 1: a module imports from its own floor or from a lower one."""
    return {f"{a} -> {b}" for a in modules for b in below(a, modules) if floor(b) > floor(a)}


def cycles(modules: Sources) -> set[str]:
    """Point 2: no module imports itself, however many others are in between."""
    reached = {name: below(name, modules) for name in modules}
    for between in modules:
        for name in modules:
            if between in reached[name]:
                reached[name] = reached[name] | reached[between]
    return {name for name in modules if name in reached[name]}


def private_imports(modules: Sources) -> set[str]:
    """Point 3: a name with a leading underscore is its module's own, also as an attribute of the module."""
    found = {
        f"{module}: {name}"
        for module, source in modules.items()
        for origin, name in imports(source, modules)
        if origin in modules and name and name.startswith("_") and not name.startswith("__")
    }
    for module, source in modules.items():
        leaves = {name.rpartition(".")[2] for name in below(module, modules)}
        for node in ast.walk(parsed(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in leaves:
                found |= {f"{module}: {node.attr}"} if node.attr.startswith("_") else set()
    return found


def strangers_imports(modules: Sources) -> set[str]:
    """Point 4: only its owner imports a dependency."""
    return {
        f"{module}: {root}"
        for module, source in modules.items()
        for root in {name.partition(".")[0] for name, _ in imports(source, modules)} & OWNERS.keys()
        if not {module, module.partition(".")[0]} & OWNERS[root]
    }


EFFECTS = {"os.environ", "os.environb", "os.getenv", "print", "input", "sys.exit", "exit", "os._exit"}
EFFECTS |= {"sys.stdout", "sys.stderr", "sys.stdin", "sys.argv"}


def effects(modules: Sources) -> set[str]:
    """Point 5: only the command line and its like print, exit, or read the environment; others are handed it."""
    found = set()
    for module, source in modules.items():
        if module.partition(".")[0] in ("cli", "__main__"):
            continue
        for node in runtime_nodes(source):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add((module, f"{node.value.id}.{node.attr}"))
            elif isinstance(node, ast.Name):
                found.add((module, node.id))
            elif isinstance(node, ast.ImportFrom):
                found |= {(module, f"{node.module}.{alias.name}") for alias in node.names}
    # The callers of `api` are programs, and their environment is the one that counts.
    return {f"{module}: {name}" for module, name in found - {("api", "os.environ")} if name in EFFECTS}


def test_the_root_reads_as_a_plan() -> None:
    """The package's root has few folders and files, and each folder says in one sentence what it is for."""
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    folders = [path for path in entries if path.is_dir()]
    assert len(folders) <= MOST_FOLDERS
    assert len(entries) - len(folders) <= MOST_FILES
    charters = [path.parent / "__init__.py" for path in PACKAGE.rglob("*.py")]
    for charter in set(charters) - {PACKAGE / "__init__.py"}:
        tree = parsed(charter.read_text(encoding="utf-8"))
        assert len(tree.body) == 1, f"{charter} has more than its charter"
        assert re.fullmatch(r"[^\n]*\.", ast.get_docstring(tree) or ""), charter


def test_imports_go_down() -> None:
    """A module imports from its own floor or from a lower one."""
    assert upward_imports(MODULES) == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    """There is no circle of imports, not even of such as are made when a function is called."""
    assert cycles(MODULES) == set()


def test_private_names_stay_at_home() -> None:
    """No module uses another one's private names."""
    assert private_imports(MODULES) == set()


def test_each_dependency_has_its_owner() -> None:
    """Only the owner of a dependency imports it, and its owner really does."""
    assert strangers_imports(MODULES) == set()
    for dependency, owners in OWNERS.items():
        for owner in owners:
            inside = [source for name, source in MODULES.items() if name == owner or name.startswith(f"{owner}.")]
            roots = {name.partition(".")[0] for source in inside for name, _ in imports(source, MODULES)}
            assert dependency in roots, f"{owner} owns {dependency} and has no use for it"


def test_only_the_command_line_speaks() -> None:
    """Only the command line and its like print, exit, or read the environment."""
    assert effects(MODULES) == set()


@pytest.mark.parametrize(
    ("rule", "module", "line"),
    [
        (upward_imports, "system.lock", "from awsdirenv.refresh import loader"),
        (upward_imports, "errors", "from awsdirenv.system.text import printable"),
        (upward_imports, "config.chain", "def f():\n    from awsdirenv.cache.layout import CachePaths"),
        (cycles, "config.aws_files", "from awsdirenv.config.resolve import resolve_chain"),
        (cycles, "system.text", "def f():\n    from awsdirenv.system import tty"),
        (private_imports, "refresh.loader", "from awsdirenv.system.lock import _POLL"),
        (private_imports, "refresh.loader", "from awsdirenv.system import lock\nlock._POLL"),
        (strangers_imports, "refresh.loader", "import botocore.session"),
        (strangers_imports, "aws.sts", "def f():\n    from boto3 import Session"),
        (strangers_imports, "cli.main", "from filelock import FileLock"),
        (strangers_imports, "cli.commands.keys", "def f():\n    import keyring"),
        (strangers_imports, "config.settings", "from dotenv import dotenv_values"),
        (effects, "refresh.loader", "import os\nos.environ['HOME']"),
        (effects, "api", "print()"),
        (effects, "system.tty", "from sys import exit"),
    ],
)
def test_a_breach_is_noticed(rule: object, module: str, line: str) -> None:
    """Each point of the rule fails where it is broken on purpose."""
    assert callable(rule)
    assert rule(MODULES | {module: f"{MODULES[module]}\n{line}\n"}) - rule(MODULES) != set()


TESTS = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


def imported_tests(source: str) -> set[str]:
    """Give the test modules that a module imports; what several of them need stands in tests/support."""
    stems = {path.stem for path in TESTS} | {"conftest"}
    return {name for name, _ in imports(source, {}) if stems & set(name.split("."))}


def test_no_test_imports_another() -> None:
    """A test module imports no other test module."""
    assert {str(path): found for path, source in TESTS.items() if (found := imported_tests(source))} == {}


def test_an_import_between_tests_is_noticed() -> None:
    """It is, wherever it stands in a module, and with the folders before the name."""
    assert imported_tests("def f():\n    from test_cli import x") == {"test_cli"}
    assert imported_tests("import tests.shells.test_cli") == {"tests.shells.test_cli"}


def skips(source: str) -> bool:
    """Tell whether a module skips tests, or expects them to fail."""
    ways = {"skip", "skipif", "importorskip", "xfail"}
    return any(isinstance(node, ast.Attribute) and node.attr in ways for node in ast.walk(parsed(source)))


def test_nothing_is_skipped_in_silence() -> None:
    """What cannot be run here says so by support/container.py, which lets nothing be skipped in CI."""
    assert [path.name for path in (ROOT / "tests").rglob("*.py") if skips(path.read_text("utf-8"))] == ["container.py"]


def is_called(source: str, name: str) -> bool:
    """Tell whether a function of this name is called anywhere."""
    return any(isinstance(n, ast.Call) and ast.unparse(n.func) == name for n in ast.walk(parsed(source)))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_evaluated(module: str) -> None:
    """No module evaluates text as Python, and none unpickles."""
    source = MODULES[module]
    assert not any(is_called(source, name) for name in ("eval", "exec", "compile", "__import__"))
    assert not {"pickle", "marshal", "shelve"} & {name for name, _ in imports(source, MODULES)}


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    """A module is read in one go: it has at most 400 lines, and a function at most 40, without its decorators."""
    assert len(MODULES[module].splitlines()) <= LONGEST_MODULE
    functions = [n for n in ast.walk(parsed(MODULES[module])) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [n.name for n in functions if (n.end_lineno or n.lineno) - n.lineno >= LONGEST_FUNCTION] == []


MOST_LOADED = 12  # modules of ours
TELLING = (
    "import os, sys; os._exit = lambda status: sys.exit('\\n'.join([*sys.modules, str(status)]));"
    "from awsdirenv.__main__ import main; main()"
)


def loaded(world: World, *words: str) -> set[str]:
    """Run our command in a process of its own and give the modules of ours that are loaded at its end, as MODULES."""
    done = world.run(str(BIN / "python"), "-c", TELLING, *words)
    *names, status = done.stderr.splitlines()
    assert status == "0", done.stderr
    return {name.removeprefix("awsdirenv.") for name in names if name.removeprefix("awsdirenv.") in MODULES}


COMMANDS = {name for name in MODULES if name.startswith("cli.commands.")}


@pytest.mark.parametrize("words", ["--version", "prompt", "hook bash", "hook fish"])
def test_a_light_command_loads_little(world: World, words: str) -> None:
    """Point 6: what a prompt or a start-up file runs loads at most twelve modules of ours."""
    assert {"cli.main", "__main__"} <= (found := loaded(world, *words.split()))
    assert len(found) <= MOST_LOADED


def test_completion_loads_the_commands_and_little_else(world: World) -> None:
    """Point 6: a completion script is made from the files of all commands, and at most twelve other modules of ours."""
    found = loaded(world, "completion", "bash")
    assert found >= COMMANDS
    assert len(found - COMMANDS) <= MOST_LOADED


@pytest.mark.parametrize("words", ["status", "status --json", "prompt", "list", "export adminrole", "hook zsh"])
def test_only_the_command_that_runs_is_loaded(fresh: World, words: str) -> None:
    """Of the commands only the one that runs is loaded."""
    assert loaded(fresh, *words.split()) & COMMANDS == {f"cli.commands.{words.split(maxsplit=1)[0]}"}


def test_status_knows_no_aws(fresh: World) -> None:
    """Point 6: status, with credentials to show, loads nothing of `aws`, and nothing slow."""
    assert not {name for name in loaded(fresh, "status") if floor(name) == floor("aws.sts")}
    assert imported(fresh, "status") & SLOW == set()


def test_a_command_is_its_file(world: World, tmp_path: Path) -> None:
    """A file in `cli/commands` is a command, with help and completion; without the file there is no such command."""
    copy = tmp_path / "awsdirenv"
    shutil.copytree(PACKAGE, copy)
    (copy / "cli" / "commands" / "list.py").unlink()
    (copy / "cli" / "commands" / "say_hello.py").write_text(
        '"""Greet somebody."""\nPOSITION = 1\nGROUP = "set up"\n\n'
        "def arguments(parser):\n    parser.add_argument('--loud', action='store_true')\n\n"
        "def run(options):\n    print('HELLO' if options.loud else 'hello')\n    return 7\n"
    )

    def ours(*words: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from awsdirenv.__main__ import main; main()"
        return world.run(str(BIN / "python"), "-I", "-c", code, *words)

    names = re.findall(r"^  ([a-z-]+) ", ours("--help").stdout, re.MULTILINE)
    assert (names[0], "list" in names, "status" in names) == ("say-hello", False, True)
    assert "greet somebody" in ours("--help").stdout
    script = ours("completion", "bash").stdout
    assert "'say-hello options') place=(choices -h --help --loud)" in script
    assert "'list options'" not in script
    assert (ours("say-hello", "--loud").stdout, ours("say-hello").returncode) == ("HELLO\n", 7)
    assert "there is no command list" in ours("list").stderr
    assert "there is no command say_hello" in ours("say_hello").stderr


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
