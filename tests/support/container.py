"""What a container may lack. A test that needs it says so in one line where it does not run; in CI it fails instead."""

from __future__ import annotations

import functools
import os
import subprocess

import pytest

_TRIES = {
    "mounts": ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=4k", "none", "/mnt"],
    "network namespaces": ["unshare", "--net", "true"],
}


def must_have(what: str, *, is_there: bool) -> None:
    """Skip a test that cannot be run here, or fail it in CI (`CI` is set), where nothing may be missing."""
    if is_there:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}, which CI must have", pytrace=False)
    pytest.skip(f"needs {what}")


@functools.cache
def allows(what: str) -> bool:
    """Tell whether we are root, or may do what only root may, and not in every container."""
    if os.geteuid() != 0:
        return False
    return what == "root" or subprocess.run(_TRIES[what], capture_output=True, check=False).returncode == 0
