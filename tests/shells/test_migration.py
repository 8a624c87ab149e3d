"""`awsdirenv init --migrate`: who one is before and after, with real direnv; what it writes, and what it does not."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.session
import pytest

from awsdirenv.config.bash_outline import expand
from awsdirenv.errors import AwsdirenvError
from awsdirenv.reports import migration
from documents import ROOT
from envrc_shapes import ARN, SHAPES, Shape
from hint_rows_commands import strangers_home
from hint_walk import Walk
from world import BIN, World

# What the real programs print or export, at the wire: the credentials of the profile, of a session of their own.
STAND_INS = {
    "aws-vault": """#!/bin/sh
command=$1 prefix='export '
shift
while case $1 in -*) true ;; *) false ;; esac do shift; done
[ "$command" = export ] || prefix=''
sed "s/^/$prefix/" "$CREDENTIALS/$1"
""",
    "aws-export-credentials": '#!/bin/sh\nsed "s/^/export /" "$CREDENTIALS/$2"\n',
    "assume": 'while read -r _line; do export "$_line"; done <"$CREDENTIALS/$1"\n',
    "awsume": """#!/bin/bash
if [[ $1 == -s ]]; then sed 's/^/export /' "$CREDENTIALS/$2"; return 2>/dev/null || exit 0; fi
while read -r _line; do export "$_line"; done <"$CREDENTIALS/$1"
""",
    "aws": f"""#!/bin/bash
# Version 1, which is installed here, has no export-credentials.
[[ "$1 $2" == "configure export-credentials" ]] || exec {BIN}/aws "$@"
[[ $3 == --profile ]] && AWS_PROFILE=$4
sed 's/^/export /' "$CREDENTIALS/$AWS_PROFILE"
""",
    "jq": """#!/usr/bin/env python3
import json, sys
found = json.load(sys.stdin)
for name in sys.argv[-1].strip(".").split("."):
    found = found[name]
