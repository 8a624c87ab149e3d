"""Hints of `awsdirenv keys` and of keys in the keychain, each followed with a real keychain."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hint_rows_config import ARN
from hint_walk import Act, Steps, Walk, row
from keychains import PASSWORD, locked, session, unlocked
from shells import Shell
from strict_sts import User
from world import BIN

SHOWN = "if nobody needs …: … -- aws iam delete-access-key --access-key-id …"
TWO_KEYS = "the user of profile … has two access keys, and IAM allows no third: …, and …, which is "


@contextmanager
def desktop(walk: Walk) -> Iterator[None]:
    """Have an open keychain, and a credentials file that nobody else can read."""
    if walk.world.credentials.exists():
        walk.world.credentials.chmod(0o600)
    with unlocked(walk.world):
        yield


def moved(walk: Walk) -> None:
    """Put the key of `base` into the keychain."""
    walk.does("awsdirenv keys add base")


def write_key(walk: Walk, user: User, *more: str) -> None:
    """Have a user's key, and no other one, in the credentials file."""
    values = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}
    lines = [*(f"{name} = {value}" for name, value in values.items()), *more]
    walk.world.credentials.write_text("\n".join(["[base]", *lines, ""]), encoding="utf-8")


def keys(walk: Walk, words: str) -> Act:
    """Give what runs `awsdirenv keys`."""
    return walk.shell(f"awsdirenv keys {words}")


# --- the keychain itself ------------------------------------------------------------------------------------------


@row(
    "there is no keychain here: nothing answers as Secret Service",
    "in a desktop session, or: dbus-run-session -- bash, then gnome-keyring-daemon --unlock",
)
def _no_keychain(walk: Walk) -> Steps:
    hint = yield keys(walk, "add base")
    assert "dbus-run-session -- bash" in hint
    with session(walk.world) as variables:  # it types just these two commands
        walk.env |= variables
        yield keys(walk, "add base")


