"""Names that a shell, a path or our own encoding could trip over."""

from __future__ import annotations

import os

from hypothesis import strategies as st

from awsdirenv.config.environment import MACHINE_VARIABLES

HOSTILE = [
    *("a b", " ", "it's", '"', "''", "$(touch pwned)", "${HOME}", "$HOME", "`id`", "a;b", "a|b", "a&b", "<a>", "(a)"),
    *("../../etc/passwd", "/", "/etc", "a/b", ".", "..", "...", ".hidden", "a.b", "a.", "-", "-n", "-e x", "--", "--x"),
    *("%", "%%", "%41", "%2E", "a%2Fb", "%dotenv", "%25dotenv", "%s%n", "*", "?", "[a-z]", "{a,b}", "~", "~root", "!"),
    *("\\", "\\n", "\\x41", "\\045", "=", "a=b", "@", "a@b", "dev@811c9dc5", "#", "# no", "+", ",", ":", "^"),
    *(
        "ä",
        "日本語",
        "🔥",
        "e\u0301",
        "\u202e",
        "\u00a0",
        "\u0085",
        "\u2028",
        "\ufeff",
        "\udcff",
        "a\udc80b",
        "\u017f",
        "\u212a",
    ),
    *("default", "profile x", "a" * 200, "b" * 201, "." + "c" * 197, "." + "c" * 198, "é" * 33, "é" * 34, "🔥" * 17),
]

# Bytes, as argv and the environment have them: UTF-8 or not, but without control characters.
RAW = st.binary(max_size=80).map(lambda raw: os.fsdecode(bytes(b for b in raw if b >= 32 and b != 127)))

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60) | RAW | st.sampled_from(HOSTILE)

NAMES = TEXT.filter(lambda name: len(name) > 0)

MARKED = sorted(MACHINE_VARIABLES)

# What turns, hides or moves text on a terminal, and what only is not ASCII.
STEERING = [
    *map(chr, [*range(1, 32), *range(0x7F, 0xA1), 0xAD, 0x61C, *range(0x2000, 0x2010), *range(0x2028, 0x2030)]),
    *map(chr, [*range(0x205F, 0x2070), 0xFEFF, 0xE0001, 0xE0041, 0xE007F]),
]
LETTERS = [*"aZ09 ~/._-+", *"äßéñ", "日本", "Ж", "🔥", "\u2013", "€", "…", "\u0301"]
