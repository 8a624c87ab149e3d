"""A Python of the extension that is forked is like one that is started: what it does, what it hands on, how it ends."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from shells import SHELLS, Shell
from warm import variables
from world import World

FACTS = r"""#!/bin/bash
{
  env | grep -v '^\(BASH_ENV\|_\|SHLVL\|PATH\|DIRENV_[A-Z_]*\)=' | sort
  umask; pwd; ulimit -a; nice
  grep '^Sig[BIC]\|^Cpus_allowed:' /proc/self/status
  readlink /proc/self/fd/{0,2} | tr -d '[:digit:]'; ls /proc/self/fd | wc -l
  tr -s '\0' '\n' </proc/$PPID/cmdline | sed 's/^--evaluation=.*/--evaluation/'
  echo; read -r _ _ _ parent _ </proc/$PPID/stat; tr '\0' '\n' </proc/$parent/cmdline
} >$FACTS
"""


def evaluated(world: World, folder: Path, *, is_cold: bool, **env: str) -> tuple[dict[str, str | None], str]:
    """Evaluate as if nothing were stored; give the changes but for what differs each time, and what was said."""
    world.is_cold = is_cold
    for path in (*world.cache.glob("snapshots/*"), *world.cache.glob("sessions/*"), *world.cache.glob("marks/*")):
        path.unlink()
    changes, said = world.enter(folder, **env)
    varying = ("DIRENV_", "AWSDIRENV_LOADED", "AWSDIRENV_KEY_ID", "AWS_ACCESS_KEY_ID", "AWS_SECRET", "AWS_SESSION")
    times = ("AWS_CREDENTIAL_EXPIRATION", "AWSDIRENV_REFRESH_AT")
    return {name: value for name, value in changes.items() if not name.startswith(varying + times)}, said


def test_what_a_program_finds(world: World) -> None:
    """A program that a load runs has the same environment, folder, mask, limits, signals and files."""
    world.profile("start", credential_process=world.program("facts", f"{FACTS}exit 1"))
    found = []
    for is_cold in (True, False):
        facts = world.root / f"facts-{is_cold}"
        folder = world.project("p", 'umask 027\nexport MINE="a\nb"\nuse aws_profile start\n')
        said = evaluated(world, folder, is_cold=is_cold, FACTS=str(facts), MORE="\udcff")[1]
        assert "awsdirenv: error: " in said
        text, _, starter = facts.read_text(encoding="utf-8", errors="surrogateescape").rpartition("\n\n")
        assert ("warm_server" in starter) != is_cold, "the real one is real, and the other one is forked"
        found.append([*text.replace(str(facts), "").splitlines(), *said.splitlines()])
    assert found[0] == found[1]


AT_A_TERMINAL = r"""#!/bin/bash
{
  env | grep -v '^\(BASH_ENV\|_\|SHLVL\|PATH\|DIRENV_[A-Z_]*\)=' | sort
  umask; pwd; ulimit -a; grep '^Sig[BIC]' /proc/self/status
  read -r stat </proc/$PPID/stat
  set -- ${stat##*) }
  [[ $3 == $6 ]] && echo "in the foreground"
  [[ $4 == $SHELL_PID ]] && echo "in the session of the shell"
  stty -a </dev/tty
  tr -s '\0' '\n' </proc/$PPID/cmdline | sed 's/^--evaluation=.*/--evaluation/'
  echo; cat /proc/$2/cmdline
} >$FACTS
exit 1
"""


@pytest.mark.parametrize("kind", SHELLS)
@pytest.mark.parametrize("way", ["awsdirenv load start", "direnv reload"])
def test_what_a_program_finds_at_a_terminal(world: World, kind: str, way: str) -> None:
    """A program that a command runs at a terminal is in the shell's session, in the foreground, as below a real one."""
    world.profile("start", credential_process=world.program("facts", AT_A_TERMINAL))
    found = []
    for is_cold in (True, False):
        world.is_cold = is_cold
        facts = world.root / f"facts-{is_cold}"
        folder = world.project("p", "use aws_profile start\n" if way == "direnv reload" else "")
        with Shell(world, kind, FACTS=str(facts)) as shell:
            name = {"fish": "set -x SHELL_PID"}.get(kind, "export SHELL_PID=")
            shell.run(f"{name} {shell.pid}" if kind == "fish" else f"{name}{shell.pid}")
            shell.run(f"cd {folder}")
            shell.run(way)
            pid = str(shell.pid)
        text, _, starter = facts.read_text(encoding="utf-8").rpartition("\n\n")
        assert ("warm_server" in starter) != is_cold
        assert "in the foreground" in text
        assert "in the session of the shell" in text
        # The C library keeps signal 32 to itself, and some fish ignores it for its children.
        text = re.sub(
            r"(?<=\t)[0-9a-f]{16}$", lambda bits: f"{int(bits[0], 16) & 0x7FFFFFFF:x}", text, flags=re.MULTILINE
        )
        # By which name of its Python a program of ours starts, the installer decides.
        text = text.replace("/bin/python3\n", "/bin/python\n")
        found.append(text.replace(str(facts), "").replace(pid, "").splitlines())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "line",
    ["plain", "plain --live", "plain --account 1", "nothere", "base --no-session", "coded", "plain --min-life x"],
)
def test_what_a_directory_gets(world: World, line: str) -> None:
    """An evaluation makes the same of a line, and says the same."""
    world.role("plain", mfa=False)
    world.role("coded")
    folder = world.project("p", f"use aws_profile {line}\n")
    assert evaluated(world, folder, is_cold=False) == evaluated(world, folder, is_cold=True)


