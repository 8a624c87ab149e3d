"""The segment of a prompt: the same from every shell and from Python, harmless, without a process; and its recipes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import prompts
from awsdirenv.cli.commands.prompt import segment
from hostile_names import LETTERS, STEERING
from shells import SHELLS, Shell, hook
from world import REGION, UTF8, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "prompt.md"
# Whatever a shell, a terminal or a status line would make something of.
HOSTILE = "a$(touch pwned)`touch pwned`${HOME}%F{red}%n\\u\\e[31m!!#(touch pwned)'\"é"
HARMLESS = "a?(touch pwned)?touch pwned??{HOME}?F{red}?n?u?e[31m???(touch pwned)'\"é"

every_shell = pytest.mark.parametrize("kind", SHELLS)


def recipe(heading: str, language: str, number: int = 0) -> str:
    """Give a block of code of the document."""
    part = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return str(re.findall(rf"^```{language}\n(.*?)^```", part, re.MULTILINE | re.DOTALL)[number])


def printed(world: World, kind: str, **env: str) -> str:
    """Give what `awsdirenv prompt` prints in a shell with the hook, or from Python."""
    if kind == "python":
        done = world.run("awsdirenv", "prompt", cwd=world.root, **env)
    else:
        done = world.run(kind, "-c", f"source {hook(world, kind)}; awsdirenv prompt", cwd=world.root, **env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("kind", [*SHELLS, "python"])
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ""),
        ({"AWSDIRENV_PROFILE": "", "AWSDIRENV_STAGE": "production"}, ""),
        ({"AWSDIRENV_PROFILE": "adminrole"}, "adminrole\n"),
        ({"AWSDIRENV_PROFILE": "adminrole", "AWSDIRENV_STAGE": ""}, "adminrole\n"),
        ({"AWSDIRENV_PROFILE": "adminrole", "AWSDIRENV_STAGE": "production"}, "adminrole PRODUCTION\n"),
        ({"AWSDIRENV_PROFILE": "a b  c", "AWSDIRENV_STAGE": "über prod"}, "a b  c ÜBER PROD\n"),
        ({"AWSDIRENV_DECLARED": "adminrole"}, "(adminrole: closed)\n"),
        ({"AWSDIRENV_DECLARED": "adminrole", "AWSDIRENV_STAGE": "production"}, "(adminrole: closed)\n"),
        ({"AWSDIRENV_PROFILE": "-n"}, "-n\n"),
        ({"AWSDIRENV_PROFILE": "-e", "AWSDIRENV_STAGE": "-n"}, "-e -N\n"),
        ({"AWSDIRENV_PROFILE": HOSTILE}, HARMLESS + "\n"),
        ({"AWSDIRENV_DECLARED": HOSTILE}, f"({HARMLESS}: closed)\n"),
        ({"AWSDIRENV_PROFILE": "x", "AWSDIRENV_STAGE": "$(`%!"}, "x ?(???\n"),
        ({"AWSDIRENV_PROFILE": "a\x1b]0;b\x07\tc\x7f\u009b"}, "a?]0;b??c??\n"),
    ],
)
def test_the_segment(world: World, kind: str, env: dict[str, str], expected: str) -> None:
    """Open, with a stage, closed, elsewhere; what a prompt would take for its own is a question mark."""
    assert printed(world, kind, **env) == expected
    assert not (world.root / "pwned").exists()


# Prints the segment and, on stderr, the line on leaving, with each text of a file as the profile and the stage. It is
# the line behind direnv's hook, or the one before it.
EACH = {
    "bash": """source {hook}; while IFS= read -rd '' text; do export AWSDIRENV_PROFILE=$text AWSDIRENV_STAGE=$text
        awsdirenv_prompt; _awsdirenv_left; done <{texts}; AWSDIRENV_STAGE=; _awsdirenv_left""",
    "fish": """source {hook}; for text in (string split0 <{texts}); set -gx AWSDIRENV_PROFILE $text
        set -gx AWSDIRENV_STAGE $text; awsdirenv_prompt; end; set -e AWSDIRENV_STAGE""",
}
EACH["zsh"] = EACH["bash"]
EACH_BEFORE = {
    "bash": """source {hook}; _direnv_hook() {{ :; }}; DIRENV_FILE=/nowhere/.envrc; while IFS= read -rd '' text
        do export AWSDIRENV_PROFILE=$text AWSDIRENV_STAGE=$text _awsdirenv_inside=$text
        awsdirenv_prompt; _awsdirenv_leave; done <{texts}""",
    "fish": """source {hook}; function __direnv_export_eval; end; set DIRENV_FILE /nowhere/.envrc
        for text in (string split0 <{texts}); set -gx AWSDIRENV_PROFILE $text
        set -g _awsdirenv_inside; set -gx AWSDIRENV_STAGE $text; awsdirenv_prompt; _awsdirenv_leave; end""",
}
EACH_BEFORE["zsh"] = EACH_BEFORE["bash"]


@pytest.mark.parametrize("word", ["left", "leaving"])
@pytest.mark.parametrize("locale", ["C", UTF8])
@every_shell
def test_no_hook_prints_what_steers_a_terminal(world: World, kind: str, locale: str, word: str) -> None:
    """In a prompt and on leaving, controls and what turns or hides text are ?; other text stays, in either locale."""
    names = [*(f"a{sign}b" for sign in [*STEERING, "\udc9b", "\udcff"]), "".join(LETTERS)]
    texts = world.root / "texts"
    texts.write_bytes(b"".join(os.fsencode(name) + b"\0" for name in names))
    script = (EACH if word == "left" else EACH_BEFORE)[kind].format(hook=hook(world, kind), texts=texts)
    done = subprocess.run(
        [kind, "-c", script], env={**world.env, "LC_ALL": locale}, cwd=world.root, capture_output=True, check=True
    )
    shown, left = (out.decode().split("\n")[:-1] for out in (done.stdout, done.stderr))
    assert len(shown) == len(left) == len(names)
    for name, segment_shown, line in zip(names, shown, left, strict=True):
        stage = line.removeprefix(f"awsdirenv: {word} *** ").removesuffix(" ***")
        assert (segment_shown + line).isprintable()
        assert line == f"awsdirenv: {word} *** {stage} ***"
        assert segment_shown.isascii() or segment_shown.startswith("".join(LETTERS))
        if locale == "C" and kind != "bash":
            continue  # where bytes are no letters, each is shown as ?
        whole = segment({"AWSDIRENV_PROFILE": name})
        assert (segment_shown.partition(" ")[0] if " " not in name else segment_shown[: len(whole)]) == whole
        assert stage.casefold() == whole.casefold()  # fish 4 makes SS of ß


def test_bytes_that_are_no_text() -> None:
    """A name in another encoding does not end a prompt."""
    assert segment({"AWSDIRENV_PROFILE": "a\udce9b"}) == "a?b"


@every_shell
@pytest.mark.parametrize("options", ["", "strict"])
def test_no_python_and_no_process(world: World, kind: str, options: str) -> None:
    """With the hook the word `prompt` is the shell's; everything else reaches the program, its status comes back."""
    log = world.root / "started"
    world.program("awsdirenv", f'echo "$#:$*" >>{log}; exit 9')
    strict = {"bash": "set -euo pipefail", "zsh": "set -u; setopt err_exit ksh_arrays", "fish": ""}[kind]
    status = "$status" if kind == "fish" else "$?"
    check = "or" if kind == "fish" else "||"
    separator = ";" if kind == "fish" else ""
    script = (
        f"{strict if options else ''}\nsource {hook(world, kind)}\nawsdirenv prompt\nawsdirenv prompt -h {separator}"
        f"{check} echo is {status}\nawsdirenv 'a b' '' {separator}{check} echo is {status}\n"
    )
    env = {"PATH": f"{world.root}/programs:{world.env['PATH']}", "AWSDIRENV_PROFILE": "adminrole"}
    done = world.run(kind, "-c", script, cwd=world.root, **env)
    assert (done.stdout, done.stderr) == ("adminrole\nis 9\nis 9\n", "")
    assert log.read_text() == "2:prompt -h\n2:a b \n"


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project whose path does not say the profile."""
    world.role("adminrole", mfa=False)
    world.hold("adminrole")
    return world.project("work", "use aws_profile adminrole\n")


def set_up(world: World, shell: Shell, text: str) -> None:
    """Source a start-up file, which sets a prompt."""
    shell.prompt = ""
    file = world.root / f"start.{shell.kind}"
    file.write_text(text)
    shell.run(f"source {file}")


def visits(world: World, shell: Shell, folder: Path, name: str = "adminrole") -> None:
    """Show that the prompt has the profile inside, says when it is closed, and has nothing outside."""
    assert name not in shell.run("true")
    shell.run(f"cd {folder}")
    assert name in shell.run("true")
    envrc = (folder / ".envrc").read_text()
    (folder / ".envrc").write_text(envrc.rstrip() + " --no-such-option\n")
    later = (folder / ".envrc").stat().st_mtime + 2  # direnv tells changes by the second
    os.utime(folder / ".envrc", (later, later))
    world.allow(folder)
    shell.run("true")
    assert f"({name}: closed)" in shell.run("true")
    shell.run(f"cd {world.root}")
    assert name not in shell.run("true")


RECIPES = [("bash", "bash", 0), ("zsh", "zsh", 0), ("zsh", "zsh", 1), ("fish", "fish", 0)]


@pytest.mark.parametrize(("kind", "language", "number"), RECIPES)
def test_recipes_of_shells(world: World, folder: Path, kind: str, language: str, number: int) -> None:
    """As they stand in the document."""
    with Shell(world, kind) as shell:
        set_up(world, shell, recipe(kind, language, number))
        visits(world, shell, folder)


@pytest.mark.parametrize(("kind", "language", "number"), RECIPES)
def test_recipes_evaluate_no_name(world: World, kind: str, language: str, number: int) -> None:
    """A name with commands and escapes in it is shown, and does nothing; a stage is shown in another colour."""
    with Shell(world, kind, AWSDIRENV_PROFILE=HOSTILE, AWSDIRENV_STAGE="$(touch pwned)") as shell:
        set_up(world, shell, recipe(kind, language, number))
        assert f"{HARMLESS} ?(TOUCH PWNED)" in shell.run("true")
        assert not list(world.root.rglob("pwned"))


@pytest.mark.parametrize("kind", ["bash", "zsh"])
def test_a_prompt_made_with_the_wrong_quotes(world: World, kind: str) -> None:
    """Double quotes put the name itself into the prompt, where the shell evaluates it: there is nothing to evaluate."""
    with Shell(world, kind, AWSDIRENV_PROFILE=HOSTILE) as shell:
        options = (
            "shopt -s promptvars histexpand" if kind == "bash" else "setopt prompt_subst prompt_bang prompt_percent"
        )
        line = 'PS1="$(awsdirenv prompt) > "\nPROMPT_COMMAND+=";PS1=\\"\\$(awsdirenv prompt) > \\""\n'
        set_up(world, shell, f"source {hook(world, kind)}\n{options}\n{line}")
        assert f"{HARMLESS} > " in shell.run("true")
        assert not list(world.root.rglob("pwned"))


@every_shell
def test_the_status_is_the_command_s(world: World, kind: str) -> None:
    """A prompt that shows the status behind the segment shows that of the command."""
    with Shell(world, kind, AWSDIRENV_PROFILE="adminrole") as shell:
        prompt = {
            "bash": "PS1='$(awsdirenv prompt) st$? > '",
            "zsh": "setopt prompt_subst; PROMPT='$(awsdirenv prompt) st%? > '",
            "fish": 'function fish_prompt; awsdirenv prompt; echo -n "st$status > "; end',
        }[kind]
        set_up(world, shell, f"source {hook(world, kind)}\n{prompt}\n")
        shell.send("sh -c 'exit 7'\r")
        shell.expect("st7 > ")


def starship(world: World, shell: Shell, config: str) -> None:
    """Start the real starship in a shell, with a configuration and a prompt that is quick to draw."""
    file = world.home / ".config" / "starship.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text('add_newline = false\nformat = "$aws$env_var READY> "\n' + config)
    line = "starship init fish | source" if shell.kind == "fish" else f'eval "$(starship init {shell.kind})"'
    set_up(world, shell, f"{line}\n")


def with_starship(world: World) -> None:
    """Put the program into PATH."""
    world.env["PATH"] = f"{prompts.starship().parent}:{world.env['PATH']}"


@every_shell
def test_recipe_of_starship(world: World, folder: Path, kind: str) -> None:
    """The real starship, with the document's modules; no name does anything."""
    with_starship(world)
    with Shell(world, kind) as shell:
        starship(world, shell, recipe("starship", "toml"))
        visits(world, shell, folder)
    with Shell(world, kind, AWSDIRENV_PROFILE=HOSTILE, AWSDIRENV_STAGE="production") as shell:
        starship(world, shell, recipe("starship", "toml"))
        said = shell.run("true")
        # It escapes for bash, whose \$ is a # for root.
        assert (HOSTILE.replace("$", "#") if kind == "bash" and os.geteuid() == 0 else HOSTILE) in said
        assert "production" in said
        assert not list(world.root.rglob("pwned"))


