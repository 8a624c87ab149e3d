"""Every failure of botocore, of its credential providers and of AWS, translated into one of our errors.

The exceptions themselves go no further than this module: an answer that was cut short, and so could not be parsed, may
hold the credentials that were asked for, and its exception may quote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    CodeRefusedError,
    ConfigError,
    CredentialSourceError,
    DeniedError,
    NetworkError,
    SessionRefusedError,
    SignInNeededError,
    StsError,
)
from awsdirenv.session_credentials import time_left, utc_now
from awsdirenv.system.files import extra_command
from awsdirenv.system.text import one_line, without_keys

# AWS's error codes for credentials that have ended, were revoked, or are unknown. New ones may be accepted.
_SESSION_REFUSED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK = {"RequestExpired", "RequestTimeTooSkewed"}
# These mean a wrong clock only where the message says so.
_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch"}
_ABOUT_CLOCK = re.compile(r"signature (expired|(is )?not yet current)", re.IGNORECASE)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown")
# botocore's exceptions for a connection that was not made.
_UNSENT = {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"}
_REGION_CLOSED = {"RegionDisabledException", "OptInRequired"}
# Exceptions of botocore's for a sign-in that has ended or never was. By name: older versions lack some of them.
_SIGN_IN = {
    "LoginRefreshRequired",
    "LoginTokenLoadError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
}
# botocore's words for a token that is not there: one class stands for a missing token and for a broken one.
_NO_TOKEN = re.compile(r"does not exist|unable to load", re.IGNORECASE)
# What went wrong and what to do, by botocore's name of the provider that failed.
_BY_PROVIDER = {
    "container-role": ("the container's endpoint gave none", "check AWS_CONTAINER_CREDENTIALS_FULL_URI and its like"),
    "iam-role": ("the instance's metadata service gave none", "check the role of the instance"),
}
_WEB_IDENTITY = {"InvalidIdentityToken", "ExpiredTokenException", "IDPCommunicationError", "IDPRejectedClaim"}
_SSO_DENIED = {"ForbiddenException", "ResourceNotFoundException"}
# A clock without a battery begins in 1970. What is further away is no clock, and calendars end where it is added.
_LARGEST_SKEW = timedelta(days=36500)
# A parameter of the wrong type, which botocore quotes, may be a secret of a token file.
_QUOTED_VALUE = re.compile(r"(Invalid type for parameter [^,]*), value: .*")
UNREPORTED_SKEW = timedelta(minutes=1)  # a person is told when our clock differs from AWS's by at least this much

# expat's codes for a document that ends too early: nothing, within a tag, a letter or CDATA, or between two tags.
_CUT_OFF = frozenset({3, 5, 6, 20})

_LONGEST_CODE = 60  # characters

T = TypeVar("T")


def guarded(what: str, call: Callable[[], T], where: str = "~/.aws/config", *, with_code: bool = False) -> T:
    """Call, and turn every failure into an AwsdirenvError.

    `what` says in messages what the call is for, `where` names the section of AWS's files to change, and `with_code`
    says that an MFA code was sent.
    """
    import botocore.exceptions as bx  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    misconfigured = (
        bx.InvalidConfigError,
        bx.InvalidRegionError,
        bx.NoRegionError,
        bx.ParamValidationError,
        bx.PartialCredentialsError,
    )
    try:
        return call()
    except AwsdirenvError:
        raise
    except bx.ClientError as error:
        raise _client_error(what, error.response, where, with_code=with_code) from None
    except misconfigured as error:
        raise _misconfigured(what, error, where) from None
    except (bx.ConnectionError, bx.HTTPClientError) as error:
        raise _no_answer(what, error) from None
    except ResponseParserError:
        raise bad_answer(what) from None
    except bx.BotoCoreError as error:
        is_setting = type(error).__name__.startswith("Invalid")  # a dozen classes without one of their own above them
        raise (_misconfigured(what, error, where) if is_setting else _source_failed(what, error)) from None
    except Exception:  # noqa: BLE001 - a malformed answer breaks parsers in ways that have no common class
        raise bad_answer(what) from None


def again_if_cut_off(call: Callable[[], T]) -> T:
    """Call, and call once more if the answer ends too early. Never for a call with an MFA code, which works once."""
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        return call()
    except ResponseParserError as error:
        # What the XML parser says. A page of somebody else's has other faults, and would come again.
        if getattr(error.__context__, "code", None) not in _CUT_OFF:
            raise
    return call()


def send_once(event: Mapping[str, Any]) -> None:
    """Raise what has become of a call with an MFA code that AWS may have carried out: botocore would repeat it.

    `event` is botocore's, from before a retry.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415

    response, error = event.get("response"), event.get("caught_exception")
    if error is not None and not was_not_sent(error):
        raise error
    if response is not None and response[0].status_code >= 500:
        raise ClientError(response[1], event["operation"].name)


