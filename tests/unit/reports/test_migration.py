"""What an `.envrc` becomes that gives AWS credentials without us: a table of shapes, with the exact result of each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awsdirenv.config.envrc import uses
from awsdirenv.errors import AwsdirenvError, MigrationError
from awsdirenv.reports import migration
from awsdirenv.shell import extension
from envrc_shapes import ARN, SHAPES, Shape

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "sentinel/SECRETsentinelSECRETsentinelSEC"
CONFIG = f"""[profile base]
region = eu-west-1
[profile x]
role_arn = {ARN}
source_profile = base
[profile y]
role_arn = arn:aws:iam::123456789012:role/y
source_profile = base
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
[profile empty]
region = eu-west-1
"""


class Home:
    """A home with AWS's files, and a folder with an `.envrc`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "project"
        self.folder.mkdir()
        self.envrc = self.folder / ".envrc"
        (path / ".aws").mkdir()
        self.config = path / ".aws" / "config"
        self.config.write_text(CONFIG, encoding="utf-8")
        (path / ".aws" / "credentials").write_text(
            f"[base]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n", encoding="utf-8"
        )
        self.env = {"HOME": str(path), "PATH": os.environ["PATH"]}

    def has(self, text: str) -> migration.Plan | None:
        """Write an `.envrc`, and give what it becomes."""
        self.envrc.write_bytes(text.encode("utf-8", "surrogateescape"))
        return self.plan()

    def plan(self) -> migration.Plan | None:
        """Give what the `.envrc` becomes."""
        return migration.plan(self.envrc, self.env, migration.own_definitions(self.env))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home."""
    return Home(tmp_path)


def keys(text: str) -> str:
    """Put the keys into a text of the table."""
    return text.replace("=KEY_ID", f"={KEY_ID}").replace('="KEY_ID', f'="{KEY_ID}').replace("SECRET_KEY", SECRET)


def refusal(home: Home, shape: Shape) -> str:
    """Give the message of an error, which must have no secret."""
    with pytest.raises(AwsdirenvError) as caught:
        home.has(keys(shape.text))
    assert not {KEY_ID, SECRET} & {*f"{caught.value.message} {caught.value.hint}".replace('"', " ").split()}
    return caught.value.message


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes(home: Home, shape: Shape) -> None:
    """Each shape becomes exactly this, with these notes, or is refused; a second run has nothing to do."""
    for name, text in {**shape.files, **({".env": shape.dotenv} if shape.dotenv else {})}.items():
        (home.folder / name).write_text(keys(text), encoding="utf-8")
    if shape.after is not None and shape.after.startswith("!"):
        wanted = shape.after[1:].replace("FOLDER", str(home.folder))
        assert wanted in refusal(home, shape)
        return
    plan = home.has(keys(shape.text))
    if plan is None:
        assert shape.after is None
        return
    assert plan.after.decode("utf-8", "surrogateescape") == shape.after
    assert plan.notes == tuple(note.replace("FOLDER", str(home.folder)) for note in shape.notes)
    assert len(uses(shape.after or "")) == 1
    assert home.has(shape.after or "") is None
    assert not any(secret in line for line in migration.diff(plan) for secret in (KEY_ID, SECRET))


# What is not about AWS, and hard to read: quotes, here-documents, compound commands, comments, bytes, no full line.
NEUTRAL = (
    '# it\'s "a" comment with $(parts) and `more`\n'
    "export A='x; y' B=\"$(date \"+%Y\")\" C=$((1 << 2)) D=${E:-'}'}\n"
    'f() {\n  local a=$1\n  case $a in x|y) echo "f" ;; (z) : ;; esac\n}\n'
    "if [[ -n $X && ! -f y ]]; then g 1; elif h; then :; fi >/dev/null 2>&1\n"
    "cat <<-'E' >/dev/null\n\tit's \"open\n\tE\n"
    'while read -r l; do n+=("$l"); done < <(i | j)\n'
    "{ k; l; } && ( m ) || n; o | p & \n"
    "PATH_add bin; layout python3 \\\n  3.12   \t\n\n\n# J\udcfcrgen\n"
)
MOVED = {name: shape for name, shape in SHAPES.items() if shape.after and not shape.after.startswith("!")}


@pytest.mark.parametrize("shape", MOVED.values(), ids=MOVED)
def test_the_rest_stays(home: Home, shape: Shape) -> None:
    """Whatever stands above and below the lines that move stays as it is, byte by byte."""
    for name, text in {**shape.files, **({".env": shape.dotenv} if shape.dotenv else {})}.items():
        (home.folder / name).write_text(keys(text), encoding="utf-8")
    end = "" if shape.text.endswith("\n") else "\n"
    plan = home.has(keys(f"{NEUTRAL}{shape.text}{end}{NEUTRAL}"))
    assert plan
    assert plan.after.decode("utf-8", "surrogateescape") == f"{NEUTRAL}{shape.after}{end}{NEUTRAL}"


def test_there_are_enough_shapes() -> None:
    """The table has what the promise says: at least fifty shapes, of which some are refused."""
    refused = [name for name, shape in SHAPES.items() if (shape.after or "").startswith("!")]
    assert len(SHAPES) - len(refused) >= 50
    assert len(refused) >= 25
    assert len([name for name, shape in SHAPES.items() if shape.runs]) >= 20


def test_a_file_that_changes_meanwhile(home: Home) -> None:
    """What was shown is what is written, or nothing; a file that has the new text already is left alone."""
    plan = home.has("export AWS_PROFILE=x\n")
    assert plan
    home.envrc.write_text("export AWS_PROFILE=y\n", encoding="utf-8")
    with pytest.raises(MigrationError, match="has changed in the meantime"):
        extension.replace_envrc(plan.envrc, plan.before, plan.after)
    assert home.envrc.read_text(encoding="utf-8") == "export AWS_PROFILE=y\n"
    home.envrc.write_bytes(plan.after)
    os.utime(home.envrc, (1, 1))
    extension.replace_envrc(plan.envrc, plan.before, plan.after)
    assert home.envrc.stat().st_mtime == 1


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("export AWS_SECRET_ACCESS_KEY=abc", "export AWS_SECRET_ACCESS_KEY=…"),
        ('export DB_PASSWORD="a \\" b" A=1', "export DB_PASSWORD=… A=1"),
        ("export TOKEN=a'b c'd; x", "export TOKEN=…; x"),
        ("# password: abc", "# password: …"),
        ("URL=postgres://me:pw@host/db", "URL=postgres://…@host/db"),
        (f"aws configure set x {SECRET}", "aws configure set x …"),
        (f"echo {KEY_ID}", "echo …"),
        ("export AWS_PROFILE=x TOKEN_FILE=/a", "export AWS_PROFILE=x TOKEN_FILE=/a"),
    ],
)
def test_what_is_masked(line: str, shown: str) -> None:
    """A value that may be secret is not shown, whatever its quotes; all else is."""
    assert migration.masked(f"{line}\nA=1\n") == f"{shown}\nA=1\n"


PIECES = [line for shape in SHAPES.values() for line in shape.text.splitlines(keepends=True)]
SIGNS = [*"\n ;|(){}'\"`#\\=\t\udcfc", "&&", "||", "$(", "<<E", "if", "fi"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_is_moved_whole_or_refused(home: Home, data: st.DataObject) -> None:
    """Lines of other files, cut and mixed: each is moved once, so that a second run has nothing to do, or refused."""
    pieces = data.draw(st.lists(st.sampled_from([*PIECES, *SIGNS]), max_size=6))
    text = keys("".join(pieces))
    cut = data.draw(st.integers(0, len(text)))
    text = text[:cut] + data.draw(st.sampled_from(["", *SIGNS])) + text[cut:]
    try:
        plan = home.has(text)
    except AwsdirenvError as error:
        plan, said = None, error.message + error.hint
        assert SECRET not in said
    if plan is None:
        return
    after = plan.after.decode("utf-8", "surrogateescape")
    assert "use aws_profile" in after
    assert "\0" not in after
    assert not any(SECRET in line for line in migration.diff(plan))
    assert home.has(after) is None
