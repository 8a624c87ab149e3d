"""Where a chain starts: each source, alone and behind roles, in real direnv; shared, renewed, and never another's."""

from __future__ import annotations

import json
import socket
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from aws_doubles import login_file
from awsdirenv.aws.botocore_session import local_client
from awsdirenv.aws.errors import guarded_source
from awsdirenv.errors import ConfigError
from interpreter import count_interpreters
from network import unanswered
from sentinels import holders
from shells import Shell
from sources import (
    ALONE,
    BEHIND,
    ON_EC2,
    Make,
    Source,
    add_keys,
    attached_container,
    attached_instance,
    closed,
    container,
    environment,
    exported,
    function,
    instance,
    keys_in_config,
    keys_in_credentials,
    known,
    legacy_sso,
    login,
    opened,
    opened_cold,
    pod,
    process,
    process_with_keys,
    refused,
    role_behind,
    sso,
    stored_session,
    web_identity,
)
from strict_sts import Key
from world import AT_ONCE, BIN, BLOCK, REGION, World, told, wait_for

# Where what is needed stands somewhere.
NOBODY_ASKED = (keys_in_credentials, keys_in_config, stored_session, login, environment)
# Those with a role of their own behind them, which gives new credentials when it is asked again.
RENEWABLE = (sso, legacy_sso, web_identity, container, instance)


def assert_secrets_stay_put(world: World, before: list[Path]) -> None:
    """Assert that what holds a secret now and did not before is a 0600 file of ours, without a long-term key."""
    for path in set(holders(world.root)) - set(before):
        assert path.is_relative_to(world.cache)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ours = [path.read_text() for path in world.cache.rglob("*") if path.is_file()]
    assert not any(world.user.secret_access_key in text for text in ours)


@pytest.mark.parametrize("make", ALONE, ids=lambda make: make.__name__)
def test_alone(world: World, make: Make) -> None:
    """A profile gives the very identity that its source is; a second shell asks nobody, and starts no Python."""
    source = make(world)
    before = holders(world.root)
    # What the environment says comes through direnv; what the files say, a load in this process reads as well.
    key = (opened_cold if source.env else opened)(world, "start", **source.env)
    assert source.arn in (key.role_arn, key.arn)
    assert source.asked() == (0 if make in NOBODY_ASKED or make is function else 1)
    log = count_interpreters(world)
    assert opened(world, "start", **source.env) == key
    assert not log.exists()
    assert_secrets_stay_put(world, before)


@pytest.mark.parametrize("make", BEHIND, ids=lambda make: make.__name__)
def test_behind_roles(world: World, make: Make) -> None:
    """A role is assumed with the source, which is asked once for all the roles behind it."""
    source = make(world)
    before = holders(world.root)
    roles = {name: role_behind(world, source, name) for name in ("end", "other")}
    ways = {"end": opened_cold if source.env else opened, "other": opened}
    assert {name: way(world, name, **source.env).role_arn for name, way in ways.items()} == roles
    assert world.sts.count("AssumeRole") == 2
    # Who gives a person's own keys is asked each time: they are not ours to keep.
    assert source.asked() == (2 if make is process_with_keys else 0 if make in NOBODY_ASKED else 1)
    assert_secrets_stay_put(world, before)


def test_the_credentials_file_wins(world: World) -> None:
    """Of two keys for one profile, that of the credentials file is used, as in botocore."""
    other = world.sts.add_user("other")
    add_keys(world, world.user.access_key_id, world.user.secret_access_key)
    keys = {"aws_access_key_id": other.access_key_id, "aws_secret_access_key": other.secret_access_key}
    world.profile("start", region=REGION, **keys)
    assert opened(world, "start").arn == world.user.arn


@pytest.mark.parametrize("make", RENEWABLE, ids=lambda make: make.__name__)
def test_a_refused_source_is_renewed_once(world: World, make: Make) -> None:
    """Credentials of a source that STS no longer takes are dropped, got anew, and the step is tried once more."""
    source = make(world)
    role_behind(world, source, "first")
    arn = role_behind(world, source)
    opened(world, "first", **source.env)
    world.sts.revoke(world.sts.calls[-1].access_key_id)
    world.sts.reset()
    assert opened(world, "end", **source.env).role_arn == arn
    assert (source.asked(), world.sts.count("AssumeRole", ok=False), world.sts.count("AssumeRole")) == (1, 1, 2)


