"""What `.envrc` insists on: the account, the role, and a person who says that they mean to enter."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from interpreter import count_interpreters
from shells import SHELLS, Shell, hook, times_asked
from world import BLOCK, CLOSED, OUTER, REGION, World, assert_nobody, told

ACCOUNT, OTHER = "123456789012", "210987654321"
QUESTION = f"Type production to enter plain ({ACCOUNT}): "


@pytest.fixture
def plain(world: World) -> World:
    """Add a role that wants no code."""
    world.role("plain", mfa=False)
    return world


def opened(world: World, line: str, name: str = "there", **env: str) -> dict[str, str | None]:
    """Enter a directory with this line, which must open."""
    changes, said = world.enter(world.project(name, f"{line}\n"), **env)
    assert changes.get("AWS_ACCESS_KEY_ID"), said
    assert "awsdirenv: error" not in said
    return changes


def closed(world: World, line: str, name: str = "there", **env: str) -> tuple[str, str]:
    """Enter a directory with this line, which must stay closed, other keys than ours included; give what is said."""
    changes, said = world.enter(world.project(name, f"{line}\necho still here >&2\n"), **{**OUTER, **env})
    assert changes.keys() >= set(BLOCK)
    assert_nobody(changes)
    assert "still here" in said
    lines = told(said)
    assert [line.split(": ")[1] for line in lines] == ["error", "hint"], said
    return lines[0].removeprefix("awsdirenv: error: "), lines[1].removeprefix("awsdirenv: hint: ")


# Account and role


def test_the_right_one_opens(plain: World) -> None:
    """A directory whose profile leads where the line says opens, and stays warm."""
    first = opened(plain, f"use aws_profile plain --account {ACCOUNT}")
    plain.run("awsdirenv", "clear", "plain").check_returncode()
    second = opened(plain, "use aws_profile plain --role=plain", "other")
    assert first["AWS_ACCESS_KEY_ID"] != second["AWS_ACCESS_KEY_ID"]
    log = count_interpreters(plain)
    for pin in (f"--account {ACCOUNT}", f"--account={ACCOUNT}", "--role plain", "--role=plain"):
        changes = opened(plain, f"use aws_profile plain {pin}")
        assert changes["AWS_ACCESS_KEY_ID"] == second["AWS_ACCESS_KEY_ID"], pin
    assert not log.exists()


def test_the_wrong_one_is_refused_before_anybody_is_asked(world: World) -> None:
    """What role_arn says is enough: no call, no question, and the line that is to be corrected."""
    world.role("adminrole")
    wrong = {
        f"--account {OTHER}": f"leads to account {ACCOUNT}, but .envrc wants account {OTHER}",
        "--role boss": "leads to role adminrole, but .envrc wants role boss",
        "--role ADMINROLE": "leads to role adminrole, but .envrc wants role ADMINROLE",
    }
    for pin in (*wrong, "--role ADMINROLE"):  # the last one twice
        said, hint = closed(world, f"use aws_profile adminrole {pin}")
        assert said == f"profile adminrole {wrong[pin]}"
        assert hint == "correct [profile adminrole], or the line in .envrc"
    assert not world.sts.calls


def test_a_sign_in_is_compared_before_anybody_is_asked(world: World) -> None:
    """So is what the files say of a profile of Identity Center, before the sign-in that it needs."""
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    said, _ = closed(world, f"use aws_profile dev --account {OTHER}")
    assert said == f"profile dev leads to account {ACCOUNT}, but .envrc wants account {OTHER}"


@pytest.mark.parametrize("pin", [f"--account {OTHER}", "--role boss"])
def test_a_login_says_that_the_directory_stays_closed(world: World, pin: str) -> None:
    """`awsdirenv login` warns first that its profile leads elsewhere, with and without the name, and nowhere else."""
    world.role("adminrole")
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    warning = "awsdirenv: warning: profile {} leads to {}, but .envrc wants " + pin.lstrip("-")
    for name, place in (("adminrole", "adminrole"), ("dev", "Developer")):
        folder = world.project(f"pinned-{name}", f"use aws_profile {name} {pin}\n")
        env = {name: value for name, value in world.enter(folder)[0].items() if value is not None}
        leads_to = f"account {ACCOUNT}" if "account" in pin else f"role {place}"
        for words in ((), (name,)):
            said = world.run("awsdirenv", "login", *words, cwd=folder, **env).stderr.splitlines()
            assert said[0] == warning.format(name, leads_to)
            assert said[1].startswith(f"awsdirenv: hint: correct [profile {name}]")
            assert said[2].startswith("awsdirenv: error: ")
        assert "warning" not in world.run("awsdirenv", "login", "base", cwd=folder, **env).stderr
        assert "warning" not in world.run("awsdirenv", "login", name).stderr
    sound = world.project("sound", f"use aws_profile adminrole --account {ACCOUNT}\n")
    env = {name: value for name, value in world.enter(sound)[0].items() if value is not None}
    done = world.run("awsdirenv", "login", "--token-code", world.code(), cwd=sound, **env)
    assert (done.returncode, "warning" in done.stderr) == (0, False)


def test_what_sts_says_counts(world: World) -> None:
    """Where the files do not tell the account, the answer of STS does, and the credentials are not exported."""
    assert closed(world, f"use aws_profile base --account {OTHER}")[0] == (
        f"profile base leads to account {ACCOUNT}, but .envrc wants account {OTHER}"
    )
    assert closed(world, "use aws_profile base --role adminrole")[0] == (
        "profile base leads to no role, but .envrc wants role adminrole"
    )
    opened(world, f"use aws_profile base --account {ACCOUNT}")


def test_what_sts_says_counts_for_the_role(world: World) -> None:
    """A role of Identity Center is what the profile calls it, and not what another one is called."""
    world.sso_session()
    world.sso_profile("dev", role_name="Developer")
    world.hold("dev")
    opened(world, f"use aws_profile dev --role Developer --account {ACCOUNT}")
    assert "leads to role Developer, but" in closed(world, "use aws_profile dev --role Developer2", "other")[0]


def test_a_snapshot_of_another_directory_does_not_open(plain: World) -> None:
    """What a directory without conditions has fetched is compared with the conditions of this one, warm or not."""
    plain.hold("plain")
    opened(plain, "use aws_profile plain", "other")
    assert ".envrc wants account" in closed(plain, f"use aws_profile plain --account {OTHER}")[0]
    assert ".envrc wants role" in closed(plain, "use aws_profile plain --role other")[0]
    assert plain.sts.count("AssumeRole") == 1


def test_an_edited_profile_is_refused(plain: World) -> None:
    """The day that somebody changes role_arn, the directory closes instead of opening elsewhere."""
    line = f"use aws_profile plain --account {ACCOUNT}"
    plain.hold("plain")
    opened(plain, line)
    arn = plain.sts.add_role("plain", OTHER)
    text = plain.config.read_text(encoding="utf-8")
    plain.config.write_text(text.replace(f"arn:aws:iam::{ACCOUNT}:role/plain", arn), encoding="utf-8")
    assert closed(plain, line)[0].startswith(f"profile plain leads to account {OTHER}, ")


def test_long_term_keys_are_compared_too(world: World) -> None:
    """`--no-session` is no way around: keys whose account nobody can tell are none of the account's."""
    assert ".envrc wants account" in closed(world, f"use aws_profile base --no-session --account {OTHER}")[0]


