"""The environment variables that matter to us: they lead to credentials, or decide what a profile's name means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Flag, auto

from awsdirenv.records import Record
from awsdirenv.system.text import is_set

# Besides the name, these variables decide which account a profile leads to. Directories with different values must not
# share a snapshot.
CONTEXT_VARIABLES = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)

# The variables that decide which STS answers.
ENDPOINT_VARIABLES = tuple(name for name in CONTEXT_VARIABLES if "ENDPOINT" in name)


class Use(Flag):
    """How we use a variable of `VARIABLES`. `NONE`: it only names some other identity."""

    NONE = 0
    EXPORTED = auto()  # an open directory exports it, and so does `awsdirenv export`
    STALE = auto()  # it would contradict what `awsdirenv export` prints, so that output unsets it
    SOURCE = auto()  # profiles that take their credentials from the environment or the machine are resolved from it
    DECIDES = auto()  # it separates such sources from each other; see `MACHINE_VARIABLES`


# All variables that lead a program to credentials, that name an identity or a region, or that are ours. A directory
# unsets them all before it sets those of a profile, and so does `awsdirenv exec`. Variables that choose a file stay
# (AWS_SHARED_CREDENTIALS_FILE; BOTO_CONFIG, which gsutil reads too), and so do those that only turn something off
# (AWS_EC2_METADATA_DISABLED, which a closed and a live directory set).
VARIABLES: Mapping[str, Use] = {
    "AWS_ACCESS_KEY_ID": Use.EXPORTED | Use.SOURCE | Use.DECIDES,
    "AWS_SECRET_ACCESS_KEY": Use.EXPORTED | Use.SOURCE,
    "AWS_SESSION_TOKEN": Use.EXPORTED | Use.SOURCE,
    "AWS_SECURITY_TOKEN": Use.STALE | Use.SOURCE,
    "AWS_CREDENTIAL_EXPIRATION": Use.EXPORTED | Use.SOURCE,
    "AWS_SESSION_EXPIRATION": Use.STALE,
    "AWS_ACCOUNT_ID": Use.EXPORTED | Use.SOURCE,
    "AWS_REGION": Use.EXPORTED,
    "AWS_DEFAULT_REGION": Use.EXPORTED,
    "AWS_PROFILE": Use.STALE,
    "AWS_DEFAULT_PROFILE": Use.STALE,
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": Use.SOURCE | Use.DECIDES,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": Use.SOURCE | Use.DECIDES,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": Use.SOURCE,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": Use.SOURCE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": Use.SOURCE | Use.DECIDES,
    "AWS_ROLE_ARN": Use.SOURCE | Use.DECIDES,
    "AWS_ROLE_SESSION_NAME": Use.SOURCE,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": Use.SOURCE | Use.DECIDES,
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": Use.SOURCE,
    "AWS_CREDENTIAL_FILE": Use.SOURCE,  # a file with keys, read by Amazon's first tools and still by botocore
    # Other names for keys, which the SDKs for Go, Java, JavaScript and Ruby accept; the last one only JavaScript's.
    **dict.fromkeys(("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_SCOPE"), Use.NONE),
    **dict.fromkeys(("AMAZON_ACCESS_KEY_ID", "AMAZON_SECRET_ACCESS_KEY", "AMAZON_SESSION_TOKEN"), Use.NONE),
    "AWS_BEARER_TOKEN_BEDROCK": Use.NONE,  # an API key of Bedrock, which every SDK prefers there to other keys
    # Shell prompts show these.
    "AWS_VAULT": Use.STALE,
    "AWSUME_PROFILE": Use.STALE,
    # Ours. The stale ones belong to a directory's credentials, and `awsdirenv export` replaces those.
    "AWSDIRENV_PROFILE": Use.EXPORTED,
    **dict.fromkeys(("AWSDIRENV_KEY_ID", "AWSDIRENV_REFRESH_AT", "AWSDIRENV_NARROWED"), Use.STALE),
    **dict.fromkeys(("AWSDIRENV_LOADED", "AWSDIRENV_DECLARED", "AWSDIRENV_STAGE"), Use.NONE),
}


def _used_for(use: Use) -> tuple[str, ...]:
    return tuple(name for name, uses in VARIABLES.items() if use in uses)


BLOCK = frozenset(VARIABLES)
EXPORTED = _used_for(Use.EXPORTED)
STALE = _used_for(Use.STALE)
SOURCE_VARIABLES = _used_for(Use.SOURCE)
DECIDING_VARIABLES = _used_for(Use.DECIDES)
_HOST = "HOSTNAME"
# What decides about sources that are the environment or the machine. Many machines may share a home on a network.
MACHINE_VARIABLES = (*DECIDING_VARIABLES, _HOST)
# The SDKs' variables that we never export. If one is set in an open directory, somebody else has set it.
NEVER_EXPORTED = frozenset(name for name in BLOCK if name.startswith(("AWS_", "AMAZON_"))) - {*EXPORTED}

# AWS_PROFILE in a closed directory. No file has such a profile, so programs find no credentials, and not those of
# [default] either. The errors of many programs show the name, so it says what to type. It is one word, because scripts
# forget quotes. AWS_EC2_METADATA_DISABLED is for SDKs that would go on to the role of the machine.
CLOSED_PROFILE = "closed-by-awsdirenv:type-direnv-reload"
METADATA_SWITCH = "AWS_EC2_METADATA_DISABLED"


# How variables are called whose values nobody should see. The name of a file is no secret.
_SECRET = re.compile(r"(?!.*_FILE$).*(SECRET|TOKEN|PASSW|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Tell by its name whether a variable has a secret, or a part of credentials."""
    return _SECRET.match(name) is not None


