"""Hints of `whoami`: a shell that differs from its directory, and what makes it one again."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from hint_rows_config import ARN
from hint_rows_directory import typed
from hint_walk import Act, Steps, Walk, row
from network import closed_port

RELOAD = "direnv reload"
FORCE = "awsdirenv login …"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def whoami(walk: Walk) -> Act:
    """Give what asks who one is in the project."""
    return walk.report("awsdirenv whoami", "problems")


def roles(walk: Walk) -> None:
    """Have three roles, one in another account and one behind a device."""
    world = walk.world
    for name in ("p", "q"):
        world.role(name, mfa=False)
    world.profile("far", role_arn=world.sts.add_role("far", account="210987654321"), source_profile="base")
    world.role("coded")


def enter(walk: Walk, envrc: str | None = None) -> str:
    """Come to a prompt in the project; give what is said."""
    if envrc is not None:
        walk.world.project(walk.folder.name, envrc)
        for allowed in (walk.world.home / ".local" / "share" / "direnv" / "allow").iterdir():
            os.utime(allowed, (1, 1))  # direnv compares whole seconds: `direnv reload` gives it another one
    changes, said = walk.world.enter(walk.folder, **walk.env)
    walk.env = {name: value for name, value in {**walk.env, **changes}.items() if value is not None}
    return said


def reload(walk: Walk) -> str:
    """Run `direnv reload`, and come to the next prompt."""
    walk.does(RELOAD, walk.folder)
    return enter(walk)


def new_shell(walk: Walk, envrc: str | None = None) -> str:
    """Open another shell in the project."""
    walk.env = {}
    return enter(walk, envrc)


def inside(walk: Walk, envrc: str = "use aws_profile p\n") -> None:
    """Sit in the project, with roles and all."""
    roles(walk)
    enter(walk, envrc)


def unset(walk: Walk, hint: str) -> None:
    """Do what `unset NAMES; in fish: …` says."""
    for name in hint.removeprefix("unset ").partition(";")[0].split():
        walk.env.pop(name, None)


def confirm(walk: Walk) -> None:
    """Reload at a terminal, and type the name of the profile p."""
    line = f"cd {walk.folder} && direnv reload && direnv export json >/dev/null"
    assert typed(walk, line, "p\r", question="to enter p")() == []
    new_shell(walk)


def reloaded(message: str, change: Callable[[Walk], object], envrc: str = "use aws_profile p\n") -> None:
    """Note a row for what `direnv reload` puts right."""

    @row(message, RELOAD)
    def by_reload(walk: Walk) -> Steps:
        inside(walk, envrc)
        change(walk)
        yield whoami(walk)
        reload(walk)

    by_reload.__name__ = change.__name__


# --- a closed directory -------------------------------------------------------------------------------------------


@row("… is closed", "direnv reload, which says why")
def _wrong_line(walk: Walk) -> Steps:
    inside(walk, "use aws_profile --regoin x\n")
    yield whoami(walk)
    assert "unknown option of use aws_profile: --regoin" in reload(walk)
    new_shell(walk, "use aws_profile p\n")


@row("… is closed: there are no credentials for profile …", "awsdirenv login …")
def _wrong_line_of_a_profile(walk: Walk) -> Steps:
    inside(walk, "use aws_profile p --regoin x\n")
    hint = yield whoami(walk)
    walk.does(hint)
    return "… is closed, and there are credentials for profile …"


@row("… is closed: …", "…")
def _pinned(walk: Walk) -> Steps:
    inside(walk, "use aws_profile p --account 999999999999\n")
    hint = yield whoami(walk)
    assert "the line in .envrc" in hint
    new_shell(walk, "use aws_profile p --account 123456789012\n")


@row("… is closed: there are no credentials for profile …", "…")
def _unknown_profile(walk: Walk) -> Steps:
    inside(walk, "use aws_profile nothere\n")
    hint = yield whoami(walk)
    assert "[profile nothere]" in hint
    walk.world.role("nothere", mfa=False)
    enter(walk)


@row("… is closed, and there are credentials for profile …", "direnv reload, which says why")
def _to_confirm(walk: Walk) -> Steps:
    roles(walk)
    walk.world.hold("p")
    enter(walk, "use aws_profile p --confirm\n")
    yield whoami(walk)
    assert "needs a confirmation" in reload(walk)
    confirm(walk)


@row("… is closed: there are no credentials for profile …", "awsdirenv login …")
def _closed(walk: Walk) -> Steps:
    inside(walk, "use aws_profile coded\n")
    hint = yield whoami(walk)
    assert typed(walk, hint, f"{walk.world.code()}\r")() == []
    enter(walk)


# --- a shell that was left behind ---------------------------------------------------------------------------------


@row(
    "this shell still has the variables of …: direnv's hook has not run here",
    "open a new shell outside of that directory; in a script: direnv exec . COMMAND",
)
def _left_behind(walk: Walk) -> Steps:
    inside(walk)
    walk.folder = walk.world.project("elsewhere", "use aws_profile q\n")
    hint = yield whoami(walk)
    assert "assumed-role/q/" in walk.does(
        hint.rpartition(": ")[2].replace("COMMAND", "aws sts get-caller-identity"), walk.folder
    )
    new_shell(walk)


@row(
    "… no longer exists, and this shell still has its variables",
    "press Enter, and direnv unloads it; if it does not: open a new shell",
)
def _envrc_gone(walk: Walk) -> Steps:
    inside(walk)
    (walk.folder / ".envrc").unlink()
    yield whoami(walk)
    enter(walk)
    if "DIRENV_DIFF" in walk.env:  # direnv 2.37 does not, where our hook is not there to help (direnv issue 1548)
        walk.env = {}


@row("the .envrc has changed since this shell loaded it for …", RELOAD)
def _edited(walk: Walk) -> Steps:
    inside(walk)
    (walk.folder / ".envrc").write_text("use aws_profile q\n", encoding="utf-8")
    yield whoami(walk)
    walk.does(RELOAD, walk.folder)
    assert "Run `direnv allow`" in walk.run("direnv export json", walk.folder).stderr
    walk.env = {}  # direnv unloads it
    return "… is not loaded in this shell"


@row("this shell has the keys from before the last renewal", "press Enter in it, or direnv reload")
def _renewed(walk: Walk) -> Steps:
    inside(walk)
    walk.world.sts.life_override = 1800
    walk.does("awsdirenv login p --force")
    yield whoami(walk)
    reload(walk)


@row("… is not loaded in this shell", "direnv allow; without direnv's hook: direnv exec . COMMAND")
def _not_loaded(walk: Walk) -> Steps:
    roles(walk)
    walk.folder.mkdir()
    (walk.folder / ".envrc").write_text("use aws_profile p\n", encoding="utf-8")
    hint = yield whoami(walk)
    walk.does(hint.partition(";")[0], walk.folder)
    enter(walk)


# --- beside the keys ----------------------------------------------------------------------------------------------

BELOW = (
    "remove the line of .envrc that sets …, such as dotenv; for another profile: awsdirenv exec, or --live in .envrc"
)


def _beside(name: str) -> None:
    message = f"{name} is …, and keys are set, too: some SDKs use the profile, some the keys"

    @row(message, "…")
    def beside(walk: Walk) -> Steps:
        inside(walk)
        walk.env[name] = "q"
        hint = yield whoami(walk)
        unset(walk, hint)

    @row(message, BELOW)
    def below(walk: Walk) -> Steps:
        inside(walk, f"use aws_profile p\nexport {name}=q\n")
        hint = yield whoami(walk)
        assert f"sets {name}," in hint
        new_shell(walk, "use aws_profile p\n")


_beside("AWS_PROFILE")
_beside("AWS_DEFAULT_PROFILE")
REGIONS = "AWS_REGION is … and AWS_DEFAULT_REGION is …: some programs use the first, some the second"


@row(REGIONS, "remove the line of .envrc that sets one of them, and use --region")
def _regions_of_envrc(walk: Walk) -> Steps:
    inside(walk, "use aws_profile p\nexport AWS_DEFAULT_REGION=us-west-2\n")
    yield whoami(walk)
    new_shell(walk, "use aws_profile p --region us-west-2\n")


@row(REGIONS, "…")
def _regions(walk: Walk) -> Steps:
    roles(walk)
    walk.env |= {"AWS_PROFILE": "p", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}
    hint = yield whoami(walk)
    unset(walk, hint)


def token_gone(walk: Walk) -> None:
    """Unset one of the variables."""
    del walk.env["AWS_SESSION_TOKEN"]


reloaded("… … unset after direnv had set …", token_gone)


@row(
    "… … not as direnv set …: a start-up file or a command has changed …",
    "direnv reload; awsdirenv doctor looks for … in your start-up files",
)
def _changed(walk: Walk) -> Steps:
    inside(walk)
    walk.env["AWS_REGION"] = "us-east-1"
    (walk.world.home / ".bashrc").write_text("export AWS_REGION=us-east-1\n", encoding="utf-8")
    hint = yield whoami(walk)
    assert (
        "AWS_REGION is set in a start-up file"
        in walk.run(hint.partition("; ")[2].partition(" looks")[0] + " --offline", walk.folder).stdout
    )
    reload(walk)


def keys_of(profile: str) -> Callable[[Walk], None]:
    """Give what puts another profile's keys in the place of the directory's."""

    def change(walk: Walk) -> None:
        walk.world.hold(profile)
        world_env = dict(walk.env)
        walk.env = {}
        text = walk.does(f"awsdirenv export {profile} --format dotenv")
        walk.env = world_env
        pairs = (line.split("=", 1) for line in text.splitlines() if line)
        walk.env |= {name: value.strip("'") for name, value in pairs if name in KEYS}

    return change


def own_keys(walk: Walk) -> None:
    """Put the person's own keys in the place of the directory's."""
    del walk.env["AWS_SESSION_TOKEN"]
    typed_keys(walk)


def typed_keys(walk: Walk) -> None:
    """Type the person's own keys where there are none."""
    user = walk.world.user
    walk.env |= {"AWS_ACCESS_KEY_ID": user.access_key_id, "AWS_SECRET_ACCESS_KEY": user.secret_access_key}


