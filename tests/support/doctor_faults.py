"""What `awsdirenv doctor` must find, and what comes near it and is no fault: made for real in a home."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from awsdirenv.cache import key_records
from awsdirenv.cache.key_records import KeyRecord
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import prepare
from awsdirenv.config.chain import KeychainEntry
from awsdirenv.config.keychain_command import keychain_command
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING
from awsdirenv.shell.extension import own_command
from awsdirenv.system.files import extension_source
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import BIN, WHOLE_EXTENSION, World

HOOK = 'eval "$(direnv hook bash)"\n'
# Put together here, so that no scanner takes this file for one with keys.
LONG_TERM, TEMPORARY = "AK" + "IA" + "Q2Y7JT5NB3LD" + "WXYZ", "AS" + "IA" + "Q2Y7JT5NB3LD" + "TUVW"
EXAMPLE = "AK" + "IA" + "IOSFODNN7EXAMPLE"

Row = dict[str, Any]

ASKING = ("network", "access-key", "root-key", "key-age", "mfa", "clock")


@dataclass
class Home:
    """A home, and a project in it where `doctor` is run."""

    world: World
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def rc(self) -> Path:
        return self.world.home / ".bashrc"

    @property
    def direnv(self) -> Path:
        return self.world.home / ".config" / "direnv"

    @property
    def lib(self) -> Path:
        return self.direnv / "lib"

    def file(self, name: str, text: str | bytes) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def git(self, *words: str) -> None:
        """Run git in the project."""
        self.world.run("git", "-c", "init.defaultBranch=main", *words, cwd=self.folder).check_returncode()

    def envrc(self, text: str) -> None:
        """Write the `.envrc`, and allow it."""
        self.file(".envrc", text)
        self.world.allow(self.folder)

    def fake_direnv(self, text: str) -> None:
        """Put a program in front of direnv."""
        program = self.world.program("direnv", text)
        self.env["PATH"] = f"{program.parent}:{self.world.env['PATH']}"

    def toml(self, text: str) -> None:
        """Write direnv's settings."""
        (self.direnv / "direnv.toml").write_text(text, encoding="utf-8")

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `doctor` in the project."""
        return self.world.run("awsdirenv", "doctor", *words, cwd=self.folder, **{**self.env, **env})

    def examine(self, *words: str, **env: str) -> list[Row]:
        """Give the findings, and see to the exit status."""
        done = self.run("--json", *words, **env)
        assert done.returncode in (0, 1), done.stderr
        document = json.loads(done.stdout)
        assert document["version"] == 1
        rows: list[Row] = document["findings"]
        assert done.returncode == any(row["severity"] != "info" for row in rows)
        assert self.world.user.access_key_id not in done.stdout + done.stderr
        assert not any(sentinel in done.stdout + done.stderr for sentinel in (SECRET_PREFIX, TOKEN_PREFIX))
        return rows

    def found(self, check: str, *words: str) -> list[Row]:
        """Give what one check finds. AWS is asked where the check needs it: that takes longer than all the rest."""
        words = words or (() if check in ASKING else ("--offline",))
        return [row for row in self.examine(*words) if row["check"] == check]


def sound_home(world: World) -> Home:
    """Make it: direnv hooked, files private, an MFA device named, and a project with a role in it."""
    world.credentials.chmod(0o600)
    world.config.chmod(0o600)
    world.role("adminrole")
    made = Home(world, world.project("adminrole"))
    made.rc.write_text(HOOK, encoding="utf-8")
    return made


Maker = Callable[[Home], object]
FAULTS: list[tuple[str, str, str, Maker]] = []
SOUND: list[tuple[str, Maker]] = []


def fault(check: str, severity: str, message: str) -> Callable[[Maker], Maker]:
    """Note a fault that `check` must find, with a part of its message."""

    def note(make: Maker) -> Maker:
        FAULTS.append((check, severity, message, make))
        return make

    return note


def sound(check: str) -> Callable[[Maker], Maker]:
    """Note what comes near a fault of `check`, and is none."""

    def note(make: Maker) -> Maker:
        SOUND.append((check, make))
        return make

    return note


# --- direnv and setup ---------------------------------------------------------------------------------------------


@fault("direnv", ERROR, "direnv is not installed")
def _no_direnv(home: Home) -> None:
    home.env["PATH"] = str(BIN)


@fault("direnv", ERROR, "direnv does not run")
def _broken_direnv(home: Home) -> None:
    home.fake_direnv("echo no such library >&2\nexit 127")


@sound("direnv")
def _direnv_elsewhere(home: Home) -> None:
    home.fake_direnv('exec /usr/bin/env PATH="${PATH#*:}" direnv "$@"')


@fault("direnv-version", WARNING, "direnv 2.31.0 is older than 2.32.1")
def _old_direnv(home: Home) -> None:
    home.fake_direnv('[ "$1" = version ] && { echo 2.31.0; exit; }\nPATH="${PATH#*:}" exec direnv "$@"')


@fault("direnv-version", WARNING, "direnv 2.36.0 does not say that an .envrc is not allowed")
def _silent_direnv(home: Home) -> None:
    home.fake_direnv('[ "$1" = version ] && { echo 2.36.0; exit; }\nPATH="${PATH#*:}" exec direnv "$@"')


@sound("direnv-version")
def _newer_direnv(home: Home) -> None:
    home.fake_direnv('[ "$1" = version ] && { echo 2.37.1; exit; }\nPATH="${PATH#*:}" exec direnv "$@"')


@fault("direnv-settings", ERROR, "direnv status fails")
def _broken_settings(home: Home) -> None:
    home.toml("[global\nbash_path = ")


@fault("direnv-settings", INFO, "warn_timeout of 1s prints into the question")
def _hasty_settings(home: Home) -> None:
    home.toml('[global]\nwarn_timeout = "1s"\n')


@sound("direnv-settings")
def _usual_settings(home: Home) -> None:
    home.toml('[global]\nwarn_timeout = "10s"\nstrict_env = true\ndisable_stdin = true\n')


@fault("bash", ERROR, "direnv runs bash 3.2, which is too old")
def _old_bash(home: Home) -> None:
    home.toml(f'[global]\nbash_path = "{home.world.program("bash", "echo 3 2")}"\n')


@fault("bash", ERROR, "the bash that direnv uses does not run")
def _no_bash(home: Home) -> None:
    home.toml('[global]\nbash_path = "/nowhere/bash"\n')


@sound("bash")
def _other_bash(home: Home) -> None:
    path = home.world.program("bash", '#!/bin/sh\nexec bash "$@"')
    home.toml(f'[global]\nbash_path = "{path}"\n')
    home.env["BASH_ENV"] = str(home.world.program("env.sh", "echo 1 0"))


@fault("stat", INFO, "each load starts Python")
def _no_stat_at_setup(home: Home) -> None:
    home.world.install(stat_program="")


@fault("stat", INFO, "each load starts Python")
def _another_stat_than_at_setup(home: Home) -> None:
    home.world.replace_stat('exec /usr/bin/stat "$@" | sed -E "s/[0-9]{3}( [+]0000)? @ /000\\1 @ /"')


@fault("awk", INFO, "no awk that runs")
def _no_awk(home: Home) -> None:
    home.env["PATH"] = f"{home.world.program('awk', 'exit 127').parent}:{home.world.env['PATH']}"


@sound("awk")
def _another_awk(home: Home) -> None:
    program = home.world.program("awk", 'exec /usr/bin/awk "$@"')
    home.env["PATH"] = f"{program.parent}:{home.world.env['PATH']}"


@sound("stat")
def _another_stat_that_is_as_good(home: Home) -> None:
    home.world.replace_stat('exec /usr/bin/stat "$@"')


@fault("hook", ERROR, "direnv's hook is not in")
def _no_hook(home: Home) -> None:
    home.rc.write_text('# eval "$(direnv hook bash)"\n', encoding="utf-8")


@fault("hook", ERROR, "direnv's hook is not in")
def _hook_that_is_only_printed(home: Home) -> None:
    text = f"cat <<END\n{HOOK}END\necho '{HOOK.strip()}' >>~/.bashrc\nalias hook='{HOOK.strip()}'\n"
    home.rc.write_text(text, encoding="utf-8")


@fault("hook", INFO, "SHELL is tcsh")
def _unknown_shell(home: Home) -> None:
    home.env["SHELL"] = "/bin/tcsh"


@fault("hook", ERROR, "/.bashrc")
def _hook_of_another_shells_file(home: Home) -> None:
    home.rc.write_text("alias l=ls\n", encoding="utf-8")
    (home.world.home / ".zshrc").write_text('eval "$(direnv hook zsh)"\n', encoding="utf-8")
    fish = home.world.home / ".config" / "fish" / "config.fish"
    fish.parent.mkdir(parents=True)
    fish.write_text("direnv hook fish | source\n", encoding="utf-8")


@fault("hook", ERROR, "/.bashrc")
def _hook_for_another_shell(home: Home) -> None:
    home.rc.write_text('eval "$(direnv hook zsh)"\n', encoding="utf-8")


@fault("hook", INFO, "/.zshrc, so zsh loads no directory")
def _hook_missing_in_a_second_shell(home: Home) -> None:
    (home.world.home / ".zshrc").write_text("alias l=ls\n", encoding="utf-8")


@fault("hook", INFO, "/.bashrc, so bash loads no directory")
def _hook_missing_in_the_bash_of_a_zsh_user(home: Home) -> None:
    home.env["SHELL"] = "/usr/bin/zsh"
    home.rc.write_text("alias l=ls\n", encoding="utf-8")
    (home.world.home / ".zshrc").write_text('eval "$(direnv hook zsh)"\n', encoding="utf-8")


@sound("hook")
def _hook_for_whichever_shell(home: Home) -> None:
    (home.world.home / ".shellrc").write_text('eval "$(direnv hook "${SHELL##*/}")"\n', encoding="utf-8")
    for name in (".bashrc", ".zshrc"):
        (home.world.home / name).write_text(". ~/.shellrc\n", encoding="utf-8")


@sound("hook")
def _hook_in_the_login_shells_file(home: Home) -> None:
    home.rc.write_text("alias l=ls\n", encoding="utf-8")
    (home.world.home / ".bash_profile").write_text(HOOK, encoding="utf-8")


@sound("hook")
def _hook_of_another_file(home: Home) -> None:
    (home.world.home / "my shell").mkdir()
    (home.world.home / "my shell" / "tools.bash").write_text(HOOK, encoding="utf-8")
    home.rc.write_text('[ -f ~/x ] && . ~/x\nif true; then source "$HOME/my shell/tools.bash"; fi\n', encoding="utf-8")


@sound("hook")
def _hook_that_has_worked(home: Home) -> None:
    home.rc.write_text("source <(cat ~/hooks)\n", encoding="utf-8")
    home.env["DIRENV_DIR"] = f"-{home.folder}"


@sound("hook")
def _hook_of_a_fish(home: Home) -> None:
    home.env["SHELL"] = "/usr/bin/fish"
    conf = home.world.home / ".config" / "fish" / "conf.d"
    conf.mkdir(parents=True)
    (conf / "tools.fish").write_text("direnv hook fish | source\n", encoding="utf-8")


@sound("hook")
def _hook_of_a_plugin(home: Home) -> None:
    home.env["SHELL"] = "/usr/bin/zsh"
    (home.world.home / ".zshrc").write_text("plugins=(git direnv)\n", encoding="utf-8")


def ours(home: Home, shell: str = "bash") -> str:
    """Give the line that sources our hook."""
    return f"source {home.world.home}/.local/share/awsdirenv/hook.{shell}\n"


@fault("hook-order", WARNING, "awsdirenv's hook is above direnv's")
def _hooks_in_the_wrong_order(home: Home) -> None:
    home.rc.write_text(ours(home) + HOOK, encoding="utf-8")


@fault("hook-order", WARNING, "awsdirenv's hook is above direnv's")
def _hooks_in_the_wrong_order_in_zsh(home: Home) -> None:
    home.env["SHELL"] = "/usr/bin/zsh"
    (home.world.home / ".zprofile").write_text(ours(home, "zsh"), encoding="utf-8")
    (home.world.home / ".zshrc").write_text('eval "$(direnv hook zsh)"\n', encoding="utf-8")


@fault("hook-order", WARNING, "awsdirenv's hook is above direnv's")
def _hooks_in_the_wrong_order_in_a_second_shell(home: Home) -> None:
    (home.world.home / ".zshrc").write_text(ours(home, "zsh") + 'eval "$(direnv hook zsh)"\n', encoding="utf-8")


@fault("hook-order", ERROR, "PROMPT_COMMAND is set again below direnv's hook")
def _hook_taken_out(home: Home) -> None:
    home.rc.write_text(HOOK + "PROMPT_COMMAND=my_prompt\n", encoding="utf-8")


@sound("hook-order")
def _hooks_in_order(home: Home) -> None:
    add = 'PROMPT_COMMAND="$PROMPT_COMMAND;my_prompt"\nPROMPT_COMMAND+=";other"\n'
    home.rc.write_text("PROMPT_COMMAND=my_prompt\n" + HOOK + ours(home) + add, encoding="utf-8")


@fault("extension", ERROR, "the extension is not installed")
def _no_extension(home: Home) -> None:
    (home.lib / "awsdirenv.sh").unlink()


@fault("extension", WARNING, "the installed extension is not from this awsdirenv")
def _old_extension(home: Home) -> None:
    path = home.lib / "awsdirenv.sh"
    path.write_text(path.read_text(encoding="utf-8").replace("404", "403"), encoding="utf-8")


@fault("extension", WARNING, "the installed extension is that of an older release")
def _whole_extension(home: Home) -> None:
    (home.lib / "awsdirenv.sh").write_text(WHOLE_EXTENSION, encoding="utf-8")


@fault("extension", ERROR, "a part of the installed extension cannot be read: bytes.sh")
def _moved_extension(home: Home) -> None:
    home.world.install(installed="/gone")


@fault("extension", ERROR, "a part of the installed extension cannot be read: cold.sh")
def _cut_extension(home: Home) -> None:
    parts = home.world.root / "parts"
    shutil.copytree(extension_source().parent, parts)
    text = (parts / "cold.sh").read_text(encoding="utf-8")
    (parts / "cold.sh").write_text(text[: len(text) * 9 // 10], encoding="utf-8")
    home.world.install(installed=str(parts))


@fault("extension", ERROR, "the file at the extension's path is not awsdirenv's")
def _strange_extension(home: Home) -> None:
    (home.lib / "awsdirenv.sh").write_text("use_aws_profile() { :; }\n", encoding="utf-8")


@fault("extension", WARNING, "the installed hook for zsh is not from this awsdirenv")
def _old_hook(home: Home) -> None:
    (home.world.home / ".local/share/awsdirenv/hook.zsh").write_text("# awsdirenv's hook for zsh\n", encoding="utf-8")


@sound("extension")
def _linked_extension(home: Home) -> None:
    path = home.lib / "awsdirenv.sh"
    path.rename(home.world.root / "real.sh")
    path.symlink_to(home.world.root / "real.sh")


@fault("own-function", ERROR, "another use_aws_profile wins")
def _own_function(home: Home) -> None:
    (home.direnv / "direnvrc").write_text("use_aws_profile() {\n  export AWS_PROFILE=$1\n}\n", encoding="utf-8")


@fault("own-function", ERROR, "another use_aws_profile wins")
def _own_function_in_the_old_place(home: Home) -> None:
    (home.world.home / ".direnvrc").write_text("function use_aws_profile { :; }\n", encoding="utf-8")


@fault("own-function", ERROR, "another use_aws_profile wins")
def _own_function_in_lib(home: Home) -> None:
    (home.lib / "work tools.sh").write_text("use_aws_profile() { :; }\n", encoding="utf-8")


@fault("own-function", ERROR, "another use_aws_profile wins")
def _own_function_in_envrc(home: Home) -> None:
    home.envrc("use_aws_profile () { :; }\nuse aws_profile adminrole\n")


@sound("own-function")
def _own_functions_that_lose(home: Home) -> None:
    (home.lib / "a.sh").write_text("use_aws_profile() { :; }\n", encoding="utf-8")
    (home.direnv / "direnvrc").write_text(
        '# use_aws_profile() {\nuse_work() { use_aws_profile "$@"; }\n', encoding="utf-8"
    )
    (home.world.home / ".direnvrc").write_text("use_aws_profile() { :; }\n", encoding="utf-8")  # is not read then


@fault("envrc-allowed", WARNING, "this .envrc is not allowed")
def _changed_envrc(home: Home) -> None:
    home.file(".envrc", "use aws_profile adminrole # changed\n")


@sound("envrc-allowed")
def _no_envrc(home: Home) -> None:
    (home.folder / ".envrc").unlink()


# --- profiles -----------------------------------------------------------------------------------------------------


@fault("profile", ERROR, "no profile nobody in")
def _unknown_profile(home: Home) -> None:
    home.envrc("use aws_profile nobody\n")


@fault("profile", ERROR, "cannot parse")
def _broken_config(home: Home) -> None:
    home.world.config.write_text("[profile adminrole\nregion = x\n", encoding="utf-8")


@fault("profile", ERROR, "AWSDIRENV_LOCK_TIMEOUT is not a duration")
def _broken_setting(home: Home) -> None:
    home.env["AWSDIRENV_LOCK_TIMEOUT"] = "soon"


@fault("profile", ERROR, "profile adminrole names a source_profile that does not exist")
def _broken_chain(home: Home) -> None:
    home.world.credentials.write_text("[other]\n", encoding="utf-8")
    text = home.world.config.read_text(encoding="utf-8")
    home.world.config.write_text(text.replace("[profile base]", "[profile bass]"), encoding="utf-8")


@fault("profile", ERROR, "profile base has half a key: no aws_secret_access_key")
def _half_a_key(home: Home) -> None:
    home.world.credentials.write_text(f"[base]\naws_access_key_id = {LONG_TERM}\n", encoding="utf-8")


@sound("profile")
def _nothing_declared(home: Home) -> None:
    (home.folder / ".envrc").unlink()


@sound("profile")
def _what_only_bash_can_tell(home: Home) -> None:
    home.envrc('use aws_profile "$(cat name)"\n')


def without_region(home: Home) -> None:
    """Take the region out of the profile."""
    text = home.world.config.read_text(encoding="utf-8")
    home.world.config.write_text(re.sub(r"region = .*\n", "", text), encoding="utf-8")


@fault("live-programs", WARNING, "restic finds no credentials in a live directory")
def _restic_in_a_live_directory(home: Home) -> None:
    home.env["RESTIC_REPOSITORY"] = "s3:s3.amazonaws.com/bucket"
    home.envrc("use aws_profile adminrole --live\n")
    changes, _ = home.world.enter(home.folder)
    home.env |= {name: value for name, value in changes.items() if value is not None}


@sound("live-programs")
def _another_repository(home: Home) -> None:
    _restic_in_a_live_directory(home)
    home.env["RESTIC_REPOSITORY"] = "sftp:host:backup"


@fault("region", WARNING, "profile adminrole has no region")
def _no_region(home: Home) -> None:
    without_region(home)


@sound("region")
def _region_on_the_line(home: Home) -> None:
    without_region(home)
    home.envrc("use aws_profile adminrole --region eu-west-1\n")


@sound("region")
def _region_in_the_envrc(home: Home) -> None:
    without_region(home)
    home.envrc("export AWS_REGION=eu-west-1\nuse aws_profile adminrole\n")


@sound("region")
def _region_in_the_environment(home: Home) -> None:
    without_region(home)
    home.env["AWS_DEFAULT_REGION"] = "eu-west-1"


@fault("sso-token", WARNING, "the sign-in to corp has ended")
def _sign_in_over(home: Home) -> None:
    home.world.sso_session("corp", sso_registration_scopes="")
    path = home.world.sso_sign_in("corp", life=-60)
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: value for name, value in values.items() if name != "refreshToken"}))
    home.world.sso_profile("dev")
    home.envrc("use aws_profile dev\n")


@fault("sso-token", WARNING, "nobody has signed in to corp")
def _no_sign_in(home: Home) -> None:
    home.world.sso_session(signed_in=False)
    home.world.sso_profile("dev")
    home.envrc("use aws_profile dev\n")


@sound("sso-token")
def _signed_in(home: Home) -> None:
    home.world.sso_session()
    home.world.sso_profile("dev")
    home.envrc("use aws_profile dev\n")


# --- files --------------------------------------------------------------------------------------------------------


@fault("permissions", ERROR, "/.aws/credentials can be read or written by others (0644)")
def _public_credentials(home: Home) -> None:
    home.world.credentials.chmod(0o644)


@fault("permissions", WARNING, "/.aws/config can be read or written by others (0640)")
def _public_config(home: Home) -> None:
    home.world.config.chmod(0o640)


@fault("permissions", ERROR, "can be read or written by others (0604)")
def _public_config_with_secrets(home: Home) -> None:
    home.world.profile("old", aws_access_key_id="a", aws_secret_access_key="b")
    home.env["AWS_CONFIG_FILE"] = str(home.world.root / "my config")
    home.world.config.rename(home.env["AWS_CONFIG_FILE"])
    Path(home.env["AWS_CONFIG_FILE"]).chmod(0o604)


@sound("permissions")
def _read_only_files(home: Home) -> None:
    home.world.credentials.chmod(0o400)
    home.world.config.chmod(0o400)


@fault("keys-in-files", ERROR, "a long-term access key (…WXYZ) is in a file that git tracks")
def _tracked_key(home: Home) -> None:
    home.git("init", "-q")
    home.file("deploy me.tf", f'region = "x"\naccess_key = "{LONG_TERM}"\n')
    home.git("add", "deploy me.tf")


@fault("keys-in-files", WARNING, "a long-term access key (…WXYZ) is in a file of this project")
def _key_in_dotenv(home: Home) -> None:
    home.git("init", "-q")
    home.file(".gitignore", ".env*\n")
    home.file(".env.local", f"AWS_ACCESS_KEY_ID={LONG_TERM}\n")


@fault("keys-in-files", WARNING, "a long-term access key (…WXYZ) is in a file of this project")
def _key_in_envrc(home: Home) -> None:
    home.envrc(f"use aws_profile adminrole\nexport AWS_ACCESS_KEY_ID={LONG_TERM}\n")


@fault("keys-in-files", WARNING, "a long-term access key (…WXYZ) is in a file of this project")
def _key_without_git(home: Home) -> None:
    home.file("src/$(touch pwned)/-x\n.py", f"key='{LONG_TERM}'")


@fault("keys-in-files", WARNING, "a temporary access key (…TUVW) is in a file that git tracks")
def _tracked_temporary_key(home: Home) -> None:
    home.git("init", "-q")
    home.file("log.txt", f"https://x/?X-Amz-Credential={TEMPORARY}%2F2026\n")
    home.git("add", "log.txt")


@sound("keys-in-files")
def _no_keys(home: Home) -> None:
    home.git("init", "-q")
    home.file("README.md", f"{EXAMPLE}\nX{LONG_TERM}\n{LONG_TERM}A\n{LONG_TERM[:-1]}\n{LONG_TERM.lower()}\n")
    home.file("blob", b"\0\1\2" + LONG_TERM.encode())
    home.file("node_modules/x.js", LONG_TERM)
    home.file(".gitignore", "node_modules\n")
    home.git("add", "README.md", "blob")


@sound("keys-in-files")
def _no_keys_without_git(home: Home) -> None:
    home.file("README.md", f"{EXAMPLE}\nX{LONG_TERM}\n{LONG_TERM}A\n{LONG_TERM[:-1]}\n{LONG_TERM.lower()}\n")
    home.file("blob", b"\0\1\2" + LONG_TERM.encode())


def rc_line(line: str) -> Maker:
    """Make a home with a line in a start-up file."""

    def make(home: Home) -> None:
        home.rc.write_text(f"{HOOK}{line}\n", encoding="utf-8")

    return make


for _line in (
    "export AWS_PROFILE=work",
    "export PATH=/x AWS_PROFILE='work'; true",
    "  declare -x AWS_PROFILE=work",
    "AWS_PROFILE=work",
    "test -f ~/x && export AWS_PROFILE=work",
    "f() { true; }\nexport AWS_PROFILE=work",
    "f() {\n  true\n}\nexport AWS_PROFILE=work",
):
    fault("aws-variables", WARNING, "AWS_PROFILE is set in a start-up file")(rc_line(_line))
for _line in (
    "# export AWS_PROFILE=work",
    "alias work='export AWS_PROFILE=work'",
    "AWS_PROFILE=work aws s3 ls",
    "awsp() { export AWS_PROFILE=$1; }",
    "function awsp\n{\n  export AWS_PROFILE=$1\n}\n",
    "unset AWS_PROFILE",
    "export AWS_PAGER= MY_AWS_PROFILE=work",
    'echo "export AWS_PROFILE=work"',
):
    sound("aws-variables")(rc_line(_line))


@fault("aws-variables", INFO, "AWS_REGION is set in a start-up file, and wins")
def _region_in_rc(home: Home) -> None:
    (home.world.home / ".zshenv").write_text("export AWS_REGION=us-east-1\n", encoding="utf-8")


@fault("aws-variables", WARNING, "AWS_ACCESS_KEY_ID is set in a start-up file")
def _keys_in_fish(home: Home) -> None:
    folder = home.world.home / ".config" / "fish"
    folder.mkdir(parents=True)
    (folder / "config.fish").write_text(f"set -gx AWS_ACCESS_KEY_ID {LONG_TERM}\n", encoding="utf-8")


@sound("aws-variables")
def _erased_in_fish(home: Home) -> None:
    folder = home.world.home / ".config" / "fish"
    folder.mkdir(parents=True)
    text = "set -e AWS_PROFILE x\nset -q AWS_PROFILE; and echo x\nfunction p\n  set -gx AWS_PROFILE $argv\nend\n"
    (folder / "config.fish").write_text(text, encoding="utf-8")


def in_fish(home: Home, command: str) -> None:
    """Run a command in a real fish."""
    home.world.run("fish", "-c", command).check_returncode()


@fault("fish-universals", ERROR, "AWS_SESSION_TOKEN is a universal variable of fish")
def _universal(home: Home) -> None:
    in_fish(home, f"set -Ux AWS_SESSION_TOKEN {TOKEN_PREFIX}")


@sound("fish-universals")
def _harmless_universals(home: Home) -> None:
    in_fish(home, "set -Ux AWS_PAGER less; set -U AWS_PROFILE x; set -Ux EDITOR 'AWS_PROFILE:'")


# --- our folder ---------------------------------------------------------------------------------------------------


@fault("cache-folder", ERROR, "cannot be written to")
def _file_for_a_folder(home: Home) -> None:
    home.env["XDG_CACHE_HOME"] = str(home.world.credentials)


@sound("cache-folder")
def _no_folder_yet(home: Home) -> None:
    home.env["XDG_CACHE_HOME"] = str(home.world.root / "not yet" / "there")


@fault("locks", INFO, "the mark of a killed process")
def _left_over_claim(home: Home) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    claim = home.world.cache / "claims" / "adminrole"
    claim.write_text(f"{ended.pid}\n", encoding="ascii")
    os.utime(claim, (time.time() - 3600,) * 2)


@sound("locks")
def _marks_of_the_living(home: Home) -> None:
    claim = home.world.cache / "claims" / "adminrole"
    claim.write_text(f"{os.getpid()}\n", encoding="ascii")
    os.utime(claim, (time.time() - 3600,) * 2)
    home.world.login("adminrole")  # leaves lock files behind, as every load does


def forgotten(home: Home, name: str = "adminrole") -> None:
    """Log in, and take the profile out of the file."""
    home.world.login(name)
    text = home.world.config.read_text(encoding="utf-8")
    home.world.config.write_text(text.replace(f"[profile {name}]", "[profile renamed]"), encoding="utf-8")
    home.envrc("use aws_profile renamed\n")


@fault("snapshots", WARNING, "credentials of adminrole are stored, but this profile no longer exists")
def _forgotten_profile(home: Home) -> None:
    forgotten(home)


@sound("snapshots")
def _snapshot_of_other_files(home: Home) -> None:
    home.world.login("adminrole")
    home.env["AWS_CONFIG_FILE"] = str(home.world.root / "other")
    Path(home.env["AWS_CONFIG_FILE"]).write_text("[profile renamed]\n", encoding="utf-8")
    home.envrc("use aws_profile renamed\n")


# --- what AWS says ------------------------------------------------------------------------------------------------


@fault("network", INFO, "AWS was not asked about keys")
def _no_network(home: Home) -> None:
    home.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"


@fault("network", INFO, "AWS was not asked about keys")
def _captive_portal(home: Home) -> None:
    home.world.sts.add_fault("*", "html", times=None)


@sound("network")
def _iam_denied(home: Home) -> None:
    home.world.sts.iam.denied = {"ListAccessKeys", "ListMFADevices"}


@fault("access-key", ERROR, "AWS does not take the access key")
def _deleted_key(home: Home) -> None:
    home.world.sts.revoke(home.world.user.access_key_id)


@sound("access-key")
def _key_of_an_unused_profile(home: Home) -> None:
    user = home.world.sts.add_user("gone")
    home.world.sts.revoke(user.access_key_id)
    home.world.profile("gone", aws_access_key_id=user.access_key_id, aws_secret_access_key=user.secret_access_key)


def of_root(home: Home) -> None:
    """Make the key the root user's."""
    home.world.sts.keys[home.world.user.access_key_id].arn = "arn:aws:iam::123456789012:root"


