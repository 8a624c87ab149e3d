"""`awsdirenv` and `python -m awsdirenv`."""

from __future__ import annotations

import contextlib
import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    # Nothing of the 150 ms of import is garbage; the collector would look for some a hundred times.
    gc.disable()
    # The one way here that is not for people: no terminal yet, and a half-imported module would print a traceback.
    try:
        from awsdirenv.aws.botocore_session import leave_crt_out  # noqa: PLC0415
        from awsdirenv.cli.main import run  # noqa: PLC0415

        leave_crt_out()
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Taking botocore apart again, object by object, costs 30 ms for which a person would wait.
    os._exit(status)


if __name__ == "__main__":
    main()
