"""What SDKs start in a live directory: bash prints what is stored, just as Python would, or has Python do it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.cache import live_files, snapshots
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cache.live_files import Made
from awsdirenv.cache.sessions import prepare
from awsdirenv.cache.snapshots import Snapshot, present_stamps
from awsdirenv.config.environment import SessionOptions, agent_default, context_text
from awsdirenv.records import replace
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.shell import extension
from awsdirenv.shell.extension import serving_command
from awsdirenv.system.files import encode_name
from in_process import call
from world import BIN, UTF8

PYTHON = ["/bin/echo", "Python"]
NAMES = ("plain", "it's a;b", 'quo"te # größe', "Upper", "a.used", ".dot", "-x", "100%41", "a\\x41b")
CONFIG = "[profile plain]\nregion = eu-west-1\n"
VARIABLES: dict[str, dict[str, str | None]] = {
    "as it is": {},
    "no PATH": {"PATH": None},
    "an empty PATH": {"PATH": ""},
    "a folder as PATH": {"PATH": "."},
    "no home": {"HOME": None},
    "an empty home": {"HOME": ""},
    "bash's settings": {
        "POSIXLY_CORRECT": "1",
        "SHELLOPTS": "nounset:noglob:xtrace",
        "BASHOPTS": "nocasematch:failglob",
    },
    "rules of an older bash": {"BASH_COMPAT": "4.2"},
    "BASH_ENV": {"BASH_ENV": "{home}/bash_env", "ENV": "{home}/bash_env"},
    "functions": {"BASH_FUNC_printf%%": "() { echo no; }", "BASH_FUNC_source%%": "() { echo no; }"},
    "IFS": {"IFS": "0123456789abcdef", "CDPATH": "/", "GLOBIGNORE": "*"},
    "a locale": {"LC_ALL": UTF8, "LANG": "nowhere"},
    "a time zone": {"TZ": "Asia/Tokyo"},
    "a bad region": {"AWS_REGION": "eu # west"},
    "a bad setting": {"AWSDIRENV_STS_TIMEOUT": "soon"},
    "a confirmation": {"AWSDIRENV_CONFIRM": "production"},
    "a program of ours": {"AWSDIRENV_RUNNING_FOR": "plain"},
    "an agent": {"CLAUDECODE": "1"},
    "an agent with a default": {"CURSOR_TRACE_ID": "x", "AWSDIRENV_AGENT_DEFAULT": "read only %"},
    "no agent": {"CLAUDECODE": "1", "AWSDIRENV_AGENT": "0"},
    "an endpoint": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9/a b"},
    "names of ours": {"_ad_key": "x", "_ad_options": "agent=", "_ad_parts": " warm ", "TZ": ""},
}
OPTIONS = {
    "none": SessionOptions(),
    "a duration": SessionOptions(900),
    "policies": SessionOptions(
        policy_arns=("arn:aws:iam::aws:policy/A",), policy_file="/a 100% b.json", read_only=True
    ),
    "for agents": SessionOptions(agent=""),
    "for agents, with a default": SessionOptions(1800, agent="other profile"),
}
FILES = ("live", "person's", "none", "in the home", "gone")  # what AWS_CONFIG_FILE names
LIVES = {  # seconds since they were got, and until they end
    "an hour": (60, 3540),
    "a minute": (10, 50),
    "without an end": (60, None),
    "due": (3000, 600),
    "nearly over": (3590, 10),
    "over": (3700, -100),
    "got in the future": (-600, 3600),
}
HURT = (
    "nothing",
    "config",
    "mode",
    "link",
    "cut",
    "nul",
    "folder",
    "profile",
    "policy",
    "variables",
    "clock",
    "stranger's line",
)
SECRETS = ("s3cret/+=", 'a"b\\c"\\', "%s\\n$(id)`id`", "~!@#$%^&*()_+{}|:<>?-=[];',./")


@dataclass
class Home:
    """A person's files, what is stored, and the environment of a program in a live directory."""

    root: Path
    options: SessionOptions = SessionOptions()  # noqa: RUF009 - frozen
    files: str = "live"
    more: Mapping[str, str | None] = field(default_factory=dict)
    profile: str = "plain"
    environ: dict[str, str] = field(default_factory=dict)
    person: dict[str, str] = field(default_factory=dict)  # as it was outside

    def __post_init__(self) -> None:
        home = self.root / "home"
        (home / ".aws").mkdir(parents=True)
        (home / ".aws" / "config").write_text(CONFIG, encoding="utf-8")
        (home / "mine").write_text(CONFIG, encoding="utf-8")
        (home / "bash_env").write_text("echo from BASH_ENV\n", encoding="utf-8")
        shared: dict[str, str | None] = {"HOME": str(home), "PATH": f"{BIN}:/usr/bin:/bin", "LANG": UTF8}
        shared |= {name: value and value.replace("{home}", str(home)) for name, value in self.more.items()}
        self.person = {name: value for name, value in shared.items() if value is not None}
        if self.files == "person's":
            self.person["AWS_CONFIG_FILE"] = str(home / "mine")
        if self.files == "in the home":
            self.person["AWS_CONFIG_FILE"] = "~/mine"
        self.environ = dict(self.person)
        self.paths = CachePaths.from_environ({"HOME": str(home)})
        prepare(self.paths)
        if self.files != "none":
            self._hand_over()

    def _hand_over(self) -> None:
        """Set what a live directory exports."""
        path = self.paths.live / "plain"
        stamps = present_stamps({"HOME": str(self.root / "home"), **self.person})
        originals = (self.person.get("AWS_CONFIG_FILE"), None)
        live_files.write(path, Made("plain", stamps, originals, "", "", "/py", "/p", "", "", "", "", ""), b"")
        live_files.write_empty(self.paths.live)
        self.environ |= {"AWS_CONFIG_FILE": str(path), "AWS_PROFILE": self.profile, "AWSDIRENV_PROFILE": self.profile}
        self.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(live_files.empty_file(self.paths.live))
        self.environ["AWSDIRENV_LOADED"] = f"1 {self.root}"
        if self.files == "gone":
            path.unlink()

    def asked(self) -> SessionOptions:
        """Give what is asked of the session by the line and by whoever asks."""
        given = self.options
        return given if given.agent is not None else replace(given, agent=agent_default(self.environ))

    def store(self, life: str = "an hour", secret: str = SECRETS[0], account: str | None = "123456789012") -> Path:
        """Write the snapshot that Python would look for."""
        ago, left = LIVES[life]
        now = utc_now()
        end = None if left is None else now + timedelta(seconds=left)
        made = SessionCredentials("ASIDTEST", secret, secret[::-1], end, now - timedelta(seconds=ago), account)
        person = {"HOME": str(self.root / "home"), **self.person}
        snapshot = Snapshot(
            self.profile, made, "eu-west-1", "Dev", present_stamps(person), context_text(person, self.asked())
        )
        path = self.paths.snapshots / snapshot_key(self.profile, person, self.asked())
        snapshots.write(path, replace(snapshot, stage="production"))
        return path

    def hurt(self, path: Path, what: str) -> None:
        """Change what makes a snapshot worthless, or what it depends on."""
        text = path.read_text(encoding="utf-8")
        if what == "config":
            for name in ("mine", ".aws/config"):
                (self.root / "home" / name).write_text(CONFIG + "# edited\n", encoding="utf-8")
        elif what == "mode":
            path.chmod(0o640)
        elif what == "link":
            path.rename(path.with_name("elsewhere"))
            path.symlink_to(path.with_name("elsewhere"))
        elif what == "cut":
            path.write_text(text[:-4], encoding="utf-8")
        elif what == "nul":
            path.write_text(text.replace("=Dev", "=D\0ev"), encoding="utf-8")
        elif what == "folder":
            path.parent.chmod(0o755)
        else:
            line = {
                "profile": ("AWSDIRENV_PROFILE=", "AWSDIRENV_PROFILE=other"),
                "policy": ("AWSDIRENV_POLICY_FILE=", f"AWSDIRENV_POLICY_FILE=absent @ {self.root}/home/mine"),
                "variables": ("AWSDIRENV_ENVIRONMENT=", "AWSDIRENV_ENVIRONMENT=AWS_ACCESS_KEY_ID"),
                "clock": ("AWSDIRENV_CLOCK=", "AWSDIRENV_CLOCK=00000000.0:99999999999"),
                "stranger's line": ("AWS_REGION=", "AWS_REGION=eu west"),
            }[what]
            lines = [line[1] if one.startswith(line[0]) else one for one in text.splitlines()]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def by_bash(self, shell: list[str] | None = None, python: list[str] = PYTHON) -> subprocess.CompletedProcess[str]:
        """Run the program of the live config file."""
        serving = serving_command({})
        assert serving
        words = [*(shell or serving[:2]), *serving[2:], self.options.text(), *python, self._name()]
        return subprocess.run(words, env=self.environ, cwd=self.root, capture_output=True, text=True, check=False)

    def by_python(self) -> subprocess.CompletedProcess[str]:
        """Run the command that it starts otherwise."""
        words = ("credential-process", *self.options.arguments(), self._name())
        return call(words, {"PATH": "", **self.environ}, self.root, timeout=60)

    def _name(self) -> str:
        return f"--live={encode_name(self.profile)}"


