"""A rule's condition: CEL, compiled once, checked before it is used, and able to say why it held.

    text -> scan (names, fields, tools it mentions) -> compile -> holds(context) -> told(context)

The expression library shows no syntax tree, so a small scanner reads the text for two purposes only: to
report mistakes early, and to split the condition into clauses whose values can be shown. What a condition
*means* is decided by the library alone. Not here: what follows from a condition (policy).
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cel  # 150 ms: it brings its own command line; once, at start

from bot.domain.condition_words import Token, has, kind, outer, scan, source, split, stands, unwrapped

KNOWN: Mapping[str, tuple[str, ...]] = {  # the variables of a condition and their fields; () means any field
    "tool": ("name", "version", "risk", "touches", "category"),
    "args": (),
    "requester": ("id", "name", "groups", "manager"),
    "place": ("platform", "channel", "is_direct"),
    "agent": (),
    "history": (),
}
MACROS = ("all", "exists", "exists_one", "map", "filter")
FUNCTIONS = frozenset(MACROS) | {
    "has", "size", "contains", "startsWith", "endsWith", "matches",
    "int", "uint", "double", "string", "bytes", "type", "total",
}  # fmt: skip
WORDS = frozenset({"true", "false", "null", "in", "int", "uint", "double", "string", "bytes", "bool", "list", "map"})
INSTEAD: Mapping[str, str] = {"=": "==", "and": "&&", "or": "||", "not": "!", "&": "&&", "|": "||"}
SHOWN = 80  # characters of one value
CLAUSES = 6  # values shown for one rule
FAILURES = (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)  # what the library raises (tried)

_HOLDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda left, right: left in right,
}


class BadCondition(ValueError):
    """A condition that cannot be compiled. `at` is an offset into its text."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why


class Mention(NamedTuple):
    """Something a condition names, and where."""

    name: str
    at: int


class Path(NamedTuple):
    """A variable and the fields read from it: `args.amount` is ("args", "amount")."""

    parts: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One comparison (or one bare value, when `op` is empty) of a condition, whose values can be shown."""

    text: str
    left: cel.Program
    op: str = ""
    right_text: str = ""
    right: cel.Program | None = None
    paths: tuple[Path, ...] = ()
    totals: tuple[str, ...] = ()
    is_turned: bool = False  # what is looked at stands on the right: `"code" in tool.touches`

    def told(self, context: cel.Context, secrets: frozenset[str]) -> str:
        """The clause with its values, such as `args.amount 900 > 500`; empty when it has none. No secret is shown."""
        if self._is_secret(secrets):
            read = [".".join(path.parts) for path in self.paths if path.parts[0] == "args"]
            return f"{', '.join(dict.fromkeys(read)) or 'args'} (secret)"  # the policy's own text may hold it, too
        try:
            left = self.left.execute(context)
            right = self.right.execute(context) if self.right else None
            is_held = self.right is not None and self.op != "==" and _HOLDS[self.op](left, right) is True
        except FAILURES:
            return ""
        value = right if self.is_turned else left
        if self._reads_earlier_args and not isinstance(value, bool):
            return ""  # earlier calls had secrets of their own
        if self.is_turned:
            return (f"{self.text} {self.op} " if is_held else "") + f"{self.right_text} {_shown(value)}"
        return f"{self.text} {_shown(value)}" + (f" {self.op} {self.right_text}" if is_held else "")

    def _is_secret(self, secrets: frozenset[str]) -> bool:
        """Whether any value of this clause could be, or hold, an argument marked secret."""
        if not secrets:
            return False
        fields = {path.parts[1] if len(path.parts) > 1 else "" for path in self.paths if path.parts[0] == "args"}
        return bool(secrets & (fields | set(self.totals))) or "" in fields

    @property
    def _reads_earlier_args(self) -> bool:
        return "args" in f"{self.text} {self.right_text}" and any(path.parts[0] == "history" for path in self.paths)

    @property
    def is_only_tool_name(self) -> bool:
        return [path.parts for path in self.paths] == [("tool", "name")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A compiled condition. `tools` are the names `tool.name` is compared to; `only_for` those it is limited to."""

    text: str
    program: cel.Program
    roots: frozenset[str]
    clauses: tuple[Clause, ...]
    paths: tuple[Path, ...]
    tools: tuple[Mention, ...]
    only_for: frozenset[str]
    totals: tuple[Mention, ...]
    problems: tuple[Mention, ...]  # `name` is the sentence

    @property
    def is_always(self) -> bool:
        return self.text.strip() == "true"

    def holds(self, context: cel.Context) -> bool:
        """Whether the condition is true. Raises one of FAILURES for an error, or for anything but true and false."""
        found = self.program.execute(context)
        if not isinstance(found, bool):
            raise NotTrueOrFalse
        return found

    def told(self, context: cel.Context, secrets: frozenset[str]) -> str:
        """The values this condition looked at, for people; that the tool is the tool only when there is no more."""
        names = [clause for clause in self.clauses if clause.is_only_tool_name]
        others = [clause for clause in self.clauses if not clause.is_only_tool_name]
        return _told(others, context, secrets) or _told(names, context, secrets)


