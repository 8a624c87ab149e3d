"""Hints of `doctor`: each fault of doctor_faults.py is put right as its finding says, and is not found again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from awsdirenv.system.lock import Locks
from container import allows, must_have
from doctor_faults import ASKING, FAULTS, LONG_TERM, Home, Maker, sound_home
from hint_rows_directory import typed
from hint_walk import Hint, Steps, Walk, row

Follow = Callable[[Walk, Home, Hint], object]
MAKERS = {make.__name__.strip("_"): make for *_, make in FAULTS}
CHECKS = {make.__name__.strip("_"): check for check, _, _, make in FAULTS}
BASH = "install a bash of 4.4 or later, and set bash_path to it in direnv.toml, under [global]"
ELSEWHERE = "set XDG_CACHE_HOME to a folder on a local file system"


def does(walk: Walk, home: Home, hint: Hint) -> None:
    """Run the hint as a command."""
    walk.does(hint, home.folder)


def last(walk: Walk, home: Home, hint: Hint) -> None:
    """Run the command at the end of the hint."""
    walk.does(hint.rpartition(": ")[2], home.folder)


def finding(message: str, hint: str, maker: str | Maker, follow: Follow = does, check: str = "") -> None:
    """Note a row for a finding."""
    make = MAKERS[maker] if isinstance(maker, str) else maker
    check = check or CHECKS[make.__name__.strip("_")]

    def steps(walk: Walk) -> Steps:
        home = sound_home(walk.world)
        walk.folder, walk.env = home.folder, home.env
        make(home)
        hint = yield walk.report(f"awsdirenv doctor{'' if check in ASKING else ' --offline'}", "findings")
        follow(walk, home, hint)

    steps.__name__ = make.__name__
    row(message, hint)(steps)


def in_rc(walk: Walk, home: Home, hint: Hint) -> None:
    """Add the line that the hint shows to the file that the message names."""
    path = re.search(r"(~?/\S*?)(?:,|$)", hint.message)
    assert path, hint.message
    rc = Path(path[1].replace("~", str(home.world.home)))
    rc.write_text(rc.read_text(encoding="utf-8") + hint.rpartition("add to it: ")[2] + "\n", encoding="utf-8")


def without_program(walk: Walk, home: Home, hint: Hint) -> None:
    """Have the real program again."""
    home.env.pop("PATH")


def with_toml(text: str) -> Follow:
    """Write direnv's settings."""
    return lambda _walk, home, _hint: home.toml(text)


def in_order(walk: Walk, home: Home, hint: Hint) -> None:
    """Turn the order of a start-up file's lines round: the first one is moved to its end."""
    first, *others = home.rc.read_text(encoding="utf-8").splitlines(keepends=True)
    home.rc.write_text("".join([*others, first]), encoding="utf-8")


# --- direnv and setup ---------------------------------------------------------------------------------------------

finding(
    "direnv is not installed",
    "apt-get install direnv, brew install direnv, or see its documentation",
    "no_direnv",
    without_program,
)


def _by_hand(walk: Walk, home: Home, hint: Hint) -> None:
    done = walk.run(hint.rpartition(": ")[2], home.folder)
    assert done.returncode, "by hand it works"
    if "PATH" in home.env:
        without_program(walk, home, hint)
    else:
        home.toml("")


finding("direnv does not run", "run it yourself: direnv version", "broken_direnv", _by_hand)
finding("direnv … is older than …, the oldest that we test", "update direnv", "old_direnv", without_program)


def _until_then(walk: Walk, home: Home, hint: Hint) -> None:
    last(walk, home, hint)
    without_program(walk, home, hint)


finding(
    "direnv … does not say that an .envrc is not allowed",
    "update direnv to 2.37.1 or newer; until then: direnv status",
    "silent_direnv",
    _until_then,
)
finding("direnv status fails", "correct what this says: direnv status", "broken_settings", _by_hand)
finding(
    "direnv's warn_timeout of … prints into the question for an MFA code",
    "set warn_timeout in direnv.toml to 5s, which is its default, or more",
    "hasty_settings",
    with_toml('[global]\nwarn_timeout = "5s"\n'),
)
GOOD_BASH = with_toml('[global]\nbash_path = "/bin/bash"\n')
finding("the bash that direnv uses does not run", BASH, "no_bash", GOOD_BASH)
finding("direnv runs bash ….…, which is too old", BASH, "old_bash", GOOD_BASH)
finding(
    "the extension knows no program that prints the state of files exactly, so each load starts Python",
    "awsdirenv setup",
    "no_stat_at_setup",
)
finding(
    "there is no awk that runs, so completion offers no profiles", "install mawk, or gawk", "no_awk", without_program
)
finding("direnv's hook is not in …", "add to it: …", "no_hook", in_rc)


