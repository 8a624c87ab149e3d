"""Every hint, followed to the letter: the message is gone, or has become another one; and none is forgotten."""

from __future__ import annotations

import pytest

from catalogue import sites
from hint_walk import Row, Steps, Walk, all_rows, follow
from world import World

TABLE = list(all_rows())
# Message and hint that nobody can follow here, and why.
DEMO = "the demo is what shows it: tests/shells/test_demo.py"
NETWORK_DISK = "needs a network file system"
BROKEN_KEYCHAIN, ANOTHER_INSTALLATION = "needs a broken keychain", "needs another installation"
TWO_AT_ONCE = "needs two at once: tests/unit/config/test_key_lines.py"
TERMINAL_OF_KEYS = "needs a terminal: tests/shells/test_keys.py"
CANNOT = {
    (
        "the extension knows no program that prints the state of files exactly, so each load starts Python",
        "install GNU's stat (coreutils, or gnu-coreutils), then: awsdirenv setup",
    ): "needs a machine without GNU's stat",
    ("the console of the partition … is not known", "sign in to it with a browser"): "AWS has no such link there",
    ("…: …", "try the same with: aws sts get-caller-identity --profile NAME"): "for errors of botocore yet to come",
    (
        "…: `aws login` needs botocore 1.41 or newer, with awscrt",
        "… install …",
    ): "needs another installation, and an index",
    ("…: …", "check the files named in …"): "an error of the system without a file's name",
    ("… for … is too long", "shorten it to … bytes"): "no path is so long",
    ("cannot use …: …", "make … writable"): "our folder has been made writable before",
    ("no browser came for the link within …s", "… …"): "waits long; the hint is that of a missing desktop",
    ("cannot hand the link to a browser: …", "… …"): "needs a broken desktop; the hint is that of a missing one",
    ("the interactive demo needs a terminal", "awsdirenv demo"): DEMO,
    ("… cannot use the STS of this machine", "… install …"): "needs another AWS CLI, and an index",
    (
        "the demo failed: it needed … MFA codes instead of one",
        "see above, or try it by hand: awsdirenv demo --interactive",
    ): DEMO,
    ("the demo needs …, which is not installed", "… install …"): "needs another installation",
    ("the demo needs bash, which is not installed", "install bash"): "needs a package manager",
    ("the demo needs direnv, which is not installed", "install direnv with apt-get or brew"): "needs a package manager",
    ("the demo needs aws, which is not installed", "… install …"): "needs another installation",
    ("the demo failed: bash hangs", "see above, or try it by hand: awsdirenv demo --interactive"): DEMO,
    ("the demo failed: bash ended", "see above, or try it by hand: awsdirenv demo --interactive"): DEMO,
    ("the demo failed: `…` did not show: …", "see above, or try it by hand: awsdirenv demo --interactive"): DEMO,
    ("… has changed in the meantime", "look at it, then repeat the command"): "needs two at once: tests/unit/reports",
    ("cannot parse …", "correct …"): "for errors of botocore's parser yet to come",
    (
        "cannot parse …: not …, the encoding of the locale, at byte …",
        "correct …",
    ): "needs a locale that is neither UTF-8 nor Latin",
    ("cannot read …: …", "check …"): "a disk that fails",
    (
        "AWS does not accept the code of the MFA process: …",
        "run the command of AWSDIRENV_MFA_PROCESS or mfa_process yourself",
    ): "waits half a minute for the next code; the hint is that of other faults of the process",
    (
        "the MFA process for … cannot start: …",
        "run the command of AWSDIRENV_MFA_PROCESS or mfa_process yourself",
    ): "needs a machine without sh",
    (
        "the MFA process for … did not end within …s",
        "run the command of AWSDIRENV_MFA_PROCESS or mfa_process yourself",
    ): "waits a minute",
    (
        "… needs a confirmation and stays closed: … has another line after it",
        "to enter …: cd to its own folder",
    ): "no fault, and printed without the hint",
    (
        "the project is too large: we searched only some of its files for access keys",
        "search it yourself: grep -rnE 'A[KS]IA[A-Z2-7]{16}' .",
    ): "takes a project of that size",
    ("the check took longer than …s", "check the disk and the file system"): "a disk that hangs",
    ("the check failed: …", "correct that, then: awsdirenv doctor"): "a disk that fails",
    ("files in … cannot be locked (…): …", "set XDG_CACHE_HOME to a folder on a local file system"): NETWORK_DISK,
    (
        "… is on a network file system (…), where other machines may not see our locks",
        "set XDG_CACHE_HOME to a folder on a local file system",
    ): NETWORK_DISK,
    (
        "… is on a network file system (…): locks work, but take longer",
        "set XDG_CACHE_HOME to a folder on a local file system",
    ): NETWORK_DISK,
    (
        "the credentials ended … ago",
        "check aws_access_key_id and aws_secret_access_key of …",
    ): "long-term keys have no end",
    (
        "no browser has come back from the sign-in to …",
        "try again, or with a browser on another device: …",
    ): "waits ten minutes; the command is the one below the page, as in tests/shells/test_sign_in_redirect.py",
    ("the keychain did not keep what was written into it", "check its free space and rights"): BROKEN_KEYCHAIN,
    ("the keychain is locked", "security unlock-keychain"): "needs a Mac",
    ("the keychain failed: …", "check it with: keyring diagnose"): BROKEN_KEYCHAIN,
    ("the keychain gives another key for profile …", "repeat the command"): TWO_AT_ONCE,
    ("… has changed in the meantime", "repeat the command: it begins with the file as it is"): TWO_AT_ONCE,
    (
        "profile … does not use the keychain, although its credential_process is written",
        "put the keys back: awsdirenv keys remove --restore …",
    ): "for files that we understand otherwise than botocore, and there is none that we know",
    ("the new key … of profile … is another user's: …", "…"): "for answers that AWS would not give",
    (
        "AWS does not take the new key … of profile …: the old one is still in use",
        "wait a minute, then: …; if somebody has deleted it: …",
    ): "waits for a minute: tests/unit/refresh/test_rotation.py",
    ("the keychain needs the library keyring, which is not installed", "… install …"): ANOTHER_INSTALLATION,
    ("the key of profile … is in the keychain, and the library keyring is not installed", "… install …"): (
        ANOTHER_INSTALLATION
    ),
    ("the long-term key … of profile … is in a plain file", "… install …; then awsdirenv keys add …"): (
        ANOTHER_INSTALLATION
    ),
    ("awsdirenv keys … was cancelled", "nothing is lost; to go on: awsdirenv keys … …"): TERMINAL_OF_KEYS,
    ("no access key was typed", "awsdirenv keys add …"): TERMINAL_OF_KEYS,
    ("what was typed is no access key", "again: awsdirenv keys add …"): TERMINAL_OF_KEYS,
    ("removing the key … was not confirmed", "awsdirenv keys remove --restore …"): TERMINAL_OF_KEYS,
    (
        "keys get prints the secret key, which should be on no screen",
        "to try it: aws sts get-caller-identity --profile …",
    ): TERMINAL_OF_KEYS,
    ("bash … is too old", "set bash_path in direnv.toml to bash 4.4 or later"): "needs a bash of macOS",
}


