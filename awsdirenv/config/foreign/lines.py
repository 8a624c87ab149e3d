"""Finds the lines of an `.envrc` that give AWS credentials without us, and what they set. Nothing in it is ever run.

A line that may give credentials, and that is not understood, is an error: we never guess who somebody is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from awsdirenv.config import dotenv
from awsdirenv.config.bash_outline import Function, Outline, Statement, as_argument, expand
from awsdirenv.config.bash_text import Word, inside_substitution
from awsdirenv.config.environment import BLOCK, CONTEXT_VARIABLES
from awsdirenv.config.foreign import found as kinds
from awsdirenv.config.foreign.found import Foreign, Found, UnclearError
from awsdirenv.config.foreign.tools import (
    CHECK,
    GET,
    SIGN_IN,
    NotUnderstoodError,
    Tool,
    Value,
    tool_in,
    tool_of,
)
from awsdirenv.records import replace
from awsdirenv.system.files import read_text
from awsdirenv.system.text import shell_word

_MARKERS = ("AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION", "AWS_VAULT", "AWSUME_PROFILE")
_READ = frozenset((*kinds.PROFILES, *kinds.REGIONS, *kinds.KEY_NAMES, "AWS_ACCOUNT_ID"))  # what we look for in a `.env`

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.ASCII | re.DOTALL)
_MENTION = re.compile(
    r"AWS_(?!PAGER|DEFAULT_OUTPUT|REGION|DEFAULT_REGION)|\baws(?:$|[\s_-])|awsume|\bassume\b", re.IGNORECASE
)
_KEY_MENTION = re.compile(r"AWS_(?:ACCESS_KEY|SECRET|SESSION_TOKEN)|aws-|awsume|\bassume\b|export-credentials")
_DEFAULT = re.compile(r'"?\$\{(AWS_(?:DEFAULT_)?PROFILE):?=([^{}"]*)\}"?')
_ASSIGNED_BY_DEFAULT = re.compile(r"\$\{AWS_\w+:?=")
_EXPORTERS = ("export", "declare", "typeset", "readonly", "local")
_SETTERS = frozenset(("eval", "source", ".", "read", "printf", "mapfile", "readarray", "direnv_load"))
_SOURCES = ("source_up", "source_up_if_exists", "source_env", "source_env_if_exists", "source", ".")
# What a function that only sets variables may do besides, and what nobody misses when its call is replaced.
_CHATTER = frozenset(
    ("log_status", "log_error", "echo", "printf", "return", "exit", ":", "true", "[", "[[", "test", "has")
)


Definitions = Mapping[str, tuple[Outline, Function]]


class Reader:
    """Reads the statements of a script, or of a function that it calls."""

    def __init__(self, folder: Path, whole: Outline, variables: Mapping[str, str], definitions: Definitions) -> None:
        """Prepare for an `.envrc` in a folder. `definitions` are all functions that it may call."""
        self.folder = folder
        self.whole = whole
        self.variables = dict(variables)
        self.definitions = definitions
        self.found: list[Found] = []
        self.others: list[Statement] = []
        self.called: set[str] = set()
        self._captured: dict[str, tuple[Tool, tuple[Found, ...]]] = {}  # what variables have of a program's answer
        self._pending: dict[str, Found] = {}  # assigned, and not exported yet
        self._exports_all = False

    def read(self, statements: Sequence[Statement], body: str = "") -> None:
        """Read the statements: of the function `body`, or outside of all functions. Raises UnclearError."""
        for statement in statements:
            if statement.function != body:
                continue
            try:
                found = self._of(statement)
                if not found:
                    self._check_other(statement, body)
                elif any(not one.stays for one in found):
                    self._check_place(statement, found, body)
            except NotUnderstoodError as error:
                raise UnclearError(self.whole.line(statement), str(error)) from None
            self.found += found
            if not found or any(one.stays or one.words for one in found):
                self.others.append(statement)
        self._settle_captured()
        self._check_lists(statements)
        for name, assigned in self._pending.items():
            raise UnclearError(self.whole.line(assigned.statement), f"{name}, which is set and not exported")

    def _settle_captured(self) -> None:
        """Let the assignments go that only lead to keys. Raises UnclearError if anything else uses their variables."""
        gone = {found.statement.start: found for one in self.found for found in one.origins}
        self.others = [one for one in self.others if one.start not in gone]
        for statement in self.others:
            for found in gone.values():
                if re.search(rf"\$\{{?{found.name}\b", self.whole.raw(statement)):
                    raise UnclearError(self.whole.line(statement), f"{found.name}, which is used here, too")
        self.found += gone.values()

    def _check_lists(self, statements: Sequence[Statement]) -> None:
        """Raise UnclearError for a command that counts only if another one succeeds, which is not about AWS."""
        settled = {one.statement.start for one in self.found if not one.stays}
        for first, after in itertools.pairwise(statements):
            if after.before == "&&" and (first.start in settled) != (after.start in settled):
                raise UnclearError(self.whole.line(first), "AWS in a list with &&")

    def _check_place(self, statement: Statement, found: list[Found], body: str) -> None:
        """Raise NotUnderstoodError for what counts only sometimes, or only somewhere."""
        is_list = {statement.before, statement.after} <= {"", "&&"}
        where = "" if body and statement.where == "a function" else statement.where
        if where or not is_list:
            raise NotUnderstoodError(f"{found[0].name or found[0].kind} inside {where or 'a list with || or |'}")
        if any(
            not one[:1].isdigit() and one[:1] != ">" and one != "</dev/null" and one[:2] != "&>"
            for one in statement.redirections
        ):
            raise NotUnderstoodError("its redirection")

    def _check_other(self, statement: Statement, body: str) -> None:
        """Raise NotUnderstoodError for a command that may set something of AWS, or that a function must not do."""
        first = statement.words[0].text
        raw = self.whole.raw(statement)
        if body and first not in _CHATTER and not (first in _EXPORTERS and not _MENTION.search(raw)):
            raise NotUnderstoodError(f"`{first}` in the function {body}")
        if _ASSIGNED_BY_DEFAULT.search(raw):
            raise NotUnderstoodError("a value that is assigned by default")
        if first in _SETTERS and _MENTION.search(raw) and (first != "printf" or "-v" in raw):
            raise NotUnderstoodError(f"`{first}`")

    def _of(self, statement: Statement) -> list[Found]:
        """Return what a statement says about AWS."""
        words = list(statement.words)
        while words and _ASSIGNMENT.match(self.whole.raw(words[0])):
            words.pop(0)
        if not words:
            return self._assignments(statement, statement.words, is_exported=self._exports_all)
        name = words[0].text if words[0].is_literal else ""
        if name in _EXPORTERS:
            return self._exports(statement, words, name)
        handler = {
            "unset": self._unset,
            "eval": self._evaluated,
            "direnv_load": self._loaded,
            "dotenv": self._dotenv,
            "dotenv_if_exists": self._dotenv,
            "set": self._set,
            ":": self._default,
            **dict.fromkeys(_SOURCES, self._sourced),
        }.get(name)
        if handler:
            return handler(statement, words)
        if function := self._function(words):
            return self._call(statement, *function)
        tool = tool_in(statement, self.whole.raw, self.variables)
        if tool and tool.kind in (SIGN_IN, CHECK):
            return [
                Found(
                    kinds.OTHER, statement, tool.program, tool=tool, stays=tool.kind == CHECK or not statement.is_alone
                )
            ]
        return []

    def _assignments(self, statement: Statement, words: Sequence[Word], *, is_exported: bool) -> list[Found]:
        found = []
        for word in words:
            raw = self.whole.raw(word)
            if word.is_literal and raw[:1] in "\"'":
                raw = word.text.partition("=")[0] + "=" + shell_word(word.text.partition("=")[2])
            match = _ASSIGNMENT.match(raw)
            one = self._assigned(statement, match[1], match[3]) if match else None
            if one is None:
                continue
            if match and match[2]:
                raise NotUnderstoodError(f"{one.name}+=")
            found.append(replace(one, words=(word,)))
            if not is_exported and one.kind not in (kinds.OTHER, kinds.ACCOUNT):
                self._pending[one.name] = one
            else:
                self._pending.pop(one.name, None)
        return _as_a_whole(found, len(statement.words))

    def _assigned(self, statement: Statement, name: str, raw: str) -> Found | None:
        """Return what an assignment says, and note the value of the variable."""
        text = expand(raw, self.variables)
        value = Value(raw, text)
        captured = [self._captured[one] for one in self._captured if re.search(rf"\$\{{?{one}\b", raw)]
        inside = inside_substitution(raw)
        tool, origins = captured[0] if captured else (tool_of(inside, self.variables) if inside else None, ())
        if text is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = text
        if name in kinds.KEY_NAMES:
            if tool is None and text is None:
                raise NotUnderstoodError(f"where {name} comes from")
            return Found(kinds.KEY, statement, name, value, tool, origins=origins)
        if name in kinds.PROFILES:
            if text is None and (as_argument(raw) if not inside else f'"{raw}"') is None:
                raise NotUnderstoodError(name)
            return Found(kinds.PROFILE, statement, name, value)
        if name in kinds.REGIONS or name == "AWS_ACCOUNT_ID" or name in CONTEXT_VARIABLES:
            kind = (
                kinds.REGION if name in kinds.REGIONS else kinds.ACCOUNT if name == "AWS_ACCOUNT_ID" else kinds.CONTEXT
            )
            own = tool if tool and tool.kind == GET and tool.key == "region" else None
            return Found(kind, statement, name, value, own, stays=kind != kinds.REGION)
        if name in _MARKERS:
            return Found(kinds.OTHER, statement, name)
        if name in BLOCK:
            raise NotUnderstoodError(name)
        if tool and tool.kind not in (SIGN_IN, CHECK) and not statement.where.startswith("a "):
            self._captured[name] = (tool, (*origins, Found(kinds.OTHER, statement, name)))
        else:
            self._captured.pop(name, None)
        return None

    def _exports(self, statement: Statement, words: Sequence[Word], name: str) -> list[Found]:
        options = [word for word in words[1:] if word.text.startswith("-")]
        rest = [word for word in words[1:] if word not in options]
        is_exported = name == "export" or any("x" in word.text for word in options) or self._exports_all
        if (name == "export" and options) or any(set(word.text) - set("-gxri") for word in options):
            if _MENTION.search(self.whole.raw(statement)):
                raise NotUnderstoodError(f"{name} {options[0].text[:2]}")
            return []
        found = self._assignments(statement, [w for w in rest if self._is_assignment(w)], is_exported=is_exported)
        for word in rest:
            raw = self.whole.raw(word)
            if word.is_literal and word.text in self._pending:
                self._pending.pop(word.text)
                found.append(Found(kinds.OTHER, statement, word.text, words=(word,)))
            elif not self._is_assignment(word) and not word.is_literal:
                found += self._substituted(statement, raw)
        return _as_a_whole(found, len(rest))

    def _is_assignment(self, word: Word) -> bool:
        return _ASSIGNMENT.match(word.text if word.is_literal else self.whole.raw(word)) is not None

    def _substituted(self, statement: Statement, raw: str) -> list[Found]:
        """Return what comes of evaluating or exporting the output of a program. Raises NotUnderstoodError."""
        inside = inside_substitution(raw)
        if inside is None:
            raise NotUnderstoodError("what only bash can evaluate")
        file = re.fullmatch(
            r"(?:cat|x?args\s*<|e?grep\s[^|]*\s|sed\s[^|]*\s)\s*([\w./-]+)\s*(?:\|.*)?|xargs\s*<\s*([\w./-]+)",
            inside.strip(),
            re.DOTALL,
        )
        if file and (file[1] or file[2]):
            return self._file(statement, file[1] or file[2])
        tool = tool_of(inside, self.variables)
        if tool is None and "assume-role" in inside and (nested := re.search(r"\$\((aws\s[^()]*)\)", inside)):
            tool = tool_of(nested[1], self.variables)
        if tool and tool.kind not in (SIGN_IN, CHECK):
            return [Found(kinds.TOOL, statement, tool.program, tool=tool)]
        if _MENTION.search(inside):
            raise NotUnderstoodError("what it evaluates")
        return []

    def _unset(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        found = [Found(kinds.UNSET, statement, word.text, words=(word,)) for word in words[1:] if word.text in BLOCK]
        if len(found) == len([word for word in words[1:] if not word.text.startswith("-")]):
            return [Found(kinds.UNSET, statement, one.name) for one in found]
        return found

    def _evaluated(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        return (
            self._substituted(statement, self.whole.raw(words[1]))
            if len(words) == 2 and not words[1].is_literal
            else []
        )

    def _loaded(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        raw = self.whole.text[words[1].start : words[-1].end] if len(words) > 1 else ""
        return self._substituted(statement, f"$({raw})")

    def _set(self, statement: Statement, words: Sequence[Word]) -> list[Found]:  # noqa: ARG002 - as the others
        text = " ".join(word.text for word in words[1:])
        if text in ("-a", "-o allexport", "+a", "+o allexport"):
            self._exports_all = text[0] == "-"
        return []

    def _default(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        match = _DEFAULT.fullmatch(self.whole.raw(words[1])) if len(words) == 2 else None
        if not match:
            return []
        found = Found(kinds.PROFILE, statement, match[1], Value(f"${{{match[1]}:-{match[2]}}}", None))
        self._pending[match[1]] = found
        return [found]

    def _dotenv(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        name = expand(self.whole.raw(words[1]), self.variables) if len(words) > 1 else ".env"
        if name is None:
            raise NotUnderstoodError("which file it reads")
        return self._file(statement, name)

    def _file(self, statement: Statement, name: str) -> list[Found]:
        path = self.folder / name
        path = path / ".env" if path.is_dir() else path
        values = dotenv.values_of(path, _READ)
        return [Found(kinds.DOTENV, statement, name, stays=True, path=path, values=values)] if values else []

    def _sourced(self, statement: Statement, words: Sequence[Word]) -> list[Found]:
        """Return what comes of reading another script."""
        raw = self.whole.raw(words[1]) if len(words) > 1 else ""
        if raw.startswith("<("):
            return self._substituted(statement, raw)
        path = expand(raw, self.variables)
        program = (path or inside_substitution(raw) or "").rpartition("/")[2].split(" ")[-1]
        if words[0].text in ("source", ".") and program in ("awsume", "assume"):
            tool = tool_of(" ".join([program, *map(self.whole.raw, words[2:])]), self.variables)
            return [Found(kinds.TOOL, statement, program, tool=tool)] if tool else []
        if words[0].text.startswith("source_up"):
            above = (folder / (path or ".envrc") for folder in self.folder.parents)
            path = str(next((one for one in above if one.is_file()), ""))
        if not path:
            if re.search(r"\.env|aws|cred|secret", raw, re.IGNORECASE):
                raise NotUnderstoodError("which file it reads")
            return []
        file = self.folder / path
        if words[0].text.startswith("source_env") and file.is_dir():
            file /= ".envrc"
        text = read_text(file) or ""
        if self._exports_all and re.fullmatch(r"(?:\s*(?:#.*|(?:export )?\w+=.*)?\n?)*", text):
            return self._file(statement, path)
        is_late = any(one.kind in (kinds.PROFILE, kinds.KEY, kinds.TOOL, kinds.OURS) for one in self.found)
        if _KEY_MENTION.search(text) or (is_late and re.search(r"AWS_(?:DEFAULT_)?PROFILE\b|aws_profile", text)):
            raise NotUnderstoodError(f"{file}, which it reads and which is about AWS, too")
        return []

    def _function(self, words: Sequence[Word]) -> tuple[str, Sequence[Word]] | None:
        """Return the function that a command calls, if it may be about AWS, and the arguments."""
        first = words[0].text
        name, arguments = first, words[1:]
        if first in ("use", "layout") and len(words) > 1 and words[1].is_literal:
            name, arguments = f"{first}_{words[1].text}", words[2:]
        if self._defined(name, words[0].start):
            return (name, arguments) if self._is_about_aws(name, set()) else None
        is_ours = name == "use_aws_profile"
        return (name, arguments) if is_ours or re.match(r"(?:use|layout)_aws(?:$|[_-])", name) else None

    def _defined(self, name: str, place: int) -> tuple[Outline, Function] | None:
        """Return the function of this name, if it is there at a place of the script."""
        found = self.definitions.get(name)
        return found if found and (found[0] is not self.whole or found[1].start < place) else None

    def _is_about_aws(self, name: str, visited: set[str]) -> bool:
        """Return whether a function, or one that it may call, has to do with AWS."""
        whole, function = self.definitions[name]
        text = whole.text[function.start : function.end]
        visited.add(name)
        called = [other for other in self.definitions if other not in visited and other in text]
        return bool(_MENTION.search(text)) or "aws" in name or any(self._is_about_aws(one, visited) for one in called)

    def _call(self, statement: Statement, name: str, arguments: Sequence[Word]) -> list[Found]:
        """Return what a function says that is called with these arguments."""
        found_at = self._defined(name, statement.start)
        if found_at is None and name == "use_aws_profile":
            return [Found(kinds.OURS, statement, name, stays=True)]
        if found_at is None:
            raise NotUnderstoodError(f"{name}, which is not defined in any file that we know")
        whole, function = found_at
        texts = [expand(self.whole.raw(word), self.variables) for word in arguments]
        known = {str(number): text for number, text in enumerate(texts, 1) if text is not None}
        missing = {str(number): "" for number in range(len(texts) + 1, 10)}
        outer = {key: value for key, value in self.variables.items() if not key.isdigit()}
        others = {key: one for key, one in self.definitions.items() if key != name}
        inner = Reader(self.folder, whole, {**outer, **known, **missing}, others)
        try:
            inner.read(function.statements, name)
        except UnclearError as error:
            raise NotUnderstoodError(f"the function {name}: {error.what}") from None
        self.called.add(name)
        found = []
        for one in inner.found:
            value = one.value and Value(shell_word(one.value.text or ""), one.value.text)
            if (value and value.text is None) or (one.tool and one.tool.profile and one.tool.profile.text is None):
                raise NotUnderstoodError(f"the arguments of {name}")
            found.append(replace(one, statement=statement, value=value, words=()))
        return found


def _as_a_whole(found: list[Found], number: int) -> list[Found]:
    """Return what a statement says, as a whole if all its words go. `number` is how many they are."""
    if len(found) != number or any(one.stays for one in found):
        return found
    return [replace(one, words=()) for one in found]


def read(folder: Path, whole: Outline, variables: Mapping[str, str], definitions: Definitions) -> Foreign:
    """Return what an `.envrc` in a folder says about AWS. `definitions` are the functions of other files.

    Raises UnclearError.
    """
    own = {name: (whole, function) for name, function in whole.functions.items()}
    reader = Reader(folder, whole, variables, {**definitions, **own})
    reader.read(whole.statements)
    functions = tuple(whole.functions[name] for name in reader.called if name in whole.functions)
    return Foreign(whole, tuple(reader.found), functions, tuple(reader.others))
