"""Hints about what AWS, a network or a program says: the thing that each names is put right where it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from hint_rows_config import ARN, CHAIN, KEYS, filled
from hint_walk import Act, Steps, Walk, row
from network import closed_port
from strict_sts import Key, RefusedError
from tls import Authority, ConnectProxy, TlsFront

NETWORK = "check the network, then …"
WAIT = "wait a moment, then direnv reload"
CODE_NEEDED = "profile … needs an MFA code for …, and nobody is here to type it"


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """Have a server that answers the same to everything; give its address."""

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def error(code: str, message: str) -> str:
    """Give an error as STS writes it."""
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


# --- the network --------------------------------------------------------------------------------------------------


def _passing(message: str, hint: str, kind: str, seconds: float | None = None) -> None:
    """Note a row for what goes away by itself: the person waits, or mends the way, and tries again."""

    @row(message, hint)
    def passing(walk: Walk) -> Steps:
        walk.config(CHAIN)
        walk.env["AWSDIRENV_STS_TIMEOUT"] = "1" if kind == "hang" else "20"
        walk.world.sts.add_fault("*", kind, times=None, seconds=seconds)
        yield walk.load("p")
        walk.world.sts.faults.clear()


_passing("…: no answer within …s", "check the network and any proxy, then direnv reload", "hang")
_passing("…: no answer (…)", "check the network, then direnv reload", "drop")
_passing("…: the answer is not from AWS", "check the endpoint, the proxy, or the Wi-Fi's sign-in page", "html")
_passing("…: AWS asks for fewer calls (…)", WAIT, "throttle")
_passing("…: AWS has a problem (…) (…)", WAIT, "500")
CLOCK = "set the clock, then direnv reload"
_passing("…: the clock of this machine is wrong: … (…)", CLOCK, "signature-expired")


def _clock(message: str, offset: int) -> None:
    @row(message, CLOCK)
    def clock(walk: Walk) -> Steps:
        walk.config(CHAIN)
        # Ours is right. botocore corrects a wrong one by itself, so AWS says it also of the corrected time.
        walk.world.sts.configure(clock_offset=offset)
        walk.world.sts.add_fault("*", "request-time-too-skewed", times=None)
        yield walk.load("p")
        walk.world.sts.configure(clock_offset=0)
        walk.world.sts.faults.clear()


_clock("…: the clock of this machine is wrong by …, ahead: … (…)", -7200)
_clock("…: the clock of this machine is wrong by …, behind: … (…)", 7200)


@row("this machine's clock is … behind AWS's", "set the clock; AWS may refuse what other programs ask")
def _slow_clock(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.world.sts.configure(clock_offset=600)
    yield walk.load("p")
    walk.world.sts.configure(clock_offset=0)
    yield walk.shell("awsdirenv login p --force")


@row("this machine's clock is … ahead of AWS's", "set the clock; AWS may refuse what other programs ask")
def _fast_clock(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.world.sts.configure(clock_offset=-600)
    yield walk.load("p")
    walk.world.sts.configure(clock_offset=0)
    yield walk.shell("awsdirenv login p --force")


def _answer(message: str, hint: str, status: int, body: str) -> None:
    """Note a row for what some server answers, until the endpoint is corrected."""

    @row(message, hint)
    def answer(walk: Walk) -> Steps:
        walk.config(CHAIN)
        before = walk.world.env["AWS_ENDPOINT_URL"]
        with answering(status, body) as walk.env["AWS_ENDPOINT_URL"]:
            yield walk.load("p")
        walk.env["AWS_ENDPOINT_URL"] = before


_answer("…: AWS has a problem (…)", WAIT, 500, "")
_answer("…: the answer is not from AWS", "check the endpoint, the proxy, or the Wi-Fi's sign-in page", 404, "")


@contextmanager
def _behind_tls(walk: Walk) -> Iterator[tuple[TlsFront, str]]:
    """Have STS behind a certificate that only a bundle vouches for; give its front and that bundle."""
    authority = Authority(walk.world.root / "authority")
    with TlsFront(walk.world.sts.port, authority) as front:
        walk.env["AWS_ENDPOINT_URL"] = front.url
        yield front, str(authority.bundle)


def _without_bundle(walk: Walk, profile: str) -> Steps:
    """Have AWS_CA_BUNDLE name nothing, and then the file."""
    with _behind_tls(walk) as (_, bundle):
        walk.env["AWS_CA_BUNDLE"] = "/nowhere"
        yield walk.load(profile)
        walk.env["AWS_CA_BUNDLE"] = bundle
        yield walk.load(profile)


@row("…: the certificates to trust cannot be read", "check AWS_CA_BUNDLE, and ca_bundle of the profile")
def _no_bundle_of_a_source(walk: Walk) -> Steps:
    walk.world.web_identity_profile("pod")
    yield from _without_bundle(walk, "pod")


@row(
    "the settings of profile …: the certificates to trust cannot be read",
    "set … to a file of certificates that can be read",
)
def _no_bundle(walk: Walk) -> Steps:
    walk.config(CHAIN)
    yield from _without_bundle(walk, "p")


@row(
    "the settings of profile …: the certificates to trust cannot be read",
    "set … in … to a file of certificates that can be read",
)
def _no_bundle_of_the_profile(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}ca_bundle = /nowhere\n")
    with _behind_tls(walk) as (_, bundle):
        yield walk.load("p")
        walk.rewrite(walk.world.config, "[profile p]", ca_bundle=bundle)
        yield walk.load("p")


@row(
    "…: the certificate of the server is not trusted",
    "set AWS_CA_BUNDLE to your company's certificates, or sign in to the Wi-Fi",
)
def _unknown_authority(walk: Walk) -> Steps:
    walk.config(CHAIN)
    with _behind_tls(walk) as (_, bundle):
        yield walk.load("p")
        walk.env["AWS_CA_BUNDLE"] = bundle
        yield walk.load("p")


@row("…: no connection through the proxy", "check HTTPS_PROXY and NO_PROXY")
def _proxy(walk: Walk) -> Steps:
    walk.config(CHAIN)
    with _behind_tls(walk) as (front, bundle), ConnectProxy(front.port, "jo:secret") as proxy:
        walk.env["AWS_CA_BUNDLE"] = bundle
        walk.env["HTTPS_PROXY"] = re.sub("jo:[^@]*@", "", proxy.url)
        yield walk.load("p")
        walk.env["NO_PROXY"] = str(urlsplit(front.url).hostname)
        then = walk.load("p")()
        assert then == [], then
        del walk.env["NO_PROXY"]
        walk.env["HTTPS_PROXY"] = proxy.url
        yield walk.load("p")


# --- what STS says ------------------------------------------------------------------------------------------------


@row("…: … (…)", "check role_arn in … and the role's trust policy")
def _wrong_role(walk: Walk) -> Steps:
    walk.config(CHAIN.replace("role/r", "role/nobody"))
    hint = yield walk.load("p")
    walk.edit(hint, role_arn=ARN)


@row("…: … (…)", "check role_arn in … and the role's trust policy")
def _no_trust(walk: Walk) -> Steps:
    walk.config(CHAIN.replace("role/r", "role/other"))
    role = walk.world.sts.roles[walk.world.sts.add_role("other", trusted=["arn:aws:iam::123456789012:user/jo"])]
    yield walk.load("p")
    assert role.trusted
    role.trusted.append(walk.world.user.arn)


_answer("…: access denied (…)", "check role_arn in … and the role's trust policy", 403, error("AccessDenied", ""))
_answer(
    "…: … (…)",
    "enable the region for the account, or set another in …",
    403,
    error("RegionDisabledException", "STS is not activated in this region"),
)


@row("…: … (…)", "change duration_seconds in …")
def _too_long(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}duration_seconds = 7200\n")
    walk.world.sts.roles[ARN].max_duration = 3600
    hint = yield walk.load("p")
    walk.edit(hint, duration_seconds="3600")


_answer("…: … (…)", "change the profile in …", 400, error("PackedPolicyTooLarge", "Packed size of tags is 120%"))


@row("…: STS does not know this MFA device of this user (…)", "check mfa_serial in …")
def _wrong_device(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}mfa_serial = arn:aws:iam::123456789012:mfa/other\n")
    code = walk.world.code()
    line = f"awsdirenv login p --token-code {code}"
    hint = yield walk.shell(line)
    walk.edit(hint, mfa_serial=walk.world.mfa_serial)
    yield walk.shell(line)


@row("…: … (…)", "check mfa_serial in …, and the clock of the device")
def _wrong_code(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}mfa_serial = {walk.world.mfa_serial}\n")
    yield walk.shell("awsdirenv login p --token-code 000000")
    yield walk.shell(f"awsdirenv login p --token-code {walk.world.code()}")


@row("…: AWS does not take the web identity token: … (…)", "renew web_identity_token_file of …")
def _web_identity_over(walk: Walk) -> Steps:
    arn = walk.world.web_identity_profile("pod")
    token = walk.world.root / "pod.token"
    walk.world.sts.web_identity.expire(token.read_text(encoding="utf-8"))
    yield walk.load("pod")
    token.write_text(walk.world.sts.web_identity.add(arn), encoding="utf-8")


@row("…: …: …", "check the files named in …")
def _no_web_identity(walk: Walk) -> Steps:
    arn = walk.world.web_identity_profile("pod")
    token = walk.world.root / "pod.token"
    token.unlink()
    yield walk.load("pod")
    token.write_text(walk.world.sts.web_identity.add(arn), encoding="utf-8")


@row("…: IAM Identity Center has no such role for you: … (…)", "check sso_account_id and sso_role_name in …")
def _no_such_sso_role(walk: Walk) -> Steps:
    walk.world.sso_session()
    walk.world.sso_profile("dev")
    walk.rewrite(walk.world.config, "[profile dev]", sso_role_name="Admin")
    hint = yield walk.load("dev")
    walk.edit(hint, sso_role_name="Developer")


@row("STS does not take the access key of profile … (…)", "check aws_access_key_id and aws_secret_access_key of …")
def _dead_key(walk: Walk) -> Steps:
    walk.config(CHAIN)
    other = walk.world.sts.add_user("other")
    walk.world.sts.revoke(walk.world.user.access_key_id)
    hint = yield walk.load("p")
    keys = {"aws_access_key_id": other.access_key_id, "aws_secret_access_key": other.secret_access_key}
    walk.edit(hint, **keys)


def _document(walk: Walk) -> str:
    given = walk.world.sts.issue_credentials(ARN)
    return json.dumps({"Version": 1, **given})


@row("STS does not take the credentials of profile … (…)", "get new credentials for … from their source")
def _dead_session(walk: Walk) -> Steps:
    document = _document(walk)
    walk.world.sts.revoke(json.loads(document)["AccessKeyId"])
    program = walk.world.program("keys", f"echo '{document}'")
    walk.config(f"[profile q]\ncredential_process = {program}\n[profile p]\nrole_arn = {ARN}\nsource_profile = q\n")
    hint = yield walk.load("p")
    assert f"[profile q] of {walk.world.config}" in hint
    walk.world.program("keys", f"echo '{_document(walk)}'")


@row("…: STS no longer takes these credentials (…)", "awsdirenv clear --all, then direnv reload")
def _dead_role(walk: Walk) -> Steps:
    walk.world.sts.add_role("s")
    walk.config(f"{CHAIN}[profile q]\nrole_arn = {ARN[:-1]}s\nsource_profile = p\n")
    assert walk.load("q")() == []
    sts: Any = walk.world.sts
    assume_role = sts._assume_role

    def refusing(caller: Key, params: dict[str, str], *, past: bool) -> str:
        """Refuse the session that was got before `clear`: whoever has it, whatever it is asked for."""
        if caller.kind != "user" and (walk.world.cache / "sessions").exists():
            raise RefusedError("ExpiredToken", "The security token included in the request is expired")
        return str(assume_role(caller, params, past=past))

    sts._assume_role = refusing
    hint = yield walk.shell("awsdirenv login q --force")
    walk.does(hint.partition(",")[0])
    sts._assume_role = assume_role


# --- sources ------------------------------------------------------------------------------------------------------


@row("…: the source gave credentials that have ended", "get new credentials for … from their source")
def _container_with_old_ones(walk: Walk) -> Steps:
    walk.config("[profile m]\nregion = eu-west-1\n")
    walk.env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": walk.world.sts.container.uri}
    walk.world.sts.add_fault("ContainerCredentials", "past-expiration", times=None)
    yield walk.load("m")
    walk.world.sts.faults.clear()


@row("…: …", "…")
def _container(walk: Walk) -> Steps:
    walk.config("[profile m]\nregion = eu-west-1\n")
    walk.env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{walk.world.sts.url}/nothing/here"}
    yield walk.load("m")
    walk.env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": walk.world.sts.container.uri}


# --- a program's credentials --------------------------------------------------------------------------------------

BY_HAND = "run the command yourself: credential_process in …"


def _process(text: str) -> None:
    @row("credential_process of profile … …", BY_HAND)
    def process(walk: Walk) -> Steps:
        program = walk.world.program("keys", text)
        walk.config(f"[profile p]\ncredential_process = {program}\n")
        hint = yield walk.load("p")
        assert hint.endswith(f"[profile p] of {walk.world.config}")
        # By hand one sees what is wrong with it.
        done = walk.run(str(program))
        assert done.returncode or "AccessKeyId" not in done.stdout or "2020" in done.stdout
        walk.world.program("keys", f"echo '{_document(walk)}'")


_process("echo sign in first >&2; exit 1")
_process("echo '{\"Version\": 1}'")
_process("echo nothing")
_process('echo \'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "b", "Expiration": "2020-01-01T00:00:00Z"}\'')


@row("credential_process of profile … …", BY_HAND)
def _no_program(walk: Walk) -> Steps:
    walk.config("[profile p]\ncredential_process = /nowhere/keys\n")
    yield walk.load("p")
    walk.rewrite(walk.world.config, "[profile p]", credential_process=filled(walk, "<program>"))


# --- stores with S3's interface -----------------------------------------------------------------------------------


def _store(status: int, body: str) -> None:
    @row("…", "for a store with S3's interface, which gives no sessions: use aws_profile --no-session …; else …")
    def store(walk: Walk) -> Steps:
        with answering(status, body) as url:
            walk.config(filled(walk, f"[profile r2]\nregion = auto\nendpoint_url = {url}\n{KEYS}"))
            walk.world.env.pop("AWS_ENDPOINT_URL")
            hint = yield walk.load("r2")
            yield walk.shell(f"awsdirenv load {hint.partition(': use aws_profile ')[2].partition('; else ')[0]}")


# R2, MinIO and others answer to no call of STS, each in a way of its own.
_store(403, error("InvalidClientTokenId", "no such key"))
_store(400, error("InvalidRequest", "no bucket"))
_store(501, error("NotImplemented", "no"))
_store(200, "<html>hello</html>")


# --- MFA codes ----------------------------------------------------------------------------------------------------


def _coded(walk: Walk) -> Act:
    """Have a profile that needs a code; give what logs in with what AWSDIRENV_MFA_PROCESS prints."""
    walk.config(f"{CHAIN}mfa_serial = {walk.world.mfa_serial}\n")
    return walk.load("p")


PROCESS_HINT = "run the command of AWSDIRENV_MFA_PROCESS or mfa_process yourself"


def _code_process(message: str, text: str) -> None:
    @row(message, PROCESS_HINT)
    def code_process(walk: Walk) -> Steps:
        act = _coded(walk)
        program = walk.world.program("otp", text)
        walk.env["AWSDIRENV_MFA_PROCESS"] = str(program)
        yield act
        assert not re.fullmatch(r"\d{6}\n", walk.run(str(program)).stdout) or "000000" in text
        walk.world.program("otp", f"echo {walk.world.code()}")


_code_process("the MFA process for … failed with status …", "exit 1")
_code_process("the MFA process for … did not print six digits", "echo 12345")
_code_process("the MFA process for … did not print six digits", "head -c 3000000 /dev/zero")


@row("…: …", "try again when the next code shows, within 30 s")
def _used_code(walk: Walk) -> Steps:
    _coded(walk)
    code = walk.world.code()
    walk.does(f"awsdirenv login p --token-code {code}")
    yield walk.shell(f"awsdirenv login p --force --token-code {code}")
    yield walk.shell(f"awsdirenv login p --force --token-code {walk.world.code()}")


def _login_by_process(walk: Walk, hint: str) -> None:
    """Run the command of a hint, with a program that types the code in the person's place."""
    walk.env["AWSDIRENV_MFA_PROCESS"] = str(walk.world.program("otp", f"echo {walk.world.code()}"))
    walk.does(hint)
    del walk.env["AWSDIRENV_MFA_PROCESS"]


