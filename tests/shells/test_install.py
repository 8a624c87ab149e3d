"""`awsdirenv setup` and `awsdirenv init`: what they write, that they say so, and that real direnv takes it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from awsdirenv import __version__
from awsdirenv.config.envrc import line_of
from awsdirenv.errors import SetupError
from awsdirenv.shell.extension import init
from awsdirenv.system.text import shell_word
from in_process import call
from setup_steps import follow_steps
from world import BIN, REGION, UTF8, WHOLE_EXTENSION, World

NEXT = "  next, in a project: awsdirenv init PROFILE\n"
HOOKS = {
    "bash": (".bashrc" if sys.platform == "linux" else ".bash_profile", 'eval "$(direnv hook bash)"'),
    "zsh": (".zshrc", 'eval "$(direnv hook zsh)"'),
    "fish": (".config/fish/config.fish", "direnv hook fish | source"),
}
# What it writes for shells to find: our hooks and our completions.
OTHERS = (
    *(f".local/share/awsdirenv/hook.{shell}" for shell in HOOKS),
    ".local/share/bash-completion/completions/awsdirenv",
    ".local/share/awsdirenv/zsh/_awsdirenv",
    ".local/share/fish/vendor_completions.d/awsdirenv.fish",
)


class Home:
    """A home with spaces and a quote in its path, and nothing in it; direnv 2.32 itself would run a `$(…)` there."""

    def __init__(self, root: Path) -> None:
        self.path = root / "it's a home"
        self.path.mkdir()
        self.project = self.path / "my project"
        self.project.mkdir()
        self.extension = self.path / ".config" / "direnv" / "lib" / "awsdirenv.sh"
        self.toml = self.path / ".config" / "direnv" / "direnv.toml"
        self.toml.parent.mkdir(parents=True)
        self.toml.write_text('[global]\nwarn_timeout = "60s"\n', encoding="utf-8")  # or `setup` proposes it
        self.env = {"HOME": str(self.path), "PATH": f"{BIN}:{os.environ['PATH']}", "LANG": UTF8}
        # Where bash-completion is, unless this machine has its own.
        self.env["HOMEBREW_PREFIX"] = str(root / "brew")
        self.completion = root / "brew" / "etc" / "profile.d" / "bash_completion.sh"
        self.completion.parent.mkdir(parents=True)
        self.completion.touch()

    def run(self, *command: str, status: int = 0, **env: str) -> str:
        """Run our command in the project; it must say all it says on stderr, which is given."""
        done = call(command, {**self.env, **env}, self.project, timeout=60)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        return done.stderr

    def rc(self, shell: str, text: str | bytes) -> None:
        """Write a shell's rc file."""
        path = self.path / HOOKS[shell][0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def with_hook(self) -> Home:
        """Let `setup` have nothing to warn about, and nothing to propose."""
        self.env["SHELL"] = "/bin/bash"
        self.rc("bash", f"{HOOKS['bash'][1]}\n. ~/.local/share/awsdirenv/hook.bash\n. {self.completion}\n")
        return self

    def others(self, said: str) -> str:
        """Give what `setup` says of its files for shells; `said` has a {} for the file."""
        return "".join(said.format(self.path / name) + "\n" for name in OTHERS)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home."""
    return Home(tmp_path)


def tree(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python_of(extension: Path) -> str:
    """Give the absolute path of the Python that an extension starts."""
    found = re.search(r" _ad_python=(/\S+)", extension.read_text(encoding="utf-8"))
    assert found
    return found.group(1)


def test_setup_says_what_it_writes_and_writes_nothing_else(home: Home) -> None:
    """Setup writes the extension, with the absolute path of this Python in it, and the hooks, and names each."""
    home.with_hook()
    before = tree(home.path)
    assert home.run("setup") == f"+ {home.extension}\n{home.others('+ {}')}{NEXT}"
    assert tree(home.path).keys() - before.keys() == {".config/direnv/lib/awsdirenv.sh", *OTHERS}
    assert before.items() <= tree(home.path).items()
    text = home.extension.read_text(encoding="utf-8")
    assert os.path.samefile(python_of(home.extension), sys.executable)
    assert "_ad_python=''" not in text
    assert stat.S_IMODE(home.extension.stat().st_mode) == 0o644


def test_the_names_of_one_python_are_one_installation(home: Home) -> None:
    """`bin/python` and `bin/python3` of a virtual environment write the same extension, and the same live files."""
    home.with_hook().run("setup")
    before = home.extension.read_bytes()
    tell = "import sys; from awsdirenv.shell import extension; sys.stdout.write(extension.{})"
    tell = f"{tell.format('own_python()')}; {tell.format('extension_text()')}"
    told = set()
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        words = [str(BIN / name), "-c", tell]
        told.add(subprocess.run(words, capture_output=True, env=home.env, check=True).stdout)
    assert len(told) == 1
    assert told.pop().endswith(before)


def test_setup_can_be_repeated(home: Home) -> None:
    """A second setup says that all is up to date and leaves the very same file."""
    home.with_hook().run("setup")
    before, info = home.extension.read_bytes(), home.extension.stat()
    assert home.run("setup") == f"  {home.extension} is up to date\n{home.others('  {} is up to date')}{NEXT}"
    assert home.extension.read_bytes() == before
    assert home.extension.stat().st_ino == info.st_ino


def test_setup_updates_an_older_copy(home: Home) -> None:
    """An extension of ours that differs, as after an upgrade, is replaced and shown as such."""
    home.with_hook().run("setup")
    current = home.extension.read_text(encoding="utf-8")
    older = current.replace(python_of(home.extension), "/gone/bin/python") + "# old\n"
    home.extension.write_text(older, encoding="utf-8")
    assert home.run("setup") == f"~ {home.extension}\n{home.others('  {} is up to date')}{NEXT}"
    assert home.extension.read_text(encoding="utf-8") == current


def test_setup_replaces_the_whole_extension_of_older_releases(home: Home) -> None:
    """The one file of older releases gives way to the short one, which is said once; `--uninstall` removes it, too."""
    home.with_hook().run("setup")
    current = home.extension.read_text(encoding="utf-8")
    home.extension.write_text(WHOLE_EXTENSION, encoding="utf-8")
    said = f"~ {home.extension} (the whole extension of an older release is replaced)\n"
    assert home.run("setup").startswith(said)
    assert home.extension.read_text(encoding="utf-8") == current
    assert home.run("setup").startswith(f"  {home.extension} is up to date\n")
    home.extension.write_text(WHOLE_EXTENSION, encoding="utf-8")
    assert home.run("setup", "--uninstall").startswith(f"- {home.extension}\n")
    assert not home.extension.exists()


def test_setup_keeps_a_link(home: Home) -> None:
    """An extension that is a link into a folder of dotfiles stays one."""
    dotfiles = home.path / "dotfiles.sh"
    home.extension.parent.mkdir(parents=True)
    home.extension.symlink_to(dotfiles)
    home.with_hook().run("setup")
    assert home.extension.is_symlink()
    assert "use_aws_profile()" in dotfiles.read_text(encoding="utf-8")


def test_uninstall_removes_the_extension_alone(home: Home) -> None:
    """`setup --uninstall` removes the one file, says so, and is content when it is gone already."""
    home.with_hook().run("setup")
    other = home.extension.with_name("other.sh")
    other.write_text("# mine\n", encoding="utf-8")
    assert home.run("setup", "--uninstall") == f"- {home.extension}\n{home.others('- {}')}"
    assert home.run("setup", "--uninstall") == f"  {home.extension} is not there\n"
    assert os.listdir(home.extension.parent) == ["other.sh"]


def test_a_strangers_file_is_left_alone(home: Home) -> None:
    """A file of our name that is not ours is neither replaced nor removed."""
    home.extension.parent.mkdir(parents=True)
    home.extension.write_text("# somebody else's\n", encoding="utf-8")
    error = f"awsdirenv: error: {home.extension} is not ours\nawsdirenv: hint: "
    for options in ([], ["--dry-run"]):
        assert home.run("setup", *options, status=1) == f"{error}move it away, then: awsdirenv setup\n"
    assert not (home.path / OTHERS[0]).exists()
    assert home.run("setup", "--uninstall", status=1) == f"{error}remove it by hand if you do not need it\n"
    assert home.extension.read_text(encoding="utf-8") == "# somebody else's\n"


def test_an_unwritable_place_is_one_error(home: Home) -> None:
    """Where direnv's folder cannot be made, one error and one hint say so."""
    shutil.rmtree(home.path / ".config")
    (home.path / ".config").write_text("a file", encoding="utf-8")
    said = home.run("setup", status=1)
    assert said.splitlines() == [
        f"awsdirenv: error: cannot read {home.extension}: Not a directory",
        f"awsdirenv: hint: move {home.extension} away, or make it readable",
    ]


@pytest.mark.parametrize(("variable", "below"), [("DIRENV_CONFIG", "lib"), ("XDG_CONFIG_HOME", "direnv/lib")])
def test_setup_goes_where_direnv_looks(home: Home, variable: str, below: str) -> None:
    """The extension goes where direnv's own variables point, and real direnv then has `use aws_profile`."""
    place = home.path / "else where"
    home.env[variable] = str(place)
    home.with_hook().run("setup")
    assert list(tree(place)) == [f"{below}/awsdirenv.sh"]
    assert not home.extension.exists()
    (home.project / ".envrc").write_text("type -t use_aws_profile >&2\n", encoding="utf-8")
    for command in ("allow", "export json"):
        done = subprocess.run(
            ["direnv", *command.split()], env=home.env, cwd=home.project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "function" in done.stderr.splitlines()


def test_setup_warns_without_direnv(home: Home) -> None:
    """Where there is no direnv on the PATH, setup installs all the same and says how to get it."""
    home.with_hook()
    said = home.run("setup", PATH=str(BIN))
    assert said.splitlines()[7:9] == [
        "awsdirenv: warning: direnv is not installed",
        "awsdirenv: hint: apt-get install direnv, brew install direnv, or see its documentation",
    ]
    assert said.splitlines()[-3:] == [
        "  next:",
        "    1. install direnv",
        "    2. in a project: awsdirenv init PROFILE",
    ]
    assert home.extension.exists()


@pytest.mark.parametrize("shell", HOOKS)
@pytest.mark.parametrize("text", [None, "", "# {line}\n", "alias d=direnv # hook\n", "echo direnv; echo hook\n"])
def test_setup_prints_a_missing_hook_line(home: Home, shell: str, text: str | None) -> None:
    """A shell whose rc file lacks direnv's hook, or has it in a comment only, gets the line to add, and no edit."""
    name, line = HOOKS[shell]
    if text is not None:
        home.rc(shell, text.format(line=line))
    before = tree(home.path)
    said = home.run("setup", SHELL=f"/usr/bin/{shell}")
    ours = shlex.quote(f"{home.path}/.local/share/awsdirenv/hook.{shell}")
    assert said.splitlines()[7:10] == [
        "  next:",
        f"    1. add to {home.path / name}: {line}",
        f"    2. add below that: source {ours}",
    ]
    assert before.items() <= tree(home.path).items()


@pytest.mark.parametrize("shell", HOOKS)
@pytest.mark.parametrize("there", ["nothing", "direnv's hook", "our hook"])
def test_the_steps_that_setup_names_lead_to_the_end(home: Home, shell: str, there: str) -> None:
    """Whoever does each in its order has direnv's hook above ours, and completion; nothing but `init` is left then."""
    home.env["SHELL"] = f"/usr/bin/{shell}"
    rc = home.path / HOOKS[shell][0]
    of_direnv, ours = HOOKS[shell][1], f". ~/.local/share/awsdirenv/hook.{shell}"
    home.rc(shell, {"nothing": "", "direnv's hook": f"{of_direnv}\n", "our hook": f"{ours}\n"}[there])
    said = home.run("setup")
    assert follow_steps(said, rc) == ["start a new shell", "in a project: awsdirenv init PROFILE"]
    added = rc.read_text(encoding="utf-8")
    assert added.index("direnv hook") < added.index("awsdirenv/hook.")
    assert ("completion" in added or "compinit" in added) == (shell != "fish")
    assert home.run("setup").endswith(NEXT)


@pytest.mark.parametrize("shell", HOOKS)
def test_what_is_called_by_its_path_becomes_a_command(home: Home, shell: str) -> None:
    """Where PATH has no awsdirenv, as with pip in a virtual environment, a step puts it there: hints name it bare."""
    program = home.path / "my bin" / "awsdirenv"
    program.parent.mkdir()
    program.symlink_to(BIN / "awsdirenv")
    others = [folder for folder in os.environ["PATH"].split(":") if not Path(folder, "awsdirenv").exists()]
    home.env |= {"PATH": ":".join(others), "SHELL": f"/bin/{shell}"}
    done = subprocess.run([program, "setup"], env=home.env, capture_output=True, text=True, check=True)
    follow_steps(done.stderr, home.path / HOOKS[shell][0])
    words = [shell, "-i", "-c", "awsdirenv --version"]
    told = subprocess.run(words, env=home.env, capture_output=True, text=True, check=False).stdout
    assert told == f"awsdirenv {__version__}\n"


@pytest.mark.parametrize(("line", "step"), [("", ", then run awsdirenv setup again"), (". bash_completion", "")])
def test_setup_says_that_bash_completion_is_missing(home: Home, line: str, step: str) -> None:
    """Without bash-completion it is to be installed; its file must also be read, which Debian's own .bashrc does."""
    home.with_hook().completion.unlink()
    home.rc("bash", f"{HOOKS['bash'][1]}\n. ~/.local/share/awsdirenv/hook.bash\n{line}\n")
    lacking = not any(map(os.path.exists, ("/usr/share/bash-completion/bash_completion", "/etc/bash_completion")))
    assert (f"  1. for completion, install bash-completion{step}\n" in home.run("setup")) == lacking


def test_an_old_fish_is_told_where_completions_are(home: Home, tmp_path: Path) -> None:
    """Fish before 3.5 does not look into the folder; with the line that is named, real fish completes."""
    program = tmp_path / "fish"
    program.write_text("#!/bin/sh\necho 'fish, version 3.3.1'\n", encoding="utf-8")
    program.chmod(0o755)
    home.rc("fish", f"{HOOKS['fish'][1]}\nsource ~/.local/share/awsdirenv/hook.fish\n")
    home.env["SHELL"] = "/bin/fish"
    path = f"{tmp_path}:{home.env['PATH']}"
    assert home.run("setup").endswith(NEXT)
    (step,) = re.findall(r"^    1\. for completion, (.*)$", home.run("setup", PATH=path), re.MULTILINE)
    place, _, line = step.partition(": ")
    assert place == f"add to {home.path}/.config/fish/config.fish"
    code = f"set fish_complete_path /usr/share/fish/completions; {line}; complete -C 'awsdirenv stat'"
    done = subprocess.run(["fish", "-c", code], env=home.env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("status\t")
    assert done.stderr == ""
    home.rc("fish", f"{HOOKS['fish'][1]}\nsource ~/.local/share/awsdirenv/hook.fish\n{line}\n")
    assert home.run("setup", PATH=path).endswith(NEXT)


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--uninstall",)])
def test_setup_warns_of_an_installation_in_a_cache(home: Home, options: tuple[str, ...]) -> None:
    """What `uvx` and `pipx run` start is in a cache: the extension would name a Python that is soon gone."""
    home.with_hook()
    cache = Path(sys.prefix).parent
    home.env["UV_CACHE_DIR"] = str(cache)
    said = home.run("setup", *options)
    message = f"awsdirenv: warning: this awsdirenv is in {cache}, and is lost when that cache is emptied\n"
    assert (message in said) == (options != ("--uninstall",))
    del home.env["UV_CACHE_DIR"]
    assert "is lost" not in home.run("setup")


def test_a_dry_run_shows_and_changes_nothing(home: Home) -> None:
    """It shows a diff for each file, in the place of writing it, and says which are up to date."""
    home.with_hook()
    before = tree(home.path)
    said = home.run("setup", "--dry-run")
    assert tree(home.path) == before
    assert re.findall(r"^\+\+\+ (.*)$", said, re.MULTILINE) == [
        str(path) for path in (home.extension, *(home.path / name for name in OTHERS))
    ]
    home.run("setup")
    after = tree(home.path)
    assert home.run("setup", "--dry-run") == f"  {home.extension} is up to date\n{home.others('  {} is up to date')}"
    text = home.extension.read_text(encoding="utf-8")
    home.extension.write_text(text + "# older\n", encoding="utf-8")
    assert f"--- {home.extension}\n+++ {home.extension}\n" in home.run("setup", "--dry-run")
    assert "\n-# older\n" in home.run("setup", "--dry-run")
    home.extension.write_text(text, encoding="utf-8")
    assert tree(home.path) == after
    assert "not allowed with argument" in home.run("setup", "--dry-run", "--uninstall", status=2)


@pytest.mark.parametrize("shell", HOOKS)
@pytest.mark.parametrize(
    "text", ["{line}", "if true; then\n  {line}\nfi\n", 'eval "$(/usr/bin/direnv hook {shell})"\n', "\udcfc\n{line}\n"]
)
def test_setup_finds_the_hook_line(home: Home, shell: str, text: str) -> None:
    """A hook line is found as it is commonly written: indented, with a path, in a file that is not UTF-8."""
    home.rc(shell, text.format(line=HOOKS[shell][1], shell=shell).encode("utf-8", "surrogateescape"))
    assert home.run("setup", SHELL=f"/usr/bin/{shell}").splitlines()[7:9] == [
        "  next:",
        f"    1. add to {home.path / HOOKS[shell][0]}, below the hook of direnv: source "
        + shlex.quote(f"{home.path}/.local/share/awsdirenv/hook.{shell}"),
    ]


@pytest.mark.parametrize(
    ("shell", "variable", "name"), [("zsh", "ZDOTDIR", ".zshrc"), ("fish", "XDG_CONFIG_HOME", "fish/config.fish")]
)
def test_setup_looks_where_the_shell_looks(home: Home, shell: str, variable: str, name: str) -> None:
    """The rc file of zsh and fish is looked for where their own variables say that it is."""
    rc = home.path / "else" / name
    rc.parent.mkdir(parents=True)
    home.env |= {variable: str(home.path / "else"), "SHELL": f"/bin/{shell}"}
    assert f"1. add to {rc}: {HOOKS[shell][1]}\n" in home.run("setup")
    rc.write_text(HOOKS[shell][1], encoding="utf-8")
    assert f"1. add to {rc}, below the hook of direnv: source " in home.run("setup")


def test_setup_says_when_it_did_not_look(home: Home) -> None:
    """For a shell that we do not know, or none, every hook line is given."""
    for shell, named in (("/bin/dash", "dash"), ("", "not set")):
        said = home.run("setup", SHELL=shell)
        assert f"awsdirenv: warning: SHELL is {named}, so direnv's hook was not looked for\n" in said
        assert all(f"{home.path / rc}: {line}" in said for rc, line in HOOKS.values())


def test_the_installed_extension_is_sound(home: Home) -> None:
    """`bash -n` and ShellCheck have nothing to say about the extension with this installation's paths in it."""
    home.with_hook().run("setup")
    for command in (["bash", "-n"], ["shellcheck", "-s", "bash"]):
        done = subprocess.run([*command, home.extension], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_init_writes_shows_and_allows(world: World) -> None:
    """In a folder without `.envrc`, init writes and shows it, allows it, and cd is then all it takes."""
    world.role("adminrole", mfa=False)
    folder = world.root / "project"
    folder.mkdir()
    done = world.run("awsdirenv", "init", "adminrole", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"+ {folder}/.envrc\n  +use aws_profile adminrole\n  direnv allow\n"
    assert (folder / ".envrc").read_text(encoding="utf-8") == "use aws_profile adminrole\n"
    changes, said = world.enter(folder)
    assert changes["AWSDIRENV_PROFILE"] == "adminrole"
    assert "awsdirenv: adminrole: account 123456789012, role adminrole" in said


def test_init_quotes_the_name(world: World) -> None:
    """A name that a shell would take apart or run is quoted, and reaches AWS unharmed through real direnv."""
    names = ["two words", "it's", 'a"b', "$(touch pwned)", "`touch pwned`", "ünï", "-dash", "a;b", "*"]
    arn = world.sts.add_role("hostile")
    for name in names:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        world.profile(f'"{quoted}"', role_arn=arn, source_profile="base", region=REGION)
    for number, name in enumerate(names):
        folder = world.root / f"project{number}"
        folder.mkdir()
        done = world.run("awsdirenv", "init", "--", name, cwd=folder)
        assert done.returncode == 0, name
        assert "warning" not in done.stderr, name
        if number % 4:  # the others are cold
            world.hold(name)
        changes, said = world.enter(folder)
        assert changes.get("AWSDIRENV_PROFILE") == name, said
        assert os.listdir(folder) == [".envrc"], name


def test_init_refuses_windows_lines(world: World) -> None:
    """An .envrc with CR LF is left as it is, and the hint's command makes it one that init takes."""
    world.role("adminrole", mfa=False)
    folder = world.root / "it's there"
    folder.mkdir()
    (folder / ".envrc").write_bytes(b"export A=1\r\n")
    done = world.run("awsdirenv", "init", "adminrole", cwd=folder)
    message, hint = done.stderr.splitlines()
    assert message == f"awsdirenv: error: the lines of {folder}/.envrc end as on Windows, with CR LF"
    assert (folder / ".envrc").read_bytes() == b"export A=1\r\n"
    world.run("bash", "-c", hint.removeprefix("awsdirenv: hint: ")).check_returncode()
    world.run("awsdirenv", "init", "adminrole", cwd=folder).check_returncode()
    assert (folder / ".envrc").read_bytes() == b"export A=1\nuse aws_profile adminrole\n"
    assert world.enter(folder)[0]["AWSDIRENV_PROFILE"] == "adminrole"


def test_init_keeps_what_is_there(home: Home) -> None:
    """An `.envrc` keeps its content, its bytes that are not UTF-8, and its mode; only our line comes behind."""
    envrc = home.project / ".envrc"
    for before, expected in (
        (b"# J\xfcrgen\nlayout python", b"# J\xfcrgen\nlayout python\n"),
        (b"", b""),
        (b"\n\n", b"\n\n"),
    ):
        envrc.write_bytes(before)
        envrc.chmod(0o600)
        home.run("init", "adminrole")
        assert envrc.read_bytes() == expected + b"use aws_profile adminrole\n"
        assert stat.S_IMODE(envrc.stat().st_mode) == 0o600


def test_init_shows_the_whole_file(home: Home) -> None:
    """What was there is shown unmarked, and the new line with a plus."""
    (home.project / ".envrc").write_text("layout python\nexport A=1\n", encoding="utf-8")
    said = home.run("init", "adminrole")
    shown = "   layout python\n   export A=1\n  +use aws_profile adminrole\n  direnv allow\n"
    assert said.startswith(f"~ {home.project}/.envrc\n{shown}")


@pytest.mark.parametrize(
    "line",
    [
        "use aws_profile adminrole",
        "  use aws_profile 'adminrole'   # the usual one",
        'use aws_profile --region eu-west-1 "adminrole" --confirm',
        "use aws_profile --live adminrole",
        "use aws_profile -- adminrole",
        "use_aws_profile adminrole",
        "has ls && use aws_profile adminrole",
        "if has ls; then use aws_profile adminrole; fi",
    ],
)
def test_init_can_be_repeated(home: Home, line: str) -> None:
    """Where the profile is used already, however it is written and whatever options it has, nothing is written."""
    envrc = home.project / ".envrc"
    envrc.write_text(f"layout python\n{line}\n", encoding="utf-8")
    for _ in range(2):
        said = home.run("init", "adminrole")
        assert said.startswith(f"  {envrc} already has: {line.strip()}\n  direnv allow\n")
    assert envrc.read_text(encoding="utf-8") == f"layout python\n{line}\n"


@pytest.mark.parametrize(
    "line", ["use aws_profile other", "use aws_profile", 'use aws_profile "open', "use aws_profile $X"]
)
def test_init_does_not_touch_another_profile(home: Home, line: str) -> None:
    """An `.envrc` that uses another profile is an error that names its line and the one to write."""
    envrc = home.project / ".envrc"
    envrc.write_text(f"{line}\n", encoding="utf-8")
    assert home.run("init", "adminrole", status=1).splitlines() == [
        f"awsdirenv: error: {envrc} already says: {line}",
        f"awsdirenv: hint: change that line of {envrc} to: use aws_profile adminrole",
    ]
    assert envrc.read_text(encoding="utf-8") == f"{line}\n"


@pytest.mark.parametrize(
    "line",
    [
        "# use aws_profile other",
        ": '\nuse aws_profile other\n'",
        "use aws_profile_x other",
        "echo use aws_profile other",
    ],
)
def test_init_is_not_taken_in(home: Home, line: str) -> None:
    """A comment, another function and a mere mention are no use of a profile."""
    (home.project / ".envrc").write_text(f"{line}\n", encoding="utf-8")
    home.run("init", "adminrole")
    assert (home.project / ".envrc").read_text(encoding="utf-8") == f"{line}\nuse aws_profile adminrole\n"


def test_init_without_a_profile(home: Home) -> None:
    """Without a name the line has none either, which leaves the choice to `.env` and AWS_PROFILE."""
    home.run("init")
    assert (home.project / ".envrc").read_text(encoding="utf-8") == "use aws_profile\n"


def test_init_really_allows(home: Home) -> None:
    """After init real direnv has nothing to ask; before, it blocks the very same file."""
    (home.project / ".envrc").write_text("use aws_profile adminrole\n", encoding="utf-8")

    def is_allowed() -> bool:
        done = subprocess.run(
            ["direnv", "export", "json"], env=home.env, cwd=home.project, capture_output=True, text=True, check=False
        )
        return "is blocked" not in done.stderr

    assert not is_allowed()
    home.run("init", "adminrole")
    assert is_allowed()


def test_init_without_direnv_says_so(home: Home) -> None:
    """Without direnv the file is written, and one error and one hint say what is missing."""
    said = home.run("init", "adminrole", status=1, PATH=str(BIN))
    assert said.splitlines()[-2:] == [
        "awsdirenv: error: direnv is not installed",
        "awsdirenv: hint: install direnv, then: direnv allow",
    ]
    assert (home.project / ".envrc").exists()


def test_init_warns_of_what_is_missing(home: Home) -> None:
    """An extension that is not installed and a profile that does not exist are said at once, and are no failure."""
    said = home.run("init", "adminrole")
    aws = home.path / ".aws"
    assert said.splitlines()[3:] == [
        "awsdirenv: warning: the extension is not installed",
        "awsdirenv: hint: awsdirenv setup",
        f"awsdirenv: warning: no profile adminrole in {aws}/config or {aws}/credentials",
        f"awsdirenv: hint: add [profile adminrole] to {aws}/config",
    ]


@pytest.mark.parametrize(("name", "message"), [("", "the profile name is empty"), ("a\nb", "has control characters")])
def test_init_refuses_impossible_names(home: Home, name: str, message: str) -> None:
    """A name that can be no profile's is refused before anything is written."""
    said = home.run("init", name, status=2)
    assert message in said.splitlines()[0]
    assert os.listdir(home.project) == []


def test_init_refuses_what_is_no_file(tmp_path: Path) -> None:
    """An `.envrc` that is a folder is an error, and not a traceback."""
    (tmp_path / ".envrc").mkdir()
    with pytest.raises(SetupError, match="Is a directory"):
        init(tmp_path, "adminrole", print)


def test_the_line_is_one_bash_word() -> None:
    """Bash reads the written line as the function, the end of options where needed, and just the name."""
    for name in ("plain", "two words", 'it\'s "$(x)" `y` \\', "-x", "--", "#", "~", "ünï", "!"):
        code = f"use() {{ printf '%s\\n' \"$@\"; }}\n{line_of(shell_word(name))}\n"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        words = done.stdout.splitlines()
        assert words[0] == "aws_profile"
        assert words[-1] == name
        assert words[1:-1] == (["--"] if name.startswith("-") else [])


def test_the_extension_needs_no_path(world: World) -> None:
    """An `.envrc` that takes awsdirenv off the PATH still gets its credentials: the path is in the extension."""
    world.role("adminrole", mfa=False)
    tools = world.root / "tools"
    tools.mkdir()
    for tool in ("bash", "direnv", "stat", "stty"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    folder = world.project("p", f"export PATH='{tools}'\nuse aws_profile adminrole\n")
    changes, said = world.enter(folder)
    assert changes.get("AWSDIRENV_PROFILE") == "adminrole", said


def test_a_project_cannot_put_itself_in_our_place(world: World) -> None:
    """Modules of our names in the project, PYTHONPATH, PYTHONHOME and the like never become part of our process."""
    world.role("adminrole", mfa=False)
    folder = world.project("p", "export PYTHONPATH=$PWD PYTHONHOME=/nonexistent PYTHONSTARTUP=$PWD/profile.py\n"
                                "export PYTHONINSPECT=1\nuse aws_profile adminrole\n")  # fmt: skip
    (folder / "awsdirenv").mkdir()
    for name in ("awsdirenv/__init__.py", "filelock.py", "profile.py", "json.py", "botocore.py", "sitecustomize.py"):
        (folder / name).write_text(f"open({str(folder / 'pwned')!r}, 'w')\nraise SystemExit(7)\n", encoding="utf-8")
    changes, said = world.enter(folder)
    assert changes.get("AWSDIRENV_PROFILE") == "adminrole", said
    assert not (folder / "pwned").exists()


def test_a_lost_installation_is_named(world: World) -> None:
    """When the Python of the extension is gone, entering fails closed and names `awsdirenv setup`."""
    world.role("adminrole", mfa=False)
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    text = extension.read_text(encoding="utf-8")
    extension.write_text(text.replace(python_of(extension), "/gone/bin/python"), encoding="utf-8")
    changes, said = world.enter(world.project("p", "use aws_profile adminrole\nexport AFTER=1\n"))
    assert "awsdirenv: error: awsdirenv is not where this extension expects it\n" in said
    assert "awsdirenv: hint: awsdirenv setup\n" in said
    assert changes["AFTER"] == "1"
    assert "AWS_ACCESS_KEY_ID" not in changes