print(found)
""",
}
ALL_THAT_RUN = {name: shape for name, shape in SHAPES.items() if shape.runs}


def keys(world: World, text: str) -> str:
    """Put the keys of the profile `base` into a text of the table."""
    text = text.replace("=KEY_ID", f"={world.user.access_key_id}")
    return text.replace("SECRET_KEY", world.user.secret_access_key)


@pytest.fixture
def programs(world: World) -> World:
    """Have the roles `x` and `y`, and stand-ins for other programs, which print credentials for `x`."""
    assert world.role("x", mfa=False) == ARN
    world.role("y", mfa=False)
    client: Any = botocore.session.Session().create_client(
        "sts",
        endpoint_url=world.sts.url,
        region_name="eu-west-1",
        aws_access_key_id=world.user.access_key_id,
        aws_secret_access_key=world.user.secret_access_key,
    )
    given = client.assume_role(RoleArn=ARN, RoleSessionName="stand-in")["Credentials"]
    folder = world.root / "credentials"
    folder.mkdir()
    (folder / "x").write_text(
        f"AWS_ACCESS_KEY_ID={given['AccessKeyId']}\nAWS_SECRET_ACCESS_KEY={given['SecretAccessKey']}\n"
        f"AWS_SESSION_TOKEN={given['SessionToken']}\n",
        encoding="utf-8",
    )
    for name, text in STAND_INS.items():
        world.program(name, text if text.startswith("#!") else f"#!/bin/bash\n{text}")
    world.env |= {"CREDENTIALS": str(folder), "PATH": f"{world.root / 'programs'}:{world.env['PATH']}"}
    return world


def entered(world: World, folder: Path) -> dict[str, str]:
    """Give the environment in a folder."""
    changes, said = world.enter(folder)
    assert "error" not in said, said
    return {name: value for name, value in {**world.env, **changes}.items() if value is not None}


def who(env: Mapping[str, str]) -> str:
    """Give the account and the user or role that botocore is in an environment, without the name of the session."""
    with mock.patch.dict(os.environ, env, clear=True):
        client: Any = botocore.session.Session().create_client("sts", region_name="eu-west-1")
        arn: str = client.get_caller_identity()["Arn"]
    return "/".join(arn.split("/")[:2])


@pytest.mark.parametrize("shape", ALL_THAT_RUN.values(), ids=ALL_THAT_RUN)
def test_one_is_the_same_before_and_after(programs: World, shape: Shape) -> None:
    """In the old and in the new directory STS says the same account and user or role; the region stays, too."""
    (programs.root / ".envrc").write_text("export UP=1\n", encoding="utf-8")
    programs.allow(programs.root)
    folder = programs.project("project", keys(programs, shape.text))
    if shape.dotenv:
        (folder / ".env").write_text(keys(programs, shape.dotenv), encoding="utf-8")
    before = entered(programs, folder)
    was = who(before)
    done = programs.run("awsdirenv", "init", "--migrate", "--write", cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (folder / ".envrc").read_text(encoding="utf-8") == shape.after
    after = entered(programs, folder)
    assert after["AWSDIRENV_PROFILE"] == ("base" if was.endswith("user/foo") else "x")
    assert who(after) == was
    if "AWS_REGION" in before:
        assert after["AWS_REGION"] == before["AWS_REGION"]


@pytest.mark.parametrize("text", ["export AWS_PROFILE=x\n", "export AWS_PROFILE=x\nexport TF_VAR_p=$AWS_PROFILE\n"])
def test_the_aws_cli_is_the_same_before_and_after(programs: World, text: str) -> None:
    """The real AWS CLI is the same role, with keys and live; what a line below makes of AWS_PROFILE stays, too."""
    folder = programs.project("project", text)

    def caller() -> tuple[str, str | None]:
        env = entered(programs, folder)
        done = programs.process("aws", "sts", "get-caller-identity", cwd=folder, **env)
        return json.loads(done.stdout)["Arn"].rpartition("/")[0], env.get("TF_VAR_p")

    was = caller()
    programs.run("awsdirenv", "init", "--migrate", "--write", cwd=folder).check_returncode()
    assert "use aws_profile x" in (folder / ".envrc").read_text(encoding="utf-8")
    assert caller() == was


def state(root: Path) -> dict[Path, tuple[bytes, int, int]]:
    """Give the content, the mode and the time of each `.envrc` and `.env` below a folder."""
    paths = [path for path in root.rglob(".env*") if path.is_file()]
    return {path: (path.read_bytes(), path.lstat().st_mode, path.stat().st_mtime_ns) for path in paths}


def thirty(world: World) -> Path:
    """Make thirty folders, some of them below others, each with an `.envrc` of its own shape."""
    work = world.root / "work"
    shapes = [shape for shape in ALL_THAT_RUN.values() if not shape.dotenv]
    for number in range(30):
        folder = work / f"client{number % 3}" / f"project {number}"
        folder.mkdir(parents=True)
        (folder / ".envrc").write_text(keys(world, shapes[number % len(shapes)].text), encoding="utf-8")
        if number % 2:
            world.allow(folder)
    (work / "client0" / "node_modules" / "other").mkdir(parents=True)
    (work / "client0" / "node_modules" / "other" / ".envrc").write_text("export AWS_PROFILE=x\n", encoding="utf-8")
    return work


def test_thirty_files_move_in_one(programs: World) -> None:
    """Nothing is written without --write; with it all are, once, and those that were allowed are allowed again."""
    work = thirty(programs)
    before = state(programs.root)
    shown = programs.run("awsdirenv", "init", "--migrate", "work", "--recursive")
    other_order = programs.run("awsdirenv", "init", "--migrate", "--recursive", "work")
    assert (other_order.returncode, other_order.stderr) == (shown.returncode, shown.stderr)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert state(programs.root) == before
    assert shown.stderr.count("\n~ ") + 1 == 30
    assert "nothing is written" in shown.stderr
    written = programs.run("awsdirenv", "init", "--migrate", "work", "--recursive", "--write")
    assert written.returncode == 0, written.stderr
    for number in range(30):
        folder = work / f"client{number % 3}" / f"project {number}"
        assert "use aws_profile " in (folder / ".envrc").read_text(encoding="utf-8")
        is_blocked = "is blocked" in programs.process("direnv", "export", "json", cwd=folder).stderr
        assert is_blocked == (number % 2 == 0), folder
    after = state(programs.root)
    again = programs.run("awsdirenv", "init", "--migrate", *map(str, work.glob("*/*")), "--write")
    assert again.returncode == 0
    assert again.stderr.count("needs no change") == 30
    assert state(programs.root) == after


def test_no_secret_is_shown(programs: World) -> None:
    """Keys and other secrets of the file are in no line of the output, whether it is moved or refused."""
    world = programs
    others = 'export DB_PASSWORD="sentinel one"\nexport URL=postgres://me:sentinel2@host/db # token: sentinel3\n'
    for number, text in enumerate(
        (
            f"{others}export AWS_ACCESS_KEY_ID=KEY_ID\nexport AWS_SECRET_ACCESS_KEY=SECRET_KEY\n{others}",
            f"{others}export AWS_ACCESS_KEY_ID=KEY_ID\nexport AWS_SECRET_ACCESS_KEY=sentinel4\n{others}",
            f"{others}export AWS_PROFILE=x\nexport GITHUB_TOKEN='sentinel\n5'\n",
            f"{others}saml2aws login --password=sentinel6\neval $(saml2aws script -psentinel8 --x=sentinel9)\n",
        )
    ):
        folder = world.project(f"project{number}", keys(world, text))
        for words in ([], ["--write"]):
            done = world.run("awsdirenv", "init", "--migrate", *words, cwd=folder)
            assert "sentinel" not in done.stdout + done.stderr
            assert world.user.secret_access_key not in done.stderr
            assert world.user.access_key_id not in done.stderr
    shown = world.run("awsdirenv", "init", "--migrate", cwd=world.project("p", f"{others}export AWS_PROFILE=x\n"))
    assert "export DB_PASSWORD=…" in shown.stderr


def test_the_rest_stays(programs: World) -> None:
    """The mode stays, and a link; two links to one file are both allowed again."""
    one, two = (programs.project(name, "export AWS_PROFILE=x\n") for name in ("one", "two"))
    shared = programs.root / "shared"
    (one / ".envrc").rename(shared)
    (two / ".envrc").unlink()
    shared.chmod(0o640)
    for folder in (one, two):
        (folder / ".envrc").symlink_to("../shared")
        programs.allow(folder)
    done = programs.run("awsdirenv", "init", "--migrate", "one", "two", "--write")
    assert done.returncode == 0, done.stderr
    assert shared.read_text(encoding="utf-8") == "use aws_profile x\n"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o640
    for folder in (one, two):
        assert (folder / ".envrc").is_symlink()
        assert entered(programs, folder)["AWSDIRENV_PROFILE"] == "x"


def test_what_cannot_be_read_is_said(programs: World) -> None:
    """A folder, a FIFO, a huge file and one with NUL bytes are named with the reason; the others move all the same."""
    for name in ("folder", "fifo", "huge", "nul", "gone"):
        (programs.root / name).mkdir()
    (programs.root / "folder" / ".envrc").mkdir()
    os.mkfifo(programs.root / "fifo" / ".envrc")
    (programs.root / "huge" / ".envrc").write_text("export AWS_PROFILE=x\n" * 60000, encoding="utf-8")
    (programs.root / "nul" / ".envrc").write_bytes(b"export AWS_PROFILE=x\0\n")
    (programs.root / "gone" / ".envrc").symlink_to("nowhere")
    good = programs.project("good", "export AWS_PROFILE=x\n")
    (programs.root / "empty").mkdir()
    done = programs.run(
        "awsdirenv", "init", "--migrate", "folder", "fifo", "huge", "nul", "gone", "good", "empty", "--write"
    )
    assert f"  {programs.root}/empty has no .envrc\n" in done.stderr
    assert done.returncode == 1
    for name, reason in (("folder", "not a regular file"), ("fifo", "not a regular file"), ("huge", "too large")):
        assert f"cannot read {programs.root}/{name}/.envrc: {reason}\n" in done.stderr
    assert f"cannot read {programs.root}/nul/.envrc: not a text\n" in done.stderr
    assert (good / ".envrc").read_text(encoding="utf-8") == "use aws_profile x\n"


def test_without_rights(world: World) -> None:
    """Who may not read a file, or not write its folder, is told, and nothing else changes."""
    with strangers_home(Walk(world)) as home:
        for name, mode in (("secret", 0o000), ("fixed", 0o644)):
            (home / name).mkdir()
            (home / name / ".envrc").write_text("export AWS_PROFILE=base\n", encoding="utf-8")
            (home / name / ".envrc").chmod(mode)
            os.chown(home / name / ".envrc", 12345, 12345)
        (home / "fixed").chmod(0o555)
        before = os.geteuid()
        os.seteuid(12345)
        try:
            done = world.run("awsdirenv", "init", "--migrate", "secret", "fixed", "--write", cwd=home, HOME=str(home))
        finally:
            os.seteuid(before)
        assert f"cannot read {home}/secret/.envrc: permission denied\n" in done.stderr
        assert f"cannot write {home}/fixed/.envrc: Permission denied\n" in done.stderr
        assert (home / "fixed" / ".envrc").read_text(encoding="utf-8") == "export AWS_PROFILE=base\n"


def test_an_own_function_in_direnvrc(programs: World) -> None:
    """A function of the person's own direnvrc is understood; one with our name would win over ours."""
    direnvrc = programs.home / ".config" / "direnv" / "direnvrc"
    direnvrc.write_text('use_aws() { export AWS_PROFILE="$1"; }\n', encoding="utf-8")
    folder = programs.project("project", "use aws x\n")
    was = who(entered(programs, folder))
    programs.run("awsdirenv", "init", "--migrate", "--write", cwd=folder).check_returncode()
    assert (folder / ".envrc").read_text(encoding="utf-8") == "use aws_profile x\n"
    assert who(entered(programs, folder)) == was
    direnvrc.write_text("use_aws_profile() { export AWS_PROFILE=$1; }\n", encoding="utf-8")
    done = programs.run("awsdirenv", "init", "--migrate", "--write", cwd=folder)
    assert done.returncode == 1
    assert f"{direnvrc} defines use_aws_profile, which wins over ours" in done.stderr