def guarded_source(what: str, call: Callable[[], T], where: str, sign_in: str | None) -> T:
    """Call one of botocore's credential providers, and turn every failure into an AwsdirenvError.

    `where` names the section of AWS's files to change. `sign_in` is the command by which a person signs in again, None
    where no sign-in is behind the credentials.
    """
    import botocore.exceptions as bx  # noqa: PLC0415

    def translated() -> T:
        try:
            return call()
        except bx.MissingDependencyException:
            raise CredentialSourceError(
                f"{what}: `aws login` needs botocore 1.41 or newer, with awscrt", extra_command("login")
            ) from None
        except bx.ClientError as error:
            raise _source_client_error(what, error, where) or error from None
        except bx.BotoCoreError as error:
            raise _provider_error(what, error, sign_in) or error from None
        except ValueError as error:  # a program's output or a token file cannot be read; answers of AWS fail otherwise
            raise _source_failed(what, error) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CredentialSourceError(
                f"{what}: {reason}: {error.filename}" if error.filename else f"{what}: {reason}",
                f"check the files named in {where}",
            ) from None
        except RuntimeError:  # what botocore raises where credentials that it has just fetched have expired
            raise CredentialSourceError(
                f"{what}: the source gave credentials that have ended",
                f"get new credentials for {where} from their source",
            ) from None

    return guarded(what, translated, where)


def _misconfigured(what: str, error: Exception, where: str) -> ConfigError:
    """Make the error for a setting that botocore refuses, in botocore's words."""
    words = _QUOTED_VALUE.sub(r"\1", one_line(str(error)))
    return ConfigError(f"{what}: {words}", f"correct {where}")


def _source_failed(what: str, error: Exception) -> CredentialSourceError:
    """Make the error for a credential provider of botocore's that failed.

    Only the class of the exception is named: its message may quote what a program has printed.
    """
    return CredentialSourceError(
        f"{what}: {type(error).__name__}", "try the same with: aws sts get-caller-identity --profile NAME"
    )


def bad_answer(what: str) -> BadAnswerError:
    """Make the error for an answer that AWS would not give."""
    return BadAnswerError(
        f"{what}: the answer is not from AWS", "check the endpoint, the proxy, or the Wi-Fi's sign-in page"
    )


def _no_answer(what: str, error: Exception) -> AwsdirenvError:
    """Make the error for a call that did not reach AWS.

    No address is quoted: that of a proxy may hold a password.
    """
    answer = _lost_answer(what, error)
    if isinstance(answer, NetworkError):
        answer.is_unsent = was_not_sent(error)
    return answer


def was_not_sent(error: Exception) -> bool:
    """Return whether a call has failed before it reached a server."""
    return type(error).__name__ in _UNSENT


def _lost_answer(what: str, error: Exception) -> AwsdirenvError:
    name = type(error).__name__
    if name == "SSLError" and _is_about_bundle(error):
        return ConfigError(
            f"{what}: the certificates to trust cannot be read", "check AWS_CA_BUNDLE, and ca_bundle of the profile"
        )
    if name == "SSLError":
        return NetworkError(
            f"{what}: the certificate of the server is not trusted",
            "set AWS_CA_BUNDLE to your company's certificates, or sign in to the Wi-Fi",
        )
    if name == "ProxyConnectionError":
        return NetworkError(f"{what}: no connection through the proxy", "check HTTPS_PROXY and NO_PROXY")
    return NetworkError(f"{what}: no answer ({name})", "check the network, then direnv reload")


def _is_about_bundle(error: Exception) -> bool:
    """Return whether our file of trusted certificates cannot be read. If not, the server's certificate is at fault."""
    cause = next(iter(getattr(getattr(error, "kwargs", {}).get("error"), "args", ())), None)
    # Errors of TLS itself have a reason; errors of the file system have none.
    return isinstance(cause, OSError) and getattr(cause, "reason", None) in (None, "NO_CERTIFICATE_OR_CRL_FOUND")


def _client_error(what: str, response: Mapping[str, Any], where: str, *, with_code: bool) -> AwsdirenvError:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = _said(response)
    if is_about_clock(response):
        return StsError(
            f"{what}: the clock of this machine is wrong{_skew(response)}: {message} ({code})",
            "set the clock, then direnv reload",
        )
    if code in _SESSION_REFUSED:
        refused = SessionRefusedError(
            f"{what}: STS no longer takes these credentials ({code})", "awsdirenv clear --all, then direnv reload"
        )
        refused.code = code
        return refused
    if code in _DENIED:
        return _denial(what, code, message, where, with_code=with_code)
    return _other_error(what, code, message, status, where)


