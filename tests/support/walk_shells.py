"""The shells of a random walk: their environments change as direnv's hook changes them, and STS says whose they are."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from configparser import RawConfigParser
from dataclasses import dataclass, field
from datetime import datetime

from in_process import call
from strict_sts import Key
from walk_places import OUTSIDE, Places, title
from warm import variables as warm_variables
from world import assert_nobody

# What says who somebody is; outside of all folders it is as it was before the first of them.
OF_AWS = re.compile(r"AWS|AMAZON")
IS_LIVE = "/awsdirenv/live/"
ROUNDING = 3  # seconds: times are whole ones, and some are differences


class WalkError(AssertionError):
    """Somebody is who they should not be, or nobody where nothing was in the way."""


@dataclass
class Shell:
    """A shell: where it is, the environment outside of all folders, and the one it has.

    `sound` tells whether nothing disturbed the last evaluation, so that it must be open where that is declared. `fresh`
    tells whether direnv has just evaluated.
    """

    name: str
    outer: dict[str, str]
    folder: str = OUTSIDE
    env: dict[str, str] = field(default_factory=dict)
    sound: bool = True
    fresh: bool = False

    def __post_init__(self) -> None:
        self.env = dict(self.outer)

    def set(self, name: str, value: str | None) -> None:
        """Set a variable, or take it out, as a person does."""
        for env in (self.outer, self.env):
            env.pop(name, None)
            if value is not None:
                env[name] = value


def begin(places: Places, shell: Shell, folder: str) -> subprocess.Popen[str]:
    """Begin what direnv's hook does at a prompt in a folder."""
    return subprocess.Popen(
        ["direnv", "export", "json"],
        env={**shell.env, **warm_variables()},
        cwd=places.world.root / folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(places: Places, shell: Shell, folder: str, process: subprocess.Popen[str]) -> str:
    """Wait for it, and change the shell; give what was said. Raises WalkError where direnv failed."""
    stdout, stderr = process.communicate(timeout=300)
    if process.returncode:
        raise WalkError(f"direnv failed in {folder}: {stderr}")
    shell.fresh = bool(stdout)
    # direnv evaluates where it comes to another `.envrc`, and where a file has changed.
    shell.sound = shell.sound or shell.fresh or places.home_of(folder) != places.home_of(shell.folder)
    shell.folder = folder
    for name, value in json.loads(stdout or "{}").items():
        if value is None:
            shell.env.pop(name, None)
        else:
            shell.env[name] = value
    return " | ".join(line for line in stderr.splitlines() if line.startswith("awsdirenv: "))


def is_closed(shell: Shell) -> bool:
    """Tell whether a shell has neither keys nor a file that leads to some."""
    return "AWS_ACCESS_KEY_ID" not in shell.env and IS_LIVE not in shell.env.get("AWS_CONFIG_FILE", "")


def live_config(shell: Shell) -> RawConfigParser:
    """Read the config file that a live directory hands to programs."""
    config = RawConfigParser()
    config.read(shell.env["AWS_CONFIG_FILE"])
    return config


def key_of(places: Places, shell: Shell) -> Key | None:
    """Give the key of an open shell, of a live one that of its programs, as STS knows it; None where they get none.

    Raises WalkError for a key that STS never gave, or one whose parts are of two.
    """
    env = shell.env
    if "AWS_ACCESS_KEY_ID" in env:
        proof = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", ""))
    else:
        command = shlex.split(live_config(shell)[title(env["AWS_PROFILE"])]["credential_process"])
        words = tuple(command[command.index("credential-process") :])
        done = call(words, env, places.world.root / shell.folder, timeout=60)
        if done.returncode:
            return None
        said = json.loads(done.stdout)
        proof = (said["AccessKeyId"], said["SecretAccessKey"], said.get("SessionToken", ""))
    key = places.world.sts.keys.get(proof[0])
    if not key or proof[1:] != (key.secret, key.token):
        raise WalkError(f"{shell.name} has keys in {shell.folder} that nobody was given: {proof[0]}")
    return key


def check(places: Places, shell: Shell) -> str:
    """Ask STS who a shell is; give a word for what it is. Raises WalkError unless it is who it should be."""
    folder, declared = shell.folder, places.declared(shell.folder, shell.outer)
    if folder == OUTSIDE:
        _check_outside(shell)
        return OUTSIDE
    if is_closed(shell):
        assert_nobody(shell.env)
        if declared and shell.sound:
            raise WalkError(f"{shell.name} is nobody in {folder}, and should be {declared}")
        return "closed"
    key = key_of(places, shell)
    who = key and (key.role_arn or key.arn)
    if who != declared and (who or shell.sound):
        raise WalkError(f"{shell.name} is {who} in {folder}, and should be {declared}")
    is_live = "AWS_ACCESS_KEY_ID" not in shell.env
    if key and (shell.fresh or is_live) and (key.revoked or key.expires <= places.world.sts.now()):
        raise WalkError(f"{shell.name} has got credentials in {folder} that are over")
    _check_rest(places, shell, key, is_live=is_live)
    if is_live and shell.sound:
        _check_profiles(places, shell)
    return "live" if is_live else "open"


def _check_outside(shell: Shell) -> None:
    held, outer = (
        {name: value for name, value in env.items() if OF_AWS.match(name)} for env in (shell.env, shell.outer)
    )
    if held != outer:
        # Only the names: values may be secret.
        names = sorted({name for name, _ in held.items() ^ outer.items()})
        raise WalkError(f"{shell.name} is outside, and has others of {', '.join(names)} than before")


def _check_profiles(places: Places, shell: Shell) -> None:
    """Check that programs in a live directory find the profiles that the config file has now."""
    wanted = places.profiles(places.config_of(shell.outer))
    # botocore knows a profile named default, be it there or not.
    if (found := {*live_config(shell).sections(), "default"}) != {*map(title, wanted), "default"}:
        raise WalkError(f"{shell.name} is live in {shell.folder} with {sorted(found)}, and should be with {wanted}")


def _check_rest(places: Places, shell: Shell, key: Key | None, *, is_live: bool) -> None:
    """Check that what stands beside the keys belongs to them."""
    env, folder, profile = shell.env, shell.folder, places.profile(shell.folder, shell.outer)
    place = places.world.root / places.deciding(folder)
    region, files = places.region(folder, shell.outer), ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    wanted = {
        "AWSDIRENV_PROFILE": profile,
        "AWSDIRENV_STAGE": places.line(folder).stage,
        "AWSDIRENV_LOADED": f"{int((place / '.envrc').stat().st_mtime)} {place}",
        "AWS_PROFILE": profile if is_live else None,
        "AWS_DEFAULT_PROFILE": None,
        "AWS_SECURITY_TOKEN": None,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if not is_live:
        wanted |= {name: shell.outer.get(name) for name in files}
    if not is_live and key and key.kind == "role":
        wanted["AWS_ACCOUNT_ID"] = key.account
    wrong = [
        f"{name} {env.get(name)!r} instead of {value!r}" for name, value in wanted.items() if env.get(name) != value
    ]
    if wrong:
        raise WalkError(f"{shell.name} has in {folder} {', '.join(wrong)}")
    if not is_live and key and key.kind == "role" and shell.fresh:
        end = datetime.fromisoformat(env["AWS_CREDENTIAL_EXPIRATION"]).timestamp()
        if abs(end - key.expires) > ROUNDING:
            raise WalkError(f"{shell.name} has in {folder} credentials that seem to end {end - key.expires} s late")
