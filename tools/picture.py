"""`make pictures`: docs/demo.svg, the screen of a real `awsdirenv demo` on a terminal of its own.

The text is what the demo wrote, letter by letter; only the colours are ours, because the demo takes the terminal's own
out. direnv's line with the names of all variables is left out, as direnv itself does with `hide_env_diff`: no picture
is wide enough for it. All pictures have the same width, and no line of them is broken.
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
COLUMNS = 120
FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
# rich's own template names a host that serves a web font: a picture in a README must not call anywhere.
# The font is an attribute of the text itself: not everybody who shows a picture reads its style sheet.
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xml:space="preserve" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-title {{ font-weight: bold }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<g font-family='FONT' font-size="{char_height}">
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</g>
</svg>
""".replace("FONT", FONT)
# What a line looks like says what it is: direnv's, ours, what the person typed.
COLOURS = (
    (r"^direnv: .*$", "dim"),
    (r"^awsdirenv: .*$", "bold bright_green"),
    (r"^awsdirenv: warning: .*$", "bold yellow"),
    (r"^awsdirenv: error: .*$", "bold #ff5c8a"),
    (r"^awsdirenv: hint: .*$", "not bold white"),
    (r"(?<=^awsdirenv: )\*\*\* .*? \*\*\*", "bold #ffffff on #b3003c"),
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
        str(BIN / "awsdirenv"), ["demo"], encoding="utf-8", timeout=120, dimensions=(50, 400)
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


def draw(shown: str, name: str = "demo") -> str:
    """Make a picture of what showed on a terminal."""
    text = Text.from_ansi(re.sub(r"^direnv: export .*\n?", "", shown, flags=re.MULTILINE))
    for pattern, style in COLOURS:
        text.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    return picture(text, f"awsdirenv: {name}", name)


def picture(text: Text, title: str, unique_id: str) -> str:
    """Make an SVG of a text that needs nothing but a monospaced font; the longest line must fit into it."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    for line in text.split("\n"):
        if line.cell_len > COLUMNS or line.cell_len != len(line):  # rich measures wide letters as others
            sys.exit(f"{title}: a line of {line.cell_len} columns, {len(line)} letters, does not fit: {line}")
        console.print(line, no_wrap=True, overflow="ignore")
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=TEMPLATE, unique_id=unique_id)
    svg = re.sub(r"<text [^>]*>\s*</text>", "", svg)  # the ends of the lines, which stand outside
    return "\n".join(filter(None, (line.strip() for line in svg.splitlines()))) + "\n"


if __name__ == "__main__":
    main()
