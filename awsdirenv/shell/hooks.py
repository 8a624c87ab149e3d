"""The start-up files of shells: our hooks for bash, zsh and fish, which they source, and what else is in them.

direnv looks at files only, and not at the time. When credentials are due, our hook makes direnv's list of watched files
stale, so that direnv evaluates again. In zsh and fish it does this also before a command that was typed after a pause.
The hook also prints the prompt segment. A start-up file sources it from a file, so that a new shell does not start
Python.

The user's start-up files are read as text, in the shell's order, with the files that they source by a plain name.
Nothing is run. A name that only the shell can work out (`$(…)`, most variables) is not followed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from awsdirenv.config.bash_text import without_documents, without_printed
from awsdirenv.records import Record
from awsdirenv.system.files import data_folder, data_home, extension_source, home, read_text
from awsdirenv.system.text import command_line, fish_quote, sh_quote

SHELLS = ("bash", "zsh", "fish")

_MOST_FILES = 60
_BASH_COMPLETION = (Path("/usr/share/bash-completion/bash_completion"), Path("/etc/bash_completion"))
# Homebrew on Apple silicon, and on Intel, where people have no HOMEBREW_PREFIX: its programs are in the PATH already.
_BREWS = (Path("/opt/homebrew"), Path("/usr/local"))
_BREWS_COMPLETION = "etc/profile.d/bash_completion.sh"
# What runs compinit: the line, or a framework of zsh's.
_COMPINIT = re.compile(r"\bcompinit\b|oh-my-zsh|prezto|\bzim\b|antidote|zinit|antigen|zplug")
_SOURCE = re.compile(
    r"""(?:^|[;&|{(]|\bthen\b|\bdo\b|\bbuiltin\b|\band\b)\s*(?:source|\\?\.)\s+
        (?P<name>"[^"]+"|'[^']+'|(?:\\.|[^\s;&|)}<>"'])+)""",
    re.VERBOSE,
)
# A line of the file in which fish keeps its variables, and an escape in its values.
_UNIVERSAL = re.compile(r"SETUVAR (?:\S+ )*?--export (?:\S+ )*?(\w+):(.*)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_BASH_LOGIN = (".bash_profile", ".bash_login", ".profile")
_SYSTEM = {
    "bash": ("/etc/profile", "/etc/bash.bashrc", "/etc/bashrc"),
    "zsh": ("/etc/zsh/zshenv", "/etc/zshenv", "/etc/zsh/zshrc", "/etc/zshrc"),
    "fish": ("/etc/fish/config.fish",),
}


def script(shell: str, environ: Mapping[str, str]) -> str:
    """Return the hook of `bash`, `zsh` or `fish`."""
    template = (Path(__file__).parent / "scripts" / "hooks" / f"awsdirenv.{shell}").read_text(encoding="utf-8")
    # fish gets the time from the age of a file. That file is the installed hook, which `setup` gives the mtime 0.
    epoch = fish_quote(str(installed(shell, environ)))
    completions = sh_quote(str(data_folder(environ) / "zsh"))
    values = {
        "STALE": _stale_watches(),
        "EPOCH": epoch,
        "COMPLETIONS": completions,
        "PRINTABLE": _printer_for_bash(),
    }
    return re.sub(rf"@({'|'.join(values)})@", lambda place: values[place[1]], template)


def installed(shell: str, environ: Mapping[str, str]) -> Path:
    """Return the place of the hook that `setup` installs."""
    return data_folder(environ) / f"hook.{shell}"


def line_to_add(environ: Mapping[str, str]) -> str | None:
    """Return the line to add to the user's start-up file. None: it is there, or the file is unknown."""
    shell = Path(environ.get("SHELL", "")).name
    if shell not in SHELLS or any(f"awsdirenv/hook.{shell}" in line.text for line in interactive(shell, environ)):
        return None
    return command_line("source", str(installed(shell, environ)))


def lacking_for_completion(shell: str, environ: Mapping[str, str]) -> str | None:
    """Return what to do so that the shell offers our commands and profiles. None: nothing, or the shell is unknown."""
    if shell not in SHELLS:
        return None
    rc = rc_file(shell, environ)
    # Our own hook, which these lines name, has the words in its comments.
    lines = [line.text for line in of_user(shell, environ) if line.path.name != installed(shell, environ).name]
    if shell == "zsh" and not any(map(_COMPINIT.search, lines)):
        return f"add to {rc}: autoload -Uz compinit && compinit"
    folder = data_home(environ) / "fish" / "vendor_completions.d"
    if shell == "fish" and not any(folder.name in line for line in lines) and _is_old_fish(environ):
        return f"add to {rc}: {command_line('set -a fish_complete_path', str(folder))}"
    if shell == "bash":
        places = [*_BASH_COMPLETION, *(brew / _BREWS_COMPLETION for brew in _brews(environ))]
        loader = next(filter(Path.exists, places), None)
        # Its own file is read as well, if a line names it.
        is_read = any(
            "bash_completion" in line for line in (*lines, *(line.text for line in of_system(shell, environ)))
        )
        if loader is None:
            return f"install bash-completion{'' if is_read else ', then run awsdirenv setup again'}"
        return None if is_read else f"add to {rc}: {command_line('source', str(loader))}"
    return None


def _brews(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders where Homebrew may be."""
    named = environ.get("HOMEBREW_PREFIX")
    return (Path(named),) if named else _BREWS


def _is_old_fish(environ: Mapping[str, str]) -> bool:
    """Return whether fish is there, and is older than 3.5: it does not look for completions in the home then."""
    # A hook that is printed, or read, starts nothing.
    from awsdirenv.system.subprocesses import output_of  # noqa: PLC0415

    version = re.search(r"(\d+)\.(\d+)", output_of(["fish", "--version"], 5, environ) or "")
    return version is not None and (int(version[1]), int(version[2])) < (3, 5)


def _stale_watches() -> str:
    """Return a valid DIRENV_WATCHES that is wrong on every machine: it says that the root folder is from 1970."""
    watches = json.dumps([{"path": "/", "modtime": 0, "exists": True}], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(watches.encode())).decode()


def _printer_for_bash() -> str:
    """Return the function of the extension that makes a text fit for a terminal. bash runs it with LC_ALL=C."""
    cold = extension_source().with_name("cold.sh").read_text(encoding="utf-8")
    return str(re.findall(r"^_awsdirenv_replace_unprintable\(\) \{\n.*?^\}", cold, re.MULTILINE | re.DOTALL)[0])


class Line(Record):
    """One line that is not a comment, with its place, without what it only prints."""

    path: Path
    number: int
    text: str

    @property
    def place(self) -> str:
        """The place of the line, as `path:line`."""
        return f"{self.path}:{self.number}"


def rc_file(shell: str, environ: Mapping[str, str]) -> Path:
    """Return the path of the start-up file that an interactive `bash`, `zsh` or `fish` reads.

    The terminals of macOS start login shells. Such a bash reads only the first of its files that is there.
    """
    if shell == "fish":
        return Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config") / "fish" / "config.fish"
    if shell == "zsh":
        return Path(environ.get("ZDOTDIR") or home(environ)) / ".zshrc"
    if sys.platform != "darwin":
        return home(environ) / ".bashrc"
    login = [home(environ) / name for name in _BASH_LOGIN]
    return next(filter(os.path.exists, login), login[0])


def interactive(shell: str, environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of the user's files that an interactive `bash`, `zsh` or `fish` reads, in the shell's order."""
    main = rc_file(shell, environ)
    if shell == "fish":
        return follow([*sorted((main.parent / "conf.d").glob("*.fish")), main], environ)
    if shell == "zsh":
        return follow([main.with_name(name) for name in (".zshenv", ".zprofile", ".zshrc", ".zlogin")], environ)
    return follow([main], environ)


def of_user(shell: str, environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of the user's files that `bash`, `zsh` or `fish` reads: an interactive one, or a login shell."""
    login = _BASH_LOGIN if shell == "bash" else ()
    return [*interactive(shell, environ), *follow([home(environ) / name for name in login], environ)]


def of_system(shell: str, environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of the system's start-up files, which come from the administrator or from packages."""
    paths = [Path(name) for name in _SYSTEM[shell]]
    if shell == "fish":
        brews = _brews(environ)
        shares = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
        shares += [f"{brew}/share" for brew in brews]
        folders = [Path("/etc/fish/conf.d"), *(brew / "etc/fish/conf.d" for brew in brews)]
        folders += [Path(share) / "fish" / "vendor_conf.d" for share in shares]
        paths += [brew / "etc/fish/config.fish" for brew in brews]
        paths += [path for folder in dict.fromkeys(folders) for path in sorted(folder.glob("*.fish"))]
    return follow(paths, environ)


def everything(environ: Mapping[str, str]) -> list[Line]:
    """Return all lines of all the user's files that set variables for shells and sessions, for every shell."""
    here = home(environ)
    config = Path(environ.get("XDG_CONFIG_HOME") or here / ".config")
    names = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".xprofile", ".pam_environment")
    fish = rc_file("fish", environ)
    paths = [here / name for name in names]
    paths += [rc_file("zsh", environ).with_name(name) for name in (".zshenv", ".zprofile", ".zshrc", ".zlogin")]
    paths += [*sorted((fish.parent / "conf.d").glob("*.fish")), fish]
    paths += sorted((config / "environment.d").glob("*.conf"))
    return follow(paths, environ)


def follow(paths: list[Path], environ: Mapping[str, str]) -> list[Line]:
    """Return the lines of files. A sourced file's lines follow the line that names it. Unreadable files have none."""
    return list(_lines(paths, environ, set()))


def _lines(paths: list[Path], environ: Mapping[str, str], visited: set[str]) -> Iterator[Line]:
    for path in paths:
        real = os.path.realpath(path)
        if real in visited or len(visited) >= _MOST_FILES:
            continue
        visited.add(real)
        script = read_text(path) or ""
        script = script if path.suffix == ".fish" else without_documents(script)
        for number, whole in enumerate(script.splitlines(), start=1):
            text = without_printed(whole)
            if text.lstrip().startswith("#") or (whole and not text):
                continue
            yield Line(path, number, text)
            named = [_named(source_word["name"], environ) for source_word in _SOURCE.finditer(text)]
            yield from _lines([path for path in named if path], environ, visited)


def _named(word: str, environ: Mapping[str, str]) -> Path | None:
    """Return the path that a word of a shell names, or None if only the shell can work it out."""
    text = word if word[0] == "'" else re.sub(r"\\(.)", r"\1", word)
    is_quoted, text = text[0] in "\"'", text.strip("\"'")
    folder = str(home(environ))
    if text.startswith("~/") and not is_quoted:
        text = folder + text[1:]
    if word[0] != "'":
        known = {"HOME": folder, **{name: environ[name] for name in ("ZDOTDIR", "XDG_CONFIG_HOME") if name in environ}}
        text = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: known.get(m[1] or m[2], m[0]), text)
    return Path(text) if text.startswith("/") and not re.search(r"[$`*?<(]", text) else None


def fish_universals(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Line]]:
    """Yield fish's exported universal variables: the name, the value, and the line in fish's file."""
    for line in follow([rc_file("fish", environ).with_name("fish_variables")], environ):
        if variable := _UNIVERSAL.match(line.text):
            yield variable[1], _ESCAPE.sub(_unescaped, variable[2]), line


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    return chr(int(code, 16)) if code and int(code, 16) < 0x110000 else escape[4] or ""
