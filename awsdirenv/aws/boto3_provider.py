"""Our credentials for others' Python programs: a provider for botocore, and a boto3 session that uses it alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from boto3.session import Session
from botocore.configprovider import ConstantProvider
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, RefreshableCredentials

from awsdirenv.aws.botocore_session import parsed_session
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.session_credentials import SessionCredentials

# Credentials that had an end may have none after AWS's files were edited, but botocore wants an end for them.
_NEVER = datetime.max.replace(microsecond=0, tzinfo=timezone.utc)


class AwsdirenvProvider(CredentialProvider):
    """Has a profile's credentials for botocore, and new ones whenever botocore thinks that these end soon.

    `served` gets the present credentials. It is called in whichever thread needs them.
    """

    METHOD = "awsdirenv"

    def __init__(self, served: Callable[[], SessionCredentials]) -> None:
        super().__init__()
        self._served = served

    def load(self) -> Any:
        """Return the credentials. Raises AwsdirenvError.

        Never returns None: botocore would then ask the next provider, and act as somebody else.
        """
        held = self._served()
        if held.expiration is not None:
            return RefreshableCredentials.create_from_metadata(_metadata(held), self._refreshed, self.METHOD)
        lasting: Any = Credentials(held.access_key_id, held.secret_access_key, held.session_token, self.METHOD)
        lasting.account_id = held.account_id  # the constructor of an older botocore does not take it
        return lasting

    def _refreshed(self) -> dict[str, Any]:
        return _metadata(self._served())


def session(files: AwsFiles, profile: str, region: str | None, provider: AwsdirenvProvider) -> Session:
    """Make a boto3 session with the profile's own configuration (endpoints, CA bundle, retries) and our credentials."""
    botocore_session = parsed_session(files, profile)
    botocore_session.register_component("credential_provider", CredentialResolver([provider]))
    # As the only source of the region: where it is None, the region in the environment, which a directory may have
    # exported for another profile, must not take its place.
    botocore_session.get_component("config_store").set_config_provider("region", ConstantProvider(region))
    boto3_session: Session = Session(botocore_session=botocore_session)  # type: ignore[no-untyped-call]
    return boto3_session


def _metadata(held: SessionCredentials) -> dict[str, Any]:
    return {
        "access_key": held.access_key_id,
        "secret_key": held.secret_access_key,
        "token": held.session_token,
        "expiry_time": (held.expiration or _NEVER).isoformat(),
        "account_id": held.account_id,
    }