def _told(clauses: Sequence[Clause], context: cel.Context, secrets: frozenset[str]) -> str:
    lines = (clause.told(context, secrets) for clause in clauses[:CLAUSES])
    return ", ".join(dict.fromkeys(line for line in lines if line))


class NotTrueOrFalse(TypeError):
    """A condition came to something that is neither true nor false."""


def why_failed(error: Exception) -> str:
    """What went wrong, without the library's own text: it may hold a secret value."""
    match error:
        case NotTrueOrFalse():
            return "its result is neither true nor false"
        case LookupError():
            return "a value it names is missing"
        case TypeError():
            return "it compares or adds values of different kinds"
        case ArithmeticError():
            return "a number in it is out of range"
    return "it could not be computed"


# ---------------------------------------------------------------- compiling


def compile_condition(text: str) -> Condition:
    """Compile *text*. Raises BadCondition with the position of the first error of syntax."""
    program = _compile(text)
    tokens = scan(text)
    paths, problems = _paths(tokens)
    tools = tuple(_tools(tokens))
    totals = tuple(_totals(tokens))
    return Condition(
        text=text,
        program=program,
        roots=frozenset(program.variables()) & KNOWN.keys() | ({"history"} if totals else set()),
        clauses=tuple(_clauses(text, tokens)),
        paths=paths,
        tools=tools,
        only_for=_only_for(tokens),
        totals=totals,
        problems=problems,
    )


def _compile(text: str) -> cel.Program:
    try:
        return cel.compile(text)
    except ValueError as error:
        if slip := next(_slips(text), None):
            raise BadCondition(slip.at, slip.name) from error
        # The library tells the position in its text only.
        found = re.search(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)", str(error))
        if found is None:
            raise BadCondition(0, "the condition is not valid CEL") from error
        before = text.split("\n")[: int(found[1]) - 1]
        raise BadCondition(sum(len(line) + 1 for line in before) + int(found[2]) - 1, found[3]) from error


def _slips(text: str) -> Iterator[Mention]:
    """What people write who know another language, where it is not CEL: told better than by the library."""
    for token in scan(text):
        if token.kind != "string" and (right := INSTEAD.get(token.text.lower())):
            why = "= compares nothing" if token.text == "=" else f"{token.text} is no operator"
            yield Mention(f"{why}; write {right}", token.at)


def _paths(tokens: Sequence[Token]) -> tuple[tuple[Path, ...], tuple[Mention, ...]]:
    """Every variable path of the condition, and what is wrong with its names."""
    bound = _bound(tokens)
    paths: list[Path] = []
    problems: list[Mention] = []
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text in bound:
            continue
        if stands(tokens, index + 1, "("):
            if token.text == "total" and kind(tokens, index + 2) != "string":
                problems.append(Mention('total needs the name of an argument: total("amount", "order_id")', token.at))
            if token.text not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                problems.append(Mention(f"function {token.text!r} is unknown; known are {known}", token.at))
        elif stands(tokens, index - 1, ".") or token.text in WORDS:
            continue
        elif token.text not in KNOWN:
            problems.append(Mention(f"{token.text!r} is unknown; known are {', '.join(KNOWN)}", token.at))
        else:
            path = Path((token.text, *_fields(tokens, index + 1)), token.at)
            paths.append(path)
            problems += _bad_field(path)
    return tuple(paths), tuple(problems)


def _bad_field(path: Path) -> Iterator[Mention]:
    known = KNOWN[path.parts[0]]
    if known and len(path.parts) > 1 and path.parts[1] not in known:
        yield Mention(f"{path.parts[0]} has no {path.parts[1]!r}; it has {', '.join(known)}", path.at)


def _fields(tokens: Sequence[Token], index: int) -> Iterator[str]:
    """The fields read after a variable: `.name` and `["name"]`, up to a method call."""
    while True:
        if stands(tokens, index, ".") and kind(tokens, index + 1) == "name" and not stands(tokens, index + 2, "("):
            yield tokens[index + 1].text
            index += 2
        elif stands(tokens, index, "[") and kind(tokens, index + 1) == "string" and stands(tokens, index + 2, "]"):
            yield _literal(tokens[index + 1])
            index += 3
        else:
            return


