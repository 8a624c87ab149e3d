"""Every way in which botocore and STS can fail, as one of our errors.

Raw answers, and messages that quote them, go no further: an answer cut short may hold the credentials it was about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from awsdirenv.credentials import time_left, utc_now
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    CodeRefusedError,
    ConfigError,
    CredentialSourceError,
    DeniedError,
    NetworkError,
    SessionRefusedError,
    StsError,
)
from awsdirenv.system.text import one_line

# The session is over, revoked or unknown: a new one may do.
_SESSION_REFUSED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK = {"RequestExpired", "RequestTimeTooSkewed"}
_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch"}
_ABOUT_CLOCK = re.compile(r"signature (expired|(is )?not yet current)", re.IGNORECASE)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown")
_REGION_CLOSED = {"RegionDisabledException", "OptInRequired"}
NEWS = timedelta(minutes=1)  # by which our clock may differ without a word

T = TypeVar("T")


def guarded(what: str, call: Callable[[], T], where: str = "~/.aws/config", *, with_code: bool = False) -> T:
    """Call, and turn every failure into one of ours.

    `where` names the section to change; `with_code` says that an MFA code was sent.
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
        raise ConfigError(f"{what}: {one_line(str(error))}", f"mend {where}") from None
    except (bx.ConnectionError, bx.HTTPClientError) as error:
        raise _no_answer(what, error) from None
    except ResponseParserError:
        raise bad_answer(what) from None
    except bx.BotoCoreError as error:
        raise source_failed(what, error) from None
    except Exception:  # noqa: BLE001 - a malformed answer breaks parsers in ways that have no common class
        raise bad_answer(what) from None


def source_failed(what: str, error: Exception) -> CredentialSourceError:
    """Say that a credential provider of botocore's failed; its own words may quote what a program has printed."""
    return CredentialSourceError(
        f"{what}: {type(error).__name__}", "try the same with: aws sts get-caller-identity --profile NAME"
    )


def bad_answer(what: str) -> BadAnswerError:
    """Say that something answered, but not as AWS does."""
    return BadAnswerError(
        f"{what}: what answered is not AWS", "check the endpoint, the proxy, or the Wi-Fi's sign-in page"
    )


def _no_answer(what: str, error: Exception) -> AwsdirenvError:
    """Say what kept the call from reaching STS. An address of a proxy may hold a password, so none is quoted."""
    name = type(error).__name__
    if name == "SSLError" and _is_about_bundle(error):
        return ConfigError(
            f"{what}: the certificates to trust cannot be read", "check AWS_CA_BUNDLE, and ca_bundle of the profile"
        )
    if name == "SSLError":
        return NetworkError(
            f"{what}: the certificate of what answered is not trusted",
            "set AWS_CA_BUNDLE to your company's certificates, or sign in to the Wi-Fi",
        )
    if name == "ProxyConnectionError":
        return NetworkError(f"{what}: the proxy does not let us through", "check HTTPS_PROXY and NO_PROXY")
    return NetworkError(f"{what}: no answer ({name})", "check the network, then direnv reload")


def _is_about_bundle(error: Exception) -> bool:
    """Tell a file of certificates that is missing, or none, from a certificate that nobody vouches for."""
    cause = next(iter(getattr(getattr(error, "kwargs", {}).get("error"), "args", ())), None)
    # What TLS itself complains about has a reason.
    return isinstance(cause, OSError) and getattr(cause, "reason", None) in (None, "NO_CERTIFICATE_OR_CRL_FOUND")


def _client_error(what: str, response: Mapping[str, Any], where: str, *, with_code: bool) -> AwsdirenvError:
    detail = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = str(detail.get("Code", "")), one_line(str(detail.get("Message", "")))
    if is_about_clock(response):
        return StsError(
            f"{what}: the clock of this machine is wrong{_skew(response)} ({message})",
            "set the clock, then direnv reload",
        )
    if code in _SESSION_REFUSED:
        return SessionRefusedError(
            f"{what}: STS no longer takes these credentials ({code})", "awsdirenv clear --all, then direnv reload"
        )
    if code in _DENIED:
        return _denial(what, message, where, with_code=with_code)
    return _other_error(what, code, message, status, where)


def _other_error(what: str, code: str, message: str, status: int, where: str) -> AwsdirenvError:
    if _THROTTLED.search(code):
        return NetworkError(f"{what}: AWS asks for fewer calls ({code})", "wait a moment, then direnv reload")
    if status == 511:  # "Network Authentication Required": always somebody on the way
        return bad_answer(what)
    if status >= 500:
        return NetworkError(f"{what}: AWS has a problem ({status})", "wait a moment, then direnv reload")
    if not message or code == str(status):
        return bad_answer(what)
    if code in _REGION_CLOSED:
        return StsError(f"{what}: {code}: {message}", f"enable the region for the account, or set another in {where}")
    key = "duration_seconds" if "DurationSeconds" in message else "the profile"
    return StsError(f"{what}: {code}: {message}", f"change {key} in {where}")


def is_about_clock(response: Mapping[str, Any]) -> bool:
    """Tell whether AWS has refused a call for the time that it was signed with."""
    detail = response.get("Error", {})
    code, message = detail.get("Code"), str(detail.get("Message", ""))
    return code in _CLOCK or (code in _SIGNATURE and _ABOUT_CLOCK.search(message) is not None)


def _skew(response: Mapping[str, Any]) -> str:
    """Say by how much our clock differs from AWS's, which every answer tells."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        theirs = parsedate_to_datetime(date)
        ahead = utc_now() - theirs
    except (TypeError, ValueError):
        return ""
    if abs(ahead) < NEWS:
        return ""
    return f" by {time_left(theirs + abs(ahead), theirs)}, {'ahead' if ahead > timedelta(0) else 'behind'}"


def _denial(what: str, message: str, where: str, *, with_code: bool) -> AwsdirenvError:
    """Tell a wrong code from a wrong device from a wrong role: AWS has one error code for all three."""
    about_mfa = "multifactorauthentication" in message.replace(" ", "").lower()
    if about_mfa and "serial number is valid" in message:
        return DeniedError(f"{what}: STS does not know this MFA device of this user", f"check mfa_serial in {where}")
    if about_mfa and with_code:
        return CodeRefusedError(f"{what}: {message}", f"check mfa_serial in {where}, and the clock of the device")
    return DeniedError(
        f"{what}: {message or 'access denied'}", f"check role_arn in {where} and the role's trust policy"
    )
