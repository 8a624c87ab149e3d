"""The look at an `.envrc` that nobody has allowed: what it says is read, and never run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.config.envrc import nearest, uses

NOT_TOLD = None


@pytest.mark.parametrize(
    ("arguments", "profile", "options"),
    [
        ("", "", {}),
        (" adminrole", "adminrole", {}),
        (" adminrole --region eu-west-1", "adminrole", {"--region": "eu-west-1"}),
        (" --region=eu-west-1 adminrole", "adminrole", {"--region": "eu-west-1"}),
        (" --live adminrole", "adminrole", {"--live": ""}),
        (" --no-session --confirm x", "x", {"--no-session": "", "--confirm": ""}),
        (" --stage 'live and kicking' x", "x", {"--stage": "live and kicking"}),
        (" --duration 1h -- -x", "-x", {"--duration": "1h"}),
        (" -- 'a b'", "a b", {}),
        (" 'd$(touch pwned)'", "d$(touch pwned)", {}),
        (' "$(touch pwned)"', NOT_TOLD, {}),
        (" `touch pwned`", NOT_TOLD, {}),
        (" $NAME", NOT_TOLD, {}),
        (" x --region $REGION --stage test", "x", {"--stage": "test"}),
        (" x # --region eu-west-1", "x", {}),
        (" x || true", "x", {}),
        (" x && export REST=1", "x", {}),
        (" x <<<y\nexport REST=1", "x", {}),
        (" 2>/dev/null 0<<<'y' x\nREST=1", "x", {}),
        (" 'x", NOT_TOLD, {}),
        (" x --region", "x", {"--region": ""}),
        (" ü", "ü", {}),
    ],
)
def test_arguments(arguments: str, profile: str | None, options: dict[str, str]) -> None:
    """Words are taken as bash takes them; what only bash could tell is not guessed."""
    (found,) = uses(f"use aws_profile{arguments}")
    assert (found.profile, found.options) == (profile, options)


def said(folder: Path, text: str | bytes) -> str | None:
    """Give the profile that an `.envrc` declares, "-" where it has no line of ours."""
    (folder / ".envrc").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = nearest(folder)
    return found.profile if found else "-"


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("use aws_profile x\n", "x"),
        ("use aws_profile x", "x"),
        ("if true; then\n\tuse  aws_profile\tx\nfi\n", "x"),
        ("use aws_profile x\nuse aws_profile y\n", "y"),
        ("# use aws_profile x\n", "-"),
        ("use aws_profiles x\n", "-"),
        ("use aws_profile-x\n", "-"),
        ("", "-"),
        (b"# caf\xe9\nuse aws_profile x\n", "x"),
        (b"\x00\xff\nuse aws_profile x\n", "x"),
    ],
)
def test_lines(tmp_path: Path, text: str | bytes, profile: str) -> None:
    """The last line of ours counts, whatever stands around it."""
    assert said(tmp_path, text) == profile


def test_the_nearest_counts(tmp_path: Path) -> None:
    """As for direnv the nearest `.envrc` counts, and one above it only if it says so."""
    above, below = tmp_path / "a", tmp_path / "a" / "b" / "c"
    below.mkdir(parents=True)
    assert said(above, "use aws_profile x\n") == "x"
    found = nearest(below)
    assert found is not None
    assert (found.envrc, found.profile) == (above / ".envrc", "x")
    assert said(below, "export A=1\n") == "-"
    assert said(below, "source_up\n") == "x"
    assert said(below, "source_up\nuse aws_profile y\n") == "y"


@pytest.mark.parametrize("kind", ["folder", "loop", "fifo", "huge"])
def test_files_that_are_none(tmp_path: Path, kind: str) -> None:
    """What cannot be read says nothing, and holds nobody up."""
    path = tmp_path / ".envrc"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(b"use aws_profile x\n" + b"#" * (2 << 20))
    assert nearest(tmp_path) is None


def test_nothing_is_run(tmp_path: Path) -> None:
    """Not even what looks like a line of ours is run."""
    said(tmp_path, f"touch {tmp_path}/pwned\nuse aws_profile $(touch {tmp_path}/pwned) `touch {tmp_path}/pwned`\n")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "text", ["", "(", "((", "'", '"', "`", "$(", "${", "<<", "<<X", "$'", "\\", "a=(", "[[", "<(", "$", "\f;\v&"]
)
def test_what_has_no_end(text: str) -> None:
    """Whatever the file breaks off with, what stood before it is read, and nothing waits or fails."""
    found = uses(f"use aws_profile a\n{text}")
    assert [one.profile for one in found] == ["a"]
    uses(f"{text} aws_profile")
    uses(f"use aws_profile {text}")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"'\"`$(){}<>|&;#\\ \n\t=[]!", "use", "aws_profile", "use_aws_profile", "$(", "${", "<<", "[["]
        )
    )
)
def test_no_text_is_too_odd(parts: list[str]) -> None:
    """Any text is read to its end."""
    for one in uses("".join(parts) + " aws_profile"):
        assert "\n" not in one.line


@pytest.mark.parametrize(
    "above", ["read -r A <<<x", "read -r A <<<'x y' # more", "cat 0<<<x >/dev/null", "cat <<X\nuse it\nX"]
)
def test_a_line_below_a_here_string_or_a_document(tmp_path: Path, above: str) -> None:
    """A here-string ends with its word, and a here-document with its last line; so the line below is seen."""
    (tmp_path / ".envrc").write_text(f"{above}\nuse aws_profile mine\nx\n", encoding="utf-8")
    declaration = nearest(tmp_path)
    assert declaration
    assert declaration.profile == "mine"


def test_source_up_in_a_document_is_none(tmp_path: Path) -> None:
    """What stands in a here-document leads nowhere."""
    (tmp_path / ".envrc").write_text("use aws_profile outer\n", encoding="utf-8")
    inner = tmp_path / "inner"
    inner.mkdir()
    for text, profile in (("source_up", "outer"), ("has x && source_up", "outer"), ("cat <<X\nsource_up\nX", None)):
        (inner / ".envrc").write_text(f"{text}\n", encoding="utf-8")
        declaration = nearest(inner)
        assert (declaration and declaration.profile) == profile