@fault("root-key", ERROR, "is the root user's")
def _key_of_root(home: Home) -> None:
    of_root(home)


@sound("root-key")
def _user_called_root(home: Home) -> None:
    home.world.sts.keys[home.world.user.access_key_id].arn = "arn:aws:iam::123456789012:user/root"


def aged(home: Home, days: float) -> None:
    """Make the key so many days old."""
    home.world.sts.iam.created[home.world.user.access_key_id] = time.time() - days * 86400


@fault("key-age", WARNING, "of profile base is 91 days old")
def _old_key(home: Home) -> None:
    aged(home, 91.5)


def another_key(home: Home) -> str:
    """Give the user a second key, which is old."""
    keys = home.world.sts.keys
    made = replace(keys[home.world.user.access_key_id], access_key_id=f"AKIDTEST{'Z' * 12}")
    keys[made.access_key_id] = made
    home.world.sts.iam.created[made.access_key_id] = time.time() - 400 * 86400
    return made.access_key_id


@fault("key-age", WARNING, "the access key …ZZZZ of the user of profile base is 400 days old")
def _another_old_key(home: Home) -> None:
    another_key(home)


@sound("key-age")
def _another_old_key_that_is_inactive(home: Home) -> None:
    home.world.sts.revoke(another_key(home))


