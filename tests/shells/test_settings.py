"""Our own settings, and which profile a directory declares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_line_that_makes_no_sense_costs_that_line_only(tmp_path: Path) -> None:
    """python-dotenv's complaint about a broken line does not reach the person's prompt."""
    (tmp_path / ".env").write_text("this is = = 'no line\nAWS_PROFILE=dev\n")
    # A process of its own: pytest takes all logging in.
    program = "import pathlib; from awsdirenv.config.settings import declared_profile as declared\n"
    program += "print(declared(None, pathlib.Path(), {}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout[:27], done.stderr) == ("DeclaredProfile(name='dev',", "")
