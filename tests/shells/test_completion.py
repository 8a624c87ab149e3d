"""The completion scripts, each in its real shell: what a Tab offers, what it inserts, and what it never runs."""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from awsdirenv.cli.main import parser
from awsdirenv.config.aws_files import load_files
from awsdirenv.shell import completion
from awsdirenv.shell.completion import script
from terminal import Terminal
from world import UTF8, World

SHELLS = ("bash", "zsh", "fish")
TEMPLATES = Path(completion.__file__).parent / "scripts" / "completions"
STRICT = {
    "bash": ["bash", "--norc", "-euo", "pipefail", "-c"],
    "zsh": ["zsh", "-f", "-eu", "-c"],
    "fish": ["fish", "--no-config", "--features", "qmark-noglob", "-c"],  # as in fish 4, where ? is no wildcard
}
INTERACTIVE = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'",
    ),
    "zsh": (["zsh", "-f", "-i"], "unsetopt zle_bracketed_paste beep; autoload -Uz compinit; compinit -u -D"),
    "fish": (["fish", "--no-config", "-i"], "true"),
}
# One of each trap, told apart by the first letter, so that a letter and a Tab make it.
HOSTILE = (
    "a b",
    "b's",
    'c"d',
    "d$(touch pwned)",
    "e`touch pwned`",
    "f;touch pwned",
    "g&touch pwned",
    "h!1",
    "i*",
    "j\\k",
    "k:l:m",
    "m=n",
    "n~",
    "o#p",
    "p|q",
    "q{r,s}",
    "r<s>t",
    "s%s%d",
    "t@u",
    "ü ï'\"",
    "v[w]",
    "w$HOME",
    "x/../y z",
    "y\\'z\\\"",
    "z  two  spaces",
)


