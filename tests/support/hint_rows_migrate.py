"""Hints of `init --migrate`: the line or the section that each names is changed as it says."""

from __future__ import annotations

import re

from container import no_root
from hint_rows_commands import stranger, strangers_home
from hint_rows_config import ARN, CHAIN
from hint_walk import Act, Steps, Walk, row

MIGRATE = "awsdirenv init --migrate"
UNREADABLE = "correct that, or leave the folder out"
BY_HAND = "change that line by hand to: use aws_profile PROFILE"
ASSUME = f"aws sts assume-role --role-arn {ARN} --role-session-name me"
EXPORTED = f'export $(printf "AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s" $({ASSUME}))\n'


def _has(walk: Walk, text: str | bytes, config: str = CHAIN, words: str = "") -> Act:
    """Write an `.envrc`, and give what migrates it."""
    walk.config(config)
    walk.folder.mkdir(exist_ok=True)
    (walk.folder / ".envrc").write_bytes(text if isinstance(text, bytes) else text.encode())
    return walk.shell(f"{MIGRATE} {words}", walk.folder)


def _edited(message: str, hint: str, before: str, after: str, config: str = CHAIN) -> None:
    """Note a row whose hint names an edit of the `.envrc`."""

    @row(message, hint)
    def edited(walk: Walk) -> Steps:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            walk.env[name] = ""
        yield _has(walk, before, config)
        (walk.folder / ".envrc").write_text(after, encoding="utf-8")


_edited("…:…: this is not clear: …", BY_HAND, "[ $CI ] && export AWS_PROFILE=p\n", "[ $CI ] && use aws_profile p\n")
_edited(
    "… names two identities, in line … and in line …",
    "remove the wrong one, then try again",
    "export AWS_PROFILE=p\nexport AWS_PROFILE=base\n",
    "export AWS_PROFILE=p\n",
)
_edited(
    "… names two identities, in line … and in line …",
    "remove the wrong one, then try again",
    "use aws_profile p\nexport AWS_PROFILE=base\n",
    "use aws_profile p\n",
)
_edited(
    "…:…: these keys are temporary, and no profile has them",
    "change those lines by hand to: use aws_profile PROFILE",
    "export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_SESSION_TOKEN=c\n",
    "use aws_profile p\n",
)
_edited(
    "…:…: AWS_ACCOUNT_ID is not that of profile …, …",
    "correct that line, then try again",
    "export AWS_PROFILE=p AWS_ACCOUNT_ID=1\n",
    "export AWS_PROFILE=p AWS_ACCOUNT_ID=123456789012\n",
)


@row("…:…: more than one profile leads to …: …", "change those lines by hand to: use aws_profile …")
def _two_profiles(walk: Walk) -> Steps:
    hint = yield _has(walk, EXPORTED, CHAIN + CHAIN.replace("profile p]", "profile q]"))
    (walk.folder / ".envrc").write_text(hint.rpartition(": ")[2] + "\n", encoding="utf-8")


@row("…:…: no profile leads to …", "add one with role_arn and source_profile to …, then try again")
def _no_profile(walk: Walk) -> Steps:
    hint = yield _has(walk, EXPORTED, "")
    assert str(walk.world.config) in hint
    walk.config(CHAIN)


@row("…:…: none of your profiles has these keys", "add them to [NAME] in …, then try again")
def _keys_of_nobody(walk: Walk) -> Steps:
    hint = yield _has(walk, "export AWS_ACCESS_KEY_ID=AKIAOTHER AWS_SECRET_ACCESS_KEY=other\n")
    assert str(walk.world.credentials) in hint
    walk.config("[mine]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n", walk.world.credentials)


@row("…:…: … has the keys of profile …, and AWS's files do not", "add credential_process = … to …, then try again")
def _own_store(walk: Walk) -> Steps:
    hint = yield _has(walk, 'eval "$(aws-vault export p)"\n', CHAIN.replace("base", "vault"))
    section = re.search(r"(credential_process = .*) to (\[.*\]) of (\S+),", hint)
    assert section
    walk.config(f"{section[2]}\n{section[1]}\n")


@row(
    "…:…: only aws-vault takes … of … from [default]",
    "add … to …, or remove it from [default], then try again",
)
def _inherited(walk: Walk) -> Steps:
    act = _has(walk, 'eval "$(aws-vault export p)"\n', f"[default]\nrole_arn = {ARN}\nsource_profile = base\n{CHAIN}")
    hint = yield act
    assert "add role_arn to [profile base] of" in hint
    walk.rewrite(walk.world.config, "[default]", role_arn=None)