def test_what_the_document_shows(world: World) -> None:
    """The example of docs/moving.md is what the command prints."""
    text = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
    block = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)
    assert block
    world.role("adminrole")
    plain = "export AWS_PROFILE=adminrole"
    for name, envrc in (
        ("old", f"if true; then\n  {plain}\nfi\n"),
        (
            "shop",
            "layout python\nexport AWS_PROFILE=adminrole\nexport AWS_REGION=eu-west-1\nexport DB_PASSWORD=hunter2\n",
        ),
    ):
        world.project(f"work/{name}", envrc)
    done = world.run("awsdirenv", "init", "--migrate", "work", "--recursive")
    shown = re.sub("(?m)^    ", "", block[0])
    assert done.stderr.replace(str(world.root), "/home/ada") == shown


WORDS = (
    *("$A-b", '"${A}x"', "'$A'", "${N:-d}", "${N-d}", "${A:-d}", r"a\ b", r'"a\b"', r'"a\"b"', "a'b c'\"d e\""),
    *("$(pwd)/x", "$PWD/y", "~/x", '"~/x"', "$HOME/z", "a*b", "{a,b}", "${A}${N}", '"$A $A"', "", "a=b", r"\$A"),
    *(r"'it'\''s'", r'"\$A"', r'"a\\b"', r"a\\b", "'\"'", '"\'"'),
)
UNKNOWN = ("$X", "$(date)", "`date`", "${A%b}", "${A/b}", "'a", '"a')


