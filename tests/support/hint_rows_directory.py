"""Hints in a directory: direnv evaluates the line again as it is written then, and people type what they are told."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pexpect

from aws_doubles import sso_file
from awsdirenv.cache.sessions import CancelMarks
from awsdirenv.config.aws_files import section_header
from awsdirenv.session_credentials import utc_now
from hint_rows_config import ARN, CHAIN
from hint_walk import Act, Hint, Said, Steps, Walk, row, said
from shells import Shell, clean, on_terminal
from start_page import StartPage
from tls import Authority
from world import wait_for

RELOAD = "direnv reload"
LOGIN = "awsdirenv login …"
QUESTION = "Enter MFA code"


def typed(walk: Walk, line: str, *answers: str, question: str = QUESTION) -> Act:
    """Give what runs a line in a terminal of its own, types the answers, and gives what it says."""

    def act() -> Said:
        walk.wait_for_reload(line)
        child = on_terminal(walk.world, ["bash", "-c", line], walk.env)
        shown = ""
        for answer in answers:
            child.expect_exact(question)
            shown += str(child.before or "")
            child.send(answer)
        child.expect(pexpect.EOF)
        shown += str(child.before or "")
        child.close()
        return lines(shown)

    return act


def lines(shown: str) -> Said:
    """Give the messages on a screen, where the echo of what is typed may stand between two lines of ours."""
    ours = re.findall(r"awsdirenv: (?:error|warning|hint): .*", clean(shown).replace("\r", ""))
    return said("\n".join(ours))


def with_device(walk: Walk, envrc: str = "use aws_profile p\n") -> None:
    """Have a profile behind a device, and a project with it."""
    walk.config(f"{CHAIN}mfa_serial = {walk.world.mfa_serial}\nregion = eu-west-1\n")
    walk.world.project(walk.folder.name, envrc)


# --- questions ----------------------------------------------------------------------------------------------------


def _login(message: str, *answers: str, **env: str) -> None:
    """Note a row for a question of `login` that was not answered: the hint asks it again."""

    @row(message, "…")
    def login(walk: Walk) -> Steps:
        with_device(walk)
        walk.env |= env
        hint = yield typed(walk, "awsdirenv login p", *answers)
        yield typed(walk, hint, f"{walk.world.code()}\r")


_login("the MFA code was not given", "\x03")
_login("no MFA code was given", "\r")
_login("nobody gave the MFA code in time", "", AWSDIRENV_PROMPT_TIMEOUT="1")


def _entering(message: str, hint: str, *answers: str) -> None:
    """Note a row for a question on entering that was not answered: `direnv reload` asks it again."""

    @row(message, hint)
    def entering(walk: Walk) -> Steps:
        with_device(walk)
        with Shell(walk.world, "bash") as shell:

            def enter() -> Said:
                shell.start(f"cd {walk.folder}")
                for answer in answers:
                    shell.expect(QUESTION)
                    shell.send(answer)
                return lines(shell.finish())

            def again() -> Said:
                # direnv compares whole seconds.
                shell.run("sleep 1.1")
                shell.start(hint.partition(", then ")[2] or hint)
                shell.expect(QUESTION)
                shell.send(f"{walk.world.code()}\r")
                return lines(shell.finish())

            hint = yield enter
            yield again


_entering("the MFA code was not given", "…", "\x03")
_entering(
    "STS refused … MFA codes for …",
    "check mfa_serial and the clock of the device, then direnv reload",
    "000000\r",
    "000001\r",
    "000002\r",
)


@row("profile … needs an MFA code for …, and one was asked for just now", LOGIN)
def _asked_just_now(walk: Walk) -> Steps:
    with_device(walk)
    walk.config(f"[profile q]\nrole_arn = {ARN}\nsource_profile = base\nmfa_serial = {walk.world.mfa_serial}\n")
    inner = walk.world.project(f"{walk.folder.name}/inner", "source_up\nuse aws_profile q --region eu-west-1\n")
    with Shell(walk.world, "bash") as shell:

        def enter() -> Said:
            shell.start(f"cd {inner}")
            shell.expect(QUESTION)
            shell.send("\x03")
            return lines(shell.finish())

        def login() -> Said:
            shell.start(hint)
            shell.expect(QUESTION)
            shell.send(f"{walk.world.code()}\r")
            shell.finish()
            shell.run("true")
            assert shell.variable("AWSDIRENV_PROFILE") == "q"
            return []

        hint = yield enter
        yield login


def _not_entered(message: str, *, had_session: bool) -> None:
    """Note a row for a code that is needed where a person has not just entered."""

    @row(message, LOGIN)
    def not_entered(walk: Walk) -> Steps:
        with_device(walk)
        with Shell(walk.world, "bash") as shell:
            shell.start(f"cd {walk.folder}")
            shell.expect(QUESTION)
            shell.send(f"{walk.world.code()}\r" if had_session else "\x03")
            shell.finish()
            if had_session:
                walk.does("awsdirenv clear --all")
            else:
                walk.config("\n")
            hint = yield lambda: lines(shell.run("true"))
            shell.start(hint)
            shell.expect(QUESTION)
            shell.send(f"{walk.world.code()}\r")
            shell.finish()
            yield lambda: lines(shell.run("true"))
            assert shell.variable("AWSDIRENV_PROFILE") == "p"


_not_entered("the session for … has ended", had_session=True)
_not_entered("profile … needs an MFA code for …", had_session=False)


@row("profile … waits for an answer: …", LOGIN)
def _another_terminal(walk: Walk) -> Steps:
    with_device(walk)
    with Shell(walk.world, "bash", AWSDIRENV_PROMPT_TIMEOUT="10m") as shell:
        shell.start("awsdirenv login p")
        shell.expect(QUESTION)
        hint = yield walk.load("p")
        shell.send("\x03")
        shell.finish()
        yield typed(walk, hint, f"{walk.world.code()}\r")


def _interrupted(message: str, hint: str, *words: str) -> None:
    @row(message, hint)
    def interrupted(walk: Walk) -> Steps:
        walk.config(f"{CHAIN}region = eu-west-1\n")
        folder = walk.world.project(walk.folder.name, "use aws_profile p\n")
        walk.world.sts.add_fault("AssumeRole", "hang", times=None)

        def act() -> Said:
            with subprocess.Popen(
                ["awsdirenv", "load", *words, "p"], env=walk.world.env, cwd=folder, stderr=subprocess.PIPE, text=True
            ) as running:
                wait_for(lambda: walk.world.sts.count("AssumeRole"))
                running.send_signal(signal.SIGINT)
                return said(running.communicate()[1])

        hint = yield act
        walk.world.sts.faults.clear()
        if hint != RELOAD:
            yield typed(walk, hint)
            return
        with Shell(walk.world, "bash") as shell:
            shown = lines(shell.run(f"cd {folder}"))
            assert shown == [("loading p was cancelled here", hint)]
            shell.run("sleep 1.1")  # direnv compares whole seconds
            yield lambda: lines(shell.run(hint))
            assert shell.variable("AWSDIRENV_PROFILE") == "p"


_interrupted("loading … was cancelled", LOGIN)
_interrupted("loading … was cancelled", RELOAD, "--envrc")


@row("gave up waiting for another awsdirenv (…) after …s", "finish or end that process, then direnv reload")
def _lock(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.world.sts.add_fault("AssumeRole", "hang", times=1)
    walk.env["AWSDIRENV_LOCK_TIMEOUT"] = "1"
    with subprocess.Popen(["awsdirenv", "load", "p"], env=walk.world.env, stderr=subprocess.DEVNULL) as running:
        wait_for(lambda: walk.world.sts.count("AssumeRole"))
        yield walk.load("p")
        running.kill()
        running.wait()
        yield walk.load("p")


# --- sign-ins -----------------------------------------------------------------------------------------------------


@row("…, and nobody is here to sign in", "in a terminal: …")
def _nobody_signs_in(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    walk.world.sso_profile("dev")
    walk.world.sts.sso.auto_approve_after(0)
    act = walk.shell("awsdirenv login dev")
    hint = yield act
    assert typed(walk, f"{hint.removeprefix('in a terminal: ')} --no-browser")() == []


def _signs_in(walk: Walk) -> Steps:
    walk.world.sso_profile("dev")
    walk.world.sts.sso.auto_approve_after(0)
    hint = yield walk.load("dev")
    assert typed(walk, hint)() == []


@row("…: nobody has signed in", "…")
def _not_signed_in(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    yield from _signs_in(walk)


@row("…: the sign-in has ended", "…")
def _sign_in_over(walk: Walk) -> Steps:
    walk.world.sso_session(registration_scopes="")
    sso_file(walk.world.home, "corp", walk.world.sts.sso.sign_in(-60, scopes=()))
    yield from _signs_in(walk)


@row("the sign-in to … was denied", "try again and allow it in the browser, or ask who denied it")
def _denied(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    walk.world.sso_profile("dev")
    sso = walk.world.sts.sso

    def deny() -> Said:
        with Shell(walk.world, "bash") as shell:
            shell.start("awsdirenv login --no-browser dev")
            shell.expect("Ctrl-C cancels")
            for code in sso.pending():
                sso.deny(code)
            return lines(shell.finish())

    yield deny
    sso.auto_approve_after(0)
    yield typed(walk, "awsdirenv login --no-browser dev")


@row("the sign-in to … was refused: … (…)", "check sso_start_url, sso_region and sso_registration_scopes in …")
def _refused(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    walk.world.sso_profile("dev")
    url = walk.world.sts.sso.start_url
    walk.rewrite(walk.world.config, "[sso-session corp]", sso_start_url="https://other.awsapps.com/start")
    walk.world.sts.sso.auto_approve_after(0)
    hint = yield typed(walk, "awsdirenv login --no-browser dev")
    walk.edit(hint, sso_start_url=url)


@row("… leads to …, and sso_region is …", "set sso_region = … in …")
def _another_region(walk: Walk) -> Steps:
    authority, portal = Authority(walk.world.root / "authority"), "https://ssoins-0123.portal.eu-west-1.app.aws"
    walk.world.sts.sso.configure(start_url=portal)
    walk.world.sts.sso.auto_approve_after(0)
    with StartPage(authority) as page:
        page.answers["HEAD"] = (302, portal)
        walk.env["AWS_CA_BUNDLE"] = str(authority.bundle)
        walk.world.sso_session(signed_in=False, sso_start_url=f"{page.url}/aws", sso_region="us-east-1")
        walk.world.sso_profile("dev")
        hint = yield typed(walk, "awsdirenv login --no-browser dev")
        walk.edit(hint, sso_region=hint.split()[3])
        yield typed(walk, "awsdirenv login --no-browser dev")


@row("cannot use …: …", "make … writable")
def _sso_folder(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    walk.world.sso_profile("dev")
    walk.world.sts.sso.auto_approve_after(0)
    folder = walk.world.home / ".aws" / "sso"
    folder.mkdir()
    (folder / "cache").write_text("", encoding="utf-8")
    hint = yield typed(walk, "awsdirenv login --no-browser dev")
    path = Path(hint.split()[1])
    path.unlink()
    path.mkdir()


# --- what a line demands ------------------------------------------------------------------------------------------


def _pinned(option: str, right: str) -> None:
    @row("profile … leads to …, but .envrc wants …", "correct …, or the line in .envrc")
    def pinned(walk: Walk) -> Steps:
        walk.config(f"{CHAIN}region = eu-west-1\n")
        other = walk.world.sts.add_role("other", "210987654321")
        act = walk.enter(f"use aws_profile p {option}\n")
        hint = yield act
        if right:
            yield walk.enter(f"use aws_profile p {right}\n")
        else:
            assert "[profile p]" in hint
            walk.rewrite(walk.world.config, "[profile p]", role_arn=other)


_pinned("--account 210987654321", "")
_pinned("--role other", "--role r")


CONFIRM = "in a terminal: direnv reload"


def _confirmed(walk: Walk, answer: str) -> Act:
    return typed(
        walk,
        f"cd {walk.folder} && direnv export json >/dev/null",
        answer,
        question="Type p to enter p (123456789012): ",
    )


@row("entering … needs a confirmation, and nobody is here to give it", CONFIRM)
def _nobody_confirms(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    hint = yield walk.enter("use aws_profile p --confirm\n")
    assert hint.endswith(RELOAD)
    yield _confirmed(walk, "p\r")


@row("entering … was not confirmed", RELOAD)
def _not_confirmed(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.world.project(walk.folder.name, "use aws_profile p --confirm\n")
    yield _confirmed(walk, "q\r")
    yield _confirmed(walk, "p\r")


# --- the extension ------------------------------------------------------------------------------------------------


@row("a part of this extension cannot be read: ….sh", "install awsdirenv again, then: awsdirenv setup")
def _moved(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.world.install(installed="/gone")
    hint = yield walk.enter("use aws_profile p\n")
    walk.does(hint.rpartition(": ")[2])


@row("awsdirenv is not where this extension expects it", "awsdirenv setup")
def _uninstalled(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.world.replace_command("exit 127")
    hint = yield walk.enter("use aws_profile p\n")
    walk.does(hint)


def _once(message: str, envrc: str, text: str, times: int = 1) -> None:
    """Note a row for what went wrong once, which may take some starts: `direnv reload` evaluates again."""

    @row(message, RELOAD)
    def once(walk: Walk) -> Steps:
        walk.config(f"{CHAIN}region = eu-west-1\n")
        starts = walk.world.root / "starts"
        walk.world.replace_command(f'echo >>{starts}; [ "$(wc -l <{starts})" -le {times} ] || exec $ours "$@"; {text}')
        yield walk.enter(envrc)


_once("awsdirenv was ended by signal …", "use aws_profile p\n", "kill -9 $$")
_once("the snapshot for … cannot be used", "use aws_profile p\n", "exit 0", 3)
_once("the live files for … cannot be used", "use aws_profile p --live\n", "exit 0", 3)


@row(
    "readonly in this .envrc, so no profile can be used: …",
    "remove `readonly` (or `declare -r`) from it, in .envrc or direnvrc",
)
def _readonly(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    yield walk.enter("readonly AWS_PROFILE=x\nuse aws_profile p\n")
    yield walk.enter("AWS_PROFILE=x\nuse aws_profile p\n")


@row("… is set, but programs do not see it", "write it in .envrc as: export …=VALUE")
def _unseen(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    yield walk.enter("AWS_CONFIG_FILE=~/.aws/config\nuse aws_profile p\n")
    yield walk.enter("export AWS_CONFIG_FILE=~/.aws/config\nuse aws_profile p\n")


@row("this line sets nothing here: it is in a pipe or in parentheses", "write it on its own line, without | and ( )")
def _in_a_pipe(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    yield walk.enter("use aws_profile p | cat\n")
    yield walk.enter("use aws_profile p\n")


@row(
    "the lines of this .envrc end as on Windows, with CR LF",
    "tr -d '\\r' <.envrc >.envrc.lf; mv .envrc.lf .envrc; direnv allow",
)
def _windows(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    folder = walk.world.project(walk.folder.name, "")
    (folder / ".envrc").write_bytes(b"use aws_profile p\r\n")
    walk.world.allow(folder)
    hint = yield walk.enter()
    walk.does(hint, folder)


@row(
    "AWSDIRENV_PROMPT_VARIABLE names a variable that is not ours to set",
    "AWSDIRENV_PROMPT_VARIABLE=AWS_VAULT, or AWSUME_PROFILE",
)
def _prompt_variable(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.env["AWSDIRENV_PROMPT_VARIABLE"] = "PATH"
    hint = yield walk.enter("use aws_profile p\n")
    walk.env["AWSDIRENV_PROMPT_VARIABLE"] = hint.partition("=")[2].partition(",")[0]


@row("cannot find …: ~user is not expanded", "write the whole path instead of ~user")
def _other_home(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    yield walk.enter("export AWS_CONFIG_FILE=~root/config\nexport AWS_CONFIG_FILE='~root/x'\nuse aws_profile p\n")
    yield walk.enter(f"export AWS_CONFIG_FILE={walk.world.config}\nuse aws_profile p\n")


LIVE_GONE = "AWS_CONFIG_FILE names a live file that no longer exists: …"


def _live_gone(walk: Walk) -> None:
    """Have the environment of a live directory whose files are gone, in a shell that has lost direnv's state."""
    walk.config(f"{CHAIN}region = eu-west-1\n")
    folder = walk.world.project("live", "use aws_profile p --live\n")
    changes, _ = walk.world.enter(folder)
    walk.env |= {name: value for name, value in changes.items() if value and name.startswith("AWS")}
    shutil.rmtree(walk.world.cache / "live")


