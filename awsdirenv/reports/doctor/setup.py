"""Checks of `doctor` on what `setup` needs and installs: direnv, its hook and settings, our extension and hooks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from awsdirenv import __version__
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.shell import extension as installation
from awsdirenv.shell import hooks, rc_files
from awsdirenv.shell.rc_files import Line
from awsdirenv.system.files import direnv_lib, home, read_text
from awsdirenv.system.subprocesses import StillRunningError, TooMuchOutputError, run
from awsdirenv.system.text import command_line

_TIMEOUT = 4.0  # seconds
_LEAST_DIRENV, _LEAST_BASH = (2, 32, 1), (4, 4)
# direnv 2.37.0 reports its version as 2.36.0 (direnv issues 1458 and 1463).
_SILENT_DIRENV = {(2, 36, 0), (2, 37, 0)}
_OWN = re.compile(r"^[ \t]*(?:function[ \t]+use_aws_profile\b|use_aws_profile[ \t]*\([ \t]*\))")
_HOOK = re.compile(r"\bdirenv[\"']?[ \t]+hook\b|\b_direnv_hook[ \t]*\(\)|\bfunction[ \t]+__direnv_export_eval\b")
_PLUGIN = re.compile(r"^[ \t]*(?:antigen|zinit|zplug|antidote|fisher|plugins=).*\bdirenv\b")
# An assignment that replaces one of these variables removes direnv's hook from it.
_TAKEN_OVER = {
    "bash": re.compile(r"^(?:export[ \t]+|declare[ \t]+\S+[ \t]+)?PROMPT_COMMAND=(?!.*\bPROMPT_COMMAND\b)"),
    "zsh": re.compile(r"^precmd_functions=(?!.*\bprecmd_functions\b)"),
}


def direnv(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv is installed and runs."""
    remedy = "apt-get install direnv, brew install direnv, or see its documentation"
    if _direnv(context) is None:
        yield Finding(ERROR, "direnv is not installed", remedy)
    elif _version(context) is None:
        yield Finding(ERROR, "direnv does not run", "try it by hand: direnv version", _direnv(context))


def direnv_version(context: DoctorContext) -> Iterator[Finding]:
    """Whether this version of direnv has a fault that is known."""
    version = _version(context)
    if version is None:
        return
    text = ".".join(map(str, version))
    if version < _LEAST_DIRENV:
        least = ".".join(map(str, _LEAST_DIRENV))
        yield Finding(WARNING, f"direnv {text} is older than {least}, the oldest that works for sure", "renew direnv")
    if version in _SILENT_DIRENV:
        message = f"direnv {text} says nothing where an .envrc is not allowed"
        yield Finding(WARNING, message, "renew direnv: 2.37.1 does again; until then: direnv status")