reloaded("the keys are not ours, and … is closed", typed_keys, "use aws_profile coded\n")
reloaded("the keys are of profile …, and … is closed", keys_of("q"), "use aws_profile coded\n")
reloaded("the keys are of profile …, but this directory is for …", keys_of("q"))
reloaded("the keys are not ours, but this directory is for …", own_keys)
reloaded("AWS says account …, and profile … is for …", keys_of("far"))
reloaded("AWS says role …, and profile … is for role …", keys_of("q"))
reloaded("AWS says …, and profile … is for role …", own_keys)


def _set_below(message: str, line: str, profile: str = "p") -> None:
    @row(message, BELOW)
    def set_below(walk: Walk) -> Steps:
        inside(walk, f"use aws_profile {profile}\n{line}\n")
        yield whoami(walk)
        new_shell(walk, "use aws_profile p\n")


_set_below("not from the same credentials as the access key: …", "export AWS_SECRET_ACCESS_KEY=x")
_set_below(
    "the keys are not ours, but this directory is for …", "export AWS_ACCESS_KEY_ID=AKIAX AWS_SECRET_ACCESS_KEY=x"
)
_set_below("the keys are not ours, and … is closed", "export AWS_ACCESS_KEY_ID=AKIAX AWS_SECRET_ACCESS_KEY=x", "coded")


