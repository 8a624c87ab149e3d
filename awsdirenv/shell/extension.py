"""`setup` and `init`: they write outside our own cache. Both show what they write, and both can be repeated."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from awsdirenv.config.envrc import has_carriage_returns, line_of, uses
from awsdirenv.errors import MigrationError, SetupError
from awsdirenv.records import Record
from awsdirenv.shell import hooks
from awsdirenv.system import stamps
from awsdirenv.system.files import (
    direnv_lib,
    extension_source,
    make_folder,
    own_python,
    read_bytes,
    read_text,
    replace_file,
)
from awsdirenv.system.subprocesses import StillRunningError, TooMuchOutputError, output_of, run
from awsdirenv.system.text import command_line, shell_word, unix_lines_command

# The line of the extension that has the paths of the installation.
_INSTALLATION = re.compile(r"^  local _ad_installed=.*$", re.MULTILINE)
# The programs that may tell the state of files, by their paths: a PATH in `.envrc` is no matter then. GNU's is quicker
# than the others, and stands under another name where it is not the system's own.
_STAT_PROGRAMS = (
    *("/usr/bin/gnustat", "/usr/bin/stat", "/bin/stat", "/run/current-system/sw/bin/stat"),
    "/run/current-system/profile/bin/stat",
)
_EXTENSION_NAME = "awsdirenv.sh"
FIRST_WORDS = "# awsdirenv's extension of direnv's stdlib."
# The parts that the extension sources when it is used. The last line of the code of each says that it is whole.
_PARTS = ("bytes", "cold", "context", "keys", "leave", "live", "look", "mode", "names", "options", "text")
# These are scripts: they are sourced to run them.
_STEPS = ("enter", "find", "snapshot", "warm")
# What SDKs start in live directories, next to the parts.
_PROGRAM = "credential-process"
# The first words of the extension in older releases, which installed it as one file.
_FIRST_WORDS_OF_WHOLE = f"{FIRST_WORDS} `awsdirenv setup` installs it"

# `-I` keeps the project's PYTHON* variables and folders out of our process. We add the path of the installation at the
# end of sys.path, so that nothing in it can replace the standard library.
BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from awsdirenv.__main__ import main; main()"

# direnv's hook line for each shell, from direnv's documentation.
HOOKS = {
    "bash": 'eval "$(direnv hook bash)"',
    "zsh": 'eval "$(direnv hook zsh)"',
    "fish": "direnv hook fish | source",
}
_HOOK_WORDS = "# awsdirenv's hook for "


def extension_path(environ: Mapping[str, str]) -> Path:
    """Return the place of the installed extension."""
    return direnv_lib(environ) / _EXTENSION_NAME


def own_command() -> list[str]:
    """Return the command that runs this awsdirenv again, independent of PATH."""
    return [own_python(), "-I", "-c", BOOT, str(Path(__file__).resolve().parents[2])]


def serving_command(environ: Mapping[str, str]) -> list[str]:
    """Return the start of a command that prints stored credentials without Python; see its file. [] if there is none.

    Behind it stand what is asked of the session, and the command for all other cases.
    """
    bash, program = _bash(environ), stat_program()
    script = extension_source().resolve().with_name(f"{_PROGRAM}.sh")
    if not (bash and program and os.access(script, os.R_OK)):
        return []
    return [bash, "-p", str(script), program, *stamps.OPTIONS]


def _bash(environ: Mapping[str, str]) -> str | None:
    """Return a bash that can read the extension. The system's come first, because a project can change PATH."""
    folders = ("/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/run/current-system/sw/bin")
    paths = (f"{folder}/bash" for folder in (*folders, *environ.get("PATH", "").split(":")) if folder.startswith("/"))
    return next((path for path in dict.fromkeys(paths) if os.access(path, os.X_OK) and _can_read_us(path)), None)


def _can_read_us(bash: str) -> bool:
    version = "echo $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))"
    told = (output_of([bash, "-pc", version], 10, {}) or "").strip()
    return told.isdigit() and int(told) >= 404  # 4.4


