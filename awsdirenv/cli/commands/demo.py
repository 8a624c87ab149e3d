"""Show it all in a throw-away home, against an STS on this machine.

It shows the main job, with moto in place of AWS and a real bash on its own terminal.

It is a whole program for people to watch. So, unlike the other commands, it writes to stdout and stderr itself. The
programs that it runs see nothing of the user's home and settings, and reach loopback only.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from awsdirenv.errors import AwsdirenvError, SetupError

POSITION = 190
GROUP = "set up"
EXAMPLE = "awsdirenv demo --interactive"
_USER, _ACCOUNT, _CODE = "foo", "123456789012", "492039"  # the account is moto's own, and moto accepts any code
_MFA_SERIAL = f"arn:aws:iam::{_ACCOUNT}:mfa/{_USER}"
_MAY_ASSUME = {"Effect": "Allow", "Action": "sts:AssumeRole"}
_IF_PROVED = {"Principal": {"AWS": _ACCOUNT}, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
# For each major version, the first release of the AWS CLI that follows AWS_ENDPOINT_URL.
_OLDEST_AWS = {1: (1, 29), 2: (2, 13)}
_HINT = "see above, or try it by hand: awsdirenv demo --interactive"
_PROMPT, _QUESTION = r"~[\w/]* \$ $", re.escape(f"Enter MFA code for {_MFA_SERIAL}: ")
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_CUT_OFF = re.compile(r"\x1b[^A-Za-z]*\Z")
_BASH = ("bash", "--rcfile", ".bashrc", "-i")
_INVITATION = """\
awsdirenv: projects in a throw-away home, which is gone after `exit`; try:
  cd ~/projects/development        asks for an MFA code: any six digits will do
  aws sts get-caller-identity
  cd ../production/yatteiki        another account, and no further question
  cd                               leave: the credentials are gone
  env | grep AWS_                  nothing left but where the AWS of this demo is
"""


class _Role(NamedTuple):
    """A role and its profile. The profile is also the name of a folder in ~/projects."""

    profile: str
    name: str
    account_id: str
    region: str


_ROLES = (
    _Role("adminrole", "adminrole", _ACCOUNT, "us-east-1"),
    _Role("development", "development", "111111111111", "eu-west-1"),
    _Role("staging", "staging", "222222222222", "eu-west-1"),
    _Role("production/yatteiki", "yatteiki", "333333333333", "ap-northeast-1"),
)


def arguments(parser: ArgumentParser) -> None:
    """Add the option --interactive."""
    parser.add_argument("--interactive", action="store_true", help="get the shell of the demo instead of a transcript")


def run(options: Namespace) -> int:
    """Play the demo, or start its shell for the user. Raises SetupError if something is missing."""
    if options.interactive and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SetupError("the interactive demo needs a terminal", "awsdirenv demo")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that the home is deleted then, too
    with TemporaryDirectory(prefix="awsdirenv-demo-", ignore_cleanup_errors=True) as folder, ExitStack() as end:
        home = Path(folder).resolve()  # bash shows `~` only if HOME has no links in it
        env = _environment(home, os.environ)
        _check_parts(env)
        env["AWS_ENDPOINT_URL"] = url = _start_aws(end)
        _make_home(home, _make_user(url), env)
        if options.interactive:
            sys.stderr.write(_INVITATION)
            subprocess.run(_BASH, env=env, cwd=home, check=False)
        else:
            _play(env)
    return 0


def _environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the demo's programs."""
    return {
        **{name: environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in environ},
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', os.defpath)}",
        "TERM": "xterm",
        "AWS_EC2_METADATA_DISABLED": "true",  # the demo must not use the role of an EC2 machine
        "AWS_PAGER": "",
        "AWSDIRENV_AUTO_REFRESH": "0",  # no process may run longer than the demo
    }


def _check_parts(env: Mapping[str, str]) -> None:
    """Check that everything that the demo needs is installed. Raises SetupError."""
    from awsdirenv.system.files import extra_command

    extra = extra_command("demo")
    try:
        import moto.server  # noqa: F401
        import pexpect  # noqa: F401
    except ImportError as error:
        raise SetupError(f"the demo needs {error.name}, which is not installed", extra) from None
    for program, hint in (("bash", "install bash"), ("direnv", "install direnv with apt-get or brew"), ("aws", extra)):
        if shutil.which(program, path=env["PATH"]) is None:
            raise SetupError(f"the demo needs {program}, which is not installed", hint)
    output = subprocess.run(["aws", "--version"], env=env, capture_output=True, text=True, check=False).stdout
    version = [int(number) for number in re.findall(r"\d+", output)[:2]]
    if not version or tuple(version) < _OLDEST_AWS.get(version[0], ()):
        raise SetupError(f"{shutil.which('aws', path=env['PATH'])} cannot be pointed at this machine", extra)