@row(
    LIVE_GONE,
    "unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; "
    "in fish: set -e AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; then: direnv reload",
)
def _live_files_gone(walk: Walk) -> Steps:
    _live_gone(walk)
    hint = yield walk.enter("use aws_profile p\n")
    for name in hint.partition(";")[0].split()[1:]:
        del walk.env[name]


@row(LIVE_GONE, "direnv reload; without direnv: …")
def _live_files_gone_for_a_command(walk: Walk) -> Steps:
    _live_gone(walk)
    line = walk.shell("awsdirenv load p")
    hint = yield line
    for name in hint.partition("unset ")[2].partition(";")[0].split():
        del walk.env[name]


# --- words of the line --------------------------------------------------------------------------------------------


def _words(message: str, hint: str, words: str, then: str | None = None) -> None:
    """Note a row for a line whose words are wrong: it is replaced by what the hint shows, or by what it says."""

    @row(message, hint)
    def word(walk: Walk) -> Steps:
        for name in ("p", "my prof"):
            header = section_header(name)
            walk.config(f"{header}\nrole_arn = {ARN}\nsource_profile = base\nregion = eu-west-1\n")
        walk.world.sts.roles[ARN].max_duration = 43200
        hint = yield walk.enter(f"use aws_profile {words}\n")
        yield walk.enter(f"{hint if then is None else f'use aws_profile {then}'}\n")


