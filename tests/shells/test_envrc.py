"""How our line in an `.envrc` looks: what is read in the text is what the real direnv calls."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from awsdirenv.config.envrc import uses

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
