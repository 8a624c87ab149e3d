"""Renew a profile's credentials in the background while directories use it; the extension starts this."""

from __future__ import annotations

import argparse
import os

from awsdirenv.cli.parser import add_duration, add_profile

POSITION = 150


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Start a background process that renews the credentials, unless there is one."""
    from awsdirenv.cache.layout import CachePaths, snapshot_key
    from awsdirenv.cache.sessions import prepare
    from awsdirenv.config.settings import declared_profile
    from awsdirenv.refresh import timer
    from awsdirenv.shell.extension import own_command
    from awsdirenv.system.direnv import working_directory
    from awsdirenv.system.lock import Locks

    directory = working_directory(os.environ)
    name = declared_profile(options.profile, directory, os.environ).name
    key = snapshot_key(name, os.environ, options.duration)
    paths = CachePaths.from_environ(os.environ)
    options_for_load = [f"--duration={options.duration}"] if options.duration else []
    if timer.detach():
        prepare(paths)
        locks = Locks(paths.locks, 0, lambda *_: None)
        with locks.hold_unless(f"timer-{key}", lambda: True) as is_running:  # only one for each profile
            if not is_running:
                timer.Timer(
                    paths, key, [*own_command(), "load", "--envrc", *options_for_load, "--", name], directory
                ).run()
    return 0
