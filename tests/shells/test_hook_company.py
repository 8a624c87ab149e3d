"""The hook in company: real prompts and frameworks, in each order of lines, strict options, nested shells, twice."""

from __future__ import annotations

import re
import time
from itertools import permutations
from pathlib import Path

import pytest

import prompts
from shells import SHELLS, Shell, hook
from world import World

# `Shell` has direnv's hook already: the start-up files here begin without it.
_WITHOUT_DIRENV = {
    "bash": "unset PROMPT_COMMAND; unset -f _direnv_hook",
    "zsh": "precmd_functions=() chpwd_functions=(); unfunction _direnv_hook",
    "fish": "functions -e __direnv_export_eval __direnv_export_eval_2 __direnv_cd_hook",
}
_DIRENV = {kind: f'eval "$(direnv hook {kind})"' for kind in ("bash", "zsh")} | {"fish": "direnv hook fish | source"}
_COMPLAINTS = ("unbound", "parameter not set", "not found", "nknown command", "syntax error", "error:", "readonly")

every_shell = pytest.mark.parametrize("kind", SHELLS)


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs no code; no timer, so what happens the hook has done."""
    world.role("plain", mfa=False)
    world.hold("plain")
    return world.project("plain")


def start(world: World, shell: Shell, *lines: str) -> None:
    """Source a start-up file with lines that may name `direnv` and `ours`, and complain about complaints."""
    kind = shell.kind
    known = {"direnv": _DIRENV[kind], "ours": f"source {hook(world, kind)}"}
    file = world.root / f"rc.{kind}"
    file.write_text("\n".join(known.get(line, line) for line in lines) + "\n")
    shell.send(f"{_WITHOUT_DIRENV[kind]}\r")
    said = shell.run(f"source {file}")
    assert not [word for word in _COMPLAINTS if word in said], said


def _to_be_due(shell: Shell, moment: int) -> str:
    """Give the command that lets the credentials be due at a time."""
    fish = shell.kind == "fish"
    return f"set -gx AWSDIRENV_REFRESH_AT {moment}" if fish else f"export AWSDIRENV_REFRESH_AT={moment}"


def set_due(shell: Shell, moment: int) -> str:
    """Let the credentials be due at a time; give what the shell says then."""
    return shell.run(_to_be_due(shell, moment))


def works(shell: Shell, folder: Path, *, waiting: bool = True) -> None:
    """Show that direnv looks again once it is due, at the next prompt or command, and that nobody complains.

    Without waiting all but what becomes due while the shell waits at its prompt.
    """
    shell.send(f"cd {folder}\r")
    shell.expect("awsdirenv: plain: account")
    shell.send(_to_be_due(shell, 1) + "\r")
    shell.expect("awsdirenv: plain: account")
    for ahead in (3, 15, 60) if waiting else (3600,):
        moment = int(time.time()) + ahead
        said = set_due(shell, moment)
        if time.time() < moment:  # a busy machine may take longer than that
            break
    assert "awsdirenv:" not in said, "due long since: at the very next prompt, once"
    if waiting:
        time.sleep(max(0.0, moment + 0.1 - time.time()))
        assert int(_values(shell, "AWSDIRENV_REFRESH_AT", 1)[0]) > moment, "the first command has it"
    before = len(shell.log)
    shell.send("cd /\r")
    assert _values(shell, "AWS_ACCESS_KEY_ID", 1) == [""]
    said = shell.log[before:]
    assert not [word for word in _COMPLAINTS if word in said], said


def _values(shell: Shell, name: str, times: int) -> list[str]:
    """Give what each of so many programs, one after the other, sees of a variable."""
    fish = shell.kind == "fish"
    command = f'echo "<<"(printenv {name}; or echo)">>"' if fish else f'echo "<<$(printenv {name})>>"'
    for _ in range(times - 1):
        shell.send(f"{command}\r")
    said = shell.run(command).replace("\r", "").replace("\n", "")
    return re.findall(r"<<([^<>$()]*)>>", said)[-times:]


def keeps_status(shell: Shell) -> None:
    """Show that the next command sees the status of the one before."""
    shell.send("sh -c 'exit 7'\r")
    shell.send(f'echo "is"{"$status" if shell.kind == "fish" else "$?"}"is"\r')
    shell.expect("is7is")


def orders(*lines: str) -> list[tuple[str, ...]]:
    """Give all orders of lines; direnv's hook and ours are among them."""
    return list(permutations(("direnv", "ours", *lines)))


