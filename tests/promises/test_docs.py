"""The documents: links lead somewhere, and what they name exists, as far as a machine can tell."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from awsdirenv.cache.layout import CachePaths
from awsdirenv.cli.main import parser
from catalogue import modules, sites
from documents import ROOT, blocks, part

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "packaging/README.md")]
DOCUMENTS = [*PAGES, *OTHERS]
EXTENSION = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "direnvrc.d").glob("*.sh")))
# Read somewhere in the code, and no setting: what we export, and what only files of ours hold.
NO_SETTINGS = {
    *("AWSDIRENV_PROFILE", "AWSDIRENV_KEY_ID", "AWSDIRENV_REFRESH_AT", "AWSDIRENV_LOADED"),
    *("AWSDIRENV_VERSION", "AWSDIRENV_END"),
    *("AWSDIRENV_ROLE", "AWSDIRENV_ISSUED", "AWSDIRENV_EXPIRATION"),
    *(
        "AWSDIRENV_CONFIG",
        "AWSDIRENV_CREDENTIALS",
        "AWSDIRENV_DOTENV",
        "AWSDIRENV_ENVIRONMENT",
        "AWSDIRENV_DECLARED",
        "AWSDIRENV_RUNNING_FOR",
        *("AWSDIRENV_CLOCK", "AWSDIRENV_CONTEXT", "AWSDIRENV_VARIABLES"),
        *("AWSDIRENV_POLICIES", "AWSDIRENV_POLICY_FILE", "AWSDIRENV_NARROWED"),
        *("AWSDIRENV_STAGE", "AWSDIRENV_WORD", "AWSDIRENV_SINCE", "AWSDIRENV_UNTIL", "AWSDIRENV_ACCOUNT_ID"),
    ),
}
_FENCE = re.compile(r"^```.*?^```$|(?:^ {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
# English that only this project writes, or that nobody says any more. It is: repair, needed, next to, user, again.
_WORDS = re.compile(
    r"(?i)\b(mend\w*|due|beside|persons?|glance|whoever|anew|in vain|for good|s[ai]t still|no news|nobody's)\b"
)
_LONGEST = 30  # words in a sentence; a table's cell is not a sentence
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> str:
    """Give a document without its blocks of code."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def text(document: Path, *, tables: bool) -> Iterator[str]:
    """Give what is neither code nor a heading, paragraph by paragraph, each on one line; a span of code is `X`."""
    lines = [line for line in prose(document).splitlines() if tables or not line.startswith("|")]
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) )|^#.*$", "\n".join(lines), flags=re.MULTILINE):
        yield re.sub(r"\[([^\]]*)\]\(\S+\)", r"\1", _SPAN.sub("X", " ".join(paragraph.split())))


def code(document: Path) -> Iterator[str]:
    """Give every line of code, in blocks and in the text; headings of messages are none."""
    text = document.read_text(encoding="utf-8")
    for block in _FENCE.findall(text):
        yield from block.splitlines()
    for _, span in _SPAN.findall(_HEADING.sub("", _FENCE.sub("", text))):
        yield " ".join(span.split())


def anchors(document: Path) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(document)):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        anchor = plain
        while anchor in found:
            number += 1
            anchor = f"{plain}-{number}"
        found.add(anchor)
    return found