@sound("key-age")
def _young_key(home: Home) -> None:
    aged(home, 89.5)


@sound("key-age")
def _old_key_that_may_not_ask(home: Home) -> None:
    aged(home, 900)
    home.world.sts.iam.denied = {"ListAccessKeys"}


def without_device(home: Home) -> None:
    """Take the device out of the config file."""
    text = home.world.config.read_text(encoding="utf-8")
    home.world.config.write_text(re.sub(r"mfa_serial = .*\n", "", text), encoding="utf-8")


@fault("mfa", WARNING, "of profile base has no MFA device")
def _user_without_device(home: Home) -> None:
    home.world.sts.keys[home.world.user.access_key_id].mfa_serial = ""


@fault("mfa", WARNING, "profile base has long-term keys and no mfa_serial")
def _no_device_named(home: Home) -> None:
    without_device(home)
    home.world.sts.iam.denied = {"ListMFADevices"}


@fault("mfa", INFO, "no profile names the MFA device of the user of profile base")
def _device_not_named(home: Home) -> None:
    without_device(home)


@sound("mfa")
def _device_named(home: Home) -> None:
    home.world.sts.iam.denied = {"ListMFADevices"}


@sound("mfa")
def _device_in_the_environment(home: Home) -> None:
    without_device(home)
    home.env["AWS_MFA_SERIAL"] = home.world.mfa_serial


