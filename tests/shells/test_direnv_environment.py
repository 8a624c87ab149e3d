"""What `use aws_profile` does to the environment, in real direnv: the block, the region, the line, the watches."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from interpreter import count_interpreters
from shells import SHELLS, Shell
from world import AT_ONCE, UTF8, World, wait_for

LINE = re.compile(
    r"^awsdirenv: (?P<profile>.*): account (?P<account>\d+), role (?P<role>\S+), (?P<where>.*) left$", re.MULTILINE
)


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs no code, and has been loaded."""
    world.role("plain", mfa=False)
    world.hold("plain")
    return world.project("plain")


@pytest.mark.cold
def test_exported(world: World, folder: Path) -> None:
    """Exactly the promised variables are exported, with the values that STS gave."""
    changes, said = world.enter(folder)
    ours = {name: value for name, value in changes.items() if not name.startswith("DIRENV_")}
    assert set(ours) == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_ACCOUNT_ID",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWSDIRENV_PROFILE",
        "AWSDIRENV_KEY_ID",
        "AWSDIRENV_REFRESH_AT",
        "AWSDIRENV_LOADED",
    }
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", str(ours["AWS_CREDENTIAL_EXPIRATION"]))
    assert 2690 < int(str(ours["AWSDIRENV_REFRESH_AT"])) - time.time() <= 2700
    assert ours["AWS_REGION"] == ours["AWS_DEFAULT_REGION"] == "eu-west-1"
    line = LINE.search(said)
    assert line
    assert line.groupdict() == {
        "profile": "plain",
        "account": "123456789012",
        "role": "plain",
        "where": "eu-west-1, 1h00m",
    }


@pytest.mark.cold
def test_python_is_started_only_when_due(world: World, folder: Path) -> None:
    """A fresh snapshot costs no Python, in another directory of the profile neither."""
    log = count_interpreters(world)
    world.enter(folder)
    world.enter(world.project("other", "use aws_profile plain\n"))
    assert not log.exists()
    world.config.touch()
    world.enter(folder)
    assert log.read_text() == "started\n"


def test_leaving(world: World) -> None:
    """What was there before is there again after leaving, in each shell."""
    world.role("plain", mfa=False)
    world.hold("plain")
    folder = world.project("plain")
    for kind in SHELLS:
        with Shell(world, kind, AWS_PROFILE="mine", AWS_SESSION_TOKEN="outer") as shell:
            shell.run(f"cd {folder}")
            assert shell.variable("AWS_PROFILE") == ""
            assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASID")
            shell.run("cd /")
            assert shell.variable("AWS_ACCESS_KEY_ID") == ""
            assert shell.variable("AWS_PROFILE") == "mine"
            assert shell.variable("AWS_SESSION_TOKEN") == "outer"