def test_live_directories_are_compared_too(plain: World) -> None:
    """A live directory exports no keys, but its profile must lead where the line says all the same."""
    changes, _ = plain.enter(plain.project("live", f"use aws_profile plain --live --account {ACCOUNT}\n"))
    assert changes["AWS_PROFILE"] == "plain"
    assert ".envrc wants account" in closed(plain, f"use aws_profile plain --live --account {OTHER}")[0]
    assert ".envrc wants role" in closed(plain, "use aws_profile plain --live --role other")[0]


def test_no_account(plain: World) -> None:
    """What is no account's id is a mistake in the line, and closes."""
    for value in ("", "12345678901", "1234567890123", "12345678901x", "\uff1123456789012", "$(id)"):
        message, hint = closed(plain, f"use aws_profile plain --account '{value}'")
        assert message == "--account needs the twelve digits of an account", value
        assert hint == "use aws_profile plain --account 123456789012"


def test_no_role(plain: World) -> None:
    """So is what is no role's name."""
    for value in ("", "path/role", "two words", "a*", "$(id)"):
        message, _ = closed(plain, f"use aws_profile plain --role '{value}'")
        assert message == "--role needs the name of a role, without its path", value


# Stage


def entry_line(said: str) -> str:
    """Give the line on entering."""
    return next(line for line in said.splitlines() if ": account " in line)


