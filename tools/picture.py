"""`make pictures`: docs/demo.svg, the screen of a real `awsdirenv demo` on a terminal of its own.

The text is what the demo wrote, letter by letter; only the colours are ours, because the demo takes the terminal's own
out. Lines are broken where a terminal of this width breaks them.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pexpect
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from shells import clean
from world import BIN

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"
COLUMNS = 100
# rich's own template names a host that serves a web font: a picture in a README must not call anywhere.
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xml:space="preserve" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
# What a line looks like says what it is: direnv's, ours, what the person typed.
COLOURS = (
    (r"^direnv: .*$", "dim"),
    (r"^awsdirenv: .*$", "bold bright_green"),
    (r"^Enter MFA code for .*$", "bold yellow"),
    (r"^~\S* \$", "bright_blue"),
    (r"(?<=^Enter MFA code for arn:aws:iam::123456789012:mfa/foo: )\d{6}$", "bold white"),
    (r"(?<= \$ )\S.*$", "bold white"),
)


def main() -> None:
    """Play the demo, draw what showed, and say where it is."""
    PICTURE.write_text(draw(play()), encoding="utf-8")
    sys.stderr.write(f"wrote {PICTURE}\n")


def play() -> str:
    """Run the demo on a terminal; give what showed. Fails where the demo does."""
    child: pexpect.spawn[str] = pexpect.spawn(
        str(BIN / "awsdirenv"), ["demo"], encoding="utf-8", timeout=120, dimensions=(50, COLUMNS)
    )
    child.expect(pexpect.EOF)
    child.close()
    shown = clean(str(child.before)).replace("\r\n", "\n").replace("\r", "")
    if child.exitstatus != 0:
        sys.exit(shown)
    return shorten(shown)


def shorten(shown: str) -> str:
    """Leave out the last empty prompt, and the names of temporary folders, should one ever show."""
    without = re.sub(r"(?:/private)?(?:/tmp|/var/folders/\S+?)/awsdirenv-demo-\w+", "~", shown)
    return re.sub(r"^~ \$ *\n", "", without, flags=re.MULTILINE).strip()


def draw(shown: str, title: str = "awsdirenv demo", unique_id: str = "demo") -> str:
    """Make an SVG that needs nothing but a monospaced font."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    text = Text.from_ansi(shown)
    for pattern, style in COLOURS:
        text.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    # A terminal breaks a line at its edge, not between words.
    for line in text.split("\n"):
        for start in range(0, max(len(line), 1), COLUMNS):
            console.print(line[start : start + COLUMNS], no_wrap=True, overflow="ignore")
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=TEMPLATE, unique_id=unique_id)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    main()
