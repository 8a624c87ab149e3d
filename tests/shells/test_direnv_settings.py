"""`setup --direnv-settings`: two lines in the user's direnv.toml, which stays what it was in everything else."""

from __future__ import annotations

import importlib
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from awsdirenv.shell.direnv_settings import added, removed
from documents import ROOT
from world import World

OLD, NEW = (2, 32), (2, 37)
HINT = "  optional, so that direnv does not write into questions: awsdirenv setup --direnv-settings\n"
# Parts of a direnv.toml as people have them; any of them in any order is one.
TOP = ("", "# mine\n", "disable_stdin = true\n", 'bash_path = "/bin/bash"  # [global]\n')
GLOBAL = (
    "",
    "[global]\n",
    "  [ global ]  # ours\nstrict_env = true\n",
    "[global]\n# warn_timeout = 5s\ndisable_stdin = true\n",
)
OTHER = ("", '[whitelist]\nprefix = [\n  "/a", # warn_timeout = 1\n]\n', '[whitelist]\nexact = ["/b"]')
FILES = ["".join(parts) for parts in itertools.product(TOP, GLOBAL, OTHER)]
FILES += ["".join(parts) for parts in itertools.product(TOP, OTHER, ("\n",), GLOBAL) if parts[1].endswith("]\n")]
FILES += [text.replace("\n", "\r\n") for text in FILES[:12]]


def parsed(text: str) -> dict[str, object]:
    """Give what a parser of TOML reads."""
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest brings tomli
    found: dict[str, object] = parser.loads(text)
    return found


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("text", FILES)
def test_nothing_else_changes(text: str, version: tuple[int, ...]) -> None:
    """A parser reads what it read before and our settings; twice is as once; and all of it can be taken back."""
    after = added(text, version)
    assert after is not None
    before = parsed(text)
    ours = {"warn_timeout": "60s", **({"hide_env_diff": True} if version == NEW else {})}
    table = before.get("global", {})
    assert isinstance(table, dict)
    assert parsed(after) == {**before, "global": {**table, **ours}}
    assert set(text.splitlines()) <= set(after.splitlines())
    assert added(after, version) == after
    assert removed(after) in (text, f"{text}\n", f"{text}\r\n")
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in after


def test_what_the_person_adds_stays() -> None:
    """Settings below our own table keep it, when ours go."""
    after = added("", NEW)
    assert after is not None
    assert removed(f"{after}strict_env = true\n[whitelist]\n") == "[global]\nstrict_env = true\n[whitelist]\n"
    assert removed(f"{after}# mine\n\n[whitelist]\n") == "# mine\n\n[whitelist]\n"


@pytest.mark.parametrize(
    "text",
    [
        "global = { strict_env = true }\n",
        "global.strict_env = true\n",
        '["global"]\nstrict_env = true\n',
        'bash_path = """\n[global]\n"""\n',
        "bash_path = '''\n[global]\n'''\n",
    ],
)
def test_what_needs_a_parser_is_left_alone(text: str) -> None:
    """Where a table is written in another way, the user is told the lines."""
    assert added(text, NEW) is None
    assert removed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        '[global]\nwarn_timeout = "9s"\nhide_env_diff = false\n',
        'global = { warn_timeout = "1m", "hide_env_diff" = true }',
    ],
)
def test_what_the_person_has_set_stays(text: str) -> None:
    """A value that is there is the user's choice."""
    assert added(text, NEW) == text