def direnv_settings(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv.toml can be read, and nothing in it is in our way."""
    if _version(context) is None:
        return
    toml = str(direnv_lib(context.outer).parent / "direnv.toml")
    status = _status(context)
    if status is None:
        yield Finding(ERROR, "direnv status fails", "mend what it complains of: direnv status", toml)
        return
    timeout = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", status.get("warn_timeout", ""))
    seconds = float(timeout[1]) / (1000 if timeout[2] == "ms" else 1) if timeout else 0
    if 0 < seconds < 5:
        message = f"direnv's warn_timeout of {timeout and timeout[0]} prints into the question for an MFA code"
        yield Finding(INFO, message, "set warn_timeout in direnv.toml to 5s, which is its default, or more", toml)


def bash(context: DoctorContext) -> Iterator[Finding]:
    """Whether the bash that direnv runs is there, and is 4.4 or later."""
    path = (_status(context) or {}).get("bash_path")
    if not path:
        return
    words = [path, "--norc", "--noprofile", "-c", 'echo "${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]}"']
    environ = {name: value for name, value in context.outer.items() if name != "BASH_ENV"}
    version = re.match(r"(\d+) (\d+)", _output(words, environ) or "")
    hint = "install a bash of 4.4 or later, and set bash_path to it in direnv.toml, under [global]"
    if not version:
        yield Finding(ERROR, "the bash that direnv is to run does not run", hint, path)
    elif (int(version[1]), int(version[2])) < _LEAST_BASH:
        yield Finding(ERROR, f"direnv runs bash {version[1]}.{version[2]}, which is too old", hint, path)


def direnv_hook(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv's hook is in the start-up files of your shell."""
    shell = _shell(context)
    if shell not in hooks.SHELLS:
        if "DIRENV_DIR" not in context.environ:
            message = f"SHELL is {shell or 'not set'}, so direnv's hook was not looked for"
            yield Finding(INFO, message, "see direnv's documentation for the line of this shell")
        return
    lines = rc_files.interactive(shell, context.environ)
    everywhere = [*lines, *rc_files.everything(context.environ), *rc_files.of_system(shell, context.environ)]
    # If direnv has loaded the directory of this shell, there is a hook somewhere.
    if not any(_hooks(line) for line in everywhere) and "DIRENV_DIR" not in context.environ:
        rc = installation.rc_file(shell, context.environ)
        yield Finding(ERROR, f"direnv's hook is not in {rc}", f"add to it: {installation.HOOKS[shell]}", str(rc))


def hook_order(context: DoctorContext) -> Iterator[Finding]:
    """Whether direnv's hook stands before ours, and nothing behind it takes it out again."""
    shell = _shell(context)
    if shell not in _TAKEN_OVER:  # in fish the order makes no difference
        return
    lines = rc_files.interactive(shell, context.environ)
    hooks = [number for number, line in enumerate(lines) if _hooks(line)]
    if not hooks:
        return
    ours = f"awsdirenv/hook.{shell}"
    for line in (line for line in lines[: hooks[0]] if ours in line.text):
        message = f"awsdirenv's hook comes before direnv's, at {lines[hooks[0]].place}: renewed credentials come late"
        yield Finding(WARNING, message, "move the line below direnv's", line.place)
    for line in (line for line in lines[hooks[-1] + 1 :] if _TAKEN_OVER[shell].search(line.text)):
        name = "PROMPT_COMMAND" if shell == "bash" else "precmd_functions"
        message = f"{name} is set anew behind direnv's hook, which takes the hook out"
        yield Finding(ERROR, message, "move direnv's line to the end of the file", line.place)


def extension(context: DoctorContext) -> Iterator[Finding]:
    """Whether the installed extension, and the installed hooks, are those of this awsdirenv."""
    target = installation.extension_path(context.environ)
    present = read_text(target)
    if present is None:
        yield Finding(ERROR, "the extension is not installed", "awsdirenv setup", str(target))
        return
    if installation.FIRST_WORDS not in present:
        message = "the file in the extension's place is not ours"
        yield Finding(ERROR, message, "move it away, then: awsdirenv setup", str(target))
        return
    if installation.is_whole(present):
        message = "the installed extension is that of an older release, in one file that every evaluation reads whole"
        yield Finding(WARNING, message, "awsdirenv setup", str(target))
    elif (part := installation.unreadable_part(present)) is not None:
        message = f"a part of the installed extension cannot be read: {part.name}"
        yield Finding(ERROR, message, "install awsdirenv again, then: awsdirenv setup", str(part))
    elif present != installation.extension_text():
        message = f"the installed extension is another version's or installation's than this awsdirenv {__version__}"
        yield Finding(WARNING, message, "awsdirenv setup", str(target))
    for shell in hooks.SHELLS:
        path = hooks.installed(shell, context.environ)
        if read_text(path) not in (None, hooks.script(shell, context.environ)):
            message = f"the installed hook for {shell} is not this awsdirenv's"
            yield Finding(WARNING, message, "awsdirenv setup", str(path))


def own_function(context: DoctorContext) -> Iterator[Finding]:
    """Whether a `use_aws_profile` of your own wins over ours."""
    folder = direnv_lib(context.outer)
    ours = installation.extension_path(context.outer).name
    # direnv reads lib/*.sh in the order of the locale, then one direnvrc, then the .envrc. The last function wins.
    paths = [path for path in sorted(folder.glob("*.sh")) if path.name.casefold() > ours]
    own = folder.parent / "direnvrc"
    paths += [own if own.is_file() else home(context.outer) / ".direnvrc"]
    paths += [context.envrc] if context.envrc else []
    for line in rc_files.follow(paths, context.outer):
        if _OWN.search(line.text) and line.path.name != ours:
            yield Finding(
                ERROR, "another use_aws_profile wins over awsdirenv's", "rename or remove the function", line.place
            )


def envrc_allowed(context: DoctorContext) -> Iterator[Finding]:
    """Whether the .envrc here is allowed."""
    status = _status(context) or {}
    path, allowed = status.get("Found RC path"), status.get("Found RC allowed")
    # direnv prints `true` for yes, and since 2.33 it prints 0.
    if path and allowed not in (None, "true", "0"):
        command = command_line("direnv allow", str(Path(path).parent))
        yield Finding(WARNING, "this .envrc is not allowed, so direnv does not load it", command, path)


def _hooks(line: Line) -> bool:
    return bool(_HOOK.search(line.text) or _PLUGIN.search(line.text))


def _shell(context: DoctorContext) -> str:
    return Path(context.environ.get("SHELL", "")).name


def _direnv(context: DoctorContext) -> str | None:
    return shutil.which("direnv", path=context.outer.get("PATH"))


def _version(context: DoctorContext) -> tuple[int, ...] | None:
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", _of_direnv(context, "version") or "")
    return tuple(map(int, version.groups())) if version else None


def _status(context: DoctorContext) -> dict[str, str] | None:
    """Return the lines of `direnv status` that we need, or None if it fails."""
    text = _of_direnv(context, "status")
    if text is None:
        return None
    names = ("Found RC path", "Found RC allowed", "bash_path", "warn_timeout")
    return {name: line[len(name) + 1 :] for line in text.splitlines() for name in names if line.startswith(f"{name} ")}


def _of_direnv(context: DoctorContext, command: str) -> str | None:
    if command not in context.told:
        context.told[command] = _output(["direnv", command], context.outer) if _direnv(context) else None
    return context.told[command]


def _output(words: list[str], environ: Mapping[str, str]) -> str | None:
    try:
        done = run(words, _TIMEOUT, catch_errors=True, environ=environ)
    except (OSError, StillRunningError, TooMuchOutputError):
        return None
    return done.output.decode("utf-8", "replace") if done.status == 0 else None
