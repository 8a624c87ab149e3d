"""The line in a shell's start-up file: after sitting still, the next command has credentials that hold."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from shells import SHELLS, Shell, hook
from world import World

LIFE = 10


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs no code, with short lives and no timer: what happens, the hook has done."""
    world.sts.life_override = LIFE
    world.role("plain", mfa=False)
    world.hold("plain")
    return world.project("plain")


def open_shell(world: World, kind: str, folder: Path) -> Shell:
    """Open a shell with the hook behind direnv's, in a folder."""
    shell = Shell(world, kind, folder)
    shell.run(f"source {hook(world, kind)}")
    return shell


@pytest.mark.parametrize("kind", SHELLS)
def test_the_first_command_after_the_end_has_credentials_that_hold(world: World, folder: Path, kind: str) -> None:
    """Typed at a prompt from before the end, it sees new ones."""
    with open_shell(world, kind, folder) as shell:
        before = shell.variable("AWS_ACCESS_KEY_ID")
        calls = world.sts.count("AssumeRole")
        time.sleep(LIFE)
        first = shell.variable("AWS_ACCESS_KEY_ID")
        assert first not in ("", before)
        assert world.sts.keys[first].expires > time.time()
        assert world.sts.count("AssumeRole") == calls + 1


@pytest.mark.parametrize("kind", SHELLS)
def test_a_time_that_is_due_counts_once(world: World, folder: Path, kind: str) -> None:
    """Where nothing can be renewed that is said once, and the prompts after it evaluate nothing."""
    with open_shell(world, kind, folder) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        world.sts.add_fault("AssumeRole", "access-denied", times=None)
        time.sleep(LIFE)
        said = shell.run("true") + shell.run("true")
        assert said.count("awsdirenv: error: AssumeRole of") == 1
        calls = world.sts.count("AssumeRole")
        assert "direnv" not in shell.run("true") + shell.run("true")
        assert world.sts.count("AssumeRole") == calls
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""


@pytest.mark.parametrize("kind", SHELLS)
def test_leaving_while_it_is_due_leaves_nothing_behind(world: World, folder: Path, kind: str) -> None:
    """The list that the hook makes stale still decodes, so direnv takes everything back."""
    with open_shell(world, kind, folder) as shell:
        assert shell.variable("AWS_ACCESS_KEY_ID")
        time.sleep(LIFE)
        shell.run(f"cd {world.root}")
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert shell.variable("AWSDIRENV_REFRESH_AT") == ""


@pytest.mark.parametrize("kind", SHELLS)
def test_nothing_stays_of_a_directory_whose_envrc_is_gone(world: World, folder: Path, kind: str) -> None:
    """Deleted with or without its folder, it is taken back, also by a direnv that would leave all as it is (2.37)."""
    world.sts.life_override = None
    for goes in (f"rm {folder}/.envrc", f"cd {world.root}; rm -r {folder}"):
        world.project("plain")
        with open_shell(world, kind, folder) as shell:
            assert shell.variable("AWS_ACCESS_KEY_ID"), goes
            shell.run(goes)
            assert shell.variable("AWS_ACCESS_KEY_ID") == "", goes
            assert "direnv" not in shell.run("true") + shell.run("true"), goes


@pytest.mark.parametrize("kind", SHELLS)
def test_the_status_of_a_command_is_kept(world: World, folder: Path, kind: str) -> None:
    """What the next command asks for is the status of the one before, also where the hook had work in between."""
    status = "$status" if kind == "fish" else "$?"
    with open_shell(world, kind, folder) as shell:
        for pause in (0, LIFE):
            shell.send(f"sh -c 'sleep {pause}; exit 7'\r")
            shell.send(f'echo "is"{status}"is"\r')
            shell.expect("is7is", timeout=LIFE + 20)


@pytest.mark.parametrize("kind", SHELLS)
def test_a_value_that_is_no_time_does_nothing(world: World, kind: str) -> None:
    """Whatever put it into the environment, it is not calculated with."""
    values = ("a[$(touch pwned)]", "", "x", "1e9", "-1", " 5", "0x10", "010", "0", "9" * 20)
    export = "set -gx AWSDIRENV_REFRESH_AT " if kind == "fish" else "export AWSDIRENV_REFRESH_AT="
    with Shell(world, kind, world.root, AWSDIRENV_REFRESH_AT=values[0]) as shell:
        said = shell.run(f"source {hook(world, kind)}")
        for value in values:
            said += shell.run(f"{export}'{value}'")
            assert shell.variable("DIRENV_WATCHES") == "", value
            assert f"is<{value}>is" in shell.run('echo "is<$AWSDIRENV_REFRESH_AT>is"')
            assert not re.search("error|not found|unbound|unknown|missing", said, re.IGNORECASE), value
            assert not (world.root / "pwned").exists()