def test_a_refused_source_is_renewed_where_nothing_follows_it(world: World) -> None:
    """Stored credentials of a source that STS knows no more are got anew when it is asked whose they are."""
    source = attached_container(world)
    world.sts.container.configure(account_id=False)
    first = opened(world, "start", **source.env)
    world.sts.revoke(first.access_key_id)
    world.config.touch()  # the snapshot is worth nothing, and the source's credentials are still stored
    second = opened(world, "start", **source.env)
    assert second.access_key_id != first.access_key_id
    assert (source.asked(), world.sts.count("GetCallerIdentity", ok=False)) == (2, 1)


def test_a_source_that_stays_refused_is_an_error(world: World) -> None:
    """A program that gives the same dead credentials again is asked once more, and then named."""
    source = process(world)
    role_behind(world, source, "first")
    role_behind(world, source)
    opened(world, "first")
    world.sts.revoke(world.sts.calls[-1].access_key_id)
    message, hint = closed(world, "end")
    assert message == "STS does not take the credentials of profile start (InvalidClientTokenId), on the way to end"
    assert hint == f"get new credentials for [profile start] of {world.config} from their source"
    assert (source.asked(), world.sts.count("AssumeRole", ok=False)) == (2, 1)


def test_a_program_s_own_keys_are_never_stored(world: World) -> None:
    """Long-term keys of a credential_process are used through sessions; the program is asked each time."""
    source = process_with_keys(world)
    assert opened(world, "start").kind == "session"
    assert world.sts.count("GetSessionToken") == 1
    world.run("awsdirenv", "login", "start", "--force").check_returncode()
    assert source.asked() == 2
    ours = [path for path in world.cache.rglob("*") if path.is_file()]
    assert not [path for path in ours if world.user.secret_access_key in path.read_text()]


def role_of_a_key(world: World) -> Source:
    """Assume a role with a key."""
    return Source(world.role("start", mfa=False))


SOME_END = (sso, legacy_sso, login, process, web_identity, attached_container, attached_instance, pod, role_of_a_key)


@pytest.mark.parametrize("make", SOME_END, ids=lambda make: make.__name__)
def test_an_end_that_means_never(world: World, make: Make) -> None:
    """What ends with the calendar opens a directory like anything else, in a time zone where that is next year."""
    world.sts.life_override = 253402300799 - int(world.sts.now()) - 900
    world.sts.container.configure(life=world.sts.life_override)
    world.sts.imds.configure(life=world.sts.life_override)
    source = make(world)
    env = {**source.env, "TZ": "Pacific/Kiritimati"}
    key = opened_cold(world, "start", **env)
    log = count_interpreters(world)
    assert opened_cold(world, "start", **env) == key
    assert not log.exists()
    (snapshot,) = (world.cache / "snapshots").iterdir()
    assert snapshot.stat().st_mtime < time.time() + 400 * 86400  # not every file system has later times
    for words in (
        ("status",),
        ("explain", "start"),
        ("list",),
        ("export", "start"),
        ("doctor", "--offline"),
        ("prompt",),
    ):
        done = world.process("awsdirenv", *words, cwd=world.root, **env)
        assert (done.returncode == 0 or words[0] == "doctor", done.stderr) == (True, ""), words


def crowd(world: World, profiles: list[str], **env: str) -> list[Key]:
    """Enter a directory of each profile at the same time; give what STS knows of what each exports."""
    folders = [world.project(name) for name in profiles]
    with ThreadPoolExecutor(len(folders)) as pool:
        results = list(pool.map(lambda folder: world.enter(folder, **env), folders))
    assert not [said for _, said in results if "awsdirenv: error" in said]
    return [known(world, {**env, **changes}) for changes, _ in results]


@pytest.mark.parametrize(("make", "shells"), [(sso, 3), (process, 5), (web_identity, 2), (instance, 2)])
def test_shells_at_once_ask_the_source_once(world: World, make: Make, shells: int) -> None:
    """Shells that enter directories of as many roles behind one source, at the same time, ask the source once."""
    source = make(world)
    roles = {f"role{number}": role_behind(world, source, f"role{number}") for number in range(shells)}
    assert [key.role_arn for key in crowd(world, list(roles), **source.env)] == list(roles.values())
    assert (source.asked(), world.sts.count("AssumeRole")) == (1, shells)


