"""The errors that a user can act on: one class for each kind. Every error has a message and a hint.

The message names what failed, in lower case and without a full stop. The hint is a command to type or a line to
change. Neither may contain a secret: both are printed to a terminal, which may be recorded.
Every kind has a heading in docs/troubleshooting.md (tests/promises/test_errors.py checks that).
"""

from __future__ import annotations

TYPE_CHECKING = False  # every command imports this module, so it does not import `typing` and `re`, which are slow
if TYPE_CHECKING:
    from typing import ClassVar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PERSON_NEEDED = 3
EXIT_LOCK_TIMEOUT = 4
# For `exec` only: the exit codes of shells for a command that cannot be run, and for one that does not exist.
EXIT_NOT_RUNNABLE = 126
EXIT_NO_COMMAND = 127


_RELOAD = "then direnv reload"  # the end of a hint that says to try again


class AwsdirenvError(Exception):
    """Base class of our errors. `kind` never changes, so documents and scripts can use it."""

    kind: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, hint: str) -> None:
        """Create the error. Each argument is one line: `message` says what failed, `hint` what to do next."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def on_the_way_to(self, profile: str) -> None:
        """Add the requested profile to the message, if the message names only an earlier hop or no profile."""
        import re  # noqa: PLC0415

        if re.search(rf"(?<![\w-]){re.escape(profile)}(?![\w-])", self.message) is None:
            way = ", on the way to" if "profile " in self.message else ", for profile"
            self.message = f"{self.message}{way} {profile}"
            self.args = (self.message,)

    def of_a_command(self) -> None:
        """Change the hint for a command that a user or a program has run: `direnv reload` would not repeat it."""
        if self.hint.endswith(_RELOAD):
            self.hint = f"{self.hint.removesuffix(_RELOAD)}then try again"


class UsageError(AwsdirenvError):
    """The command line is wrong."""

    kind = "usage"
    exit_code = EXIT_USAGE


class ProfileNameError(AwsdirenvError):
    """No profile can have this name."""

    kind = "profile-name"
    exit_code = EXIT_USAGE


class ProfileNotFoundError(AwsdirenvError):
    """Neither of AWS's files has such a profile."""

    kind = "profile-not-found"


class ConfigError(AwsdirenvError):
    """AWS's files cannot be read, or a profile in them makes no valid chain."""

    kind = "config"


class NoCredentialsError(AwsdirenvError):
    """The chain ends at a profile that has no credentials."""

    kind = "no-credentials"


class CredentialSourceError(AwsdirenvError):
    """A credential provider of botocore failed (web identity, container, …)."""

    kind = "credential-source"


class CredentialProcessError(AwsdirenvError):
    """A profile's credential_process failed, took too long, or did not print credentials."""

    kind = "credential-process"


class KeychainError(AwsdirenvError):
    """The keychain of the operating system is missing, is locked, did not answer, or has no such keys."""

    kind = "keychain"


class KeyRotationError(AwsdirenvError):
    """A long-term key cannot be replaced, or not yet. The present one still works."""

    kind = "key-rotation"


class SignInNeededError(AwsdirenvError):
    """A sign-in (IAM Identity Center, `aws login`) has ended, or never was. Only the user can sign in."""

    kind = "sign-in-needed"
    exit_code = EXIT_PERSON_NEEDED

    def __init__(self, message: str, hint: str, *, is_first: bool = False) -> None:
        """Create the error. `is_first` says that nobody has signed in yet, so that nothing has ended."""
        super().__init__(message, hint)
        self.is_first = is_first


class SignInFailedError(AwsdirenvError):
    """The user did not sign in, or refused."""

    kind = "sign-in-failed"
    exit_code = EXIT_PERSON_NEEDED


class DeniedError(AwsdirenvError):
    """STS understood the request and denied it."""

    kind = "denied"


class SessionRefusedError(AwsdirenvError):
    """STS refuses the credentials that signed the call (expired, revoked, unknown)."""

    kind = "session-refused"
    code = ""  # AWS's own word, such as InvalidClientTokenId


class NetworkError(AwsdirenvError):
    """STS did not answer. `is_unsent` says that it has not even begun the call: an MFA code in it still holds."""

    kind = "network"
    is_unsent = False


class BadAnswerError(AwsdirenvError):
    """The answer is not one of STS. It is never quoted, because it may contain credentials."""

    kind = "bad-answer"


class StsError(AwsdirenvError):
    """STS answered with any other error code."""

    kind = "sts"


class CodeRefusedError(AwsdirenvError):
    """STS refused this MFA code. Another code may work."""

    kind = "code-refused"


class CodeProcessError(AwsdirenvError):
    """The command that should print an MFA code did not do so."""

    kind = "mfa-process"


class PersonNeededError(AwsdirenvError):
    """An MFA code is needed, but nobody is at a terminal, or the user must not be asked now."""

    kind = "person-needed"
    exit_code = EXIT_PERSON_NEEDED


class AgentDeniedError(AwsdirenvError):
    """An agent asks for what only a person may have."""

    kind = "agent-denied"
    exit_code = EXIT_PERSON_NEEDED


class CancelledError(AwsdirenvError):
    """The user cancelled this step."""

    kind = "cancelled"
    exit_code = EXIT_PERSON_NEEDED
    is_interrupt = False  # the user has typed Ctrl-C, and only we have got it


class LockTimeoutError(AwsdirenvError):
    """Another process has held the lock for too long."""

    kind = "lock-timeout"
    exit_code = EXIT_LOCK_TIMEOUT


class CacheError(AwsdirenvError):
    """Our own folder cannot be used (it is read-only, full, or belongs to another user)."""

    kind = "cache"


class SettingError(AwsdirenvError):
    """An AWSDIRENV_ setting has an invalid value."""

    kind = "setting"


class SetupError(AwsdirenvError):
    """`setup`, `init` or `export --output` could not write a file, or something that they need is missing."""

    kind = "setup"


class MigrationError(AwsdirenvError):
    """`init --migrate` cannot show that an `.envrc` would mean the same with our line."""

    kind = "migration"


class OutputError(AwsdirenvError):
    """Our stdout cannot be written to."""

    kind = "output"


class DirectoryError(AwsdirenvError):
    """The working directory no longer exists."""

    kind = "directory"


class WrongIdentityError(AwsdirenvError):
    """The profile leads to another account or role than `.envrc` demands."""

    kind = "wrong-identity"


class ConfirmationNeededError(AwsdirenvError):
    """The user must confirm entering the directory, but nobody is at a terminal or must be asked now."""

    kind = "confirmation-needed"
    exit_code = EXIT_PERSON_NEEDED


class LaterLineError(ConfirmationNeededError):
    """An outer `.envrc` wants a confirmation, but the line of an inner one decides. So nobody is asked."""

    kind = "later-line"
    exit_code = EXIT_PERSON_NEEDED


class CommandNotFoundError(AwsdirenvError):
    """The command to run does not exist."""

    kind = "command-not-found"
    exit_code = EXIT_NO_COMMAND


class CommandNotRunnableError(AwsdirenvError):
    """The command to run exists, but cannot be run."""

    kind = "command-not-runnable"
    exit_code = EXIT_NOT_RUNNABLE