def starship_line(world: World, kind: str) -> str:
    """Give the line for starship, found first in PATH, with a configuration that shows the status and our profile."""
    config = world.root / "starship.toml"
    config.write_text(
        'add_newline = false\nformat = "$status${env_var.AWSDIRENV_PROFILE}READY> "\n'
        "[status]\ndisabled = false\npipestatus = true\n[env_var.AWSDIRENV_PROFILE]\n"
    )
    world.env["STARSHIP_CONFIG"] = str(config)
    world.env["PATH"] = f"{prompts.starship().parent}:{world.env['PATH']}"
    return "starship init fish | source" if kind == "fish" else f'eval "$(starship init {kind})"'


@every_shell
@pytest.mark.parametrize("lines", orders(), ids="-".join)
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_alone_with_direnv(world: World, folder: Path, kind: str, lines: tuple[str, ...], times: int) -> None:
    """Our line stands above direnv's or below it, and a start-up file is sourced again."""
    with Shell(world, kind) as shell:
        start(world, shell, *lines * times)
        works(shell, folder, waiting=times == 1)
        keeps_status(shell)
        if kind == "bash":  # its `$_` is the last word of the command before
            for due in (1, int(time.time()) + 3600):
                set_due(shell, due)
                shell.send("true one two\r")
                shell.send('echo "last<$_>"\r')
                shell.expect("last<two>")


@every_shell
@pytest.mark.parametrize("place", [0, 2])
def test_starship(world: World, folder: Path, kind: str, place: int) -> None:
    """The real one, above and below our lines: its prompt has the status, and our profile, at once."""
    lines = ["direnv", "ours"]
    lines.insert(place, starship_line(world, kind))
    with Shell(world, kind) as shell:
        start(world, shell, *lines)
        works(shell, folder, waiting=place == 2)
        keeps_status(shell)
        shell.start("sh -c 'exit 7'")
        shell.expect("7")
        shell.finish()


@pytest.mark.parametrize("kind", ["bash", "zsh"])
@pytest.mark.parametrize("first", ["direnv", "starship"])
def test_starship_knows_each_status_of_a_pipe(world: World, kind: str, first: str) -> None:
    """Where direnv's hook leaves it PIPESTATUS, ours does, too."""
    line = starship_line(world, kind)
    lines = ["direnv", line, "ours"] if first == "direnv" else [line, "direnv", "ours"]
    with Shell(world, kind) as shell:
        start(world, shell, *[one for one in lines if one != "ours"])
        shell.run("sh -c 'exit 3' | sh -c 'exit 4'")
        without = _pipe(shell)
        start(world, shell, *lines)
        assert _pipe(shell) == without
        assert without == ("3 4" if (kind, first) != ("bash", "starship") else without)


def _pipe(shell: Shell) -> str:
    shell.send("sh -c 'exit 3' | sh -c 'exit 4'\r")
    said = shell.run('echo "<""<${STARSHIP_PIPE_STATUS[*]}>>"')
    return str(re.findall(r"<<([^<>$]*)>>", said)[-1])


# Before bash 5.1 Debian's liquidprompt loses what PROMPT_COMMAND has, direnv's hook, too.
_LIQUIDS = [
    pytest.param(lines, marks=[] if lines[0] == "liquid" else pytest.mark.needs("bash 5.1"), id="-".join(lines))
    for lines in orders("liquid")
]


