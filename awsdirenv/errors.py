"""What can go wrong: one class per kind, each with the next thing to do.

A message names the thing that failed, in lower case and without a full stop; the hint is a command to type or a line
to change. Neither ever holds a secret: both are printed to a terminal that may be recorded.
Every kind has a heading in docs/troubleshooting.md (tests/promises/test_errors.py ties the two together).
"""

from __future__ import annotations

import re
from typing import ClassVar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PERSON_NEEDED = 3
EXIT_LOCK_TIMEOUT = 4
# Of `exec` only: what shells give for a command that cannot be run, and that is not there.
EXIT_NOT_RUNNABLE = 126
EXIT_NO_COMMAND = 127


_RELOAD = "then direnv reload"  # how a hint ends where only another try is left


class AwsdirenvError(Exception):
    """Anything a person can act on. `kind` is stable, for documents and scripts."""

    kind: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, hint: str) -> None:
        """Take the one line that says what failed and the one line that says what to do."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def on_the_way_to(self, profile: str) -> None:
        """Name the profile that was asked for, where the message names only a hop before it, or none."""
        if re.search(rf"(?<![\w-]){re.escape(profile)}(?![\w-])", self.message) is None:
            way = ", on the way to" if "profile " in self.message else ", for profile"
            self.message = f"{self.message}{way} {profile}"
            self.args = (self.message,)

    def of_a_command(self) -> None:
        """Word the hint for a command that a person has typed, or a program: direnv would not repeat it."""
        if self.hint.endswith(_RELOAD):
            self.hint = f"{self.hint.removesuffix(_RELOAD)}then try again"


class UsageError(AwsdirenvError):
    """The command line is off."""

    kind = "usage"
    exit_code = EXIT_USAGE


class ProfileNameError(AwsdirenvError):
    """The profile's name cannot be a profile's name."""

    kind = "profile-name"
    exit_code = EXIT_USAGE


class ProfileNotFoundError(AwsdirenvError):
    """No such profile in either of AWS's files."""

    kind = "profile-not-found"


class ConfigError(AwsdirenvError):
    """AWS's files cannot be read, or what they say makes no chain."""

    kind = "config"


class NoCredentialsError(AwsdirenvError):
    """The chain ends at a profile that has no credentials."""

    kind = "no-credentials"


class CredentialSourceError(AwsdirenvError):
    """A credential provider of botocore's (web identity, a container's, …) failed."""

    kind = "credential-source"


class CredentialProcessError(AwsdirenvError):
    """A profile's credential_process failed, took too long, or printed something else than credentials."""

    kind = "credential-process"


class SignInNeededError(AwsdirenvError):
    """What the person signed in to (IAM Identity Center, `aws login`) is over; only a person can sign in."""

    kind = "sign-in-needed"
    exit_code = EXIT_PERSON_NEEDED


class SignInFailedError(AwsdirenvError):
    """The person did not sign in, or said no."""

    kind = "sign-in-failed"
    exit_code = EXIT_PERSON_NEEDED


class DeniedError(AwsdirenvError):
    """STS understood and said no."""

    kind = "denied"


class SessionRefusedError(AwsdirenvError):
    """STS no longer takes the credentials the call was signed with (expired, revoked, unknown)."""

    kind = "session-refused"


class NetworkError(AwsdirenvError):
    """STS did not answer."""

    kind = "network"


class BadAnswerError(AwsdirenvError):
    """Something answered, but not as STS does. The answer itself is never quoted: it may hold credentials."""

    kind = "bad-answer"


class StsError(AwsdirenvError):
    """Any other error code of STS's."""

    kind = "sts"


class CodeRefusedError(AwsdirenvError):
    """STS refused this MFA code; another one may do."""

    kind = "code-refused"


class CodeProcessError(AwsdirenvError):
    """The command that should print an MFA code did not."""

    kind = "mfa-process"


class PersonNeededError(AwsdirenvError):
    """An MFA code is needed and nobody is there to type it, or this is not the moment to ask."""

    kind = "person-needed"
    exit_code = EXIT_PERSON_NEEDED


class CancelledError(AwsdirenvError):
    """The person cancelled this step."""

    kind = "cancelled"
    exit_code = EXIT_PERSON_NEEDED


class LockTimeoutError(AwsdirenvError):
    """Another process has been refreshing the same thing for too long."""

    kind = "lock-timeout"
    exit_code = EXIT_LOCK_TIMEOUT


class CacheError(AwsdirenvError):
    """Our own folder cannot be used (read-only, full, somebody else's)."""

    kind = "cache"


class SettingError(AwsdirenvError):
    """One of our own AWSDIRENV_ settings has a value that makes no sense."""

    kind = "setting"


class SetupError(AwsdirenvError):
    """`setup`, `init` or `export --output` could not write what it was asked to, or something they need is missing."""

    kind = "setup"


class OutputError(AwsdirenvError):
    """Nobody takes what we have to say on stdout."""

    kind = "output"


class DirectoryError(AwsdirenvError):
    """The working directory is gone."""

    kind = "directory"


class WrongIdentityError(AwsdirenvError):
    """The profile leads to another account or role than `.envrc` insists on."""

    kind = "wrong-identity"


class ConfirmationNeededError(AwsdirenvError):
    """A person has to say that they mean to enter, and nobody is there, or has just entered."""

    kind = "confirmation-needed"
    exit_code = EXIT_PERSON_NEEDED


class CommandNotFoundError(AwsdirenvError):
    """There is no such command to run."""

    kind = "command-not-found"
    exit_code = EXIT_NO_COMMAND


class CommandNotRunnableError(AwsdirenvError):
    """The command is there, and cannot be run."""

    kind = "command-not-runnable"
    exit_code = EXIT_NOT_RUNNABLE
