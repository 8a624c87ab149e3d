"""Who the lines of an `.envrc` make somebody, and which profile is the same identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from awsdirenv.config import dotenv
from awsdirenv.config.aws_files import AwsFiles, place_of, static_keys
from awsdirenv.config.chain import ATTACHED, KEYCHAIN, STATIC, Chain
from awsdirenv.config.foreign.found import (
    ACCOUNT,
    DOTENV,
    KEY,
    KEY_NAMES,
    PROFILE,
    PROFILES,
    TOOL,
    UNSET,
    Foreign,
    Found,
    UnclearError,
)
from awsdirenv.config.foreign.tools import GET, ROLE, Tool, Value
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError, MigrationError
from awsdirenv.records import Record, replace
from awsdirenv.system.text import command_line, shell_word

# What decides who a profile is. aws-vault takes each of them from [default] if a profile has none.
_DECIDES = (
    "role_arn",
    "source_profile",
    "sso_session",
    "sso_start_url",
    "credential_process",
    "web_identity_token_file",
)


class Declared(Record, hidden=("keys",)):
    """What an `.envrc` comes to. `found` is what decides. `profile` None: the AWS_PROFILE of the environment."""

    found: Found
    profile: Value | None
    tool: Tool | None = None
    keys: tuple[str, str, str | None] | None = None
    is_from_dotenv: bool = False


class Identity(Record):
    """The profile for our line: `argument` is its text in bash, "" for none. `chain` None: only bash knows the name."""

    argument: str
    chain: Chain | None
    declared: Declared


class _State:
    """The variables that a script sets, as far as they decide who somebody is."""

    def __init__(self, envrc: Path, foreign: Foreign) -> None:
        self.envrc = envrc
        self.foreign = foreign
        self.profiles: dict[str, tuple[Found, Value]] = {}
        self.keys: dict[str, tuple[Found, str]] = {}
        self.tool: tuple[Found, Tool] | None = None

    def take(self, found: Found) -> None:
        """Go on to the next line."""
        if found.kind == UNSET:
            self._forget(found.name)
        elif found.kind == PROFILE and found.value:
            self._set_profile(found, found.name, found.value)
        elif found.kind in (KEY, TOOL) and found.tool:
            self._set_tool(found, found.tool)
        elif found.kind == KEY and found.value:
            self._set_key(found, found.name, found.value.text or "")
        elif found.kind == DOTENV:
            for name, text in found.values.items():
                if name in PROFILES:
                    self._set_profile(found, name, Value(shell_word(text), text))
                elif name in KEY_NAMES:
                    self._set_key(found, name, text)

    def _forget(self, name: str) -> None:
        self.profiles.pop(name, None)
        self.keys.pop(name, None)
        if name == KEY_NAMES[0]:
            self.tool = None

    def _set_profile(self, found: Found, name: str, value: Value) -> None:
        for other, before in self.profiles.values():
            is_override = other.kind == DOTENV and found.kind == PROFILE
            if _names(before) != _names(value) and not is_override:
                raise self.two(other, found)
        self.profiles = {one: pair for one, pair in self.profiles.items() if _names(pair[1]) == _names(value)}
        if value.text == "":
            self._forget(name)
        else:
            self.profiles[name] = (found, value)

    def _set_key(self, found: Found, name: str, text: str) -> None:
        if text and self.tool:
            raise self.two(self.tool[0], found)
        if text:
            self.keys[name] = (found, text)
        else:
            self.keys.pop(name, None)

    def _set_tool(self, found: Found, tool: Tool) -> None:
        current = next(iter(self.profiles.values()), None)
        if current and tool.profile and tool.profile.text is None and "AWS_" in tool.profile.raw:
            if tool.profile.raw.strip('"').strip("${}") not in PROFILES:
                raise UnclearError(self.foreign.line(found), f"the profile of {tool.program}")
            tool = replace(tool, profile=current[1])
        if not tool.profile and current and not tool.account_id:
            tool = replace(tool, profile=current[1])
        if self.tool and _identity(self.tool[1]) != _identity(tool):
            raise self.two(self.tool[0], found)
        if self.keys:
            raise self.two(next(iter(self.keys.values()))[0], found)
        self.tool = self.tool or (found, tool)

    def two(self, first: Found, second: Found) -> MigrationError:
        """Return the error for two lines that may not mean the same identity."""
        lines = sorted((self.foreign.line(first), self.foreign.line(second)))
        return MigrationError(
            f"{self.envrc} names two identities, in line {lines[0]} and in line {lines[1]}",
            "remove the wrong one, then try again",
        )


def _names(value: Value) -> str:
    return value.raw if value.text is None else value.text


def _identity(tool: Tool) -> tuple[object, ...]:
    profile = _names(tool.profile) if tool.profile else None
    return profile, tool.role_arn, tool.account_id, tool.role


def declared(envrc: Path, foreign: Foreign) -> Declared | None:
    """Return what the lines come to, or None if they declare nobody. Raises MigrationError for two identities."""
    state = _State(envrc, foreign)
    for found in foreign.found:
        state.take(found)
    profile = next(iter(state.profiles.values()), None)
    if state.tool:
        found, tool = state.tool
        if profile and tool.profile and tool.kind != ROLE and _names(tool.profile) != _names(profile[1]):
            raise state.two(found, profile[0])
        return Declared(found, tool.profile, tool)
    if KEY_NAMES[0] in state.keys or KEY_NAMES[1] in state.keys:
        found = next(iter(state.keys.values()))[0]
        id_, secret, *tokens = (state.keys[name][1] if name in state.keys else None for name in KEY_NAMES)
        if not id_ or not secret:
            raise UnclearError(foreign.line(found), "half a key")
        return Declared(found, profile[1] if profile else None, None, (id_, secret, tokens[0] or tokens[1]))
    if not profile:
        return None
    return Declared(profile[0], profile[1], is_from_dotenv=profile[0].kind == DOTENV)


class Finder:
    """Finds the profile that is the same identity as what an `.envrc` declares."""

    def __init__(self, envrc: Path, foreign: Foreign, files: AwsFiles, environ: Mapping[str, str]) -> None:
        self.envrc = envrc
        self.foreign = foreign
        self.files = files
        self.environ = environ

    def find(self, declared: Declared) -> Identity:
        """Return the identity. Raises MigrationError, and the errors of `resolve_chain`."""
        tool = declared.tool
        if declared.keys:
            name = self._with_keys(declared, declared.keys)
        elif tool and tool.role_arn:
            name = self._only(declared, tool.role_arn, lambda chain: _ends_with(chain, tool.role_arn))
        elif tool and tool.account_id:
            name = self._only(
                declared,
                f"{tool.role} in account {tool.account_id}",
                lambda chain: (chain.account_id, chain.role) == (tool.account_id, tool.role),
            )
        elif declared.is_from_dotenv or declared.profile is None:
            return self._of_environment(declared)
        elif declared.profile.text is None:
            above = [one for one in self.foreign.others if one.words[0].text.startswith("source_")]
            if above and "AWS_" in declared.profile.raw:
                raise UnclearError(self.foreign.line(declared.found), "which profile another file gives it")
            return Identity(declared.profile.argument or f'"{declared.profile.raw}"', None, declared)
        else:
            name = declared.profile.text
        chain = self._chain(declared, name)
        raw = declared.profile.raw if declared.profile and declared.profile.text == name else ""
        is_dynamic = ("$" in raw or "`" in raw) and "AWS_" not in raw  # those variables are not set there any more
        argument = (declared.profile.argument if declared.profile and is_dynamic else None) or shell_word(name)
        return Identity(argument, chain, declared)

    def place(self, found: Found) -> str:
        """Return where something is: the path and the number of the line."""
        return f"{self.envrc}:{self.foreign.line(found)}"

    def _of_environment(self, declared: Declared) -> Identity:
        """Return the identity of a line without a name: AWS_PROFILE of the nearest `.env`, else of the environment."""
        nearest = dotenv.nearest(self.envrc.parent)
        named = dotenv.read_profile(nearest)[0] if nearest else None
        wanted = declared.profile.text if declared.profile else None
        if named != wanted and declared.found.path:
            raise MigrationError(
                f"{self.place(declared.found)}: only a file with the name .env can name the profile",
                f"move AWS_PROFILE from {declared.found.path} into {self.envrc.parent / '.env'}, then try again",
            )
        if named != wanted:
            raise MigrationError(
                f"{self.place(declared.found)}: this command names no profile, but {nearest} does",
                "add --profile NAME to that command, then try again",
            )
        name = wanted or self.environ.get("AWS_PROFILE") or "default"
        return Identity("", self._chain(declared, name), declared)

    def _with_keys(self, declared: Declared, keys: tuple[str, str, str | None]) -> str:
        names = [name for name in self.files.profiles if self._has_keys(name, keys)]
        wanted = declared.profile.text if declared.profile else None
        if keys[2] and not names:
            raise MigrationError(
                f"{self.place(declared.found)}: these keys are temporary, and no profile has them",
                "change those lines by hand to: use aws_profile PROFILE",
            )
        if not names or (wanted and wanted not in names):
            raise MigrationError(
                f"{self.place(declared.found)}: none of your profiles has these keys",
                f"add them to [NAME] in {self.files.credentials_path}, then try again",
            )
        return wanted or names[0]

    def _has_keys(self, name: str, keys: tuple[str, str, str | None]) -> bool:
        chain = self._try(name)
        return (
            chain is not None
            and (chain.source_kind, chain.hops) == (STATIC, ())
            and static_keys(self.files, name) == keys
        )

    def _only(self, declared: Declared, what: str, is_it: Callable[[Chain], bool]) -> str:
        chains = [chain for chain in map(self._try, self.files.profiles) if chain and is_it(chain)]
        source = declared.profile.text if declared.profile else None
        chains = [chain for chain in chains if chain.source_profile == source] or chains
        if not chains:
            raise MigrationError(
                f"{self.place(declared.found)}: no profile leads to {what}",
                f"add one with role_arn and source_profile to {self.files.config_path}, then try again",
            )
        if len(chains) > 1:
            names = ", ".join(chain.profile for chain in chains[:5])
            raise MigrationError(
                f"{self.place(declared.found)}: more than one profile leads to {what}: {names}",
                f"change those lines by hand to: {command_line('use aws_profile', chains[0].profile)}",
            )
        return chains[0].profile

    def _try(self, name: str) -> Chain | None:
        try:
            return resolve_chain(self.files, name, self.environ)
        except AwsdirenvError:
            return None

    def _chain(self, declared: Declared, name: str) -> Chain:
        """Return the chain of a profile, if it is what the lines come to. Raises MigrationError and ConfigError."""
        tool, found = declared.tool, declared.found
        if tool and tool.program == "aws-vault":
            self._check_vault(declared, name)
        missing = self._missing_source(name)
        if tool and tool.store and missing:
            raise self._store_error(tool, found, missing)
        chain = resolve_chain(self.files, name, self.environ)
        if tool and tool.store and chain.source_kind == ATTACHED:
            raise self._store_error(tool, found, chain.source_profile)
        if tool and tool.kind == GET and (chain.source_kind not in (STATIC, KEYCHAIN) or chain.hops):
            raise UnclearError(self.foreign.line(found), f"{tool.program} for a profile without keys of its own")
        for one in self.foreign.found:
            self._check_account(one, chain)
        return chain

    def _store_error(self, tool: Tool, found: Found, source: str) -> MigrationError:
        command = tool.store.replace("…", shell_word(source))
        return MigrationError(
            f"{self.place(found)}: {tool.program} has the keys of profile {source}, and AWS's files do not",
            f"add credential_process = {command} to {place_of(self.files, source)}, then try again",
        )

    def _check_vault(self, declared: Declared, name: str) -> None:
        for profile in self._way(name):
            section = self.files.profiles[profile]
            default = self.files.config_profiles.get("default", {})
            lost = [] if section.get("include_profile") else [key for key in _DECIDES if default.get(key)]
            lost = [key for key in lost if not section.get(key) and default[key] != profile]
            if lost and profile != "default":
                raise MigrationError(
                    f"{self.place(declared.found)}: only aws-vault takes {lost[0]} of {profile} from [default]",
                    f"add {lost[0]} to {place_of(self.files, profile)}, or remove it from [default], then try again",
                )

    def _missing_source(self, name: str) -> str | None:
        """Return the source_profile on the way that no file has."""
        last = [*self._way(name)][-1:]
        source = self.files.profiles[last[0]].get("source_profile") if last else None
        return source if isinstance(source, str) and source not in self.files.profiles else None

    def _way(self, name: str) -> Iterator[str]:
        """Yield the profiles on the way from a profile to its source."""
        visited: list[str] = []
        while name in self.files.profiles and name not in visited:
            visited.append(name)
            name = str(self.files.profiles[name].get("source_profile"))
        return iter(visited)

    def _check_account(self, found: Found, chain: Chain) -> None:
        """Raise MigrationError if a line says another account than the profile, which our line would overwrite."""
        stated = found.value.text if found.kind == ACCOUNT and found.value else found.values.get("AWS_ACCOUNT_ID")
        if stated and chain.account_id and stated != chain.account_id:
            raise MigrationError(
                f"{self.place(found)}: AWS_ACCOUNT_ID is not that of profile {chain.profile}, {chain.account_id}",
                "correct that line, then try again",
            )


def _ends_with(chain: Chain, role_arn: str | None) -> bool:
    return bool(chain.hops) and chain.hops[-1].role_arn == role_arn