def test_region(world: World, folder: Path) -> None:
    """The option wins over the environment, which wins over the profile, as in the AWS CLI."""
    cases: list[tuple[dict[str, str], str, str]] = [
        ({}, "", "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "", "us-east-2"),
        ({"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-east-2"}, "", "us-west-2"),
        ({"AWS_REGION": "us-west-2"}, "--region ap-south-1", "ap-south-1"),
        ({}, "--region=ap-south-1", "ap-south-1"),
    ]
    for number, (env, option, expected) in enumerate(cases):
        project = world.project(f"region{number}", f"use aws_profile plain {option}\n")
        changes, said = world.enter(project, **env)
        held = {**env, **changes}
        assert held["AWS_REGION"] == held["AWS_DEFAULT_REGION"] == expected, (env, option)
        assert f"role plain, {expected}, " in said


@pytest.mark.cold
def test_no_region(world: World) -> None:
    """Where nothing names a region none is made up: one warning names the key to set."""
    world.profile("nowhere", role_arn=world.sts.add_role("nowhere"), source_profile="base")
    folder = world.project("nowhere")
    for _ in range(2):
        changes, said = world.enter(folder)
        assert "AWS_REGION" not in changes
        assert said.count("awsdirenv: warning: no region for profile nowhere\n") == 1
        assert f"awsdirenv: hint: set region in [profile nowhere] of {world.config}\n" in said


@pytest.mark.parametrize("env", [{"AWSDIRENV_QUIET": "1"}, {"DIRENV_LOG_FORMAT": ""}])
def test_quiet(world: World, folder: Path, env: dict[str, str]) -> None:
    """The line on entering can be turned off; errors cannot."""
    assert "awsdirenv:" not in world.enter(folder, **env)[1]
    assert "awsdirenv: error: " in world.enter(world.project("gone"), **env)[1]


@pytest.mark.cold
def test_inner_directory(world: World, folder: Path) -> None:
    """With source_up an inner profile replaces the outer one whole, its region included."""
    world.profile("inner", role_arn=world.sts.add_role("inner"), source_profile="base")
    project = world.project("plain/inner", "source_up\nuse aws_profile inner\n")
    changes, said = world.enter(project)
    assert changes["AWSDIRENV_PROFILE"] == "inner"
    assert "AWS_REGION" not in changes, "the outer directory's region is not the inner one's"
    assert "no region for profile inner" in said
    closed = world.project("plain/closed", "source_up\nuse aws_profile missing\n")
    changes, _ = world.enter(closed)
    assert "AWS_ACCESS_KEY_ID" not in changes
    assert "AWSDIRENV_PROFILE" not in changes


@pytest.mark.parametrize("kind", SHELLS)
def test_edited_config_is_noticed_in_place(world: World, kind: str) -> None:
    """Editing ~/.aws/config while sitting in the directory takes effect at the next prompt."""
    world.role("plain", mfa=False)
    other = world.sts.add_role("other", account="222222222222")
    folder = world.project("plain")
    world.hold("plain")
    with Shell(world, kind, cwd=folder) as shell:
        assert shell.variable("AWS_ACCOUNT_ID") == "123456789012"
        time.sleep(1.1)
        text = world.config.read_text()
        world.config.write_text(text.replace("arn:aws:iam::123456789012:role/plain", other))
        assert "account 222222222222, role other" in shell.run("true")
        assert shell.variable("AWS_ACCOUNT_ID") == "222222222222"


def test_reload_happens_once(world: World, folder: Path) -> None:
    """A refresh reloads a shell once, and then it is quiet: nothing that we write makes it reload for ever."""
    with Shell(world, "bash", cwd=folder) as shell:
        world.run("awsdirenv", "login", "plain", "--force").check_returncode()
        assert "awsdirenv: plain: account" in shell.run("true")
        for _ in range(3):
            assert "direnv: loading" not in shell.run("true")


def test_linked_config(world: World, folder: Path) -> None:
    """A config file behind a link, as home-manager makes it with one time for all generations, is noticed."""
    store = world.root / "store"
    store.mkdir()
    text = world.config.read_text()
    other = world.sts.add_role("other", account="222222222222")
    for number, content in enumerate([text, text.replace("arn:aws:iam::123456789012:role/plain", other)]):
        (store / f"config{number}").write_text(content)
        os.utime(store / f"config{number}", (1, 1))
    world.config.unlink()
    world.config.symlink_to(store / "config0")
    with Shell(world, "bash", cwd=folder) as shell:
        assert shell.variable("AWS_ACCOUNT_ID") == "123456789012"
        for _ in range(3):
            assert "direnv: loading" not in shell.run("true")
        time.sleep(1.1)
        world.config.unlink()
        world.config.symlink_to(store / "config1")
        shell.run("true")
        assert shell.variable("AWS_ACCOUNT_ID") == "222222222222"


def test_dotenv_names_the_profile(world: World, folder: Path) -> None:
    """Without a name the nearest .env decides, then the environment, then `default`; editing .env is noticed."""
    world.role("second", mfa=False)
    project = world.project("named/deep", "use aws_profile\n")
    assert "profile default has no credentials" in world.enter(project)[1]
    assert world.enter(project, AWS_PROFILE="second")[0]["AWSDIRENV_PROFILE"] == "second"
    (world.root / "named" / ".env").write_text("# ours\nexport AWS_PROFILE='plain' # comment\n")
    assert world.enter(project, AWS_PROFILE="second")[0]["AWSDIRENV_PROFILE"] == "plain"
    log = count_interpreters(world)
    changes, said = world.enter(project, AWS_PROFILE="second")
    assert changes["AWSDIRENV_PROFILE"] == "plain"
    assert "awsdirenv: plain: account" in said
    assert not log.exists()
    (world.root / "named" / ".env").write_text("AWS_PROFILE=second\n")
    assert world.enter(project)[0]["AWSDIRENV_PROFILE"] == "second"
    (world.root / "named" / ".env").write_text("OTHER=1\n")
    assert world.enter(project, AWS_PROFILE="plain")[0]["AWSDIRENV_PROFILE"] == "plain"
    assert world.enter(project, AWS_PROFILE="second")[0]["AWSDIRENV_PROFILE"] == "second"


def test_hostile_names(world: World) -> None:
    """A profile may have any name that botocore can read: it is loaded, cold and warm, and never reaches a shell."""
    # Those that a shell would take for something else are loaded cold from direnv, the others by the command itself.
    dangerous = (
        "with space",
        'dou"ble',
        "sin'gle",
        "-dash",
        "$(touch pwned)",
        "`touch pwned`",
        "back\\slash",
        "*",
        "a;touch pwned",
        "~",
        "#hash",
        "team/prod",
        "管理者",
    )
    names = (*dangerous, "a.b-c_d", "ünïcödé", "100%", "..", "a@b")
    text = world.config.read_text()
    for name in names:
        arn = world.sts.add_role(f"hostile{names.index(name)}")
        header = "[profile " + ("'" + name.replace("'", "'\"'\"'") + "'") + "]"
        text += f"{header}\nrole_arn = {arn}\nsource_profile = base\nregion = eu-west-1\n"
    world.config.write_text(text)
    for name in names:
        count = world.sts.count("AssumeRole")
        folder = f"hostile{names.index(name)}"
        project = world.project(folder, 'use aws_profile -- "$(<name)"\n')
        (project / "name").write_text(name)
        if name not in dangerous:
            world.hold(name)
        for _ in range(2 if name in dangerous else 1):
            changes, said = world.enter(project)
            assert changes.get("AWSDIRENV_PROFILE") == name, said
            assert f"role {folder}, " in said
        assert world.sts.count("AssumeRole") == count + 1, name
        assert not list(world.root.rglob("pwned"))


def test_two_homes_of_config(world: World, folder: Path) -> None:
    """Another AWS_CONFIG_FILE is another world: the same name there never gets this one's credentials."""
    other = world.root / "other-config"
    arn = world.sts.add_role("elsewhere", account="222222222222")
    other.write_text(f"[profile plain]\nrole_arn = {arn}\nsource_profile = base\nregion = eu-west-1\n")
    project = world.project("elsewhere", f"export AWS_CONFIG_FILE={other}\nuse aws_profile plain\n")
    for _ in range(2):
        assert world.enter(project)[0]["AWS_ACCOUNT_ID"] == "222222222222"
        assert world.enter(folder)[0]["AWS_ACCOUNT_ID"] == "123456789012"
    assert world.sts.count("AssumeRole") == 2


def test_interrupted(world: World) -> None:
    """A real SIGINT leaves a mark: no evaluation starts the same again, until a reload or a login."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    world.sts.add_fault("AssumeRole", "hang", times=1, seconds=20)
    process = subprocess.Popen(
        ["awsdirenv", "load", "--envrc", "plain"], cwd=folder, env=world.env, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: world.sts.calls)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=AT_ONCE)[1]
    assert "awsdirenv: error: loading plain was cancelled\nawsdirenv: hint: direnv reload\n" in said
    assert process.returncode == 3
    assert "awsdirenv: error: loading plain was cancelled here\n" in world.enter(folder)[1]
    assert len(world.sts.calls) == 1
    os.utime(folder / ".envrc", (time.time() + 5, time.time() + 5))  # as `direnv reload` does
    assert "awsdirenv: plain: account" in world.enter(folder)[1]


@pytest.mark.parametrize("kind", SHELLS)
def test_ctrl_c_while_sts_hangs(world: World, kind: str) -> None:
    """Ctrl-C while STS does not answer ends this step only: the rest is loaded and the shell is sane."""
    world.role("plain", mfa=False)
    folder = world.project("plain", "use aws_profile plain\nexport REST_OF_ENVRC=loaded\n")
    world.sts.add_fault("AssumeRole", "hang", times=None, seconds=30)
    with Shell(world, kind) as shell:
        before = shell.modes()
        shell.start(f"cd {folder}")
        wait_for(lambda: world.sts.calls)
        started = time.monotonic()
        shell.send("\x03")
        said = shell.finish()
        assert time.monotonic() - started < AT_ONCE
        assert "awsdirenv: error: loading plain was cancelled" in said
        assert "awsdirenv: hint: direnv reload" in said
        assert shell.variable("REST_OF_ENVRC") == "loaded"
        assert shell.modes() == before


def test_one_code_opens_every_closed_directory(world: World) -> None:
    """A directory that was closed for want of a code opens at its next prompt when any profile gets one."""
    world.role("mine")
    world.role("other")
    folder = world.project("mine")
    with Shell(world, "fish") as shell:
        shell.start(f"cd {folder}")
        shell.expect("Enter MFA code for ")
        shell.send("\x03")
        shell.finish()
        assert "direnv: loading" not in shell.run("true")
        world.login("other")
        assert "awsdirenv: mine: account" in shell.run("true")
        assert "direnv: loading" not in shell.run("true")


def test_dotenv_of_a_stranger_runs_nothing(world: World) -> None:
    """A .env that came with a repository is nobody's word before its .envrc is allowed: its command does not run."""
    world.role("adminrole")
    folder = world.project("adminrole")
    (folder / ".env").write_text(f"AWSDIRENV_MFA_PROCESS='touch {world.root}/ran; echo {world.code()}'\n")
    done = world.run("awsdirenv", "login", "adminrole", cwd=folder)
    assert done.returncode == 3
    world.run("direnv", "deny", str(folder))
    world.run("direnv", "export", "json", cwd=folder)
    assert not (world.root / "ran").exists()
    world.run("direnv", "allow", str(folder))
    assert "awsdirenv: adminrole: account" in world.enter(folder)[1]
    assert (world.root / "ran").exists()


def test_ended_credentials_are_never_exported(world: World, folder: Path) -> None:
    """Whatever became of bash's own clock variable in .envrc, credentials that have ended stay inside."""
    world.sts.life_override = 3
    world.run("awsdirenv", "login", "plain", "--force").check_returncode()
    time.sleep(3.1)
    world.sts.stop()
    project = world.project("odd", "unset EPOCHSECONDS\nEPOCHSECONDS=0\nuse aws_profile plain\n")
    changes, said = world.enter(project)
    assert changes.get("AWS_ACCESS_KEY_ID") is None
    assert "no answer" in said


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_somebody_elses_home(world: World, folder: Path, name: str) -> None:
    """A path in the form ~user is refused, because bash can only expand it by evaluating it."""
    changes, said = world.enter(folder, **{name: "~root/x"})
    assert changes.get("AWS_ACCESS_KEY_ID") is None
    assert "awsdirenv: error: cannot find ~root/x: ~user is not expanded\n" in said


def test_watches_are_remembered_for_one_state_of_the_files(world: World, folder: Path) -> None:
    """After an edit of AWS's files and the reload that follows, prompts load nothing, in this shell and in the next."""
    world.enter(folder)
    world.enter(folder)  # its watches are remembered by now
    world.config.write_text(world.config.read_text() + "# edited\n")
    stat = world.config.stat()
    os.utime(world.config, (stat.st_atime + 10, stat.st_mtime + 10))
    for _ in range(2):
        with Shell(world, "bash", cwd=folder) as shell:
            assert "direnv: loading" in shell.log + shell.run("true")
            assert "direnv: loading" not in shell.run("true") + shell.run("true")


def test_what_is_remembered_of_watches_does_not_grow(world: World, folder: Path) -> None:
    """One line for a directory, also after renewals, of the last 24 directories; the newest comes first."""
    world.enter(folder)
    (memory,) = (world.cache / "watches").iterdir()
    (line,) = memory.read_text().splitlines()
    world.run("awsdirenv", "login", "plain", "--force").check_returncode()
    world.enter(folder)
    (renewed,) = memory.read_text().splitlines()
    assert renewed != line
    assert renewed.split(" ")[0] == line.split(" ")[0]
    others = [f"other{number} {line.partition(' ')[2]}" for number in range(23)]
    memory.write_text("\n".join([*others, renewed]) + "\n")
    world.enter(folder)  # the last line counts, too: nothing is added
    assert memory.read_text().splitlines() == [*others, renewed]
    world.enter(world.project("second", "use aws_profile plain\n"))
    second, *older = memory.read_text().splitlines()
    assert second.split(" ")[0] != renewed.split(" ")[0]
    assert older == others
    assert [path.name for path in memory.parent.iterdir()] == [memory.name]


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": UTF8}])
def test_programs_see_the_locale_of_the_person(world: World, locale: dict[str, str]) -> None:
    """The extension reads its files as bytes, but what it starts has the environment as it is."""
    log, codes = world.root / "locale", world.codes(2)
    world.role("coded", mfa_process=world.program("asked", f'echo "${{LC_ALL-unset}}" >{log}; exec {codes}'))
    changes, said = world.enter(world.project("coded"), **locale)
    assert changes.get("AWSDIRENV_PROFILE") == "coded", said
    assert log.read_text() == locale.get("LC_ALL", "unset") + "\n"


@pytest.mark.as_program
@pytest.mark.parametrize("where", ['command() { [[ $1 != -p ]] && builtin command "$@"; }', "PATH=/nowhere"])
def test_watches_are_remembered_wherever_programs_are(world: World, where: str) -> None:
    """The system's folders may have none, as on NixOS, and so may PATH; no file is left over."""
    world.role("plain", mfa=False)
    world.enter(world.project("elsewhere", f"{where}\nuse aws_profile plain\n"))
    names = [sorted(path.name for path in (world.cache / kind).iterdir()) for kind in ("snapshots", "watches")]
    assert names[0] == names[1]


def test_a_refresh_in_the_middle_of_a_load_is_not_lost(world: World, folder: Path) -> None:
    """A snapshot that is replaced after it was opened is not exported: direnv would not come back for the new one."""
    (snapshot,) = (world.cache / "snapshots").iterdir()
    old = world.root / "old"
    shutil.copy2(snapshot, old)
    world.run("awsdirenv", "login", "plain", "--force").check_returncode()
    new = world.root / "new"
    snapshot.rename(new)
    shutil.copy2(old, snapshot)
    project = world.project("race", "use aws_profile plain\n")
    # The moment in question is the one between opening and watching, and our own `stat` is in it.
    world.replace_stat(f'stat "$@"; [ ! -e {new} ] || mv {new} {snapshot}')
    changes, _ = world.enter(project)
    assert not new.exists()
    assert f"AWS_ACCESS_KEY_ID={changes['AWS_ACCESS_KEY_ID']}\n" in snapshot.read_text()
    assert f"AWS_ACCESS_KEY_ID={changes['AWS_ACCESS_KEY_ID']}\n" not in old.read_text()


def test_a_command_in_a_closed_directory_is_for_what_it_declares(world: World) -> None:
    """`awsdirenv login`, typed where the line on entering said so, needs no name."""
    world.role("shut")
    folder = world.project("shut")
    changes, said = world.enter(folder)
    assert "awsdirenv: hint: awsdirenv login shut" in said
    assert (changes["AWSDIRENV_DECLARED"], changes.get("AWSDIRENV_PROFILE")) == ("shut", None)
    here = {name: value for name, value in changes.items() if value is not None}
    done = world.run("awsdirenv", "login", "--token-code", world.code(), cwd=folder, **here)
    assert done.stderr.startswith("awsdirenv: shut: account ")
    changes, _ = world.enter(folder)
    assert (changes.get("AWSDIRENV_DECLARED"), changes["AWSDIRENV_PROFILE"]) == (None, "shut")
