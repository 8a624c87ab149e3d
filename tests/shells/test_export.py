"""`awsdirenv export`, for real: every shell reads back what STS gave, and a `.env` file keeps what was in it."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.cli.commands import export
from awsdirenv.cli.loading import variables
from awsdirenv.config.environment import STALE
from awsdirenv.session_credentials import utc_now
from exports import NAMES, exported, is_what_sts_gave, refused, snapshot, snapshots
from world import REGION, UTF8, World

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
    ours = [line for line in done.stderr.splitlines() if line.startswith("awsdirenv:")]  # fish may miss a user's name
    assert ours == ["awsdirenv: warning: AWS_PROFILE is still set", "awsdirenv: hint: set -e AWS_PROFILE"]


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
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": UTF8}
    command = [*STRICT[shell][:-1], str(script)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
    expected = [value for one in examples for value in variables(one, REGION).values()]
    assert done.stdout.decode().split("\n")[:-1] == expected
    assert done.stderr == b""
    assert {entry.name for entry in tmp_path.iterdir()} <= {"script", ".config", ".local", ".cache"}


def test_an_ascii_terminal_gets_the_name_all_the_same(world: World) -> None:
    """Where Python's output is ASCII, a profile with other letters in its name is exported without a traceback."""
    arn = world.sts.add_role("adminrole")
    world.profile("zür", role_arn=arn, source_profile="base")
    done = world.run("awsdirenv", "export", "zür", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


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
