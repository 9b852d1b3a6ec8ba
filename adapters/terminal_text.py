"""Cards and forms as lines of text, for the terminal.

Whatever could move the cursor, hide or reorder is spelled out: no text that came from outside steers the screen.
"""

from __future__ import annotations

import re
import shlex

from adapters.pictures import picture_kind
from bot.domain.chat import Button, Card, Field, FieldKind, Tone
from bot.domain.inert import is_hidden

MARKS = {Tone.QUIET: " ", Tone.WAITING: "?", Tone.DANGER: "!", Tone.GOOD: "+", Tone.BAD: "x"}
BANNER = "Countersign. You are {name}. Type a task, or help."
ENDED = "  (this task has ended: your next line is a new one)"
COMMANDS = ("help", "who", "as", "new", "inbox", "show", "quit")
HELP = """\
  <words>                 a task; while it works or waits, a reply in its thread
  new [words]             leave the thread, and begin another task
  approve 1               press a button of card 1 by its name, or by its place: press 1.2
  reject 1 too expensive  a button with one field takes the rest of the line
  edit 1 amount=90        a button with several fields takes name=value, in quotes if there are spaces
  stop                    press Stop on the newest card that has it
  show 1                  print card 1 again, attachments whole
  inbox                   what waits for you
  as bo                   sit down as somebody else; `who` lists everybody
  quit                    leave"""


def draw(card: Card, number: int, mentions: str, *, is_whole: bool = False) -> str:
    """A card as text: title, body, facts, blocks, attachments, status, buttons, footer. *is_whole*: files too."""
    if not (card.title or card.facts or card.blocks or card.attachments or card.status or card.buttons):
        author = f"{inert(card.author)}:" if card.author else ""
        return _indent(" ".join(filter(None, [mentions, author, inert(card.body), inert(card.footer)])), "  ")
    lines = [f"[{number}] {MARKS[card.tone]} {inert(card.title)}".rstrip(), *([mentions] if mentions else [])]
    lines += [inert(card.body)] if card.body else []
    lines += [f"{inert(fact.label)}: {inert(fact.value)}" for fact in card.facts]
    for block in card.blocks:
        lines += [f"{inert(block.label)}:", _indent(inert(block.text), "    " if block.is_code else "  | ")]
    for file in card.attachments:
        lines.append(f"{inert(file.name)}, {len(file.content)} bytes, sha256 {file.sha256}")
        lines += [_indent(_content(file.content), "    ")] if is_whole else []
    lines += [f"= {inert(card.status)}"] if card.status else []
    lines += [f"> {_how(number, place, button)}" for place, button in enumerate(card.buttons, 1)]
    lines += [inert(card.footer)] if card.footer else []
    return _indent("\n".join(lines), "  ")


def _content(content: bytes) -> str:
    """A file as far as a terminal can show it."""
    try:
        return inert(content.decode())
    except UnicodeDecodeError:
        return f"({'a picture' if picture_kind(content) else 'no text'}: it cannot be shown here)"


def usage(number: int, button: Button) -> str:
    """What a button with fields wants to be told."""
    told = [f"  {inert(button.label)} needs more: {_how(number, 1, button).split('   ')[0]}"]
    for field in button.fields:
        rest = "" if field.is_required else " (optional)"
        told += [f"    {field.name}: {inert(field.label)}{_wants(field)}{rest}"]
    return "\n".join(told)


def fields_of(button: Button, rest: str) -> dict[str, object]:
    """What was typed after a button's name, as its form. Fields not named keep what they start with."""
    fields: dict[str, object] = {field.name: field.value for field in button.fields}
    known = {field.name for field in button.fields}
    pairs = [word.partition("=") for word in _words(rest)]
    if pairs and all(sign and name in known for name, sign, _ in pairs):
        kinds = {field.name: field for field in button.fields}
        return fields | {name: _meant(kinds[name], value) for name, _, value in pairs}
    if rest:
        first = next((field for field in button.fields if field.kind in _WORDY), button.fields[0])
        fields[first.name] = _meant(first, rest)
    return fields


def command(text: str) -> str:
    """*text* with the slash in front of a command taken away: `/help` is `help`."""
    word = text.partition(" ")[0].lower()
    return text[1:] if word.startswith("/") and word[1:] in COMMANDS else text


def slug(label: str) -> str:
    """A button's label as one word: `Ask to explain` is `ask-to-explain`."""
    return "-".join(re.findall(r"\w+", label.lower()))


def inert(text: str) -> str:
    """*text* with escape sequences, and everything else a reader would not see, spelled out."""
    return "".join(f"⟨U+{ord(char):04X}⟩" if is_hidden(char) else char for char in text)


_WORDY = (FieldKind.TEXT, FieldKind.LONG_TEXT)


def _wants(field: Field) -> str:
    """What may be typed, where it is not just any text."""
    match field.kind:
        case FieldKind.DATE:
            return ", a date such as 2026-03-31"
        case FieldKind.PERSON:
            return ", somebody's name as `who` lists it"
        case FieldKind.MULTI:
            return f", some of {', '.join(map(inert, field.options))}, parted by commas"
    return f", one of {', '.join(map(inert, field.options))}" if field.options else ""


def _meant(field: Field, typed: str) -> str:
    """Several choices stand on one line here, and one a line in a form."""
    if field.kind is not FieldKind.MULTI or typed in field.options:
        return typed
    return "\n".join(part.strip() for part in typed.split(","))


def _how(number: int, place: int, button: Button) -> str:
    """The line to type for a button, and its label if that says more."""
    word = slug(button.label) or button.move
    wants = "".join(f" {field.name}=…" for field in button.fields) if len(button.fields) > 1 else ""
    wants = f" <{inert(button.fields[0].label)}>" if len(button.fields) == 1 else wants
    what = f" – {inert(button.effect)}" if button.effect else ""
    return f"{word} {number}{wants}   (press {number}.{place}: {inert(button.label)}){what}"


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe, not a quote
        return text.split()


def _indent(text: str, by: str) -> str:
    return "\n".join(by + line for line in text.split("\n"))