# IAM Identity Center


def sso_profiles(world: World, count: int) -> dict[str, str]:
    """Make profiles for as many roles behind one sign-in; give their ARNs."""
    return {f"team{n}": world.sso_profile(f"team{n}", role_name=f"Role{n}") for n in range(count)}


@pytest.mark.parametrize(("life", "shells"), [(600, 4), (-60, 2)], ids=["due", "ended"])
def test_a_sign_in_is_refreshed_once_for_all(world: World, life: int, shells: int) -> None:
    """Shells of as many profiles behind one sign-in that is due for a refresh spend its refresh token once."""
    world.sso_session(signed_in=False)
    token = world.sso_sign_in(life=life)
    before = json.loads(token.read_text())
    roles = sso_profiles(world, shells)
    assert [key.role_arn for key in crowd(world, list(roles))] == list(roles.values())
    assert (world.sts.count("CreateToken"), world.sts.count("CreateToken", ok=True)) == (1, 1)
    after = json.loads(token.read_text())
    assert after["refreshToken"] != before["refreshToken"]
    assert after["expiresAt"] > before["expiresAt"]
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def forget(world: World) -> None:
    """Never sign in."""
    world.sso_session(signed_in=False)


def outlive(world: World) -> None:
    """Let the token end, and the registration be worthless."""
    world.sso_session(signed_in=False)
    world.sso_sign_in(life=-60)
    world.sts.sso.sign_out()


def be_signed_out(world: World) -> None:
    """Have a token that looks good, and that Identity Center takes no more."""
    world.sso_session()
    world.sts.sso.sign_out()


@pytest.mark.parametrize("end", [forget, outlive, be_signed_out], ids=lambda end: end.__name__)
@pytest.mark.parametrize("profile", ["start", "end"])
def test_a_sign_in_that_is_over(world: World, end: Callable[[World], None], profile: str) -> None:
    """Where only a person can sign in anew, the directory is closed and says with which command."""
    end(world)
    role_behind(world, Source(world.sso_profile("start")))
    way = "" if profile == "start" else ", on the way to end"
    what = "nobody has signed in" if end is forget else "the sign-in has ended"
    # The directory is `start`'s; for the role behind it the load says the same.
    assert (closed if profile == "start" else refused)(world, profile) == (
        f"the credentials for profile start{way}: {what}",
        f"awsdirenv login {profile}",
    )
    assert world.run("awsdirenv", "export", profile).returncode == 3
    assert world.sts.count("AssumeRole") == 0


def test_nobody_is_sent_to_a_browser_on_entering(world: World) -> None:
    """Entering opens no browser and asks nothing, with a person there too; `awsdirenv login` does, and opens all."""
    forget(world)
    arn = world.sso_profile("start")
    folder = world.project("start")
    seen = world.root / "seen"
    browser = world.program("browser", f'echo "$1" >>{seen}')
    world.sts.sso.auto_approve_after(0)
    with Shell(world, "bash", BROWSER=str(browser), DISPLAY=":0") as shell:
        said = shell.run(f"cd {folder}")
        assert [line.split(": ")[1] for line in told(said.replace("\r", "\n"))] == ["error", "hint"]
        assert "awsdirenv: hint: awsdirenv login start" in said
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert not [call for call in world.sts.calls if call.action != "GetRoleCredentials"]
        assert "awsdirenv: start: account 123456789012" in shell.run("cd /; awsdirenv login --device-code start")
        shell.run(f"cd {folder}")
        assert world.sts.keys[shell.variable("AWS_ACCESS_KEY_ID")].role_arn == arn
    wait_for(seen.exists)
    assert len(seen.read_text().splitlines()) == 1


@pytest.mark.parametrize("left", [[], ["Reader"]], ids=["account", "role"])
def test_what_was_taken_back(world: World, left: list[str]) -> None:
    """Where Identity Center has no such account or role for the person, it says so; signing in would not help."""
    source = sso(world)
    for name in left:
        world.sts.sso.assign(name)
    world.sts.sso.unassign("Developer")
    message, hint = (refused if left else closed)(world, "start")
    assert message.startswith("the credentials for profile start: IAM Identity Center has no such role for you: ")
    assert hint == f"check sso_account_id and sso_role_name in [profile start] of {world.config}"
    assert source.asked() == 1