def test_words_are_expanded_as_by_bash(world: World) -> None:
    """What a word of an assignment comes to is what bash makes of it."""
    script = "".join(f"V={word}\nprintf '%s\\0' \"$V\"\n" for word in WORDS)
    told = world.process("env", "A=a b", "N=", "bash", "-c", script).stdout.split("\0")[:-1]
    variables = {"A": "a b", "N": "", "HOME": world.env["HOME"], "PWD": str(world.root)}
    assert [expand(word, variables) for word in WORDS] == told
    assert [expand(word, variables) for word in UNKNOWN] == [None] * len(UNKNOWN)


# What lines of an `.envrc` call here, so that bash runs them without direnv, AWS or us.
PRELUDE = r"""
use() { local name=$1; shift; "use_$name" "$@"; }
layout() { local name=$1; shift; "layout_$name" "$@"; }
for name in layout_{python,python3,go} use_flake log_status env_vars_required strict_env PATH_add source_up aws; do
  eval "$name() { :; }"
done
has() { :; }
use_aws_profile() {
  local name='' live='' region=${AWS_REGION-${AWS_DEFAULT_REGION-}}
  while (($#)); do
    case $1 in --live) live=1 ;; --region) region=$2; shift ;; *) name=$1 ;; esac
    shift
  done
  unset AWS_PROFILE AWS_DEFAULT_PROFILE
  who=$name
  [[ -z $region ]] || export AWS_REGION=$region
  [[ -z $live ]] || export AWS_PROFILE=$name
}
"""
TELL = r"""
{
  echo "who=${who-${AWS_PROFILE-${AWS_DEFAULT_PROFILE-}}}"
  echo "region=${AWS_REGION-${AWS_DEFAULT_REGION-}}"
  env | grep -E '^(A|B|C|P|TF_VAR_p|KUBECONFIG)=' || :
} >&3
"""
BREAKS = (
    *("\n", " ", "; ", " && ", " || ", " | ", "( ", " )", "{ ", "; }", "'", '"', "`", "$(", "# ", "if true; then "),
    *("; fi\n", "\t", "export ", "P=y\n", "set -a\n", "unset AWS_PROFILE\n", "AWS_PROFILE=", "y", "$AWS_PROFILE"),
)