@every_shell
@pytest.mark.parametrize("variable", ["AWS_VAULT", "AWSUME_PROFILE"])
def test_starship_s_own_module(world: World, folder: Path, kind: str, variable: str) -> None:
    """It knows the profile by another tool's variable, and the region and the time that is left by AWS's."""
    with_starship(world)
    with Shell(world, kind, AWSDIRENV_PROMPT_VARIABLE=variable) as shell:
        starship(world, shell, recipe("starship", "toml", 1))
        shell.run(f"cd {folder}")
        assert re.search(rf"adminrole \({REGION}\) \[(1h0m0s|59m\d+s)\] +READY>", shell.run("true"))
        shell.run(f"cd {world.root}")
        assert "adminrole" not in shell.run("true")


@pytest.mark.parametrize("theme", ["spaceship", "liquidprompt"])
def test_themes_that_know_aws_vault(world: World, folder: Path, theme: str) -> None:
    """They show our profile as aws-vault's."""
    spaceship = prompts.npm() / "spaceship-prompt" / "spaceship.zsh"
    liquid = prompts.debian() / "usr" / "share" / "liquidprompt" / "liquidprompt"
    without = "".join(f"LP_ENABLE_{part}=0\n" for part in ("BATT", "LOAD", "RAM"))
    (world.home / ".liquidpromptrc").write_text(f"LP_ENABLE_AWS_PROFILE=1\n{without}")
    line = {
        "spaceship": f"SPACESHIP_PROMPT_ORDER=(aws char) SPACESHIP_PROMPT_ASYNC=false; source {spaceship}",
        "liquidprompt": f"source {liquid}",
    }[theme]
    with Shell(world, "zsh", AWSDIRENV_PROMPT_VARIABLE="AWS_VAULT") as shell:
        set_up(world, shell, f"{line}\n")
        shell.run(f"cd {folder}")
        assert "adminrole" in shell.run("true")
        shell.run(f"cd {world.root}")
        assert "adminrole" not in shell.run("true")