@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT"])
def test_how_it_ends(world: World, signal: str) -> None:
    """The end by a signal is that of the process for which it stands."""
    world.profile("start", credential_process=world.program("end", f"kill -{signal} $PPID; sleep 1; exit 1"))
    folder = world.project("p", "use aws_profile start\n")
    warm, cold = (evaluated(world, folder, is_cold=is_cold) for is_cold in (False, True))
    assert warm == cold
    assert ("ended by signal" in warm[1]) == (signal != "INT")


def test_another_command_of_that_interpreter(world: World) -> None:
    """What is no load of ours is started as it is."""
    folder = world.project("p", 'export SAID=$("$PYTHON" -c "import sys; print(sys.argv[1:])" load)\n')
    world.is_cold = False
    assert "BASH_ENV" in variables()
    assert world.enter(folder, PYTHON=sys.executable)[0]["SAID"] == "['load']"


@pytest.mark.parametrize(
    ("around", "is_forked"),
    [
        ("", True),
        ("ulimit -n 200;", False),
        pytest.param("setpriv --bounding-set=-all --inh-caps=-all", False, marks=pytest.mark.needs("root")),
        pytest.param("unshare --net", False, marks=pytest.mark.needs("network namespaces")),
        pytest.param("unshare --mount", False, marks=pytest.mark.needs("mounts")),
    ],
)
def test_what_a_fork_would_not_share(world: World, around: str, is_forked: bool) -> None:  # noqa: FBT001
    """With other limits, rights, networks or mounts than the tests' own, the real one is started."""
    world.profile("start", credential_process=world.program("facts", f"{FACTS}exit 1"))
    facts = world.root / "facts"
    world.run("sh", "-c", f"{around} awsdirenv load start", FACTS=str(facts))
    assert ("warm_server" in facts.read_text(encoding="utf-8").rpartition("\n\n")[2]) == is_forked


@pytest.mark.parametrize(
    "words",
    [
        ("sts", "get-caller-identity", "--profile", "start"),
        ("sts", "get-caller-identity", "--profile", "plain", "--query", "Arn", "--output", "text"),
        ("sts", "get-caller-identity", "--profile", "nothere"),
        ("sts", "nothing"),
        ("--version",),
    ],
)
def test_the_aws_cli(world: World, words: tuple[str, ...]) -> None:
    """A forked AWS CLI does, says and hands on what a new one does, and keeps a role's session in the same place."""
    world.role("plain", mfa=False)
    world.profile("start", credential_process=world.program("facts", f"{FACTS}exit 1"))
    found = []
    for is_cold in (True, False):
        world.is_cold = is_cold
        facts = world.root / f"facts-{is_cold}"
        done = world.process("aws", *words, FACTS=str(facts))
        text, _, starter = facts.read_text(encoding="utf-8").rpartition("\n\n") if facts.exists() else ("", "", "")
        assert "warm_aws" not in starter if is_cold else "warm_aws" in starter or not text
        cached = world.home / ".aws" / "cli" / "cache"
        said = re.sub(r"awsdirenv-session-\d+|botocore-session-\d+", "", done.stdout), done.stderr, done.returncode
        found.append((said, text.replace(str(facts), ""), len(list(cached.glob("*")))))
        for path in cached.glob("*"):
            path.unlink()
    assert found[0] == found[1]
