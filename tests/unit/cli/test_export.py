"""`awsdirenv export`, for real: every shell reads back what STS gave, and a `.env` file keeps what was in it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.cli.commands import export
from awsdirenv.cli.commands.export import FORMATS
from awsdirenv.cli.loading import variables
from awsdirenv.config import dotenv
from awsdirenv.config.environment import STALE
from awsdirenv.errors import SetupError
from exports import NAMES, exported, is_what_sts_gave, names, refused, snapshot, snapshots
from world import REGION, World


@pytest.fixture
def role(world: World) -> World:
    """Add a role that wants no code."""
    world.role("adminrole", mfa=False)
    return world


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
    assert read_powershell(export.render("powershell", one, REGION)) == variables(one, REGION)


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
        assert any("${" in value for value in variables(one, REGION).values())
        assert re.fullmatch("a dotenv file cannot contain the value of AWS[A-Z_]+", error.message)  # noqa: PT017
    else:
        assert dotenv_values(stream=io.StringIO(text)) == variables(one, REGION)


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
    values = variables(one or snapshot(), REGION)
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
    assert dotenv_values(path) == {**other, **variables(second, REGION)}


def secrets(*made: Snapshot) -> list[str]:
    """Give all values of the blocks."""
    return [value for one in made for value in variables(one, REGION).values()]


def test_stale_keys_leave_a_dotenv_file(tmp_path: Path) -> None:
    """What the new credentials have no value for leaves the file with the old ones, wherever it stands."""
    path = tmp_path / ".env"
    path.write_text("AWS_REGION=outer\nAWS_PROFILE=outer\nKEEP=1\nexport AWS_REGION=again\nAWS_PROFILE\n")
    values = variables(snapshot(expiration=None), None)
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


@pytest.mark.parametrize("form", FORMATS)
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


def test_a_file_that_is_not_utf8_is_left_alone(role: World) -> None:
    """A `.env` in another encoding is refused with the place of the byte, and not changed."""
    path = role.root / ".env.local"
    path.write_bytes(b"NAME=J\xfcrgen\n")
    said = refused(role, "dotenv", ".env.local")
    assert said == "awsdirenv: error: cannot write .env.local: not UTF-8 at byte 6"
    assert path.read_bytes() == b"NAME=J\xfcrgen\n"


def test_export_reaches_sts_once(role: World) -> None:
    """Exporting in every format, one after the other, makes one AssumeRole."""
    for form in FORMATS:
        exported(role, "--format", form)
    assert role.sts.count("AssumeRole") == 1