def test_the_stage_is_unmistakable(plain: World) -> None:
    """It stands first in the line on entering, in capitals, and in the environment as it is written."""
    plain.hold("plain")
    changes, said = plain.enter(plain.project("there", "use aws_profile plain --stage production\n"))
    assert entry_line(said).startswith(f"awsdirenv: *** PRODUCTION *** plain: account {ACCOUNT}, role plain, ")
    assert changes["AWSDIRENV_STAGE"] == "production"


def test_the_profile_says_the_stage(plain: World) -> None:
    """`awsdirenv_stage` in the profile is for every directory of it; the line's own word wins."""
    plain.role("live", mfa=False, awsdirenv_stage="production")
    plain.hold("plain")
    assert opened(plain, "use aws_profile live")["AWSDIRENV_STAGE"] == "production"
    log = count_interpreters(plain)
    assert opened(plain, "use aws_profile live")["AWSDIRENV_STAGE"] == "production"
    assert opened(plain, "use aws_profile live --stage 'not yet'", "other")["AWSDIRENV_STAGE"] == "not yet"
    assert not log.exists()
    changes, said = plain.enter(plain.project("files", "use aws_profile live --live\n"))
    assert changes["AWSDIRENV_STAGE"] == "production"
    assert "*** PRODUCTION ***" in said


def test_a_hostile_stage_is_a_word(plain: World) -> None:
    """Whatever it is made of is shown and exported, from the line and from the profile, and does nothing."""
    stages = ["it's", "$(touch pwned)", "a\\nb", "100% sure", "prödüction", "-x", '"', "`id`"]
    for number, stage in enumerate(stages):
        plain.role(f"live{number}", mfa=False, awsdirenv_stage=stage)
    plain.hold("plain")
    for number, stage in enumerate(stages):
        plain.hold(f"live{number}")
        assert opened(plain, f"use aws_profile live{number}")["AWSDIRENV_STAGE"] == stage
        quoted = stage.replace("'", "'\\''")
        changes = opened(plain, f"use aws_profile plain --stage='{quoted}'", "other")
        assert changes["AWSDIRENV_STAGE"] == stage
    assert not list(plain.root.rglob("pwned"))


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C.UTF-8"}])
def test_a_stage_in_capitals(plain: World, locale: dict[str, str]) -> None:
    """The locale says what they are, although we read files as bytes."""
    for line in ("", " --live"):
        for _ in range(2):
            _, said = plain.enter(plain.project("p", f"use aws_profile plain --stage=prödüction{line}\n"), **locale)
            assert "*** PRÖDÜCTION ***" in said


@pytest.mark.parametrize("stage", ["", "a\tb", "x" * 41])
def test_no_stage(plain: World, stage: str) -> None:
    """What cannot be shown in one line is refused, in the line and in the profile."""
    assert closed(plain, f"use aws_profile plain --stage '{stage}'")[0].startswith("--stage ")
    if stage:
        plain.role("live", mfa=False, awsdirenv_stage=stage)
        assert closed(plain, "use aws_profile live")[0].startswith("profile live has an invalid awsdirenv_stage")