REGION = ("… needs the name of a region", "… eu-west-1")
_words(*REGION, "p --region a/b")
_words(*REGION, "'my prof' --region a/b")
_words("… needs the name of a role, without its path", "… adminrole", "p --role a/b", "p --role r")
_words("… needs a word such as production", "… production", "p --stage ''")
_words("… is too long", "… production", f"p --stage {'x' * 50}")
_words(
    "… needs the ARN of a managed policy", "… arn:aws:iam::aws:policy/ReadOnlyAccess", "p --policy-arn ReadOnlyAccess"
)
_words("… needs the path of a file", "… policy.json", "p --policy ''", "p --read-only")
_words(
    "use aws_profile --no-session gives long-term keys, which no policy narrows",
    "leave --no-session out",
    "p --no-session --read-only",
    "p --read-only",
)
SUCH_AS = ("… must be a time …: …", "such as 3600, 15m, 2h or 1h30m")
_words(*SUCH_AS, "p --duration 5m", "p --duration 2h")
_words(*SUCH_AS, "p --min-life 13h", "p --min-life 15m")
_words("the profile name is empty", "name a profile, as in `use aws_profile adminrole`", "''", "p")
_words("the profile name has control characters", "use the name as it is in ~/.aws/config", "$'p\\t'", "p")
_words("the profile name is too long", "use a name of up to 60 characters", "é" * 100, "p")
_words(
    "use aws_profile takes one profile, and got a second: …",
    "put a name with spaces into quotes",
    "my prof",
    "'my prof'",
)
_words(
    "unknown option of use aws_profile: …",
    "use aws_profile [PROFILE] [--region REGION] [--duration TIME] [--min-life TIME] [--live | --keys | --no-session] "
    "[--account ID] [--role NAME] [--stage STAGE] [--confirm] [--read-only] [--policy-arn ARN] [--policy FILE]",
    "p --regoin eu-west-1",
    "p --region eu-west-1",
)
_words("use aws_profile takes --live or --keys, not both", "leave one of them out", "p --live --keys", "p --live")


