"""The ten minutes of the README and of the quickstarts, typed as they stand into a real bash in an empty home."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from documents import ROOT, blocks, section
from shells import clean
from strict_sts import StrictSts, User
from terminal import Terminal
from world import BIN, UTF8

README = (ROOT / "README.md").read_text(encoding="utf-8")
ENGLISH, JAPANESE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("docs/quickstart.md", "docs/ja/quickstart.md")
)
DOCUMENTS = {"README": section(README, "Your first role"), "English": ENGLISH, "Japanese": JAPANESE}
# What cannot be had here, and what there is instead. The step "Make the user and the roles" has no commands in these
# documents: `user` is what docs/iam.md makes, and test_iam.py types the commands of that page.
REPLACED = {
    "sudo apt install pipx direnv": "direnv is on the PATH",
    "pipx install . && pipx ensurepath": "awsdirenv is on the PATH",
}
CODE = "123456"
# A line with what a program asks, and what one types.
QUESTION = re.compile(r"(.+ \[None\]|Enter MFA code for \S+):(?: (.*))?")
COLOURS = r"(?:\x1b\[[\d;?]*[A-Za-z])*"


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Give the blocks of a document: `sh` is typed, `ini` is added to ~/.aws/config, `text` is what shows then."""
    lines = [(kind, body.splitlines()) for kind, body in blocks(text)]
    return [(kind, [re.sub(r"\s+# .*", "", line) for line in body] if kind == "sh" else body) for kind, body in lines]


class Typist:
    """Somebody at a bash, who types what a document says and compares the screen with it."""

    def __init__(self, env: dict[str, str]) -> None:
        self._number = 0
        self.screen = Terminal(
            "bash", ["-i"], env=env, cwd=env["HOME"], encoding="utf-8", timeout=60, dimensions=(50, 300)
        )
        self.screen.delaybeforesend = 0.02

    def type(self, command: str) -> None:
        """Type a line."""
        self.screen.send(f"{command}\r")

    def finish(self) -> None:
        """Wait until bash takes commands again; the last one must have succeeded."""
        self._number += 1
        self.type(f'echo "over""{self._number}: $?"')
        self.screen.expect(rf"over{self._number}: (\d+)")
        assert isinstance(self.screen.match, re.Match)
        assert self.screen.match[1] == "0", clean(str(self.screen.before))

    def read(self, shown: list[str], answers: dict[str, str]) -> None:
        """Wait for each line in its order; where one is a question, type the answer that stands behind it."""
        for line in shown:
            question = QUESTION.fullmatch(line)
            self.screen.expect(pattern(f"{question[1]}: ") if question else rf"{pattern(line)}{COLOURS}\r")
            if question:
                answer = question[2] or ""
                self.type(answers.get(answer, answer))


def pattern(line: str) -> str:
    """Give the pattern of a whole line: `…` stands for anything, and the machine decides how much time is left."""
    text = rf"[\r\n]{COLOURS}" + re.escape(line).replace("…", r"[^\r\n]*")
    return text.replace(r"1h00m\ left", r"(?:1h00|\d\d)m left")


@pytest.fixture
def user(sts: StrictSts) -> User:
    """Have at AWS what docs/iam.md makes: the user, the device, which shows one code, and the roles."""
    made = sts.add_user("foo")
    sts.accept_code(made.mfa_serial, CODE)
    for role in ("adminrole", "readrole"):
        sts.add_role(role, require_mfa=True)
    return made


@pytest.fixture
def env(sts: StrictSts, tmp_path: Path) -> dict[str, str]:
    """Have an empty home, and the programs on the PATH."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SHELL": "/bin/bash",
        "TERM": "xterm",
        "LANG": UTF8,
        "AWS_ENDPOINT_URL": sts.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWSDIRENV_AUTO_REFRESH": "0",
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_ten_minutes(document: str, user: User, env: dict[str, str], sts: StrictSts) -> None:
    """Every command succeeds as it stands, every line shows, and one code has opened it all."""
    answers = {"THE_ACCESS_KEY_ID": user.access_key_id, "THE_SECRET_ACCESS_KEY": user.secret_access_key}
    typist = Typist(env)
    try:
        for kind, lines in commands(DOCUMENTS[document]):
            if kind == "text":
                typist.read(lines, answers)
            elif kind == "ini":
                typist.finish()
                with (Path(env["HOME"]) / ".aws" / "config").open("a", encoding="utf-8") as config:
                    config.write("\n".join(["", *lines, ""]))
            else:
                for command in lines:
                    if command not in REPLACED:
                        typist.finish()
                        typist.type(command)
        typist.finish()
    finally:
        typist.screen.close(force=True)
    roles = DOCUMENTS[document].count("\nawsdirenv init ")
    assert (sts.count("GetSessionToken"), sts.count("AssumeRole")) == (1, roles)


def test_the_languages_say_the_same() -> None:
    """The commands, the file and what shows are the same in both languages, step by step."""
    assert commands(ENGLISH) == commands(JAPANESE)
    titles = [re.findall(r"^## (\d)\. ", text, re.MULTILINE) for text in (ENGLISH, JAPANESE)]
    assert titles[0] == titles[1] != []


def test_what_is_replaced_is_there() -> None:
    """Only lines that the documents have are replaced; how one installs, the README says, too."""
    typed = {command for kind, lines in commands(ENGLISH) if kind == "sh" for command in lines}
    assert REPLACED.keys() - typed == set()
    installs = {command for kind, lines in commands(section(README, "Install")) if kind == "sh" for command in lines}
    assert [one for one in installs if one.startswith("pipx install .")] != []