@row(CODE_NEEDED, "awsdirenv login …")
def _code_needed(walk: Walk) -> Steps:
    act = _coded(walk)
    hint = yield act
    _login_by_process(walk, hint)


@row(
    "mfa_serial has ${username}, but the credentials are not those of an IAM user",
    "write the name of the device into mfa_serial, or set AWS_MFA_SERIAL",
)
def _nobody_s_device(walk: Walk) -> Steps:
    program = walk.world.program("keys", f"echo '{_document(walk)}'")
    serial = "arn:aws:iam::123456789012:mfa/${username}"
    walk.config(
        f"[profile q]\ncredential_process = {program}\n"
        f"[profile p]\nrole_arn = {ARN}\nsource_profile = q\nmfa_serial = {serial}\n"
    )
    walk.env["AWSDIRENV_MFA_PROCESS"] = str(walk.world.program("otp", f"echo {walk.world.code()}"))
    yield walk.load("p")
    walk.env["AWS_MFA_SERIAL"] = walk.world.mfa_serial
    return "…: … (…)"


@row("profile … assumes a role, which has no long-term keys", "use --no-session with the profile that has the keys: …")
def _no_session_for_a_role(walk: Walk) -> Steps:
    walk.config(CHAIN)
    hint = yield walk.load("p", "--no-session")
    yield walk.load(hint.rpartition(" ")[2], "--no-session")


