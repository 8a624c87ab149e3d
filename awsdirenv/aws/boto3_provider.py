"""Credentials of ours as botocore and boto3 take them: a provider, and a session whose only provider it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from boto3.session import Session
from botocore.configprovider import ConstantProvider
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, RefreshableCredentials

from awsdirenv.aws.botocore_session import parsed_session
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.credentials import SessionCredentials

# For credentials that had an end and, since AWS's files were edited, have none: botocore knows no such change.
_NEVER = datetime.max.replace(microsecond=0, tzinfo=timezone.utc)


class AwsdirenvProvider(CredentialProvider):
    """Gives a profile's credentials to botocore, and new ones whenever botocore thinks that these are about to end."""

    METHOD = "awsdirenv"

    def __init__(self, served: Callable[[], SessionCredentials]) -> None:
        """Take how to get the present credentials; it is called in whichever thread needs them."""
        super().__init__()
        self._served = served

    def load(self) -> Any:
        """Give the credentials; never None, so that no other provider's take their place. Raises AwsdirenvError."""
        found = self._served()
        if found.expiration is not None:
            return RefreshableCredentials.create_from_metadata(_metadata(found), self._refreshed, self.METHOD)
        made: Any = Credentials(found.access_key_id, found.secret_access_key, found.session_token, self.METHOD)
        made.account_id = found.account_id  # an older botocore has no parameter for it
        return made

    def _refreshed(self) -> dict[str, Any]:
        return _metadata(self._served())


def session(files: AwsFiles, profile: str, region: str | None, provider: AwsdirenvProvider) -> Session:
    """Make a session with the profile's own configuration (endpoints, CA bundle, retries) and our credentials."""
    inner = parsed_session(files, profile)
    inner.register_component("credential_provider", CredentialResolver([provider]))
    # Alone: where it is None, the region that a directory has exported for its own profile must not take its place.
    inner.get_component("config_store").set_config_provider("region", ConstantProvider(region))
    made: Session = Session(botocore_session=inner)  # type: ignore[no-untyped-call]
    return made


def _metadata(found: SessionCredentials) -> dict[str, Any]:
    return {
        "access_key": found.access_key_id,
        "secret_key": found.secret_access_key,
        "token": found.session_token,
        "expiry_time": (found.expiration or _NEVER).isoformat(),
        "account_id": found.account_id,
    }