@pytest.mark.parametrize("variable", ["AWS_VAULT", "AWSUME_PROFILE"])
def test_a_variable_of_another_tool(world: World, folder: Path, variable: str) -> None:
    """It is set to our profile when the directory opens, goes when it is closed, and the other one always goes."""
    outer = {"AWS_VAULT": "outer", "AWSUME_PROFILE": "outer"}
    (other,) = outer.keys() - {variable}
    changes, said = world.enter(folder, **outer, AWSDIRENV_PROMPT_VARIABLE=variable)
    assert (changes[variable], changes[other]) == ("adminrole", None)
    assert "warning" not in said
    changes, _ = world.enter(folder, **outer)
    assert (changes[variable], changes[other]) == (None, None)
    closed = world.project("closed", "use aws_profile nobody\n")
    changes, _ = world.enter(closed, **outer, AWSDIRENV_PROMPT_VARIABLE=variable)
    assert (changes[variable], changes[other]) == (None, None)


@pytest.mark.parametrize("variable", ["PATH", "AWS_PROFILE", "x[$(touch pwned)]", "AWS_VAULT=", " ", "aws_vault"])
def test_no_other_variable(world: World, folder: Path, variable: str) -> None:
    """Anything else is one warning, and the directory opens."""
    changes, said = world.enter(folder, AWSDIRENV_PROMPT_VARIABLE=variable)
    assert changes["AWS_ACCESS_KEY_ID"]
    assert not {"PATH", "AWS_PROFILE", "AWS_VAULT", "AWSUME_PROFILE"} & changes.keys()
    assert said.count("awsdirenv: warning: AWSDIRENV_PROMPT_VARIABLE names a variable that is not ours to set") == 1
    assert said.count("awsdirenv: hint: AWSDIRENV_PROMPT_VARIABLE=AWS_VAULT, or AWSUME_PROFILE") == 1
    assert not list(world.root.rglob("pwned"))


def test_a_hostile_name_in_another_tool_s_variable(world: World) -> None:
    """Themes that put it into a prompt as it is get nothing to evaluate."""
    name = "a$(touch pwned)`x`%n b"
    arn = world.sts.add_role("adminrole", require_mfa=False)
    world.profile(f'"{name}"', role_arn=arn, source_profile="base", region=REGION)
    folder = world.project("work", f"use aws_profile '{name}'\n")
    changes, _ = world.enter(folder, AWSDIRENV_PROMPT_VARIABLE="AWS_VAULT")
    assert changes["AWSDIRENV_PROFILE"] == name
    assert changes["AWS_VAULT"] == "a?(touch pwned)?x??n b"


def test_an_export_takes_another_profile_s_name_out(world: World, folder: Path) -> None:
    """What a prompt shows must not be older than the keys beside it."""
    done = world.run("sh", "-c", 'eval "$(awsdirenv export adminrole)"; printenv AWS_VAULT AWSUME_PROFILE',
                     AWS_VAULT="outer", AWSUME_PROFILE="outer")  # fmt: skip
    assert done.stdout == ""
