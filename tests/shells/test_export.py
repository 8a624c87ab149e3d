"""`awsdirenv export`, for real: every shell reads back what STS gave, and a `.env` file keeps what was in it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config import dotenv
from awsdirenv.config.environment import STALE
from awsdirenv.credentials import SessionCredentials, utc_now
from awsdirenv.errors import SetupError
from awsdirenv.refresh import export
from world import REGION, World, told

NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWSDIRENV_PROFILE",
)
OUTER = {
    "AWS_PROFILE": "outer",
    "AWS_DEFAULT_PROFILE": "outer",
    "AWS_SECURITY_TOKEN": "outer",
    "AWS_SESSION_TOKEN": "outer",
    "AWS_SESSION_EXPIRATION": "outer",
    "AWSDIRENV_REFRESH_AT": "1",
}
STRICT = {
    "bash": ["bash", "--norc", "-euo", "pipefail", "-c"],
    "zsh": ["zsh", "-f", "-eu", "-c"],
    "sh": ["sh", "-eu", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}
FORM = {"bash": "env", "zsh": "env", "sh": "env", "fish": "fish"}
# Root may write anywhere unless it gives that up.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.fixture
def role(world: World) -> World:
    """Add a role that wants no code."""
    world.role("adminrole", mfa=False)
    return world


def exported(world: World, *options: str) -> str:
    """Run the export and give its output, which must be all that it says."""
    done = world.run("awsdirenv", "export", "adminrole", *options)
    assert (done.returncode, told(done.stderr)) == (0, [])
    return done.stdout


def is_what_sts_gave(world: World, values: dict[str, str]) -> bool:
    """Compare credentials with what the server knows about them; True, so that no failure prints them."""
    key = world.sts.keys[values["AWS_ACCESS_KEY_ID"]]
    assert key.role_arn == "arn:aws:iam::123456789012:role/adminrole"
    return (key.secret, key.token) == (values["AWS_SECRET_ACCESS_KEY"], values["AWS_SESSION_TOKEN"])


def snapshot(
    profile: str = "adminrole",
    secret: str = "secret/+=",
    token: str = "token/+==",
    expiration: datetime | None = datetime(2031, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
) -> Snapshot:
    """Make a snapshot by hand."""
    credentials = SessionCredentials("ASIATEST", secret, token, expiration, utc_now(), "123456789012")
    return Snapshot(profile, credentials, REGION, "adminrole", ("absent /config", "absent /credentials"))


@pytest.mark.parametrize("shell", STRICT)
def test_a_shell_takes_the_block(role: World, shell: str) -> None:
    """Evaluated in the real shell, the export sets what STS gave and takes out all that would speak against it."""
    command = f"awsdirenv export adminrole --format {FORM[shell]}"
    code = f"{command} | source; env -0" if shell == "fish" else f'eval "$({command})"; env -0'
    role.env.update(OUTER)
    done = role.run(*STRICT[shell], code)
    assert (done.returncode, done.stderr) == (0, "")
    held = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert is_what_sts_gave(role, held)
    assert {name: held.get(name) for name in NAMES[4:]} == {
        "AWS_ACCOUNT_ID": "123456789012",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWSDIRENV_PROFILE": "adminrole",
    }
    assert datetime.fromisoformat(held["AWS_CREDENTIAL_EXPIRATION"]) > utc_now() + timedelta(minutes=50)
    assert not {*OUTER, *STALE} & held.keys() - {"AWS_SESSION_TOKEN"}


@pytest.mark.parametrize("shell", STRICT)
def test_what_has_no_value_is_taken_out(shell: str) -> None:
    """Without a region or an expiration, an outer one does not stay behind the new credentials."""
    text = export.render(FORM[shell], snapshot(expiration=None), None)
    outer = {"AWS_REGION": "outer", "AWS_DEFAULT_REGION": "outer", "AWS_CREDENTIAL_EXPIRATION": "outer"}
    env = {**outer, "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run([*STRICT[shell], f"{text}\nenv"], env=env, capture_output=True, text=True, check=True)
    assert "AWSDIRENV_PROFILE=adminrole" in done.stdout
    assert "outer" not in done.stdout


def test_a_universal_variable_is_kept_and_named(role: World) -> None:
    """A fish variable that the person keeps in every session is not erased, but said to be in the way."""
    code = "set -Ux AWS_PROFILE saved; awsdirenv export adminrole --format fish | source; set -q -U AWS_PROFILE"
    done = role.run("fish", "-c", code)
    assert done.returncode == 0
    assert done.stderr == "awsdirenv: warning: AWS_PROFILE is still set\nawsdirenv: hint: set -e AWS_PROFILE\n"


printable = st.just("=ls") | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
fragments = st.sampled_from(
    ["$(touch pwned)", "`touch pwned`", "'", '"', "\\", "!!", "${HOME}", "%s", "~", "\u2019", "#"]
)
names = st.lists(
    fragments | st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8), min_size=1, max_size=6
).map("".join)
snapshots = st.builds(snapshot, profile=names, secret=printable, token=printable)


@pytest.mark.parametrize("shell", STRICT)
@settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # each example starts a shell: shrinking a list of them would take minutes
)
@given(examples=st.lists(snapshots, min_size=20, max_size=60))
def test_hostile_values_survive_a_shell(shell: str, tmp_path: Path, examples: list[Snapshot]) -> None:
    """Whatever stands in a credential or a profile's name comes out of each shell unchanged, and none of it is run."""
    show = "; ".join(f"printf '%s\\n' \"${name}\"" for name in NAMES)
    script = tmp_path / "script"
    script.write_text("\n".join(export.render(FORM[shell], one, REGION) + show for one in examples), encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [*STRICT[shell][:-1], str(script)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
    expected = [value for one in examples for value in export.variables(one, REGION).values()]
    assert done.stdout.decode().split("\n")[:-1] == expected
    assert done.stderr == b""
    assert {entry.name for entry in tmp_path.iterdir()} <= {"script", ".config", ".local", ".cache"}


def read_powershell(text: str) -> dict[str, str]:
    """Read assignments of single-quoted strings by PowerShell's rule: any two single quotes, straight or not, are one.

    The rule: https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules, and
    for the typographic ones IsSingleQuote in PowerShell's tokenizer.
    """
    quotes = "'\u2018\u2019\u201a\u201b"
    values = {}
    for line in text.splitlines():
        name, assigned, literal = line.partition(" = ")
        if not assigned:
            continue
        value, index = "", 1
        while not (literal[index] in quotes and literal[index + 1 : index + 2] not in tuple(quotes)):
            value += literal[index]
            index += 2 if literal[index] in quotes else 1
        assert index == len(literal) - 1, "something stands behind the string"
        values[name.removeprefix("$Env:")] = value
    return values


@settings(max_examples=100, deadline=None, database=None)
@given(one=snapshots.filter(lambda one: len(one.profile.splitlines()) == 1))
def test_hostile_values_survive_powershells_rule(one: Snapshot) -> None:
    """PowerShell cannot run here, so a reader of its rule for single quotes stands in: every value comes back."""
    assert read_powershell(export.render("powershell", one, REGION)) == export.variables(one, REGION)


def test_powershell_removes_what_is_stale(role: World) -> None:
    """The PowerShell block takes the stale variables out without an error where there are none."""
    text = exported(role, "--format", "powershell")
    assert is_what_sts_gave(role, read_powershell(text))
    for name in STALE:
        assert f"Remove-Item -ErrorAction Ignore Env:{name}\n" in text


def test_json_is_a_versioned_document(role: World) -> None:
    """The JSON document has version 1, the role's account and region, and its expiration in RFC 3339 UTC."""
    document = json.loads(exported(role, "--format", "json"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["expiration"])
    assert (document["version"], document["profile"], document["role"]) == (1, "adminrole", "adminrole")
    assert (document["account_id"], document["region"]) == ("123456789012", REGION)
    fields = {name: document[name.lower().removeprefix("aws_")] for name in NAMES[:3]}
    assert is_what_sts_gave(role, fields)


def test_json_says_null_for_the_unknown() -> None:
    """Without region and expiration the JSON document has null, and no key is missing."""
    document = json.loads(export.render("json", snapshot(expiration=None), None))
    assert (document["region"], document["expiration"]) == (None, None)


def test_json_is_utc_whatever_the_zone() -> None:
    """An expiration in another zone is the same moment in UTC, its fraction dropped."""
    moment = datetime(2031, 1, 2, 5, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    document = json.loads(export.render("json", snapshot(expiration=moment), None))
    assert document["expiration"] == "2031-01-02T03:04:05Z"


def test_a_directorys_region_is_not_another_profiles(role: World) -> None:
    """Inside a directory, the region that its own profile put there is not taken for that of another profile."""
    role.env.update(AWSDIRENV_PROFILE="other", AWS_REGION="us-west-2")
    assert json.loads(exported(role, "--format", "json"))["region"] == REGION


def test_an_ascii_terminal_gets_the_name_all_the_same(world: World) -> None:
    """Where Python's output is ASCII, a profile with other letters in its name is exported without a traceback."""
    arn = world.sts.add_role("adminrole")
    world.profile("zür", role_arn=arn, source_profile="base")
    done = world.run("awsdirenv", "export", "zür", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


def test_dotenv_is_read_back(role: World) -> None:
    """What is printed as dotenv, python-dotenv reads as just the block."""
    values = dotenv_values(stream=io.StringIO(exported(role, "--format", "dotenv")))
    assert set(values) == set(NAMES)
    assert is_what_sts_gave(role, {name: value or "" for name, value in values.items()})


def test_dotenv_needs_no_quotes_for_what_aws_gives(role: World) -> None:
    """Everything that STS gives stands unquoted, so that Docker and systemd, which know no quotes, read it too."""
    done = exported(role, "--format", "dotenv")
    assert all(line.split("=", 1)[1] == shlex.split(line)[0].split("=", 1)[1] for line in done.splitlines())


@settings(max_examples=150, deadline=None, database=None)
@given(one=snapshots)
def test_hostile_values_survive_dotenv(one: Snapshot) -> None:
    """python-dotenv reads back every value exactly, or there is an error that names the variable and not the value."""
    try:
        text = export.render("dotenv", one, REGION)
    except SetupError as error:
        # The one thing that it has no quoting for: it expands ${…} even between single quotes.
        assert any("${" in value for value in export.variables(one, REGION).values())
        assert re.fullmatch("no dotenv file can carry the value of AWS[A-Z_]+", error.message)  # noqa: PT017
    else:
        assert dotenv_values(stream=io.StringIO(text)) == export.variables(one, REGION)


BEFORE = """\
# The project's own settings.

export DATABASE_URL="postgres://localhost/app"  # local

AWS_PROFILE=outer
export AWS_ACCESS_KEY_ID='AKIAOLD' # replaced by awsdirenv
AWS_SECRET_ACCESS_KEY = "old
of two lines"
'AWS_SECURITY_TOKEN'=old

MULTI="one
two"
not an assignment = at all, and "quoted
EMPTY=
 INDENTED='x'

   AWS_REGION=us-west-2

# the end"""
AFTER = """\
# The project's own settings.

export DATABASE_URL="postgres://localhost/app"  # local

export AWS_ACCESS_KEY_ID=ASIATEST # replaced by awsdirenv
AWS_SECRET_ACCESS_KEY=secret/+=

MULTI="one
two"
not an assignment = at all, and "quoted
EMPTY=
 INDENTED='x'

   AWS_REGION=eu-west-1

# the end
AWS_SESSION_TOKEN=token/+==
AWS_CREDENTIAL_EXPIRATION=2031-01-02T03:04:05+00:00
AWS_ACCOUNT_ID=123456789012
AWS_DEFAULT_REGION=eu-west-1
AWSDIRENV_PROFILE=adminrole
"""


def update(path: Path, one: Snapshot | None = None) -> None:
    """Update a file as the command does."""
    values = export.variables(one or snapshot(), REGION)
    dotenv.update(path, values, export.stale_names(values))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_dotenv_file_is_updated_in_place(tmp_path: Path, newline: str) -> None:
    """Our keys change where they stand; other keys, comments, order, blank lines, `export` and line ends stay."""
    path = tmp_path / ".env"
    path.write_bytes(BEFORE.replace("\n", newline).encode())
    path.chmod(0o644)
    update(path)
    assert path.read_bytes().decode() == AFTER.replace("\n", newline)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [".env"]


def test_updating_twice_changes_nothing_more(tmp_path: Path) -> None:
    """The second update with the same credentials gives the same bytes."""
    path = tmp_path / ".env"
    path.write_text(BEFORE, encoding="utf-8")
    update(path)
    update(path)
    assert path.read_text(encoding="utf-8") == AFTER


others = st.dictionaries(st.from_regex(r"[A-Z_]{1,6}", fullmatch=True), names, max_size=4)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(first=snapshots, second=snapshots, other=others)
def test_any_update_is_read_back(tmp_path: Path, first: Snapshot, second: Snapshot, other: dict[str, str]) -> None:
    """After any two updates python-dotenv reads the second one's block, and the other keys as they were."""
    path = tmp_path / ".env"
    try:
        path.write_text("\n".join(dotenv.lines(other)), encoding="utf-8")
        update(path, first)
        update(path, second)
    except SetupError:
        assert any("${" in text for text in [*other.values(), *map(repr, (first, second)), *secrets(first, second)])
        return
    assert dotenv_values(path) == {**other, **export.variables(second, REGION)}


def secrets(*made: Snapshot) -> list[str]:
    """Give all values of the blocks."""
    return [value for one in made for value in export.variables(one, REGION).values()]


def test_stale_keys_leave_a_dotenv_file(tmp_path: Path) -> None:
    """What the new credentials have no value for leaves the file with the old ones, wherever it stands."""
    path = tmp_path / ".env"
    path.write_text("AWS_REGION=outer\nAWS_PROFILE=outer\nKEEP=1\nexport AWS_REGION=again\nAWS_PROFILE\n")
    values = export.variables(snapshot(expiration=None), None)
    dotenv.update(path, values, export.stale_names(values))
    assert dotenv_values(path) == {"KEEP": "1", **values}


def test_an_open_quote_is_left_alone(tmp_path: Path) -> None:
    """A file whose open quote would swallow the new lines is refused and not changed."""
    path = tmp_path / ".env"
    path.write_text("NAME='it\nOTHER=1\n", encoding="utf-8")
    with pytest.raises(SetupError, match="could not be read back from it"):
        update(path, snapshot(profile="it's"))
    assert path.read_text(encoding="utf-8") == "NAME='it\nOTHER=1\n"
    assert os.listdir(tmp_path) == [".env"]


def test_a_linked_dotenv_file_stays_a_link(role: World) -> None:
    """The command updates the file behind a link, tells what it wrote, and prints no credential."""
    real, link = role.root / "real.env", role.root / ".env"
    real.write_text("KEEP=1\n", encoding="utf-8")
    link.symlink_to("real.env")
    done = role.run("awsdirenv", "export", "adminrole", "--format", "dotenv", "--output", ".env")
    assert (done.returncode, done.stdout) == (0, "")
    wrote = r"awsdirenv: wrote \.env: adminrole: account 123456789012, role adminrole, eu-west-1, \w+ left\n"
    assert re.fullmatch(wrote, done.stderr)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    values = dotenv_values(real)
    assert values["KEEP"] == "1"
    assert is_what_sts_gave(role, {name: value or "" for name, value in values.items()})


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_file_is_made_private(role: World, form: str) -> None:
    """In each format the output file holds just what would be printed, readable by its owner alone from the start."""
    printed = exported(role, "--format", form)
    target = role.root / "out file"
    for present in (False, True):
        if present:
            target.write_text("" if form == "dotenv" else "old", encoding="utf-8")
            target.chmod(0o666)
        done = role.run("awsdirenv", "export", "adminrole", "--format", form, "--output", str(target))
        assert (done.returncode, done.stdout) == (0, "")
        assert target.read_text(encoding="utf-8") == printed
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def refused(world: World, form: str, target: str, *prefix: str) -> str:
    """Run an export that must fail with one error and one hint; give the error's line."""
    done = world.run(*prefix, "awsdirenv", "export", "adminrole", "--format", form, "--output", target)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"awsdirenv: error: [^\n]*\nawsdirenv: hint: [^\n]*\n", done.stderr)
    return done.stderr.splitlines()[0]


@pytest.mark.parametrize("form", ["dotenv", "json"])
def test_an_unwritable_folder_leaves_the_old_file(role: World, form: str) -> None:
    """Where the folder may not be written, or the disk is full, the old file stays and one error says so."""
    exported(role)
    folder = role.root / "closed"
    folder.mkdir()
    (folder / "out").write_text("KEEP=1\n", encoding="utf-8")
    full = refused(role, form, "closed/out", "bash", "-c", 'ulimit -f 0; exec "$@"', "bash")
    assert full == "awsdirenv: error: cannot write closed/out: File too large"
    folder.chmod(0o555)
    denied = refused(role, form, "closed/out", *POWERLESS)
    assert denied == "awsdirenv: error: cannot write closed/out: Permission denied"
    folder.chmod(0o755)
    assert [entry.name for entry in folder.iterdir()] == ["out"]
    assert (folder / "out").read_text(encoding="utf-8") == "KEEP=1\n"


@pytest.mark.parametrize("form", ["dotenv", "json"])
def test_what_is_no_file_is_not_replaced(role: World, form: str) -> None:
    """A folder, a FIFO or a device given as the output is refused, at once, and stays what it was."""
    exported(role)
    fifo = role.root / "fifo"
    os.mkfifo(fifo)
    (role.root / "null").symlink_to("/dev/null")
    for target in ("fifo", "home", "null"):
        assert refused(role, form, target) == f"awsdirenv: error: cannot write {target}: not a regular file"
    said = refused(role, form, "/dev/stdout", "env")  # a pipe, of a process of its own
    assert said == "awsdirenv: error: cannot write /dev/stdout: not a regular file"
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_file_that_is_not_utf8_is_left_alone(role: World) -> None:
    """A `.env` in another encoding is refused with the place of the byte, and not changed."""
    path = role.root / ".env.local"
    path.write_bytes(b"NAME=J\xfcrgen\n")
    said = refused(role, "dotenv", ".env.local")
    assert said == "awsdirenv: error: cannot write .env.local: not UTF-8 at byte 6"
    assert path.read_bytes() == b"NAME=J\xfcrgen\n"


def test_export_reaches_sts_once(role: World) -> None:
    """Exporting in every format, one after the other, makes one AssumeRole."""
    for form in export.FORMATS:
        exported(role, "--format", form)
    assert role.sts.count("AssumeRole") == 1