@fault("clock", ERROR, "this machine's clock is 1h00m behind AWS's")
def _slow_clock(home: Home) -> None:
    home.world.sts.configure(clock_offset=3600)


@fault("clock", WARNING, "ahead of AWS's")
def _fast_clock(home: Home) -> None:
    home.world.sts.configure(clock_offset=-120)


@sound("clock")
def _good_clock(home: Home) -> None:
    home.world.sts.configure(clock_offset=30)


@fault("line-ends", ERROR, "the lines of this .envrc end as on Windows")
def _windows_lines(home: Home) -> None:
    home.envrc("use aws_profile adminrole\r\nexport A=1\r\n")


@sound("line-ends")
def _carriage_return_within(home: Home) -> None:
    home.envrc("use aws_profile adminrole\nexport A=$'a\\r' B='a\rb'\n")


@fault("drafts", WARNING, "has left a draft")
def _left_draft(home: Home) -> None:
    os.utime(home.file("..env.awsdirenv-new", "x"), (1, 1))


@sound("drafts")
def _draft_at_work(home: Home) -> None:
    home.file("..env.awsdirenv-new", "x")
    os.utime(home.file(".env.new", "x"), (1, 1))


# --- long-term keys: in plain files, and in the keychain ----------------------------------------------------------


def with_desktop(home: Home) -> None:
    """Have a D-Bus session, as far as its variable tells: no check asks the keychain itself."""
    home.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"


