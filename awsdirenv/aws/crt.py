"""AWS's native library, which botocore imports wherever it is installed: a quarter of all that it imports.

Of what our own process asks of botocore only `aws login` needs it.
"""

from __future__ import annotations

import sys


def leave_out() -> None:
    """Keep botocore from importing it. Not for the processes of others, who may have a use for it."""
    sys.modules.setdefault("awscrt", None)  # type: ignore[arg-type] # Python's way to say that there is none


def let_in() -> None:
    """Let botocore import it after all."""
    if sys.modules.get("awscrt", sys) is None:
        del sys.modules["awscrt"]
