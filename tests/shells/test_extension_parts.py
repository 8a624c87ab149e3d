"""The extension in parts: a short file in direnv's lib folder, and the rest only where there is a reason for it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from awsdirenv.config.environment import CLOSED_PROFILE
from awsdirenv.shell import extension as installed_extension
from awsdirenv.shell.extension import BOOT, extension_text, unreadable_part
from awsdirenv.system.files import extension_source
from awsdirenv.system.stamps import OPTIONS
from parts import reading
from world import CLOSED, World, assert_nobody, without_direnv

OUTER = {"AWS_ACCESS_KEY_ID": "OUTER", "AWS_SECRET_ACCESS_KEY": "outer", "AWS_PROFILE": "outer", "AWS_REGION": "eu-x-1"}
SWITCH, ENDPOINT = "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"
HINT = "awsdirenv: hint: install awsdirenv again, then: awsdirenv setup\n"


@pytest.fixture
def parts(world: World) -> Path:
    """Let the installed extension read a copy of the parts, which a test may damage."""
    folder = world.root / "an installation's"
    shutil.copytree(extension_source().parent, folder)
    world.install(installed=str(folder))
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    assert unreadable_part(extension.read_text(encoding="utf-8")) is None
    return folder


def cut(path: Path) -> None:
    """Lose the last tenth of a file's code, and the notes behind it."""
    text = path.read_text(encoding="utf-8").partition("\n# Notes\n")[0]
    path.write_text(text[: len(text) * 9 // 10], encoding="utf-8")


def unbalance(path: Path) -> None:
    """Damage the middle of a file so that bash cannot parse it."""
    text = path.read_text(encoding="utf-8")
    lines = text.partition("\n# Notes\n")[0].splitlines(keepends=True)
    middle = next(at for at in range(len(lines) // 2, len(lines)) if not lines[at - 1].endswith("\\\n"))
    path.write_text("".join([*lines[:middle], "fi\n", *lines[middle:]]), encoding="utf-8")


def test_the_extension_is_short() -> None:
    """What direnv reads at every evaluation, of every directory, is at most 40 lines."""
    assert len(extension_source().read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.cold
def test_a_warm_load_reads_the_warm_part_only(world: World, parts: Path) -> None:
    """With a fresh snapshot none of the other parts is needed, with --live not even all of those."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    world.enter(folder)
    live = world.project("live", "use aws_profile plain --live\n")
    world.enter(live)
    kept = {f"{name}.sh" for name in ("aws_profile", "enter", "warm", "find", "text", "snapshot", "look")}
    for there, more in ((folder, {"keys.sh"}), (live, {"live.sh"})):
        away = [path for path in parts.iterdir() if path.name not in kept | more]
        for path in away:
            path.rename(path.with_suffix(".away"))
        changes, said = world.enter(there)
        assert changes["AWSDIRENV_PROFILE"] == "plain"
        assert "error" not in said
        for path in away:
            path.with_suffix(".away").rename(path)


def test_a_damaged_file_is_found(world: World, parts: Path) -> None:
    """`doctor` notices each file that is cut off, also the program of live directories."""
    text = (world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh").read_text(encoding="utf-8")
    for path in sorted(parts.glob("*.sh")):
        whole = path.read_bytes()
        cut(path)
        assert unreadable_part(text) == (None if path.name == "aws_profile.sh" else path)
        path.write_bytes(whole)


def test_a_directory_without_us_reads_no_part(world: World, parts: Path) -> None:
    """The parts are read at the first use: without one it does not matter what has become of them."""
    shutil.rmtree(parts)
    changes, said = world.enter(world.project("p", "export MINE=1\n"))
    assert (changes["MINE"], without_direnv(said)) == ("1", "")


@pytest.mark.parametrize("damage", [Path.unlink, cut, unbalance])
@pytest.mark.parametrize(
    ("part", "line"),
    [
        *((f"{name}.sh", "plain") for name in ("warm", "cold")),
        *(
            ("context.sh", ""),
            ("live.sh", "plain --live"),
            ("cold.sh", "plain --live"),
            ("options.sh", "p --bad"),
            ("options.sh", "plain --region eu-west-1"),
        ),
        *((f"{part}.sh", "plain") for part in ("enter", "find", "text", "snapshot", "look", "keys")),
        *((f"{part}.sh", "plain --live") for part in ("snapshot", "look")),
        *((f"{part}.sh", "base --no-session") for part in ("snapshot", "keys")),
    ],
)
def test_a_part_that_cannot_be_read_closes_the_directory(
    world: World, parts: Path, part: str, line: str, damage: Callable[[Path], None]
) -> None:
    """One error, one hint, no credentials, and the rest of `.envrc` loads; a part that is back opens the directory."""
    whole = (parts / part).read_bytes()
    damage(parts / part)
    if (parts / part).exists():
        os.utime(parts / part, (1, 1))  # direnv compares whole seconds
    world.role("plain", mfa=False)
    folder = world.project("p", f"strict_env\nset -x\nuse aws_profile {line}\nexport AFTER=1\n")
    (folder / ".env").write_text("AWS_PROFILE=plain\n")
    changes, said = world.enter(folder, **OUTER)
    assert f"awsdirenv: error: a part of this extension cannot be read: {part}\n{HINT}" in said
    assert [said.count(word) for word in ("awsdirenv: error", "awsdirenv: hint")] == [1, 1]
    assert changes["AFTER"] == "1"
    assert changes.keys() >= set(OUTER)
    assert_nobody(changes, OUTER)
    assert "outer" not in said
    if part != "enter.sh":  # without it nobody knows which are the block's
        assert not [name for name in changes if name.startswith("AWS_") and name not in OUTER]
    (parts / part).write_bytes(whole)
    if "bad" not in line:
        changes, _ = world.enter(folder, **{name: value for name, value in changes.items() if value is not None})
        assert changes["AWSDIRENV_PROFILE"] == (line.split() or ["plain"])[0]


def test_what_env_means_is_not_guessed(world: World, parts: Path) -> None:
    """Where the part that looks for `.env` cannot be read, a stored `default` is not what the directory gets."""
    world.role("default", mfa=False)
    changes, said = world.enter(world.project("default"))
    assert changes["AWSDIRENV_PROFILE"] == "default", said
    (parts / "context.sh").unlink()
    folder = world.project("p", "use aws_profile\n")
    (folder / ".env").write_text("AWS_PROFILE=plain\n")
    changes, said = world.enter(folder)
    assert f"awsdirenv: error: a part of this extension cannot be read: context.sh\n{HINT}" in said
    assert_nobody(changes, OUTER)


@pytest.mark.parametrize("part", ["enter", "warm", "find", "snapshot", "look", "keys"])
def test_a_part_that_ends_at_any_line(world: World, parts: Path, part: str) -> None:
    """Whatever is left of it, the directory is closed, and there is one error."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    assert world.enter(folder)[0]["AWSDIRENV_PROFILE"] == "plain"
    path = parts / f"{part}.sh"
    lines = path.read_text(encoding="utf-8").partition("\n# Notes\n")[0].splitlines(keepends=True)
    end = next(at for at, line in enumerate(lines) if line.startswith((f"}} # {part}", f"_ad_parts+=' {part} '")))
    for count in {0, 4, *range(0, end, 5), end}:
        path.write_text("".join(lines[:count]), encoding="utf-8")
        changes, said = world.enter(folder, **OUTER)
        assert_nobody(changes, OUTER)
        assert said.count("awsdirenv: error: ") == 1, count
        # After an error in a condition bash cannot parse the next part, either, and that one is named.
        assert re.search(rf"a part of this extension cannot be read: \w+\.sh\n{HINT}", said)


def test_nothing_of_the_block_is_set(world: World) -> None:
    """Where only the switch is there, and readonly, bash is not asked for each variable that it has."""
    world.role("plain", mfa=False)
    folder = world.project("p", f"readonly {SWITCH}=true\nSECRET=mine\nuse aws_profile plain\n")
    changes, said = world.enter(folder)
    assert changes["AWSDIRENV_PROFILE"] == "plain", said
    assert len(without_direnv(said).splitlines()) == 1
    assert "mine" not in said


@pytest.mark.parametrize("change", ["", "rm {0}", "head -n 2 {0} >cut; cp cut {0}", "sed -i 'y/}}/]/' {0}"])
@pytest.mark.parametrize("hidden", ["", "declare AWS_PROFILE AWS_ACCESS_KEY_ID=hidden AWS_SECRET_ACCESS_KEY=hidden\n"])
def test_an_installation_that_is_gone(world: World, parts: Path, change: str, hidden: str) -> None:
    """The stub alone closes the directory, whatever has become of it meanwhile, and of what `.envrc` has declared."""
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    shutil.rmtree(parts)
    text = f"strict_env\n{hidden}{change.format(extension)}\nuse aws_profile plain\nexport AFTER=1\n"
    changes, said = world.enter(world.project("p", text), **OUTER)
    assert changes["AFTER"] == "1"
    assert changes.keys() >= set(OUTER)
    assert_nobody(changes, OUTER)
    error = "awsdirenv: error: a part of this extension cannot be read: enter.sh\n"
    assert without_direnv(said).endswith(error + HINT)


@pytest.mark.parametrize("change", ["rm {0}", "head -n 2 {0} >cut; cp cut {0}", "sed -i '/Notes/,$d' {0}"])
def test_an_extension_that_changes_under_the_line(world: World, change: str) -> None:
    """It is read no more once it is there."""
    world.role("plain", mfa=False)
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    folder = world.project("p", f"strict_env\n{change.format(extension)}\nuse aws_profile plain\nexport AFTER=1\n")
    changes, said = world.enter(folder, **OUTER)
    assert (changes["AFTER"], changes["AWSDIRENV_PROFILE"]) == ("1", "plain"), said


@pytest.mark.parametrize("bash", ["3.2.57(1)-release", "4.3.48(1)-release"])
def test_a_bash_that_is_too_old(world: World, bash: str) -> None:
    """One error, one hint, and nobody's credentials. What such a bash cannot parse is not read."""
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    major, minor = bash.split(".")[:2]
    text = extension.read_text(encoding="utf-8")
    assert text.count("BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]") == 2
    text = text.replace("BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]", f"{major} * 100 + {minor}")
    extension.write_text(text.replace("$BASH_VERSION", bash), encoding="utf-8")
    changes, said = world.enter(world.project("p", "strict_env\nuse aws_profile plain\nexport AFTER=1\n"), **OUTER)
    assert changes["AFTER"] == "1"
    assert_nobody(changes, OUTER)
    hint = "awsdirenv: hint: set bash_path in direnv.toml to bash 4.4 or later\n"
    assert without_direnv(said) == f"awsdirenv: error: bash {bash} is too old\n{hint}"


def test_a_stub_of_an_older_release(world: World) -> None:
    """It reads functions of parts, and would not know what these do: it finds none, and says what to type."""
    script = reading().replace("_ad_step=''", "unset _ad_step") + 'source "$_ad_installed/warm.sh"; echo "$_ad_parts."'
    assert world.run("bash", "-c", script).stdout == ".\n"


@pytest.mark.as_program
@pytest.mark.parametrize("limit", range(3, 9))
@pytest.mark.parametrize("line", ["plain", "plain --live"])
def test_no_more_files_can_be_opened(world: World, line: str, limit: int) -> None:
    """Where bash cannot open even /dev/null, the directory has the declared identity or none, and nothing is shown."""
    arn = world.role("plain", mfa=False)
    text = f"ulimit -Sn {limit}\nuse aws_profile {line}\nulimit -Sn 256\nexport AFTER=1\n"
    changes, said = world.enter(world.project("p", text), **OUTER)
    env = {name: value for name, value in {**world.env, **OUTER, **changes}.items() if value is not None}
    assert env["AFTER"] == "1", said
    assert not {"OUTER", "outer"} & {*env.values()}
    assert "outer" not in said
    if key := env.get("AWS_ACCESS_KEY_ID"):
        assert world.sts.keys[key].role_arn == arn
    else:
        assert env["AWS_PROFILE"] in (CLOSED_PROFILE, "plain")


FUNCTIONS = "stat rm kill stty unset export command_not_found_handle"
SURROUNDINGS = {
    "readonly": "readonly region=x profile=x role=x stage=x config=x credentials=x cache=x key=x line=x REPLY=x\n",
    "aliases": "shopt -s expand_aliases\nalias local=false exec=false printf=false source=false return=false\n",
    "posix": "set -o posix\nset -a\n",
    "strict": "strict_env\nset -x\n",
    "globs": "shopt -s failglob nullglob nocaseglob dotglob globstar extglob\n",
    "nocasematch": "shopt -s nocasematch\n",
    "inherit": "shopt -s localvar_inherit 2>/dev/null || :\n",
    "functions": "".join(f"{name}() {{ echo mine >&2; return 7; }}\n" for name in FUNCTIONS.split()),
    "traps": "shopt -s extdebug\nset -ET\ntrap ':' DEBUG\ntrap false RETURN ERR\n",
    "separators": "IFS=aeiou_=\n",
    "files": "set -f -C +B\n",
    "zone": "readonly TZ=Europe/Berlin\n",
    "nesting": "FUNCNEST=5\n",
}


@pytest.mark.parametrize("case", SURROUNDINGS)
@pytest.mark.parametrize("line", [pytest.param("plain", marks=pytest.mark.as_program), "plain --live", "nothere"])
def test_what_surrounds_the_line_does_not_get_in(world: World, case: str, line: str) -> None:
    """Variables, aliases, options, functions and traps of a person's own change nothing, and no secret is traced.

    The person's own options are as they were behind the line.
    """
    world.role("plain", mfa=False)
    show = 'builtin export BEFORE="$BASHOPTS $-"\n', 'builtin export AFTER="$BASHOPTS $-"\n'
    folder = world.project("plain", f"{SURROUNDINGS[case]}{show[0]}use aws_profile {line}\n{show[1]}")
    for _ in range(2):
        changes, said = world.enter(folder, **OUTER)
        assert changes["BEFORE"] == changes["AFTER"] or case == "posix", said
        assert changes.get("AWSDIRENV_PROFILE") == (None if line == "nothere" else "plain"), said
        assert changes["AWS_SECRET_ACCESS_KEY"] != "outer"
        assert str(changes["AWS_SECRET_ACCESS_KEY"] or "outer") not in said
        assert not [name for name in changes if name.startswith(("BASH_FUNC", "_ad_"))]
        assert "readonly variable" not in said


@pytest.mark.parametrize("options", ["", "set -C\n"])
def test_what_is_remembered_of_watches_stays_short(world: World, options: str) -> None:
    """It has no more than some lines, also for a person who does not let files be overwritten."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"{options}use aws_profile plain\n")
    for moment, number in ((1_700_000_000, 0), (1_700_000_001, 23)):
        os.utime(folder / ".envrc", (moment, moment))
        world.enter(folder)
        (remembered,) = (world.cache / "watches").iterdir()
        assert remembered.read_text().splitlines()[1:] == ["old"] * number
        remembered.write_text("old\n" * 30)


@pytest.mark.as_program
@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AMAZON_ACCESS_KEY_ID", "AWSDIRENV_LOADED"])
def test_a_readonly_variable_of_the_block(world: World, name: str) -> None:
    """Where one cannot be taken out, no profile is put beside it: one error names it, and programs do not see it."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"readonly {name}=mine\nuse aws_profile plain\nexport AFTER=1\n")
    changes, said = world.enter(folder, **{**OUTER, name: "outer"})
    assert changes["AFTER"] == "1"
    assert changes.keys() >= {*OUTER, name}
    if name == "AWS_PROFILE":  # nothing can be written into it, so programs find no file
        assert not [key for key in OUTER if changes[key]]
        assert changes["AWS_CONFIG_FILE"] == changes["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    else:
        assert_nobody(changes, {*OUTER, name})
    assert said.count("awsdirenv: error") == 1
    assert f"awsdirenv: error: readonly in this .envrc, so no profile can be used: {name}\n" in said


@pytest.mark.as_program
@pytest.mark.parametrize("path", ["", "/nowhere"])
@pytest.mark.parametrize("line", ["plain", "plain --live"])
def test_without_the_system_s_programs(world: World, path: str, line: str) -> None:
    """A PATH that leads nowhere is no matter."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"PATH={path}\nuse aws_profile {line}\n")
    for _ in range(2):
        changes, said = world.enter(folder, **OUTER)
        assert changes["AWSDIRENV_PROFILE"] == "plain", said
        assert "error" not in without_direnv(said)  # 2.37 finds no bash for a line of its own
    assert len(world.sts.calls) == 1


# Programs that are not what `setup` saw: another system's, one that counts in floats, broken ones.
STATS = {
    "missing": None,
    "of BSD": 'echo "stat: illegal option -- c" >&2; exit 1',
    "in floats": 'exec stat "$@" | sed "s/[0-9]\\{3\\} +0000/000 +0000/"',
    "without zones": 'unset TZ; TZ=UTC+3 exec stat "$@"',
    "silent": "exit 0",
    "verbose": 'echo "warning: old"; exec stat "$@"',
    "killed": "kill -9 $$",
}


@pytest.mark.parametrize(
    "line", [pytest.param("plain", marks=pytest.mark.as_program), "plain --live", "base --no-session", "nothere"]
)
@pytest.mark.parametrize("case", STATS)
def test_a_stat_of_another_kind(world: World, case: str, line: str) -> None:
    """Where the system's program tells nothing that can be used, Python looks: one call to AWS, and no error."""
    world.role("plain", mfa=False)
    world.replace_stat(STATS[case])
    folder = world.project("plain", f"use aws_profile {line}\n")
    mtime = int((folder / ".envrc").stat().st_mtime)
    for _ in range(2):
        changes, said = world.enter(folder, **OUTER)
        assert changes["AWSDIRENV_LOADED"] == f"{mtime} {folder}", said
        assert changes.get("AWSDIRENV_PROFILE") == (None if line == "nothere" else line.split(maxsplit=1)[0]), said
        assert ("error" in said) == (line == "nothere"), said
    assert len(world.sts.calls) == int("plain" in line)


def test_setup_writes_what_this_machine_s_stat_prints(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first program that tells just what Python sees. Where none does, it is our own command."""
    here = extension_text()
    option, text = (shlex.quote(word) for word in OPTIONS[1:3])
    assert f" _ad_stat_program=/usr/bin/stat _ad_stat_option={option} _ad_stat_format={text}\n" in here
    assert shlex.quote(BOOT) in extension_source().with_name("cold.sh").read_text(encoding="utf-8")
    programs = [str(world.program(f"stat{n}", str(text))) for n, text in enumerate(STATS.values()) if text]
    monkeypatch.setattr(installed_extension, "_STAT_PROGRAMS", ("/nowhere/stat", *programs, "/usr/bin/stat"))
    assert extension_text() == here
    monkeypatch.setattr(installed_extension, "_STAT_PROGRAMS", ("/nowhere/stat", *programs))
    assert " _ad_stat_program='' " in extension_text()


@pytest.mark.parametrize("line", ["plain", "plain --live", "plain --stage x", "--region eu-west-1"])
def test_lines_that_end_as_on_windows(world: World, line: str) -> None:
    """They close the directory, and the hint, pasted, opens it."""
    world.role("plain", mfa=False)
    folder = world.project("p", f"export A=1\r\nuse aws_profile {line}\r\n")
    (folder / ".env").write_text("AWS_PROFILE=plain\n")
    changes, said = world.enter(folder, **OUTER)
    assert changes.keys() >= set(OUTER)
    assert_nobody(changes, OUTER)
    assert "awsdirenv: error: the lines of this .envrc end as on Windows, with CR LF\n" in said
    hint = said.partition("awsdirenv: hint: ")[2].partition("\n")[0]
    world.run("bash", "-c", hint, cwd=folder).check_returncode()
    assert (folder / ".envrc").read_bytes() == f"export A=1\nuse aws_profile {line}\n".encode()
    assert world.enter(folder)[0]["AWSDIRENV_PROFILE"] == "plain"


ABORT = """two() { return 2; }
_count=0
shopt -s extdebug
ours() { [[ ${FUNCNAME[*]:1:3} == *aws* ]]; }
_trap='! { ((++_count @TEST@ LIMIT)) && ours; } || two'
trap "$_trap" DEBUG
set -T
use aws_profile @LINE@
trap - DEBUG
set +T
shopt -u extdebug
export AFTER=1 COUNT=$_count
"""


@pytest.mark.as_program
@pytest.mark.parametrize("test", [">=", "=="])
@pytest.mark.parametrize(("line", "step"), [("plain", 11), ("plain --live", 17), ("nothere", 71), ("cold", 83)])
def test_our_function_given_up_at_any_command(world: World, parts: Path, test: str, line: str, step: int) -> None:
    """Given up at the n-th command, for good or for one function: the declared identity or none, never an outer one.

    A DEBUG trap gives it up. The extension keeps such a trap out once the block is gone, so here it is let in again.
    """
    arns = [world.role(name, mfa=False) for name in ("plain", "cold")]
    enter = parts / "enter.sh"
    text = enter.read_text(encoding="utf-8")
    after = "  [[ $_ad_refused ]] || _awsdirenv_use "
    assert text.count(after) == 1
    enter.write_text(text.replace(after, f'  set -T; first=$_count; trap "$_trap" DEBUG\n{after}'), encoding="utf-8")
    script = ABORT.replace("@TEST@", test).replace("@LINE@", line) + "export FIRST=$first\n"
    folder = world.project("p", script)
    for _ in range(2):
        changes, said = world.enter(folder, LIMIT="99999", **OUTER)
    assert (changes.get("AWSDIRENV_PROFILE"), changes["AFTER"]) == (
        None if line == "nothere" else line.split(maxsplit=1)[0],
        "1",
    ), said
    first, last = int(str(changes["FIRST"])) + 1, int(str(changes["COUNT"]))
    seen = set()
    for limit in range(first, last + 1, step):
        if line == "cold":
            shutil.rmtree(world.cache / "snapshots", ignore_errors=True)
        changes, said = world.enter(folder, LIMIT=str(limit), **OUTER)
        assert {*OUTER} - {"AWS_REGION"} <= {*changes}, (limit, said)
        key = changes["AWS_ACCESS_KEY_ID"] or ""
        seen.add(world.sts.keys[key].role_arn if key else None)
        assert bool(key) == bool(changes["AWS_SECRET_ACCESS_KEY"]), limit
        # Without keys [default] would answer, but for a name that no file has, or that of live files.
        nobody = "plain" if changes.get("AWS_CONFIG_FILE") else CLOSED["AWS_PROFILE"]
        assert changes["AWS_PROFILE"] in ((None, CLOSED["AWS_PROFILE"]) if key else (nobody,)), (limit, said)
    assert seen <= {None, *arns}
    assert None in seen


@pytest.mark.as_program
@pytest.mark.parametrize("name", ["_ad_profile", "_ad_declared", "_ad_lines", "LC_ALL", "IFS", "DIRENV_WATCHES"])
@pytest.mark.parametrize("line", ["plain", "plain --live"])
def test_bash_that_gives_us_up_leaves_no_credentials(world: World, name: str, line: str) -> None:
    """Where bash gives up our function half-way, the outer credentials are gone already."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"readonly {name}=x\nuse aws_profile {line}\nexport AFTER=1\n")
    changes, _ = world.enter(folder, **OUTER)
    assert changes["AFTER"] == "1"
    assert changes["AWS_SECRET_ACCESS_KEY"] != "outer"
    assert {*changes} >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"}


@pytest.mark.as_program
@pytest.mark.parametrize(
    "above", ["", "use aws_profile nothere", "use aws_profile plain --live", "use aws_profile plain"]
)
@pytest.mark.parametrize(
    "outer",
    [
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9", "AWS_ROLE_ARN": "arn:outer"},
        {"AWS_PROFILE": "plain", "AWS_EC2_METADATA_DISABLED": "false"},
        {"AWS_PROFILE": "plain"},
        {"AWS_EC2_METADATA_DISABLED": "true"},
    ],
)
def test_what_we_start_has_the_environment_around_the_line(world: World, outer: dict[str, str], above: str) -> None:
    """The block is out before we work, but what Python and a profile's own program see is what the person has set.

    What a line of ours above this one has exported is no word of the person's.
    """
    log = world.root / "seen"
    del world.env["AWS_EC2_METADATA_DISABLED"]
    names = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ROLE_ARN", "AWS_PROFILE", "AWS_EC2_METADATA_DISABLED")
    shown = " ".join(f"${{{name}-none}}" for name in names)
    given = {"Version": 1, "AccessKeyId": "given", "SecretAccessKey": "given"}
    program = world.program("give", f"echo {shown} >{log}; echo '{json.dumps(given)}'")
    world.role("plain", mfa=False)
    world.profile("process", credential_process=program, region="eu-west-1")
    folder = world.project("process", f"{above}\nuse aws_profile process --no-session\n")
    changes, said = world.enter(folder, **outer)
    assert changes["AWSDIRENV_PROFILE"] == "process", said
    seen = dict(zip(names, log.read_text(encoding="utf-8").split(), strict=True))
    metadata = "AWS_EC2_METADATA_DISABLED"
    told = {name: outer.get(name, "none") for name in ((metadata,) if above else names)}
    assert {**seen, **told} == seen
    assert "closed" not in seen["AWS_PROFILE"]
    assert changes.get(metadata, outer.get(metadata)) == outer.get(metadata)
    assert changes.get("AWS_PROFILE") is None


# What a person may declare above the line, or around it: each makes a variable local, and hides what stands behind it.
DECLARED = {
    "keys without a value": "declare -x AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n{}",
    "keys": "declare -x AWS_ACCESS_KEY_ID=mine AWS_SECRET_ACCESS_KEY=mine AWS_SESSION_TOKEN=mine\n{}",
    "token": "typeset -x AWS_SESSION_TOKEN=mine\n{}",
    "all, twice": "declare {names}\nf() {{ local -x {names}; g; }}; g() {{ local {names}\n{}\n}}; f",
    "profile": "declare AWS_PROFILE=mine\nf() {{ local AWS_PROFILE=mine\n{}\n}}; f",
    "readonly profile": "local -r AWS_PROFILE=mine\n{}",
    "readonly keys": "declare -rx AWS_ACCESS_KEY_ID=mine\n{}",
    "switch": "declare -x AWS_EC2_METADATA_DISABLED=false\n{}",
    "region": "declare -x AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n{}",
    "switch, unexported": "declare AWS_EC2_METADATA_DISABLED=false\n{}",
    "files": "declare -x AWS_CONFIG_FILE=$HOME/.aws/config AWS_SHARED_CREDENTIALS_FILE=$HOME/.aws/credentials\n{}",
    "an array": "declare -a AWS_PROFILE=(mine)\n{}",
    "upper case": "declare -ux AWS_PROFILE AWS_ACCESS_KEY_ID\n{}",
    "unset stays": "shopt -s localvar_unset; f() {{ local -x {names}\n{}\n}}; f",
}


@pytest.mark.parametrize("line", ["plain", "plain --live", "base --no-session", "nothere", "nothere --live"])
@pytest.mark.parametrize("case", DECLARED)
def test_variables_that_are_declared_above_the_line(world: World, case: str, line: str) -> None:
    """What stands behind a local variable is neither left in nor missing: the declared identity or none."""
    arn = world.role("plain", mfa=False)
    names = " ".join([*OUTER, "AWS_EC2_METADATA_DISABLED"])
    folder = world.project("p", DECLARED[case].format(f"use aws_profile {line}", names=names) + "\n")
    changes, said = world.enter(folder, **OUTER)
    env = {name: value for name, value in {**world.env, **OUTER, **changes}.items() if value is not None}
    key = env.get("AWS_ACCESS_KEY_ID", "")
    is_refused = "nothere" in line or "readonly" in case
    if not is_refused:  # what is declared for programs counts for our line as what is exported, and we export it
        assert case != "region" or env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1", said
        assert case != "switch" or env[SWITCH] == ("true" if "--live" in line else "false")
    assert ("error" in said) == is_refused, said
    if is_refused:
        assert not {*OUTER.values()} & {*env.values()}
        assert (
            env["AWS_CONFIG_FILE"] == "/dev/null"
            if case == "readonly profile"
            else env["AWS_PROFILE"] == CLOSED_PROFILE
        )
        assert env["AWS_EC2_METADATA_DISABLED"] == "true"
    elif "--live" in line:
        assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} & {*env}
        assert (env["AWS_PROFILE"], env["AWS_EC2_METADATA_DISABLED"]) == ("plain", "true")
        assert env["AWS_CONFIG_FILE"].startswith(f"{world.cache}/live/")
    elif "--no-session" in line:
        assert (key, "AWS_SESSION_TOKEN" in env) == (world.user.access_key_id, False)
        assert "AWS_PROFILE" not in env
    else:
        assert world.sts.keys[key].role_arn == arn
        assert "AWS_PROFILE" not in env


WRITTEN = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", SWITCH)


@pytest.mark.parametrize("has_value", [True, False])
@pytest.mark.parametrize("attributes", ["r", "gr", "gn", "rn", "ga", "gA", "gi", "gu", "gux"])
def test_attributes_of_what_we_write(world: World, attributes: str, has_value: bool) -> None:  # noqa: FBT001
    """A variable that bash has as readonly, another name, a list, a number or in upper case: declared, live or closed.

    There is one error or none, and no word of bash's own, which could show values.
    """
    arn = world.role("plain", mfa=False)
    files = {"AWS_CONFIG_FILE": world.config, "AWS_SHARED_CREDENTIALS_FILE": world.credentials}
    outer = {"AWS_ACCESS_KEY_ID": "OUTER", "AWS_SECRET_ACCESS_KEY": "outer", "AWS_PROFILE": "outer", SWITCH: "false"}
    for name in WRITTEN:
        value = f"={files.get(name, 'mine')}" if has_value else ""
        if "i" in attributes and name in files and value:
            continue  # bash gives up in the person's own line
        value = {"n": "=OTHER", "a": f"=({value[1:]})", "A": f"=([k]={value[1:]})"}.get(attributes[-1], value)
        for line in ("plain", "nothere", "plain --live") if has_value else ("plain",):
            text = f"OTHER=other\ndeclare -{attributes} {name}{value if has_value else ''}\nuse aws_profile {line}\n"
            changes, said = world.enter(world.project("p", text), **outer)
            env = {key: text for key, text in {**world.env, **outer, **changes}.items() if text is not None}
            case = f"{name}, {line}: {said}"
            assert re.sub(r"\x1b\[\d*m", "", said).count("\n") == len(
                re.findall(r"(?m)^\S*(?:awsdirenv|direnv): ", said)
            ), case
            assert said.count("error") <= 1, case
            assert not {"OUTER", "outer"} & {*env.values()}, case
            if key := env.get("AWS_ACCESS_KEY_ID"):
                assert (world.sts.keys[key].role_arn, env.get("AWS_PROFILE"), line) == (arn, None, "plain"), case
                continue
            assert env.get(SWITCH) == "true" or env[ENDPOINT] == "http://127.0.0.1:9", case
            if env.get("AWS_PROFILE") == "plain":
                assert env["AWS_CONFIG_FILE"].startswith(f"{world.cache}/live/"), case
                assert env["AWS_SHARED_CREDENTIALS_FILE"] == f"{world.cache}/live/.empty", case
            else:
                assert "error" in said, case
                assert env.get("AWS_CONFIG_FILE") == "/dev/null" or env["AWS_PROFILE"] == CLOSED_PROFILE, case


UNSEEN = (
    "AWS_CONFIG_FILE={}",
    "AWS_ENDPOINT_URL_STS=http://x",
    "declare -a AWS_CONFIG_FILE=({})",
    "XDG_CACHE_HOME=$HOME/c",
)


@pytest.mark.parametrize("line", ["plain", "plain --live", "base --no-session"])
@pytest.mark.parametrize("set_it", UNSEEN)
def test_a_variable_that_programs_do_not_see(world: World, set_it: str, line: str) -> None:
    """What decides for us, and is not exported, is named: bash and Python would take it for two things."""
    world.role("plain", mfa=False)
    changes, said = world.enter(world.project("p", f"{set_it.format(world.config)}\nuse aws_profile {line}\n"), **OUTER)
    assert_nobody(changes)
    name = set_it.removeprefix("declare -a ").partition("=")[0]
    assert f"awsdirenv: error: {name} is set, but programs do not see it\n" in said
    assert f"awsdirenv: hint: write it in .envrc as: export {name}=VALUE\n" in said
    assert said.count("error") == 1


@pytest.mark.parametrize("line", ["plain", "plain --live", "nothere"])
@pytest.mark.parametrize(
    "around", ["use aws_profile {} 2>&1 | cat >&2", "(use aws_profile {})", ": $(use aws_profile {})"]
)
def test_a_line_in_a_subshell(world: World, line: str, around: str) -> None:
    """There it can set nothing: it says so, and the environment stays as it was above the line."""
    world.role("plain", mfa=False)
    for _ in range(2):
        changes, said = world.enter(world.project("p", around.format(line) + "\n"), **OUTER)
        assert not {*OUTER} & {*changes}
        warning = "warning: this line sets nothing here: it is in a pipe or in parentheses\n"
        assert f"awsdirenv: {warning}awsdirenv: hint: write it on its own line, without | and ( )\n" in said
        assert "awsdirenv: plain: account" not in said