def _bound(tokens: Sequence[Token]) -> frozenset[str]:
    """Names that a macro gives: the x of `args.to.exists(x, …)`."""
    return frozenset(
        tokens[index + 2].text
        for index, token in enumerate(tokens)
        if token.text in MACROS and stands(tokens, index + 1, "(") and stands(tokens, index + 3, ",")
    )


def _tools(tokens: Sequence[Token]) -> Iterator[Mention]:
    """The literals `tool.name` is compared to, in either order, or looked for in."""
    for index in range(len(tokens)):
        if [token.text for token in tokens[index : index + 3]] != ["tool", ".", "name"]:
            continue
        if stands(tokens, index + 3, "==", "!=") and kind(tokens, index + 4) == "string":
            yield Mention(_literal(tokens[index + 4]), tokens[index + 4].at)
        if stands(tokens, index - 1, "==", "!=") and kind(tokens, index - 2) == "string":
            yield Mention(_literal(tokens[index - 2]), tokens[index - 2].at)
        if stands(tokens, index + 3, "in") and stands(tokens, index + 4, "["):
            for token in tokens[index + 5 :]:
                if token.text == "]":
                    break
                if token.kind == "string":
                    yield Mention(_literal(token), token.at)


def _only_for(tokens: Sequence[Token]) -> frozenset[str]:
    """The only tools a condition can hold for; empty when that is not clear."""
    inner = unwrapped(tokens)
    if has(inner, "?"):
        return frozenset()
    if has(inner, "||"):
        options = [_only_for(option) for option in split(inner, {"||"})]
        return frozenset[str]().union(*options) if all(options) else frozenset()
    if has(inner, "&&"):
        limits = [limit for part in split(inner, {"&&"}) if (limit := _only_for(part))]
        return frozenset.intersection(*limits) if limits else frozenset()
    return frozenset(mention.name for mention in _tools(inner)) if _is_tool_test(inner) else frozenset()


def _is_tool_test(tokens: Sequence[Token]) -> bool:
    match [token.text for token in tokens]:
        case ["tool", ".", "name", "==", _] | [_, "==", "tool", ".", "name"] | ["tool", ".", "name", "in", *_]:
            return True
    return False


def _totals(tokens: Sequence[Token]) -> Iterator[Mention]:
    """The argument names given to total()."""
    for index, token in enumerate(tokens):
        if token.text == "total" and stands(tokens, index + 1, "("):
            for inner in tokens[index + 2 :]:
                if inner.text == ")":
                    break
                if inner.kind == "string":
                    yield Mention(_literal(inner), inner.at)


def _clauses(text: str, tokens: Sequence[Token]) -> Iterator[Clause]:
    """Split at and, or, ?: and brackets into comparisons and bare values."""
    for part in split(tokens, {"&&", "||", "?", ":"}):
        bare = part[1:] if stands(part, 0, "!") and len(part) > 1 else part
        inner = unwrapped(bare)
        if len(inner) < len(bare):
            yield from _clauses(text, inner)
        elif clause := _clause(text, bare):
            yield clause


def _clause(text: str, tokens: Sequence[Token]) -> Clause | None:
    op = next((token for token in outer(tokens) if token.text in _HOLDS), None)
    cut = tokens.index(op) if op else len(tokens)
    left, right = tokens[:cut], tokens[cut + 1 :]
    if op and len(left) == 1 and left[0].kind in ("string", "number") and len(right) > 1 and op.text in ("==", "!="):
        left, right = right, left
    paths, totals = _paths(tokens)[0], tuple(mention.name for mention in _totals(tokens))
    if not left or not (paths or totals):
        return None
    try:
        return Clause(
            text=_shorten(source(text, left)),
            left=_compile(source(text, left)),
            op=op.text if op else "",
            right_text=_shorten(source(text, right)),
            right=_compile(source(text, right)) if right else None,
            paths=paths,
            totals=totals,
            is_turned=bool(right) and not _looks(left) and _looks(right),
        )
    except BadCondition:
        return None  # the scanner cut it wrongly: only the explanation is poorer


def _looks(tokens: Sequence[Token]) -> bool:
    """Whether a value is read there that the condition itself does not hold."""
    return bool(_paths(tokens)[0]) or any(_totals(tokens))


def _literal(token: Token) -> str:
    return str(cel.compile(token.text).execute())


def _shown(value: object) -> str:
    """A value as JSON, so that text keeps its quotes and cannot pass for our own words."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return _shorten(json.dumps(value, ensure_ascii=False, default=str))


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
