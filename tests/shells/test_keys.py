"""`awsdirenv keys`: long-term keys in a real keychain, for every program, with nothing lost wherever it is killed."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from in_process import caller_arn
from keychains import DIE_AT, kept, locked, put_prompter, unlocked
from sdks import SDKS, at_once, sdk_of
from sentinels import all_arguments
from shells import Shell
from strict_sts import SECRET_PREFIX, User
from world import REGION, World, told


@pytest.fixture
def desktop(world: World) -> Iterator[World]:
    """Have a desktop with an open keychain."""
    world.credentials.chmod(0o600)
    with unlocked(world):
        yield world


def keys(world: World, *words: str, **env: str) -> str:
    """Run `awsdirenv keys`, which must work; give what it says."""
    done = world.process("awsdirenv", "keys", *words, cwd=None, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def who(world: World, profile: str = "base", **env: str) -> str:
    """Ask botocore who a profile is, as the AWS CLI does, which takes half a second more."""
    return caller_arn({**world.env, **env}, world.root, profile, REGION)


def who_for_the_cli(world: World) -> str:
    """Ask the real AWS CLI who the profile is."""
    words = ("sts", "get-caller-identity", "--query", "Arn", "--output", "text")
    done = world.process("aws", *words, "--profile", "base")
    return done.stdout.strip() or done.stderr


def files(world: World) -> tuple[bytes, bytes]:
    """Give the content of both of AWS's files."""
    return world.config.read_bytes(), world.credentials.read_bytes()


def test_into_the_keychain_and_back(desktop: World) -> None:
    """The key leaves the file, the AWS CLI finds it all the same, and `remove --restore` puts the files back."""
    desktop.role("admin")
    before = files(desktop)
    said = keys(desktop, "add", "base")
    assert desktop.user.secret_access_key not in said
    assert before[1].startswith(b"[base]\n")
    assert desktop.credentials.read_bytes() == b"[base]\n"
    assert who_for_the_cli(desktop) == desktop.user.arn
    assert keys(desktop, "list").splitlines()[1].split()[:3] == [
        "base",
        f"…{desktop.user.access_key_id[-4:]}",
        "keychain",
    ]
    keys(desktop, "remove", "--restore", "base")
    assert files(desktop) == before
    assert kept(desktop) is None
    assert who_for_the_cli(desktop) == desktop.user.arn


@pytest.mark.parametrize("name", SDKS)
def test_every_sdk(desktop: World, node_modules: Path, name: str) -> None:
    """The AWS CLI, boto3 and the JavaScript SDK get the key by themselves, and a role that starts from it."""
    desktop.role("plain", mfa=False)
    keys(desktop, "add", "base")
    sdk = sdk_of(name, node_modules)
    profiles = ("base",) if name == "fromProcess" else ("base", "plain")
    for (status, said, complained), profile in zip(
        at_once(desktop, [sdk(profile) for profile in profiles]), profiles, strict=True
    ):
        assert status == 0, complained
        assert (":user/foo" if profile == "base" else ":assumed-role/plain/") in said


