"""Hints of single commands: what each shows is typed, and what it names is done."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from awsdirenv.system.lock import Locks
from container import allows, must_have, no_root
from hint_rows_aws import answering
from hint_rows_config import ARN, CHAIN
from hint_walk import Act, Said, Steps, Walk, row
from world import BIN

MOVE = "move it away, then: awsdirenv setup"
WRITABLE = "make … writable"


@contextmanager
def strangers_home(walk: Walk) -> Iterator[Path]:
    """Have a home that belongs to such a person, in a place that they may enter."""
    must_have("root", is_there=allows("root"))
    walk.does("awsdirenv load base")  # what is imported late is root's, and a stranger may not read it
    with tempfile.TemporaryDirectory(prefix="awsdirenv-hints-") as name:
        home = Path(name)
        shutil.copytree(walk.world.home / ".aws", home / ".aws")
        for path in (home, *home.rglob("*")):
            os.chown(path, 12345, 12345)
        walk.env |= {"HOME": name, "BASH_ENV": ""}
        yield home


def stranger(act: Act) -> Act:
    """Give what does the same without root's rights."""

    def wrapped() -> Said:
        with no_root():
            return act()

    return wrapped


# --- the console --------------------------------------------------------------------------------------------------


def _console(walk: Walk, words: str = "") -> Act:
    """Have a role, and give what prints a link to its console."""
    walk.config(CHAIN)
    walk.env["AWSDIRENV_SIGNIN_ENDPOINT"] = walk.world.sts.url
    return walk.shell(f"awsdirenv console {words}")


def _console_row(message: str, hint: str, words: str, then: str) -> None:
    @row(message, hint)
    def console(walk: Walk) -> Steps:
        yield _console(walk, f"--print {words} p")
        yield walk.shell(f"awsdirenv console --print {then} p")


_console_row(
    "--region is not a valid region: …",
    "as in: awsdirenv console --region eu-west-1",
    "--region 'a b'",
    "--region eu-west-1",
)
_console_row(
    "--service is not a valid service: …", "as in: awsdirenv console --service s3", "--service /", "--service s3"
)
_console_row(
    "region … is not in the partition of the profile, …",
    "use a region of that partition",
    "--region cn-north-1",
    "--region eu-west-1",
)


@row("AWSDIRENV_SIGNIN_ENDPOINT is not an https address", "such as https://signin.aws.amazon.com")
def _odd_endpoint(walk: Walk) -> Steps:
    act = _console(walk, "--print p")
    walk.env["AWSDIRENV_SIGNIN_ENDPOINT"] = "http://signin.example.com"
    yield act
    walk.env["AWSDIRENV_SIGNIN_ENDPOINT"] = walk.world.sts.url


def _console_fault(message: str, kind: str) -> None:
    @row(message, "wait a moment, then try again")
    def console_fault(walk: Walk) -> Steps:
        act = _console(walk, "--print p")
        walk.world.sts.add_fault("getSigninToken", kind, times=None)
        yield act
        walk.world.sts.faults.clear()


_console_fault("getSigninToken: AWS has a problem (…)", "500")


def _refused_console(hint: str, words: str) -> None:
    @row("AWS does not let these credentials into the console (getSigninToken: …)", hint)
    def refused_console(walk: Walk) -> Steps:
        act = _console(walk, f"--print p {words}")
        assert act() == []
        walk.world.sts.expire_all_sessions()
        hint = yield act
        walk.does(hint.rpartition(": ")[2])
        yield walk.shell("awsdirenv console --print p")


_refused_console("get new ones: awsdirenv login …", "")
_refused_console("leave --duration out, or get new ones: awsdirenv login …", "--duration 1h")


@row("there is no desktop to open a browser on", "… …")
def _no_desktop(walk: Walk) -> Steps:
    hint = yield _console(walk, "--service s3 --duration 1h p")
    assert "account 123456789012, role r" in walk.run(hint).stderr  # of the same profile
    assert "s3" in walk.does(hint)
    yield walk.shell(hint)


