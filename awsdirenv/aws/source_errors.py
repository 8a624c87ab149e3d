"""Every way in which one of botocore's credential providers can fail, as one of our errors, with what mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from awsdirenv.aws.errors import guarded
from awsdirenv.errors import AwsdirenvError, CredentialSourceError, DeniedError, SignInNeededError
from awsdirenv.system.text import one_line

# By name: not every botocore we work with has all of them.
_SIGN_IN = {
    "LoginRefreshRequired",
    "LoginTokenLoadError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
}
_BY_PROVIDER = {
    "container-role": ("the container's endpoint gave none", "check AWS_CONTAINER_CREDENTIALS_FULL_URI and its like"),
    "iam-role": ("the instance's metadata service gave none", "check the role of the instance"),
}
_WEB_IDENTITY = {"InvalidIdentityToken", "ExpiredTokenException", "IDPCommunicationError", "IDPRejectedClaim"}
_SSO_DENIED = {"ForbiddenException", "ResourceNotFoundException"}

T = TypeVar("T")


def guarded_source(what: str, call: Callable[[], T], where: str, sign_in: str | None) -> T:
    """Call a provider. `where` names the section to change, `sign_in` the command by which a person signs in anew."""
    import botocore.exceptions as bx  # noqa: PLC0415

    def translated() -> T:
        try:
            return call()
        except bx.MissingDependencyException:
            raise CredentialSourceError(f"{what}: `aws login` needs awscrt", "pip install 'awsdirenv[login]'") from None
        except bx.ClientError as error:
            raise _client_error(what, error, where) or error from None
        except bx.BotoCoreError as error:
            raise _provider_error(what, error, sign_in) or error from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CredentialSourceError(
                f"{what}: {reason}: {error.filename}", f"check the files named in {where}"
            ) from None
        except RuntimeError:  # botocore's only word for it
            raise CredentialSourceError(f"{what}: they have expired already", f"renew what {where} names") from None

    return guarded(what, translated, where)


def _client_error(what: str, error: Exception, where: str) -> AwsdirenvError | None:
    detail = getattr(error, "response", {}).get("Error", {})
    code, message = str(detail.get("Code", "")), one_line(str(detail.get("Message", "")))
    if code in _WEB_IDENTITY:
        return CredentialSourceError(
            f"{what}: AWS does not take the web identity token: {message}", f"renew web_identity_token_file of {where}"
        )
    if code in _SSO_DENIED:
        return DeniedError(
            f"{what}: IAM Identity Center has no such role for you: {message}",
            f"check sso_account_id and sso_role_name in {where}",
        )
    return None


def _provider_error(what: str, error: Exception, sign_in: str | None) -> AwsdirenvError | None:
    if type(error).__name__ in _SIGN_IN and sign_in:
        return SignInNeededError(f"{what}: the sign-in is over", sign_in)
    provider = getattr(error, "kwargs", {}).get("provider")
    if provider in _BY_PROVIDER:
        problem, hint = _BY_PROVIDER[provider]
        return CredentialSourceError(f"{what}: {problem}", hint)
    return None
