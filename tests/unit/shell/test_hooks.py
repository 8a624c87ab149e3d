"""What shells read when they start: as text, in the order in which a real shell reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from awsdirenv.shell import hooks

ENVIRON = {"ZDOTDIR": "/z"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a home on Linux with two files to be sourced, one with a space in its name."""
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "more").write_text("MORE\n", encoding="utf-8")
    (tmp_path / "my more").write_text("MY MORE\n", encoding="utf-8")
    return tmp_path


def read(home: Path, text: str) -> list[str]:
    """Give the lines of a `.bashrc`."""
    (home / ".bashrc").write_text(text, encoding="utf-8")
    return [line.text for line in hooks.interactive("bash", {"HOME": str(home)})]


@pytest.mark.parametrize(
    "line",
    [
        "source ~/more",
        ". ~/more",
        r"\. $HOME/more",
        'source "${HOME}/more"',
        "[ -f ~/more ] && . ~/more",
        "if true; then . ~/more; fi",
        "{ source ~/more; }",
        "test -s ~/more; and source ~/more",
        "builtin source ~/more",
    ],
)
def test_a_sourced_file_comes_behind_its_line(home: Path, line: str) -> None:
    """A file that is named in plain words is read where it is named."""
    assert read(home, f"first\n{line}\nlast\n") == ["first", line, "MORE", "last"]


@pytest.mark.parametrize("word", ["'{}/my more'", '"$HOME/my more"', "~/my\\ more"])
def test_names_with_spaces(home: Path, word: str) -> None:
    """Quotes and backslashes are taken as a shell takes them."""
    assert read(home, f"source {word.format(home)}\n")[1:] == ["MY MORE"]


@pytest.mark.parametrize(
    "line",
    [
        "source <(direnv hook bash)",
        "source $(echo ~/more)",
        "source $DOTFILES/more",
        "source '$HOME/more'",
        'source "~/more"',
        "source more",
        "resource ~/more",
        "source ~/*ore",
        "source ~/missing",
    ],
)
def test_what_only_a_shell_can_tell_is_not_followed(home: Path, line: str) -> None:
    """Nothing is evaluated, and nothing is guessed."""
    assert read(home, f"{line}\n") == [line]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("cat <<X\nsource ~/more\nX\nlast", ["cat <<X", "", "", "last"]),
        ("cat <<-'X' >>~/.zshrc; first\n\tsource ~/more\n\tX\nlast", ["cat <<-'X' >>~/.zshrc; first", "", "", "last"]),
        ("cat <<X\nsource ~/more", ["cat <<X", "source ~/more", "MORE"]),
        ("((1 << 2))\nsource ~/more\n2", ["((1 << 2))", "source ~/more", "MORE", "2"]),
        ("cat <<<X\nsource ~/more\nX", ["cat <<<X", "source ~/more", "MORE", "X"]),
        ("echo source ~/more", []),
        ("echo '; source ~/more' >>~/.zshrc", []),
        ('echo "it\'s"; source ~/more', ["source ~/more", "MORE"]),
        ("test -f x && printf '%s' '; source ~/more' || first", ["test -f x && first"]),
        ("test -f x; and echo 'x; source ~/more'; or first", ["test -f x; or first"]),
        ("alias more='echo; source ~/more'", []),
        ("echo source ~/more | source", ["echo source ~/more | source"]),
        ("echo 'first\nsource ~/more", ["source ~/more", "MORE"]),
    ],
)
def test_what_is_printed_is_not_run(home: Path, script: str, lines: list[str]) -> None:
    """A here-document, and what echo, printf and alias are given, are text; where that is in doubt, the line counts."""
    assert read(home, f"{script}\n") == lines


def test_comments_count_as_lines_only(home: Path) -> None:
    """A comment is left out, and the numbers of the lines are those of the file."""
    (home / ".bashrc").write_text("# source ~/more\n  # x\nthird\n", encoding="utf-8")
    (line,) = hooks.interactive("bash", {"HOME": str(home)})
    assert (line.text, line.place) == ("third", f"{home}/.bashrc:3")


def test_circles_end(home: Path) -> None:
    """Files that source each other are read once, whatever their names."""
    (home / "again").symlink_to(".bashrc")
    assert read(home, "one\nsource ~/.bashrc\nsource ~/again\ntwo\n") == [
        "one",
        "source ~/.bashrc",
        "source ~/again",
        "two",
    ]