# aws login


def test_a_login_is_refreshed_once(world: World) -> None:
    """Roles behind an `aws login` that is due for a refresh spend its refresh token once, at the same time too."""
    world.login_profile("start", life=60)
    source = Source(world.user.arn)
    roles = {f"role{number}": role_behind(world, source, f"role{number}") for number in range(3)}
    assert [key.role_arn for key in crowd(world, list(roles))] == list(roles.values())
    assert (world.sts.count("CreateOAuth2Token"), world.sts.count("CreateOAuth2Token", ok=True)) == (1, 1)


def test_a_login_that_is_over(world: World) -> None:
    """Where an `aws login` is over, the hint is the AWS CLI's command, and the status that of a person's turn."""
    world.login_profile("start", life=-60)
    world.sts.signin.expire_refresh_tokens()
    role_behind(world, Source(world.user.arn))
    assert closed(world, "start") == (
        "the credentials for profile start: the sign-in has ended",
        "aws login --profile start",
    )
    assert refused(world, "end")[1] == "aws login --profile start"
    assert world.run("awsdirenv", "export", "start").returncode == 3


def test_a_login_that_never_was(world: World) -> None:
    """Before the first `aws login` nothing is over."""
    world.login_profile("start").unlink()
    assert closed(world, "start") == (
        "the credentials for profile start: nobody has signed in",
        "aws login --profile start",
    )


WITHOUT_CRT = """
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "awscrt":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
WITH_OLDER_BOTOCORE = """
import botocore.credentials
vars(botocore.credentials).pop("LoginProvider", None)
"""


@pytest.mark.parametrize("change", [WITHOUT_CRT, WITH_OLDER_BOTOCORE])
def test_a_login_that_botocore_cannot_use(world: World, change: str) -> None:
    """Where botocore does not know `aws login`, or its part for that is missing, the hint installs what is."""
    world.profile("start", login_session=world.user.arn, region=REGION)
    login_file(world.home, world.user.arn, world.sts.signin.sign_in(world.user.arn, 60))
    code = f"import sys\n{change}\nfrom awsdirenv.__main__ import main\nsys.exit(main())\n"
    done = world.run(str(BIN / "python"), "-c", code, "export", "start")
    assert done.returncode == 1
    assert done.stderr == (
        "awsdirenv: error: the credentials for profile start: `aws login` needs botocore 1.41 or newer, with awscrt\n"
        f"awsdirenv: hint: {BIN}/python3 -m pip install 'boto3[crt]>=1.41'\n"
    )


# Web identities


def test_a_web_identity_s_token_is_missing(world: World) -> None:
    """A token file that is not there is named, with the profile that names it."""
    role_behind(world, web_identity(world))
    token = world.root / "start.token"
    token.unlink()
    message, hint = closed(world, "end")
    assert message == (f"the credentials for profile start, on the way to end: No such file or directory: {token}")
    assert hint.endswith(f" [profile start] of {world.config}")


def test_a_web_identity_s_token_has_expired(world: World) -> None:
    """A token that AWS does not take is the thing to renew, and nothing of it is quoted."""
    web_identity(world)
    world.sts.web_identity.expire((world.root / "start.token").read_text())
    message, hint = closed(world, "start")
    assert message.startswith("the credentials for profile start: AWS does not take the web identity token: Token exp")
    assert hint == f"renew web_identity_token_file of [profile start] of {world.config}"


def test_a_web_identity_s_token_is_no_text(world: World) -> None:
    """A token file that cannot be read as text is the source's fault, and not the network's."""
    web_identity(world)
    (world.root / "start.token").write_bytes(b"\xff\xfe")
    message, _ = closed(world, "start")
    assert message == "the credentials for profile start: UnicodeDecodeError"


def test_what_botocore_quotes_is_no_secret() -> None:
    """What botocore quotes, a parameter of a wrong type, as half of a token file has, is not in the message."""
    client = local_client("sso-oidc", "http://127.0.0.1:1")
    secret = ["SENTINEL-SECRET, type: "]
    request = {"clientId": "c", "clientSecret": secret, "grantType": "refresh_token", "refreshToken": secret}
    with pytest.raises(ConfigError) as raised:
        guarded_source("the credentials", lambda: client.create_token(**request), "[corp]", None)
    assert "SENTINEL" not in raised.value.message
    assert raised.value.message.startswith("the credentials: Parameter validation failed: Invalid type for parameter ")


# Keys of the environment


def test_keys_of_two_shells(world: World) -> None:
    """Two shells with different keys are two callers: neither ever gets what the other's keys have opened."""
    other = world.sts.add_user("other")
    source = environment(world)
    role_behind(world, Source(f"arn:aws:iam::{world.user.account}:root", settings=source.settings))
    theirs = {"AWS_ACCESS_KEY_ID": other.access_key_id, "AWS_SECRET_ACCESS_KEY": other.secret_access_key}
    mine, yours = opened(world, "end", **source.env), opened(world, "end", **theirs)
    signers = [call.access_key_id for call in world.sts.calls]
    assert signers == [world.user.access_key_id, other.access_key_id]
    assert mine.access_key_id != yours.access_key_id
    assert opened(world, "end", **source.env) == mine
    assert opened(world, "end", **theirs) == yours
    assert len(world.sts.calls) == 2