def test_the_secret_is_only_in_the_keychain(desktop: World) -> None:
    """No file of the home has the secret: the keychain's own is encrypted. No line has it either."""
    said = keys(desktop, "add", "base")
    desktop.role("admin")
    desktop.login("admin")
    secret = desktop.user.secret_access_key
    assert secret not in said
    assert not [path for path in desktop.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert desktop.user.secret_access_key.encode() not in b"".join(files(desktop))


@pytest.mark.needs("/proc")
def test_no_argument_has_a_secret(desktop: World) -> None:
    """No process that one of the commands starts has a secret among its arguments."""
    with all_arguments(desktop) as seen:
        for words in (("add",), ("rotate",), ("remove", "--restore"), ("rotate",)):
            keys(desktop, *words, "base")
    assert any(b"keys\0get\0" in line for line in seen)
    assert [line for line in seen if SECRET_PREFIX.encode() in line] == []


def test_sessions_and_roles_as_ever(desktop: World) -> None:
    """One code makes the MFA session of a key in the keychain; roles use it, also when the keychain is locked."""
    for name in ("admin", "reader"):
        desktop.role(name)
    keys(desktop, "add", "base")
    folder = desktop.project("admin")
    desktop.process("awsdirenv", "login", "--token-code", desktop.code(), "admin").check_returncode()
    assert [c.access_key_id for c in desktop.sts.calls if c.action == "GetSessionToken"] == [desktop.user.access_key_id]
    nowhere = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
    # A warm load, another role, and a renewal: none of them needs the key again.
    assert desktop.enter(folder, **nowhere)[0]["AWS_ACCESS_KEY_ID"]
    assert desktop.process("awsdirenv", "login", "reader", cwd=None, **nowhere).returncode == 0
    assert desktop.process("awsdirenv", "login", "--force", "admin", cwd=None, **nowhere).returncode == 0
    assert desktop.sts.count("GetSessionToken") == 1
    done = desktop.process("awsdirenv", "explain", "admin", "--json")
    assert [hop["kind"] for hop in json.loads(done.stdout)["hops"]] == ["keychain", "mfa-session", "assume-role"]


def test_a_key_without_a_device(desktop: World) -> None:
    """Without `mfa_serial` the profile is a session, a role is assumed with the key, and --no-session gives the key."""
    desktop.role("plain", mfa=False)
    keys(desktop, "add", "base")
    assert desktop.process("awsdirenv", "login", "base").returncode == 0
    assert desktop.process("awsdirenv", "login", "plain").returncode == 0
    done = desktop.process("awsdirenv", "exec", "--no-session", "base", "--", "env")
    assert f"AWS_ACCESS_KEY_ID={desktop.user.access_key_id}\n" in done.stdout


def test_another_users_key_gets_no_old_session(desktop: World) -> None:
    """Where another user's key takes the place of one, the MFA session of the first is not used any more."""
    desktop.role("admin")
    keys(desktop, "add", "base")
    desktop.process("awsdirenv", "login", "--token-code", desktop.code(), "admin").check_returncode()
    keys(desktop, "remove", "--yes", "base")
    other = desktop.sts.add_user("other")
    write_key(desktop, other)
    keys(desktop, "add", "base")
    done = desktop.process("awsdirenv", "login", "--force", "admin")
    assert done.returncode == 3
    assert "needs an MFA code" in done.stderr


def write_key(world: World, user: User) -> None:
    """Write a user's key into the credentials file."""
    world.credentials.write_text(
        f"[base]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
    )


@pytest.mark.parametrize("agent", ["CLAUDECODE", "AWSDIRENV_AGENT"])
def test_agents_get_roles_and_no_key(desktop: World, agent: str) -> None:
    """An agent's role comes through our loader; the key itself an agent gets by no command and by no SDK."""
    desktop.role("plain", mfa=False)
    keys(desktop, "add", "base")
    env = {agent: "1"}
    assert desktop.process("awsdirenv", "login", "plain", cwd=None, **env).returncode == 0
    for action in ("add", "rotate", "remove", "get"):
        done = desktop.process("awsdirenv", "keys", action, "base", cwd=None, **env)
        assert (done.returncode, done.stdout) == (3, ""), action
        assert "agents do not get the long-term keys of profile base" in done.stderr
    assert "agents do not get" in who(desktop, **env)
    assert kept(desktop) is not None


def test_agents_get_no_session_of_the_user(desktop: World) -> None:
    """The MFA session of a key in the keychain is the user's alone, as that of a key in a file."""
    base = f"[profile base]\nmfa_serial = {desktop.mfa_serial}\n"
    desktop.config.write_text(desktop.config.read_text().replace("[profile base]\n", base))
    keys(desktop, "add", "base")
    desktop.process("awsdirenv", "login", "--token-code", desktop.code(), "base").check_returncode()
    done = desktop.process("awsdirenv", "export", "base", cwd=None, CLAUDECODE="1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "its MFA session is the user's" in done.stderr
    # In a live directory of another profile programs get that session, and not the key.
    desktop.role("plain", mfa=False)
    folder = desktop.project("live", "use aws_profile plain --live\n")
    env = {name: value for name, value in desktop.enter(folder)[0].items() if value is not None}
    desktop.sts.reset()
    assert who(desktop, "base", **env) == desktop.user.arn
    assert [call.access_key_id[:4] for call in desktop.sts.calls] == ["ASID"]


def test_typed_keys(world: World) -> None:
    """What no file has is typed: the id is shown, the secret is not, and neither is in the shell's history."""
    world.credentials.write_text("")
    user = world.user
    with unlocked(world), Shell(world, "bash") as shell:
        shell.start("awsdirenv keys add base")
        shell.expect("Access key ID of base: ")
        shell.send(f"{user.access_key_id}\r")
        shell.expect("not shown")
        shell.send(f"{user.secret_access_key}\r")
        said = shell.finish()
        assert "the key is in the keychain" in said
        assert user.secret_access_key not in said
        assert user.secret_access_key not in shell.run("history")
        assert who(world) == user.arn


def test_nobody_types(desktop: World) -> None:
    """Without a terminal nobody is asked, and nothing hangs."""
    desktop.credentials.write_text("")
    done = desktop.process("awsdirenv", "keys", "add", "base")
    assert done.returncode == 3
    assert "nobody is here to type one" in done.stderr


def test_the_only_copy_needs_a_yes(desktop: World) -> None:
    """The only copy of a key goes only by --yes or the right word at a terminal; a second copy makes no question."""
    keys(desktop, "add", "base")
    done = desktop.process("awsdirenv", "keys", "remove", "base")
    assert done.returncode == 3
    assert "the only copy" in done.stderr
    end = desktop.user.access_key_id[-4:]
    with Shell(desktop, "bash") as shell:
        for answer, is_there in (("no", True), (end, False)):
            shell.start("awsdirenv keys remove base")
            shell.expect("to delete it: ")
            shell.send(f"{answer}\r")
            shell.finish()
            assert (kept(desktop) is not None) == is_there
    write_key(desktop, desktop.user)
    keys(desktop, "add", "base")
    write_key(desktop, desktop.user)
    keys(desktop, "remove", "base")


@pytest.mark.parametrize(("linked", "mode"), [("config", 0o644), ("credentials", 0o600), ("credentials", 0o400)])
def test_mode_and_link_stay(desktop: World, linked: str, mode: int) -> None:
    """A dotfile that is a link stays one, and the mode of each file stays."""
    path = desktop.config if linked == "config" else desktop.credentials
    elsewhere = desktop.root / "dotfiles"
    elsewhere.mkdir()
    path.rename(elsewhere / linked)
    path.symlink_to(elsewhere / linked)
    (elsewhere / linked).chmod(mode)
    keys(desktop, "add", "base")
    keys(desktop, "remove", "--restore", "base")
    assert path.is_symlink()
    assert (elsewhere / linked).stat().st_mode & 0o777 == mode


def test_no_file_is_cleaned_before_it_is_seen(desktop: World) -> None:
    """Where the program of the new way cannot run, or AWS does not take the key, the files stay as they are."""
    before = files(desktop)
    desktop.sts.revoke(desktop.user.access_key_id)
    assert desktop.process("awsdirenv", "keys", "add", "base").returncode == 1
    assert files(desktop) == before
    assert kept(desktop) is None


def test_the_new_way_must_be_seen_to_work(desktop: World) -> None:
    """Where AWS accepts the key, but not what the new way gives, the files stay; the next try goes on."""
    before = files(desktop)
    desktop.sts.add_fault("GetCallerIdentity", "delay", seconds=0)
    desktop.sts.add_fault("GetCallerIdentity", "access-denied")
    assert desktop.process("awsdirenv", "keys", "add", "base").returncode == 1
    assert files(desktop) == before
    keys(desktop, "add", "base")


def works(world: World) -> bool:
    """Tell whether the real chain of the profile leads to a key that AWS takes."""
    return world.process("awsdirenv", "login", "--force", "base").returncode == 0


def runs_until_whole(world: World, *words: str) -> Iterator[int]:
    """Run a command, killed at its first effect, then at its second, …; yield after each. It ends when one is whole."""
    for number in range(1, 200):
        done = world.process("awsdirenv", "keys", *words, cwd=None, **{DIE_AT: str(number)})
        yield number
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr
            return
    raise AssertionError("it never ends")


def test_killed_while_adding(desktop: World) -> None:
    """Wherever `add` and then `remove --restore` are killed, the profile works, and the next run goes on."""
    before = files(desktop)
    assert max(number for number in runs_until_whole(desktop, "add", "base") if works(desktop)) >= 10
    assert kept(desktop) is not None
    assert desktop.credentials.read_bytes() == b"[base]\n"
    for _ in runs_until_whole(desktop, "remove", "--restore", "base"):
        assert works(desktop)
        if kept(desktop) is None:
            break
    assert files(desktop) == before


def test_killed_while_rotating(desktop: World) -> None:
    """Wherever `rotate` is killed the profile works; in the end the user has one active key, and it is another one."""
    keys(desktop, "add", "base")
    for _ in runs_until_whole(desktop, "rotate", "base"):
        assert works(desktop)
    (only,) = desktop.sts.iam.keys_of(desktop.user.arn)
    stored = kept(desktop)
    assert stored is not None
    assert (stored.key.access_key_id, stored.rotation) == (only.access_key_id, None)
    assert not only.revoked
    assert only.access_key_id != desktop.user.access_key_id


def test_killed_once_while_rotating_a_file(world: World) -> None:
    """A key that is still in the file rotates there in the same way, and leaves nothing but the new key behind."""
    before = world.credentials.read_text()
    world.credentials.chmod(0o600)
    for _ in runs_until_whole(world, "rotate", "base"):
        assert works(world)
    (only,) = world.sts.iam.keys_of(world.user.arn)
    after = before.replace(world.user.access_key_id, only.access_key_id)
    assert world.credentials.read_text() == after.replace(world.user.secret_access_key, only.secret)
    assert only.access_key_id != world.user.access_key_id


def test_a_key_of_two_profiles(desktop: World) -> None:
    """A key that another profile has, in a file or in the keychain, is not rotated; `add` says where the secret is."""
    user = desktop.user
    both = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}
    desktop.profile("twin", **both, region="eu-west-1")
    assert f"the secret is still in {desktop.config}" in keys(desktop, "add", "base")
    for place in ("file", "keychain"):
        assert "would be left with a deleted one" in refusal(desktop, "rotate", "base"), place
        assert who(desktop, "twin") == user.arn
        if place == "file":
            assert "still in" not in keys(desktop, "add", "twin")
    keys(desktop, "remove", "--yes", "twin")
    keys(desktop, "rotate", "base")


def test_killed_at_each_call_of_aws(desktop: World) -> None:
    """Before each call of AWS, and before its answer has been noted, a killed rotation is ended by the next one."""
    keys(desktop, "add", "base")
    before = {desktop.user.access_key_id}
    for number in range(1, 200):
        done = desktop.process("awsdirenv", "keys", "rotate", "base", cwd=None, **{DIE_AT: f"wire {number}"})
        stored = kept(desktop)
        assert stored is not None
        assert not desktop.sts.keys[stored.key.access_key_id].revoked, f"locked out at {number}"
        if done.returncode == 0:
            break
        keys(desktop, "rotate", "base")
        (only,) = desktop.sts.iam.keys_of(desktop.user.arn)
        stored = kept(desktop)
        assert stored is not None
        assert (stored.key.access_key_id, stored.rotation, only.revoked) == (only.access_key_id, None, False)
        assert only.access_key_id not in before, f"nothing was rotated at {number}"
        before.add(only.access_key_id)
    assert number > 10  # ListAccessKeys, CreateAccessKey, GetCallerIdentity, UpdateAccessKey, DeleteAccessKey


def test_a_new_key_is_unknown_for_a_while(desktop: World) -> None:
    """AWS learns late of a new key: the old one stays in use until the new one is taken."""
    keys(desktop, "add", "base")
    desktop.sts.iam.unseen = 4
    keys(desktop, "rotate", "base")
    assert who(desktop).endswith(":user/foo")
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 1


def test_rotating_with_a_code(desktop: World) -> None:
    """Where IAM demands MFA, the session of the key's device is used, one code for all calls."""
    desktop.profile(
        "other", role_arn="arn:aws:iam::123456789012:role/x", source_profile="base", mfa_serial=desktop.mfa_serial
    )
    keys(desktop, "add", "base")
    desktop.sts.iam.needs_mfa = True
    done = desktop.process("awsdirenv", "keys", "rotate", "base")
    assert done.returncode == 3
    code = desktop.code()
    keys(desktop, "rotate", "base", AWSDIRENV_MFA_PROCESS=f"echo {code}")
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 1
    assert desktop.sts.count("GetSessionToken", ok=True) == 1


def test_a_second_key_is_nobodys_to_delete(desktop: World) -> None:
    """IAM allows two keys: another one, whoever made it, is named with the way out, and stays."""
    keys(desktop, "add", "base")
    desktop.process("aws", "iam", "create-access-key", "--profile", "base").check_returncode()
    done = desktop.process("awsdirenv", "keys", "rotate", "base")
    assert done.returncode == 1
    assert "IAM allows no third" in done.stderr
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 2


def test_somebody_elses_new_key_stays(desktop: World) -> None:
    """A key that was made while a rotation was interrupted, and that somebody has used, is not deleted."""
    keys(desktop, "add", "base")
    desktop.sts.add_fault("CreateAccessKey", "500")
    assert desktop.process("awsdirenv", "keys", "rotate", "base").returncode == 1
    made = json.loads(desktop.process("aws", "iam", "create-access-key", "--profile", "base").stdout)
    desktop.sts.iam.last_used[made["AccessKey"]["AccessKeyId"]] = (desktop.sts.now(), "s3")
    assert desktop.process("awsdirenv", "keys", "rotate", "base").returncode == 1
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 2


def test_a_lost_answer(desktop: World) -> None:
    """Where the answer with the new key is lost, the next run deletes that key and makes another one."""
    keys(desktop, "add", "base")
    desktop.sts.add_fault("CreateAccessKey", "truncated")
    assert desktop.process("awsdirenv", "keys", "rotate", "base").returncode == 1
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 2
    assert "whose secret was lost" in keys(desktop, "rotate", "base")
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 1


@pytest.mark.parametrize("place", ["keychain", "file"])
def test_a_key_that_may_not_be_made(desktop: World, place: str) -> None:
    """Where IAM makes no key the rotation is over: the key can go back, and one that is made by hand stays."""
    desktop.sts.add_fault("CreateAccessKey", "access-denied")
    before = files(desktop)
    if place == "keychain":
        keys(desktop, "add", "base")
    assert refusal(desktop, "rotate", "base").startswith("the user of profile base may not call CreateAccessKey")
    if place == "keychain":
        keys(desktop, "remove", "--restore", "base")
    assert files(desktop) == before
    desktop.process("aws", "iam", "create-access-key", "--profile", "base").check_returncode()
    assert "IAM allows no third" in refusal(desktop, "rotate", "base")
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 2


def test_back_after_a_lost_answer(desktop: World) -> None:
    """A rotation that has only begun does not keep a key in the keychain."""
    before = files(desktop)
    keys(desktop, "add", "base")
    desktop.sts.add_fault("CreateAccessKey", "500")
    assert desktop.process("awsdirenv", "keys", "rotate", "base").returncode == 1
    keys(desktop, "remove", "--restore", "base")
    assert files(desktop) == before


def refusal(world: World, *words: str, **env: str) -> str:
    """Run `awsdirenv keys`, which must fail with one error and one hint; give the error."""
    done = world.process("awsdirenv", "keys", *words, cwd=None, **env)
    assert done.returncode == 1, done.stderr
    error, hint = told(done.stderr)
    assert hint.startswith("awsdirenv: hint: ")
    return error.removeprefix("awsdirenv: error: ")


def test_a_locked_keychain(desktop: World) -> None:
    """A keychain that nobody can unlock is one error, at once, for us and for an SDK; no file has changed."""
    keys(desktop, "add", "base")
    before = files(desktop)
    with locked(desktop) as variables:
        assert refusal(desktop, "rotate", "base", **variables) == "the keychain is locked"
        assert "the keychain is locked" in who(desktop, **variables)
        done = desktop.process("awsdirenv", "login", "base", cwd=None, **variables)
        assert "the keychain is locked" in done.stderr
    assert files(desktop) == before


def test_no_window_in_the_background(desktop: World) -> None:
    """A load that nobody waits for opens no window of a locked keychain; a command at a terminal does."""
    keys(desktop, "add", "base")
    asked = desktop.root / "asked"
    with locked(desktop) as variables:
        put_prompter(variables, desktop.program("prompter", f"touch {asked}; exit 1"))
        done = desktop.process("awsdirenv", "load", "base", cwd=None, **variables)
        assert "the keychain is locked" in done.stderr
        assert not asked.exists()
        with Shell(desktop, "bash", cwd=None, **variables) as shell:
            assert "the keychain is locked" in shell.run("awsdirenv login base")
        assert asked.exists()


def test_no_desktop(world: World) -> None:
    """Without D-Bus there is no keychain, and the keys stay where they are."""
    before = files(world)
    assert refusal(world, "add", "base").startswith("there is no keychain here")
    assert files(world) == before


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_a_backend_that_keeps_nothing(desktop: World, backend: str) -> None:
    """A backend that keeps no secret is refused: a key would be lost."""
    before = files(desktop)
    assert refusal(desktop, "add", "base", PYTHON_KEYRING_BACKEND=backend).endswith("which is no safe keychain")
    assert files(desktop) == before


def test_a_keychain_that_hangs(world: World) -> None:
    """A Secret Service that never answers is given up in time."""
    path = world.root / "bus"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        bus = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}"}
        said = refusal(world, "add", "base", AWSDIRENV_KEYCHAIN_TIMEOUT="2s", **bus)
    assert said == "the keychain did not answer within 2s"