def environment_region(environ: Mapping[str, str]) -> str | None:
    """Return the region that the environment asks for, unless we have exported it for a directory."""
    if "AWSDIRENV_PROFILE" in environ:
        return None
    return environ.get(region_variable(environ)) or None


def region_variable(environ: Mapping[str, str]) -> str:
    """Return the name of the variable that `environment_region` takes the region from."""
    return "AWS_REGION" if environ.get("AWS_REGION") else "AWS_DEFAULT_REGION"


# Set by programs that let an AI agent run commands. All that begin with `CURSOR_` count, too. The extension has this
# list, too.
AGENT_VARIABLES = (
    *("AI_AGENT", "AGENT", "CLAUDECODE", "CLAUDE_CODE", "GEMINI_CLI", "CODEX_SANDBOX", "CODEX_THREAD_ID", "CODEX_CI"),
    *("OPENCODE", "OPENCODE_CLIENT", "AUGMENT_AGENT", "GOOSE_TERMINAL", "AMP_CURRENT_THREAD_ID", "ANTIGRAVITY_AGENT"),
    *("COPILOT_CLI", "CLINE_ACTIVE", "QWEN_CODE"),
)


def agent_default(environ: Mapping[str, str]) -> str | None:
    """Return AWSDIRENV_AGENT_DEFAULT in an agent's environment, "" where it is not set. None: no agent is at work.

    AWSDIRENV_AGENT says it outright.
    """
    names = [*AGENT_VARIABLES, *(name for name in environ if name.startswith("CURSOR_"))]
    if environ.get("AWSDIRENV_AGENT"):
        names = ["AWSDIRENV_AGENT"]
    is_agent = any(is_set(environ.get(name)) for name in names)
    return environ.get("AWSDIRENV_AGENT_DEFAULT", "") if is_agent else None


class SessionOptions(Record):
    """What a line in `.envrc` or a command asks of a session, besides the profile; see `config.session_options`."""

    duration: int | None = None  # seconds
    policy_arns: tuple[str, ...] = ()
    policy_file: str | None = None  # an absolute path
    read_only: bool = False
    agent: str | None = None  # not None: it is an agent's; `agent_default`

    @property
    def narrows(self) -> bool:
        """Whether policies are asked for."""
        return bool(self.policy_arns or self.policy_file or self.read_only)

    @classmethod
    def parse(cls, text: str) -> SessionOptions:
        """Read what `text` returns. Raises ValueError for any other text."""
        values = [(name, _decoded(value)) for name, _, value in (word.partition("=") for word in text.split())]
        found = dict(values)
        options = cls(
            int(found["duration"]) if "duration" in found else None,
            tuple(value for name, value in values if name == "policy-arn"),
            found.get("policy"),
            "read-only" in found,
            found.get("agent"),
        )
        if options.text() != text:
            raise ValueError(text)
        return options

    def arguments(self) -> list[str]:
        """Return the options of a command that asks for the same."""
        return [f"--{word}" for word in self._words(lambda value: value)]

    def for_user(self) -> list[str]:
        """Return the options of `arguments` that a user can type. Whether it is an agent, the environment says."""
        return [word for word in self.arguments() if not word.startswith("--agent=")]

    def narrowing(self) -> list[str]:
        """Return the options of `arguments` that narrow the session."""
        return [word for word in self.for_user() if not word.startswith("--duration=")]

    def text(self) -> str:
        """Return the options as one line, the same one for the same wish."""
        return " ".join(self._words(_encoded))

    def _words(self, encode: Callable[[str], str]) -> list[str]:
        words = [f"agent={encode(self.agent)}"] if self.agent is not None else []
        words += [f"duration={self.duration}"] if self.duration else []
        words += [f"policy={encode(self.policy_file)}"] if self.policy_file else []
        words += [f"policy-arn={encode(arn)}" for arn in self.policy_arns]
        return [*words, "read-only"] if self.read_only else words


def context_text(environ: Mapping[str, str], options: SessionOptions = SessionOptions()) -> str:  # noqa: B008 - frozen
    """Return what decides, besides its name, which credentials a profile gets: one line, empty in most homes."""
    words = [_word(name, environ[name]) for name in CONTEXT_VARIABLES if name in environ]
    return " ".join(filter(None, [*words, options.text()]))


def variables_text(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """Return the variables with their values as one line. A variable that is not set stands without `=`.

    HOSTNAME is the name of the machine, also if it is not exported: bash always has it.
    """
    values = environ if _HOST in environ else {**environ, _HOST: os.uname().nodename}
    return " ".join(_word(name, values[name]) if name in values else name for name in sorted(set(names)))


def has_same_variables(text: str, environ: Mapping[str, str]) -> bool:
    """Return whether the variables in a line of `variables_text` have the same values now."""
    return text == variables_text((word.partition("=")[0] for word in text.split(" ")), environ)


def _word(name: str, value: str) -> str:
    return f"{name}={_encoded(value)}"


def _encoded(value: str) -> str:
    return value.replace("%", "%25").replace(" ", "%20").replace("\n", "%0A")


def _decoded(value: str) -> str:
    return value.replace("%0A", "\n").replace("%20", " ").replace("%25", "%")