@row("not from the same credentials as the access key: …", RELOAD)
def _unset_below(walk: Walk) -> Steps:
    inside(walk, "use aws_profile p\nunset AWS_SESSION_TOKEN\n")
    yield whoami(walk)
    (walk.folder / ".envrc").write_text("use aws_profile p\n", encoding="utf-8")
    walk.world.allow(walk.folder)
    reload(walk)


@row("… is a universal variable of fish, which direnv cannot unset", "…")
def _universal(walk: Walk) -> Steps:
    roles(walk)
    walk.world.run("fish", "-c", "set -Ux AWS_SESSION_TOKEN x").check_returncode()
    walk.world.project(walk.folder.name, "use aws_profile coded\n")
    walk.env["AWS_SESSION_TOKEN"] = "x"
    enter(walk)
    walk.env["AWS_SESSION_TOKEN"] = "x"  # direnv has unset it, and it shows through
    hint = yield whoami(walk)
    walk.world.run("fish", "-c", hint.removeprefix("in fish: ")).check_returncode()
    del walk.env["AWS_SESSION_TOKEN"]


# --- who AWS says one is ------------------------------------------------------------------------------------------


def _fallback(hint: str, envrc: str, *, leaves: bool) -> None:
    @row("there are no keys here, so SDKs use …", hint)
    def fallback(walk: Walk) -> Steps:
        roles(walk)
        user = walk.world.user
        keys = f"aws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
        walk.config(f"[default]\n{keys}", walk.world.credentials)
        walk.world.project(walk.folder.name, envrc)
        hint = yield whoami(walk)
        if leaves:
            assert hint.endswith("or leave the directory")
            walk.folder = walk.world.root
        else:
            walk.does(hint.partition(",")[0], walk.folder)


_fallback("awsdirenv login, or leave the directory", "use aws_profile p\n", leaves=True)
_fallback("…, or leave the directory", "use aws_profile p --account 999999999999\n", leaves=True)


def dead(walk: Walk, *, revoked: bool = False) -> None:
    """Let AWS take none of the sessions any more."""
    for key, held in list(walk.world.sts.keys.items()):
        if held.token:
            (walk.world.sts.revoke if revoked else walk.world.sts.expire)(key)


def _over(message: str, hint: str, end: Callable[[Walk], object], envrc: str = "use aws_profile p\n") -> None:
    """Note a row for credentials that are no good any more: new ones are got, and taken at the next prompt."""

    @row(message, hint)
    def over(walk: Walk) -> Steps:
        inside(walk, envrc)
        end(walk)
        hint = yield whoami(walk)
        if hint == RELOAD:
            reload(walk)
            return
        walk.env.pop("AWS_ENDPOINT_URL", None)
        walk.does(hint, walk.folder)
        new_shell(walk)

    over.__name__ = end.__name__