@row(
    "…:…: only a file with the name .env can name the profile",
    "move AWS_PROFILE from … into …, then try again",
)
def _another_dotenv(walk: Walk) -> Steps:
    act = _has(walk, "dotenv .env.own\n")
    (walk.folder / ".env.own").write_text("AWS_PROFILE=p\n", encoding="utf-8")
    hint = yield act
    assert f"{walk.folder}/.env," in hint
    (walk.folder / ".env.own").write_text("A=1\n", encoding="utf-8")
    (walk.folder / ".env").write_text("AWS_PROFILE=p\n", encoding="utf-8")


@row("…:…: this command names no profile, but … does", "add --profile NAME to that command, then try again")
def _nobody_named(walk: Walk) -> Steps:
    act = _has(walk, 'eval "$(aws configure export-credentials --format env)"\n')
    (walk.folder / ".env").write_text("AWS_PROFILE=base\n", encoding="utf-8")
    yield act
    _has(walk, 'eval "$(aws configure export-credentials --profile p --format env)"\n', "")


def _own_function(place: str) -> None:
    @row("… defines use_aws_profile, which wins over ours", "rename or remove that function")
    def own_function(walk: Walk) -> Steps:
        definition = "use_aws_profile() { :; }\n"
        act = _has(walk, f"{definition if place == '.envrc' else ''}export AWS_PROFILE=p\n")
        direnvrc = walk.world.home / ".config" / "direnv" / "direnvrc"
        if place != ".envrc":
            direnvrc.write_text(definition, encoding="utf-8")
        hint = yield act
        assert place in hint.message
        if place == ".envrc":
            _has(walk, "export AWS_PROFILE=p\n", "")
        else:
            direnvrc.unlink()


_own_function(".envrc")
_own_function("direnvrc")


def _unreadable(message: str, data: bytes) -> None:
    @row(message, UNREADABLE)
    def unreadable(walk: Walk) -> Steps:
        yield _has(walk, data)
        (walk.folder / ".envrc").write_bytes(b"export AWS_PROFILE=p\n")


_unreadable("cannot read …: not a text", b"export AWS_PROFILE=p\0\n")
_unreadable("cannot read …: too large", b"export AWS_PROFILE=p\n" * 60000)
_unreadable("cannot read …: nested too deeply", b"export AWS_PROFILE=" + b"$(" * 3000)


@row("cannot read …: not a regular file", UNREADABLE)
def _a_folder(walk: Walk) -> Steps:
    (walk.folder / ".envrc").mkdir(parents=True)
    yield walk.shell(MIGRATE, walk.folder)
    (walk.folder / ".envrc").rmdir()
    yield _has(walk, "export AWS_PROFILE=p\n")


@row("cannot read …: permission denied", UNREADABLE)
def _no_rights(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        with no_root():
            walk.does("awsdirenv setup", home)
        (home / ".envrc").write_text("export AWS_PROFILE=base\n", encoding="utf-8")
        (home / ".envrc").chmod(0)
        act = stranger(walk.shell(MIGRATE, home))
        yield act
        (home / ".envrc").chmod(0o644)
        yield act


@row("cannot write …: …", "make … writable")
def _fixed_folder(walk: Walk) -> Steps:
    with strangers_home(walk) as home:
        with no_root():
            walk.does("awsdirenv setup", home)
        (home / ".envrc").write_text("export AWS_PROFILE=base\n", encoding="utf-8")
        home.chmod(0o555)
        act = stranger(walk.shell(f"{MIGRATE} --write", home))
        hint = yield act
        assert hint == f"make {home} writable"
        home.chmod(0o755)
        yield act


@row("no .envrc in …", "name folders that have one, or add --recursive")
def _nothing_there(walk: Walk) -> Steps:
    _has(walk, "export AWS_PROFILE=p\n")
    yield walk.shell(MIGRATE, walk.folder.parent)
    yield walk.shell(f"{MIGRATE} --recursive", walk.folder.parent)


@row("--write and --recursive are for --migrate", "awsdirenv init --help")
def _no_migrate(walk: Walk) -> Steps:
    _has(walk, "export AWS_PROFILE=p\n")
    hint = yield walk.shell("awsdirenv init --write", walk.folder)
    assert "with --migrate" in walk.does(hint)
    yield walk.shell(f"{MIGRATE} --write", walk.folder)
