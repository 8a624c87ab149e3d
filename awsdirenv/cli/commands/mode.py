"""Write down which AWSDIRENV_MODE the `.env` of this directory declares; the extension calls this."""

from __future__ import annotations

import argparse
import os

POSITION = 44
EXAMPLE = "awsdirenv mode"


def run(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Write the note that the extension reads."""
    from awsdirenv.refresh.mode import note_mode
    from awsdirenv.system.direnv import working_directory

    note_mode(working_directory(os.environ), os.environ)
    return 0
