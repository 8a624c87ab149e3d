"""The MFA prompt in real bash, zsh and fish with direnv's real hooks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shells import SHELLS, Shell, asking_process, times_asked
from world import World


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, world: World) -> Iterator[Shell]:
    """Open each shell in turn, outside of any project; one, where it is between us, the terminal and STS only."""
    with Shell(world, request.param) as opened:
        yield opened


@pytest.fixture
def project(world: World) -> Path:
    """Make a project that uses `adminrole`, and loads something else, too."""
    world.role("adminrole")
    return world.project("adminrole", "use aws_profile adminrole\nexport REST_OF_ENVRC=loaded\n")


def question(world: World) -> str:
    """Give what a person reads."""
    return f"Enter MFA code for {world.mfa_serial}: "


def ask(shell: Shell, world: World, project: Path) -> None:
    """Enter the project and wait for the question."""
    shell.start(f"cd {project}")
    shell.expect(question(world))


def test_one_code_opens_the_directory(shell: Shell, world: World, project: Path) -> None:
    """A typed code, corrected with backspace, opens the directory, and leaving closes it."""
    before = shell.modes()
    ask(shell, world, project)
    shell.send("99\x7f\x7f" + world.code() + "\r")
    said = shell.finish()
    assert "awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1" in said
    assert shell.variable("REST_OF_ENVRC") == "loaded"
    assert "assumed-role/adminrole/" in world.sts.keys[shell.variable("AWS_ACCESS_KEY_ID")].arn
    shell.run(f"cd {world.root}")
    assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    assert shell.modes() == before
    assert world.sts.count("GetSessionToken") == 1


# Keys, and answers to questions that a shell or a theme has asked the terminal a moment ago: colours, its kind.
BESIDE_CODES = ["\x1b]11;rgb:1e1e/2222/3333\x1b\\", "\x1b]10;rgb:ff/ff/ff\a", "\x1bP1+r544e=787465726d\x1b\\"]
BESIDE_CODES += ["\x1b[?62;4c", "\x1b[24;80R", "\x1b[A", "\x1bOA", "\x1b[15~", "\x1b[[A", "\x1b\x1b[A"]


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_what_no_person_has_typed_is_no_part_of_the_code(shell: Shell, world: World, project: Path) -> None:
    """Escape sequences of any kind between the digits are passed over whole."""
    ask(shell, world, project)
    code = world.code()
    shell.send(code[:3] + "".join(BESIDE_CODES) + code[3:] + "\r")
    assert "awsdirenv: adminrole: account 123456789012" in shell.finish()
    assert world.sts.count("GetSessionToken") == 1


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_wrong_codes(shell: Shell, world: World, project: Path) -> None:
    """A wrong code is said to be wrong and asked for again; the third is the last."""
    ask(shell, world, project)
    for _ in range(2):
        shell.send("000000\r")
        shell.expect("awsdirenv: STS refused that code")
        shell.expect(question(world))
    shell.send("000000\r")
    said = shell.finish()
    assert f"awsdirenv: error: STS refused 3 MFA codes for {world.mfa_serial}" in said
    assert "awsdirenv: hint: " in said
    assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    assert shell.variable("REST_OF_ENVRC") == "loaded"
    assert world.sts.count("GetSessionToken") == 3


@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_wrong_then_right(shell: Shell, world: World, project: Path) -> None:
    """A right code after a wrong one opens the directory."""
    ask(shell, world, project)
    shell.send("000000\r")
    shell.expect(question(world))
    shell.send(world.code() + "\r")
    assert "awsdirenv: adminrole: account" in shell.finish()


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
def test_no_code_at_all(shell: Shell, world: World, project: Path) -> None:
    """What is not six digits never reaches STS, and does not count as a try."""
    ask(shell, world, project)
    for answer in ("12345", "1234567", "abcdef", "12 456", "\uff11\uff12\uff13\uff14\uff15\uff16"):
        shell.send(answer + "\r")
        shell.expect("awsdirenv: an MFA code is six digits")
        shell.expect(question(world))
    shell.send(world.code() + "\r")
    assert "awsdirenv: adminrole: account" in shell.finish()
    assert world.sts.count("GetSessionToken") == 1


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_used_code(shell: Shell, world: World, project: Path) -> None:
    """A code that was used already is refused without asking STS, with the time to wait."""
    world.role("long", duration_seconds=7200)
    long_project = world.project("long")
    code = world.code()
    ask(shell, world, project)
    shell.send(code + "\r")
    shell.finish()
    shell.start(f"cd {long_project}")
    shell.expect(question(world))
    shell.send(code + "\r")
    shell.expect("awsdirenv: that code was already used, the next one comes within 30 s")
    shell.expect(question(world))
    shell.send(world.code() + "\r")
    assert "awsdirenv: long: account 123456789012, role long, eu-west-1, 2h00m left" in shell.finish()
    assert world.sts.count("AssumeRole", ok=False) == 0


def test_cancelling(shell: Shell, world: World, project: Path) -> None:
    """Cancelling ends this step only: the rest is loaded, nothing is asked again until `direnv reload` or entering."""
    before = shell.modes()
    # Ctrl-D, nothing at all, Ctrl-C behind digits: no shell has a part in them. Ctrl-Z, Ctrl-C.
    for key in (*(("\x04", "\r", "12\x03") if shell.kind == "bash" else ()), "\x1a", "\x03"):
        shell.run(f"cd {world.root}")
        ask(shell, world, project)
        shell.send(key)
        said = shell.finish()
        assert said.count("awsdirenv: error: ") == 1, repr(key)
        assert said.count("awsdirenv: hint: direnv reload") == 1
        assert shell.variable("REST_OF_ENVRC") == "loaded"
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert shell.modes() == before, repr(key)
        assert question(world) not in shell.run("true") + shell.run("true")
    time.sleep(1.1)  # direnv compares whole seconds
    shell.start("direnv reload")
    shell.expect(question(world))
    shell.send("\x03")
    shell.finish()
    shell.run(f"cd {world.root}")
    ask(shell, world, project)
    shell.send(world.code() + "\r")
    assert "awsdirenv: adminrole: account" in shell.finish()
    assert world.sts.count("GetSessionToken") == 1


@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_login_heals(shell: Shell, world: World, project: Path) -> None:
    """After a cancelled question, `awsdirenv login` anywhere opens the directory at the next prompt."""
    ask(shell, world, project)
    shell.send("\x03")
    shell.finish()
    world.login("adminrole")
    shell.run("true")
    assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASID")


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
def test_login_asks(shell: Shell, world: World, project: Path) -> None:
    """`awsdirenv login` asks at the terminal, and Ctrl-C there is one error."""
    shell.start("awsdirenv login adminrole")
    shell.expect(question(world))
    shell.send("\x03")
    said = shell.finish()
    assert "awsdirenv: error: " in said
    assert "Traceback" not in said
    shell.start("awsdirenv login adminrole")
    shell.expect(question(world))
    shell.send(world.code() + "\r")
    assert "awsdirenv: adminrole: account 123456789012" in shell.finish()


def test_login_and_the_reload_say_it_once(shell: Shell, world: World, project: Path) -> None:
    """Where direnv says the line of the directory right after a login, the login does not; elsewhere it does."""
    line = "awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1, 1h00m left"
    ask(shell, world, project)
    shell.send("\x03")
    shell.finish()
    shell.start("awsdirenv login")
    shell.expect(question(world))
    shell.send(world.code() + "\r")
    said = shell.finish() + shell.run("true")
    assert (said.count(line), said.count("awsdirenv: adminrole: logged in")) == (1, 1)
    quiet = "set -gx AWSDIRENV_QUIET 1" if shell.kind == "fish" else "export AWSDIRENV_QUIET=1"
    for before, options in (("true", ""), (f"cd {world.root}", "--force"), (quiet, ""), (f"cd {project}", "--force")):
        shell.run(before)
        said = shell.run(f"awsdirenv login adminrole {options}") + shell.run("true")
        assert (said.count(line), said.count("logged in")) == (1, 0), (before, options)


def test_time_limit(shell: Shell, world: World, project: Path) -> None:
    """A question that nobody answers ends by itself, and the terminal is as before."""
    before = shell.modes()
    shell.run("set -gx AWSDIRENV_PROMPT_TIMEOUT 1s" if shell.kind == "fish" else "export AWSDIRENV_PROMPT_TIMEOUT=1s")
    ask(shell, world, project)
    shell.expect("awsdirenv: error: nobody gave the MFA code in time")
    shell.finish()
    assert shell.variable("REST_OF_ENVRC") == "loaded"
    assert shell.modes() == before


def test_killed_prompt(shell: Shell, world: World, project: Path) -> None:
    """However the asking process dies, the terminal is as before and the shell goes on, closed."""
    before = shell.modes()
    # What can be caught the process itself cleans up after, in any shell.
    for number in (*((signal.SIGTERM, signal.SIGHUP) if shell.kind == "zsh" else ()), signal.SIGKILL):
        ask(shell, world, project)
        os.kill(asking_process(shell), number)
        said = shell.finish()
        assert said.count("awsdirenv: error: ") == 1, number
        assert "bin/python" not in said, "bash has nothing of its own to say about it"
        assert shell.modes() == before, number
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert shell.variable("REST_OF_ENVRC") == "loaded"
        shell.run(f"cd {world.root}")


def test_notice_of_direnv(shell: Shell, world: World, project: Path) -> None:
    """After direnv has written its notice into the prompt, the prompt is drawn again with what was typed."""
    ask(shell, world, project)
    code = world.code()
    shell.send(code[:3])
    shell.expect("is taking a while")
    shell.expect(question(world) + code[:3])
    shell.send(code[3:] + "\r")
    assert "awsdirenv: adminrole: account" in shell.finish()
    assert (shell.log.count(question(world)), times_asked(shell.log, question(world))) == (2, 1)


def test_type_ahead(shell: Shell, world: World, project: Path) -> None:
    """What is typed behind the code is the shell's."""
    ask(shell, world, project)
    shell.send(world.code() + "\recho typed-a''head\r")
    assert "typed-ahead" in shell.finish()