@row(
    "profile … is an IAM user, and AWS lets only roles into the console by a link",
    "name a profile with a role, as in: awsdirenv console adminrole",
)
def _console_of_a_user(walk: Walk) -> Steps:
    _console(walk)
    yield walk.shell("awsdirenv console --print base")
    yield walk.shell("awsdirenv console --print p")


# --- export, exec, clear ------------------------------------------------------------------------------------------


@row("cannot write …: … could not be read back from it", "close every quote in that file, or choose another --output")
def _open_quote(walk: Walk) -> Steps:
    walk.config(f'[profile "it\'s"]\nrole_arn = {ARN}\nsource_profile = base\n')
    (walk.world.root / ".env").write_text("NAME='it\nOTHER=1\n", encoding="utf-8")
    yield walk.shell("awsdirenv export it\\'s --format dotenv --output .env")
    (walk.world.root / ".env").write_text("NAME='it'\nOTHER=1\n", encoding="utf-8")


@row("cannot write …: not UTF-8 at byte …", "choose another --output")
def _no_text(walk: Walk) -> Steps:
    walk.config(CHAIN)
    (walk.world.root / ".env").write_bytes(b"A=\xff\n")
    yield walk.shell("awsdirenv export p --format dotenv --output .env")
    yield walk.shell("awsdirenv export p --format dotenv --output .env2")


@row("cannot write …: not a regular file", "choose another one")
def _no_file(walk: Walk) -> Steps:
    walk.config(CHAIN)
    yield walk.shell("awsdirenv export p --output /dev/null")
    yield walk.shell("awsdirenv export p --output keys.json")


@row("cannot write …: …", "mkdir -p …")
def _no_folder(walk: Walk) -> Steps:
    walk.config(CHAIN)
    hint = yield walk.shell("awsdirenv export p --output 'no where/keys.json'")
    walk.does(hint)


