"""Signing in to IAM Identity Center: `awsdirenv login` and AWSDIRENV_SSO_LOGIN=auto, on real terminals.

Most of it is by device code, as without a browser; for the browser of this machine see test_sign_in_redirect.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from browsers import LOADED, browser, not_signed_in, token_file
from container import proc
from in_process import caller_arn
from sentinels import all_arguments
from shells import SHELLS, Shell, children
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import A_TERMINAL, AT_ONCE, World, told

PAGE = "allow it only if the page shows this code: "
OVER = "awsdirenv: error: the credentials for profile dev: the sign-in has ended"
NEVER = "awsdirenv: error: the credentials for profile dev: nobody has signed in"


@pytest.fixture
def corp(world: World) -> World:
    """Have a profile `dev` of the session `corp`, which nobody has signed in to, and a project that uses it."""
    return not_signed_in(world)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, corp: World) -> Iterator[Shell]:
    """Open each shell in turn, outside of any project."""
    with Shell(corp, request.param) as opened:
        yield opened


def code_on(shell: Shell) -> str:
    """Wait for the code that is shown, and give it."""
    shell.expect(PAGE)
    return str(re.findall(r"[A-Z]{4}-[A-Z]{4}", shell.expect("Ctrl-C cancels"))[0])


def refused(world: World, profile: str = "dev") -> str:
    """Load with nobody there, as entering does; a sign-in must be needed. Give what is said."""
    done = world.run("awsdirenv", "load", "--", profile)
    assert (done.returncode, done.stdout) == (3, "")
    return done.stderr


def forget(world: World) -> None:
    """Forget our credentials, so that the next load asks Identity Center."""
    world.run("awsdirenv", "clear", "--all").check_returncode()


def count(world: World, *actions: str) -> list[int]:
    """Say how often the service was called."""
    return [world.sts.count(action) for action in actions]


# `awsdirenv login`


def test_a_browser_opens(corp: World) -> None:
    """The page and the code are shown, a browser opens the page, and once it is allowed there all is loaded."""
    log = browser(corp)
    for kind in SHELLS:
        with Shell(corp, kind) as shell:
            before = shell.modes()
            said = shell.run("awsdirenv login --device-code dev")
            assert said.count("awsdirenv: error") == said.count("BABBLE") == 0
            lines = [line.strip() for line in said.replace("\r", "\n").splitlines() if "awsdirenv: " in line]
            lines = [line for line in lines if not line.startswith("awsdirenv: waiting for AWS: ")]
            visited = log.read_text().split()
            code = visited[-1].rpartition("=")[2]
            assert lines == [
                "awsdirenv: to sign in to corp: your browser opens this page; if not, open it yourself, on any device",
                f"awsdirenv:   {visited[-1]}",
                f"awsdirenv: {PAGE}{code}",
                "awsdirenv: waiting for up to 10m; Ctrl-C cancels",
                "awsdirenv: signed in to corp",
                LOADED,
            ]
            assert shell.modes() == before
        forget(corp)
        token_file(corp).unlink()
    assert len(visited) == len(SHELLS)


def test_the_token_is_everybody_s(corp: World) -> None:
    """The AWS CLI works with our token and botocore refreshes it; we work with what `aws sso login` has written."""
    corp.sts.sso.configure(token_life=60)  # botocore refreshes what ends within 15 minutes
    corp.sts.sso.auto_approve_after(0)
    with Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")
    ours = json.loads(token_file(corp).read_text())
    done = corp.run("aws", "sts", "get-caller-identity", "--profile", "dev")
    assert "AWSReservedSSO_Developer" in done.stdout, done.stderr
    refreshed = json.loads(token_file(corp).read_text())
    assert refreshed.keys() == ours.keys()
    assert refreshed["accessToken"] != ours["accessToken"]
    assert refreshed["registrationExpiresAt"] == ours["registrationExpiresAt"]
    forget(corp)
    token_file(corp).unlink()
    corp.sso_sign_in()
    done = corp.run("awsdirenv", "login", "dev")
    assert done.stderr.strip() == LOADED
    assert count(corp, "RegisterClient") == [1]


@pytest.mark.parametrize("case", ["holds", "can be refreshed"])
def test_no_person_is_needed(corp: World, case: str) -> None:
    """A token that holds is used and one that can be refreshed is refreshed, without a word, also by `login`."""
    browser(corp)
    corp.sso_sign_in(life=3600 if case == "holds" else -60)
    with Shell(corp, "bash") as shell:
        said = shell.run("awsdirenv login dev")
    assert LOADED in said
    assert "sign in" not in said
    assert count(corp, "RegisterClient", "CreateToken") == [0, case != "holds"]


@pytest.mark.parametrize("option", ["--device-code --no-browser", ""], ids=["unwanted", "no desktop"])
def test_no_browser(corp: World, option: str) -> None:
    """With --no-browser, or without a desktop, no process is started, and the page may be opened anywhere."""
    log = browser(corp)
    if not option:
        del corp.env["BROWSER"]
    with Shell(corp, "bash") as shell:
        shell.start(f"awsdirenv login dev {option}")
        shell.expect("awsdirenv: to sign in to corp: open this page in a browser, on any device")
        code = code_on(shell)
        assert not any(b"webbrowser" in arguments(pid) for pid in children(shell.pid))
        corp.sts.sso.approve(code)
        assert LOADED in shell.finish()
    assert not log.exists()


def arguments(pid: int) -> bytes:
    """Give the command line of a process."""
    try:
        return (proc() / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_browser_that_hangs(corp: World) -> None:
    """A browser that does not end, and one that is not there, keep nobody waiting."""
    pid = corp.root / "pid"
    hanging = corp.program("browser", f"echo $$ >{pid}; exec sleep 60")
    for program in (str(hanging), "/nowhere/browser"):
        with Shell(corp, "bash", BROWSER=program) as shell:
            shell.start("awsdirenv login --device-code dev")
            corp.sts.sso.approve(code_on(shell))
            assert LOADED in shell.finish()
        forget(corp)
        token_file(corp).unlink()
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_the_time_of_a_person_is_their_own(corp: World) -> None:
    """AWSDIRENV_STS_TIMEOUT is for the calls; the person may take longer."""
    with Shell(corp, "bash", AWSDIRENV_STS_TIMEOUT="1s") as shell:
        shell.start("awsdirenv login dev")
        code = code_on(shell)
        time.sleep(1.2)
        corp.sts.sso.approve(code)
        assert LOADED in shell.finish()


def test_a_call_has_an_end(corp: World) -> None:
    """A service that does not answer is given up after AWSDIRENV_STS_TIMEOUT."""
    corp.sts.add_fault("RegisterClient", "hang", times=None)
    with Shell(corp, "bash", AWSDIRENV_STS_TIMEOUT="1s") as shell:
        said = shell.run("awsdirenv login dev; echo status=$?", timeout=1 + AT_ONCE)
    assert "awsdirenv: error: the sign-in to corp: no answer within 1s, for profile dev" in said
    assert "status=1" in said


@pytest.mark.parametrize(
    ("kind", "hanging", "how"),
    [("bash", "RegisterClient", "key"), ("zsh", "", "key"), ("fish", "CreateToken", "key"), ("bash", "", "signal")],
)
def test_ctrl_c(corp: World, kind: str, hanging: str, how: str) -> None:
    """Ctrl-C ends a sign-in at once, whatever it is doing; nothing is written, and the next one is as the first."""
    if hanging:
        corp.sts.add_fault(hanging, "hang")
    with Shell(corp, kind) as shell:
        before = shell.modes()
        status = "$status" if kind == "fish" else "$?"
        shell.start(f"awsdirenv login dev; echo status={status}")
        if hanging != "RegisterClient":
            code_on(shell)
        while hanging and not corp.sts.count(hanging):
            time.sleep(0.02)
        started = time.monotonic()
        if how == "key":
            shell.send("\x03")
        else:
            (pid,) = (pid for pid in children(shell.pid) if b"login" in arguments(pid))
            os.kill(pid, signal.SIGINT)
        said = shell.expect("status=3")
        assert time.monotonic() - started < AT_ONCE
        shell.finish()
        assert "awsdirenv: error: loading dev was cancelled" in said
        assert "awsdirenv: hint: awsdirenv login dev" in said
        assert shell.modes() == before
        assert list(token_file(corp).parent.iterdir()) == []
        shell.start("awsdirenv login dev")
        corp.sts.sso.approve(code_on(shell))
        assert LOADED in shell.finish()


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}, {"AWSDIRENV_NO_PROMPT": "1"}], ids=str)
def test_nobody_is_there(corp: World, environment: dict[str, str]) -> None:
    """Without a person `login` fails at once, and says where to run it; the service is not troubled."""
    browser(corp)
    if environment:
        corp.env.update(environment)
        with Shell(corp, "bash") as shell:
            said = shell.run("awsdirenv login dev; echo status=$?")
    else:
        done = corp.run("awsdirenv", "login", "dev")
        said = f"{done.stderr}status={done.returncode}"
    assert f"{NEVER}, and nobody is here to sign in" in said
    assert "awsdirenv: hint: in a terminal: awsdirenv login dev" in said
    assert "status=3" in said
    assert count(corp, "RegisterClient", "CreateToken") == [0, 0]


def test_a_cache_that_cannot_be_written(corp: World) -> None:
    """Where the token could not be written, nobody is sent to sign in."""
    token_file(corp).parent.parent.mkdir(parents=True)
    token_file(corp).parent.touch()
    with Shell(corp, "bash") as shell:
        said = shell.run("awsdirenv login dev")
    assert f"awsdirenv: error: cannot use {token_file(corp)}: " in said
    assert count(corp, "RegisterClient") == [0]


@pytest.mark.parametrize("text", ["", '{"accessToken": "x", "expiresAt": "soon"}'])
def test_a_token_file_that_is_none(corp: World, text: str) -> None:
    """A token file that is torn, or no token at all, is a sign-in that is over; `login` makes it whole."""
    corp.sts.sso.auto_approve_after(0)
    token_file(corp).parent.mkdir(parents=True)
    token_file(corp).write_text(text)
    assert OVER in refused(corp)
    with Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")


@pytest.mark.parametrize("end", ["revoked", "sso logout"])
def test_signed_out(corp: World, end: str) -> None:
    """A token that the service no longer takes, whatever its file says, takes a sign-in; `login` does it."""
    corp.sso_sign_in()
    corp.sts.sso.sign_out()
    if end == "sso logout":
        token_file(corp).unlink()
    assert (NEVER if end == "sso logout" else OVER) in refused(corp)
    corp.sts.sso.auto_approve_after(0)
    with Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login dev")


def test_a_role_behind_a_sign_in(corp: World) -> None:
    """`login` for a role whose source is signed in to signs in, too, and the error names the role's profile."""
    arn = corp.sts.add_role("deploy", trusted=[corp.sts.sso.assign("Developer")])
    corp.profile("deploy", role_arn=arn, source_profile="dev", region="eu-west-1")
    folder = corp.project("deploy")
    said = refused(corp, "deploy")
    assert "awsdirenv: error: the credentials for profile dev, on the way to deploy: nobody has signed in" in said
    assert "awsdirenv: hint: awsdirenv login deploy" in said
    corp.sts.sso.auto_approve_after(0)
    with Shell(corp, "bash") as shell:
        assert "awsdirenv: deploy: account 123456789012, role deploy" in shell.run("awsdirenv login deploy")
    assert corp.enter(folder)[0]["AWSDIRENV_PROFILE"] == "deploy"


