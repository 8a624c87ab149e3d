"""Install the extension into direnv's lib folder, and say what to do next."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from awsdirenv.cli.output import say, warn

POSITION = 10
GROUP = "set up"
EXAMPLE = "awsdirenv setup"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options --uninstall and --dry-run."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--uninstall", action="store_true", help="remove it again")
    way.add_argument("--dry-run", action="store_true", help="show the changes as a diff, and make none")


def run(options: argparse.Namespace) -> int:
    """Install or remove the extension, the hooks and the completion scripts. Warn of other parts that are missing."""
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.cache.sessions import prepare
    from awsdirenv.cli.main import parser
    from awsdirenv.reports.doctor import report as checks
    from awsdirenv.reports.doctor.context import ERROR, DoctorContext
    from awsdirenv.shell import completion, extension

    others = [*extension.hook_files(os.environ), *completion.files(parser(), os.environ)]
    if options.dry_run:
        for file in (extension.extension_file(os.environ), *others):
            extension.show_changes(file, say)
        _warn_of_cache()
        return 0
    (extension.uninstall if options.uninstall else extension.install)(os.environ, say)
    for file in others:
        (extension.remove_file if options.uninstall else extension.install_file)(file, say)
    if options.uninstall:
        return 0
    prepare(CachePaths.from_environ(os.environ))
    machine = {name: checks.CHECKS[name] for name in checks.OF_THE_MACHINE}
    has_hook = True
    for finding in checks.examine(DoctorContext.here(os.environ, offline=True), say, machine):
        if finding.check != "hook" or not finding.path:
            warn(finding.message, finding.hint)
        elif finding.severity == ERROR:  # of the shell of SHELL, not of another one
            has_hook = False
    _warn_of_cache()
    _say_what_is_next(list(_steps(has_hook=has_hook)))
    return 0


def _warn_of_cache() -> None:
    from awsdirenv.shell import extension

    if cache := extension.cache_around(os.environ):
        warn(
            f"this awsdirenv is in {cache}, and is lost when that cache is emptied",
            "install it to stay (pipx install, uv tool install), then: awsdirenv setup",
        )


def _steps(*, has_hook: bool) -> Iterator[str]:
    """Yield what the user still has to do in the shell of SHELL, in this order."""
    from awsdirenv.shell import extension, hooks

    shell = Path(os.environ.get("SHELL", "")).name
    rc = hooks.rc_file(shell, os.environ) if shell in hooks.SHELLS else None
    if not shutil.which("direnv"):
        yield "install direnv"
    path = _path_to_add(shell)
    if path:
        yield f"add to {rc}: {path}"
    ours = hooks.line_to_add(os.environ)
    if not has_hook:
        yield f"add to {rc}{'' if ours else ', above the line with awsdirenv'}: {extension.HOOKS[shell]}"
    if ours:
        yield f"{f'add to {rc}, below the hook of direnv' if has_hook else 'add below that'}: {ours}"
    lacking = hooks.lacking_for_completion(shell, os.environ)
    if lacking:
        yield f"for completion, {lacking}"
    if path or ours or lacking or not has_hook:
        yield "start a new shell"
    yield "in a project: awsdirenv init PROFILE"


def _path_to_add(shell: str) -> str | None:
    """Return the line for a start-up file that makes us a command, or None if we are one, or were not called by one."""
    from awsdirenv.shell import extension, hooks
    from awsdirenv.system.text import shell_word

    program = Path(os.path.abspath(sys.argv[0]))
    is_command = shutil.which("awsdirenv") or program.name != "awsdirenv"
    if is_command or shell not in hooks.SHELLS or extension.cache_around(os.environ):
        return None
    folder = shell_word(str(program.parent))
    return f"set -gx PATH $PATH {folder}" if shell == "fish" else f"export PATH=$PATH:{folder}"


def _say_what_is_next(steps: list[str]) -> None:
    if len(steps) == 1:
        say(f"  next, {steps[0]}")
        return
    say("  next:")
    for number, step in enumerate(steps, start=1):
        say(f"    {number}. {step}")