def commands() -> dict[str, set[str]]:
    """Give every command with its options."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {name: {o for a in sub._actions for o in a.option_strings} for name, sub in action.choices.items()}
    return {}


def uses(document: Path) -> Iterator[tuple[str, set[str]]]:
    """Give each command that a document calls, with the options it gives it; '' is the program itself."""
    for line in code(document):
        for call in re.findall(r"(?:^|[\s(|;])awsdirenv ([^|;#)]*)", line):
            words = call.split()
            if words and not words[0].endswith(":"):
                yield "" if words[0].startswith("-") else words[0], set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", call))


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file that is there, and every anchor a heading of it."""
    broken = []
    for target in _LINK.findall(prose(document)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (document.parent / path).resolve() if path else document
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@every_document
def test_the_words_are_plain(document: Path) -> None:
    """No page has a word that only this project uses, or that English has nearly given up."""
    found = [match[0] for line in text(document, tables=True) for match in _WORDS.finditer(line)]
    assert found == []


def printed() -> Iterator[str]:
    """Give what the program can print: the texts in its modules, the help, and what the extension and the hooks say."""
    for module in modules().values():
        owners = [node for node in ast.walk(module) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        comments = {ast.get_docstring(owner, clean=False) for owner in owners}
        constants = [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)]
        # What has no space is a key or a value, such as a state in JSON.
        yield from (text for text in constants if isinstance(text, str) and " " in text and text not in comments)
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from (str(sub.description) for sub in action.choices.values())
    yield from (text for site in sites() for text in (*site.messages, *site.hints))


def test_the_words_of_the_program_are_plain() -> None:
    """No message, hint, report or help has such a word."""
    assert [one for one in printed() if _WORDS.search(one)] == []


@every_document
def test_sentences_are_short(document: Path) -> None:
    """No sentence is so long that one must read it twice."""
    sentences = [one for line in text(document, tables=False) for one in re.split(r"(?<=[.?!:;])\s+", line)]
    assert [one for one in sentences if len(one.split()) > _LONGEST] == []


@pytest.mark.parametrize("document", sorted((ROOT / "docs" / "ja").rglob("*.md")), ids=lambda path: path.name)
def test_japanese_and_latin_letters_have_a_space_between_them(document: Path) -> None:
    """In Japanese text, one way of writing: a half-width space around Latin words, numbers and code."""
    japanese = "[ぁ-ゖァ-ヺー一-鿿]"
    text = re.sub(r"\]\([^)]*\)", "", prose(document))
    assert re.findall(rf"{japanese}[A-Za-z0-9`(]|[A-Za-z0-9`)]{japanese}", text) == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_says_first_what_to_type(document: Path) -> None:
    """The first block of code of each page is commands, in its first part or above it."""
    first = re.split(r"^## ", document.read_text(encoding="utf-8"), flags=re.MULTILINE)[:2]
    assert [kind for kind, _ in blocks("\n".join(first))][:1] == ["sh"]


@every_document
def test_commands_and_their_options_exist(document: Path) -> None:
    """A document shows no command and gives no command an option that the command line does not have."""
    known = {**commands(), "": {"--version", "--help"}}
    # A word in place of a command stands for any.
    wrong = [(name, options - known.get(name, set())) for name, options in uses(document) if name != "COMMAND"]
    assert [(name, options) for name, options in wrong if name not in known or options] == []


@every_document
def test_options_exist(document: Path) -> None:
    """An option that stands alone is one of ours, or of the line in `.envrc`."""
    ours = {option for options in commands().values() for option in options} | {"--", "--version", "--region"}
    alone = {line.split()[0].partition("=")[0] for line in code(document) if line.startswith("--")}
    assert alone - ours == set()


@every_document
def test_options_of_the_line_exist(document: Path) -> None:
    """A document shows `use aws_profile` with no option that the extension would refuse."""
    lines = [line for line in code(document) if "use aws_profile" in line]
    shown = {option for line in lines for option in re.findall(r"(?<=[\s[])--[a-z-]+", line)}
    usage = EXTENSION.partition("# Usage: ")[2].partition("\n\n")[0]
    assert shown <= set(re.findall(r"--[a-z-]+", usage))


@every_document
def test_variables_exist(document: Path) -> None:
    """Every AWSDIRENV_ name in a document is one that the code knows."""
    names = set(re.findall(r"AWSDIRENV_[A-Z_]+[A-Z]", document.read_text(encoding="utf-8")))
    assert names - variables() == set()


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").glob("*.svg")), ids=lambda path: path.name)
def test_pictures_call_nobody(picture: Path) -> None:
    """A picture in the README names no host: no font, no script, no style from elsewhere."""
    text = picture.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"\w+://|@import|<script|<image|\bhref=", text) == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").glob("*.svg")), ids=lambda path: path.name)
def test_pictures_show_all_at_once(picture: Path) -> None:
    """No picture plays: the first look shows all of it."""
    assert re.findall(r"<animate|<set\b|@keyframes|animation", picture.read_text(encoding="utf-8")) == []


@every_document
def test_make_targets_exist(document: Path) -> None:
    """Every `make …` in a document is a target."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for line in code(document) for name in re.findall(r"^make ([a-z]+)", line)} - set(targets) == set()


def test_the_readme_has_the_commands_that_ci_runs() -> None:
    """Who has just cloned it finds what to type in the README, and CI types the same."""
    readme, ci = list(code(ROOT / "README.md")), (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {line.partition("#")[0].strip() for line in readme} >= {"make demo", "make test"}
    assert "\nmake test <" in ci


def variables() -> set[str]:
    """Give every AWSDIRENV_ name in the code."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "awsdirenv").rglob("*.py")]
    return set(re.findall(r"AWSDIRENV_[A-Z_]+[A-Z]", "\n".join([EXTENSION, *sources])))


def test_every_setting_is_in_the_reference() -> None:
    """What the code reads of a person's load_options stands under Settings."""
    assert variables() - NO_SETTINGS - set(re.findall(r"AWSDIRENV_[A-Z_]+", part("Settings"))) == set()


def test_every_variable_is_in_the_reference() -> None:
    """What the extension exports is what is listed as set; for what it unsets see test_variables.py."""
    exported = EXTENSION.partition("_awsdirenv_open() {")[2].partition("\n}")[0]
    exported += EXTENSION.partition("_awsdirenv_make_block() {")[2].partition("\n}")[0]
    exported += EXTENSION.partition("_awsdirenv_close() {")[2].partition("\n}")[0]
    assert set(re.findall(r"\b(AWS[A-Z_]+)=", exported)) == set(re.findall(r"`(AWS[A-Z_]+)`", sets_column()))


def sets_column() -> str:
    """Give the first column of the table of what is set."""
    return "\n".join(line.split("|")[1] for line in part("Sets").splitlines() if line.startswith("|"))


def test_every_folder_is_in_the_reference() -> None:
    """The table of our files has a row for each folder, and for no other."""
    root, *folders = CachePaths(Path("/")).folders()
    rows = {line.split("`")[1] for line in part("Files").splitlines() if line.startswith("| `")}
    assert rows == {str(folder.relative_to(root)) for folder in folders}


def test_every_command_is_in_the_reference() -> None:
    """Each command and each of its options stands in the table."""
    table = part("Commands").partition("### Exit status")[0]
    for name, options in commands().items():
        assert f"`awsdirenv {name}" in table
        ours = {"--agent", "--envrc", "--evaluation", "--live", "--keys"}  # what only our own files say to us
        missing = [option for option in options - {"-h", "--help"} - ours if option not in table]
        assert missing == [], name