def test_leaving_takes_the_stage_out(plain: World) -> None:
    """Another directory of ours has not the stage of the one before, also where it is an inner one that is closed."""
    plain.hold("plain")
    outer = opened(plain, "use aws_profile plain --stage production")
    inside = {name: value for name, value in outer.items() if value is not None}
    changes, _ = plain.enter(plain.project("other", "use aws_profile plain\n"), **inside)
    assert changes["AWSDIRENV_STAGE"] is None
    changes, _ = plain.enter(plain.project("absent"), **inside)
    assert changes["AWSDIRENV_STAGE"] is None


@pytest.mark.parametrize("kind", SHELLS)
def test_leaving_says_so(plain: World, kind: str) -> None:
    """A shell with the hook says what stage it leaves, once."""
    plain.hold("plain")
    folder = plain.project("there", "use aws_profile plain --stage 'it is 100% live'\n")
    with Shell(plain, kind, plain.project("plain")) as shell:
        shell.run(f"source {hook(plain, kind)}")
        assert "awsdirenv: lea" not in shell.run(f"cd {folder}") + shell.run("true")
        assert shell.run(f"cd {plain.root}").count("awsdirenv: leaving *** IT IS 100% LIVE ***") == 1
        said = shell.run("true") + shell.run(f"cd {plain.root}/plain") + shell.run(f"cd {plain.root}")
        assert "awsdirenv: lea" not in said
        assert "awsdirenv: left" not in said


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_where_there_is_some(plain: World, env: dict[str, str], *, coloured: bool) -> None:
    """A terminal gets colour unless somebody wants none; the words are there in any case."""
    plain.hold("plain")
    folder = plain.project("there", "use aws_profile plain --stage production\n")
    with Shell(plain, "bash", None, **env) as shell:
        shell.send(f"cd {folder}\r")
        shell.child.expect_exact("PRODUCTION ***")
        assert ("\x1b[1;37;41m***" in str(shell.child.before)) == coloured


# Confirmation


def confirmed(world: World) -> Path:
    """Give the one mark that somebody has typed the word."""
    (mark,) = (world.cache / "confirmed").iterdir()
    return mark


@pytest.fixture
def production(plain: World) -> Path:
    """Make a directory that asks, with fresh credentials."""
    plain.hold("plain")
    return plain.project("production", "use aws_profile plain --stage production --confirm\n")


@pytest.mark.parametrize("kind", SHELLS)
def test_entering_is_confirmed_once(plain: World, production: Path, kind: str) -> None:
    """The word opens the directory; neither this shell nor another is asked again, and both are warm."""
    with Shell(plain, kind) as shell:
        shell.send(f"cd {production}\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")
        log = count_interpreters(plain)
        shell.run(f"cd {plain.root}")
        shell.run(f"cd {production}")
        assert shell.variable("AWS_ACCESS_KEY_ID")
    assert plain.enter(production)[0]["AWS_ACCESS_KEY_ID"], "nobody needs to be there now"
    assert not log.exists()


def test_anything_else_leaves_it_closed(plain: World, production: Path) -> None:
    """Another word, none, or Ctrl-C: no variable, one error, and no question by an `ls`."""
    text = plain.config.read_text()
    with Shell(plain, "bash", None, **OUTER) as shell:
        for number, answer in enumerate(("no\r", "\r", "\x03", "plain\r"), 1):
            shell.run(f"cd {plain.root}")
            shell.send(f"cd {production}\r")
            shell.expect(QUESTION)
            shell.send(answer)
            assert shell.variable("AWS_ACCESS_KEY_ID") == "", answer
            assert shell.log.count("awsdirenv: error: entering plain was not confirmed") == number, answer
            assert times_asked(shell.log, QUESTION) == number, answer
            # Something that the directory watches changes: still nobody has confirmed anything.
            plain.config.write_text(f"{text}\n# edited\n")
            os.utime(plain.config, (number, number))
            said = shell.run("ls") + shell.run("ls")
            assert QUESTION not in said, answer
            assert "entering plain needs a confirmation" in said, answer
            assert shell.variable("AWS_ACCESS_KEY_ID") == "", answer
        time.sleep(1.1)  # direnv's times are whole seconds
        shell.send("direnv reload\r")
        shell.expect(QUESTION)
        shell.send("PRODUCTION\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")


