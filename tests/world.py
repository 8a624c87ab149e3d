"""A person's machine in a temporary folder: a home, AWS's files, projects with an `.envrc`, and programs run in it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

from strict_sts import StrictSts

BIN = Path(sys.executable).parent
REGION = "eu-west-1"
# What must be gone inside a directory that could not be opened, and outside of any.
BLOCK = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCOUNT_ID",
)

_CODES = itertools.count(100001)


class World:
    """`awsdirenv`, `aws` and `direnv` see only this home and only this STS."""

    def __init__(self, sts: StrictSts, root: Path) -> None:
        self.sts = sts
        self.root = root
        self.home = root / "home"
        self.config = self.home / ".aws" / "config"
        self.credentials = self.home / ".aws" / "credentials"
        self.cache = self.home / ".cache" / "awsdirenv"
        self.config.parent.mkdir(parents=True)
        self.user = sts.add_user("foo")
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "SHELL": "/bin/bash",
            "AWS_ENDPOINT_URL": sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.credentials.write_text(
            f"[base]\naws_access_key_id = {self.user.access_key_id}\n"
            f"aws_secret_access_key = {self.user.secret_access_key}\n"
        )
        self.config.write_text(f"[profile base]\nregion = {REGION}\n")
        self.run("awsdirenv", "setup").check_returncode()

    @property
    def mfa_serial(self) -> str:
        return self.user.mfa_serial

    def code(self) -> str:
        """Make STS take a new code, once, and give it."""
        code = f"{next(_CODES):06d}"
        self.sts.accept_code(self.mfa_serial, code)
        return code

    def profile(self, name: str, **values: object) -> None:
        """Append a profile to the config file."""
        lines = [f"[profile {name}]", *(f"{key} = {value}" for key, value in values.items())]
        with self.config.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def role(self, name: str, *, mfa: bool = True, **values: object) -> str:
        """Make a role and a profile of the same name for it; give the ARN."""
        arn = self.sts.add_role(name, require_mfa=mfa)
        settings: dict[str, object] = {"role_arn": arn, "source_profile": "base", "region": REGION}
        if mfa:
            settings["mfa_serial"] = self.mfa_serial
        self.profile(name, **{**settings, **values})
        return arn

    def project(self, name: str, envrc: str | None = None) -> Path:
        """Make a folder with an allowed `.envrc`; by default it uses the profile of its name."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".envrc").write_text(f"use aws_profile {name}\n" if envrc is None else envrc, encoding="utf-8")
        self.run("direnv", "allow", str(folder)).check_returncode()
        return folder

    def run(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program with nobody at a terminal."""
        return subprocess.run(
            command,
            env={**self.env, **env},
            cwd=cwd or self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def enter(self, folder: Path, **env: str) -> tuple[dict[str, str | None], str]:
        """Evaluate a folder's `.envrc` as a shell's hook would; give the changes (None: unset) and stderr."""
        done = self.run("direnv", "export", "json", cwd=folder, **env)
        assert done.returncode == 0, done.stderr
        changes: dict[str, str | None] = json.loads(done.stdout or "{}")
        return changes, done.stderr

    def login(self, profile: str) -> None:
        """Log in with a fresh code."""
        done = self.run("awsdirenv", "login", profile, "--token-code", self.code())
        assert done.returncode == 0, done.stderr