def test_a_legacy_profile(corp: World) -> None:
    """A profile with a start URL of its own, and no session, is signed in to as well."""
    corp.sso_profile("old", None)
    cached = token_file(corp, corp.sts.sso.start_url)
    cached.unlink()
    corp.sts.sso.auto_approve_after(0)
    with Shell(corp, "bash") as shell:
        said = shell.run("awsdirenv login old")
    assert f"awsdirenv: to sign in to {corp.sts.sso.start_url}: " in said
    assert "awsdirenv: old: account 123456789012" in said
    assert "refreshToken" not in json.loads(cached.read_text())
    assert "AWSReservedSSO" in caller_arn(corp.env, corp.root, "old", "eu-west-1")


@pytest.mark.parametrize(
    "lines",
    [
        ["sso_region = eu-west-1"],
        ["sso_start_url = https://x"],
        ["sso_start_url = https://x", "sso_region = not a region"],
    ],
    ids=str,
)
def test_a_session_that_is_not_whole(corp: World, lines: list[str]) -> None:
    """What is missing in a session, or makes no sense, is said, and nobody is sent to sign in."""
    corp.profile("half", sso_session="half", sso_account_id="123456789012", sso_role_name="Developer")
    with corp.config.open("a") as file:
        file.write("\n".join(["[sso-session half]", *lines, ""]))
    done = corp.run("awsdirenv", "login", "half")
    assert re.match("awsdirenv: error: .*profile half", done.stderr)
    assert "the sign-in has ended" not in done.stderr
    assert done.returncode == 1
    assert count(corp, "RegisterClient") == [0]