def test_the_order_of_zsh_and_fish(home: Path) -> None:
    """zsh: environment, profile, rc, login; fish: conf.d by name before config.fish. Bytes of any kind are read."""
    for name in (".zlogin", ".zshrc", ".zprofile", ".zshenv"):
        (home / name).write_bytes(name.encode() + b" \xff\n")
    conf = home / ".config" / "fish" / "conf.d"
    conf.mkdir(parents=True)
    for name in ("conf.d/b.fish", "conf.d/a.fish", "config.fish"):
        (conf.parent / name).write_text(name, encoding="utf-8")
    environ = {"HOME": str(home)}
    zsh = [line.path.name for line in hooks.interactive("zsh", environ)]
    assert zsh == [".zshenv", ".zprofile", ".zshrc", ".zlogin"]
    fish = [line.text for line in hooks.interactive("fish", environ)]
    assert fish == ["conf.d/a.fish", "conf.d/b.fish", "config.fish"]


def test_everything_has_each_file_once(home: Path) -> None:
    """All shells' files together, whichever is in use, and the session's environment.d."""
    (home / ".profile").write_text("P\n. ~/.bashrc\n", encoding="utf-8")
    (home / ".bashrc").write_text("B\n", encoding="utf-8")
    (home / ".zshrc").write_text("Z\n", encoding="utf-8")
    (home / ".config" / "environment.d").mkdir(parents=True)
    (home / ".config" / "environment.d" / "aws.conf").write_text("E\n", encoding="utf-8")
    found = [line.text for line in hooks.everything({"HOME": str(home)})]
    assert found == ["P", ". ~/.bashrc", "B", "Z", "E"]


@pytest.mark.parametrize(
    ("files", "read_first"),
    [((), ".bash_profile"), ((".profile",), ".profile"), ((".profile", ".bash_login"), ".bash_login")],
)
def test_on_a_mac_bash_is_a_login_shell(
    home: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...], read_first: str
) -> None:
    """Its terminals start login shells, which read the first of three files, and what that one sources."""
    monkeypatch.setattr("sys.platform", "darwin")
    environ = {"HOME": str(home), "SHELL": "/bin/bash"}
    for name in files:
        (home / name).write_text(". ~/more\n", encoding="utf-8")
    (home / ".bashrc").write_text("OTHERS\n", encoding="utf-8")
    assert hooks.rc_file("bash", environ) == home / read_first
    assert [line.text for line in hooks.interactive("bash", environ)] == ([". ~/more", "MORE"] if files else [])
    (home / "more").write_text(f"source {hooks.installed('bash', environ)}\n", encoding="utf-8")
    assert (hooks.line_to_add(environ) is None) == bool(files)


@pytest.fixture(params=["variable", "place"])
def of_brew(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Have Homebrew in the folder `brew`: a variable says so, or it is Intel's place, where people need none."""
    if request.param == "variable":
        return {"HOME": str(home), "HOMEBREW_PREFIX": str(home / "brew")}
    assert Path("/usr/local") in hooks._BREWS
    monkeypatch.setattr(hooks, "_BREWS", (home / "missing", home / "brew"))
    return {"HOME": str(home)}


def test_fish_of_homebrew_reads_its_files(home: Path, of_brew: dict[str, str]) -> None:
    """Homebrew's fish has its system files below Homebrew's prefix."""
    wanted = ["etc/fish/config.fish", "etc/fish/conf.d/direnv.fish", "share/fish/vendor_conf.d/direnv.fish"]
    for name in wanted:
        path = home / "brew" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    assert [line.text for line in hooks.of_system("fish", of_brew) if line.text in wanted] == wanted


def test_completion_of_homebrew(home: Path, of_brew: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bash-completion is Homebrew's, the line that is missing names it."""
    monkeypatch.setattr(hooks, "_BASH_COMPLETION", ())
    path = home / "brew" / "etc" / "profile.d" / "bash_completion.sh"
    path.parent.mkdir(parents=True)
    path.touch()
    assert str(hooks.lacking_for_completion("bash", of_brew)).endswith(f": source {path}")
