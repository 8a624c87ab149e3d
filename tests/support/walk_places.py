"""Where a random walk leads: the folders with their `.envrc`, AWS's files, and who one should be in each folder.

All that a person may edit is edited here, so that the model knows it as it is written.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from world import REGION, World

ACCOUNT, OTHER_ACCOUNT = "123456789012", "999999999999"
OUTSIDE = "outside"
# The text of each folder's `.envrc`, or "" for none: there that of the folder above counts.
ENVRCS = {
    "plain": "use aws_profile plain",
    "plain/below": "",
    "prod": "use aws_profile prod --stage production",
    "prod/inner": "source_up\nuse aws_profile staging --region us-east-1",
    "prod/same": "source_up",
    "prod/live": "source_up\nuse aws_profile plain --live",
    "live": "use aws_profile staging --live",
    "live/keys": "source_up\nuse aws_profile prod",
    "live/live": "source_up\nuse aws_profile plain --live --region us-east-1",
    "ambient": "use aws_profile",
    "ambient/live": "use aws_profile --live",
    "dotenv": "use aws_profile",
    "bare": "use aws_profile base --no-session",
    "unknown": "use aws_profile nobody",
    "pinned": f"use aws_profile plain --account {OTHER_ACCOUNT}",
    OUTSIDE: "",
}
# The folders whose line is edited, one of them with others below it, and what it may become.
EDITED = ("plain", "prod")
EDITS = ("plain", "staging", "prod", "staging --live", "plain --region us-east-1", "prod --stage production", "gone")
DOTENVS = (
    "AWS_PROFILE=plain",
    "AWS_PROFILE=${STAGE:-plain}",
    "AWS_PROFILE=${STAGE:-staging}",
    "AWS_PROFILE=gone",
    "A=b",
)
NAMES = ("plain", "staging", "prod", "default")


@dataclass(frozen=True)
class Line:
    """What the last line of ours in an `.envrc` asks for. `nested` tells whether another one stands above it."""

    profile: str | None
    nested: bool
    live: bool
    bare: bool
    region: str | None
    stage: str | None
    account: str | None


def parse(text: str) -> Line:
    """Take the last line of ours apart."""
    words = text.rpartition("use aws_profile")[2].split()
    options = dict(pairwise(words))
    profile = words[0] if words and not words[0].startswith("-") else None
    asked = [options.get(name) for name in ("--region", "--stage", "--account")]
    return Line(profile, "source_up" in text, "--live" in words, "--no-session" in words, *asked)


def title(profile: str) -> str:
    """Give the title of a profile's section in a config file."""
    return profile if profile == "default" else f"profile {profile}"