def by_the_clock(walk: Walk) -> None:
    """Let them be over by their own time, and nothing of it be stored."""
    dead(walk)
    walk.env["AWS_CREDENTIAL_EXPIRATION"] = (datetime.now(timezone.utc) - timedelta(minutes=90)).isoformat()
    walk.env["AWS_ENDPOINT_URL"] = closed_port()


def renewed_meanwhile(walk: Walk) -> None:
    """Have newer ones already, and let the old ones end."""
    walk.does("awsdirenv login --force p")
    walk.world.sts.expire(walk.env["AWS_ACCESS_KEY_ID"])


def by_the_clock_renewed(walk: Walk) -> None:
    """Have newer ones already, and let the old ones be over by their own time."""
    renewed_meanwhile(walk)
    walk.env["AWS_CREDENTIAL_EXPIRATION"] = (datetime.now(timezone.utc) - timedelta(minutes=90)).isoformat()


def revoked_renewed(walk: Walk) -> None:
    """Have newer ones already, and let AWS not know the old ones."""
    walk.does("awsdirenv login --force p")
    walk.world.sts.revoke(walk.env["AWS_ACCESS_KEY_ID"])


def revoked(walk: Walk) -> None:
    """Let AWS know none of the sessions."""
    dead(walk, revoked=True)


_over("the credentials ended … ago", "awsdirenv login …", by_the_clock)
_over("the credentials ended … ago", RELOAD, by_the_clock_renewed)
_over("AWS says that the credentials have expired (…)", "awsdirenv login …", dead)
_over("AWS says that the credentials have expired (…)", RELOAD, renewed_meanwhile)
_over("…", "awsdirenv login …", revoked)
_over("…", RELOAD, revoked_renewed)
CHECK = "check aws_access_key_id and aws_secret_access_key of …"


@row("…", CHECK)
def _dead_key(walk: Walk) -> Steps:
    inside(walk, "use aws_profile base --no-session\n")
    walk.world.sts.revoke(walk.world.user.access_key_id)
    hint = yield whoami(walk)
    other = walk.world.sts.add_user("other")
    keys = {"aws_access_key_id": other.access_key_id, "aws_secret_access_key": other.secret_access_key}
    walk.edit(hint, **keys)
    new_shell(walk)


@row("an SDK finds no credentials here", "awsdirenv login …")
def _nothing(walk: Walk) -> Steps:
    inside(walk, "use aws_profile coded\n")
    hint = yield whoami(walk)
    assert typed(walk, hint, f"{walk.world.code()}\r")() == []
    enter(walk)


@row("an SDK finds no credentials here", RELOAD)
def _nothing_for_want_of_a_word(walk: Walk) -> Steps:
    roles(walk)
    walk.world.hold("p")
    enter(walk, "use aws_profile p --confirm\n")
    yield whoami(walk)
    confirm(walk)


@row("AWS_PROFILE names a profile that does not exist: …", "…")
def _no_such_profile(walk: Walk) -> Steps:
    walk.folder.mkdir()
    walk.env["AWS_PROFILE"] = "gone"
    hint = yield whoami(walk)
    unset(walk, hint)


@row("an SDK would ask for an MFA code here", "awsdirenv login, then enter a directory with use aws_profile")
def _sdk_asks(walk: Walk) -> Steps:
    roles(walk)
    walk.folder.mkdir()
    walk.env["AWS_PROFILE"] = "coded"
    hint = yield whoami(walk)
    assert typed(walk, hint.partition(",")[0], f"{walk.world.code()}\r")() == []
    new_shell(walk, "use aws_profile coded\n")


@row("AWS was not reached: …", "…")
def _offline(walk: Walk) -> Steps:
    inside(walk)
    walk.env["AWS_ENDPOINT_URL_STS"] = closed_port()
    yield whoami(walk)
    del walk.env["AWS_ENDPOINT_URL_STS"]


@row("…", "…")
def _program(walk: Walk) -> Steps:
    walk.folder.mkdir()
    program = walk.world.program("broken", "exit 1")
    walk.config(f"[profile b]\ncredential_process = {program}\nregion = eu-west-1\n")
    walk.env["AWS_PROFILE"] = "b"
    hint = yield whoami(walk)
    assert walk.run(hint).returncode, "by hand it works"
    document = walk.world.sts.issue_credentials(ARN)
    keys = ", ".join(f'"{name}": "{value}"' for name, value in document.items())
    walk.world.program("broken", f"echo '{{\"Version\": 1, {keys}}}'")