@pytest.mark.parametrize("before", ["", "PROMPT_COMMAND=(true false)", "PROMPT_COMMAND='true; false'", "set -u"])
def test_bash_has_one_hook_whatever_was_there(world: World, folder: Path, before: str) -> None:
    """Arrays and strings are kept, ours is first, and sourcing it twice adds nothing."""
    with Shell(world, "bash", folder) as shell:
        shell.run(before or "true")
        shell.run('eval "$(direnv hook bash)"')
        shell.run(f"source {hook(world, 'bash')}; source {hook(world, 'bash')}")
        said = shell.run('printf "[%s]" "${PROMPT_COMMAND[@]}"')
        assert len(re.findall("_awsdirenv_hook", said)) == 1
        assert said.index("_awsdirenv_hook") < said.index("_direnv_hook")
        assert "unbound" not in shell.run("true")


def test_setup_installs_and_removes_the_hooks(world: World) -> None:
    """They are files to source, without Python; setup says each, can be repeated, and takes them out again."""
    for kind in SHELLS:
        assert hook(world, kind).stat().st_mtime == 0, "fish reads the clock from it"
        assert hook(world, kind).read_text() == world.run("awsdirenv", "hook", kind).stdout
    said = world.run("awsdirenv", "setup").stderr
    assert said.count("is up to date") == 7
    assert f"source {hook(world, 'bash')}" in said
    hook(world, "zsh").write_text("# awsdirenv's hook for zsh, of an older release\n")
    assert f"~ {hook(world, 'zsh')}" in world.run("awsdirenv", "setup").stderr
    hook(world, "fish").write_text("mine\n")
    world.run("awsdirenv", "setup", "--uninstall").check_returncode()
    assert [kind for kind in SHELLS if hook(world, kind).exists()] == ["fish"]


def test_a_copy_of_the_hook_tells_the_time_by_a_process(world: World, folder: Path) -> None:
    """A file whose time was not kept, or that is not installed, is no clock, and fish notices; `setup` mends it."""
    due = int(time.time()) - 5
    for copy in (world.root / "copy.fish", hook(world, "fish")):
        copy.write_text(world.run("awsdirenv", "hook", "fish").stdout)
        with Shell(world, "fish", folder) as shell:
            shell.run(f"source {copy}")
            assert "awsdirenv: plain: account" in shell.run(f"set -gx AWSDIRENV_REFRESH_AT {due}")
    assert hook(world, "fish").stat().st_mtime > 0
    world.run("awsdirenv", "setup").check_returncode()
    assert hook(world, "fish").stat().st_mtime == 0