def cache_around(environ: Mapping[str, str]) -> Path | None:
    """Return the cache folder that this installation is in, as that of `uvx` and `pipx run` is, or None."""
    caches = {environ.get(name) for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR")}
    above = Path(sys.prefix).parents
    return next((path for path in above if path.name in (".cache", "Caches") or str(path) in caches), None)


def extension_text() -> str:
    """Return the extension with this installation's absolute paths in it."""
    source, (python, *_, package), (_, option, text, _) = extension_source(), own_command(), stamps.OPTIONS
    values = {
        "installed": str(source.parent.resolve()),
        "python": python,
        "package": package,
        "stat_program": stat_program() or "",
        "stat_option": option,
        "stat_format": text,
    }
    line = "  local" + "".join(f" _ad_{name}={shlex.quote(value)}" for name, value in values.items())
    return _INSTALLATION.sub(lambda _: line, source.read_text(encoding="utf-8"))


def stat_program() -> str | None:
    """Return the program that prints the state of files just as `stamps.look` does, or None where there is none."""
    return next(filter(_tells_state, _STAT_PROGRAMS), None)


def has_stat(text: str) -> bool:
    """Return whether an installed extension has a program that tells the state of files, here and now."""
    return bool(program := _installed_value(text, "stat_program")) and _tells_state(program)


def _installed_value(text: str, name: str) -> str:
    """Return what an installed extension says about its installation, or nothing."""
    line = _INSTALLATION.search(text)
    words = dict(word.partition("=")[::2] for word in shlex.split(line[0])) if line else {}
    return words.get(f"_ad_{name}", "")


def _tells_state(program: str) -> bool:
    paths = [program, os.path.dirname(program), "/"]
    command, environ = [program, *stamps.OPTIONS, *paths], {"LC_ALL": "C", "TZ": "UTC0"}
    try:
        return run(command, 10, catch_errors=True, environ=environ).output == os.fsencode(stamps.look(paths))
    except (OSError, StillRunningError, TooMuchOutputError):
        return False


def is_whole(text: str) -> bool:
    """Return whether an installed extension is from an older release, where it was one file."""
    return _FIRST_WORDS_OF_WHOLE in text


def unreadable_part(text: str) -> Path | None:
    """Return the path of the first part of an installed extension that is missing or incomplete, or None."""
    folder = Path(_installed_value(text, "installed") or extension_source().parent)
    ends = {name: f"_ad_parts+=' {name} '" for name in _PARTS}
    ends |= {name: f"}} # {name}" for name in _STEPS} | {_PROGRAM: 'exec "$@"'}
    for name, end in ends.items():
        part = folder / f"{name}.sh"
        try:
            text = part.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return part
        if f"\n{end}\n" not in text:
            return part
    return None


def install(environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Write the extension into direnv's lib folder. Raises SetupError."""
    target = extension_path(environ)
    text = extension_text()
    present = _read_ours(target, "move it away, then: awsdirenv setup")
    if present == text:
        say(f"  {target} is up to date")
        return
    replaced = " (the whole extension of an older release is replaced)" if is_whole(present or "") else ""
    say(f"{'~' if present else '+'} {target}{replaced}")
    with contextlib.suppress(OSError):  # `_write` then raises the error
        make_folder(target.parent)
    _write(target, text, 0o644)


def extension_file(environ: Mapping[str, str]) -> InstalledFile:
    """Return the extension as `setup` installs it. Raises SetupError where `install` would for a file in its place."""
    target = extension_path(environ)
    _read_ours(target, "move it away, then: awsdirenv setup")
    return InstalledFile(target, extension_text(), FIRST_WORDS)


def show_changes(file: InstalledFile, say: Callable[[str], None]) -> None:
    """Show what `setup` would change in a file. Raises SetupError for one that cannot be read."""
    before = _read(file.path)
    if before is not None and file.words not in before:
        say(f"  {file.path} is not ours, and stays as it is")
        return
    if before == file.text:
        say(f"  {file.path} is up to date")
        return
    names = (str(file.path) if before is not None else "/dev/null", str(file.path))
    for line in difflib.unified_diff((before or "").splitlines(), file.text.splitlines(), *names, lineterm=""):
        say(line)


def uninstall(environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Remove the extension, and nothing else. Raises SetupError for a file that is not ours."""
    target = extension_path(environ)
    if _read_ours(target, "remove it by hand if you do not need it") is None:
        say(f"  {target} is not there")
        return
    say(f"- {target}")
    try:
        target.unlink()
    except OSError as error:
        raise SetupError(f"cannot remove {target}: {error.strerror}", f"make {target.parent} writable") from None


def init(directory: Path, profile: str | None, say: Callable[[str], None]) -> Path:
    """Add our line to `.envrc`, unless it is there, and show the whole file. Raises SetupError."""
    envrc = directory / ".envrc"
    line = line_of(shell_word(profile) if profile else "")
    present = _read(envrc)
    check_lines(envrc, (present or "").encode("utf-8", "surrogateescape"))
    present_uses = uses(present or "")
    for use in present_uses:
        if use.profile == (profile or ""):
            say(f"  {envrc} already has: {use.line}")
            return envrc
    if present_uses:
        raise SetupError(f"{envrc} already says: {present_uses[0].line}", f"change that line of {envrc} to: {line}")
    before = present or ""
    separator = "" if not before or before.endswith("\n") else "\n"
    after = f"{before}{separator}{line}\n"
    say(f"{'~' if present is not None else '+'} {envrc}")
    for shown in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1000):
        if not shown.startswith(("---", "+++", "@@")):
            say(f"  {shown}")
    mode = envrc.stat().st_mode & 0o777 if present is not None else 0o644
    _write(envrc, after, mode)
    return envrc


def check_lines(envrc: Path, data: bytes) -> None:
    """Raise SetupError for an `.envrc` whose lines end with CR LF."""
    if has_carriage_returns(data):
        raise SetupError(
            f"the lines of {envrc} end as on Windows, with CR LF", unix_lines_command(str(envrc), str(envrc.parent))
        )


def direnv_allows(directory: Path, environ: Mapping[str, str]) -> bool:
    """Return whether direnv would load the `.envrc` of a directory. False if it cannot be asked."""
    try:
        done = subprocess.run(
            ["direnv", "status"],
            env={**environ, "PWD": str(directory)},
            cwd=directory,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return False
    # direnv prints `true` for yes, and since 2.33 it prints 0.
    return re.search(r"^Found RC allowed (?:true|0)$", done.stdout, re.MULTILINE) is not None


def replace_envrc(envrc: Path, before: bytes, after: bytes) -> None:
    """Write a new `.envrc` in one step, with the mode of the old one. If it is a link, the link stays.

    Raises MigrationError if somebody has changed the file since it was read, or if it cannot be written.
    """
    present = read_bytes(envrc)
    if present == after:
        return  # another link to it
    if present != before:
        raise MigrationError(f"{envrc} has changed in the meantime", "look at it, then repeat the command")
    target = Path(os.path.realpath(envrc))
    try:
        replace_file(target, after, target.stat().st_mode & 0o7777)
    except OSError as error:
        raise MigrationError(f"cannot write {envrc}: {error.strerror}", f"make {target.parent} writable") from None


def direnv_allow(directory: Path, environ: Mapping[str, str]) -> None:
    """Run `direnv allow`. Raises SetupError."""
    try:
        done = subprocess.run(
            ["direnv", "allow", str(directory)], env=dict(environ), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise SetupError("direnv is not installed", "install direnv, then: direnv allow") from None
    if done.returncode != 0:
        raise SetupError(f"direnv allow failed with status {done.returncode}", "run it yourself: direnv allow")


def write_output(path: Path, text: str) -> None:
    """Write exported credentials in one step, with mode 0600. Raises SetupError."""
    _write(path, text, 0o600)


class InstalledFile(Record):
    """A file that `setup` installs. `words` are in the file in every release, so we know that it is ours.

    `mtime` is the modification time that it must have, in seconds since the epoch, or None.
    """

    path: Path
    text: str
    words: str
    mtime: int | None = None


def hook_files(environ: Mapping[str, str]) -> list[InstalledFile]:
    """Return our hooks as `setup` installs them."""
    # The mtime 0 is for fish; see `hooks.script`.
    return [
        InstalledFile(hooks.installed(shell, environ), hooks.script(shell, environ), _HOOK_WORDS, mtime=0)
        for shell in hooks.SHELLS
    ]


def install_file(file: InstalledFile, say: Callable[[str], None]) -> None:
    """Write the file and say so, unless it is up to date or not ours. Raises SetupError."""
    present = read_text(file.path)
    if present is not None and file.words not in present:
        say(f"  {file.path} is not ours, and stays as it is")
        return
    say(f"  {file.path} is up to date" if present == file.text else f"{'+' if present is None else '~'} {file.path}")
    try:
        if present != file.text:
            make_folder(file.path.parent)
            replace_file(Path(os.path.realpath(file.path)), file.text.encode(), 0o644)
        if file.mtime is not None:
            os.utime(file.path, (file.mtime, file.mtime))
    except OSError as error:
        raise SetupError(f"cannot write {file.path}: {error.strerror}", _make_writable(file.path)) from None


def remove_file(file: InstalledFile, say: Callable[[str], None]) -> None:
    """Remove the file if it is ours, and say so. Raises SetupError."""
    if file.words not in (read_text(file.path) or ""):
        return
    say(f"- {file.path}")
    try:
        file.path.unlink()
    except OSError as error:
        raise SetupError(f"cannot remove {file.path}: {error.strerror}", f"make {file.path.parent} writable") from None


def own_folders(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders of the files that `setup` installs, which may be links."""
    targets = [extension_path(environ), *(file.path for file in hook_files(environ))]
    return [*dict.fromkeys(Path(os.path.realpath(target)).parent for target in targets)]


def _read(path: Path) -> str | None:
    try:
        # Bytes that are not UTF-8, such as a comment in Latin-1, are kept as they are.
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}", f"move {path} away, or make it readable") from None


def _read_ours(path: Path, remedy: str) -> str | None:
    """Return the installed extension, or None if there is none. Raises SetupError for a file that is not ours."""
    present = _read(path)
    if present is not None and FIRST_WORDS not in present:
        raise SetupError(f"{path} is not ours", remedy)
    return present


def _write(path: Path, text: str, mode: int) -> None:
    if path.exists() and not path.is_file():  # root could replace /dev/null
        raise SetupError(f"cannot write {path}: not a regular file", "choose another one")
    target = Path(os.path.realpath(path))  # a dotfile may be a link into a repository, and the link must stay
    try:
        replace_file(target, text.encode("utf-8", "surrogateescape"), mode)
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}", _make_writable(path)) from None


def _make_writable(path: Path) -> str:
    """Return what lets us write a file of a folder that is read-only, or not there."""
    folder = path.parent
    return f"make {folder} writable" if folder.exists() else command_line("mkdir -p", str(folder))