def _said(response: Mapping[str, Any]) -> tuple[str, str]:
    """Return the code and the message of an error of AWS. A server may repeat a token that it was sent."""
    detail = response.get("Error", {})
    code, message = (without_keys(one_line(str(detail.get(name) or ""))) for name in ("Code", "Message"))
    return code[:_LONGEST_CODE], message


def _other_error(what: str, code: str, message: str, status: int, where: str) -> AwsdirenvError:
    if _THROTTLED.search(code):
        throttled = NetworkError(f"{what}: AWS asks for fewer calls ({code})", "wait a moment, then direnv reload")
        throttled.is_unsent = True
        return throttled
    if status == 511:  # "Network Authentication Required": always somebody on the way
        return bad_answer(what)
    if status >= 500:
        return NetworkError(
            f"{what}: AWS has a problem ({status}){f' ({code})' if code != str(status) else ''}",
            "wait a moment, then direnv reload",
        )
    if not message or code == str(status):
        return bad_answer(what)
    if code in _REGION_CLOSED:
        return StsError(f"{what}: {message} ({code})", f"enable the region for the account, or set another in {where}")
    key = "duration_seconds" if "DurationSeconds" in message else "the profile"
    return StsError(f"{what}: {message} ({code})", f"change {key} in {where}")


def is_about_clock(response: Mapping[str, Any]) -> bool:
    """Return whether AWS refused a call because of the time in its signature."""
    detail = response.get("Error", {})
    code, message = detail.get("Code"), str(detail.get("Message", ""))
    return code in _CLOCK or (code in _SIGNATURE and _ABOUT_CLOCK.search(message) is not None)


def server_time(date: str | None) -> datetime | None:
    """Read the Date header of an answer; None where it is missing, or says nothing that a clock can show."""
    try:
        theirs = parsedate_to_datetime(date or "")
        return theirs if abs(theirs - utc_now()) < _LARGEST_SKEW else None
    except (OverflowError, TypeError, ValueError):  # TypeError is for a time without a zone, too
        return None


def _skew(response: Mapping[str, Any]) -> str:
    """Return a phrase that says how far our clock is from AWS's, or "" if that is little or unknown."""
    theirs = server_time(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"))
    if theirs is None:
        return ""
    ahead = utc_now() - theirs
    if abs(ahead) < UNREPORTED_SKEW:
        return ""
    return f" by {time_left(theirs + abs(ahead), theirs)}, {'ahead' if ahead > timedelta(0) else 'behind'}"


def _denial(what: str, code: str, message: str, where: str, *, with_code: bool) -> AwsdirenvError:
    """Make the error for a wrong code, a wrong device or a wrong role: AWS has one error code for all three."""
    about_mfa = "multifactorauthentication" in message.replace(" ", "").lower()
    if about_mfa and "serial number is valid" in message:
        return DeniedError(
            f"{what}: STS does not know this MFA device of this user ({code})", f"check mfa_serial in {where}"
        )
    if about_mfa and with_code:
        return CodeRefusedError(
            f"{what}: {message} ({code})", f"check mfa_serial in {where}, and the clock of the device"
        )
    return DeniedError(
        f"{what}: {message or 'access denied'} ({code})", f"check role_arn in {where} and the role's trust policy"
    )


def _source_client_error(what: str, error: Exception, where: str) -> AwsdirenvError | None:
    """Make the error for what AWS answers to providers alone; None for what it may answer to any call."""
    code, message = _said(getattr(error, "response", {}))
    if code in _WEB_IDENTITY:
        return CredentialSourceError(
            f"{what}: AWS does not take the web identity token: {message} ({code})",
            f"renew web_identity_token_file of {where}",
        )
    if code in _SSO_DENIED:
        return DeniedError(
            f"{what}: IAM Identity Center has no such role for you: {message} ({code})",
            f"check sso_account_id and sso_role_name in {where}",
        )
    return None


def _provider_error(what: str, error: Exception, sign_in: str | None) -> AwsdirenvError | None:
    """Make the error for a sign-in or an endpoint that gave nothing; None for any other exception of botocore's."""
    if type(error).__name__ in _SIGN_IN and sign_in:
        if _NO_TOKEN.search(str(getattr(error, "kwargs", {}).get("error_msg"))):
            return SignInNeededError(f"{what}: nobody has signed in", sign_in, is_first=True)
        return SignInNeededError(f"{what}: the sign-in has ended", sign_in)
    provider = getattr(error, "kwargs", {}).get("provider")
    if provider in _BY_PROVIDER:
        problem, hint = _BY_PROVIDER[provider]
        return CredentialSourceError(f"{what}: {problem}", hint)
    return None