def test_a_plain_text_backend(desktop: World) -> None:
    """A backend that keyring itself does not recommend, as one that stores in plain text, is refused."""
    folder = desktop.root / "backends"
    folder.mkdir()
    (folder / "plain.py").write_text(
        "from keyring.backend import KeyringBackend\nclass Keyring(KeyringBackend):\n    priority = 0.5\n"
        "    def get_password(self, service, name): return None\n    set_password = delete_password = None\n"
    )
    setting = desktop.home / ".config" / "python_keyring" / "keyringrc.cfg"
    setting.parent.mkdir(parents=True)
    setting.write_text(f"[backend]\ndefault-keyring=plain.Keyring\nkeyring-path={folder}\n")
    assert refusal(desktop, "add", "base") == "keyring is set to plain.Keyring, which is no safe keychain"
    assert kept(desktop) is None


def test_keys_of_the_config_file(desktop: World) -> None:
    """A key that is in the config file goes, too; the lines around it stay."""
    secret = desktop.user.secret_access_key
    lines = f"aws_access_key_id = {desktop.user.access_key_id}\n  # a note\naws_secret_access_key={secret}\n"
    desktop.credentials.unlink()
    desktop.config.write_text(f"[profile base]\nregion = eu-west-1\n{lines}output = json\n")
    keys(desktop, "add", "base")
    text = desktop.config.read_text()
    assert re.fullmatch(
        r"\[profile base\]\ncredential_process = .*\nregion = eu-west-1\n  # a note\noutput = json\n", text
    )
    assert who(desktop) == desktop.user.arn


