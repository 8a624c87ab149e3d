"""All that awsdirenv can say to a person with a hint, read from its source: each message with the hints below it."""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import awsdirenv
from awsdirenv import errors
from awsdirenv.errors import AwsdirenvError
from documents import parsed

PACKAGE = Path(awsdirenv.__file__).parent
ROOT = PACKAGE.parent
PLACEHOLDER = "…"
CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, AwsdirenvError)
}
# What carries a message and a hint, with their places among its arguments.
CARRIERS = {
    **dict.fromkeys(CLASSES, (0, 1)),
    "warn": (0, 1),
    "_warn": (0, 1),
    "kind": (0, 1),
    "Finding": (1, 2),
    "Problem": (1, 2),
}
# What makes commands, and how these look.
_COMMANDS = {
    "login_command": ["awsdirenv login …"],
    "extra_command": ["… install …"],
    "line_of": ["use aws_profile", "use aws_profile …"],
}
_DEEPEST = 6  # names and calls that stand for each other

Function = ast.FunctionDef


@functools.cache
def modules() -> dict[Path, ast.Module]:
    """Parse every module."""
    return {path: parsed(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def joined(parts: list[list[str]]) -> list[str]:
    """Put the parts together in every way there is; neighbouring placeholders are one."""
    return [re.sub(f"{PLACEHOLDER}+", PLACEHOLDER, "".join(way)) for way in itertools.product(*parts)]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: what its names may be."""

    module: ast.Module
    function: Function | None
    depth: int = 0

    def texts(self, node: ast.expr) -> list[str]:
        """Give all that an expression can say, each variable part as a placeholder."""
        known = self.of_parts(node)
        if known is not None:
            return known
        found: list[str] = []
        if self.depth < _DEEPEST:
            deeper = Scope(self.module, self.function, self.depth + 1)
            if isinstance(node, ast.Name):
                found = deeper.of_name(node)
            if isinstance(node, ast.Call):
                found = deeper.of_call(node)
        return list(dict.fromkeys(found)) or [PLACEHOLDER]

    def of_parts(self, node: ast.expr) -> list[str] | None:
        """Give what an expression that is made of other ones can say; None for a name or a call."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else [PLACEHOLDER]
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body), *self.texts(node.orelse)]
        if isinstance(node, ast.BoolOp):
            *first, last = [self.texts(value) for value in node.values]
            return [*(text for texts in first for text in texts if text), *last]
        if isinstance(node, ast.JoinedStr):
            return joined([self.texts(part) for part in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return joined([self.texts(node.left), self.texts(node.right)])
        return self.texts(node.value) if isinstance(node, ast.FormattedValue) else None

    def all_texts(self, node: ast.expr) -> list[str]:
        """Give all that an expression can say. One that is an argument as a whole says what the callers pass."""
        found = self.texts(node)
        if found == [PLACEHOLDER] and isinstance(node, ast.Name):
            passed = self.of_argument(node.id)
            # A method may be called from elsewhere, as argparse calls that of our parser.
            found = list(dict.fromkeys([*passed, *found] if self.is_method else passed)) or found
        return found

    @property
    def is_method(self) -> bool:
        return self.function is not None and [arg.arg for arg in self.function.args.args][:1] == ["self"]

    def of_name(self, node: ast.Name) -> list[str]:
        """Give what a local variable, a constant or an argument may say."""
        values = _last_values(self.function, node) if self.function else []
        values = values or [value for statement in self.module.body for value in _assigned(statement, node.id)]
        return [text for value in values for text in self.texts(value)]

    def of_argument(self, name: str) -> list[str]:
        """Give what the callers in this module pass for an argument."""
        if self.function is None:
            return []
        names = [arg.arg for arg in self.function.args.args]
        if name not in names:
            return []
        found = []
        for caller, call in _calls(self.module):
            if _called(call) != self.function.name:
                continue
            at = names.index(name) - (names[0] == "self")
            scope = Scope(self.module, caller, self.depth)
            given = [call.args[at]] if at < len(call.args) else []
            given += [keyword.value for keyword in call.keywords if keyword.arg == name]
            found += [text for value in given for text in scope.texts(value)]
        return found

    def of_call(self, call: ast.Call) -> list[str]:
        """Give what a function may return that makes text."""
        name, words = _called(call), [self.texts(word) for word in call.args]
        if name == "section_header":  # it is written in three ways, and tests/unit/config shows that each is right
            return []
        if name == "str":
            return joined(words)
        if name in ("command_line", "aws_command"):
            return joined([*(part for word in words for part in (word, [" "]))][:-1])
        if name in _COMMANDS:
            return _COMMANDS[name]
        for function in ast.walk(self.module):
            if isinstance(function, Function) and function.name == name:
                scope = Scope(self.module, function, self.depth)
                returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
                texts = [text for value in returns for text in scope.texts(value)]
                return [text for text in texts if text != PLACEHOLDER or len(set(texts)) == 1]
        return []


def written(node: ast.expr) -> list[str]:
    """Give all that an expression says as it stands: a name in it is a variable part."""
    return Scope(ast.Module([], []), None, _DEEPEST).texts(node)


def _assigned(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """Give the values that a statement gives to a variable."""
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.AugAssign) and node.value:
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
        pairs = [(node.target, element) for element in node.iter.elts]
    else:
        return
    for target, value in pairs:
        if isinstance(target, ast.Name) and target.id == name:
            yield value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for part, its_value in zip(target.elts, value.elts, strict=False):
                if isinstance(part, ast.Name) and part.id == name:
                    yield its_value


def _last_values(function: Function, use: ast.Name) -> list[ast.expr]:
    """Give the values that a local variable may have where it is used: those that nothing before that replaces."""
    blocks = _blocks(function)
    if use not in blocks:  # it stands in a constant of the module
        return []
    around = dict(blocks[use])
    found = []
    given = [(node, value) for node in blocks for value in _assigned(node, use.id) if _before(node, use)]
    for node, value in sorted(given, key=lambda pair: pair[0].lineno, reverse=True):  # type: ignore[attr-defined]
        if any(around.get(owner, part) != part for owner, part in blocks[node]):
            continue  # in the other branch
        found.append(value)
        if all(owner in around for owner, _ in blocks[node]) and not isinstance(node, ast.For):
            break
    return found


def _before(node: ast.AST, use: ast.Name) -> bool:
    is_within = not isinstance(node, ast.For) and use in ast.walk(node)
    return getattr(node, "lineno", 0) <= use.lineno and not is_within


@functools.cache
def _blocks(function: Function) -> dict[ast.AST, list[tuple[ast.AST, str]]]:
    """Give for each node the statements around it that branch, each with the branch that the node is in."""
    found: dict[ast.AST, list[tuple[ast.AST, str]]] = {function: []}
    for owner in ast.walk(function):
        for part, value in ast.iter_fields(owner):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    branches = part in ("body", "orelse", "handlers") and owner is not function
                    found[child] = [*found[owner], *([(owner, part)] if branches else [])]
    return found


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def _calls(module: ast.Module) -> list[tuple[Function | None, ast.Call]]:
    """Give all calls of a module, each with the innermost function that it stands in."""
    owners: dict[ast.AST, Function] = {}
    for function in ast.walk(module):  # outer functions come before inner ones
        if isinstance(function, Function):
            owners.update(dict.fromkeys(ast.walk(function), function))
    return [(owners.get(node), node) for node in ast.walk(module) if isinstance(node, ast.Call)]


@dataclass(frozen=True)
class Site:
    """A place in the source that makes a message and its hint, with all that each of them may be."""

    place: str
    function: str  # and its module
    messages: tuple[str, ...]
    hints: tuple[str, ...]


def _python_sites() -> Iterator[Site]:
    for path, module in modules().items():
        for function, call in _calls(module):
            places = CARRIERS.get(_called(call)) if isinstance(call.func, ast.Name) else None
            if places is None or len(call.args) <= places[1]:
                continue
            scope = Scope(module, function)
            messages, hints = (tuple(scope.all_texts(call.args[place])) for place in places)
            if (messages, hints) != ((PLACEHOLDER,), (PLACEHOLDER,)):  # what is only handed on was made elsewhere
                name = f"{path.name}:{function.name if function else ''}"
                yield Site(f"{path.relative_to(ROOT)}:{call.lineno}", name, messages, hints)


def _bash_sites() -> Iterator[Site]:
    pair = re.compile(r'_awsdirenv_(?:refuse|refuse_line|warn) (?:\\\n +)?"([^"\n]*)" (?:\\\n +)?"((?:\\.|[^"\\\n])*)"')
    for path in sorted((ROOT / "direnvrc.d").glob("*.sh")):
        text = path.read_text(encoding="utf-8")
        for match in pair.finditer(text):
            if match[1] != "$1":  # handed on
                line = text.count("\n", 0, match.start()) + 1
                place = f"{path.relative_to(ROOT)}:{line}"
                yield Site(place, place, *((placeholders(part),) for part in match.groups()))


def hook_sites() -> Iterator[Site]:
    """Give what our shell hooks say at a prompt, and what fish says of an export."""
    scripts = sorted((PACKAGE / "shell" / "scripts" / "hooks").glob("awsdirenv.*"))
    chosen = re.compile(
        r"""^ +set (?:--|said) "(\w[^"\n]* [^"\n]*|\$\w+ is [^"\n]*)" (?:'([^'\n]*)'|"([^"\n]*)")$""", re.MULTILINE
    )
    fixed = re.compile(r"""(['"])awsdirenv: warning: ([^\n]*?)\1.*\n[^\n]*?(['"])awsdirenv: hint: ([^\n]*?)\3""")
    for path in [*scripts, PACKAGE / "cli" / "commands" / "export.py"]:
        text = path.read_text(encoding="utf-8")
        pairs = [(match.start(), match[2], match[4]) for match in fixed.finditer(text)]
        assert len(pairs) == text.count("awsdirenv: hint: "), f"not every hint of {path} is understood"
        behind = [hint for _, message, hint in pairs if message in ("$1", "$said[1]")]
        found = [pair for pair in pairs if pair[2] not in behind]
        for match in chosen.finditer(text):
            first = f"{match[2] or match[3]}"
            found += [
                (match.start(), match[1], re.sub(r"\$2|\$said\[2\]", lambda _, first=first: first, hint))
                for hint in behind
            ]
        for start, message, hint in found:
            place = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, start) + 1}"
            yield Site(place, place, (placeholders(message),), (placeholders(hint),))


def placeholders(double_quoted: str) -> str:
    r"""Replace $((…)), ${…} and $name, and undo the backslashes of bash's double quotes."""
    text = re.sub(r"\$\(\(.*?\)\)|\$\{(?:[^{}]|\{[^}]*\})*\}|\$\w+", PLACEHOLDER, double_quoted)
    return re.sub(r"\\([`$\"\\])", r"\1", text)


@functools.cache
def sites() -> list[Site]:
    """Give every place where Python, the extension or a hook makes a message with a hint."""
    return [*_python_sites(), *_bash_sites(), *hook_sites()]


def matches(template: str, text: str) -> bool:
    """Tell whether a text is what a template stands for."""
    return re.fullmatch(".*".join(map(re.escape, template.split(PLACEHOLDER))), text, re.DOTALL) is not None