# Several at once


@pytest.fixture
def signing(corp: World) -> Iterator[Shell]:
    """Have a bash that waits for its person to sign in."""
    with Shell(corp, "bash") as shell:
        shell.start("awsdirenv login dev")
        shell.code = code_on(shell)  # type: ignore[attr-defined]
        yield shell


def approve(world: World, shell: Any) -> None:
    """Sign in for a shell."""
    world.sts.sso.approve(shell.code)


def signer(shell: Shell) -> int:
    """Find the process that waits for its person."""
    return next(pid for pid in children(shell.pid) if b"login" in arguments(pid))


@pytest.mark.parametrize("other", ["login dev", "login ops", "login --force dev"])
def test_two_at_once(corp: World, signing: Shell, other: str) -> None:
    """A second login, of another profile of the session too, is told who signs in, and both are served by one."""
    corp.sso_profile("ops", role_name="Operator")
    with Shell(corp, "zsh") as shell:
        shell.start(f"awsdirenv {other}")
        told = shell.expect("asking for the sign-in to corp")
        assert re.search(rf"awsdirenv: waiting for pid {signer(signing)} on {A_TERMINAL}", told)
        approve(corp, signing)
        assert LOADED in signing.finish()
        assert f"awsdirenv: {other.rpartition(' ')[2]}: account 123456789012" in shell.finish()
    assert count(corp, "RegisterClient", "StartDeviceAuthorization") == [1, 1]