@pytest.mark.parametrize("name", ["a b", "-dash", "it's", "ä", "x;y #z", "keys"])
def test_names(desktop: World, name: str) -> None:
    """Any profile can have its key in the keychain, and the real AWS CLI finds it by our line."""
    text = desktop.credentials.read_text().replace("[base]", f"[{name}]")
    desktop.credentials.write_text(text, encoding="utf-8")
    keys(desktop, "add", "--", name)
    assert desktop.credentials.read_text(encoding="utf-8") == f"[{name}]\n"
    done = desktop.process("aws", "sts", "get-caller-identity", f"--profile={name}", "--region", "eu-west-1")
    assert desktop.user.arn in done.stdout, done.stderr
    keys(desktop, "rotate", "--", name)
    keys(desktop, "remove", "--restore", "--", name)
    assert desktop.credentials.read_text(encoding="utf-8").startswith(f"[{name}]\naws_access_key_id = AKID")


def test_live_directories(desktop: World) -> None:
    """In a live directory programs get sessions of a key in the keychain, and roles behind it."""
    desktop.role("plain", mfa=False)
    desktop.role("admin")
    keys(desktop, "add", "base")
    folder = desktop.project("live", "use aws_profile plain --live\n")
    env = {name: value for name, value in desktop.enter(folder)[0].items() if value is not None}
    assert who(desktop, "plain", **env).split("/")[:2] == ["arn:aws:sts::123456789012:assumed-role", "plain"]
    assert who(desktop, "base", **env) == desktop.user.arn
    assert "agents do not get" in who(desktop, "base", **{**env, "CLAUDECODE": "1"})
    config = Path(env["AWS_CONFIG_FILE"]).read_text()
    assert "admin" in config
    assert desktop.user.secret_access_key not in config