def _some_shell(walk: Walk, home: Home, hint: Hint) -> None:
    path, _, line = hint.removeprefix("one of ").partition("; ")[0].partition(": ")
    assert path == str(home.rc)
    home.rc.write_text(line, encoding="utf-8")
    home.env["SHELL"] = "/bin/bash"


finding("SHELL is …, so direnv's hook was not looked for", "one of …", "unknown_shell", _some_shell)


def no_shell(home: Home) -> None:
    """Have no shell at all."""
    home.env["SHELL"] = ""


finding("SHELL is not set, so direnv's hook was not looked for", "one of …", no_shell, _some_shell, "hook")
finding(
    "direnv's hook is not in …, so … loads no directory",
    "if you use …, add to it: …",
    "hook_missing_in_a_second_shell",
    in_rc,
)
finding(
    "awsdirenv's hook is above direnv's, at …: new credentials come late",
    "move the line below direnv's",
    "hooks_in_the_wrong_order",
    in_order,
)
finding(
    "PROMPT_COMMAND is set again below direnv's hook, which removes the hook",
    "move direnv's line to the end of the file",
    "hook_taken_out",
    in_order,
)


def precmd_functions(home: Home) -> None:
    """Have a zsh whose list of hooks is replaced."""
    home.env["SHELL"] = "/usr/bin/zsh"
    rc = home.world.home / ".zshrc"
    rc.write_text('eval "$(direnv hook zsh)"\nprecmd_functions=(mine)\n', encoding="utf-8")


def _in_order_in_zsh(walk: Walk, home: Home, hint: Hint) -> None:
    rc = home.world.home / ".zshrc"
    first, second = rc.read_text(encoding="utf-8").splitlines(keepends=True)
    rc.write_text(second + first, encoding="utf-8")


finding(
    "precmd_functions is set again below direnv's hook, which removes the hook",
    "move direnv's line to the end of the file",
    precmd_functions,
    _in_order_in_zsh,
    "hook-order",
)
finding("the extension is not installed", "awsdirenv setup", "no_extension")


def _move_away(walk: Walk, home: Home, hint: Hint) -> None:
    (home.lib / "awsdirenv.sh").rename(home.lib / "awsdirenv.old")
    last(walk, home, hint)


finding(
    "the file at the extension's path is not awsdirenv's",
    "move it away, then: awsdirenv setup",
    "strange_extension",
    _move_away,
)
finding(
    "the installed extension is that of an older release, in one file that every evaluation reads whole",
    "awsdirenv setup",
    "whole_extension",
)
for _maker in ("moved_extension", "cut_extension"):
    finding(
        "a part of the installed extension cannot be read: …",
        "install awsdirenv again, then: awsdirenv setup",
        _maker,
        last,
    )
finding(
    "the installed extension is not from this awsdirenv …",
    "awsdirenv setup",
    "old_extension",
)
finding("the installed hook for … is not from this awsdirenv", "awsdirenv setup", "old_hook")


def _rename(walk: Walk, home: Home, hint: Hint) -> None:
    path = home.direnv / "direnvrc"
    path.write_text(path.read_text(encoding="utf-8").replace("use_aws_profile", "use_mine"), encoding="utf-8")


finding("another use_aws_profile wins over awsdirenv's", "rename or remove the function", "own_function", _rename)
finding("this .envrc is not allowed, so direnv does not load it", "direnv allow …", "changed_envrc")


# --- our folder ---------------------------------------------------------------------------------------------------


def _folder(walk: Walk, home: Home, hint: Hint) -> None:
    path = Path(re.findall(r"make (\S+) a writable folder", hint)[0])
    path.unlink()
    path.mkdir()


finding("… cannot be written to", "make … a writable folder", "file_for_a_folder", _folder)


def of_a_stranger(home: Home) -> None:
    """Give our folder to somebody else."""
    must_have("root", is_there=allows("root"))
    os.chown(home.world.cache, 12345, 12345)


def _elsewhere(walk: Walk, home: Home, hint: Hint) -> None:
    (home.world.root / "cache").mkdir()
    home.env["XDG_CACHE_HOME"] = str(home.world.root / "cache")


