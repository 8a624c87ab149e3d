"""Where a chain of roles starts: each kind of source, set up in a world, and what a directory of it gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sentinels import SENTINELS
from strict_sts import Key
from world import REGION, World, assert_nobody, told

ON_EC2 = {"AWS_EC2_METADATA_DISABLED": "false"}


@dataclass(frozen=True)
class Source:
    """What stands behind the profile `start`: whose credentials it gives, and what a role's profile says of it."""

    arn: str
    env: Mapping[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=lambda: {"source_profile": "start"})
    asked: Callable[[], int] = lambda: 0  # how often it was asked so far


def keys_in_credentials(world: World) -> Source:
    """Keep keys in the credentials file."""
    add_keys(world, world.user.access_key_id, world.user.secret_access_key)
    world.profile("start", region=REGION)
    return Source(world.user.arn)


def keys_in_config(world: World) -> Source:
    """Keep keys in the config file."""
    user = world.user
    keys = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}
    world.profile("start", region=REGION, **keys)
    return Source(user.arn)


def stored_session(world: World) -> Source:
    """Keep a session in the credentials file, as other tools do."""
    arn = world.sts.add_role("stored")
    given = world.sts.issue_credentials(arn)
    add_keys(world, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    world.profile("start", region=REGION)
    return Source(arn)


def sso(world: World) -> Source:
    """Sign in by an sso-session."""
    world.sso_session()
    return Source(world.sso_profile("start"), asked=lambda: world.sts.count("GetRoleCredentials"))


def legacy_sso(world: World) -> Source:
    """Sign in by a start URL in the profile itself."""
    return Source(world.sso_profile("start", None), asked=lambda: world.sts.count("GetRoleCredentials"))


def login(world: World) -> Source:
    """Log in as `aws login` does."""
    world.login_profile("start")
    return Source(world.user.arn)


def process(world: World) -> Source:
    """Have a program give a role's session, the same each time."""
    arn, log = world.sts.add_role("handed-out"), world.root / "runs"
    return Source(arn, asked=_process(world, {"Version": 1, **world.sts.issue_credentials(arn)}, log))


def process_with_keys(world: World) -> Source:
    """Have a program give the user's own long-term keys."""
    user = world.user
    given = {"Version": 1, "AccessKeyId": user.access_key_id, "SecretAccessKey": user.secret_access_key}
    return Source(user.arn, asked=_process(world, given, world.root / "runs"))


def web_identity(world: World) -> Source:
    """Have a token in a file."""
    arn = world.web_identity_profile("start")
    return Source(arn, asked=lambda: world.sts.count("AssumeRoleWithWebIdentity"))


def environment(world: World) -> Source:
    """Export the user's keys."""
    return Source(world.user.arn, exported(world), {"credential_source": "Environment"})


def container(world: World) -> Source:
    """Be in a container with a role."""
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": world.sts.container.uri}
    return Source(
        world.sts.container.role_arn,
        env,
        {"credential_source": "EcsContainer"},
        lambda: world.sts.count("ContainerCredentials"),
    )


def instance(world: World) -> Source:
    """Be an EC2 instance with a role."""
    env = {**ON_EC2, "AWS_EC2_METADATA_SERVICE_ENDPOINT": world.sts.imds.endpoint}
    return Source(
        world.sts.imds.attach(),
        env,
        {"credential_source": "Ec2InstanceMetadata"},
        lambda: world.sts.count("ImdsCredentials"),
    )


def attached_container(world: World) -> Source:
    """Be in a container, with a profile that says nothing of credentials."""
    world.profile("start", region=REGION)
    return container(world)


def attached_instance(world: World) -> Source:
    """Be an instance, with a profile that says nothing of credentials."""
    world.profile("start", region=REGION)
    return instance(world)


def pod(world: World) -> Source:
    """Be a pod with a web identity, with a profile that says nothing of credentials."""
    arn = world.web_identity_profile("elsewhere")
    world.profile("start", region=REGION)
    env = {"AWS_ROLE_ARN": arn, "AWS_WEB_IDENTITY_TOKEN_FILE": str(world.root / "elsewhere.token")}
    return Source(arn, env, asked=lambda: world.sts.count("AssumeRoleWithWebIdentity"))


def function(world: World) -> Source:
    """Be a Lambda function, which has its keys in the environment."""
    arn = world.sts.add_role("function")
    given = world.sts.issue_credentials(arn)
    world.profile("start", region=REGION)
    return Source(arn, {"AWS_LAMBDA_FUNCTION_NAME": "f", **_variables(given)})


PROFILES = (keys_in_credentials, keys_in_config, stored_session, sso, legacy_sso, login, process, process_with_keys)

ALONE = (*PROFILES, web_identity, attached_container, attached_instance, pod, function)

BEHIND = (*PROFILES, web_identity, environment, container, instance)

Make = Callable[[World], Source]


def add_keys(world: World, key_id: str, secret: str, token: str | None = None, profile: str = "start") -> None:
    """Write keys to the credentials file."""
    lines = [f"[{profile}]", f"aws_access_key_id = {key_id}", f"aws_secret_access_key = {secret}"]
    with world.credentials.open("a") as file:
        file.write("\n".join([*lines, *([f"aws_session_token = {token}"] if token else [])]) + "\n")


def _process(world: World, given: Mapping[str, object], log: Path) -> Callable[[], int]:
    """Make `start` a profile with a program that gives these credentials; give what counts its runs."""
    document = world.root / "document.json"
    document.write_text(json.dumps(given))
    program = world.program("give", f"echo run >>{log}\nexec cat {document}")
    world.profile("start", credential_process=program, region=REGION)
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    return {name: given[key] for name, key in {**names, "AWS_SESSION_TOKEN": "SessionToken"}.items()}


def exported(world: World) -> dict[str, str]:
    """Give variables with the user's keys."""
    return {"AWS_ACCESS_KEY_ID": world.user.access_key_id, "AWS_SECRET_ACCESS_KEY": world.user.secret_access_key}


def known(world: World, values: Mapping[str, str | None]) -> Key:
    """Give what STS knows of exported credentials, which must be of one piece, and none of a person's own keys."""
    key = world.sts.keys[str(values["AWS_ACCESS_KEY_ID"])]
    assert (values["AWS_SECRET_ACCESS_KEY"], values["AWS_SESSION_TOKEN"]) == (key.secret, key.token)
    assert values["AWS_ACCOUNT_ID"] == key.account
    assert key.token
    return key


def opened(world: World, profile: str, **env: str) -> Key:
    """Load a profile in this process, as entering does, and enter a directory of it: see `opened_cold`."""
    world.run("awsdirenv", "load", "--", profile, cwd=world.root, **env)  # where that fails, so does entering
    return opened_cold(world, profile, **env)


def opened_cold(world: World, profile: str, **env: str) -> Key:
    """Enter a directory of the profile, as a new shell; give what STS knows of what is exported."""
    changes, said = world.enter(world.project(profile), **env)
    assert f"awsdirenv: {profile}: account " in said, said
    return known(world, {**env, **changes})


def closed(world: World, profile: str, **env: str) -> tuple[str, str]:
    """Enter a directory of the profile that must stay closed; give message and hint, which are all that is said."""
    outer = {"AWS_ACCESS_KEY_ID": "AKIDOUTER", "AWS_SECRET_ACCESS_KEY": "outer", "AWS_SESSION_TOKEN": "outer"}
    changes, said = world.enter(world.project(profile), **{**outer, **env})
    held = {**outer, **env, **changes}
    assert_nobody(held)
    lines = told(said)
    assert [line.split(": ")[1] for line in lines] == ["error", "hint"], said
    assert not any(sentinel in said for sentinel in SENTINELS)
    return lines[0].removeprefix("awsdirenv: error: "), lines[1].removeprefix("awsdirenv: hint: ")


def refused(world: World, profile: str, **env: str) -> tuple[str, str]:
    """Load a profile in this process, as entering does; it must fail. Give message and hint, which are all of it."""
    done = world.run("awsdirenv", "load", "--", profile, cwd=world.root, **env)
    assert (done.returncode != 0, done.stdout) == (True, "")
    lines = told(done.stderr)
    assert [line.split(": ")[1] for line in lines] == ["error", "hint"], done.stderr
    assert not any(sentinel in done.stderr for sentinel in SENTINELS)
    return lines[0].removeprefix("awsdirenv: error: "), lines[1].removeprefix("awsdirenv: hint: ")


def role_behind(world: World, source: Source, name: str = "end") -> str:
    """Make a role that lets only the source in, and a profile for it; give its ARN."""
    arn = world.sts.add_role(name, account="222222222222", trusted=[source.arn])
    world.profile(name, role_arn=arn, region=REGION, **source.settings)
    return arn
