"""`awsdirenv` and `python -m awsdirenv`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    _leave_utf8_setting()
    # The imports take 150 ms and make no garbage. The collector would search for some a hundred times.
    gc.disable()
    # None makes Python treat `awscrt` as not installed. Otherwise botocore imports AWS's native library, a quarter of
    # all that it imports. Only `aws login` needs that (see `let_crt_in`).
    sys.modules.setdefault("awscrt", None)  # type: ignore[arg-type]
    # A Ctrl-C during the imports would print a traceback, because our own handling of it starts later.
    try:
        from awsdirenv.cli.main import run  # noqa: PLC0415

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - contextlib would be imported for this alone
            stream.flush()
        except (OSError, ValueError, AttributeError):  # noqa: PERF203
            pass
    # A normal exit would free botocore's objects one by one, which takes 30 ms.
    os._exit(status)


def _leave_utf8_setting() -> None:
    """Start again as the extension starts us, where PYTHONUTF8 would make this process read files in another encoding.

    The environment stays as it is, for the programs that we start.
    """
    if sys.flags.ignore_environment or "PYTHONUTF8" not in os.environ:
        return
    import _locale  # noqa: PLC0415 - `locale` is slower to import

    # Without that variable Python reads UTF-8 in the locale C, and what the locale says in any other.
    is_c = _locale.setlocale(_locale.LC_CTYPE) in ("C", "POSIX")
    if _locale.nl_langinfo(_locale.CODESET) != "UTF-8" and bool(sys.flags.utf8_mode) != is_c:
        from awsdirenv.shell.extension import own_command  # noqa: PLC0415

        command = own_command()
        os.execv(command[0], [*command, *sys.argv[1:]])  # noqa: S606 - it is this very program


if __name__ == "__main__":
    main()
