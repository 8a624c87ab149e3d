"""Write `use aws_profile PROFILE` into the .envrc of this folder, and allow it.

With --migrate: replace what gives AWS credentials in existing .envrc files.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from awsdirenv.cli.output import report, say, warn
from awsdirenv.cli.parser import add_profile
from awsdirenv.errors import AwsdirenvError, MigrationError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awsdirenv.reports.migration import Plan

POSITION = 20
GROUP = "set up"
EXAMPLE = "awsdirenv init adminrole; awsdirenv init --migrate ~/work --recursive"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the profile, and the options for existing files."""
    add_profile(parser, "without it, the line names no profile: each user's .env or AWS_PROFILE decides")
    parser.add_argument(
        "--migrate",
        metavar="DIR",
        nargs="*",
        type=Path,
        help="show how the .envrc of each DIR (default: here) can use awsdirenv instead of AWS_PROFILE or another tool",
    )
    parser.add_argument("--recursive", action="store_true", help="with --migrate: also the folders below each DIR")
    parser.add_argument("--write", action="store_true", help="with --migrate: write what is shown")


def run(options: argparse.Namespace) -> int:
    """Write the line, run `direnv allow`, and warn of errors that a load would end with; or migrate files."""
    if options.migrate is not None:
        # In `--migrate --recursive DIR`, argparse takes DIR for the profile.
        folders = [*options.migrate, *([Path(options.profile)] if options.profile is not None else [])]
        return _migrate(folders, is_recursive=options.recursive, is_writing=options.write)
    if options.write or options.recursive:
        raise UsageError("--write and --recursive are for --migrate", "awsdirenv init --help")
    from awsdirenv.cache import drafts
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.config.aws_files import load_files
    from awsdirenv.config.resolve import resolve_chain
    from awsdirenv.config.settings import declared_profile
    from awsdirenv.shell import extension
    from awsdirenv.system.direnv import working_directory
    from awsdirenv.system.files import encode_name

    directory = working_directory(os.environ)
    if options.profile is not None:
        encode_name(options.profile)
    name = declared_profile(options.profile, directory, os.environ).name
    with drafts.noted(CachePaths.from_environ(os.environ), directory / ".envrc"):
        extension.init(directory, options.profile, say)
    extension.direnv_allow(directory, os.environ)
    say("  direnv allow")
    if not extension.extension_path(os.environ).exists():
        warn("the extension is not installed", "awsdirenv setup")
    try:
        resolve_chain(load_files(os.environ), name, os.environ)
    except AwsdirenvError as error:
        warn(error.message, error.hint)
    return 0


def _migrate(directories: Sequence[Path], *, is_recursive: bool, is_writing: bool) -> int:
    """Show, and if wanted write, what each `.envrc` becomes. The status is 1 if one of them could not be moved."""
    from awsdirenv.config.environment import BLOCK
    from awsdirenv.reports import migration
    from awsdirenv.shell import extension
    from awsdirenv.system.direnv import without_ours, working_directory

    here = working_directory(os.environ)
    folders = [Path(os.path.normpath(here / directory)) for directory in directories or [Path()]]
    found = {folder: list(migration.find([folder], is_recursive=is_recursive)) for folder in folders}
    envrcs = list(dict.fromkeys(itertools.chain(*found.values())))
    if not envrcs:
        raise MigrationError(f"no .envrc in {folders[0]}", "name folders that have one, or add --recursive")
    environ = without_ours(os.environ, BLOCK)
    definitions = migration.own_definitions(environ)
    for folder in [folder for folder, below in found.items() if not below]:
        say(f"  {folder} has no .envrc")
    plans, refused = [], 0
    for envrc in envrcs:
        try:
            plan = migration.plan(envrc, environ, definitions)
        except AwsdirenvError as error:
            refused += 1
            say(f"! {envrc}")
            report(error)
            continue
        if plan is None:
            say(f"  {envrc} needs no change")
            continue
        plans.append(plan)
        _show(plan)
    if plans and not extension.extension_path(os.environ).exists():
        warn("the extension is not installed", "awsdirenv setup")
    if any(plan.unsets_profile for plan in plans):
        say("  note: AWS_PROFILE is no longer set; for programs that need it, add --live to the line")
    if plans and not is_writing:
        say("  nothing is written; to write this, add --write")
    return _write(plans, refused) if is_writing else min(refused, 1)


def _show(plan: Plan) -> None:
    from awsdirenv.reports import migration

    say(f"~ {plan.envrc}")
    for line in migration.diff(plan)[2:]:
        say(f"  {line}")
    for note in plan.notes:
        say(f"  note: {note}")


def _write(plans: Sequence[Plan], refused: int) -> int:
    """Write the files, and allow again those that were allowed."""
    from awsdirenv.cache import drafts
    from awsdirenv.cache.layout import CachePaths
    from awsdirenv.shell import extension

    allowed = {plan.envrc: extension.direnv_allows(plan.envrc.parent, os.environ) for plan in plans}
    paths = CachePaths.from_environ(os.environ)
    for plan in plans:
        try:
            with drafts.noted(paths, plan.envrc):
                extension.replace_envrc(plan.envrc, plan.before, plan.after)
            if allowed[plan.envrc]:
                extension.direnv_allow(plan.envrc.parent, os.environ)
        except AwsdirenvError as error:
            refused += 1
            say(f"! {plan.envrc}")
            report(error)
            continue
        note = "allowed, as before" if allowed[plan.envrc] else "not allowed, as before"
        say(f"  {plan.envrc} is written; {note}")
    return min(refused, 1)