def test_a_shell_without_keys_gets_none(world: World) -> None:
    """What another shell's keys have opened is closed to a shell that has none."""
    source = environment(world)
    role_behind(world, source)
    opened(world, "end", **source.env)
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    message, hint = closed(world, "end", **nothing)
    assert message == "profile end has credential_source = Environment, and there are none here"
    assert hint == f"change credential_source in [profile end] of {world.config}, or go where it works"


@pytest.mark.parametrize("make", [environment, container, instance], ids=lambda make: make.__name__)
def test_within_a_loaded_directory(world: World, make: Make) -> None:
    """From inside a loaded directory the outer variables lead on, for the next directory and for commands."""
    source = make(world)
    arn, other = role_behind(world, source), role_behind(world, source, "other")
    changes, _ = world.enter(world.project("end"), **source.env)
    inside = {name: value for name, value in {**source.env, **changes}.items() if value is not None}
    assert not inside.keys() & (source.env.keys() - {*BLOCK, *ON_EC2})
    assert known(world, inside).role_arn == arn
    assert opened_cold(world, "other", **inside).role_arn == other
    world.run("awsdirenv", "clear", "--all").check_returncode()
    world.sts.reset()
    for command in (["export", "other", "--format", "json"], ["export", "--format", "json"]):
        done = world.run("awsdirenv", *command, cwd=world.root / "end", **inside)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert world.sts.keys[found["access_key_id"]].role_arn == (other if "other" in command else arn)
    world.run("awsdirenv", "login", "--force", cwd=world.root / "end", **inside).check_returncode()
    signers = {call.access_key_id for call in world.sts.calls if call.action == "AssumeRole"}
    assert {world.sts.keys[signer].role_arn or world.sts.keys[signer].arn for signer in signers} == {source.arn}
    assert inside["AWS_ACCESS_KEY_ID"] not in signers


def test_keys_of_the_login_shell_are_nobody_s(world: World) -> None:
    """A profile that says nothing of credentials does not get those that a person happens to have exported."""
    world.profile("start", region=REGION)
    message, hint = closed(world, "start", **exported(world))
    assert message == "profile start has no credentials, and no role is attached to this machine"
    assert hint == f"add aws_access_key_id and aws_secret_access_key to [start] in {world.credentials}"
    assert not world.sts.calls


# Roles that are attached to a machine


@pytest.mark.parametrize("make", [container, instance], ids=lambda make: make.__name__)
def test_no_files_at_all(world: World, make: Make) -> None:
    """On a machine with a role of its own `default` needs neither file."""
    source = make(world)
    world.config.unlink()
    world.credentials.unlink()
    folder = world.project("bare", "use aws_profile\n")
    changes, _ = world.enter(folder, **source.env)
    assert known(world, {**source.env, **changes}).role_arn == source.arn
    assert changes["AWSDIRENV_PROFILE"] == "default"