finding("… belongs to another user", ELSEWHERE, of_a_stranger, _elsewhere, "cache-folder")


def _lock(message: str, note: str) -> None:
    @row(message, "answer it, or end that process: kill …")
    def lock(walk: Walk) -> Steps:
        home = sound_home(walk.world)
        walk.folder, walk.env = home.folder, home.env
        folder = home.world.cache / "locks"
        with Locks(folder, 5, lambda *_: None).hold("mfa-x"):
            path = folder / "mfa-x.lock"
            if note:
                path.write_text(f"{os.getpid()}\t/dev/pts/9\t{note}\n", encoding="utf-8")
            os.utime(path, (time.time() - 720,) * 2)
            hint = yield walk.report("awsdirenv doctor --offline", "findings")
            assert hint.endswith(f"kill {os.getpid()}")


_lock("a lock has been held for … by …", "asking for the MFA code")
_lock("a lock has been held for … by pid …", "")
finding("the mark of a killed process: it does no harm, and the next load ignores it", "rm …", "left_over_claim")
finding("credentials of … are stored, but this profile no longer exists", "awsdirenv clear …", "forgotten_profile")


# --- profiles -----------------------------------------------------------------------------------------------------


def _region(walk: Walk, home: Home, hint: Hint) -> None:
    walk.edit(hint, region="eu-west-1")


NO_REGION = ("profile … has no region", "add to …: region = NAME, or to the line in .envrc: --region NAME")
finding(*NO_REGION, "no_region", _region)
finding(*NO_REGION, "no_region", lambda _w, home, _h: home.envrc("use aws_profile adminrole --region eu-west-1\n"))


def _with_keys(walk: Walk, home: Home, _hint: Hint) -> None:
    home.envrc("use aws_profile adminrole --keys\n")
    for name in [name for name in home.env if name.startswith(("AWS_", "AWSDIRENV_", "DIRENV_"))]:
        del home.env[name]  # as a shell does that leaves the directory
    changes, _ = walk.world.enter(home.folder, **home.env)
    home.env |= {name: value for name, value in changes.items() if value is not None}


finding(
    "restic finds no credentials in a live directory",
    "awsdirenv exec -- restic COMMAND, or --keys on the line in .envrc",
    "restic_in_a_live_directory",
    _with_keys,
)


def _signed_in(walk: Walk, home: Home, hint: Hint) -> None:
    walk.world.sts.sso.auto_approve_after(0)
    assert typed(walk, f"{hint} --no-browser")() == []


finding("the sign-in to … has ended", "awsdirenv login …", "sign_in_over", _signed_in)
finding("nobody has signed in to …", "awsdirenv login …", "no_sign_in", _signed_in)
finding("AWS was not asked about keys: …", "…", "no_network", lambda _w, home, _h: home.env.pop("AWS_ENDPOINT_URL"))


def another_key(walk: Walk, home: Home, hint: Hint) -> None:
    """Make a new key in IAM, put it in the place of the old one, and delete that."""
    sts, user = walk.world.sts, walk.world.user
    old = sts.keys[user.access_key_id]
    new = replace(old, access_key_id="AKIDTESTNEWNEWNEWNEW", arn=re.sub(":root$", ":user/foo", user.arn), revoked=False)
    sts.keys[new.access_key_id] = new
    for key in [key for key in sts.keys if key != new.access_key_id and sts.keys[key].kind == "user"]:
        del sts.keys[key]
        sts.iam.created.pop(key, None)
    sts.iam.created[new.access_key_id] = time.time()
    keys = {"aws_access_key_id": new.access_key_id, "aws_secret_access_key": new.secret}
    walk.rewrite(walk.world.credentials, "[base]", **keys)


finding(
    "AWS does not take the access key … of profile …",
    "it may be deleted or inactive in IAM; replace it with a new one",
    "deleted_key",
    another_key,
)
finding(
    "the access key … of profile … is the root user's",
    "make an IAM user or use IAM Identity Center, and delete the root user's keys",
    "key_of_root",
    another_key,
)
finding("the access key … of profile … is … days old", "awsdirenv keys rotate …", "old_key")
finding(
    "the access key … of the user of profile … is … days old",
    "delete it in IAM if nobody needs it, else replace it there",
    "another_old_key",
    another_key,
)