@row("cannot write …: …", WRITABLE)
def _read_only_folder(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        (home / "out").mkdir(0o500)
        os.chown(home / "out", 12345, 12345)
        hint = yield stranger(walk.shell(f"awsdirenv export base --output {home}/out/keys.json", home))
        assert f" {home}/out " in f" {hint} "
        (home / "out").chmod(0o700)
        yield stranger(walk.shell(f"awsdirenv export base --output {home}/out/keys.json", home))


@row("there is no command …", "check the name, and PATH")
def _no_command(walk: Walk) -> Steps:
    walk.config(CHAIN)
    yield walk.shell("awsdirenv exec p -- tru")
    yield walk.shell("awsdirenv exec p -- true")


def _exec(message: str, hint: str, text: str, mode: int) -> None:
    @row(message, hint)
    def execute(walk: Walk) -> Steps:
        walk.config(CHAIN)
        program = walk.world.program("my tool", text)
        program.chmod(mode)
        line = f"awsdirenv exec p -- {shlex.quote(str(program))}"
        hint = yield walk.shell(line)
        assert walk.does(hint)  # it shows what is wrong: the first line, or the mode
        walk.world.program("my tool", "exit 0")


_exec("cannot run …: its interpreter is missing", "head -n 1 …", "#!/nowhere/sh\n", 0o755)
_exec("cannot run …: …", "ls -l …", "exit 0", 0o644)


@row("exec needs a command after --", "awsdirenv exec PROFILE -- COMMAND")
def _nothing_to_run(walk: Walk) -> Steps:
    walk.config(CHAIN)
    hint = yield walk.shell("awsdirenv exec p")
    yield walk.shell(hint.replace("PROFILE", "p").replace("COMMAND", "true"))


@row("clear takes a PROFILE or --all, not both", "awsdirenv clear --help")
def _too_much_to_clear(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv clear p --all")
    assert "PROFILE" in walk.does(hint)
    yield walk.shell("awsdirenv clear --all")


@row("there is no command …", "awsdirenv …")
def _mistyped_command(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv exprt base")
    yield walk.shell(f"{hint} base --output x.json")


@row("--watch needs a terminal", "awsdirenv status")
def _watching_in_a_pipe(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv status --watch")
    yield walk.shell(hint)


@row("there is no command …", "awsdirenv --help")
def _no_such_command(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv write base")
    assert "export" in walk.does(hint)
    yield walk.shell("awsdirenv export base --output x.json")


@row("…", "… --help")
def _wrong_choice(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv export base --format yaml")
    assert "--format" in walk.does(hint)
    yield walk.shell("awsdirenv export base --format json")


@row("unrecognized arguments: …", "… --help")
def _wrong_option(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv export --output-to x")
    assert "--output" in walk.does(hint)
    yield walk.shell("awsdirenv export base --output x.json")


def _durations(message: str, option: str, wrong: str) -> None:
    @row(message, "such as 3600, 15m, 2h or 1h30m")
    def duration(walk: Walk) -> Steps:
        walk.config(CHAIN)
        # argparse has made one message of both, for a hint of its own.
        yield lambda: [
            (f"{first[0]}: {first[1]}", f"such as{last}")
            for message, _ in walk.load("p", option, wrong)()
            for before, _, last in [message.partition("; such as")]
            for first in [before.partition(": ")[2].split(": ", 1)]
        ]
        walk.world.sts.roles[ARN].max_duration = 43200
        for value in ("3600", "15m", "1h30m"):
            assert walk.load("p", option, value)() == []
        yield walk.load("p", option, "2h")


# --- setup and init -----------------------------------------------------------------------------------------------


@row("… is not ours", MOVE)
def _not_ours(walk: Walk) -> Steps:
    target = walk.world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    target.write_text("use_aws_profile() { :; }\n", encoding="utf-8")
    hint = yield walk.shell("awsdirenv setup")
    target.rename(target.with_suffix(".old"))
    yield walk.shell(hint.partition(": ")[2])


@row(
    "this awsdirenv is in …, and is lost when that cache is emptied",
    "install it to stay (pipx install, uv tool install), then: awsdirenv setup",
)
def _in_a_cache(walk: Walk) -> Steps:
    walk.env |= {"SHELL": "/bin/bash", "UV_CACHE_DIR": str(BIN.parent.parent)}
    (walk.world.home / ".bashrc").write_text('eval "$(direnv hook bash)"\n', encoding="utf-8")
    hint = yield walk.shell("awsdirenv setup")
    del walk.env["UV_CACHE_DIR"]
    walk.does(hint.partition(": ")[2])


@row("… is not ours", "remove it by hand if you do not need it")
def _not_ours_to_remove(walk: Walk) -> Steps:
    target = walk.world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    target.write_text("use_aws_profile() { :; }\n", encoding="utf-8")
    yield walk.shell("awsdirenv setup --uninstall")
    target.unlink()


def _not_removable_row(place: str) -> None:
    @row("cannot remove …: …", WRITABLE)
    def not_removable(walk: Walk) -> Steps:
        with strangers_home(walk) as home:
            with no_root():
                walk.does("awsdirenv setup", home)
            folder = home / place
            folder.chmod(0o500)
            act = stranger(walk.shell("awsdirenv setup --uninstall", home))
            hint = yield act
            assert hint == f"make {folder} writable"
            folder.chmod(0o700)
            yield act


_not_removable_row(".config/direnv/lib")
_not_removable_row(".local/share/awsdirenv")


@row("cannot read …: …", "move … away, or make it readable")
def _extension_is_a_folder(walk: Walk) -> Steps:
    target = walk.world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    target.unlink()
    target.mkdir()
    hint = yield walk.shell("awsdirenv setup")
    Path(hint.removeprefix("move ").partition(" away, ")[0]).rename(target.with_suffix(".old"))


def _init(walk: Walk, text: str | None) -> Act:
    walk.config(CHAIN)
    walk.folder.mkdir()
    if text is not None:
        (walk.folder / ".envrc").write_text(text, encoding="utf-8", newline="")
    return walk.shell("awsdirenv init p", walk.folder)


@row("the lines of … end as on Windows, with CR LF", "…")
def _windows_lines(walk: Walk) -> Steps:
    hint = yield _init(walk, "export A=1\r\n")
    walk.does(hint)


@row("… already says: …", "change that line of … to: use aws_profile …")
def _another_profile(walk: Walk) -> Steps:
    hint = yield _init(walk, "use aws_profile base\n")
    (walk.folder / ".envrc").write_text(hint.rpartition(": ")[2] + "\n", encoding="utf-8")


@row("… already says: …", "change that line of … to: use aws_profile")
def _any_profile(walk: Walk) -> Steps:
    _init(walk, "use aws_profile base\n")
    walk.env["AWS_PROFILE"] = "p"
    hint = yield walk.shell("awsdirenv init", walk.folder)
    (walk.folder / ".envrc").write_text(hint.rpartition(": ")[2] + "\n", encoding="utf-8")


@row("the extension is not installed", "awsdirenv setup")
def _init_before_setup(walk: Walk) -> Steps:
    (walk.world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh").unlink()
    hint = yield _init(walk, None)
    walk.does(hint)


@row("direnv is not installed", "install direnv, then: direnv allow")
def _init_without_direnv(walk: Walk) -> Steps:
    act = _init(walk, None)
    walk.env["PATH"] = str(BIN)
    hint = yield act
    del walk.env["PATH"]
    walk.does(hint.partition(": ")[2], walk.folder)


@row("direnv allow failed with status …", "run it yourself: direnv allow")
def _direnv_fails(walk: Walk) -> Steps:
    act = _init(walk, None)
    program = walk.world.program("direnv", "echo direnv: broken >&2; exit 1")
    walk.env["PATH"] = f"{program.parent}:{walk.world.env['PATH']}"
    hint = yield act
    assert "broken" in walk.run(hint.partition(": ")[2], walk.folder).stderr
    program.unlink()


# --- our folder ---------------------------------------------------------------------------------------------------


def _cache_row(message: str, hint: str, *, elsewhere: bool) -> None:
    @row(message, hint)
    def linked_cache(walk: Walk) -> Steps:
        shutil.rmtree(walk.world.cache)
        (walk.world.root / "other").mkdir()
        walk.world.cache.symlink_to(walk.world.root / "other")
        hint = yield walk.load("base")
        if elsewhere:
            assert "set XDG_CACHE_HOME" in hint
            walk.env["XDG_CACHE_HOME"] = str(walk.world.root / "other")
        else:
            walk.does(hint.partition(";")[0])


_cache_row("… is a symbolic link", "rm …; for another place, set XDG_CACHE_HOME", elsewhere=True)
_cache_row("… is a symbolic link", "rm …; for another place, set XDG_CACHE_HOME", elsewhere=False)


@row("cannot use …: …", "make … writable and free some space, or set XDG_CACHE_HOME to another folder")
def _read_only_cache(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        (home / ".cache").mkdir(0o500)
        os.chown(home / ".cache", 12345, 12345)
        act = stranger(walk.shell("awsdirenv load base", home))
        hint = yield act
        Path(hint.split()[1]).chmod(0o700)
        yield act


@row("cannot use …: …", "make … writable and free some space, or set XDG_CACHE_HOME to another folder")
def _cache_elsewhere(walk: Walk) -> Steps:
    walk.env["XDG_CACHE_HOME"] = str(walk.world.credentials)
    yield walk.load("base")
    walk.env["XDG_CACHE_HOME"] = str(walk.world.root / "cache")


@row("… belongs to another user", "rm -r … as its owner, or set XDG_CACHE_HOME")
def _cache_of_a_stranger(walk: Walk) -> Steps:
    must_have("root", is_there=allows("root"))
    os.chown(walk.world.cache, 12345, 12345)
    hint = yield walk.load("base")
    walk.does(hint.partition(" as its owner")[0])


@row("… belongs to another user", "run the command as that user (sudo without -E), or set XDG_CACHE_HOME")
def _home_of_a_stranger(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        act = walk.shell("awsdirenv load base", home)
        yield act
        yield stranger(act)


@row("cannot read …: permission denied", "chmod u+r …")
def _unreadable(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        (home / ".aws" / "config").chmod(0)
        act = stranger(walk.shell("awsdirenv load base", home))
        hint = yield act
        with no_root():
            walk.does(hint, home)
        yield act


@row("the working directory no longer exists", "cd to another folder")
def _gone(walk: Walk) -> Steps:
    gone = walk.world.root / "gone"
    gone.mkdir()
    awsdirenv = f"cd {gone}; rmdir {gone}; awsdirenv init base"
    yield walk.shell(awsdirenv)
    yield walk.shell("cd; awsdirenv init base")


@row("cannot write: stdout is closed", "redirect the output to a file or a pipe")
def _closed_stdout(walk: Walk) -> Steps:
    yield walk.shell("awsdirenv export base >&-")
    yield walk.shell("awsdirenv export base >keys")


@row("cannot write to stdout: …", "redirect the output elsewhere")
def _full_stdout(walk: Walk) -> Steps:
    must_have("/dev/full", is_there=allows("/dev/full"))
    yield walk.shell("awsdirenv export base >/dev/full")
    yield walk.shell("awsdirenv export base >keys")


_durations("--duration must be a time between 15m and 12h: …", "--duration", "5m")
_durations("--min-life must be a time up to 12h: …", "--min-life", "13h")


@row("a dotenv file cannot contain the value of …", "choose another --format")
def _no_dotenv(walk: Walk) -> Steps:
    walk.config(f"[profile ${{HOME}}]\nrole_arn = {ARN}\nsource_profile = base\n")
    yield walk.shell("awsdirenv export --format dotenv '${HOME}'")
    yield walk.shell("awsdirenv export --format json '${HOME}'")


@row("getSigninToken: AWS asks for fewer calls (…)", "wait a moment, then try again")
def _throttled_console(walk: Walk) -> Steps:
    act = _console(walk, "--print p")
    with answering(429, "") as walk.env["AWSDIRENV_SIGNIN_ENDPOINT"]:
        yield act
    walk.env["AWSDIRENV_SIGNIN_ENDPOINT"] = walk.world.sts.url


def _locks(walk: Walk) -> list[Path]:
    """Load once; give the files of the locks that were taken."""
    walk.config(CHAIN)
    assert walk.load("p")() == []
    walk.does("awsdirenv clear p")
    return [path for path in (walk.world.cache / "locks").iterdir() if path.name.startswith("snapshot-")]


@row("cannot lock …: …", "make the folder writable, or set XDG_CACHE_HOME to a folder on a local file system")
def _no_lock(walk: Walk) -> Steps:
    for path in _locks(walk):
        path.unlink()
        path.mkdir()
    yield walk.load("p")
    walk.env["XDG_CACHE_HOME"] = str(walk.world.root / "cache")


@row("gave up waiting for another awsdirenv after …s", "finish or end that process, then direnv reload")
def _silent_holder(walk: Walk) -> Steps:
    (path,) = _locks(walk)
    walk.env["AWSDIRENV_LOCK_TIMEOUT"] = "1"
    with Locks(path.parent, 5, lambda *_: None).hold(path.stem):
        path.write_text("", encoding="utf-8")
        yield walk.load("p")
