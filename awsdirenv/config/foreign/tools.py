"""Other programs' ways to credentials, as people write them in `.envrc`: aws-vault, awsume, the AWS CLI and others.

A command line is read as text. An option that is not in a table here makes it one that is not understood: it may mean
another identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from awsdirenv.config.bash_outline import Statement, as_argument, expand, outline
from awsdirenv.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEYS, SIGN_IN, CHECK, GET, ROLE = "keys", "sign-in", "check", "get", "role"

# Programs that only rewrite what another one has printed.
_FILTERS = frozenset(
    ("grep", "egrep", "fgrep", "sed", "awk", "cut", "jq", "tr", "xargs", "sort", "tail", "head", "cat")
)


class NotUnderstoodError(Exception):
    """Nobody can tell from the text what it does. The argument names a part of it, without secrets."""


class Value(Record):
    """A value: its text in bash (`raw`), and what it is, if that is known without bash (`text`)."""

    raw: str
    text: str | None

    @property
    def argument(self) -> str | None:
        """Return the text of an argument of a command with this value; None if only bash can tell it, and oddly."""
        return as_argument(self.raw)


class Tool(Record):
    """What a program gives: the credentials of a profile, or of a role. `profile` None: that of the environment."""

    program: str
    kind: str
    profile: Value | None = None
    region: Value | None = None
    duration: str | None = None
    is_without_session: bool = False
    role_arn: str | None = None
    account_id: str | None = None
    role: str | None = None
    key: str | None = None  # of `aws configure get`
    store: str = ""  # how the program gives out what it keeps itself, as a credential_process; `…` is the profile


class _Spec(Record):
    """The options of a program: what their values mean, and which flags there are. "" means nothing to us."""

    values: Mapping[str, str]
    flags: Mapping[str, str]


def _spec(values: str, flags: str = "") -> _Spec:
    """Make a table of words such as `--profile:profile`. A name without a meaning has none for us."""
    tables = (
        {name: meaning for name, _, meaning in (word.partition(":") for word in text.split())}
        for text in (values, flags)
    )
    return _Spec(*tables)


_AWS = _spec(
    "--profile:profile --region:region --output --query --format --role-arn:role_arn --role-session-name "
    "--duration-seconds:duration --external-id --serial-number --token-code --sso-session --color",
    "--no-browser --use-device-code --no-cli-pager --no-paginate",
)
_AWS_VAULT = _spec(
    "-d:duration --duration:duration --region:region -t --mfa-token --prompt --backend --format --keychain "
    "--pass-dir --file-dir",
    "-n:no_session --no-session:no_session -j --json --debug --stdout --no-daemon",
)
_AWSUME = _spec("--region:region --session-name --role-duration:duration --mfa-token", "-s -a -n -r --refresh")
_ASSUME = _spec("--region:region -r:region --duration:duration -d:duration", "--env -e --no-cache")
_EXPORT_CREDENTIALS = _spec("--profile:profile", "--env --env-export --export --json --pretty")
_WRAP = _spec("--profile:profile", "--export")
_AWS_SSO = _spec(
    "--profile:profile -p:profile --account:account -A:account "
    "--role:role -R:role --arn:arn -a:arn --sso -S --region:region --level -L",
    "--no-region -n --refresh -r",
)
_SAML = _spec("--profile:profile -p:profile --shell", "--skip-prompt --quiet")
_OKTA = _spec(
    "--mfa-duo-device --mfa-provider --mfa-factor-type --assume-role-ttl:duration -a:duration --session-ttl -t"
)
_ASSUME_ROLE = _spec("-duration:duration -format")
_OURS = _spec("--format --region:region --duration:duration --min-life", "--no-session:no_session")

Options = dict[str, Value]


def tool_of(script: str, variables: Mapping[str, str]) -> Tool | None:
    """Return what a script does whose output is evaluated, such as `aws-vault exec x -- env | grep AWS_`.

    None if no program that we know is in it. Raises NotUnderstoodError if there is one, and it is not clear.
    """
    whole = outline(script)
    tools = [(one, _of_statement(one, whole.raw, variables)) for one in whole.statements]
    known = [(one, tool) for one, tool in tools if tool]
    if not known:
        return None
    (first, tool), *others = known
    names = [one.words[0].text for one in whole.statements if one is not first]
    is_piped = all(one.before in ("|", "|&") for one in whole.statements if one is not first)
    if others or first.where or first.before or not whole.is_whole or not is_piped or not _FILTERS.issuperset(names):
        raise NotUnderstoodError(f"what is done with the output of {tool.program}")
    return tool


def tool_in(statement: Statement, raw: Callable[..., str], variables: Mapping[str, str]) -> Tool | None:
    """Return what a command does, as `tool_of`."""
    return _of_statement(statement, raw, variables)


def _of_statement(statement: Statement, raw: Callable[..., str], variables: Mapping[str, str]) -> Tool | None:
    words = [raw(word) for word in statement.words]
    given: Value | None = None
    while words and (words[0] == "command" or words[0].startswith(("AWS_PROFILE=", "AWS_DEFAULT_PROFILE="))):
        first = words.pop(0)
        given = given if first == "command" else _value(first.partition("=")[2], variables)
    if not words:
        return None
    program = (expand(words[0], variables) or "").rpartition("/")[2]
    reader = _READERS.get(program)
    tool = reader(program, words[1:], variables) if reader else None
    if tool and given and not tool.profile:
        values = {**tool.__dict__, "profile": given}
        tool = Tool(**values)
    return tool


def _value(raw: str, variables: Mapping[str, str]) -> Value:
    return Value(raw, expand(raw, variables))


def _parsed(
    program: str, words: Sequence[str], spec: _Spec, variables: Mapping[str, str]
) -> tuple[list[Value], Options]:
    """Return the arguments and the options of a command line, up to `--`."""
    arguments: list[Value] = []
    options: Options = {}
    rest = iter(words)
    for word in rest:
        text = expand(word, variables)
        if text == "--":
            break
        if text is None or not text.startswith("-"):
            arguments.append(Value(word, text))
            continue
        name, equals, _ = word.partition("=")
        if not equals and not text.startswith("--") and text not in spec.values and text[:2] in spec.values:
            name = text[:2]  # -d2h
            value = word[2:]
        else:
            value = word.partition("=")[2]
        if name in spec.values:
            value = value if equals or name != word else next(rest, "")
            options[spec.values[name] or name] = _value(value, variables)
        elif name in spec.flags:
            options[spec.flags[name] or name] = Value("", "")
        else:
            raise NotUnderstoodError(f"the option {name} of {program}")
    return arguments, options


def _tool(program: str, profile: Value | None, options: Options, kind: str = KEYS, **more: Any) -> Tool:
    duration = options.get("duration")
    if duration and duration.text is None:
        raise NotUnderstoodError(f"the duration for {program}")
    return Tool(
        program,
        kind,
        options.get("profile") or profile,
        options.get("region"),
        duration.text if duration else None,
        "no_session" in options,
        **more,
    )


def _aws(program: str, words: Sequence[str], variables: Mapping[str, str]) -> Tool | None:
    texts = [expand(word, variables) or "" for word in words]
    names = " ".join(text for text in texts if text and text in _AWS_NAMES)
    known = ("configure export-credentials", "configure get", "sts assume-role", "sts get-caller-identity", _SESSION)
    if names not in (*known, "sso login", "login"):
        return None
    arguments, options = _parsed(program, words, _AWS, variables)
    if names == "configure get" and len(arguments) == 3:
        return _tool("aws configure get", None, options, kind=GET, key=arguments[2].text)
    if names == "sts assume-role":
        arn = options.get("role_arn")
        if arn is None or arn.text is None:
            raise NotUnderstoodError("the role of aws sts assume-role")
        return _tool("aws sts assume-role", None, options, kind=ROLE, role_arn=arn.text)
    kinds = {"configure export-credentials": KEYS, "sts get-caller-identity": CHECK, _SESSION: GET}
    return _tool(f"aws {names}", None, options, kind=kinds.get(names, SIGN_IN))


_SESSION = "sts get-session-token"
_AWS_NAMES = frozenset(
    ("configure", "export-credentials", "get", "sts", "assume-role", "get-caller-identity", "sso", "login")
) | {"get-session-token"}


def _prints(words: Sequence[str], arguments: Sequence[str | None]) -> bool:
    """Return whether the command that a program starts prints its environment. It may stand behind `--`."""
    run = words[words.index("--") + 1 :] if "--" in words else arguments
    return [*run][:1] in (["env"], ["printenv"], ["/usr/bin/env"], ["direnv"], ["sh"], ["bash"]) or not run


def _aws_vault(program: str, words: Sequence[str], variables: Mapping[str, str]) -> Tool | None:
    arguments, options = _parsed(program, words, _AWS_VAULT, variables)
    names = [argument.text for argument in arguments]
    if names[:1] not in (["exec"], ["export"]) or len(arguments) < 2:
        return None
    if names[0] == "exec" and not _prints(words, names[2:]):
        return None
    return _tool(program, arguments[1], options, store="aws-vault export --no-session --format=json …")


def _named(spec: _Spec, store: str = "", commands: Sequence[str] = ()) -> Callable[..., Tool | None]:
    """Return a reader for a program whose first argument, behind one of these subcommands, is a profile."""
    skip = 1 if commands else 0

    def read(program: str, words: Sequence[str], variables: Mapping[str, str]) -> Tool | None:
        arguments, options = _parsed(program, words, spec, variables)
        if commands and (not arguments or arguments[0].text not in commands):
            return None
        if len(arguments) <= skip:
            raise NotUnderstoodError(f"{program} without a profile")
        return _tool(program, arguments[skip], options, store=store)

    return read


def _optional(spec: _Spec, *names: str, kind: str = KEYS, store: str = "") -> Callable[..., Tool | None]:
    """Return a reader for a program with these subcommands, whose profile is an option."""

    def read(program: str, words: Sequence[str], variables: Mapping[str, str]) -> Tool | None:
        arguments, options = _parsed(program, words, spec, variables)
        given = [argument.text for argument in arguments]
        if given == ["login"]:
            return Tool(program, SIGN_IN, options.get("profile"))
        if given != [*names]:
            raise NotUnderstoodError(f"{program} with these arguments")
        account, role = options.get("account"), options.get("role")
        if arn := options.get("arn"):
            parts = ["", *(arn.text or "").split(":")]
            account, role = (Value(part, part) for part in (parts[-2], parts[-1].rpartition("/")[2]))
        if program == "aws-sso" and not (options.get("profile") or (account and account.text and role)):
            raise NotUnderstoodError("aws-sso without a profile, and without an account and a role")
        if program == "saml2aws" and "profile" not in options:
            raise NotUnderstoodError("saml2aws without --profile")
        return _tool(
            program,
            None,
            options,
            kind=kind,
            store=store,
            account_id=account.text if account else None,
            role=role.text if role else None,
        )

    return read


_READERS: dict[str, Callable[..., Tool | None]] = {
    "aws": _aws,
    "aws2": _aws,
    "aws-vault": _aws_vault,
    "awsume": _named(_AWSUME),
    "assume": _named(_ASSUME, "granted credential-process --profile …"),
    "aws-okta": _named(_OKTA, "aws-okta cred-process …", ("env",)),
    "assume-role": _named(_ASSUME_ROLE),
    "awsdirenv": _named(_OURS, commands=("export",)),
    "aws-export-credentials": _optional(_EXPORT_CREDENTIALS),
    "aws2-wrap": _optional(_WRAP),
    "aws-sso": _optional(_AWS_SSO, "eval", store="aws-sso process --profile …"),
    "aws-sso-util": _optional(_EXPORT_CREDENTIALS, "credential-process"),
    "saml2aws": _optional(_SAML, "script", kind=GET),
}
