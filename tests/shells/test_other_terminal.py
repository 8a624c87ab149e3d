"""While another terminal is being asked: who waits for it, who does not, and what they are told of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shells import SHELLS, Shell, asking_process
from world import A_TERMINAL, World

QUESTION = "Enter MFA code"
WAITS = "awsdirenv: error: profile adminrole waits for an answer: "


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project whose credentials are there."""
    world.role("adminrole")
    world.login("adminrole")
    return world.project("adminrole")


@pytest.fixture
def live(world: World, folder: Path) -> Path:
    """Make a second project of the profile, which is live."""
    assert folder
    return world.project("live", "use aws_profile adminrole --live\n")


def end(world: World) -> None:
    """Let nothing be left of the session."""
    world.sts.expire_all_sessions()
    assert world.run("awsdirenv", "clear", "--all").returncode == 0


@pytest.mark.needs("/proc")
def test_a_plain_prompt_waits_for_no_answer(world: World, folder: Path, live: Path) -> None:
    """In a loaded directory, live or not, an `ls` ends at once with the hint, and says which terminal is asked."""
    with ExitStack() as stack:
        shells = [stack.enter_context(Shell(world, kind, folder)) for kind in SHELLS]
        lively = stack.enter_context(Shell(world, "bash", live))
        assert all(shell.variable("AWSDIRENV_PROFILE") for shell in (*shells, lively))
        end(world)
        world.role("more")  # a live directory evaluates again only if AWS's files change
        asked = stack.enter_context(Shell(world, "bash", AWSDIRENV_PROMPT_TIMEOUT="10m"))
        asked.start(f"cd {folder}")
        asked.expect(QUESTION)
        terminal = os.readlink(f"/proc/{asked.pid}/fd/0")
        place = f"{WAITS}pid {asking_process(asked)} on {terminal}, asking for the MFA code"
        for shell in shells:
            shown = shell.run("ls")
            assert place in shown
            assert "awsdirenv: hint: awsdirenv login adminrole" in shown
            assert "waiting for" not in shown
        assert place in lively.run("ls")
        asked.send("\x03")
        asked.finish()


def age(snapshot: Path) -> None:
    """Have the credentials got ten minutes ago: what was got just now is as long as they live."""
    mtime = snapshot.stat().st_mtime
    aged = re.sub(r"(?m)^(AWSDIRENV_ISSUED)=.*", rf"\1={int(time.time()) - 600}", snapshot.read_text())
    snapshot.write_text(aged)
    os.utime(snapshot, (mtime, mtime))


def test_a_plain_prompt_keeps_what_still_works(world: World, folder: Path) -> None:
    """Credentials that are due but not over stay without a word, while another terminal is asked for new ones."""
    due = world.project("due", "watch_file note\nuse aws_profile adminrole --min-life 2h\n")
    with Shell(world, "bash", due) as shell, Shell(world, "bash", AWSDIRENV_PROMPT_TIMEOUT="10m") as asked:
        key = shell.variable("AWS_ACCESS_KEY_ID")
        for session in (world.cache / "sessions").iterdir():
            session.unlink()
        asked.start("awsdirenv login --force adminrole")
        asked.expect(QUESTION)
        (snapshot,) = (world.cache / "snapshots").iterdir()
        age(snapshot)
        (due / "note").write_text("")
        shown = shell.run("ls")
        assert f"direnv: loading {due}/.envrc" in shown
        assert "error" not in shown
        assert shell.variable("AWS_ACCESS_KEY_ID") == key != ""
        asked.send("\x03")
        asked.finish()