@pytest.mark.parametrize("mfa_process", ["", "echo 123456"])
def test_nobody_waits_without_a_person(corp: World, signing: Shell, mfa_process: str) -> None:
    """An editor does not hang for as long as a person signs in elsewhere; a command for codes is no help there."""
    environment = {"AWSDIRENV_MFA_PROCESS": mfa_process} if mfa_process else {}
    started = time.monotonic()
    changes, said = corp.enter(corp.root / "dev", **environment)
    assert time.monotonic() - started < AT_ONCE
    assert changes.get("AWS_ACCESS_KEY_ID") is None
    told = f"profile dev waits for an answer: pid {signer(signing)} on {A_TERMINAL}, asking for the sign-in to corp"
    assert re.search(told, said)
    assert "awsdirenv: hint: awsdirenv login dev" in said


def test_waiting_has_an_end(corp: World, signing: Shell) -> None:
    """Who waits for another's sign-in waits no longer than AWSDIRENV_LOCK_TIMEOUT; who signs in has their time."""
    with Shell(corp, "bash", AWSDIRENV_LOCK_TIMEOUT="1s") as shell:
        said = shell.run("awsdirenv login dev; echo status=$?")
        assert re.search(
            r"error: gave up waiting for another awsdirenv \(pid .*, asking for the sign-in to corp\)", said
        )
        assert "status=4" in said
    approve(corp, signing)
    assert LOADED in signing.finish()


def test_killed_while_signing_in(corp: World, signing: Shell) -> None:
    """When the one who signs in is killed, the next in line signs in, and the terminal of the first is as before."""
    with Shell(corp, "bash") as shell:
        shell.start("awsdirenv login dev")
        shell.expect("asking for the sign-in to corp")
        os.kill(signer(signing), signal.SIGKILL)
        corp.sts.sso.approve(code_on(shell))
        assert LOADED in shell.finish()
    signing.finish()
    assert count(corp, "RegisterClient") == [2]
    assert len(list(token_file(corp).parent.iterdir())) == 1