class Places:
    """The folders and files of a world, and the model of them.

    `leads` has, for each of the two config files, the ARN that a profile leads to, or None where it is not there.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.past = int(time.time()) - 10**7
        self.codes = world.root / "codes"
        self.codes.mkdir()
        self.configs = (world.config, world.root / "another-config")
        self.arns = {name: self._roles(name) for name in NAMES}
        # In the second file each profile leads to another role than in the first.
        self.leads: list[dict[str, str | None]] = [
            {name: self.arns[name][number] for name in NAMES} for number in (0, 1)
        ]
        takes_one = f"for code in {self.codes}/*; do rm $code && basename $code && exit; done"
        self.program = world.program("code", takes_one)
        self.editions = [0 for _ in self.configs]
        self.dotenv = ""
        self.envrcs = dict(ENVRCS)
        for folder, text in ENVRCS.items():
            (world.root / folder).mkdir(parents=True, exist_ok=True)
            if text:
                self.write_envrc(folder, text)
        for number in range(len(self.configs)):
            self.write_config(number)
        self.write_dotenv(DOTENVS[1])

    def _roles(self, name: str) -> list[str]:
        """Make the roles that a profile may lead to, the last of them in another account."""
        add, is_mfa = self.world.sts.add_role, name == "prod"
        accounts = (ACCOUNT, ACCOUNT, OTHER_ACCOUNT)
        return [add(f"{name}-{number}", account, require_mfa=is_mfa) for number, account in enumerate(accounts)]

    # What a person writes.

    def _touch(self, path: os.PathLike[str]) -> None:
        """Give a file a time that it never had: direnv compares whole seconds."""
        self.past += 1
        os.utime(path, (self.past, self.past))

    def touch_envrc(self, folder: str) -> None:
        self._touch(self.world.root / folder / ".envrc")

    def touch_config(self, number: int) -> None:
        self._touch(self.configs[number])

    def write_envrc(self, folder: str, text: str) -> None:
        """Write an `.envrc`, and allow it."""
        self.envrcs[folder] = text
        (self.world.root / folder / ".envrc").write_text(f"{text}\n")
        self.world.allow(self.world.root / folder)
        self.touch_envrc(folder)

    def write_config(self, number: int) -> None:
        """Replace a config file by what the profiles lead to, as an editor does."""
        self.editions[number] += 1
        lines = []
        for name in self.profiles(number):
            lines += [f"[{title(name)}]", f"region = {REGION}"]
            if arn := self.leads[number].get(name):
                lines += [f"role_arn = {arn}", "source_profile = base"]
            if name == "prod":
                lines += [f"mfa_serial = {self.world.mfa_serial}", f"mfa_process = {self.program}"]
        draft = self.configs[number].with_suffix(".draft")
        draft.write_text("\n".join([*lines, ""]))
        self._touch(draft)
        draft.replace(self.configs[number])

    def profiles(self, number: int) -> list[str]:
        """Give the profiles in a config file. One of them tells which edition it is."""
        there = [name for name, arn in self.leads[number].items() if arn]
        return ["base", *there, f"edition-{self.editions[number]}"]

    def write_dotenv(self, text: str) -> None:
        self.dotenv = text
        path = self.world.root / "dotenv" / ".env"
        path.write_text(f"{text}\n")
        self._touch(path)

    def supply_codes(self) -> None:
        """Have three codes at hand: two shells may ask at once, and one may be killed with its code in hand."""
        for _ in range(3 - len(list(self.codes.iterdir()))):
            (self.codes / self.world.code()).touch()

    # What clocks do. No test can set that of the machine, so the times that are kept are moved.

    def let_pass(self, seconds: int) -> None:
        """Make all credentials older, as they are kept here and at AWS."""
        self._edit_kept(r"(.*EXPIRATION|.*ISSUED)", -seconds)
        for key in list(self.world.sts.keys.values()):
            key.expires -= seconds if key.token else 0

    def set_clock_back(self, seconds: int) -> None:
        """Make all be written by a clock that was ahead, and is right now."""
        self._edit_kept(r"(.*EXPIRATION|.*ISSUED|.*CLOCK=[^:]*)", seconds)
        self._edit_kept("(OFFSET)", -seconds)

    def _edit_kept(self, name: str, seconds: int) -> None:
        """Add so many seconds to the values of that name in all that is kept."""
        for folder in ("snapshots", "sessions"):
            for path in filter(Path.is_file, (self.world.cache / folder).iterdir()):
                text = re.sub(
                    rf"(?m)^{name}([=:])(-?\d+)$", lambda m: f"{m[1]}{m[2]}{int(m[3]) + seconds}", path.read_text()
                )
                path.write_text(text)

    # Who one should be. `env` is the environment outside of all folders.

    def home_of(self, folder: str) -> str:
        """Give the folder of the `.envrc` that counts in a folder."""
        return folder if folder == OUTSIDE or self.envrcs[folder] else folder.rpartition("/")[0]

    def deciding(self, folder: str) -> str:
        """Give the folder of the `.envrc` in which the line stands that counts in a folder."""
        home = self.home_of(folder)
        return home.rpartition("/")[0] if self.envrcs[home] == "source_up" else home

    def line(self, folder: str) -> Line:
        """Give the line that counts in a folder."""
        return parse(self.envrcs[self.deciding(folder)])

    def above(self, folder: str) -> str | None:
        """Give the folder above, where its line is also evaluated, before the one that counts."""
        return folder.rpartition("/")[0] if self.line(folder).nested else None

    def profile(self, folder: str, env: Mapping[str, str]) -> str:
        """Give the profile that is declared in a folder."""
        name = self.line(folder).profile
        if name is None and folder == "dotenv" and self.dotenv.startswith("AWS_PROFILE="):
            name = self.dotenv.partition("=")[2]
            return env.get("STAGE", name[9:-1]) if name.startswith("$") else name
        return name or env.get("AWS_PROFILE", "default")

    def declared(self, folder: str, env: Mapping[str, str]) -> str | None:
        """Give the ARN that is declared in a folder, or None for nobody."""
        line, name = self.line(folder), self.profile(folder, env)
        if name == "base":
            return self.world.user.arn
        arn = self.leads[self.config_of(env)].get(name)
        return None if line.bare or (arn and line.account and line.account not in arn) else arn

    def config_of(self, env: Mapping[str, str]) -> int:
        """Give the number of the config file that counts."""
        return int(env.get("AWS_CONFIG_FILE") == str(self.configs[1]))

    def region(self, folder: str, env: Mapping[str, str]) -> str | None:
        """Give the region that is in the environment in a folder which is open."""
        line = self.line(folder)
        return line.region or env.get("AWS_REGION") or (None if line.live else REGION)
