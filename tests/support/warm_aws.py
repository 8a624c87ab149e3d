"""A real AWS CLI that has imported everything, and forks off a process for each that is asked for; see warm.py.

Usage: python -I warm_aws.py FOLDER ROOM, as warm_server.py. What the AWS CLI works out when it is imported, the
fork works out again: paths below the home, and the variable that it sets for the programs that it starts.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = ("awscli", "botocore", "s3transfer")
# A call that nobody answers, so that what it works out once is there.
TRIAL = {"AWS_ACCESS_KEY_ID": "trial", "AWS_SECRET_ACCESS_KEY": "trial", "AWS_REGION": "eu-west-1"}
TRIAL |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}


def below_home(home: str) -> Iterator[tuple[Any, str, Any]]:
    """Find what has the home in it: owner, name and value, in modules, classes and the defaults of functions."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]
    classes = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    for owner in (*modules, *classes):
        for name, value in list(vars(owner).items()):
            if isinstance(value, str) and home in value:
                yield owner, name, value
            elif isinstance(value, types.FunctionType) and any(home in str(one) for one in value.__defaults__ or ()):
                yield value, "__defaults__", value.__defaults__


def in_home(value: Any, before: str, now: str) -> Any:
    """Put another home into a text, or into the texts of defaults."""
    if isinstance(value, tuple):
        return tuple(in_home(one, before, now) for one in value)
    return value.replace(before, now) if isinstance(value, str) else value


def main() -> None:
    """Import it, try it, and serve."""
    folder, home = Path(sys.argv[1]), os.environ["HOME"]
    before = list(sys.path)
    sys.path.insert(0, str(HERE))
    warm_server: Any = importlib.import_module("warm_server")
    awscli: Any = importlib.import_module("awscli")
    driver: Any = importlib.import_module("awscli.clidriver")
    importlib.import_module("botocore_once").share_what_sessions_work_out()
    sys.path[:] = before
    os.environ.update(TRIAL)
    sys.argv = ["aws", "sts", "get-caller-identity"]
    with suppress(SystemExit), open(os.devnull, "w", encoding="utf-8") as sys.stderr:
        driver.main()
    sys.stderr = sys.__stderr__
    paths = list(below_home(home))

    def aws() -> None:
        importlib.reload(awscli)  # which sets AWS_DATA_PATH
        for owner, name, value in paths:
            setattr(owner, name, in_home(value, home, os.path.expanduser("~")))
        sys.exit(driver.main())

    warm_server.entry = aws
    gc.collect()
    gc.freeze()  # what is not looked at is not copied
    warm_server.serve(folder, 0, "aws", os.open(os.devnull, os.O_RDONLY))


if __name__ == "__main__":
    main()