@pytest.mark.parametrize("how", ["login", "entering"])
def test_another_program_is_faster(corp: World, how: str) -> None:
    """When the AWS CLI, which knows no lock of ours, refreshes at the same moment, its token is taken."""
    corp.sso_sign_in(life=-60)
    corp.sts.sso.sign_out()
    corp.sts.add_fault("CreateToken", "delay", seconds=0.5)
    with Shell(corp, "bash") as shell:
        shell.start("awsdirenv login dev" if how == "login" else f"cd {corp.root / 'dev'}")
        while not corp.sts.count("CreateToken"):
            time.sleep(0.02)
        corp.sso_sign_in()
        said = shell.finish()
    assert LOADED in said
    assert "awsdirenv: error" not in said
    assert count(corp, "CreateToken", "RegisterClient") == [1, 0]


# Entering a directory


def test_a_directory_is_closed_and_opens(shell: Shell, corp: World) -> None:
    """Entering with a sign-in that is over says the command and asks nobody; another profile's login opens it."""
    log = browser(corp)
    corp.sso_profile("ops", role_name="Operator")
    corp.sso_sign_in(life=-60)
    corp.sts.sso.sign_out()
    said = shell.run(f"cd {corp.root / 'dev'}")
    assert said.count("awsdirenv: error") == said.count(OVER) == 1
    assert "awsdirenv: hint: awsdirenv login dev" in said
    assert shell.variable("REST_OF_ENVRC") == "loaded"
    assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    assert count(corp, "CreateToken", "RegisterClient") == [1, 0]
    assert not log.exists()
    with Shell(corp, "bash") as other:
        assert "awsdirenv: ops: account" in other.run("awsdirenv login ops")
    assert LOADED in shell.run("true")
    assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASI")


@pytest.mark.parametrize(
    ("shell", "before"),
    [("bash", "nothing"), ("zsh", "a token that is over"), ("fish", "nothing"), ("bash", "a token that is over")],
    indirect=["shell"],
)
def test_a_sign_in_with_the_aws_cli_opens_a_closed_directory(shell: Shell, corp: World, before: str) -> None:
    """Whoever writes the token that everybody shares, the directory needs no word from us."""
    if before != "nothing":
        corp.sso_sign_in(life=-60)
        corp.sts.sso.sign_out()
    assert (NEVER if before == "nothing" else OVER) in shell.run(f"cd {corp.root / 'dev'}")
    assert LOADED not in shell.run("true")
    time.sleep(1)  # direnv compares whole seconds
    corp.sso_sign_in()
    assert LOADED in shell.run("true")
    assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASI")


def test_an_odd_name(corp: World) -> None:
    """The command that is named can be pasted, whatever the profile is called."""
    corp.sso_profile('"my team (dev)"')  # as the file has it
    folder = corp.project("odd", "use aws_profile 'my team (dev)'\n")
    _, said = corp.enter(folder)
    (hint,) = re.findall("awsdirenv: hint: (.*)", said)
    corp.sts.sso.auto_approve_after(0)
    with Shell(corp, "bash") as shell:
        assert "awsdirenv: my team (dev): account 123456789012" in shell.run(hint)