def mixed(seed: int) -> str:
    """Mix the lines of some shapes that call no program, and break them somewhere."""
    chance = random.Random(seed)
    groups = ("plain: ", "region: ", "variable: ", "function: ", "other: ")
    texts = [shape.text for name, shape in SHAPES.items() if name.startswith(groups) and not shape.files]
    texts = [text for text in texts if not re.search("aws-vault|awsume|CONFIG_FILE|dotenv|use aws_profile", text)]
    pieces = [*texts, *(line for text in texts for line in text.splitlines(keepends=True))]
    text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 4)))
    for _ in range(chance.choice((0, 0, 1, 2))):
        at = chance.randint(0, len(text))
        text = text[:at] + chance.choice(BREAKS) + text[at:]
    return text


def test_bash_says_the_same_before_and_after(world: World) -> None:
    """Of lines that are mixed and broken at random, each that is moved gives the same profile and variables in bash."""
    for name in ("x", "y"):
        world.role(name, mfa=False)
    folder = world.project("project", "")
    parts, moved = [PRELUDE], []
    for seed in range(600):
        (folder / ".envrc").write_bytes(mixed(seed).encode("utf-8", "surrogateescape"))
        with contextlib.suppress(AwsdirenvError):
            if plan := migration.plan(folder / ".envrc", world.env, {}):
                moved.append(plan)
    for number, plan in enumerate(moved):
        for what, data in (("before", plan.before), ("after", plan.after)):
            script = world.root / f"{number}.{what}"
            script.write_bytes(data + TELL.encode())
            parts.append(f"( . {script} 3>{script}.told >/dev/null 2>&1 </dev/null )\n")
    world.process("bash", "-c", "".join(parts), cwd=folder)
    told = [[world.root / f"{number}.{what}.told" for what in ("before", "after")] for number in range(len(moved))]
    for plan, paths in zip(moved, told, strict=True):
        was, is_now = (dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines()) for path in paths)
        if was:  # bash came to its end
            assert is_now == was, (plan.before, plan.after)
    assert len(moved) > 100