@fault("plain-keys", INFO, "of profile base is in a plain file")
def _plain_key(home: Home) -> None:
    with_desktop(home)


@fault("plain-keys", INFO, "of profile base is in a plain file, which has not changed for 100 days")
def _old_plain_file(home: Home) -> None:
    with_desktop(home)
    then = time.time() - 100.5 * 86400
    os.utime(home.world.credentials, (then, then))


@sound("plain-keys")
def _plain_key_without_a_keychain(home: Home) -> None:
    home.env.pop("DBUS_SESSION_BUS_ADDRESS", None)


@sound("plain-keys")
def _key_of_a_session(home: Home) -> None:
    with_desktop(home)
    with home.world.credentials.open("a", encoding="utf-8") as file:
        file.write("aws_session_token = x\n")


def in_keychain(home: Home, days: float, *, is_rotating: bool = False, program: str = "") -> None:
    """Have the key in the keychain, as far as AWS's files and our notes tell, since so many days."""
    command = [program, "-I", "-c", "x", "/nowhere"] if program else own_command()
    home.world.credentials.write_text("", encoding="utf-8")
    process = keychain_command(command, KeychainEntry("base", "AIDA1"))
    text = home.world.config.read_text(encoding="utf-8")
    line = f"[profile base]\ncredential_process = {process}\n"
    home.world.config.write_text(text.replace("[profile base]\n", line), encoding="utf-8")
    since = datetime.now(timezone.utc) - timedelta(days=days)
    paths = CachePaths(home.world.cache)
    prepare(paths)
    key_records.write(paths, KeyRecord("base", "…ABCD", since, is_made_then=True, is_rotating=is_rotating))


@fault("keychain", WARNING, "the key …ABCD of profile base is 91 days old")
def _old_key_in_keychain(home: Home) -> None:
    in_keychain(home, 91.5)


@fault("keychain", WARNING, "the rotation of the key …ABCD of profile base has not ended")
def _open_rotation(home: Home) -> None:
    in_keychain(home, 1, is_rotating=True)


@fault("keychain", ERROR, "names an awsdirenv that is not there any more")
def _installation_that_is_gone(home: Home) -> None:
    in_keychain(home, 1, program="/gone/awsdirenv/bin/python3")


@sound("keychain")
def _young_key_in_keychain(home: Home) -> None:
    in_keychain(home, 89.5)


@sound("keychain")
def _key_without_a_note(home: Home) -> None:
    in_keychain(home, 400)
    for note in (home.world.cache / "marks").glob("keychain-*"):
        note.unlink()