def test_on_entering_by_itself(shell: Shell, corp: World) -> None:
    """With AWSDIRENV_SSO_LOGIN=auto entering signs in; Ctrl-C leaves that step only, and a reload asks again."""
    corp.project("dev", "export DIRENV_WARN_TIMEOUT=1s AWSDIRENV_SSO_LOGIN=auto\nuse aws_profile dev\nexport REST=y\n")
    export = "set -gx DIRENV_WARN_TIMEOUT 500ms" if shell.kind == "fish" else "export DIRENV_WARN_TIMEOUT=500ms"
    shell.run(export)
    before = shell.modes()
    shell.start(f"cd {corp.root / 'dev'}")
    code_on(shell)
    shell.send("\x03")
    said = shell.finish()
    assert said.count("awsdirenv: error: loading dev was cancelled") == 1
    assert (shell.variable("AWS_ACCESS_KEY_ID"), shell.variable("REST")) == ("", "y")
    assert shell.modes() == before
    assert "sign in" not in shell.run("true")
    time.sleep(1.1)  # direnv compares whole seconds
    shell.start("direnv reload")
    code = code_on(shell)
    if "is taking a while" not in shell.log.rpartition("cancelled")[2]:  # direnv's notice, whenever it comes
        shell.expect("is taking a while")
    corp.sts.sso.approve(code)
    said = shell.expect(LOADED)
    # On a slow machine direnv's notice, and ours of waiting, come between.
    lines = [line.strip() for line in said.replace("\r", "\n").splitlines() if "is taking a while" not in line]
    ours = told("\n".join(lines))
    assert ours[-2:] == ["awsdirenv: signed in to corp", LOADED]
    assert [line for line in lines[lines.index(ours[-2]) + 1 :] if line and not line.startswith("awsdirenv: ")] == []
    shell.finish()
    assert shell.variable("AWS_ACCESS_KEY_ID").startswith("ASI")
    assert shell.modes() == before


def test_not_by_itself_in_place(corp: World) -> None:
    """Where a directory is loaded already, a sign-in that is over is one line, with AWSDIRENV_SSO_LOGIN=auto too."""
    log = browser(corp)
    corp.env["AWSDIRENV_SSO_LOGIN"] = "auto"
    with Shell(corp, "zsh") as shell:
        assert LOADED in shell.run(f"cd {corp.root / 'dev'}")
        assert len(log.read_text().split()) == 1
        corp.sts.sso.sign_out()
        forget(corp)
        said = shell.run("true")
        assert OVER in said
        assert "awsdirenv: hint: awsdirenv login dev" in said
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    assert len(log.read_text().split()) == 1


def test_nobody_is_there_on_entering(corp: World) -> None:
    """With AWSDIRENV_SSO_LOGIN=auto nothing is opened where nobody is there."""
    log = browser(corp)
    _, said = corp.enter(corp.root / "dev", AWSDIRENV_SSO_LOGIN="auto")
    assert NEVER in said
    assert not log.exists()
    assert count(corp, "RegisterClient") == [0]


@pytest.mark.parametrize(
    ("text", "said"),
    [("auto", LOADED), ("ask", NEVER), ("yes", "AWSDIRENV_SSO_LOGIN must be auto or ask: 'yes'")],
)
def test_the_setting(corp: World, text: str, said: str) -> None:
    """AWSDIRENV_SSO_LOGIN may stand in the `.env` beside an allowed `.envrc`; what makes no sense is an error."""
    corp.sts.sso.auto_approve_after(0)
    (corp.root / "dev" / ".env").write_text(f"AWSDIRENV_SSO_LOGIN={text}\n")
    with Shell(corp, "bash") as shell:
        shown = shell.run(f"cd {corp.root / 'dev'}")
    assert said in shown
    assert ("awsdirenv: hint: set it to auto, or to ask, which is the default" in shown) == (text == "yes")
    assert count(corp, "RegisterClient") == [text == "auto"]


# Secrets


@pytest.mark.needs("/proc")
def test_secrets(corp: World) -> None:
    """No token, secret or device code on the screen, in an argument, or in a file that others may read."""
    seen = corp.root / "seen"
    # What the browser sees at its moment, so that there is one; the rest is watched from here.
    corp.env["BROWSER"] = str(corp.program("browser", f"cat /proc/$$/cmdline >{seen}"))
    corp.sts.sso.auto_approve_after(1)
    with all_arguments(corp) as arguments, Shell(corp, "bash") as shell:
        assert LOADED in shell.run("awsdirenv login --device-code dev")
        log = shell.log
    device_codes = {call.params["deviceCode"] for call in corp.sts.calls if call.action == "CreateToken"}
    found = seen.read_bytes() + b"".join(arguments)
    assert b"user_code=" in found
    for secret in (SECRET_PREFIX, TOKEN_PREFIX, *device_codes):
        assert secret not in log
        assert secret.encode() not in found
    files = [path for path in corp.home.rglob("*") if path.is_file() and TOKEN_PREFIX.encode() in path.read_bytes()]
    assert token_file(corp) in files
    assert [path for path in files if path.stat().st_mode & 0o077] == []
