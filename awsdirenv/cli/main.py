"""The commands: what each does with its arguments. Only this module reads os.environ and decides exit codes."""

from __future__ import annotations

import argparse
import os
from contextlib import AbstractContextManager

from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cache.live_files import leave
from awsdirenv.cache.sessions import CancelMarks, prepare
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.cache.snapshots import text as snapshot_text
from awsdirenv.cli import live, look
from awsdirenv.cli.output import describe, emit, report, report_waiting, say, warn
from awsdirenv.cli.parser import parse
from awsdirenv.cli.parser import parser as _parser
from awsdirenv.config.environment import environment_region
from awsdirenv.config.settings import declared_profile
from awsdirenv.errors import AwsdirenvError, UsageError
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.mfa_codes import Wishes
from awsdirenv.refresh.pins import Conditions, admitted
from awsdirenv.refresh.request import Reporter, Request, loading, looking
from awsdirenv.system.direnv import working_directory
from awsdirenv.system.lock import Locks
from awsdirenv.system.paths import encode_name, home


def run(arguments: list[str]) -> int:
    """Run one command and give its exit status."""
    try:
        options = parse(parser(), arguments)
        if arguments[:1] != ["whoami"]:  # which tells what programs see in a live directory
            leave(os.environ)
        status: int = options.command(options)
    except AwsdirenvError as error:
        # SDKs show what we say in the middle of a message of their own.
        report(error, on_one_line=arguments[:1] == ["credential-process"])
        return error.exit_code
    except BrokenPipeError:
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    return _parser(
        {
            "setup": _setup,
            "init": _init,
            "login": _login,
            "load": _load,
            "export": _export,
            "exec": _exec,
            "credential-process": live.credential_process,
            "clear": _clear,
            "status": look.status,
            "list": look.listing,
            "explain": _explain,
            "doctor": look.doctor,
            "whoami": look.whoami,
            "console": look.console,
            "timer": _timer,
            "hook": _hook,
            "prompt": look.prompt,
            "completion": _completion,
            "demo": _demo,
        }
    )


def _load(options: argparse.Namespace) -> int:
    wishes = Wishes(duration=options.duration, min_life=options.min_life)
    request = Request(options.profile, options.envrc, wishes)
    conditions = Conditions(options.account, options.role, options.stage, options.confirm)
    if options.live:
        return live.load(request, conditions)
    with _loading(request) as loader:
        if options.no_session:
            emit(snapshot_text(admitted(loader, conditions, loader.long_term_keys)))
        else:
            admitted(loader, conditions, loader.load)
    return 0


