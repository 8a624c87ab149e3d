"""The look at an `.envrc` that nobody has allowed: what it says is read, and never run."""

from __future__ import annotations

import os
import subprocess
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


# Each with the arguments of each call, as bash makes it.
SCRIPTS: list[tuple[str, list[list[str]]]] = [
    ("use aws_profile a", [["a"]]),
    ("use_aws_profile a", [["a"]]),
    ("has ls && use aws_profile a", [["a"]]),
    ("has ls && use_aws_profile a --region x", [["a", "--region", "x"]]),
    ("if has ls; then use aws_profile a; fi", [["a"]]),
    ("if true; then :; else use aws_profile b; fi; use aws_profile a", [["a"]]),
    ("if has ls\nthen\n  use aws_profile a # comment\nfi", [["a"]]),
    ("  use aws_profile a # comment", [["a"]]),
    ("use aws_profile a#b", [["a#b"]]),
    ('use aws_profile "a b" --region x', [["a b", "--region", "x"]]),
    ("use   aws_profile", [[]]),
    ("\tuse\taws_profile\ta\t", [["a"]]),
    ("use aws_profile \\\n  a \\\n  --region x", [["a", "--region", "x"]]),
    ("use \\\naws_profile a", [["a"]]),
    ("[[ x ]] && use aws_profile a || true", [["a"]]),
    ("[[ -n x && use == use ]] && use aws_profile a", [["a"]]),
    ("{ use aws_profile a; }", [["a"]]),
    ("( use aws_profile a )", [["a"]]),
    ("use aws_profile a\nuse aws_profile b", [["a"], ["b"]]),
    ("use aws_profile a; use aws_profile b", [["a"], ["b"]]),
    ("for i in 1; do use aws_profile a; done", [["a"]]),
    ("case x in x) use aws_profile a ;; esac", [["a"]]),
    ("A=b use aws_profile a", [["a"]]),
    ("! use aws_profile a", [["a"]]),
    ("use aws_profile a >/dev/null 2>&1", [["a"]]),
    ("use 'aws_profile' a", [["a"]]),
    ("use aws_profile 'it'\"'\"'s'", [["it's"]]),
    ("use aws_profile a\\ b", [["a b"]]),
    ("use aws_profile $'a b'", [["a b"]]),
    ('use aws_profile "a\\"b\\\\c"', [['a"b\\c']]),
    ("use aws_profile -- -dash", [["--", "-dash"]]),
    ("((1 << 2)) && use aws_profile a", [["a"]]),
    ("if ((1 << 2)); then use aws_profile a; fi", [["a"]]),
    ("x=$((1 << 2)); use aws_profile a", [["a"]]),
    ("x=$(echo ')' \"it's\"); use aws_profile a", [["a"]]),
    ("x=${x:-'}'}; use aws_profile a", [["a"]]),
    ("x=(a 'b)' c); use aws_profile a", [["a"]]),
    ('cat <<<"it\'s" >/dev/null; use aws_profile a', [["a"]]),
    ("cat <<X >/dev/null\nit's\nuse aws_profile b\nX\nuse aws_profile a", [["a"]]),
    ("cat <<'X' >/dev/null; use aws_profile a\nuse aws_profile b\nX", [["a"]]),
    ("cat <<-X >/dev/null\n\tuse aws_profile b\n\tX\nuse aws_profile a", [["a"]]),
    ("cat < <(echo it) >/dev/null; use aws_profile a", [["a"]]),
    ("# don't\nuse aws_profile a", [["a"]]),
    ("# use aws_profile a", []),
    ("true # && use aws_profile a", []),
    (": '\nuse aws_profile a\n'", []),
    (': "\nuse aws_profile a\n"', []),
    ("cat <<X >/dev/null\nuse aws_profile a\nX", []),
    ("use_aws_profile() {\n  :\n}", []),
    ("use_aws_profile () { :; }", []),
    ("function use_aws_profile { :; }", []),
    ("user() { :; }; user aws_profile a", []),
    ("use_aws_profiles() { :; }; use aws_profiles a", []),
    ("use_aws_profile-x() { :; }; use aws_profile-x a", []),
    ("echo use aws_profile a >/dev/null", []),
    ("use=use; : use aws_profile a", []),
    ("alias u='use aws_profile a'", []),
]
RECORDER = r"""
use_aws_profile() { { printf '%s\0' "$@"; printf '\n'; } >>"$CALLS"; }
"""


@pytest.mark.parametrize(("script", "calls"), SCRIPTS, ids=range(len(SCRIPTS)))
def test_what_bash_calls(tmp_path: Path, script: str, calls: list[list[str]]) -> None:
    """What the real direnv calls is what is read here, with the same arguments, and nothing else."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "recorder.sh").write_text(RECORDER)
    (tmp_path / ".envrc").write_text(f"{script}\n")
    env = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "DIRENV_CONFIG": str(tmp_path),
        "CALLS": f"{tmp_path}/calls",
    }
    for command in (["direnv", "allow"], ["direnv", "export", "json"]):
        subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
    log = tmp_path / "calls"
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    assert [line.split("\0")[:-1] if line != "\0" else [] for line in lines] == calls
    found = uses(f"{script}\n")
    read = [([one.profile] if one.profile else []) + [w for pair in one.options.items() for w in pair] for one in found]
    # Of two branches only one is taken, and bash alone knows which.
    taken = [one for one in read if one != ["b"]] if "else" in script else read
    assert taken == [[word for word in one if word != "--"] for one in calls]


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
