"""The words of a condition, for the little that is read from its text: brackets, operators, names.

    text -> tokens -> split at operators that stand in no bracket, unwrapped, looked at by place

What the words mean is not known here (condition).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      |(?P<string>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      |(?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?)
      |(?P<name>[A-Za-z_]\w*)
      |(?P<op>&&|\|\||[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One word; `at` is its offset. `kind` is string, number, name or op."""

    kind: str
    text: str
    at: int


def scan(text: str) -> list[Token]:
    """The words of *text*, without blanks and remarks."""
    found = (Token(match.lastgroup or "op", match[0], match.start()) for match in _TOKEN.finditer(text))
    return [token for token in found if token.kind != "space"]


def source(text: str, tokens: Sequence[Token]) -> str:
    """The piece of *text* that *tokens* came from."""
    return text[tokens[0].at : tokens[-1].at + len(tokens[-1].text)] if tokens else ""


def split(tokens: Sequence[Token], at: set[str]) -> Iterator[Sequence[Token]]:
    """What stands between the operators *at*, brackets left whole."""
    start = 0
    cuts = {token.at for token in outer(tokens) if token.text in at}
    for index, token in enumerate(tokens):
        if token.at in cuts:
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


def outer(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens that stand in no bracket of these."""
    depth = 0
    for token in tokens:
        depth -= token.text in (")", "]", "}")
        if depth == 0:
            yield token
        depth += token.text in ("(", "[", "{")


def unwrapped(tokens: Sequence[Token]) -> Sequence[Token]:
    """Without the one pair of round brackets around all of them, if there is one."""
    is_wrapped = stands(tokens, 0, "(") and [token.at for token in outer(tokens)] == [tokens[0].at, tokens[-1].at]
    return tokens[1:-1] if is_wrapped else tokens


def stands(tokens: Sequence[Token], index: int, *texts: str) -> bool:
    """Is one of *texts* there, and no string? False beyond both ends."""
    return 0 <= index < len(tokens) and tokens[index].kind != "string" and tokens[index].text in texts


def kind(tokens: Sequence[Token], index: int) -> str:
    """Which kind of word is there; empty beyond both ends."""
    return tokens[index].kind if 0 <= index < len(tokens) else ""


def has(tokens: Sequence[Token], op: str) -> bool:
    """Does *op* stand there, outside of all brackets?"""
    return any(token.text == op for token in outer(tokens))