@row("the keychain is locked", "unlock it: sign in to the desktop, or gnome-keyring-daemon --replace --unlock")
def _locked(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
    with locked(walk.world) as variables:
        walk.env |= variables
        hint = yield walk.shell("awsdirenv login base")
        walk.does(f"printf %s '{PASSWORD}' | {hint.rpartition(' or ')[2]}")
        yield walk.shell("awsdirenv login base")


@row("the keychain did not answer within …s", "unlock it, or answer its question on the desktop, then try again")
def _silent(walk: Walk) -> Steps:
    walk.env["AWSDIRENV_KEYCHAIN_TIMEOUT"] = "2s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path := str(walk.world.root / "bus"))
        listener.listen()
        walk.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={path}"
        yield keys(walk, "add base")
    del walk.env["AWSDIRENV_KEYCHAIN_TIMEOUT"]
    with session(walk.world) as variables:
        walk.env |= variables
        yield keys(walk, "add base")


def _set_backend(message: str, name: str) -> None:
    @row(message, "remove default-keyring from …")
    def set_backend(walk: Walk) -> Steps:
        with desktop(walk):
            setting = walk.world.home / ".config" / "python_keyring" / "keyringrc.cfg"
            setting.parent.mkdir(parents=True)
            setting.write_text(f"[backend]\ndefault-keyring={name}\n", encoding="utf-8")
            hint = yield keys(walk, "add base")
            path = Path(hint.rpartition(" ")[2])
            path.write_text(re.sub("default-keyring.*", "", path.read_text(encoding="utf-8")), encoding="utf-8")
            yield keys(walk, "add base")


_set_backend("keyring is set to ….…, which is no safe keychain", "keyring.backends.null.Keyring")
_set_backend("keyring cannot use its setting: …", "nothing.Keyring")


@row(
    "the keychain has something else than keys for profile …",
    "awsdirenv keys remove --yes …, then put the keys in again",
)
def _something_else(walk: Walk) -> Steps:
    with desktop(walk):
        program = "from keyring.backends.SecretService import Keyring; Keyring().set_password('awsdirenv', 'base', 'x')"
        walk.does(f'{BIN}/python -c "{program}"')
        hint = yield keys(walk, "add base")
        walk.does(hint.partition(",")[0])
        yield keys(walk, "add base")


# --- into the keychain and back -----------------------------------------------------------------------------------


@row("the keychain has no keys of profile …", "awsdirenv keys add …")
def _no_keys(walk: Walk) -> Steps:
    with desktop(walk):
        hint = yield keys(walk, "remove base")
        walk.does(hint)
        yield keys(walk, "remove --restore base")


@row("the keys of profile … in the keychain are those of another user", "awsdirenv keys add …")
def _another_users(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        config = walk.world.config
        config.write_text(re.sub("--user=\\w+", "--user=AIDAELSE", config.read_text("utf-8")), encoding="utf-8")
        hint = yield walk.shell("awsdirenv login base")
        walk.does(hint)
        yield walk.shell("awsdirenv login base")


@row(
    "the keychain has another key of profile …, …",
    "if you do not need that one: awsdirenv keys remove --yes …, then again",
)
def _another_key(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        write_key(walk, walk.world.sts.add_user("other"))
        hint = yield keys(walk, "add base")
        walk.does(hint.partition(": ")[2].partition(",")[0])
        yield keys(walk, "add base")


@row("profile … has another key, …, in …", "remove that one, then: awsdirenv keys remove --restore …")
def _another_key_in_the_way(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        write_key(walk, walk.world.sts.add_user("other"))
        hint = yield keys(walk, "remove --restore base")
        walk.world.credentials.write_text("", encoding="utf-8")
        yield walk.shell(hint.partition(": ")[2])


def _only_copy(part: int) -> None:
    @row(
        "the keychain has the only copy of the key … of profile …",
        "to put it back into the file: awsdirenv keys remove --restore …; to delete it: awsdirenv keys remove --yes …",
    )
    def only_copy(walk: Walk) -> Steps:
        with desktop(walk):
            moved(walk)
            hint = yield keys(walk, "remove base")
            yield walk.shell(re.findall(r"awsdirenv keys [^;]*", hint)[part])


_only_copy(0)
_only_copy(1)


@row("the rotation of the key of profile … has not ended", "awsdirenv keys rotate …")
def _open_rotation(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        walk.world.sts.add_fault("UpdateAccessKey", "access-denied")
        walk.run("awsdirenv keys rotate base")
        hint = yield keys(walk, "remove --restore base")
        walk.does(hint)
        yield keys(walk, "remove --restore base")


@row("profile … assumes a role: its keys are those of its source_profile", "awsdirenv keys add …")
def _role(walk: Walk) -> Steps:
    walk.config(f"[profile p]\nrole_arn = {ARN}\nsource_profile = base\n")
    with desktop(walk):
        hint = yield keys(walk, "add p")
        yield walk.shell(hint)


@row(
    "profile … assumes a role: its keys are those of its source_profile",
    "move the keys to a profile of their own, and name it as source_profile of …",
)
def _role_with_its_own_key(walk: Walk) -> Steps:
    walk.config(f"[profile p]\nrole_arn = {ARN}\nsource_profile = p\n")
    credentials = walk.world.credentials
    text = credentials.read_text(encoding="utf-8")
    credentials.write_text(text.replace("[base]", "[p]"), encoding="utf-8")
    with desktop(walk):
        yield keys(walk, "add p")
        credentials.write_text(text, encoding="utf-8")
        walk.rewrite(walk.world.config, "[profile p]", source_profile="base")
        yield keys(walk, "add base")


@row("profile … has …, and so gets its credentials from there", "remove … from …, or name another profile")
def _another_program(walk: Walk) -> Steps:
    walk.rewrite(walk.world.config, "[profile base]", credential_process="/bin/true")
    with desktop(walk):
        hint = yield keys(walk, "add base")
        walk.edit(hint, credential_process=None)
        yield keys(walk, "add base")


@row("the keys of profile … are those of a session, which soon ends", "name a profile with long-term keys")
def _keys_of_a_session(walk: Walk) -> Steps:
    other = walk.world.sts.add_user("other")
    walk.world.profile("other", aws_access_key_id=other.access_key_id, aws_secret_access_key=other.secret_access_key)
    write_key(walk, walk.world.user, "aws_session_token = x")
    with desktop(walk):
        yield keys(walk, "add base")
        yield keys(walk, "add other")


@row("profile … has two access keys: the AWS CLI uses the one of …", "remove the other one from … of …")
def _two_keys(walk: Walk) -> Steps:
    walk.rewrite(walk.world.config, "[profile base]", aws_access_key_id="AKIDOTHER", aws_secret_access_key="x")
    with desktop(walk):
        yield keys(walk, "add base")
        walk.rewrite(walk.world.config, "[profile base]", aws_access_key_id=None, aws_secret_access_key=None)
        yield keys(walk, "add base")


@row("STS does not take the access key … (…)", "check the key in IAM, and both halves of it")
def _wrong_key(walk: Walk) -> Steps:
    good = walk.world.credentials.read_text(encoding="utf-8")
    walk.world.credentials.write_text(good.replace("SECRET-", "SECRET-x"), encoding="utf-8")
    with desktop(walk):
        yield keys(walk, "add base")
        walk.world.credentials.write_text(good, encoding="utf-8")
        yield keys(walk, "add base")


@row("STS does not take the key of profile … in the keychain (…)", "awsdirenv keys remove …, then put a valid one in")
def _deleted_key(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        walk.world.sts.revoke(walk.world.user.access_key_id)
        hint = yield walk.shell("awsdirenv login base")
        walk.does(hint.partition(",")[0].replace("keys remove", "keys remove --yes"))
        write_key(walk, walk.world.sts.add_user("other"))
        moved(walk)
        yield walk.shell("awsdirenv login base")


@row("… is written in a way that we cannot change safely", "write each key on one line in its own section")
def _in_default(walk: Walk) -> Steps:
    credentials = walk.world.credentials
    good = credentials.read_text(encoding="utf-8")
    credentials.write_text(
        f"[DEFAULT]\n{good.partition(chr(10))[2]}[base]\n[other]\nregion = eu-west-1\n", encoding="utf-8"
    )
    with desktop(walk):
        yield keys(walk, "add base")
        credentials.write_text(good, encoding="utf-8")
        yield keys(walk, "add base")


@row("others may read …, so no secret is written into it", "chmod 600 …")
def _open_file(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        walk.world.credentials.chmod(0o644)
        hint = yield keys(walk, "remove --restore base")
        walk.does(hint)
        yield keys(walk, "remove --restore base")


@row("cannot change …: it is no regular file, or larger than 1 MiB", "check …")
def _huge(walk: Walk) -> Steps:
    config = walk.world.config
    good = config.read_bytes()
    config.write_bytes(good + b"# x\n" * (1 << 18))
    with desktop(walk):
        hint = yield keys(walk, "add base")
        Path(hint.removeprefix("check ")).write_bytes(good)
        yield keys(walk, "add base")


@row("--… is for awsdirenv keys …", "awsdirenv keys --help")
def _option(walk: Walk) -> Steps:
    with desktop(walk):
        hint = yield keys(walk, "add --restore base")
        assert "--restore" in walk.does(hint)
        yield keys(walk, "add base")


@row(
    "AWS's files have no long-term key of profile …, and nobody is here to type one",
    "in a terminal: awsdirenv keys add …",
)
def _nobody(walk: Walk) -> Steps:
    walk.world.credentials.write_text("", encoding="utf-8")
    user = walk.world.user
    with desktop(walk):
        hint = yield keys(walk, "add base")
        with Shell(walk.world, "bash") as shell:
            shell.start(hint.removeprefix("in a terminal: "))
            for question, answer in (("of base: ", user.access_key_id), ("not shown): ", user.secret_access_key)):
                shell.expect(question)
                shell.send(f"{answer}\r")
            shell.finish()
        yield keys(walk, "add base")


# --- rotation -----------------------------------------------------------------------------------------------------


def _second_key(state: str) -> None:
    @row(TWO_KEYS + state, SHOWN)
    def second_key(walk: Walk) -> Steps:
        walk.world.credentials.chmod(0o600)
        walk.does("awsdirenv exec --no-session base -- aws iam create-access-key")
        if state == "inactive":
            walk.world.sts.iam.keys_of(walk.world.user.arn)[-1].revoked = True
        hint = yield keys(walk, "rotate base")
        walk.does(hint.partition(": ")[2])


_second_key("active")
_second_key("inactive")


@row("the user of profile … may not call …: …", "let the user's policy allow it for their own keys, as in docs/iam.md")
def _not_allowed(walk: Walk) -> Steps:
    walk.world.credentials.chmod(0o600)
    walk.rewrite(walk.world.config, "[profile base]", mfa_serial=walk.world.mfa_serial)
    walk.world.sts.iam.denied = {"CreateAccessKey"}
    walk.world.run("awsdirenv", "login", "--token-code", walk.world.code(), "base").check_returncode()
    yield keys(walk, "rotate base")
    walk.world.sts.iam.denied = set()


@row("…; a code may be needed, and no profile names an MFA device", "add mfa_serial to …; or …")
def _no_device(walk: Walk) -> Steps:
    walk.world.credentials.chmod(0o600)
    walk.world.sts.iam.needs_mfa = True
    hint = yield keys(walk, "rotate base")
    walk.edit(hint, mfa_serial=walk.world.mfa_serial)
    walk.env["AWSDIRENV_MFA_PROCESS"] = f"echo {walk.world.code()}"


@row(
    "profile … has the same key as profile …, and would be left with a deleted one",
    "remove the key from …; a role there can have source_profile = …",
)
def _twin(walk: Walk) -> Steps:
    walk.world.credentials.chmod(0o600)
    user = walk.world.user
    walk.world.profile("twin", aws_access_key_id=user.access_key_id, aws_secret_access_key=user.secret_access_key)
    yield keys(walk, "rotate base")
    walk.rewrite(walk.world.config, "[profile twin]", aws_access_key_id=None, aws_secret_access_key=None)


@row("AWS does not take the access key … of profile … (…)", "replace it by a valid one of IAM's")
def _dead_key(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        walk.world.sts.revoke(walk.world.user.access_key_id)
        yield keys(walk, "rotate base")
        walk.does("awsdirenv keys remove --yes base")
        write_key(walk, walk.world.sts.add_user("other"))
        moved(walk)
        yield keys(walk, "rotate base")


@row("profile … has no long-term keys of its own", "name the profile that has the keys")
def _no_key_to_rotate(walk: Walk) -> Steps:
    walk.world.credentials.chmod(0o600)
    walk.config(f"[profile p]\nrole_arn = {ARN}\nsource_profile = base\n")
    yield keys(walk, "rotate p")
    yield keys(walk, "rotate base")


@row("[…] of … is not as awsdirenv has written it", "look whether one of its keys is needed, then remove it")
def _strange_section(walk: Walk) -> Steps:
    walk.world.credentials.chmod(0o600)
    good = walk.world.credentials.read_text(encoding="utf-8")
    walk.world.credentials.write_text(f"{good}\n[awsdirenv-rotation base]\nx = y\n", encoding="utf-8")
    yield keys(walk, "rotate base")
    walk.world.credentials.write_text(good, encoding="utf-8")


# --- doctor -------------------------------------------------------------------------------------------------------


def doctor(walk: Walk) -> Act:
    """Give what `doctor` finds."""
    return walk.report("awsdirenv doctor --offline", "findings")


def _plain(message: str, days: int) -> None:
    @row(message, "awsdirenv keys add …")
    def plain(walk: Walk) -> Steps:
        if days:
            then = time.time() - days * 86400
            os.utime(walk.world.credentials, (then, then))
        with desktop(walk):
            hint = yield doctor(walk)
            walk.does(hint)
            yield doctor(walk)


_plain("the long-term key … of profile … is in a plain file", 0)
_plain("the long-term key … of profile … is in a plain file, which has not changed for … days", 100)


@row("the long-term key … of profile … is in a plain file, and … days old", "awsdirenv keys add …")
def _old_in_plain_file(walk: Walk) -> Steps:
    walk.world.sts.iam.created[walk.world.user.access_key_id] = time.time() - 100 * 86400
    walk.world.project("project", "use aws_profile base\n")
    with desktop(walk):
        hint = yield walk.report("awsdirenv doctor", "findings")
        walk.does(hint)
        yield walk.report("awsdirenv doctor", "findings")


@row("credential_process of profile … names an awsdirenv that is not there any more", "awsdirenv keys add …")
def _moved_installation(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        config = walk.world.config
        text = config.read_text(encoding="utf-8")
        config.write_text(re.sub("= \\S+/python3", "= /gone/python3", text), encoding="utf-8")
        hint = yield doctor(walk)
        walk.does(hint)
        yield doctor(walk)


@row("the rotation of the key … of profile … has not ended", "awsdirenv keys rotate …")
def _rotation_in_doctor(walk: Walk) -> Steps:
    with desktop(walk):
        moved(walk)
        walk.world.sts.add_fault("UpdateAccessKey", "access-denied")
        walk.run("awsdirenv keys rotate base")
        hint = yield doctor(walk)
        walk.does(hint)
        yield doctor(walk)


def _old_in_keychain(message: str, *, rotated: bool) -> None:
    @row(message, "awsdirenv keys rotate …")
    def old_in_keychain(walk: Walk) -> Steps:
        with desktop(walk):
            moved(walk)
            if rotated:
                walk.does("awsdirenv keys rotate base")
            (note,) = (walk.world.cache / "marks").glob("keychain-*")
            then = f"SINCE={int(time.time()) - 100 * 86400}"
            note.write_text(re.sub(r"SINCE=\d+", then, note.read_text("utf-8")), encoding="utf-8")
            hint = yield doctor(walk)
            walk.does(hint)
            yield doctor(walk)


_old_in_keychain("the key … of profile … is … days old", rotated=True)
_old_in_keychain("the key … of profile … has been in the keychain for … days", rotated=False)