def _login(options: argparse.Namespace) -> int:
    wishes = Wishes(
        token_code=options.token_code,
        force=options.force,
        duration=options.duration,
        sign_in=True,
        open_browser=not options.no_browser,
    )
    with _loading(Request(options.profile, wishes=wishes)) as loader:
        CancelMarks(loader.paths.marks).clear()
        made = loader.load()
    say(f"awsdirenv: {describe(made, _region(made))}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from awsdirenv.refresh import export  # noqa: PLC0415

    with _loading(Request(options.profile, wishes=Wishes(duration=options.duration))) as loader:
        made = loader.long_term_keys() if options.no_session else loader.load()
    region = _region(made)
    if options.output is None:
        emit(export.render(options.format, made, region))
    elif options.format == "dotenv":
        from awsdirenv.config import dotenv  # noqa: PLC0415

        values = export.variables(made, region)
        dotenv.update(options.output, values, export.stale_names(values))
    else:
        from awsdirenv.shell import extension  # noqa: PLC0415

        extension.write_output(options.output, export.render(options.format, made, region))
    if options.output is not None:
        say(f"awsdirenv: wrote {options.output}: {describe(made, region)}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    from awsdirenv.refresh import export  # noqa: PLC0415

    wishes = Wishes(duration=options.duration, min_life=options.min_life, insist=True)
    with _loading(Request(options.profile, wishes=wishes)) as loader:
        made = loader.long_term_keys() if options.no_session else loader.load()
    environ = export.command_environment(os.environ, made, options.region or _region(made))
    export.become(options.words, environ)


def _clear(options: argparse.Namespace) -> int:
    from awsdirenv.cache import clear  # noqa: PLC0415

    if options.all and options.profile:
        raise UsageError("clear takes a PROFILE or --all, not both", "awsdirenv clear --help")
    with _loading(Request(options.profile)) as loader:
        if options.all:
            count = clear.clear_all(loader.paths, loader.locks)
            say(f"awsdirenv: forgot everything ({count} files)")
        else:
            count = clear.clear_profile(loader.declared.name, loader.paths, loader.locks)
            say(
                f"awsdirenv: forgot the credentials of {loader.declared.name} ({count} files); "
                "MFA sessions are shared and stay: awsdirenv clear --all"
            )
    return 0


def _setup(options: argparse.Namespace) -> int:
    from awsdirenv.shell import completion, extension, hooks, installed_files  # noqa: PLC0415

    others = [*hooks.files(os.environ), *completion.files(parser(), os.environ)]
    (extension.uninstall if options.uninstall else extension.install)(os.environ, say)
    for file in others:
        (installed_files.remove if options.uninstall else installed_files.write)(file, say)
    if options.uninstall:
        return 0
    prepare(CachePaths.from_environ(os.environ))
    for problem, remedy in extension.missing_parts(os.environ):
        warn(problem, remedy)
    line = hooks.line_to_add(os.environ)
    if line:
        say(f"  for a shell that has sat still, in its start-up file: {line}")
    say("  next, in a project: awsdirenv init PROFILE")
    return 0


def _init(options: argparse.Namespace) -> int:
    from awsdirenv.config.aws_files import load_files  # noqa: PLC0415
    from awsdirenv.config.resolve import resolve_chain  # noqa: PLC0415
    from awsdirenv.shell import extension  # noqa: PLC0415

    directory = working_directory(os.environ)
    if options.profile is not None:
        encode_name(options.profile)
    name = declared_profile(options.profile, directory, os.environ).name
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


def _explain(options: argparse.Namespace) -> int:
    from awsdirenv.reports.explain import hops, text  # noqa: PLC0415

    given = looking(Request(options.profile, wishes=Wishes(duration=options.duration)), os.environ)
    explained = hops.explain(given)
    home_folder = str(home(os.environ))
    emit(hops.document(explained) if options.json else text.text(explained, home_folder, given.now))
    if explained.error:
        raise explained.error
    return 0


def _timer(options: argparse.Namespace) -> int:
    from awsdirenv.refresh import timer  # noqa: PLC0415
    from awsdirenv.shell.extension import own_command  # noqa: PLC0415

    directory = working_directory(os.environ)
    name = declared_profile(options.profile, directory, os.environ).name
    key = snapshot_key(name, os.environ, options.duration)
    paths = CachePaths.from_environ(os.environ)
    wanted = [f"--duration={options.duration}"] if options.duration else []
    if timer.detach():
        prepare(paths)
        locks = Locks(paths.locks, 0, lambda *_: None)
        with locks.hold_unless(f"timer-{key}", lambda: True) as other:  # one is enough
            if not other:
                timer.Timer(paths, key, [*own_command(), "load", "--envrc", *wanted, "--", name], directory).run()
    return 0


def _hook(options: argparse.Namespace) -> int:
    from awsdirenv.shell.hooks import script  # noqa: PLC0415

    emit(script(options.shell, os.environ))
    return 0


def _completion(options: argparse.Namespace) -> int:
    from awsdirenv.shell.completion import script  # noqa: PLC0415

    emit(script(options.shell, parser()))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from awsdirenv.cli import demo  # noqa: PLC0415

    return demo.run(interactive=options.interactive)


def _loading(request: Request) -> AbstractContextManager[Loader]:
    return loading(request, os.environ, _reporter())


def _reporter() -> Reporter:
    return Reporter(report_waiting, lambda notice: say(f"awsdirenv: {notice}"))


def _region(snapshot: Snapshot) -> str | None:
    return environment_region(os.environ) or snapshot.region