def _start_aws(end: ExitStack) -> str:
    """Start moto on a free port, and return its URL. It is stopped at the end."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it prints a line for every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    end.callback(server.stop)
    return "http://{}:{}".format(*server.get_host_and_port())


def _make_user(url: str) -> dict[str, str]:
    """Make a role, and an IAM user with an MFA device who may only AssumeRole. Return the user's access key."""
    from awsdirenv.aws.botocore_session import local_client

    iam = local_client("iam", url)
    iam.create_user(UserName=_USER)
    allowed = json.dumps({"Version": "2012-10-17", "Statement": _MAY_ASSUME | {"Resource": "*"}})
    iam.put_user_policy(UserName=_USER, PolicyName="assume-role-only", PolicyDocument=allowed)
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=_USER)["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(UserName=_USER, SerialNumber=serial, AuthenticationCode1=_CODE, AuthenticationCode2=_CODE)
    # Only one account's role is made. moto allows AssumeRole also for the roles of other accounts, which do not exist.
    trust = json.dumps({"Version": "2012-10-17", "Statement": _MAY_ASSUME | _IF_PROVED})
    iam.create_role(RoleName=_ROLES[0].name, AssumeRolePolicyDocument=trust)
    access_key: dict[str, str] = iam.create_access_key(UserName=_USER)["AccessKey"]
    return access_key


def _make_home(home: Path, access_key: Mapping[str, str], env: Mapping[str, str]) -> None:
    """Write the files that a user would write, and run the commands that a user would run once."""
    from awsdirenv.shell import extension

    keys = f"{access_key['AccessKeyId']}\naws_secret_access_key = {access_key['SecretAccessKey']}\n"
    profiles = "".join(
        f"[profile {role.profile}]\nrole_arn = arn:aws:iam::{role.account_id}:role/{role.name}\n"
        f"source_profile = base\nmfa_serial = {_MFA_SERIAL}\nregion = {role.region}\n\n"
        for role in _ROLES
    )
    files = {
        ".aws/config": profiles,
        ".aws/credentials": f"[base]\naws_access_key_id = {keys}",
        ".bashrc": "unset HISTFILE PROMPT_COMMAND\nPS1='\\w $ '\neval \"$(direnv hook bash)\"\n",
        ".inputrc": "set enable-bracketed-paste off\n",
        **{f"projects/{role.profile}/.envrc": f"use aws_profile {role.profile}\n" for role in _ROLES},
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    extension.install(env, lambda _: None)
    for role in _ROLES:
        extension.direnv_allow(home / "projects" / role.profile, env)


def _lines() -> Iterator[tuple[str, str]]:
    """Yield each line to type, and the text that must then appear."""
    for role in _ROLES:
        yield f"cd ~/projects/{role.profile}", f"awsdirenv: {role.profile}: account {role.account_id}, role {role.name}"
        identity = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/"
        yield "aws sts get-caller-identity" + ("" if role is _ROLES[0] else " --query Arn --output text"), identity
    yield "cd ~", "direnv: unloading"
    yield "env | grep -E 'AWS_(ACCESS|SECRET|SESSION|PROFILE|REGION)' || echo no AWS credentials", "no AWS credentials"


def _play(env: dict[str, str]) -> None:
    """Type the demo. Raises AwsdirenvError at the first line that does not show the expected text."""
    person = _Person(env)
    try:
        for line, expected in _lines():
            if expected not in person.type(line):
                raise AwsdirenvError(f"the demo failed: `{line}` did not show: {expected}", _HINT)
    finally:
        person.leave()
    if person.codes_given != 1:
        raise AwsdirenvError(f"the demo failed: it took {person.codes_given} MFA codes and not one", _HINT)
    sys.stderr.write(f"\nawsdirenv: {len(_ROLES)} roles in as many accounts, one MFA code, nothing left behind\n")


class _Person:
    """A user at a terminal with bash. The screen is our stdout."""

    def __init__(self, env: Mapping[str, str]) -> None:
        import pexpect

        self.codes_given = 0
        self._ended, self._nothing = pexpect.EOF, pexpect.TIMEOUT
        self._pause = 0.02 if sys.stdout.isatty() else 0.001  # seconds between keys; slower if somebody watches
        # The terminal is wide, so that bash does not break lines. A narrower screen breaks them itself.
        terminal: Any = {"env": {**env}, "cwd": env["HOME"], "encoding": "utf-8", "dimensions": (50, 300)}
        self._child = pexpect.spawn(_BASH[0], list(_BASH[1:]), timeout=20, **terminal)
        self._child.delaybeforesend = None
        self._has_question()
        self._child.logfile_read = _Screen()
        self._child.logfile_read.write(str(self._child.after))

    def type(self, line: str) -> str:
        """Type a line, and a code if one is asked for. Return the output up to the next prompt."""
        self._press(line)
        while self._has_question():
            self.codes_given += 1
            self._press(_CODE)
        return str(self._child.before).partition("\n")[2]

    def leave(self) -> None:
        """End the shell, and the line of its last prompt."""
        self._child.close(force=True)
        sys.stdout.write("\n")

    def _has_question(self) -> bool:
        """Wait for bash's prompt or for the question for a code. Return whether it is the question."""
        match = self._child.expect([_PROMPT, _QUESTION, self._nothing, self._ended])
        if match > 1:
            raise AwsdirenvError(f"the demo failed: bash {'hangs' if match == 2 else 'ended'}", _HINT)
        return bool(match)

    def _press(self, keys: str) -> None:
        for key in keys:
            self._child.send(key)
            if self._child.expect([self._nothing, self._ended], timeout=self._pause):  # this also shows bash's echo
                return
        self._child.send("\r")


class _Screen:
    """Writes the output of a terminal to stdout, without its control sequences."""

    _rest = ""

    def write(self, text: str) -> None:
        text = self._rest + text
        cut_off = _CUT_OFF.search(text)
        self._rest = cut_off[0] if cut_off else ""
        sys.stdout.write(_STEERING.sub("", text.removesuffix(self._rest)))

    def flush(self) -> None:
        sys.stdout.flush()