@pytest.mark.parametrize("wanted", TABLE, ids=[one.name for one in TABLE])
def test_a_hint_that_is_followed_leads_on(world: World, wanted: Row) -> None:
    """What a message tells a person to do makes it go away, and the message that may come then is another one."""
    follow(Walk(world), wanted)


def unreached() -> list[str]:
    """Give what no row reaches: messages and hints of places in the source, but for those that cannot be followed."""
    reached = {(one.message, one.hint) for one in TABLE} | set(CANNOT)
    found = []
    for site in sites():
        # Which of a function's messages go with which of its hints, the source does not tell.
        hints = {hint for one in sites() for hint in one.hints if one.function == site.function}
        pairs = [pair for pair in reached if pair[0] in site.messages and pair[1] in hints]
        found += [f"{site.place}: {text}" for text in site.messages if text not in [message for message, _ in pairs]]
        found += [f"{site.place}: -> {text}" for text in site.hints if text not in [hint for _, hint in pairs]]
    return found


def test_every_hint_is_followed() -> None:
    """No message of the source is without a row here: whoever writes a new hint shows that it leads on."""
    assert unreached() == []


def test_no_row_is_left_over() -> None:
    """What cannot be followed here, and why, is said of messages that are still there; and so is what is followed."""
    there = {(message, hint) for site in sites() for message in site.messages for hint in site.hints}
    assert {(one.message, one.hint) for one in TABLE} | set(CANNOT) <= there


def test_a_hint_that_leads_back_is_noticed(world: World) -> None:
    """A person who does nothing, or changes nothing, still sees the message: the walk fails."""

    def idle(walk: Walk) -> Steps:
        yield walk.load("my prof")

    wanted = Row("no profile … in … or …", "add … to …", idle, "idle")
    with pytest.raises(AssertionError, match="the hint leads back"):
        follow(Walk(world), wanted)