def check(home: Home) -> bool:
    """Assert that bash printed what Python prints, or had Python print it; tell whether bash did."""
    done = home.by_bash()
    assert (done.returncode, done.stderr) == (0, ""), done
    if done.stdout == f"Python {home._name()}\n":
        return False
    theirs = home.by_python()
    assert (theirs.returncode, theirs.stdout, theirs.stderr) == (0, done.stdout, "")
    assert json.loads(done.stdout)["Version"] == 1
    return True


STATES = st.fixed_dictionaries(
    {
        "profile": st.sampled_from(NAMES),
        "variables": st.sampled_from(sorted(VARIABLES)),
        "options": st.sampled_from(sorted(OPTIONS)),
        "files": st.sampled_from(FILES),
        "life": st.sampled_from(sorted(LIVES)),
        "secret": st.sampled_from(SECRETS),
        "account": st.sampled_from(["123456789012", None]),
        "hurt": st.sampled_from(HURT),
    }
)


def home_of(root: str, state: Mapping[str, Any]) -> Home:
    """Make a home in a state."""
    home = Home(Path(root), OPTIONS[state["options"]], state["files"], VARIABLES[state["variables"]], state["profile"])
    path = home.store(state["life"], state["secret"], state["account"])
    if state["hurt"] != "nothing":
        home.hurt(path, state["hurt"])
    return home


