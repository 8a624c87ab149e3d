"""`awsdirenv` and `python -m awsdirenv`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    # Nothing of the 150 ms of import is garbage; the collector would look for some a hundred times.
    gc.disable()
    # Python's way to say that there is none: botocore would import AWS's native library, a quarter of all that it
    # imports, and of what our process asks of it only `aws login` has a use for that (`let_crt_in`).
    sys.modules.setdefault("awscrt", None)  # type: ignore[arg-type]
    # The one way here that is not for people: no terminal yet, and a half-imported module would print a traceback.
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
    # Taking botocore apart again, object by object, costs 30 ms for which a person would wait.
    os._exit(status)


if __name__ == "__main__":
    main()