@pytest.mark.parametrize("lines", _LIQUIDS)
def test_liquidprompt_in_bash(world: World, folder: Path, lines: tuple[str, ...]) -> None:
    """A theme that takes the whole of PROMPT_COMMAND over, and calls what it found there."""
    theme = prompts.debian() / "usr" / "share" / "liquidprompt" / "liquidprompt"
    (world.home / ".config").mkdir(exist_ok=True)
    (world.home / ".config" / "liquidpromptrc").write_text("LP_ENABLE_BATT=0\nLP_ENABLE_LOAD=0\nLP_ENABLE_TEMP=0\n")
    with Shell(world, "bash") as shell:
        shell.prompt = ""
        start(world, shell, *[f"source {theme}" if line == "liquid" else line for line in lines])
        works(shell, folder, waiting=lines[-1] == "liquid")
        keeps_status(shell)


@pytest.mark.parametrize("theme", ["pure", "spaceship", "powerlevel9k", "liquidprompt"])
@pytest.mark.parametrize("place", [0, 2])
def test_themes_of_zsh(world: World, folder: Path, theme: str, place: int) -> None:
    """Real ones, from npm and Debian, above and below our lines."""
    if theme in ("pure", "spaceship"):
        package = prompts.npm() / f"{theme}-prompt"
        pure = f"fpath+=({package}); autoload -Uz promptinit; promptinit; prompt pure"
        line = (
            pure
            if theme == "pure"
            else f"SPACESHIP_PROMPT_ORDER=(dir char) SPACESHIP_PROMPT_ASYNC=false; source {package}/spaceship.zsh"
        )
    else:
        share = prompts.debian() / "usr" / "share" / theme
        line = f"source {share}/{'powerlevel9k.zsh-theme' if theme == 'powerlevel9k' else theme}"
    lines = ["direnv", "ours"]
    lines.insert(place, line)
    with Shell(world, "zsh") as shell:
        shell.prompt = ""
        start(world, shell, *lines)
        works(shell, folder, waiting=place == 2)
        keeps_status(shell)


def test_hooks_that_move_themselves(world: World, folder: Path) -> None:
    """powerlevel10k puts its own first and last at each prompt; ours stays, once, and direnv's too."""
    mover = (
        "_do_nothing() { :; }; _draw() { precmd_functions=(_do_nothing ${precmd_functions:#(_draw|_do_nothing)} _draw)"
        "; preexec_functions=(_before ${preexec_functions:#(_before|_after)} _after); }; _before() { :; }; "
        "_after() { :; }; precmd_functions=(_do_nothing $precmd_functions _draw)"
    )
    for lines in (["direnv", "ours", mover], [mover, "ours", "direnv"]):
        with Shell(world, "zsh") as shell:
            start(world, shell, *lines)
            works(shell, folder)
            said = shell.run("print -r -- $precmd_functions $preexec_functions")
            assert said.count("_awsdirenv_hook") == 2


@pytest.mark.parametrize(
    "options",
    [
        "set -u",
        "setopt ksh_arrays",
        "setopt sh_word_split",
        "setopt err_return",
        "setopt err_exit",
        "setopt ksh_arrays sh_word_split no_unset ksh_glob sh_glob posix_builtins octal_zeroes warn_create_global",
        "setopt extended_glob null_glob glob_subst rc_expand_param no_multi_func_def",
        "typeset -r status_of=1 due=1 now=1",
        "alias awsdirenv='echo alias' local='echo alias'",
        "IFS=_",
    ],
)
def test_options_of_zsh(world: World, folder: Path, options: str) -> None:
    """They hold before the hook is sourced and for each prompt, and the functions of others stay."""
    with Shell(world, "zsh") as shell:
        start(world, shell, "mine() { :; }; also() { :; }; precmd_functions+=(mine also)", "direnv", options, "ours")
        works(shell, folder)
        shell.run("setopt no_ksh_arrays")
        hooks = " ".join(shell.run("print -rl -- HOOKS $precmd_functions").rpartition("HOOKS")[2].split())
        assert [name in hooks for name in ("mine", "also", "_direnv_hook", "_awsdirenv_hook")] == [True] * 4