@settings(max_examples=80, deadline=None)
@given(STATES)
def test_any_state(state: dict[str, Any]) -> None:
    """Whatever is stored, and whoever asks: what bash prints Python would print."""
    with tempfile.TemporaryDirectory() as root:
        check(home_of(root, state))


NORMAL = {
    "profile": "plain",
    "variables": "as it is",
    "options": "none",
    "files": "live",
    "life": "an hour",
    "secret": SECRETS[1],
    "account": "123456789012",
    "hurt": "nothing",
}
# In these states Python has something to do; in all others bash has to print.
FOR_PYTHON = {
    "variables": {"no home", "an empty home", "a program of ours"},
    "files": {"gone"},
    "life": {"due", "nearly over", "over", "got in the future"},
    "hurt": {*HURT} - {"nothing", "clock"},
}
ONE_CHANGED = [
    *(
        (name, value)
        for name, values in (("profile", NAMES), ("files", FILES), ("secret", SECRETS))
        for value in values
    ),
    *(
        (name, value)
        for name, values in (("variables", VARIABLES), ("options", OPTIONS), ("life", LIVES))
        for value in values
    ),
    *(("hurt", value) for value in HURT),
    ("account", None),
]


def test_each_state_by_itself() -> None:
    """With one thing changed bash prints wherever nothing has to be done, and nowhere else."""
    for name, value in ONE_CHANGED:
        with tempfile.TemporaryDirectory() as root:
            is_bashs = check(home_of(root, {**NORMAL, name: value}))
        assert is_bashs == (value not in FOR_PYTHON.get(name, set())), (name, value)


@pytest.mark.parametrize("version", ["", "3.2.57(1)-release", "4.3.48(1)-release"])
def test_other_shells(tmp_path: Path, version: str) -> None:
    """A shell that cannot read the extension has Python do it. dash leaves the variable of a version as it is."""
    home = Home(tmp_path, more={"BASH_VERSION": version or None})
    home.store()
    done = home.by_bash(["dash"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "Python --live=plain\n", "")


def test_what_python_gets(tmp_path: Path) -> None:
    """Python is started with all variables as they are, though bash has gone back to the person's files to look."""
    home = Home(tmp_path, more=VARIABLES["names of ours"])
    home.store("over")
    python = [sys.executable, "-I", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    found = json.loads(home.by_bash(python=python).stdout)
    ours = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: value for name, value in found.items() if name not in ours} == home.environ


@pytest.mark.needs("/dev/full")
def test_nowhere_to_print(tmp_path: Path) -> None:
    """Output that cannot be written is no success."""
    home = Home(tmp_path)
    home.store()
    serving = serving_command({})
    for what in (">&-", ">/dev/full"):
        words = [*serving, "", "false", "--live=plain"]
        done = subprocess.run(["sh", "-c", f'exec "$@" {what}', "sh", *words], env=home.environ, check=False)
        assert done.returncode == 1, what
        shown = subprocess.run(
            ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *words], env=home.environ, capture_output=True, check=False
        )
        assert json.loads(shown.stdout)["Version"] == 1


def test_secrets_are_in_no_command_line(tmp_path: Path) -> None:
    """The programs that bash starts get paths, and no part of what is stored."""
    home = Home(tmp_path)
    home.store(secret="s3cret")
    log = tmp_path / "log"
    program = tmp_path / "stat"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >>{log}\nexec /usr/bin/stat "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    serving = serving_command({})
    words = [*serving[:3], str(program), *serving[4:], "", *PYTHON, "--live=plain"]
    done = subprocess.run(words, env=home.environ, capture_output=True, text=True, check=False)
    assert '"s3cret"' in done.stdout
    assert log.exists()
    assert not [one for one in ("s3cret", "terc3s", "ASIDTEST") if one in log.read_text(encoding="utf-8")]


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program, a bash or a `stat`, SDKs start Python; a bash that is too old is passed over."""
    old = tmp_path / "bash"
    old.write_text("#!/bin/sh\necho 302\n", encoding="utf-8")
    old.chmod(0o755)
    assert not extension._can_read_us(str(old))
    for name, value in (("_bash", None), ("stat_program", None), ("extension_source", tmp_path / "aws_profile.sh")):
        with monkeypatch.context() as patch:
            patch.setattr(extension, name, lambda *_, value=value: value)
            assert serving_command({}) == [], name