def test_many_at_once(desktop: World) -> None:
    """Shells that open at once get one session of the key, and rotations one after another leave one key."""
    keys(desktop, "add", "base")
    words = ["awsdirenv", "login", "base"], ["awsdirenv", "keys", "rotate", "base"]
    for command in words:
        started = [
            subprocess.Popen(command, env=desktop.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for process in started:
            assert (process.communicate(timeout=60)[1], process.returncode)[1] == 0
    assert desktop.sts.count("GetSessionToken") == 1
    assert len(desktop.sts.iam.keys_of(desktop.user.arn)) == 1


def test_at_a_terminal(desktop: World) -> None:
    """Ctrl-C at a question ends the command, the terminal is as before, and the secret of `get` is on no screen."""
    desktop.credentials.write_text("")
    with Shell(desktop, "bash") as shell:
        modes = shell.modes()
        shell.start("awsdirenv keys add base")
        shell.expect("of base: ")
        shell.send("\x03")
        assert "no access key was typed" in shell.finish()
        shell.start("awsdirenv keys add base")
        shell.expect("of base: ")
        shell.send("no key\r")
        shell.expect("not shown")
        shell.send("x y\r")
        assert "what was typed is no access key" in shell.finish()
        write_key(desktop, desktop.user)
        keys(desktop, "add", "base")
        said = shell.run("awsdirenv keys get base")
        assert "which should be on no screen" in said
        assert desktop.user.secret_access_key not in said
        assert shell.modes() == modes


def test_the_list(desktop: World) -> None:
    """`list` says of each long-term key where it is and how old, without the keychain and without AWS."""
    other = desktop.sts.add_user("other")
    desktop.profile("other", aws_access_key_id=other.access_key_id, aws_secret_access_key=other.secret_access_key)
    keys(desktop, "add", "base")
    keys(desktop, "rotate", "base")
    desktop.sts.reset()
    done = desktop.process("awsdirenv", "keys", "list", "--json", cwd=None, DBUS_SESSION_BUS_ADDRESS="unix:path=/none")
    found = {row["profile"]: row for row in json.loads(done.stdout)["keys"]}
    assert found["other"]["path"] == str(desktop.config)
    assert (found["base"]["path"], found["base"]["is_made_then"], found["base"]["is_rotating"]) == (None, True, False)
    assert desktop.sts.calls == []
    status = json.loads(desktop.process("awsdirenv", "status", "--json").stdout)
    assert [row["profile"] for row in status["keychain_keys"]] == ["base"]