@pytest.mark.parametrize("place", [0, 3])
def test_a_trap_before_commands_in_bash(world: World, folder: Path, place: int) -> None:
    """Theirs goes on, above our lines or below them: it has the status and the last word, and can stop a command."""
    lines = ["direnv", "ours", "PROMPT_COMMAND+=';mine'"]
    lines.insert(place, """trap 'traced=$? last=$_; [[ $BASH_COMMAND != stopped=* ]]' DEBUG; shopt -s extdebug""")
    with Shell(world, "bash") as shell:
        shell.run("mine() { :; }")
        start(world, shell, *lines)
        works(shell, folder)
        shell.run(f"cd {folder}")
        for due in ("set -e; set +e", _to_be_due(shell, int(time.time()) + 3600)):
            shell.run(due)
            said = shell.run(
                """stopped=1; false "many words"; echo "traced<$traced>last<$last>stopped<${stopped-}>" """
            )
            assert "traced<1>last<many words>stopped<>" in said
            keeps_status(shell)
        assert shell.run("trap -p DEBUG").count("_awsdirenv_before_command") == 1


@pytest.mark.parametrize(
    "before",
    [
        "set -u",
        "set -e",
        "set -o posix",
        "shopt -s extdebug nocasematch nocaseglob extglob failglob; set -f",
        "PROMPT_COMMAND='mine;'",
        "PROMPT_COMMAND='mine ; '",
        "PROMPT_COMMAND=$'mine\\n'",
        "PROMPT_COMMAND='mine # last'",
        "PROMPT_COMMAND=(mine); declare -p PROMPT_COMMAND >/dev/null",
        "PROMPT_COMMAND=([3]=mine [7]='mine;')",
        "PROMPT_COMMAND=('true # first' mine true)",
        "PROMPT_COMMAND=()",
        "export PROMPT_COMMAND=mine",
        "trap 'traced=1' DEBUG; PROMPT_COMMAND=mine",
        "readonly status=1 due=1 now=1 i=1; PROMPT_COMMAND=mine",
        "alias awsdirenv='echo alias'; PROMPT_COMMAND=mine",
        "IFS=_; PROMPT_COMMAND=mine",
        "unset EPOCHSECONDS; PROMPT_COMMAND=mine",
    ],
)
@pytest.mark.parametrize("lines", orders(), ids="-".join)
def test_what_stood_in_bash(world: World, folder: Path, before: str, lines: tuple[str, ...]) -> None:
    """Strings that end in anything, arrays with holes, options and traps: all of it goes on, each once."""
    with Shell(world, "bash") as shell:
        shell.run("mine() { mine_ran=1; }")
        start(world, shell, before, *lines, *lines[lines.index("ours") :])
        works(shell, folder, waiting=False)
        if "mine" in before:
            assert "ran<1>" in shell.run('echo "ran<$mine_ran>"; mine_ran=0')
        said = shell.run('printf "[%s]" "${PROMPT_COMMAND[@]}"')
        assert said.count("_awsdirenv_hook") == 1


@pytest.mark.parametrize(
    "theirs",
    [
        'mine=$PROMPT_COMMAND; draws() { eval "$mine"; waits=1; }; PROMPT_COMMAND=draws',  # VS Code's terminal
        "PROMPT_COMMAND+=$'\\nwaits=1'",  # bash-preexec, so atuin, iTerm2 and wezterm
    ],
)
@pytest.mark.parametrize(
    "lines", [*((*both, "theirs") for both in orders()), ("theirs", "direnv", "ours")], ids="-".join
)
def test_who_watches_for_commands_in_bash_sees_yours(
    world: World, folder: Path, theirs: str, lines: tuple[str, ...]
) -> None:
    """They take what runs first behind their part of PROMPT_COMMAND for the command that you type: nothing of ours."""
    trap = """trap '[[ ! ${waits-} ]] || { waits=; seen+="<$BASH_COMMAND>"; }' DEBUG"""
    with Shell(world, "bash") as shell:
        named = [theirs if line == "theirs" else line for line in lines]
        start(world, shell, "export PROMPT_COMMAND=true; seen=", *named, trap)
        works(shell, folder)
        shell.send("seen=\r")
        for number in range(3):
            shell.send(f": {number}\r")
        said = shell.run("seen+=.; printf '%s\\n' \"all${seen}all\"")
        assert "all<: 0><: 1><: 2><seen+=.>.all" in said
        assert shell.run("trap -p DEBUG").count("_awsdirenv_before_command") == 1
        said = shell.run("echo \"below<$(bash -c 'echo ${PROMPT_COMMAND:+still there}')>\"")
        assert "below<still there>" in said, "exported, so bash programs below have it as before"