def headers(names: tuple[str, ...]) -> str:
    """Write a config file with these profiles, as a person who knows botocore's quoting does."""
    quoted = ('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    return "".join(f"[profile {name}]\nregion = eu-west-1\n" for name in quoted)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the three scripts."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        (folder / shell).write_text(script(shell, parser()), encoding="utf-8")
    return {shell: folder / shell for shell in SHELLS}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Make a home, and a PATH that has awk but no Python, and an `awsdirenv` that only says what it was given."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("awk", "sh"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    stub = tools / "awsdirenv"
    stub.write_text("#!/bin/sh\nprintf 'GOT'; printf '<%s>' \"$@\"; printf 'END\\n'\n", encoding="utf-8")
    stub.chmod(0o755)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\n[profile adminrole]\n[profile other]\n", encoding="utf-8")
    (tmp_path / ".aws" / "credentials").write_text("[base]\n[default]\n", encoding="utf-8")
    return {"HOME": str(tmp_path), "PATH": str(tools), "TERM": "xterm", "LC_ALL": UTF8}


def evaluate(shell: str, code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run code in a strict shell, in the home."""
    command = [shutil.which(shell) or shell, *STRICT[shell][1:], code]
    return subprocess.run(command, env=env, cwd=env["HOME"], capture_output=True, text=True, timeout=30, check=False)


def offered(shell: str, path: Path, words: list[str], env: dict[str, str]) -> list[str]:
    """Give what bash's function or fish itself offers for the last word, without descriptions; each must be silent."""
    if shell == "bash":
        listed = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
        code = f". '{path}'; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _awsdirenv"
        code += "; ((!${#COMPREPLY[@]})) || printf '%s\\n' \"${COMPREPLY[@]}\""
    else:
        code = f"source '{path}'; complete -C '{' '.join(words)}'"
    done = evaluate(shell, code, env)
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


class Keyboard:
    """An interactive shell in a terminal, where what was completed is then run by `awsdirenv`, which says its words."""

    def __init__(self, shell: str, path: Path, env: dict[str, str]) -> None:
        command, setup = INTERACTIVE[shell]
        self.child = Terminal(
            shutil.which(shell) or shell,
            command[1:],
            env={**env, "HISTFILE": "/dev/null", "ZDOTDIR": env["HOME"]},
            cwd=env["HOME"],
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 250),
        )
        self.child.delaybeforesend = 0.01
        self.child.send(f"{setup}; source '{path}'; awsdirenv re''ady\r")
        self.child.expect_exact("GOT<ready>END")

    def words_of(self, typed: str) -> str:
        """Type, press Tab and Enter, and give the words that the command then got."""
        self.child.send(f"{typed}\t\r")
        self.child.expect(r"GOT(<[^\r]*>)END")
        return str(self.child.match.group(1)) if isinstance(self.child.match, re.Match) else ""


@pytest.fixture(params=SHELLS)
def keyboard(request: pytest.FixtureRequest, scripts: dict[str, Path], env: dict[str, str]) -> Iterator[Keyboard]:
    """Start each interactive shell in turn, in a home with hostile profiles."""
    (Path(env["HOME"]) / ".aws" / "config").write_text(headers(HOSTILE), encoding="utf-8")
    (Path(env["HOME"]) / "my file.json").touch()
    (Path(env["HOME"]) / "adminrole").mkdir()
    (Path(env["HOME"]) / ".aws" / "credentials").write_text("[l]\n[u]\n", encoding="utf-8")
    started = Keyboard(request.param, scripts[request.param], env)
    yield started
    started.child.close(force=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_sourcing_is_silent(shell: str, scripts: dict[str, Path], env: dict[str, str]) -> None:
    """The script of each shell says nothing and succeeds when it is sourced, twice, under the strictest options."""
    done = evaluate(shell, f"source '{scripts[shell]}'; source '{scripts[shell]}'", env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_left_to_fill_in(shell: str, scripts: dict[str, Path]) -> None:
    """No `@NAME@` of a template is still in a script."""
    assert re.findall("@[A-Z]+@", scripts[shell].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "command",
    [
        # SC2088 is about a tilde that stands in the value; the script that this becomes a part of says so.
        "shellcheck -e SC2088 awsdirenv.bash profiles.bash",
        "shfmt -i 2 -ci -d awsdirenv.bash profiles.bash",
        "zsh -n awsdirenv.zsh",
        "zsh -n profiles.bash",
        "fish -n awsdirenv.fish",
        "fish_indent --check awsdirenv.fish",
        "awk -f offer.awk -f profiles.awk /dev/null",
        "awk -f offer_bash.awk -f profiles.awk /dev/null",
    ],
)
def test_the_templates_are_code(command: str) -> None:
    """Each file is whole as it stands, so that the tools for its language can read it."""
    done = subprocess.run(command.split(), cwd=TEMPLATES, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_shellcheck_has_nothing_to_say(scripts: dict[str, Path]) -> None:
    """ShellCheck finds no fault in the bash script."""
    done = subprocess.run(["shellcheck", scripts["bash"]], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def shown_commands() -> set[str]:
    """Give the names of the commands that are not for our own use only."""
    return set(re.findall(r"^  ([a-z]\S+)  ", parser().format_help(), re.MULTILINE)) - {"use"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_every_command_is_offered(shell: str, scripts: dict[str, Path], env: dict[str, str]) -> None:
    """Every subcommand that the general help shows is offered as the first word, and nothing else is."""
    commands = shown_commands()
    assert sorted(offered(shell, scripts[shell], ["awsdirenv", ""], env)) == sorted(commands)


def test_zsh_lists_every_command_with_its_help(scripts: dict[str, Path], env: dict[str, str]) -> None:
    """In zsh a Tab shows every subcommand with the words that `--help` has for it."""
    started = Keyboard("zsh", scripts["zsh"], env)
    started.child.send("awsdirenv \t")
    for name in sorted(shown_commands()):
        started.child.expect(rf"{name} +-- [A-Z]")
    started.child.close(force=True)


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["awsdirenv", "lo"], ["login"]),
        (["awsdirenv", "login", ""], ["adminrole", "base", "default", "other"]),
        (["awsdirenv", "login", "--force", "a"], ["adminrole"]),
        (["awsdirenv", "login", "--token-code", ""], []),
        (["awsdirenv", "login", "--token-code", "1", "a"], ["adminrole"]),
        (["awsdirenv", "login", "adminrole", ""], []),
        (["awsdirenv", "login", "--", "--"], []),
        (["awsdirenv", "login", "--t"], ["--token-code"]),
        (["awsdirenv", "export", "--format", ""], ["dotenv", "env", "fish", "json", "powershell"]),
        (["awsdirenv", "export", "--format", "json", "o"], ["other"]),
        (["awsdirenv", "export", "--format=p"], ["--format=powershell"]),
        (["awsdirenv", "export", "o"], ["other"]),
        (["awsdirenv", "completion", ""], ["bash", "fish", "zsh"]),
        (["awsdirenv", "setup", ""], []),
        (["awsdirenv", "init", "a"], ["adminrole"]),
        (["awsdirenv", "init", "--migrate", "x", "y", "--w"], ["--write"]),
        (["awsdirenv", "init", "--migrate", "a"], []),
        (["awsdirenv", "init", "--migrate", "x", "a"], []),
        (["awsdirenv", "init", "--migrate", "x", "--write", "a"], ["adminrole"]),
        (["awsdirenv", "nonsense", ""], []),
        (["awsdirenv", "clear", "login", ""], []),
    ],
)
def test_offers(
    shell: str, words: list[str], expected: list[str], scripts: dict[str, Path], env: dict[str, str]
) -> None:
    """Commands, options, the choices of options and profiles are offered where each belongs, and nowhere else."""
    assert sorted(offered(shell, scripts[shell], words, env)) == expected


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_later_commands_appear_by_themselves(shell: str, tmp_path: Path, env: dict[str, str]) -> None:
    """A parser that this module has never seen is completed in full: the scripts know no command by name."""
    made = argparse.ArgumentParser(prog="awsdirenv")
    sub = made.add_subparsers().add_parser("teleport", help="go", description="Go elsewhere: fast [really], 100%.")
    sub.add_argument("planet", choices=("mars", "venus"))
    sub.add_argument("profiles", nargs="*", metavar="PROFILE")
    sub.add_argument("-s", "--speed", choices=("slow", "it's fast"), help="how 'fast' [m/s]: %(default)s")
    sub.add_argument("--secret", help=argparse.SUPPRESS)
    path = tmp_path / "script"
    path.write_text(script(shell, made), encoding="utf-8")

    def give(*words: str) -> list[str]:
        return sorted(offered(shell, path, ["awsdirenv", *words], env))

    assert give("t") == ["teleport"]
    assert give("teleport", "") == ["mars", "venus"]
    assert give("teleport", "-s", "slow", "m") == ["mars"]
    assert give("teleport", "mars", "base", "other", "a") == ["adminrole"]
    assert "it's fast" in give("teleport", "--speed", "")
    assert "--secret" not in give("teleport", "--s")


def test_zsh_takes_awkward_help(tmp_path: Path, env: dict[str, str]) -> None:
    """Brackets, colons, quotes and percent signs in help and choices leave zsh's completion whole."""
    made = argparse.ArgumentParser(prog="awsdirenv")
    sub = made.add_subparsers().add_parser("teleport", help="go", description="Go elsewhere: fast [really], 100%.")
    sub.add_argument("--speed", choices=("slow", "it's fast"), metavar="m:s", help="how 'fast' [m/s]: %(default)s")
    sub.add_argument("profiles", nargs="*", metavar="PROFILE")
    path = tmp_path / "script"
    path.write_text(script("zsh", made), encoding="utf-8")
    started = Keyboard("zsh", path, env)
    assert started.words_of("awsdirenv tele\tmars --sp\tit") == "<teleport><mars><--speed=it's fast>"
    assert started.words_of("awsdirenv tele\tbase other ad") == "<teleport><base><other><adminrole>"
    started.child.close(force=True)


def test_folders_behind_an_option(keyboard: Keyboard, env: dict[str, str]) -> None:
    """Where an option takes several folders, a Tab finishes each of them, and the next option."""
    for name in ("work", "other place"):
        (Path(env["HOME"]) / name).mkdir()
    words = keyboard.words_of("awsdirenv init --migrate wor\t oth\t --wri")
    assert words.replace("/>", ">") == "<init><--migrate><work><other place><--write>"


def test_tab_makes_words(keyboard: Keyboard, env: dict[str, str]) -> None:
    """In each interactive shell a letter and a Tab make the whole name, quoted so that it reaches us unchanged.

    This covers spaces, quotes, backslashes, unicode and everything that a shell would expand or run.
    """
    for name in HOSTILE:
        assert keyboard.words_of(f"awsdirenv login {name[0]}") == f"<login><{name}>"
    assert not (Path(env["HOME"]) / "pwned").exists()


def test_tab_goes_on_where_a_person_began(keyboard: Keyboard, env: dict[str, str]) -> None:
    """A name begun in quotes, with a backslash, or across a character that breaks words is finished all the same."""
    begun = {
        "'a ": "a b",
        '"a ': "a b",
        "a\\ ": "a b",
        "'d": "d$(touch pwned)",
        '"d': "d$(touch pwned)",
        '"e': "e`touch pwned`",
        '"c': 'c"d',
        '"j': "j\\k",
        "k:l": "k:l:m",
        "k:": "k:l:m",
        "k\\:l": "k:l:m",
        "m=": "m=n",
        "t@": "t@u",
        "t@u": "t@u",
        '"k:l': "k:l:m",
    }
    for typed, name in begun.items():
        assert keyboard.words_of(f"awsdirenv login {typed}") == f"<login><{name}>", typed
    assert not (Path(env["HOME"]) / "pwned").exists()


def test_tab_completes_the_rest_of_the_line(keyboard: Keyboard) -> None:
    """In each interactive shell commands, options, choices and file names with spaces are finished by a Tab, too."""
    assert keyboard.words_of("awsdirenv logi\tadm") == "<login><adm>"  # a folder of that name is no profile
    assert keyboard.words_of("awsdirenv comp\tfi") == "<completion><fish>"
    assert keyboard.words_of("awsdirenv export --format js") == "<export><--format><json>"
    assert keyboard.words_of("awsdirenv export --format=js") == "<export><--format=json>"
    assert keyboard.words_of("awsdirenv export --output my") == "<export><--output><my file.json>"
    assert keyboard.words_of("awsdirenv export --output=my") == "<export><--output=my file.json>"
    assert keyboard.words_of("awsdirenv login --forc") == "<login><--force>"


CONFIG = r"""
[default]
[profile plain]
[profile  spaced ]
[profile "two words"]
[profile 'single "quoted"']
[profile mixed" "and' 'joined]
[profile back\\slash\ blank]
[profile "dq \" \\ \$ \x"]
[profile two words unquoted]
[profile "unclosed]
[profile ""]
[profile trailing] ; a comment
[profile br]acket]
[profilex]
[ profile padded]
[sso-session mine]
[services local]
[plain-section]
[profile -option]
region = eu-west-1
s3 =
  [profile nested] = 1
# [profile commented]
[profile ünïcode-日本]
[profile crlf]
"""
CREDENTIALS = '[base]\n[default]\n[two words]\n[it\'s "so" \\ here]\n[profile odd]\n'


def test_the_list_is_botocores(scripts: dict[str, Path], env: dict[str, str]) -> None:
    """The scripts find just the profiles that botocore finds, but for names that no command line takes."""
    config, credentials = (Path(env["HOME"]) / ".aws" / name for name in ("config", "credentials"))
    config.write_bytes(CONFIG.replace("[profile crlf]\n", "[profile crlf]\r\n").encode())
    credentials.write_text(CREDENTIALS, encoding="utf-8")
    expected = {name for name in load_files(env).profiles if name and not name.startswith("-")}
    for shell in SHELLS:
        listing = "_awsdirenv_profiles" if shell != "fish" else "__awsdirenv_profiles"
        prefix = "" if shell == "fish" else "current='' head='' lead='' style=\"'\" "
        done = evaluate(shell, f"source '{scripts[shell]}'; {prefix}{listing}", env)
        names = [line.replace("'\\''", "'") if shell == "bash" else line for line in done.stdout.splitlines()]
        assert sorted(names) == sorted(expected), shell


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_control_characters_are_not_offered(shell: str, scripts: dict[str, Path], env: dict[str, str]) -> None:
    """A name with an escape sequence in it never reaches the terminal."""
    Path(env["HOME"], ".aws", "config").write_text('[profile "e\x1b[31m\x07"]\n[profile "t\tb"]\n', encoding="utf-8")
    assert sorted(offered(shell, scripts[shell], ["awsdirenv", "login", ""], env)) == ["base", "default"]


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize("place", ["absolute", "tilde", "relative", "odd", "missing", "empty", "folder"])
def test_awss_variables_are_honoured(shell: str, place: str, scripts: dict[str, Path], env: dict[str, str]) -> None:
    """AWS_CONFIG_FILE is followed as botocore follows it, whatever it names, and a file that is not there is silent."""
    home = Path(env["HOME"])
    (home / "a=b $(x)").write_text("[profile odd]\n", encoding="utf-8")
    values = {
        "absolute": f"{home}/a=b $(x)",
        "tilde": "~/a=b $(x)",
        "relative": "a=b $(x)",
        "odd": "./a=b $(x)",
        "missing": "/nowhere",
        "empty": "",
        "folder": str(home),
    }
    names = offered(shell, scripts[shell], ["awsdirenv", "login", ""], {**env, "AWS_CONFIG_FILE": values[place]})
    found = place in ("absolute", "tilde", "relative", "odd")
    assert sorted(names) == ["base", "default", *(["odd"] if found else [])]


@pytest.mark.parametrize("shell", SHELLS)
def test_five_thousand_profiles_are_quick(shell: str, scripts: dict[str, Path], env: dict[str, str]) -> None:
    """Offering 5,000 profiles takes at most 100 ms more than offering 10 (of processor time: machines are busy)."""
    few, many = Path(env["HOME"], "few"), Path(env["HOME"], "many")
    few.write_text(headers(tuple(f"p {n}" for n in range(10))), encoding="utf-8")
    many.write_text(headers(tuple(f"p {n}" for n in range(5000))), encoding="utf-8")
    offer = {
        "bash": "COMP_WORDS=(awsdirenv login ''); COMP_CWORD=2; _awsdirenv; ((${#COMPREPLY[@]} > 9))",
        "zsh": "_awsdirenv_profiles",
        "fish": "complete -C 'awsdirenv login '",
    }

    def seconds(path: Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = f"source '{scripts[shell]}'; {offer[shell]}"
        done = evaluate(shell, code, {**env, "AWS_CONFIG_FILE": str(path)})
        assert (done.returncode, done.stderr) == (0, "")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds(many) for _ in range(5)) - min(seconds(few) for _ in range(5)) < 0.1


def test_path_has_no_python(env: dict[str, str]) -> None:
    """The PATH of all these tests has awk and sh and nothing else, so that no script can have started Python."""
    assert sorted(os.listdir(env["PATH"])) == ["awk", "awsdirenv", "sh"]


@pytest.mark.parametrize("shell", SHELLS)
def test_setup_installs_it_where_the_shell_looks(shell: str, world: World) -> None:
    """After `setup`, and with the hook in zsh, a new shell completes without another line in its start-up file."""
    if shell == "bash":
        # bash-completion, where it is installed, reads a file of the command's name there; here its rule is played.
        place = world.home / ".local" / "share" / "bash-completion" / "completions" / "awsdirenv"
        script = f"source {place}; COMP_WORDS=(awsdirenv log); COMP_CWORD=1; _awsdirenv; echo ${{COMPREPLY[@]}}"
        done = world.run("bash", "--norc", "-c", script)
    elif shell == "zsh":
        hook = world.home / ".local" / "share" / "awsdirenv" / "hook.zsh"
        for order in (f"source {hook}; autoload -Uz compinit; compinit -u -D", f"compinit -u -D; source {hook}"):
            done = world.run("zsh", "-f", "-c", f"autoload -Uz compinit; {order}; echo ${{_comps[awsdirenv]}}")
            assert (done.stdout.strip(), done.stderr) == ("_awsdirenv", "")
        return
    else:
        done = world.run("fish", "-c", "complete -C 'awsdirenv log'")
    assert done.stdout.split("\t")[0].strip() == "login", done.stderr