def test_nobody_there(plain: World, production: Path) -> None:
    """An editor cannot enter what no person has confirmed; the load says so with its status."""
    message, hint = closed(plain, "use aws_profile plain --stage production --confirm", production.name)
    assert message == "entering plain needs a confirmation, and nobody is here to give it"
    assert hint == "in a terminal: direnv reload"
    done = plain.run("awsdirenv", "load", "plain", "--confirm")
    assert done.returncode == 3


def test_the_setting_asks_for_its_stage_only(plain: World) -> None:
    """AWSDIRENV_CONFIRM is for all directories of that stage, whoever says it, and for no other."""
    env = {"AWSDIRENV_CONFIRM": "Production"}
    plain.role("live", mfa=False, awsdirenv_stage="production")
    for name in ("plain", "live"):
        plain.hold(name)
    opened(plain, "use aws_profile plain", "none", **env)
    opened(plain, "use aws_profile plain --stage staging", "staging", **env)
    for line in ("use aws_profile plain --stage production", "use aws_profile live"):
        assert "needs a confirmation" in closed(plain, line, "production", **env)[0]
        opened(plain, line, "production")
        assert "needs a confirmation" in closed(plain, line, "production", **env)[0]
    opened(plain, "use aws_profile live --stage rehearsal", "rehearsal", **env)


def test_without_a_stage_it_is_the_name(plain: World) -> None:
    """`--confirm` alone has the person type the profile."""
    plain.hold("plain")
    folder = plain.project("there", "use aws_profile plain --confirm\n")
    with Shell(plain, "zsh") as shell:
        shell.send(f"cd {folder}\r")
        shell.expect(f"Type plain to enter plain ({ACCOUNT}): ")
        shell.send("plain\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")


def test_a_new_mfa_session_asks_anew(world: World) -> None:
    """The word counts for one MFA session: the code comes first, then the word; then neither until the next one."""
    world.role("adminrole")
    folder = world.project("there", "use aws_profile adminrole --stage production --confirm\n")
    with Shell(world, "bash") as shell:
        for _ in range(2):
            shell.send(f"cd {folder}\r")
            shell.expect("Enter MFA code for")
            shell.send(f"{world.code()}\r")
            shell.expect("Type production to enter adminrole")
            assert shell.log.rfind("AWS_ACCESS_KEY_ID") < shell.log.rfind("Type production")
            shell.send("production\r")
            assert shell.variable("AWS_ACCESS_KEY_ID")
            shell.run(f"cd {world.root}")
            shell.run(f"cd {folder}")
            assert shell.variable("AWS_ACCESS_KEY_ID")
            shell.run(f"cd {world.root}")
            for part in ("snapshots", "sessions"):
                for path in (world.cache / part).iterdir():
                    path.unlink()
            time.sleep(1.1)  # sessions are told apart by the second they began in


def test_many_at_once_are_asked_once(plain: World, production: Path) -> None:
    """Of several shells that enter together one asks; the others wait, and open with it."""
    with Shell(plain, "bash") as one, Shell(plain, "zsh") as two, Shell(plain, "fish") as three:
        shells = [one, two, three]
        for shell in shells:
            shell.send(f"cd {production}\r")
        asking: list[Shell] = []
        end = time.monotonic() + 60
        while not asking and time.monotonic() < end:
            for shell in shells:
                shell.settle(0.2)
            asking = [shell for shell in shells if QUESTION in shell.log]
        time.sleep(0.5)
        assert len(asking) == 1
        asking[0].send("production\r")
        for shell in shells:
            assert shell.variable("AWS_ACCESS_KEY_ID")
        assert sum(times_asked(shell.log, QUESTION) for shell in shells) == 1


