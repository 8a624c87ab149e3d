"""Commands that messages show: what is pasted into bash, zsh or fish does what it says, whatever the profile's name."""

from __future__ import annotations

import ast
import re
import shlex
import string
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import awsdirenv
from awsdirenv.system.text import aws_command, command_line, login_command, shell_word, unset_command
from documents import parsed
from recorders import RUN, recorded, recorders
from shells import SHELLS, Shell
from world import UTF8, World, told

PACKAGE = Path(awsdirenv.__file__).parent
EXTENSION = PACKAGE.parent / "direnvrc.d"
PARTS = sorted({*EXTENSION.glob("*.sh")} - {EXTENSION / "credential-process.sh"})  # which is a program
READ_ALL = "_ad_parts=; " + " ".join(f"source {path};" for path in PARTS)

HOSTILE = [
    *(
        "-dash",
        "--",
        "-h",
        "-a b",
        "a b",
        "it's",
        'a"b',
        "back\\slash",
        "end\\",
        "\\'",
        "'\\",
        "\\\\two",
        "$HOME",
        "!x",
    ),
    *(
        "a!b",
        "it's !x",
        "!!",
        '"!x"',
        "*",
        "ä",
        "=cat",
        "%self",
        "#x",
        "~",
        "~root",
        "a;b",
        "%d",
        "`x`",
        "(x)",
        "{a,b}",
    ),
    *("a&b", "<a>", "a|b", "[a-z]", "?", "^a^b", "$(touch pwned)", "a  b", "''", "-'", "日本", "a=~", "@x", "\u00a0"),
]


def printed(shell: str, words: Sequence[str]) -> list[str]:
    """Give the arguments that a program gets from a line with these words in it."""
    script = f"printf '%s\\0' {' '.join(words)}"
    done = subprocess.run(
        [*RUN[shell], script], capture_output=True, check=True, env={"LANG": UTF8, "PATH": "/usr/bin:/bin"}
    )
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", RUN)
def test_a_word_is_itself_in_every_shell(shell: str) -> None:
    """Hostile names, every printable character alone, at either end and doubled: each shell hands on just that."""
    characters = [char for char in string.printable if char.isprintable()]
    names = [*HOSTILE, *characters, *(f"{c}a" for c in characters), *(f"a{c}" for c in characters)]
    names += [f"{a}{b}" for a in "\\'\"!$-=%~ " for b in characters]
    assert printed(shell, [shell_word(name) for name in names]) == names


def test_an_ordinary_word_is_not_quoted() -> None:
    """What messages have shown without quotes they still do."""
    for name in ("adminrole", "a.b_c-d", "acme/prod@eu", "a=b", "50%", "/home/me/.aws/config", "x:y,z+1"):
        assert shell_word(name) == name
    assert login_command("adminrole") == "awsdirenv login adminrole"
    assert aws_command("aws login", "adminrole") == "aws login --profile adminrole"


def test_the_extension_quotes_alike() -> None:
    """The bash in our extension quotes a name as Python does."""
    script = f'{READ_ALL} for name in "$@"; do _awsdirenv_quote "$name"; printf "%s\\0" "$_ad_reply"; done'
    done = subprocess.run(["bash", "-c", script, "x", *HOSTILE], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [shell_word(name) for name in HOSTILE]


@pytest.mark.parametrize("kind", SHELLS)
def test_pasted_at_a_prompt(world: World, kind: str) -> None:
    """At an interactive prompt, where `!` is the history, each kind of command gets the very name or path."""
    folder = recorders(world, "awsdirenv", "aws", "rm", "direnv")
    expected: list[list[str]] = []
    with Shell(world, kind) as shell:
        shell.run(f"set -gx PATH {folder} $PATH" if kind == "fish" else f"PATH={folder}:$PATH")
        shell.run("echo x y z")  # for the history to have something
        for name in HOSTILE:
            dashes = ["--"] if name.startswith("-") else []
            shell.run(login_command(name))
            shell.run(aws_command("aws login", name))
            shell.run(command_line("rm", f"/nowhere/{name}"))
            option = [f"--profile={name}"] if dashes else ["--profile", name]
            expected += [["awsdirenv", "login", *dashes, name], ["aws", "login", *option], ["rm", f"/nowhere/{name}"]]
    assert recorded(world) == expected


@pytest.mark.parametrize("kind", SHELLS)
def test_unset(kind: str) -> None:
    """Variables go out in every shell by the part of the hint that is for it."""
    for_others, _, for_fish = unset_command("AWS_PROFILE", "AWS_DEFAULT_PROFILE").partition("; in fish: ")
    script = f"{for_fish if kind == 'fish' else for_others}; env"
    env = {"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b", "AWS_REGION": "c", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*RUN[kind], script], env=env, capture_output=True, text=True, check=True)
    assert {line.partition("=")[0] for line in done.stdout.splitlines() if line.startswith("AWS_")} == {"AWS_REGION"}


def unowned(tree: ast.Module) -> Iterator[str]:
    """Give texts that put something behind a command by themselves, without quoting it."""
    verbs = re.compile(
        r"(?:\b(?:awsdirenv (?:login|clear|exec|init|load|explain|export|console)|aws [a-z-]+(?: [a-z-]+)*|direnv allow"
        r"|use aws_profile)|(?:^|\W)(?:rm|chmod|ls|head|cat|cd|source|unset)(?: (?:-\w+|\d+|\w\+\w))*)"
        r"(?: --profile)? ['\"]?$"
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for before, part in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(before, ast.Constant)
                    and isinstance(part, ast.FormattedValue)
                    and verbs.search(str(before.value))
                ):
                    yield ast.unparse(node)


def test_one_place_makes_commands() -> None:
    """No other module puts a name or a path behind a command: it would have to think of quotes and dashes."""
    assert list(unowned(parsed('f"awsdirenv login {name}"'))) != []
    assert list(unowned(parsed('f"see it: chmod u+r {path}"'))) != []
    own = {
        PACKAGE / "system" / "text.py",
        PACKAGE / "cli" / "commands" / "demo.py",
        PACKAGE / "cli" / "commands" / "export.py",
    }
    found = [
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path not in own
        for text in unowned(parsed(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize("name", ["-dash", "a b's", "back\\slash"])
def test_the_hint_of_a_closed_directory(world: World, name: str) -> None:
    """The command that a closed directory shows, run by each shell, logs in to just this profile."""
    quoted = name.replace("\\", "\\\\")
    world.role(f'"{quoted}"' if name != "-dash" else name)
    folder = world.project("closed", f"use aws_profile -- {shlex.quote(name)}\n")
    changes, said = world.enter(folder)
    hint = told(said)[1].removeprefix("awsdirenv: hint: ")
    assert hint == login_command(name)
    inside = {key: value for key, value in changes.items() if value is not None}
    for shell in SHELLS:
        done = world.process(*RUN[shell], hint, cwd=folder, **inside)
        assert f"profile {name} needs an MFA code" in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["a b", "it's", "back\\slash", "-dash", "--"])
def test_the_hint_of_a_line(name: str) -> None:
    """Where an option of the line is wrong, the line that is shown is right, and has the very name."""
    script = f"""{READ_ALL} _ad_declared=$1 REPLY=
      shown=$(_awsdirenv_refuse_line message '--region eu-west-1' 2>&1); shown=${{shown##*hint: use aws_profile }}
      _ad_declared= _ad_has_profile= _ad_option_region=; eval "_awsdirenv_parse_arguments $shown"
      printf '%s\\0' "$_ad_declared" "$_ad_option_region" """
    done = subprocess.run(["bash", "-c", script, "x", name], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [name, "eu-west-1"]