def _device(walk: Walk, home: Home, hint: Hint) -> None:
    walk.world.sts.keys[walk.world.user.access_key_id].mfa_serial = "arn:aws:iam::123456789012:mfa/foo"
    walk.world.sts.iam.denied = set()
    serial = re.sub("^ARN$", "arn:aws:iam::123456789012:mfa/foo", hint.rpartition(" = ")[2])
    if "[" in hint:
        walk.edit(hint, mfa_serial=serial)


finding(
    "the user of the access key … of profile … has no MFA device",
    "give the user one in IAM, and name it: mfa_serial = ARN",
    "user_without_device",
    _device,
)
finding(
    "no profile names the MFA device of the user of profile …",
    "add to …: mfa_serial = …",
    "device_not_named",
    _device,
)
finding(
    "profile … has long-term keys and no mfa_serial",
    "give the user an MFA device, and add to …: mfa_serial = ARN",
    "no_device_named",
    _device,
)
CLOCK = "set it, and keep it right: timedatectl set-ntp true, or your system's settings"


def _clock(walk: Walk, home: Home, hint: Hint) -> None:
    walk.world.sts.configure(clock_offset=0)


finding("this machine's clock is … behind AWS's", CLOCK, "slow_clock", _clock)
finding("this machine's clock is … ahead of AWS's", CLOCK, "fast_clock", _clock)


# --- files --------------------------------------------------------------------------------------------------------

finding("… can be read or written by others (…)", "chmod 600 …", "public_credentials")
LONG, SHORT = "a long-term access key (…) is in a file", "a temporary access key (…) is in a file"
GIT, PROJECT = "that git tracks", "of this project"


def _taken_out(name: str) -> Follow:
    def follow(walk: Walk, home: Home, hint: Hint) -> None:
        home.file(name, "use aws_profile adminrole\n")
        home.world.allow(home.folder)

    return follow


MOVE, OUT = "move the key to ~/.aws/credentials, and remove it from the file", "remove it from the file"
DEACTIVATE = "deactivate the key in IAM, because others may have it, and remove it from the file"
finding(f"{LONG} {GIT}", DEACTIVATE, "tracked_key", _taken_out("deploy me.tf"))
finding(f"{LONG} {PROJECT}", MOVE, "key_in_envrc", _taken_out(".envrc"))
finding(f"{SHORT} {GIT}", OUT, "tracked_temporary_key", _taken_out("log.txt"))


def temporary(home: Home) -> None:
    """Have a temporary key in a file that is not in git."""
    home.file("notes", LONG_TERM.replace("AKIA", "ASIA"))


finding(f"{SHORT} {PROJECT}", OUT, temporary, _taken_out("notes"), "keys-in-files")


def many_keys(home: Home) -> None:
    """Have more keys than doctor lists."""
    for number in range(40):
        home.file(f"file{number}", f"{LONG_TERM[:-2]}{'ABCDEFGH'[number // 8]}{'ABCDEFGH'[number % 8]}\n")


def _first_ones(walk: Walk, home: Home, hint: Hint) -> None:
    for number in range(35):
        (home.folder / f"file{number}").unlink()


finding(
    "… more access keys are in this project's files",
    "follow the hints for the first ones, then: awsdirenv doctor",
    many_keys,
    _first_ones,
    "keys-in-files",
)
finding("the lines of this .envrc end as on Windows, with CR LF, so bash misreads them", "…", "windows_lines")
finding("a killed command of awsdirenv has left a draft, which may contain credentials", "rm …", "left_draft")


def _in_fish(walk: Walk, home: Home, hint: Hint) -> None:
    walk.world.run("fish", "-c", hint.removeprefix("in fish: ")).check_returncode()


finding("… is a universal variable of fish: it is visible if a directory unsets …", "…", "universal", _in_fish)


def _line_removed(name: str) -> Follow:
    def follow(walk: Walk, home: Home, hint: Hint) -> None:
        path = home.world.home / name
        text = path.read_text(encoding="utf-8")
        path.write_text("".join(line for line in text.splitlines(keepends=True) if "AWS" not in line), encoding="utf-8")

    return follow


finding(
    "… is set in a start-up file, and wins over the region of each profile",
    "remove the line to use each profile's own region",
    "region_in_rc",
    _line_removed(".zshenv"),
)
finding(
    "… is set in a start-up file: a new shell has it together with the keys of a directory",
    "remove the line: .envrc names the profile",
    "keys_in_fish",
    _line_removed(".config/fish/config.fish"),
)
