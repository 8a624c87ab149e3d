"""Which directories use us: those that were served, as long as the real direnv allows them and the line is there."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from awsdirenv.cache.directories import known
from awsdirenv.cache.layout import CachePaths
from awsdirenv.system.files import read_private
from awsdirenv.system.stamps import file_stamp
from world import World


def served(world: World, **env: str) -> dict[str, str]:
    """Give what is known, as the names of folders with their profiles."""
    found = known(CachePaths.from_environ({**world.env, **env}))
    return {os.path.relpath(one.path, os.path.realpath(world.root)): one.profile for one in found}


@pytest.fixture
def plain(world: World) -> World:
    """Add two roles that need no code."""
    world.role("plain", mfa=False)
    world.role("other", mfa=False)
    return world


def rewrite(world: World, folder: Path, envrc: str, *, allow: bool = True) -> None:
    """Change an `.envrc`."""
    (folder / ".envrc").write_text(envrc)
    if allow:
        world.run("direnv", "allow", str(folder)).check_returncode()


def test_a_cold_load_leaves_a_note(plain: World) -> None:
    """The note is a private file with the path, the profile and what direnv allows by, and no secret."""
    assert served(plain) == {}
    folder = plain.project("plain")
    plain.enter(folder)
    assert served(plain) == {"plain": "plain"}
    (note,) = (plain.cache / "directories").iterdir()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert stat.S_IMODE(note.parent.stat().st_mode) == 0o700
    values = read_private(note)
    assert values
    assert values.pop("ALLOW").startswith(str(plain.home / ".local/share/direnv/allow/"))
    assert values == {
        "AWSDIRENV_PROFILE": "plain",
        "ENVRC": f"{folder}/.envrc",
        "ALLOWED": "1",
        "STAMP": file_stamp(f"{folder}/.envrc"),
    }


def test_a_note_alone_is_enough(plain: World) -> None:
    """Where the extension has forgotten the watches, as it does after 24 directories, the note tells of it."""
    plain.enter(plain.project("plain"))
    for path in (plain.cache / "watches").iterdir():
        path.unlink()
    assert served(plain) == {"plain": "plain"}


def test_warm_directories_are_known(plain: World) -> None:
    """A directory that was opened from a fresh snapshot, without any Python, is known as well."""
    plain.enter(plain.project("plain"))
    second = plain.project("second", "use aws_profile plain\n")
    plain.enter(second, PATH=f"{plain.root}/nothing:{os.environ['PATH']}")
    assert len(list((plain.cache / "directories").iterdir())) == 1
    assert served(plain) == {"plain": "plain", "second": "plain"}
    assert plain.sts.count("*") == 1


def test_what_was_not_served_is_not_known(world: World) -> None:
    """A directory that stays closed, and one that was never entered, use nothing."""
    world.role("adminrole")
    world.project("never", "use aws_profile adminrole\n")
    changes, _ = world.enter(world.project("adminrole"))
    assert changes["AWSDIRENV_DECLARED"] == "adminrole"
    assert served(world) == {}


@pytest.mark.parametrize("is_noted", [True, False])
def test_direnv_decides(plain: World, is_noted: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """What is denied, edited without being allowed again, or gone is not shown; what is allowed again is."""
    first = plain.project("plain")
    plain.enter(first)
    folder = first if is_noted else plain.project("warm", "use aws_profile plain\n")
    plain.enter(folder)
    name, text = folder.name, "use aws_profile plain\n"
    assert name in served(plain)
    plain.run("direnv", "deny", str(folder)).check_returncode()
    assert name not in served(plain)
    plain.run("direnv", "allow", str(folder)).check_returncode()
    assert name in served(plain)
    rewrite(plain, folder, f"{text}# x\n", allow=False)
    assert name not in served(plain)
    rewrite(plain, folder, f"{text}# x\n")
    assert name in served(plain)
    (folder / ".envrc").unlink()
    assert name not in served(plain)
    os.mkfifo(folder / ".envrc")
    assert name not in served(plain)
    (folder / ".envrc").unlink()
    rewrite(plain, folder, text)
    assert name in served(plain)


def test_an_edited_envrc(plain: World) -> None:
    """An `.envrc` that was edited, allowed and not entered since counts if the line for the profile is in it."""
    folder = plain.project("plain")
    plain.enter(folder)
    for envrc, uses in (
        ("# not any more\n", False),
        ("# use aws_profile plain\n", False),
        ("export A=1\n  use   aws_profile 'plain' --region eu-west-1 # ours\n", True),
        ("use_aws_profile plain\n", True),
        ("has ls && use aws_profile plain\n", True),
        ("if has ls; then use_aws_profile plain; fi\n", True),
        ("cat <<X\nuse aws_profile plain\nX\n", False),
        ("use aws_profile\n", True),
        ("use aws_profile  # as .env says\n", True),
        ("use aws_profile other\n", False),
        ("use aws_profile plain-2\n", False),
        ("use aws_profile other # plain\n", False),
        ("use aws_profile 'plain\n", False),
        ("use aws_profiles plain\n", False),
    ):
        rewrite(plain, folder, envrc)
        assert served(plain) == ({"plain": "plain"} if uses else {}), envrc


def test_another_profile(plain: World) -> None:
    """After an edit a directory is shown with the profile that it was given last, be that cold or warm."""
    folder = plain.project("plain")
    plain.enter(folder)
    rewrite(plain, folder, "use aws_profile other\n")
    plain.enter(folder)
    assert served(plain) == {"plain": "other"}
    rewrite(plain, folder, "use aws_profile plain\n")
    plain.enter(folder)
    assert served(plain) == {"plain": "plain"}


def test_another_dotenv(plain: World) -> None:
    """The same where the `.env` says which profile."""
    folder = plain.project("plain", "use aws_profile\n")
    for second, name in enumerate(("plain", "other")):
        (folder / ".env").write_text(f"AWS_PROFILE={name}\n")
        plain.enter(folder)
        assert served(plain) == {"plain": name}, second


def test_the_line_may_stand_elsewhere(plain: World) -> None:
    """The directory that a person enters counts, also where its `.envrc` only sources the one with the line."""
    plain.project("plain")
    plain.enter(plain.project("plain/below", "source_up\n"))
    assert served(plain) == {"plain/below": "plain"}
    plain.enter(plain.project("hidden", "source ./common.sh\n"))
    (plain.root / "hidden" / "common.sh").write_text("use aws_profile plain\n")
    plain.enter(plain.root / "hidden")
    assert served(plain) == {"plain/below": "plain", "hidden": "plain"}


def test_whitelisted(plain: World) -> None:
    """What direnv.toml allows has no file that allows it, and counts as long as it is as it was when it was served."""
    toml = plain.home / ".config" / "direnv" / "direnv.toml"
    toml.write_text(f'[whitelist]\nprefix = ["{os.path.realpath(plain.root)}"]\n')
    folder = plain.root / "plain"
    folder.mkdir()
    (folder / ".envrc").write_text("use aws_profile plain\n")
    plain.enter(folder)
    assert served(plain) == {"plain": "plain"}
    # As `direnv deny` of direnv 2.37 does it; 2.32 knows no denial of what is whitelisted.
    denial = plain.home / ".local/share/direnv/deny" / hashlib.sha256(f"{folder}/.envrc\n".encode()).hexdigest()
    denial.parent.mkdir(parents=True)
    denial.touch()
    assert served(plain) == {}
    denial.unlink()
    assert served(plain) == {"plain": "plain"}
    (folder / ".envrc").write_text("use aws_profile plain --region us-east-1\n")
    assert served(plain) == {}


def test_data_elsewhere(plain: World) -> None:
    """XDG_DATA_HOME is direnv's business: it is known by where direnv has looked."""
    plain.env["XDG_DATA_HOME"] = str(plain.root / "data")
    folder = plain.project("plain")
    plain.enter(folder)
    del plain.env["XDG_DATA_HOME"]
    assert served(plain) == {"plain": "plain"}