@row("AWSDIRENV_MODE must be live or keys: …", "export AWSDIRENV_MODE=live")
def _wrong_mode(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.env["AWSDIRENV_MODE"] = "Live"
    hint = yield walk.enter("use aws_profile p\n")
    walk.env["AWSDIRENV_MODE"] = hint.rpartition("=")[2]


@row("AWSDIRENV_MODE in … must be live or keys: …", "write AWSDIRENV_MODE=live into …")
def _wrong_mode_of_dotenv(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.world.project(walk.folder.name, "use aws_profile p\n")
    (walk.folder / ".env").write_text("AWSDIRENV_MODE=Live\n", encoding="utf-8")
    hint = yield walk.enter("use aws_profile p\n")
    line, _, path = hint.removeprefix("write ").partition(" into ")
    Path(path).write_text(f"{line}\n", encoding="utf-8")


_words(
    "use aws_profile takes --live or --no-session, not both",
    "in a live directory, name the profile that has the keys: aws --profile NAME",
    "base --live --no-session",
    "base --live",
)


@row("… needs the twelve digits of an account", "… 123456789012")
def _account(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    hint = yield walk.enter("use aws_profile p --account dev\n")
    assert hint == "use aws_profile p --account 123456789012"
    yield walk.enter(f"{hint}\n")


@row("no region for profile …", "set region in … of …")
def _no_region(walk: Walk) -> Steps:
    names = ["my prof", "c'\"d", "default"]
    for name in names:
        walk.config(f"{section_header(name)}\nrole_arn = {ARN}\nsource_profile = base\n")
    envrc = "".join("use aws_profile " + "'" + name.replace("'", "'\\''") + "'\n" for name in names)
    act = walk.enter(envrc)
    hint = yield act
    assert hint
    for name, (message, its_hint) in zip(names, act(), strict=True):
        assert name in message
        given = Hint(its_hint)
        given.message = message
        walk.edit(given, region="eu-west-1")


@row("loading … was cancelled here", RELOAD)
def _cancelled_here(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    folder = walk.world.project(walk.folder.name, "use aws_profile p\n")
    marks, info = CancelMarks(walk.world.cache / "marks"), (folder / ".envrc").stat()
    marks.set(folder, int(info.st_mtime), utc_now())
    with Shell(walk.world, "bash") as shell:
        hint = yield lambda: lines(shell.run(f"cd {folder}"))
        shell.run("sleep 1.1")
        yield lambda: lines(shell.run(hint))
        assert shell.variable("AWSDIRENV_PROFILE") == "p"


@row("entering … needs a confirmation", CONFIRM)
def _confirmed_later(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}region = eu-west-1\n")
    walk.world.project(walk.folder.name, "use aws_profile p --confirm\n")
    with Shell(walk.world, "bash") as shell:
        shell.start(f"cd {walk.folder}")
        shell.expect("to enter p")
        shell.send("\x03")
        shell.finish()
        shell.run("sleep 1.1")  # direnv compares whole seconds
        walk.config("\n")
        hint = yield lambda: lines(shell.run("true"))
        shell.run("sleep 1.1")  # direnv compares whole seconds
        shell.start(hint.rpartition(": ")[2])
        shell.expect("to enter p")
        shell.send("p\r")
        yield lambda: lines(shell.finish())
        assert shell.variable("AWSDIRENV_PROFILE") == "p"


@row("the sign-in to … took too long", "try again, and allow it while it waits")
def _too_late(walk: Walk) -> Steps:
    walk.world.sso_session(signed_in=False)
    walk.world.sso_profile("dev")
    walk.world.sts.sso.configure(device_life=1)
    act = typed(walk, "awsdirenv login --no-browser dev")
    yield act
    walk.world.sts.sso.configure(device_life=600)
    walk.world.sts.sso.auto_approve_after(0)