@row("profile … has no long-term keys, but temporary credentials", "leave --no-session out")
def _no_session_for_a_session(walk: Walk) -> Steps:
    program = walk.world.program("keys", f"echo '{_document(walk)}'")
    walk.config(f"[profile p]\ncredential_process = {program}\n")
    yield walk.load("p", "--no-session")
    yield walk.load("p")


# --- answers that are too long or odd -----------------------------------------------------------------------------


@row("the session for … is malformed", "check the program or the server that gave it")
def _odd_session(walk: Walk) -> Steps:
    document = json.loads(_document(walk)) | {"SessionToken": "a b"}
    program = walk.world.program("keys", f"echo '{json.dumps(document)}'")
    walk.config(f"[profile p]\ncredential_process = {program}\n")
    yield walk.load("p")
    walk.world.program("keys", f"echo '{_document(walk)}'")


def _odd_keys(message: str, hint: str, token: str) -> None:
    @row(message, hint)
    def odd_keys(walk: Walk) -> Steps:
        given = walk.world.sts.issue_credentials(ARN)
        keys = f"aws_access_key_id = {given['AccessKeyId']}\naws_secret_access_key = {given['SecretAccessKey']}\n"
        walk.config(f"[tool]\n{keys}aws_session_token = {token}\n", walk.world.credentials)
        walk.env["AWS_ENDPOINT_URL"] = closed_port()  # an STS that is asked would refuse them first
        yield walk.load("tool")
        walk.rewrite(walk.world.credentials, "[tool]", aws_session_token=given["SessionToken"])


_odd_keys("… of profile … is too long: … characters", "check its source: … characters at most", "x" * 20000)
_odd_keys(
    "the credentials of profile … have characters that credentials do not have",
    "check the file, the program or the server that gave them",
    "a b",
)
