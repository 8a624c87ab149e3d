"""A browser that is signed in to IAM Identity Center, and what a sign-in leaves."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from world import World

LOADED = "awsdirenv: dev: account 123456789012, role Developer, eu-west-1, 1h00m left"
# Opens the page and follows where it leads, and talks: to its output, to the terminal if it finds one.
_BROWSER = """#!{python}
import sys, urllib.request
print("BABBLE"), print("BABBLE", file=sys.stderr)
try:
    open("/dev/tty", "w").write("BABBLE")
except OSError:
    pass
open("{log}", "a").write(" ".join(sys.argv[1:]) + "\\n")
urllib.request.urlopen(sys.argv[1]).read()
"""


def not_signed_in(world: World) -> World:
    """Make a profile `dev` of the session `corp`, which nobody has signed in to, and a project that uses it."""
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    world.project("dev", "use aws_profile dev\nexport REST_OF_ENVRC=loaded\n")
    return world


def browser(world: World) -> Path:
    """Put a browser into the environment of shells that are opened from now on; give its log."""
    log = world.root / "visited"
    world.env["BROWSER"] = str(world.program("browser", _BROWSER.format(python=sys.executable, log=log)))
    world.sts.sso.configure(approve_on_visit=True)
    return log


def token_file(world: World, name: str = "corp") -> Path:
    """Give the file that the AWS CLI would write for a session; the test for its name is in test_sso_token.py."""
    return world.home / ".aws/sso/cache" / f"{hashlib.sha1(name.encode()).hexdigest()}.json"
