"""Every way in which botocore and STS can fail, as one of our errors.

Raw answers, and messages that quote them, go no further: an answer cut short may hold the credentials it was about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    StsError,
)

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
_ABOUT_CLOCK = re.compile(r"signature (expired|not yet current)", re.IGNORECASE)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

T = TypeVar("T")


def guarded(what: str, call: Callable[[], T], *, with_code: bool = False) -> T:
    """Call, and turn every failure into one of ours. `with_code` says that an MFA code was sent."""
    import botocore.exceptions as bx  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        return call()
    except AwsdirenvError:
        raise
    except bx.ClientError as error:
        raise _client_error(what, error.response, with_code=with_code) from None
    except (bx.PartialCredentialsError, bx.InvalidConfigError, bx.ParamValidationError, bx.NoRegionError) as error:
        raise ConfigError(f"{what}: {_one_line(str(error))}", "mend the profile in ~/.aws/config") from None
    except (bx.ConnectionError, bx.HTTPClientError) as error:
        reason = type(error).__name__
        raise NetworkError(f"{what}: no answer ({reason})", "check the network, then direnv reload") from None
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


def _client_error(what: str, response: Mapping[str, Any], *, with_code: bool) -> AwsdirenvError:
    detail = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = str(detail.get("Code", "")), _one_line(str(detail.get("Message", "")))
    if code in _CLOCK or (code == "SignatureDoesNotMatch" and _ABOUT_CLOCK.search(message)):
        return StsError(f"{what}: the clock of this machine is wrong ({message})", "set the clock, then direnv reload")
    if code in _SESSION_REFUSED:
        return SessionRefusedError(
            f"{what}: STS no longer takes these credentials ({code})", "awsdirenv clear --all, then direnv reload"
        )
    if code in _DENIED:
        return _denial(what, message, with_code=with_code)
    if status >= 500:
        return NetworkError(f"{what}: STS has a problem ({status})", "try again in a moment: direnv reload")
    if not message or code == str(status):
        return bad_answer(what)
    return StsError(f"{what}: {code}: {message}", "change the profile in ~/.aws/config")


def _denial(what: str, message: str, *, with_code: bool) -> AwsdirenvError:
    """Tell a wrong code from a wrong device from a wrong role: AWS has one error code for all three."""
    about_mfa = "multifactorauthentication" in message.replace(" ", "").lower()
    if about_mfa and "serial number is valid" in message:
        return DeniedError(
            f"{what}: STS does not know this MFA device of this user", "check mfa_serial in ~/.aws/config"
        )
    if about_mfa and with_code:
        return CodeRefusedError(f"{what}: {message}", "check mfa_serial, and the clock of the device")
    return DeniedError(f"{what}: {message or 'access denied'}", "check role_arn and the role's trust policy")


def bad_answer(what: str) -> BadAnswerError:
    """Say that something answered, but not as STS does."""
    return BadAnswerError(
        f"{what}: the answer is not one of STS's", "check the endpoint, the proxy, or the Wi-Fi's sign-in page"
    )


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:300].rstrip(".")
