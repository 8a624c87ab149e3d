"""Two shells whose loads write the same file, with another content each: what one needs, the other overwrites."""

from __future__ import annotations

import json

import pytest

from world import REGION, World, assert_nobody

# Another shell's load comes right behind each of the first TIMES ones of ours, before bash has read what ours has made.
OTHER_SHELL = """
status=0
$ours "$@" || status=$?
if [ "$1" = load ] && [ -s @LEFT@ ]; then
  sed 1d @LEFT@ >@LEFT@.new && mv @LEFT@.new @LEFT@
  STAGE=theirs CLIENT=theirs $ours "$@" >/dev/null 2>&1 3>&-
fi
exit "$status"
"""


def overwrite(world: World, times: int) -> None:
    """Have another shell overwrite what a load has made, so many times."""
    left = world.root / "left"
    left.write_text("once\n" * times)
    world.replace_command(OTHER_SHELL.replace("@LEFT@", str(left)))


def profiles(world: World) -> dict[str, str]:
    """Make a role for each of the two shells, and one that a program gives to each; give those of our shell."""
    given = {who: world.sts.add_role(f"given-{who}") for who in ("mine", "theirs")}
    for who, arn in given.items():
        text = json.dumps({"Version": 1, **world.sts.issue_credentials(arn)})
        (world.root / f"given-{who}").write_text(text, encoding="utf-8")
    give = world.program("give", f'echo run >>{world.root}/runs; cat {world.root}/given-"$CLIENT"')
    world.profile("program", credential_process=give, awsdirenv_variables="CLIENT", region=REGION)
    behind = world.sts.add_role("behind", trusted=[*given.values()])
    world.profile("behind", role_arn=behind, source_profile="program", region=REGION)
    world.role("theirs", mfa=False)
    code = world.program("code", f"echo run >>{world.root}/codes; echo {world.code()}")
    return {
        "note": world.role("mine", mfa_process=code),
        "program": given["mine"],
        "behind": behind,
        "keys": world.user.arn,
    }


LINES = {
    "note": "use aws_profile",
    "program": "use aws_profile program",
    "behind": "use aws_profile behind",
    "keys": "STAGE=base; use aws_profile --no-session",
}


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    ("case", "options"),
    [
        *((case, options) for case in ("note", "program", "behind") for options in ("", "--live")),
        *(("note", f"{options} --account 123456789012 --min-life 11h") for options in ("", "--live")),
        ("keys", ""),
    ],
)
def test_what_another_shell_has_overwritten(world: World, case: str, options: str, times: int) -> None:
    """It is loaded again, from what is stored: no second code, call or run; after three times, an error."""
    arn = profiles(world)[case]
    folder = world.project("p", f"export STAGE CLIENT=mine\n{LINES[case]} {options}\n")
    (folder / ".env").write_text("AWS_PROFILE=${STAGE:-theirs}\n")
    overwrite(world, times)
    changes, said = world.enter(folder, STAGE="mine")
    runs = {path.name: path.read_text(encoding="utf-8").count("run") for path in world.root.glob("[cr]*s")}
    assert runs == {"note": {"codes": 1}, "keys": {}}.get(case, {"runs": 2}), said  # one for each of the two shells
    # Whose the credentials of a source are is asked at each load: they may be revoked, and are got anew then.
    calls = [(call.action, call.params.get("RoleArn"), call.access_key_id) for call in world.sts.calls]
    calls = [call for call in calls if call[0] != "GetCallerIdentity"]
    assert len(calls) == len({*calls})
    # A live directory opens also without the snapshot that the other one has overwritten.
    if times == 3 and (case in ("note", "keys") or not options):
        assert_nobody(changes, ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE"))
        assert said.count("awsdirenv: error: ") == 1
        assert " cannot be used\nawsdirenv: hint: direnv reload\n" in said
        changes, said = world.enter(folder, STAGE="mine")
    assert "error" not in said
    if "--live" in options:
        assert changes["AWS_PROFILE"] == {"note": "mine"}.get(case, case)
    else:
        key = world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])]
        assert (key.role_arn or world.user.arn) == arn
