"""Install the extension into direnv's lib folder."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.output import say, warn

POSITION = 10
GROUP = "set up"
EXAMPLE = "awsdirenv setup"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option --uninstall."""
    parser.add_argument("--uninstall", action="store_true", help="remove it again")


def run(options: argparse.Namespace) -> int:
    """Install or remove the extension, the hooks and the completion scripts. Warn of other parts that are missing."""
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.cache.sessions import prepare
    from awsdirenv.cli.main import parser
    from awsdirenv.reports.doctor import report as checks
    from awsdirenv.reports.doctor.context import INFO, DoctorContext
    from awsdirenv.shell import completion, extension, hooks

    others = [*extension.hook_files(os.environ), *completion.files(parser(), os.environ)]
    (extension.uninstall if options.uninstall else extension.install)(os.environ, say)
    for file in others:
        (extension.remove_file if options.uninstall else extension.install_file)(file, say)
    if options.uninstall:
        return 0
    prepare(CachePaths.from_environ(os.environ))
    machine = {name: checks.CHECKS[name] for name in checks.OF_THE_MACHINE}
    for finding in checks.examine(DoctorContext.here(os.environ, offline=True), say, machine):
        if (finding.severity, finding.check) != (INFO, "hook") or not finding.path:  # not of a shell beside SHELL
            warn(finding.message, finding.hint)
    line = hooks.line_to_add(os.environ)
    if line:
        say(f"  for a shell that has sat still, in its start-up file: {line}")
    say("  next, in a project: awsdirenv init PROFILE")
    return 0