@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_code_from_a_process(shell: Shell, world: World, project: Path) -> None:
    """With AWSDIRENV_MFA_PROCESS nobody is asked, and its pipes work."""
    command = f"echo {world.code()} | cat"
    shell.run(
        f"set -gx AWSDIRENV_MFA_PROCESS '{command}'"
        if shell.kind == "fish"
        else f"export AWSDIRENV_MFA_PROCESS='{command}'"
    )
    said = shell.run(f"cd {project}")
    assert "Enter MFA code" not in said
    assert "awsdirenv: adminrole: account" in said


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_a_session_that_never_was_has_not_ended(shell: Shell, world: World, project: Path) -> None:
    """Evaluated again without having been entered, a directory that was never open says what it needs."""
    ask(shell, world, project)
    shell.send("\x03")
    shell.finish()
    world.config.write_text(world.config.read_text() + "\n")
    said = shell.run("true")
    assert f"awsdirenv: error: profile adminrole needs an MFA code for {world.mfa_serial}\r\n" in said
    assert "awsdirenv: hint: awsdirenv login adminrole" in said
    assert "has ended" not in said


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_ended_session_is_announced_in_place(shell: Shell, world: World, project: Path) -> None:
    """Where a code is needed and nobody entered or reloaded, one line says so and nothing is asked."""
    ask(shell, world, project)
    shell.send(world.code() + "\r")
    shell.finish()
    world.run("awsdirenv", "clear", "--all").check_returncode()
    said = shell.run("true")
    assert question(world) not in said
    assert "awsdirenv: error: the session for adminrole has ended" in said
    assert "awsdirenv: hint: awsdirenv login adminrole" in said
    assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    assert "awsdirenv: error" not in shell.run("true")
    world.login("adminrole")
    shell.run("true")
    assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASID")


@pytest.mark.parametrize(
    "command",
    [
        "direnv exec {folder} true 2>{root}/said",
        "env CI=true direnv exec {folder} true 2>&1 | tee {root}/said",
        "env CI=true direnv exec {folder} true 2>/dev/tty; env CI=1 direnv exec {folder} true 2>{root}/said",
        "env AWSDIRENV_NO_PROMPT=1 direnv exec {folder} true",
        "direnv exec {folder} true & wait",
    ],
    ids=["errors go elsewhere", "piped", "ci", "said so", "in the background"],
)
def test_nobody_is_there(world: World, project: Path, command: str) -> None:
    """With a terminal at hand, too, nobody is asked who does not see it, or who said not to."""
    with Shell(world, "bash") as shell:
        said = shell.run(command.format(folder=project, root=world.root))
        assert question(world) not in said
        shown = said + ((world.root / "said").read_text() if (world.root / "said").exists() else "")
        assert "nobody is here to type it" in shown
        assert "awsdirenv: hint: awsdirenv login adminrole" in shown
