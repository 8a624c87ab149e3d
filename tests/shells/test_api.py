"""`awsdirenv.credentials`, `session` and `credential_provider`: what a Python program gets, and what it is spared."""

from __future__ import annotations

import time

import pexpect

from shells import Shell
from world import AT_ONCE, BIN, World, wait_for

PYTHON = str(BIN / "python")


def test_importing_is_cheap(world: World) -> None:
    """`import awsdirenv` imports nothing that is slow, and so does getting credentials that are fresh."""
    slow = "print(sorted({'boto3', 'botocore', 'urllib3', 'filelock', 'dotenv', 'argparse'} & set(sys.modules)))"
    world.role("plain", mfa=False)
    world.run("awsdirenv", "load", "plain").check_returncode()
    code = f"import sys, awsdirenv; {slow}; awsdirenv.credentials('plain'); {slow}"
    done = world.run(PYTHON, "-c", code)
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")


# Credentials


# A guest in the process


ASKING = """\
import awsdirenv, os, signal, sys, termios, threading
from awsdirenv.errors import CancelledError, PersonNeededError
def state():
    gone = termios.tcgetattr(0), len(os.listdir("/dev/fd")), [signal.getsignal(n) for n in (1, 2, 15, 22)]
    return *gone, threading.active_count()
before = state()
def attempt():
    try:
        print("HAVE", awsdirenv.credentials("adminrole").access_key_id)
    except (CancelledError, PersonNeededError) as error:
        print(type(error).__name__, error.hint)
thread = threading.Thread(target=attempt)
thread.start()
thread.join()
while input("GO ") == "y":
    attempt()
print("SAME", state() == before)
"""


def test_a_person_is_asked(world: World) -> None:
    """In the main thread of a program in a terminal a person is asked; Ctrl-C is an error; all is as before then."""
    world.role("adminrole")
    child = pexpect.spawn(PYTHON, ["-c", ASKING], env=world.env, cwd=str(world.root), encoding="utf-8", timeout=60)
    child.expect_exact("PersonNeededError awsdirenv login adminrole")  # in a thread nobody is
    for _ in range(2):
        child.expect_exact("GO ")
        child.send("y\r")
        child.expect_exact(f"Enter MFA code for {world.mfa_serial}: ")
        child.sendcontrol("c")
        child.expect_exact("CancelledError awsdirenv login adminrole")
    child.expect_exact("GO ")
    child.send("y\r")
    child.expect_exact(f"Enter MFA code for {world.mfa_serial}: ")
    child.send(world.code() + "\r")
    child.expect_exact("HAVE ASID")
    child.expect_exact("GO ")
    child.send("y\r")
    child.expect_exact("HAVE ASID")
    child.expect_exact("GO ")
    child.send("n\r")
    child.expect_exact("SAME True")
    child.close(force=True)
    assert world.sts.count("GetSessionToken") == 1


def test_ctrl_c_while_sts_is_silent(world: World) -> None:
    """Ctrl-C while STS does not answer is the same error, at once."""
    world.role("plain", mfa=False)
    world.sts.add_fault("AssumeRole", "hang", seconds=30)
    code = "import awsdirenv\ntry: awsdirenv.credentials('plain')\nexcept awsdirenv.AwsdirenvError as e: print(repr(e))"
    child = pexpect.spawn(PYTHON, ["-c", code], env=world.env, cwd=str(world.root), encoding="utf-8", timeout=60)
    wait_for(lambda: world.sts.count("AssumeRole"))
    started = time.monotonic()
    child.sendcontrol("c")
    child.expect_exact("CancelledError('loading plain was cancelled')")
    assert time.monotonic() - started < AT_ONCE
    child.close(force=True)


# Sessions


def test_a_directory_and_a_program(world: World) -> None:
    """A program that runs in a directory of ours has the directory's credentials without another call."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    code = "import awsdirenv, os; s = awsdirenv.session(); c = s.client('sts').get_caller_identity()['Arn']"
    code += "; print('<<' + str(os.environ['AWS_ACCESS_KEY_ID'] == s.get_credentials().access_key), c + '>>')"
    script = world.root / "program.py"
    script.write_text(code, encoding="utf-8")
    with Shell(world, "bash") as shell:
        shell.run(f"cd {folder}")
        assert "<<True arn:aws:sts::123456789012:assumed-role/plain/" in shell.run(f"{PYTHON} {script}")
    assert world.sts.count("AssumeRole") == 1


# Providers
