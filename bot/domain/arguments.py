"""A call's arguments as people see them: whole in the card, whole in an attachment, or not approvable.

What is shown can be read back: `unshow` and a JSON parser give the very values whose canonical bytes the
digest names. Only values a tool declares secret are replaced, by a fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import cast

from bot.domain import redacted
from bot.domain.calls import ToolSpec, canonical, digest
from bot.domain.chat import Attachment, Block, Fact
from bot.domain.errors import BadJson
from bot.domain.inert import hidden, mixed_script, show, show_line
from bot.domain.request import Request
from bot.domain.wire import Json, Record, loads

SHOWN_MOST = 3_000  # characters of arguments in a card; Slack's limit for one text
ATTACH_MOST = 256_000  # bytes in an attachment; more is not readable before signing
FACT_MOST = 120  # characters of one argument shown as a fact of its own
FACTS_MOST = 12  # arguments shown as facts of their own; the rest stand in the whole
CHANGE_MOST = 300  # characters of one changed value; a longer one is named by length and hash
GONE = "this tool is gone, and with it the knowledge which arguments are secret."
BRIEF_MOST = 80  # characters of one argument where a whole call is one line
PRIVATE = "•••• (private, shown in Details)"
SECRET_LEAST = 4  # characters; a shorter secret is not looked for in other texts


class Arguments(Record):
    """How a card shows a call's arguments. `secrets` are the texts to keep out of everything else."""

    facts: tuple[Fact, ...] = ()
    blocks: tuple[Block, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    changes: str = ""
    secrets: tuple[str, ...] = ()


def is_approvable(request: Request) -> bool:
    """Can people be shown every byte that would run? A request that is not must not be opened."""
    return _flaw(request) is None


def objection(request: Request, spec: ToolSpec | None) -> str | None:
    """Why nobody can approve *request* as it is, in words for its card; None if somebody can."""
    if spec is None:
        return GONE
    if (spec.name, spec.version) != (request.call.tool, request.call.version):
        return "the tool has changed since this was asked."
    return _flaw(request)


def arguments(request: Request, spec: ToolSpec | None) -> Arguments:
    """The arguments of *request*, every byte of them or none. Without its *spec* any of them may be secret."""
    flaw = _flaw(request)
    if flaw is not None:
        return Arguments(blocks=(Block(label="Arguments", text=f"not shown: {flaw}"),))
    values = request.call.values
    if spec is None:
        hide = tuple(_texts(list(values.values())))
        return Arguments(blocks=(Block(label="Arguments", text=f"not shown: {GONE}"),), secrets=hide)
    masked = _masked(values, spec)
    blocks, attachments = _whole(masked)
    return Arguments(
        facts=tuple(_facts(request, spec, masked, is_attached=bool(attachments))),
        blocks=blocks,
        attachments=attachments,
        changes=_changes(request, spec, masked) if request.edit else "",
        secrets=secret_texts(request, spec),
    )


def canonical_text(request: Request, spec: ToolSpec) -> str:
    """All arguments as canonical JSON, a fingerprint in the place of each secret."""
    return canonical(_masked(request.call.values, spec)).decode()


def pretty(request: Request, spec: ToolSpec) -> str:
    """The same in lines, with every hidden character spelled out."""
    return _pretty(_masked(request.call.values, spec))


def private_text(request: Request, spec: ToolSpec) -> str:
    """What no card shows, in lines: for Details, whose reader may answer. Empty if nothing is private."""
    values = request.call.values
    shown = {name: values[name] for name in spec.private if name in values}
    return _pretty(shown) if shown else ""


def secret_texts(request: Request, spec: ToolSpec) -> tuple[str, ...]:
    """What must not stand in any other text about *request*."""
    return secret_values(request.call.values, spec.secrets)


def secret_values(values: Mapping[str, Json], secrets: Collection[str]) -> tuple[str, ...]:
    """Every text and number in the arguments named *secrets* that is long enough to be recognised elsewhere."""
    return tuple(_texts([values[name] for name in secrets if name in values]))


def without(text: str, secrets: Collection[str], *, mask: str = "••••") -> str:
    """*text* with every secret in it blotted out."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, mask)
    return text


def brief(
    values: Mapping[str, Json], secrets: Collection[str], most: int, *, only: Collection[str] | None = None
) -> str:
    """Arguments, or *only* some of them, on one line of at most *most* characters: `amount=90, pin=•••`.

    Long values are cut. What is secret, or looks like it, is masked, also where another argument repeats it.
    """
    hide = tuple(_texts([values[name] for name in secrets if name in values]))
    shown = {name: value for name, value in values.items() if only is None or name in only}
    told = (f"{name}={redacted.MASK if name in secrets else _brief(value, hide)}" for name, value in shown.items())
    return redacted.redacted(", ".join(redacted.redacted(one, BRIEF_MOST) for one in told), most)


def _brief(value: Json, hide: Collection[str]) -> str:
    return without(canonical(value).decode(), hide)


def _flaw(request: Request) -> str | None:
    call = request.call
    size = len(call.args.encode("utf-8", "surrogatepass"))
    if size > ATTACH_MOST:
        return f"its arguments are {size:,} bytes, more than the {ATTACH_MOST:,} that can be shown."
    try:
        value = json.loads(call.args)
        is_canonical = isinstance(value, dict) and canonical(value).decode() == call.args
    except (ValueError, RecursionError, BadJson):
        is_canonical = False
    if not is_canonical or digest(call.tool, call.version, call.args) != call.digest:
        return "its arguments are not the ones its digest names."
    return None


def _whole(values: Mapping[str, Json]) -> tuple[tuple[Block, ...], tuple[Attachment, ...]]:
    """All arguments, in a block of the card if they fit it and in an attachment if not."""
    content = canonical(dict(values))
    shown = _pretty(values) if len(content) <= SHOWN_MOST * 4 else ""
    if shown and len(shown) <= SHOWN_MOST:
        return (Block(label="Arguments", text=shown, is_code=True),), ()
    sha256 = hashlib.sha256(content).hexdigest()
    note = f"full arguments attached, {len(content):,} bytes, sha256 {sha256}"
    return (Block(label="Arguments", text=note),), (Attachment(name="arguments.json", content=content, sha256=sha256),)


def _pretty(values: Mapping[str, Json]) -> str:
    return show(json.dumps(values, indent=2, ensure_ascii=False))


# ------------------------------------------------------------------- facts


def _facts(request: Request, spec: ToolSpec, values: Mapping[str, Json], *, is_attached: bool) -> Iterator[Fact]:
    where = "in the attachment" if is_attached else "below"
    worth = [(name, value) for name, value in values.items() if is_attached or not _is_plain(value)]
    for name, value in worth[:FACTS_MOST]:
        yield Fact(label=_clip(f"args.{show_line(name)}", 60), value=_short(value, where))
    if len(worth) > FACTS_MOST:
        yield Fact(label="More arguments", value=f"{len(worth) - FACTS_MOST} more, {where}")
    if unusual := _unusual(spec, values):
        yield Fact(label="Not the default", value=_clip(show_line(", ".join(unusual)), FACT_MOST))
    whole = canonical(dict(values)).decode()
    if count := hidden(whole):
        told = f"{count} in the arguments" + ("" if is_attached else ", spelled ⟨U+…⟩ below")
        yield Fact(label="⚠ Hidden characters", value=told)
    if warning := mixed_script(f"{request.call.tool} {whole}"):
        yield Fact(label="⚠ Look-alike letters", value=_clip(warning, 300))


def _is_plain(value: Json) -> bool:
    """Short enough to be read in the block below; saying it twice would only make the card long."""
    return len(value if isinstance(value, str) else canonical(value)) <= FACT_MOST


def _short(value: Json, where: str) -> str:
    """A value, if it is short enough to be read at a glance; else how long it is and where it stands."""
    text = value if isinstance(value, str) else canonical(value).decode()
    shown = show_line(text) if len(text) <= FACT_MOST else ""
    if len(shown) <= FACT_MOST and (shown or not text):
        return shown or "(empty)"
    return f"({len(text):,} characters, {where})"


def _unusual(spec: ToolSpec, values: Mapping[str, Json]) -> list[str]:
    """Arguments that differ from the default their schema names."""
    properties = loads(spec.schema).get("properties", {}) if spec.schema else {}
    defaults = {name: part["default"] for name, part in properties.items() if "default" in part}
    return [name for name, value in values.items() if name in defaults and value != defaults[name]]


# ------------------------------------------------------------------- edits


def _changes(request: Request, spec: ToolSpec, values: Mapping[str, Json]) -> str:
    """`- old` and `+ new` for each argument a person changed."""
    assert request.edit is not None, "only an edited request has changes"
    was = _masked(cast(dict[str, Json], loads(request.edit.was)), spec)
    lines: list[str] = []
    for name in sorted(was.keys() | values.keys()):
        if name in was and (name not in values or was[name] != values[name]):
            lines.append(f"- {show_line(name)}: {_change(was[name])}")
        if name in values and (name not in was or was[name] != values[name]):
            lines.append(f"+ {show_line(name)}: {_change(values[name])}")
    return _clip("\n".join(lines), SHOWN_MOST)


def _change(value: Json) -> str:
    text = canonical(value)
    shown = show_line(text.decode()) if len(text) <= CHANGE_MOST else ""
    if shown and len(shown) <= CHANGE_MOST:
        return shown
    return f"({len(text):,} bytes, sha256 {hashlib.sha256(text).hexdigest()[:12]})"


def _clip(shown: str, most: int) -> str:
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


# ----------------------------------------------------------------- secrets


def _masked(values: Mapping[str, Json], spec: ToolSpec) -> dict[str, Json]:
    """What is private has no fingerprint either: a salary is guessed in a moment."""
    hidden = {name: _mask(value) for name, value in values.items() if name in spec.secrets}
    private = dict.fromkeys((name for name in spec.private if name in values), PRIVATE)
    return {**values, **hidden, **private}


def _mask(value: Json) -> str:
    return redacted.mask(value.encode() if isinstance(value, str) else canonical(value))


def _texts(value: Json) -> Iterator[str]:
    """Every text and number in *value* that is long enough to be recognised elsewhere."""
    match value:
        case bool():
            return
        case int() | float():
            yield from _texts(canonical(value).decode())
        case str():
            if len(value) >= SECRET_LEAST:
                yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            yield from _texts(list(value.values()))