def test_who_waits_for_a_waiting_one(world: World, folder: Path) -> None:
    """An `ls` does not wait for a process either that itself waits until a third one has its answer."""
    world.role("other")
    other = world.project("other")
    with ExitStack() as stack:
        shell = stack.enter_context(Shell(world, "bash", folder))
        end(world)
        asked = stack.enter_context(Shell(world, "bash", AWSDIRENV_PROMPT_TIMEOUT="10m"))
        asked.start(f"cd {other}")
        asked.expect(QUESTION)
        between = stack.enter_context(Shell(world, "bash", AWSDIRENV_LOCK_TIMEOUT="10m"))
        between.start(f"cd {folder}")
        between.expect("waiting for pid")
        shown = shell.run("ls")
        first, second = asking_process(between), asking_process(asked)
        assert re.search(rf"{WAITS}pid {first} on \S+, waiting for pid {second} on \S+, asking for the MFA code", shown)
        asked.send(f"{world.code()}\r")
        asked.finish()
        between.finish()
        assert between.variable("AWS_ACCESS_KEY_ID")


@pytest.fixture
def tmux(world: World) -> Iterator[str]:
    """Start a tmux server of our own; give its socket."""
    with started_tmux(world) as socket:
        yield socket


@contextmanager
def started_tmux(world: World, cwd: Path | None = None, **env: str) -> Iterator[str]:
    """Start a tmux server, whose one pane is a bash in the session `work`; give its socket."""
    socket = str(world.root / "tmux")
    setup = 'PS1="READY> "; eval "$(direnv hook bash)"\n'
    (world.root / "rc").write_text(setup)
    command = f"exec bash --rcfile {world.root}/rc -i"
    subprocess.run(
        ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-s", "work", "-x", "200", "-y", "50", command],
        env={**world.env, **env},
        cwd=cwd,
        check=True,
    )
    try:
        yield socket
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=True)


def on_screen(shell: Shell, tmux: str, text: str) -> None:
    """Wait until a pane shows a text."""
    shell.run(f"until tmux -S {tmux} capture-pane -p -t work | grep -q '{text}'; do sleep 0.1; done")


def test_the_pane_is_named(world: World, folder: Path, tmux: str) -> None:
    """Whoever waits for an answer from a pane of tmux, or is refused for it, reads the session, window and pane."""
    end(world)
    subprocess.run(["tmux", "-S", tmux, "send-keys", "-t", "work", f"cd {folder}", "Enter"], check=True)
    with Shell(world, "bash") as shell:
        on_screen(shell, tmux, QUESTION)
        shell.start(f"cd {folder}")
        told = shell.expect("MFA code of")
        assert re.search(rf"pid \d+ on {A_TERMINAL} \(tmux work:0\.0\), asking for", told)
        shell.send("\x03")
        shell.finish()
    assert "(tmux work:0.0)" in world.enter(folder)[1]
    assert "(tmux work:0.0)" in world.run("awsdirenv", "status").stdout


@pytest.mark.needs("/proc")
def test_a_new_pane_enters(world: World, folder: Path) -> None:
    """A pane of a tmux that was started in the loaded directory is asked at its first prompt, and never by an `ls`."""
    env = {name: value for name, value in world.enter(folder)[0].items() if value is not None}
    end(world)
    with Shell(world, "bash") as shell, started_tmux(world, folder, **env) as tmux:
        on_screen(shell, tmux, QUESTION)
        subprocess.run(["tmux", "-S", tmux, "send-keys", "-t", "work", "C-c"], check=True)
        on_screen(shell, tmux, "was not given")
        world.role("more")
        subprocess.run(["tmux", "-S", tmux, "send-keys", "-t", "work", "clear; ls", "Enter"], check=True)
        on_screen(shell, tmux, "awsdirenv: hint: awsdirenv login adminrole")


@pytest.mark.needs("/proc")
def test_an_sdk_names_its_terminal(world: World, folder: Path, live: Path) -> None:
    """Where a program of a live directory asks, and has our stderr, others read which terminal that is all the same."""
    end(world)
    with Shell(world, "bash", live, AWSDIRENV_NO_PROMPT="1") as shell:
        shell.start("AWSDIRENV_NO_PROMPT= awsdirenv credential-process --live=adminrole 2>/dev/null | cat")
        shell.expect(QUESTION)
        terminal = os.readlink(f"/proc/{shell.pid}/fd/0")
        assert re.search(rf"{WAITS}pid \d+ on {terminal}, asking for the MFA code", world.enter(folder)[1])
        shell.send("\x03")
        shell.finish()