def test_the_word_of_one_place_is_none_of_another(plain: World, production: Path) -> None:
    """What was confirmed is a stage and an account: another word, or another account, is asked for anew."""
    with Shell(plain, "bash") as shell:
        shell.send(f"cd {production}\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")
    assert "needs" in closed(plain, "use aws_profile plain --stage live --confirm")[0]
    assert "needs" in closed(plain, "use aws_profile plain --confirm")[0]
    arn = plain.sts.add_role("plain", OTHER)
    text = plain.config.read_text(encoding="utf-8")
    plain.config.write_text(text.replace(f"arn:aws:iam::{ACCOUNT}:role/plain", arn), encoding="utf-8")
    assert "needs" in closed(plain, "use aws_profile plain --stage production --confirm")[0]


def test_an_old_word_is_over(plain: World, production: Path) -> None:
    """Where there is no MFA session the word counts for as long as one would; a mark of somebody's making does not."""
    with Shell(plain, "bash") as shell:
        shell.send(f"cd {production}\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")
    mark = confirmed(plain)
    assert mark.stat().st_mode & 0o777 == 0o600
    text = mark.read_text(encoding="utf-8")
    until = re.search(r"AWSDIRENV_UNTIL=(\d+)", text)
    assert until
    assert abs(int(until.group(1)) - time.time() - 43200) < 60
    mark.write_text(text.replace(until.group(1), str(int(time.time()) - 1)), encoding="utf-8")
    line = "use aws_profile plain --stage production --confirm"
    assert "needs" in closed(plain, line, production.name)[0]
    mark.unlink()
    target = plain.root / "mark"
    target.write_text(text, encoding="utf-8")
    target.chmod(0o600)
    mark.symlink_to(target)
    assert "needs" in closed(plain, line, production.name)[0]


def test_a_live_directory_asks_too(plain: World) -> None:
    """No keys are exported there, and still nobody gets in without the word."""
    line = "use aws_profile plain --live --stage production --confirm"
    assert "needs a confirmation" in closed(plain, line)[0]
    folder = plain.project("there", f"{line}\n")
    with Shell(plain, "bash") as shell:
        shell.send(f"cd {folder}\r")
        shell.expect(QUESTION)
        shell.send("no\r")
        assert shell.variable("AWS_PROFILE") == CLOSED["AWS_PROFILE"]
        shell.send("direnv reload\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        assert shell.variable("AWS_PROFILE") == "plain"


def test_clear_forgets_the_word(plain: World, production: Path) -> None:
    """Starting over means being asked again."""
    with Shell(plain, "bash") as shell:
        shell.send(f"cd {production}\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")
    plain.run("awsdirenv", "clear", "plain").check_returncode()
    assert "needs" in closed(plain, "use aws_profile plain --stage production --confirm", production.name)[0]


def test_inside_nobody_is_asked_again(plain: World, production: Path) -> None:
    """Credentials that are renewed while somebody sits in the directory need no word."""
    plain.sts.life_override = 6
    plain.run("awsdirenv", "clear", "plain").check_returncode()
    with Shell(plain, "bash") as shell:
        shell.send(f"cd {production}\r")
        shell.expect(QUESTION)
        shell.send("production\r")
        before = shell.variable("AWS_ACCESS_KEY_ID")
        confirmed(plain).unlink()
        time.sleep(6)
        subprocess.run(["touch", plain.config], check=True)
        shell.run("true")
        assert shell.variable("AWS_ACCESS_KEY_ID") not in ("", before)
        assert times_asked(shell.log, QUESTION) == 1
        assert shell.variable("AWS_REGION") == REGION