@pytest.mark.parametrize("tokens", ["optional", "required"])
def test_both_versions_of_the_metadata_service(world: World, tokens: str) -> None:
    """The metadata service is asked with a token, whether it insists or not."""
    world.sts.imds.configure(http_tokens=tokens)
    source = attached_instance(world)
    assert opened(world, "start", **source.env).role_arn == source.arn
    assert world.sts.count("ImdsToken") == 1


def test_the_metadata_service_of_the_profile(world: World) -> None:
    """Where the metadata service is may stand in the profile; roles that find it in two places do not share."""
    source, url = instance(world), world.sts.imds.endpoint
    for name, endpoint in (("here", url), ("also", url), ("there", url.replace("127.0.0.1", "localhost"))):
        source.settings["ec2_metadata_service_endpoint"] = endpoint
        role_behind(world, source, name)
    asked = []
    for name in ("here", "also", "there"):
        opened(world, name, **ON_EC2)
        asked.append(source.asked())
    assert asked == [1, 1, 2]


def test_another_container_is_another_identity(world: World) -> None:
    """With a home that two containers share, neither gets the other's role."""
    source = attached_container(world)
    mine = opened(world, "start", **source.env)
    other = world.sts.add_role("other-container")
    world.sts.container.configure(role_arn=other)
    theirs = {name: f"{value}?other" for name, value in source.env.items()}
    assert opened(world, "start", **theirs).role_arn == other
    assert opened(world, "start", HOSTNAME="another", **source.env).role_arn == other
    world.sts.container.configure(role_arn=source.arn)
    assert mine.role_arn == source.arn


def test_a_container_that_gives_nothing(world: World) -> None:
    """A container's endpoint that refuses is named, with the variables to look at."""
    source = attached_container(world)
    world.sts.container.configure(authorization="SENTINEL-TOKEN-right")
    assert opened(world, "start", **source.env, AWS_CONTAINER_AUTHORIZATION_TOKEN="SENTINEL-TOKEN-right")
    world.run("awsdirenv", "clear", "--all").check_returncode()
    message, hint = refused(world, "start", **source.env, AWS_CONTAINER_AUTHORIZATION_TOKEN="SENTINEL-TOKEN-wrong")
    assert message == "the credentials for profile start: the container's endpoint gave none"
    assert hint == "check AWS_CONTAINER_CREDENTIALS_FULL_URI and its like"


def detach(world: World) -> dict[str, str]:
    """Take the role from the instance."""
    world.sts.imds.detach()
    return {}


def disable(world: World) -> dict[str, str]:
    """Turn the metadata service off."""
    world.sts.imds.configure(http_endpoint="disabled")
    return {}


def fall_silent(world: World) -> dict[str, str]:
    """Have it accept and never answer."""
    world.sts.imds.configure(http_endpoint="silent")
    return {}


def close(world: World) -> dict[str, str]:
    """Have nobody listen."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}/"}


def misspell(_world: World) -> dict[str, str]:
    """Have an address that is none."""
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254/"}


@pytest.mark.parametrize("end", [detach, disable, fall_silent, close, misspell], ids=lambda end: end.__name__)
def test_an_instance_that_gives_nothing(world: World, end: Callable[[World], dict[str, str]]) -> None:
    """An instance without a role, or without its metadata service, closes the directory, and soon."""
    source = attached_instance(world)
    env = {**source.env, **end(world)}
    started = time.monotonic()
    message, _ = (closed if end is detach else refused)(world, "start", **env)
    assert message == "profile start has no credentials, and no role is attached to this machine"
    assert time.monotonic() - started < 2 + AT_ONCE  # botocore waits 2 s for one that is silent


@pytest.mark.parametrize("profile", ["start", "end"])
def test_off_ec2(world: World, profile: str) -> None:
    """Anywhere but on EC2, where nothing answers, a profile that hopes for an instance's role fails within a moment."""
    world.profile("start", region=REGION)
    role_behind(world, Source("nobody", settings={"credential_source": "Ec2InstanceMetadata"}))
    with unanswered() as url:
        # botocore's own patience is not what ends it.
        env = {**ON_EC2, "AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_METADATA_SERVICE_TIMEOUT": "20"}
        started = time.monotonic()
        (closed if profile == "start" else refused)(world, profile, **env)
        assert 0.5 < time.monotonic() - started < AT_ONCE  # 1.2 s on a quiet machine