@pytest.mark.parametrize("kind", ["bash", "zsh"])
def test_the_hooks_are_sound(world: World, kind: str) -> None:
    """The shell itself has nothing to say about the script."""
    done = subprocess.run([kind, "-n", str(hook(world, kind))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.needs("/proc")
def test_fish_is_asked_for_the_time_once(world: World) -> None:
    """A command substitution at each prompt is what the time would cost there; then a file of Linux's tells enough."""
    log = world.root / "asked"
    script = (
        f"source {hook(world, 'fish')}; function _awsdirenv_now; echo asked >>{log}; date +%s; end; "
        "set -gx AWSDIRENV_REFRESH_AT (math (date +%s) + 3600); for i in 1 2 3; _awsdirenv_hook; end; "
        "set -q DIRENV_WATCHES; and echo stale; "
        "set -g _awsdirenv_due 0; _awsdirenv_hook; set -q DIRENV_WATCHES; and echo stale"
    )
    done = world.run("fish", "--no-config", "-c", script)
    assert (done.stdout, done.stderr) == ("", "")
    assert log.read_text() == "asked\n" * 2, "and again where the clock was set back meanwhile"


def test_the_hook_starts_no_process(world: World, folder: Path) -> None:
    """A prompt in fish, the one shell without a clock of its own, costs no process either."""
    with open_shell(world, "fish", folder) as shell:
        log = world.root / "date-was-run"
        world.program("date", f'touch {log}; exec /bin/date "$@"')
        shell.run(f"set -gx PATH {world.root}/programs $PATH")
        shell.run("true")
        assert not log.exists()


@pytest.mark.parametrize("kind", SHELLS)
def test_an_inherited_time_runs_direnv_once(world: World, kind: str) -> None:
    """A shell in which nobody will ever renew anything does not start a process at each of its commands."""
    with Shell(world, kind, world.root) as shell:
        if kind == "fish":
            shell.run('function direnv; echo r""an >&2; end')
        else:
            shell.run('_direnv_hook() { echo r""an >&2; }; precmd_functions=(); unset PROMPT_COMMAND')
        shell.run(f"source {hook(world, kind)}")
        due = int(time.time()) + 2
        said = shell.run(f"export AWSDIRENV_REFRESH_AT={due}")
        assert "ran" not in said
        time.sleep(due - time.time())
        assert "".join(shell.run("true") for _ in range(3)).count("ran") == 1


def test_bash_hands_the_status_on_to_the_next_hook(world: World, folder: Path) -> None:
    """A prompt that shows the status of the last command is behind ours and direnv's, and still gets it."""
    with Shell(world, "bash", folder) as shell:
        shell.run('show() { echo "st""atus<$?>"; }; PROMPT_COMMAND="$PROMPT_COMMAND;show"')
        shell.run(f"source {hook(world, 'bash')}")
        shell.send("sh -c 'exit 7'\r")
        shell.expect("status<7>")
        time.sleep(LIFE)
        shell.send("sh -c 'exit 8'\r")
        shell.expect("status<8>")


@pytest.mark.parametrize("kind", SHELLS)
def test_another_identity_beside_keys_is_said_once(world: World, kind: str) -> None:
    """A profile beside the keys of a directory, or other keys: the next prompt says so, and no prompt after it."""
    world.role("plain", mfa=False)
    world.hold("plain")
    export, unset = ("set -gx {} {}", "set -e {}") if kind == "fish" else ("export {}={}", "unset {}")
    below = world.project("plain/below", "source_up\nexport AWS_PROFILE=read\n")
    foreign = {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y"}
    beside = []
    for number, line in enumerate(("plain", "base --no-session", "plain --live")):
        beside.append(world.project(f"beside{number}", f"use aws_profile {line}\ndotenv\n"))
        (beside[-1] / ".env").write_text("".join(f"{name}={value}\n" for name, value in foreign.items()))
    mixed = world.project("mixed", "use aws_profile plain\ndotenv\n")
    (mixed / ".env").write_text("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nAWS_SECRET_ACCESS_KEY=x\n")
    live = world.project("live", "use aws_profile plain --live\nexport AWS_PROFILE=read\n")
    profile, keys = "warning: AWS_PROFILE is set together with keys", "warning: the keys here are not this directory's"
    with open_shell(world, kind, world.project("plain")) as shell:
        assert "warning" not in shell.run("true") + shell.run("true")
        for _ in range(2):
            said = [shell.run(line) for line in (export.format("AWS_PROFILE", "read"), "true", "true")]
            assert "".join(said).count(profile) == 1
            assert profile not in said[-1]
            assert "warning" not in shell.run(unset.format("AWS_PROFILE")) + shell.run("true")
        said = [shell.run(line) for line in (export.format("AWS_DEFAULT_PROFILE", "read"), "true")]
        assert f"hint: {unset.format('AWS_DEFAULT_PROFILE')}, or" in "".join(said)
        assert "warning" not in shell.run(unset.format("AWS_DEFAULT_PROFILE")) + shell.run("true")
        said = [shell.run(export.format(*variable)) for variable in foreign.items()] + [shell.run("true")]
        assert "".join(said).count(keys) == 1
        assert "hint: direnv reload, or" in "".join(said)
        assert "warning" not in shell.run("direnv reload") + shell.run("true")
        for folder, warning in ((below, profile), *((folder, keys) for folder in (mixed, *beside))):
            said = [shell.run(line) for line in (f"cd {folder}", "true", "true")]
            assert "".join(said).count(warning) == 1, folder
            assert "warning" not in said[-1]
            shell.run(f"cd {live}")  # what is said once for one place is said again for the next
        assert "warning" not in shell.run("true") + shell.run("true")
        shell.run(f"cd {world.project('same', 'use aws_profile plain')}")
        assert "warning" not in shell.run(export.format("AWS_PROFILE", "plain")) + shell.run("true")
        shell.run(f"cd {world.project('shut', 'use aws_profile nothere')}")
        said = [shell.run(line) for line in (export.format("AWS_ACCESS_KEY_ID", "AKIAX"), "true", "true")]
        assert "".join(said).count("warning: this directory is closed, but something has set AWS_ACCESS_KEY_ID") == 1
        assert "warning" not in shell.run("direnv reload") + shell.run("true")
        assert "warning" not in shell.run("cd /") + shell.run("true")
