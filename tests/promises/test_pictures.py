"""Every picture of the documents: a monospaced font, no line broken or cut off, readable on any page, and linked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rich.cells import cell_len

import chart
import picture
from documents import ROOT
from peers import Figures

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.svg"))}
LONG = 58  # columns: the longest name of a row
DRAWN = {
    "signs of XML": picture.draw("~ $ echo '<&>\"' ]]> &amp;\n" + "x" * picture.COLUMNS),
    "letters beyond ASCII": picture.draw("~ $ echo é…│ü\n" + "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * picture.COLUMNS),
    "an empty line": picture.draw("a\n\n\nb"),
    "a stage": picture.draw("awsdirenv: *** PRODUCTION *** a: account 1\nawsdirenv: error: a\nawsdirenv: hint: b"),
    "a chart": chart.draw(
        [
            chart.Row("warm", 1.27, 1.25, "static exports", 1, 23.4, 18.2),
            chart.Row("n" * LONG, 9, 1, "u", 1, 1e6, 0.001),
        ],
        [Figures("awsdirenv", 20, 1.2, 200, 1000, 1, 50), Figures("n" * LONG, 1e6, 99, 0.1, 9e5, 50, 0)],
    ),
}

every_picture = pytest.mark.parametrize("svg", [*PICTURES.values(), *DRAWN.values()], ids=[*PICTURES, *DRAWN])


@dataclass
class Shown:
    """A text of a picture, as a viewer finds it."""

    text: str
    font: str
    fill: str
    left: float
    y: float
    length: float
    right_edge: float


def rules(root: ET.Element) -> dict[str, dict[str, str]]:
    """Give the style sheet of a picture, by class."""
    sheet = "".join(style.text or "" for style in root.iter(f"{SVG}style"))
    found = re.findall(r"\.([\w-]+) \{([^}]*)\}", sheet)
    return {name: dict(re.findall(r"([\w-]+):\s*([^;]+?)\s*(?:;|$)", body)) for name, body in found}


def texts(root: ET.Element) -> Iterator[Shown]:
    """Give all texts of a picture, with what they have from the groups around them."""
    sheet, edge = rules(root), float(root.attrib["viewBox"].split()[2])

    def walk(element: ET.Element, around: dict[str, str], moved: float) -> Iterator[Shown]:
        own = {**around, **element.attrib, **sheet.get(element.attrib.get("class", ""), {})}
        shift = re.match(r"translate\(([\d.]+)", element.attrib.get("transform", ""))
        moved += float(shift[1]) if shift else 0
        for child in element:
            yield from walk(child, {key: own[key] for key in ("font-family", "fill", "font-size") if key in own}, moved)
        if element.tag == f"{SVG}text":
            text = "".join(element.itertext())
            length = float(own.get("textLength", cell_len(text) * float(own["font-size"]) * 0.65))
            left = float(own["x"]) - (length / 2 if own.get("text-anchor") == "middle" else 0)
            yield Shown(text, own["font-family"], own["fill"], left + moved, float(own["y"]), length, edge)

    yield from walk(root, {}, 0)


def light(color: str) -> float:
    """Give the relative luminance of a colour, by WCAG 2."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, by WCAG 2."""
    darker, lighter = sorted(map(light, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def grounds(root: ET.Element) -> list[tuple[str, float, float, float, float]]:
    """Give the colour of each rectangle that is drawn, with its sides; the last one is uppermost."""
    found = []

    def walk(element: ET.Element, x: float, y: float) -> None:
        moved = re.match(r"translate\(([\d.]+),\s*([\d.]+)", element.attrib.get("transform", ""))
        x, y = (x + float(moved[1]), y + float(moved[2])) if moved else (x, y)
        if element.tag == f"{SVG}rect" and "fill" in element.attrib:
            left, top, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append((element.attrib["fill"], left + x, top + y, left + x + width, top + y + height))
        for child in element:
            if child.tag != f"{SVG}defs":
                walk(child, x, y)

    walk(root, 0, 0)
    return found


@every_picture
def test_the_font_is_monospaced_everywhere(svg: str) -> None:
    """Each text has, by an attribute and not by a style sheet, a list of fonts that ends with `monospace`."""
    root = ET.fromstring(svg)
    assert {shown.font for shown in texts(root)} == {picture.FONT}
    assert picture.FONT.split(", ")[-1] == "monospace"
    assert "font-family:" not in svg
    assert "full-width" not in svg


@every_picture
def test_no_line_is_broken_or_cut_off(svg: str) -> None:
    """Each text has a length of so many columns, ends inside, and begins behind the one before it in its line."""
    root = ET.fromstring(svg)
    ends: dict[float, float] = {}
    for shown in list(texts(root))[1:]:  # without the title
        assert shown.text.strip()
        assert shown.length == pytest.approx(cell_len(shown.text) * 12.2, abs=0.2)
        assert shown.left >= ends.get(shown.y, 0) - 0.2
        ends[shown.y] = shown.left + shown.length
        assert ends[shown.y] <= shown.right_edge - 8
    assert all(shown.left >= 8 and shown.left + shown.length <= shown.right_edge - 8 for shown in texts(root))


@every_picture
def test_it_can_be_read_on_any_page(svg: str) -> None:
    """It brings its own opaque ground, and each letter has enough contrast to what is behind it."""
    root = ET.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    ground = grounds(root)
    assert re.fullmatch(r"#[0-9a-f]{6}", ground[0][0])
    assert list(ground[0][1:]) == pytest.approx([1, 1, width - 1, height - 1])
    offset = 41  # of the lines, below the title
    for number, shown in enumerate(texts(root)):
        y = shown.y + (offset if number else 0) - 5
        inside = [
            color
            for color, left, top, right, bottom in ground
            if left <= shown.left + 2 <= right and top <= y <= bottom
        ]
        assert contrast(shown.fill, inside[-1]) >= 4.5, (shown.text, shown.fill, inside[-1])


def test_all_are_in_one_style() -> None:
    """They have the same width, and so the same letters, the same ground and a title of the same form."""
    roots = [ET.fromstring(svg) for svg in PICTURES.values()]
    assert len({root.attrib["viewBox"].split()[2] for root in roots}) == 1
    assert len({grounds(root)[0][0] for root in roots}) == 1
    titles = [next(texts(root)).text.replace("\N{NO-BREAK SPACE}", " ") for root in roots]
    assert [title for title in titles if not title.startswith("awsdirenv: ")] == []


@pytest.mark.parametrize("name", PICTURES)
def test_each_is_linked_where_it_explains_something(name: str) -> None:
    """README or a page shows it, with words for those who do not see it."""
    pages = {ROOT / "README.md": f"docs/{name}", **dict.fromkeys((ROOT / "docs").rglob("*.md"), name)}
    found = [
        words
        for page, target in pages.items()
        for words in re.findall(rf"!\[([^\]]*)\]\({re.escape(target)}\)", page.read_text(encoding="utf-8"))
    ]
    assert found
    assert all(len(words.split()) >= 4 for words in found)


@pytest.mark.parametrize("line", ["x" * (picture.COLUMNS + 1), "環境", "e\u0301", "🙂"])
def test_a_line_that_does_not_fit_is_refused(line: str) -> None:
    """No picture is made in which a line would be cut off, or whose letters have not all the same width."""
    with pytest.raises(SystemExit, match="does not fit"):
        picture.draw(f"a\n{line}")


def test_no_colour_comes_from_the_page() -> None:
    """The names of colours that a terminal decides are given as numbers."""
    assert all(
        re.fullmatch(r"#[0-9a-f]{6}", shown.fill) for svg in PICTURES.values() for shown in texts(ET.fromstring(svg))
    )


def test_the_benchmark_says_what_it_measures() -> None:
    """It has milliseconds, names each line, and compares with what people use otherwise, in three ways."""
    lines = dict[float, str]()
    for shown in texts(ET.fromstring(PICTURES["bench.svg"])):
        lines[shown.y] = lines.get(shown.y, "") + shown.text.replace("\N{NO-BREAK SPACE}", " ")
    rows = [line for line in lines.values() if re.search(r"\d m?s\b", line) and not line.startswith("in multiples")]
    assert all(re.match(r"\s*[a-z5][\w-]+", row) for row in rows)
    for name in ("awsdirenv: use aws_profile", "awsume", "aws-export-credentials", "aws configure export-credentials"):
        assert sum(name in row for row in rows) == 3, name
    assert sum("by hand" in row for row in rows) == 6
    assert sum("call" in row for row in rows) == 6
    assert any(re.search(r"\d\.\d\d of \d\.\d\d", row) for row in rows)
