"""A random walk: shells go from folder to folder while files are edited, processes are killed and AWS fails.

After each step a model says who the shell that took it should be, by AWS's files as they are now, and STS says who it
is: the declared identity; nobody, where that is declared or where something was disturbed; never anyone else.

The environment of a shell changes as direnv's hook changes it. No step waits for a clock. Where two evaluations run at
once, or one is killed, only that is asserted which holds whatever the order was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path

from in_process import call
from strict_sts import Fault, StrictSts
from world import OUTER, World, assert_nobody

STEPS, SEED = 500, 12
OTHER_ACCOUNT = "999999999999"
# Faults of one call each; the last one only holds the answer back.
FAULTS = ("access-denied", "throttle", "503", "drop", "truncated", "html", "missing-credentials", "delay")
# What says who somebody is; outside of all folders it is as it was before the first of them.
OF_AWS = re.compile(r"AWS|AMAZON")

# For each folder the `.envrc`, or "" for none; the profile that counts there, unless the environment or a `.env` names
# it; and what else the line says.
LINES = {
    "plain": "use aws_profile plain",
    "plain/below": "",
    "prod": "use aws_profile prod --stage production",
    "prod/inner": "source_up\nuse aws_profile staging --region us-east-1",
    "prod/same": "source_up",
    "live": "use aws_profile staging --live",
    "prod/live": "source_up\nuse aws_profile plain --live",
    "live/keys": "source_up\nuse aws_profile prod",
    "bare": "use aws_profile base --no-session",
    "ambient": "use aws_profile",
    "dotenv": "use aws_profile",
    "unknown": "use aws_profile nobody",
    "pinned": f"use aws_profile plain --account {OTHER_ACCOUNT}",
    "outside": "",
}
PROFILES = {
    "plain": "plain",
    "plain/below": "plain",
    "prod": "prod",
    "prod/inner": "staging",
    "prod/same": "prod",
    "live": "staging",
    "prod/live": "plain",
    "live/keys": "prod",
    "bare": "base",
    "unknown": "nobody",
    "pinned": "plain",
}
STAGES = {"prod": "production", "prod/same": "production"}
REGIONS = {"prod/inner": "us-east-1"}
# Where direnv's every evaluation starts a Python of its own: people go there, too, but less often.
COSTLY = {"bare", "ambient", "unknown", "pinned"}
DOTENVS = ("AWS_PROFILE=plain", "AWS_PROFILE=${STAGE:-plain}", "AWS_PROFILE=${STAGE:-staging}", "AWS_PROFILE=gone")


class WalkError(AssertionError):
    """Somebody is who they should not be, or nobody where nothing was in the way."""


@dataclass
class Shell:
    """A shell: where it is, the environment it was started with, and the one it has.

    `sound` tells whether its last evaluation was one that nothing disturbed.
    """

    name: str
    folder: str
    outer: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    sound: bool = True


class Walk:
    """The world, its shells, and the model of both."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.past = int(time.time()) - 10**7
        self.story: list[str] = []
        self.codes = world.root / "codes"
        self.codes.mkdir()
        self.arns = {name: self._roles(name) for name in ("plain", "staging", "prod")}
        # What each profile leads to now; None where it is not in the file.
        self.leads: dict[str, str | None] = {name: arns[0] for name, arns in self.arns.items()}
        self.program = world.program("code", f"for code in {self.codes}/*; do rm $code && basename $code && exit; done")
        self.dotenv = DOTENVS[1]
        for folder, line in LINES.items():
            (world.root / folder).mkdir(parents=True, exist_ok=True)
            if line:
                world.project(folder, f"{line}\n")
                self._touch(world.root / folder / ".envrc")
        self._write_config()
        self._write_dotenv()
        outers = ({}, dict(OUTER), {"AWS_PROFILE": "staging"}, {"AWS_PROFILE": "plain", "STAGE": "staging"})
        self.shells = [Shell(f"shell {number}", "outside", dict(outer)) for number, outer in enumerate(outers)]
        for shell in self.shells:
            shell.env = {**world.env, **shell.outer}

    def _roles(self, name: str) -> list[str]:
        """Make the roles that a profile may lead to, the last of them in another account."""
        accounts = ("123456789012", "123456789012", OTHER_ACCOUNT)
        return [
            self.world.sts.add_role(f"{name}-{number}", account, require_mfa=name == "prod")
            for number, account in enumerate(accounts)
        ]

    # What people do to files.

    def _touch(self, path: Path) -> None:
        """Give a file a time that it never had: direnv compares whole seconds."""
        self.past += 1
        os.utime(path, (self.past, self.past))

    def _write_config(self) -> None:
        lines = ["[profile base]", "region = eu-west-1"]
        for name, arn in self.leads.items():
            if arn:
                lines += [f"[profile {name}]", f"role_arn = {arn}", "source_profile = base", "region = eu-west-1"]
            if arn and name == "prod":
                lines += [f"mfa_serial = {self.world.mfa_serial}", f"mfa_process = {self.program}"]
        draft = self.world.config.with_suffix(".draft")
        draft.write_text("\n".join([*lines, ""]))
        self._touch(draft)
        draft.replace(self.world.config)

    def _write_dotenv(self) -> None:
        path = self.world.root / "dotenv" / ".env"
        path.write_text(f"{self.dotenv}\n")
        self._touch(path)

    # The model.

    def _profile(self, shell: Shell) -> str:
        """Give the profile that the line in a shell's folder declares."""
        if shell.folder == "dotenv":
            name = self.dotenv.partition("=")[2]
            return shell.env.get("STAGE", name[9:-1]) if name.startswith("$") else name
        return PROFILES.get(shell.folder) or shell.outer.get("AWS_PROFILE", "default")

    def declared(self, shell: Shell) -> str | None:
        """Give the ARN that is declared where a shell is, or None for nobody."""
        name = self._profile(shell)
        arn = self.world.user.arn if name == "base" else self.leads.get(name)
        return None if shell.folder == "pinned" and arn and OTHER_ACCOUNT not in arn else arn

    # What is.

    def _check(self, shell: Shell) -> None:
        """Ask STS who a shell is. Raises WalkError unless it is who it should be."""
        env, declared = shell.env, self.declared(shell)
        if shell.folder == "outside":
            held, outer = (_of_aws(each) for each in (env, {**self.world.env, **shell.outer}))
            if held != outer:
                raise WalkError(f"{shell.name} is outside, and has {_names(held, outer)}")
            return
        if "AWS_ACCESS_KEY_ID" not in env and "/awsdirenv/live/" not in env.get("AWS_CONFIG_FILE", ""):
            assert_nobody(env)
            self.counts["closed"] += 1
            if declared and shell.sound:
                raise WalkError(f"{shell.name} is nobody in {shell.folder}, and should be {declared}")
            return
        who = self._who(shell)
        self.counts["open"] += 1
        if who != declared and (who or shell.sound):
            raise WalkError(f"{shell.name} is {who} in {shell.folder}, and should be {declared}")
        self._check_rest(shell)

    def _who(self, shell: Shell) -> str | None:
        """Give the ARN that STS knows for what a shell holds; of a live directory, for what its programs get."""
        env = shell.env
        if "AWS_ACCESS_KEY_ID" in env:
            proof = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", ""))
        else:
            config = RawConfigParser()
            config.read(env["AWS_CONFIG_FILE"])
            command = shlex.split(config[f"profile {env['AWS_PROFILE']}"]["credential_process"])
            words = tuple(command[command.index("credential-process") :])
            done = call(words, env, self.world.root / shell.folder, timeout=60)
            self.counts["asked by a program"] += 1
            if done.returncode:
                return None
            said = json.loads(done.stdout)
            proof = (said["AccessKeyId"], said["SecretAccessKey"], said.get("SessionToken", ""))
        key = self.world.sts.keys.get(proof[0])
        if not key or proof != (key.access_key_id or proof[0], key.secret, key.token):
            raise WalkError(f"{shell.name} has keys in {shell.folder} that nobody was given: {proof[0]}")
        return key.role_arn or key.arn

    def _check_rest(self, shell: Shell) -> None:
        """What stands beside the keys is of the same identity."""
        env, folder = shell.env, shell.folder
        live = "AWS_ACCESS_KEY_ID" not in env
        region = None if live else REGIONS.get(folder, "eu-west-1")
        profile = self._profile(shell)
        wanted = {
            **{"AWSDIRENV_PROFILE": profile, "AWS_PROFILE": profile if live else None, "AWS_DEFAULT_PROFILE": None},
            **{"AWSDIRENV_STAGE": STAGES.get(folder), "AWS_REGION": region, "AWS_SECURITY_TOKEN": None},
            **({} if live else {"AWS_CONFIG_FILE": None, "AWS_SHARED_CREDENTIALS_FILE": None}),
            "AWSDIRENV_LOADED": f"{self._mtime(folder)} {self.world.root / _place(folder)}",
        }
        if not live and (arn := self.declared(shell)) and profile != "base":
            wanted["AWS_ACCOUNT_ID"] = arn.split(":")[4]
        held = {name: env.get(name) for name in wanted}
        # The line of the outer `.envrc` knows the folder in which it stands.
        if folder == "prod/same":
            del wanted["AWSDIRENV_LOADED"], held["AWSDIRENV_LOADED"]
        if held != wanted:
            raise WalkError(f"{shell.name} has in {folder} {held}, and should have {wanted}")

    def _mtime(self, folder: str) -> int:
        return int((self.world.root / _place(folder) / ".envrc").stat().st_mtime)

    # What shells do.

    def _start(self, shell: Shell, folder: str) -> subprocess.Popen[str]:
        """Begin what direnv's hook does at a prompt."""
        return subprocess.Popen(
            ["direnv", "export", "json"],
            env=shell.env,
            cwd=self.world.root / folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _take(self, shell: Shell, folder: str, process: subprocess.Popen[str]) -> None:
        """Wait for it, and take what it has changed."""
        shell.folder = folder
        stdout, stderr = process.communicate(timeout=120)
        if process.returncode:
            raise WalkError(f"direnv failed in {folder}: {stderr}")
        self.story.append("    " + " | ".join(line for line in stderr.splitlines() if line.startswith("awsdirenv: ")))
        for name, value in json.loads(stdout or "{}").items():
            if value is None:
                shell.env.pop(name, None)
            else:
                shell.env[name] = value

    def _prompt(self, shell: Shell, folder: str | None = None) -> None:
        folder = folder or shell.folder
        self._take(shell, folder, self._start(shell, folder))

    def _evaluate(self, shell: Shell) -> None:
        """Have direnv evaluate where a shell is, whatever it has seen."""
        if shell.folder != "outside":
            self._touch(self.world.root / _place(shell.folder) / ".envrc")
        shell.sound = True
        self._prompt(shell)

    def _cd(self, shell: Shell) -> None:
        folder = self.random.choices(list(LINES), [1 if name in COSTLY else 4 for name in LINES])[0]
        self.story[-1] += f" {folder}"
        # direnv evaluates where it comes to another `.envrc`.
        shell.sound = shell.sound or _place(folder) != _place(shell.folder)
        self._prompt(shell, folder)

    def _edit(self, shell: Shell) -> None:
        """Lead a profile to another role, or take it out, or bring it back."""
        name = self.random.choice(list(self.leads))
        self.leads[name] = self.random.choice([None, *self.arns[name]])
        self.story[-1] += f" {name} = {self.leads[name]}"
        self._write_config()
        self._after_change(shell)

    def _touch_config(self, shell: Shell) -> None:
        self._touch(self.world.config)
        self._after_change(shell)

    def _after_change(self, shell: Shell) -> None:
        """Mostly, another program loads what has changed, before the shell does: that costs no process here."""
        if self.random.random() < 0.9:
            self._load_all(shell)
        self._prompt(shell)

    def _load_all(self, shell: Shell) -> None:
        self.story[-1] += ", loaded elsewhere"
        for name, arn in self.leads.items():
            if arn:
                self._supply_code()
                self._ours("load", *([] if name == "prod" else ["--live"]), "--", name)

    def _edit_dotenv(self, shell: Shell) -> None:
        self.dotenv = self.random.choice(DOTENVS)
        self.story[-1] += f" {self.dotenv}"
        self._write_dotenv()
        self._prompt(shell)

    def _change_variable(self, shell: Shell) -> None:
        """direnv does not know that a variable matters: the shell loads again by itself."""
        value = self.random.choice([None, "plain", "staging", "prod", "gone"])
        self.story[-1] += f" STAGE={value}"
        shell.env.pop("STAGE", None)
        if value:
            shell.env["STAGE"] = value
        self._evaluate(shell)

    def _clear(self, shell: Shell) -> None:
        everything = self.random.random() < 0.3
        name = "--all" if everything else self.random.choice(["plain", "staging", "prod"])
        self.story[-1] += f" {name}"
        self._ours("clear", *([name] if everything else ["--", name]))
        if self.random.random() < 0.9:
            self._load_all(shell)
        self._prompt(shell)

    def _kill(self, shell: Shell) -> None:
        """End a load half-way, with all that it has started; the shell keeps what it had."""
        self._ours("clear", "--", self.random.choice(["plain", "staging", "prod"]))
        other = Shell("a killed one", "outside", {}, {**self.world.env})
        process = self._start(other, self.random.choice([name for name in LINES if LINES[name]]))
        wait = self.random.random() * 0.5
        self.story[-1] += f" after {wait * 1000:.0f} ms"
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self._evaluate(shell)

    def _fault(self, shell: Shell) -> None:
        """Let AWS fail while a shell has to ask it; afterwards it may be closed, until it is evaluated again."""
        kind, action = self.random.choice(FAULTS), self.random.choice(["AssumeRole", "GetSessionToken", "*"])
        self.story[-1] += f" {action} {kind}"
        self._ours("clear", "--all")
        self.world.sts.faults.append(Fault(action, kind, self.random.choice([1, None]), 0.05))
        self._evaluate(shell)
        self.world.sts.faults.clear()
        shell.sound = kind == "delay"

    def _end(self, shell: Shell) -> None:
        """Let all that is kept be over, here and at AWS, as after a night."""
        for path in [*(self.world.cache / "snapshots").iterdir(), *(self.world.cache / "sessions").iterdir()]:
            if path.is_file():
                path.write_text(re.sub(r"(?m)^(.*(?:EXPIRATION|ISSUED))=(\d+)$", _a_day_earlier, path.read_text()))
        self.world.sts.expire_all_sessions()
        if self.random.random() < 0.9:
            self._load_all(shell)
        self._evaluate(shell)

    def _two_at_once(self, shell: Shell) -> None:
        other = self.random.choice([each for each in self.shells if each is not shell])
        folders = [self.random.choice([name for name in LINES if LINES[name]]) for _ in range(2)]
        self.story[-1] += f" with {other.name}: {folders}"
        self._ours("clear", "--", self.random.choice(["plain", "staging", "prod"]))
        both = list(zip((shell, other), folders, strict=True))
        started = [self._start(each, folder) for each, folder in both]
        for (each, folder), process in zip(both, started, strict=True):
            each.sound = each.sound or _place(folder) != _place(each.folder)
            self._take(each, folder, process)
        self._check(other)

    def _ours(self, *words: str) -> None:
        """Run a command of ours in another terminal; what it cannot do is no matter here."""
        self.world.run("awsdirenv", *words)

    def _supply_code(self) -> None:
        """Have three codes at hand: two shells may ask at once, and one may be killed with its code in hand."""
        for _ in range(3 - len(list(self.codes.iterdir()))):
            (self.codes / self.world.code()).touch()

    def steps(self) -> list[tuple[int, str, Callable[[Shell], None]]]:
        """Give each kind of step with its weight."""
        return [
            (40, "cd", self._cd),
            (28, "prompt", self._prompt),
            (10, "reload", self._evaluate),
            (6, "edit", self._edit),
            (2, "touch", self._touch_config),
            (4, "dotenv", self._edit_dotenv),
            (4, "variable", self._change_variable),
            (2, "clear", self._clear),
            (1, "kill", self._kill),
            (1, "fault", self._fault),
            (2, "end", self._end),
            (1, "two at once", self._two_at_once),
        ]

    def go(self, steps: int) -> None:
        """Take so many steps. Raises WalkError with the seed, the step's number and the last 20 steps."""
        kinds = self.steps()
        for number in range(1, steps + 1):
            self._supply_code()
            _, name, take = self.random.choices(kinds, [weight for weight, *_ in kinds])[0]
            shell = self.random.choice(self.shells)
            self.counts[name] += 1
            self.story.append(f"{number}: {shell.name} in {shell.folder}: {name}")
            try:
                take(shell)
                self._check(shell)
            except AssertionError as error:
                last = "\n".join(_last(self.story, 20))
                raise WalkError(f"{error}\nSEED={self.seed} STEPS={number}; the last steps:\n{last}") from error


def _place(folder: str) -> str:
    """Give the folder of the `.envrc` that counts in a folder."""
    return "plain" if folder == "plain/below" else folder


def _of_aws(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if OF_AWS.match(name)}


def _names(held: dict[str, str], outer: dict[str, str]) -> str:
    """Name the variables that differ: values may be secret."""
    return ", ".join(sorted({name for name, _ in held.items() ^ outer.items()}))


def _a_day_earlier(line: re.Match[str]) -> str:
    return f"{line[1]}={int(line[2]) - 86400}"


def _last(story: list[str], steps: int) -> Iterable[str]:
    """Give the end of the story, from so many steps before its last one."""
    starts = [number for number, line in enumerate(story) if not line.startswith(" ")]
    return story[starts[-steps:][0] :]


def walk(steps: int, seed: int, root: Path) -> Walk:
    """Take so many steps in a world of their own in a folder; give where that has led. Raises WalkError."""
    with StrictSts() as sts:
        world = World(sts, root)
        walked = Walk(world, seed)
        try:
            walked.go(steps)
        finally:
            world.end_timers()
        return walked


def main() -> None:
    """Walk, and say what was on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="awsdirenv-walk-") as root:
        try:
            walked = walk(options.steps, options.seed, Path(root))
        except WalkError as error:
            sys.exit(str(error))
    counts = ", ".join(f"{name} {count}" for name, count in walked.counts.most_common())
    sys.stderr.write(
        f"{options.steps} steps with SEED={options.seed}, and everybody was who they should be: {counts}\n"
    )


if __name__ == "__main__":
    main()