class Settings:
    """A home with a direnv.toml of its own, and the real direnv."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.toml = world.home / ".config" / "direnv" / "direnv.toml"

    def setup(self, *options: str, status: int = 0) -> str:
        """Run `setup`; give what it says."""
        done = self.world.run("awsdirenv", "setup", *options)
        assert done.returncode == status, done.stderr
        return done.stderr

    def told(self) -> str:
        """Give what direnv says of its settings."""
        return subprocess.run(
            ["direnv", "status"], env=self.world.env, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def settings(world: World) -> Settings:
    """Make a home."""
    return Settings(world)


def test_setup_offers_sets_and_takes_back(settings: Settings) -> None:
    """Proposed, shown, added, not twice, believed by direnv, and gone after --uninstall, with the file."""
    said = settings.setup()
    assert said.endswith(HINT)
    assert not settings.toml.exists()
    shown = settings.setup("--dry-run", "--direnv-settings")
    assert f"+ {settings.toml}\n" in shown
    assert '\n  +warn_timeout = "60s"  # awsdirenv setup --direnv-settings\n' in shown
    assert not settings.toml.exists()
    assert shown.partition(f"+ {settings.toml}\n")[2] in settings.setup("--direnv-settings")
    assert "warn_timeout 1m0s\n" in settings.told()
    assert HINT not in settings.setup()
    before = settings.toml.read_bytes()
    assert f"  {settings.toml} has them already\n" in settings.setup("--direnv-settings")
    assert settings.toml.read_bytes() == before
    assert f"~ {settings.toml}\n" in settings.setup("--uninstall")
    assert not settings.toml.exists()
    assert "direnv.toml" not in settings.setup("--uninstall")


def test_a_file_that_is_there(settings: Settings) -> None:
    """A link stays one, the mode and the comments stay, and direnv reads what was in it."""
    target = settings.world.root / "dotfiles.toml"
    text = "# mine\n[global]\ndisable_stdin = true\n[whitelist]\nprefix = []\n"
    target.write_text(text, encoding="utf-8")
    target.chmod(0o600)
    settings.toml.symlink_to(target)
    settings.setup("--direnv-settings")
    assert settings.toml.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert "disable_stdin true\nwarn_timeout 1m0s\n" in settings.told()
    settings.setup("--uninstall")
    assert target.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", ["[global\n", "global.strict_env = true\n", "[global]\nbash_path = 5\n"])
def test_a_file_that_cannot_be_changed(settings: Settings, text: str) -> None:
    """What direnv cannot read, or we cannot, stays as it is; the lines are shown, and the status says so."""
    settings.toml.write_text(text, encoding="utf-8")
    said = settings.setup("--direnv-settings", status=1)
    assert f"  {settings.toml} stays as it is; add to [global] by hand:\n    warn_timeout = " in said
    assert settings.toml.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("name", "below"), [("XDG_CONFIG_HOME", "direnv/direnv.toml"), ("DIRENV_CONFIG", "direnv.toml")]
)
def test_the_file_that_direnv_reads(settings: Settings, tmp_path: Path, name: str, below: str) -> None:
    """It is in the folder that direnv takes, and it is the older config.toml where there is only that."""
    folder = tmp_path / "elsewhere"
    settings.world.env[name] = str(folder)
    said = settings.setup("--direnv-settings")
    assert f"+ {folder / below}\n" in said
    older = (folder / below).with_name("config.toml")
    (folder / below).rename(older)
    assert f"  {older} has them already\n" in settings.setup("--direnv-settings")


def test_without_direnv(settings: Settings) -> None:
    """Nothing is proposed, and nothing is written."""
    settings.world.env["PATH"] = str(Path(sys.executable).parent)
    assert HINT not in settings.setup()
    assert "direnv is not installed\n" in settings.setup("--direnv-settings", status=1)
    assert not settings.toml.exists()


TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^### ([^\n]+)\n[^#]*?```toml\n(.*?)```", TROUBLESHOOTING, re.MULTILINE | re.DOTALL)


def test_the_recipes_of_the_documents(settings: Settings) -> None:
    """Written into direnv.toml as they stand, they do what their headings are about; both are what setup adds."""
    assert [title for title, _ in RECIPES] == [
        "direnv: ([...]) is taking a while to execute",
        "direnv: export +AWS_ACCESS_KEY_ID …",
    ]
    settings.world.role("plain", mfa=False)
    folder = settings.world.project("plain")
    version = subprocess.run(["direnv", "version"], env=settings.world.env, capture_output=True, text=True, check=True)
    hides = tuple(map(int, version.stdout.split(".")[:2])) >= (2, 34)
    for _, lines in RECIPES:
        settings.toml.write_text(lines, encoding="utf-8")
        assert ("warn_timeout 1m0s\n" in settings.told()) == ("warn_timeout" in lines)
        _, said = settings.world.enter(folder)
        assert ("direnv: export " in said) == ("hide_env_diff" not in lines or not hides)
        assert added(lines, NEW) != lines
    assert added("".join(lines.removeprefix("[global]\n") for _, lines in RECIPES), NEW) == "".join(
        lines.removeprefix("[global]\n") for _, lines in RECIPES
    )


@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_how_to_hide_the_line_is_one_click_away(page: str) -> None:
    """A link leads to the heading with the very lines; test_docs.py shows that the heading is there."""
    assert "troubleshooting.md#direnv-export-aws_access_key_id-)" in (ROOT / page).read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_one_error(settings: Settings) -> None:
    """Such a direnv.toml, as one in a store of packages, stays as it is."""
    settings.toml.write_text("[global]\n", encoding="utf-8")
    settings.toml.unlink()
    settings.toml.symlink_to("/proc/version")
    said = settings.setup("--direnv-settings", status=1)
    assert "by hand" in said
    settings.toml.unlink()
    settings.toml.symlink_to("/proc/nobody/direnv.toml")
    said = settings.setup("--direnv-settings", status=1)
    assert f"awsdirenv: error: cannot write {settings.toml}: " in said
    assert "awsdirenv: hint: make /proc/nobody writable\n" in said
