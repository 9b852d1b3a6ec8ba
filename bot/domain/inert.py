"""Text made inert: what a reader cannot see, or would see in another order, is spelled out.

`show` turns U+202E into `⟨U+202E⟩`, and so on for everything invisible, reordering or unassigned. `unshow` is its
exact inverse: what people read names every character of what runs. `mixed_script` says which words
borrow letters of another alphabet to look like something they are not.

Not here: a platform's own markup (`<`, `*`, `@`). Adapters show every string literally.
"""

from __future__ import annotations

import functools
import re
import unicodedata

SPELT = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})  # categories that are spelled out
EMPTY_LOOKING = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
)  # letters and marks that render as nothing
WIDE_SPACE = "\u3000"  # plainly visible, and ordinary in Japanese

_NICETIES = {
    0x200D: None,
    0xFE0E: None,
    0xFE0F: None,
    0x00A0: " ",
    0x202F: " ",
    0x2009: " ",
}  # emoji's glue, thin spaces

_UNUSUAL = re.compile(r"[^ -~\n\t]")
_UNUSUAL_IN_LINE = re.compile(r"[^ -~]")
_SPELLING = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
_WORD = re.compile(r"\w+")

# Cyrillic and Greek letters that pass for a Latin one, each above its double (after Unicode's confusables).
_FOREIGN = "аеорсухіјѕһԁԛԝӏАВЕКМНОРСТХУІЈЅԌԚԜ" + "οαικνρυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_DOUBLE = "aeopcyxijshdqwlABEKMHOPCTXYIJSGQW" + "oaikvpuxABEZHIKMNOPTYX"
LOOKS_LIKE = dict(zip(_FOREIGN, _DOUBLE, strict=True))


def show(text: str) -> str:
    """*text* with every hidden character spelled `⟨U+XXXX⟩`. Newlines and tabs stay; a literal `⟨` is spelled too."""
    return _UNUSUAL.sub(lambda found: _spell(found[0]), text)


def show_line(text: str) -> str:
    """Like `show`, on one line: newlines and tabs are spelled out too."""
    return _UNUSUAL_IN_LINE.sub(lambda found: _spell(found[0]), text)


def spoken(text: str) -> str:
    """An agent's words: what only makes letters and emoji prettier is left out, whatever else hides is spelled."""
    return show(text.translate(_NICETIES))


def unshow(text: str) -> str:
    """The inverse of `show` and `show_line`; text without spellings stays as it is."""
    return _SPELLING.sub(_character, text)


def hidden(text: str) -> int:
    """How many characters of *text* a reader would not see as they are."""
    return sum(is_hidden(found[0]) for found in _UNUSUAL.finditer(text))


def is_hidden(char: str) -> bool:
    """Is *char* invisible, reordering, a look-alike of a space, or not assigned?"""
    if char in " \n\t" or char == WIDE_SPACE:
        return False
    return char in EMPTY_LOOKING or unicodedata.category(char) in SPELT or _is_selector(ord(char))


def mixed_script(text: str) -> str | None:
    """A warning for words in which a foreign letter passes for a Latin one, or None."""
    if text.isascii():
        return None
    told = [warning for word in dict.fromkeys(_WORD.findall(text)) if (warning := _disguise(word))]
    return "; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "") if told else None


def _disguise(word: str) -> str | None:
    if not any(char.isascii() and char.isalpha() for char in word):
        return None
    for char in word:
        if double := _double(char):
            return f"“{show_line(word[:60])}”: U+{ord(char):04X} only looks like “{double}”"
    return None


def _double(char: str) -> str | None:
    """The Latin letter that *char* passes for: a foreign one, or a styled one as in `ｄｅｌｅｔｅ`."""
    if char.isascii() or char in "ªº":
        return None
    plain = LOOKS_LIKE.get(char) or unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isascii() and plain.isalpha() else None


@functools.lru_cache(maxsize=4096)
def _spell(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩" if char in "\n\t⟨" or is_hidden(char) else char


def _character(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    return chr(point) if point <= 0x10FFFF else found[0]


def _is_selector(point: int) -> bool:
    """Variation selectors are marks (Mn) by category, yet draw nothing themselves."""
    return 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF or 0x180B <= point <= 0x180F