def test_names_like_direnv_s_are_left_alone(world: World, folder: Path) -> None:
    """A function whose name ends as direnv's hook does is another one."""
    with Shell(world, "bash") as shell:
        mine = 'my_direnv_hook() { mine_ran=1; }; PROMPT_COMMAND="my_direnv_hook;$PROMPT_COMMAND"'
        start(world, shell, "direnv", mine, "ours")
        assert "<my_direnv_hook;_awsdirenv_hook;_direnv_hook" in shell.run('echo "<$PROMPT_COMMAND"')
        works(shell, folder)
        assert "ran<1>" in shell.run('echo "ran<$mine_ran>"')


def test_a_readonly_prompt_command(world: World, folder: Path) -> None:
    """Nothing can be done, and that is said with what can; the rest of the start-up file is read."""
    with Shell(world, "bash", folder) as shell:
        said = shell.run(f"readonly PROMPT_COMMAND; source {hook(world, 'bash')}; echo go''es on")
        assert "awsdirenv: warning: PROMPT_COMMAND is readonly, so there is no hook" in said
        assert "awsdirenv: hint: source awsdirenv's hook above the line that makes it readonly" in said
        assert "goes on" in said
        assert "readonly variable" not in said


@every_shell
@pytest.mark.parametrize("inner", SHELLS)
def test_a_shell_in_a_shell(world: World, folder: Path, kind: str, inner: str) -> None:
    """A shell that inherits a time that is over looks once, and has its own way from then on."""
    command = {
        "bash": "env PS1=INN''ER bash --norc --noprofile -i",
        "zsh": "env PS1=INN''ER zsh -f -i",
        "fish": """fish --no-config -i -C "echo INN''ER\"""",
    }[inner]
    with Shell(world, kind, folder) as shell:
        shell.run(f"source {hook(world, kind)}")
        due = int(time.time()) + 3
        set_due(shell, due)
        shell.run(f"cd {folder}" if inner == kind else "true")
        shell.start(command)
        shell.kind, shell.prompt = inner, ""
        shell.expect("INNER")  # fish 4 takes what is typed before
        shell.finish()
        shell.run(f"{_DIRENV[inner]}; source {hook(world, inner)}")
        time.sleep(max(0.0, due + 0.1 - time.time()))
        said = "".join(shell.run("true") for _ in range(3))
        assert said.count("awsdirenv: plain: account") == 1
        assert int(shell.variable("AWSDIRENV_REFRESH_AT")) > due


def test_a_person_s_own_handlers_in_fish(world: World, folder: Path) -> None:
    """A fish_prompt, and handlers of the same events, see the status, and run as often as before."""
    mine = (
        'function fish_prompt; echo -n "st$status READY> "; end; '
        "function mine_before --on-event fish_preexec; set -g befores $befores x; end; "
        "function mine_prompt --on-event fish_prompt; set -g saw $status; end"
    )
    for lines in ([mine, "ours", "direnv"], ["direnv", "ours", mine]):
        with Shell(world, "fish") as shell:
            start(world, shell, *lines)
            works(shell, folder)
            keeps_status(shell)
            shell.send("sh -c 'exit 7'\r")
            shell.expect("st7 READY> ")
            assert "saw<7>" in shell.run('sh -c "exit 7"\r' + 'echo "saw<$saw>"')
            shell.run("set -g befores")
            # The one that waits for the prompt, and these two.
            assert "befores<3>" in shell.run("true\r" + 'echo "befores<"(count $befores)">"')