@pytest.mark.parametrize("is_noted", [True, False])
def test_hostile_names(plain: World, is_noted: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Whatever a folder is called, it is opened, and known by exactly that name, from a cold load or a warm one."""
    names = ["two words", "it's", "日本", "-dash", "line\nbreak", "tab\there", "%41=b"]
    if is_noted:
        names = ["-two words 日本", "it's a tab\there %41=b", "line\nbreak"]
    for name in names:
        folder = plain.project(name, "use aws_profile plain\n")
        if is_noted:
            plain.run("awsdirenv", "clear", "plain").check_returncode()
        else:
            plain.hold("plain")
        changes, said = plain.enter(folder)
        assert changes["AWSDIRENV_PROFILE"] == "plain", name
        assert "error" not in said, name
        notes = list((plain.cache / "directories").iterdir())
        assert len(notes) == int(is_noted and "\n" not in name), name  # a note has one line for each value
        assert served(plain)[name] == "plain"
        if is_noted:
            assert served(plain) == {name: "plain"}
    if not is_noted:
        assert served(plain) == dict.fromkeys(names, "plain")


def test_links(plain: World) -> None:
    """A directory that is entered through a link is known by its own name, once."""
    folder = plain.project("plain")
    (plain.root / "link").symlink_to(folder)
    plain.enter(plain.root / "link")
    plain.enter(folder)
    assert served(plain) == {"plain": "plain"}


def test_a_timer_tells_nothing_of_a_later_state(plain: World) -> None:
    """A load that has inherited the watches of an evaluation long over, as a timer's has, leaves no note."""
    folder = plain.project("plain")
    watches = plain.enter(folder)[0]["DIRENV_WATCHES"]
    plain.run("awsdirenv", "clear", "--all").check_returncode()
    rewrite(plain, folder, "use aws_profile other\n")
    plain.run("awsdirenv", "load", "--envrc", "plain", cwd=folder, DIRENV_WATCHES=str(watches)).check_returncode()
    assert not list((plain.cache / "directories").iterdir())


def test_watches_that_make_no_sense(plain: World) -> None:
    """A load succeeds whatever DIRENV_WATCHES is."""
    folder = plain.project("plain")
    for watches in ("", "nonsense", "eJyLjgUAARUAuQ==", "====", "é"):
        done = plain.run("awsdirenv", "load", "--envrc", "plain", cwd=folder, DIRENV_WATCHES=watches)
        assert done.returncode == 0, (watches, done.stderr)
        assert served(plain) == {}, watches
        plain.run("awsdirenv", "clear", "--all").check_returncode()


def test_clear(plain: World) -> None:
    """Clearing a profile forgets its directories, cold and warm, and those that are gone; clearing all, all."""
    plain.role("third", mfa=False)
    for name, profile in (("a", "plain"), ("b", "plain"), ("c", "other"), ("gone", "third")):
        plain.enter(plain.project(name, f"use aws_profile {profile}\n"))
    (plain.root / "gone" / ".envrc").unlink()
    done = plain.run("awsdirenv", "clear", "plain")
    assert "deleted the credentials of plain (2 files)" in done.stderr
    assert served(plain) == {"c": "other"}
    assert len(list((plain.cache / "directories").iterdir())) == 1
    plain.run("awsdirenv", "clear", "--all").check_returncode()
    assert served(plain) == {}
    assert not list((plain.cache / "directories").iterdir())


def test_what_is_not_ours(plain: World) -> None:
    """Files that are torn, foreign, links, FIFOs or folders are passed over."""
    plain.enter(plain.project("plain"))
    (note,) = (plain.cache / "directories").iterdir()
    (watched,) = (plain.cache / "watches").iterdir()
    for folder, sound in ((note.parent, note), (watched.parent, watched)):
        (folder / "torn").write_bytes(sound.read_bytes()[:90])
        (folder / "binary").write_bytes(os.urandom(999))
        (folder / "empty").touch()
        (folder / "folder").mkdir()
        (folder / "link").symlink_to("/dev/null")
        os.mkfifo(folder / "fifo")
        (folder / "%ZZ").write_bytes(sound.read_bytes())
        for extra in folder.iterdir():
            if extra.is_file() and not extra.is_symlink():
                extra.chmod(0o600)
    header, footer = "AWSDIRENV_VERSION=1\n", "AWSDIRENV_END=1\n"
    for number, line in enumerate(["ENVRC=\0", "ENVRC=relative", "ALLOW=/", "AWSDIRENV_PROFILE=%Z", "ALLOWED=é"]):
        name, _, value = line.partition("=")
        values = {**(read_private(note) or {}), name: value}
        body = "".join(f"{key}={text}\n" for key, text in values.items())
        (note.parent / f"odd{number}").write_text(header + body + footer)
        (note.parent / f"odd{number}").chmod(0o600)
    assert served(plain) == {"plain": "plain"}
    plain.run("awsdirenv", "clear", "plain").check_returncode()
    assert served(plain) == {}
