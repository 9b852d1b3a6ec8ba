"""Reading: activities as records; whatever somebody sends, it is a record, nothing, or BadPayload."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.teams import answers, presses, reading
from adapters.teams.shapes import BadPayload, Inbound
from bot.domain.chat import Answer, Button, Click, Field, Form, MessageRef, Place
from bot.domain.wire import replace

T, BOT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "28:app"
ROOM = "19:room@thread.tacv2"
MENTION = {"type": "mention", "text": "<at>Countersign</at>", "mentioned": {"id": BOT, "name": "Countersign"}}
SAID: dict[str, Any] = {
    "type": "message",
    "id": "1700000000001",
    "timestamp": "2026-11-20T10:00:00.123Z",
    "serviceUrl": "https://smba.trafficmanager.net/emea/",
    "channelId": "msteams",
    "from": {"id": "29:ana", "name": "Ana", "aadObjectId": "ana-id"},
    "recipient": {"id": BOT, "name": "Countersign"},
    "conversation": {"id": f"{ROOM};messageid=1700000000000", "conversationType": "channel", "tenantId": T},
    "text": "<at>Countersign</at>&nbsp;deploy api",
    "entities": [MENTION],
    "channelData": {"tenant": {"id": T}, "team": {"id": "19:team"}, "channel": {"id": ROOM}},
}
BUTTON = Button(subject="q-1", move="approve", label="Approve", token="tok", fields=(Field(name="why", label="Why"),))
REF = MessageRef(place=Place(platform="teams", tenant=T, channel=ROOM), id="1700000000009")
DATA = {**presses.data(BUTTON, readings={"why": "typed"}, behind=reading.behind(REF)), "approve.why": "because"}
PRESSED: dict[str, Any] = {
    **SAID,
    "type": "invoke",
    "name": "adaptiveCard/action",
    "replyToId": "1700000000009",
    "value": {"action": {"type": "Action.Execute", "verb": "cs.approve", "data": DATA}, "trigger": "manual"},
}
GIVEN: dict[str, Any] = {
    **SAID,
    "type": "invoke",
    "name": "composeExtension/fetchTask",
    "value": {
        "commandId": "give",
        "messagePayload": {
            "id": "1700000000005",
            "replyToId": "1700000000000",
            "from": {"user": {"id": "bo-id", "displayName": "Bo"}, "application": None},
            "body": {"contentType": "html", "content": "<div><p>pay&nbsp;me</p><p>a &lt;b&gt; c</p></div>"},
        },
    },
}


def said(text: str = "", *, entities: list[Any] | None = None, **changed: Any) -> Inbound:
    told = {**SAID, **({"text": text} if text else {}), **({"entities": entities} if entities is not None else {})}
    return Inbound.of({**told, **changed})


# -------------------------------------------------------------------- places


def test_a_channels_message_stands_in_its_thread_and_its_ref_does_not() -> None:
    """Decision 3: a click may lack the thread, so what is compared never depends on it."""
    message = reading.message(said())

    assert message is not None
    assert message.place == Place(platform="teams", tenant=T, channel=ROOM, thread="1700000000000")
    assert message.ref == MessageRef(place=Place(platform="teams", tenant=T, channel=ROOM), id="1700000000001")
    assert (message.by.user, message.is_mention) == ("ana-id", True)


@pytest.mark.parametrize("kind", ["groupChat", "personal"])
def test_a_chat_has_no_threads(kind: str) -> None:
    message = reading.message(said(conversation={"id": "19:chat@unq", "conversationType": kind}))

    assert message is not None
    assert (message.place.thread, message.place.is_direct) == (None, kind == "personal")


def test_a_channel_message_without_thread_opens_one() -> None:
    message = reading.message(said(conversation={"id": ROOM, "conversationType": "channel"}))

    assert message is not None
    assert message.place.thread == "1700000000001"


def test_two_tenants_in_one_activity_are_nobodys() -> None:
    """T15."""
    with pytest.raises(BadPayload, match="two tenants"):
        said(conversation={"id": ROOM, "conversationType": "channel", "tenantId": "other"})


@pytest.mark.parametrize("name", ["id", "replyToId", "serviceUrl"])
@pytest.mark.parametrize("hidden", ["a\nb", "a\u202eb", "a\x00b"])
def test_an_id_that_hides_something_is_no_id(name: str, hidden: str) -> None:
    """T13: ids become keys and lines of logs."""
    with pytest.raises(BadPayload, match=name):
        Inbound.of({**SAID, name: hidden})


def test_somebody_without_an_object_id_is_who_the_roster_says() -> None:
    assert Inbound.of({**SAID, "from": {"id": "29:ana"}}).by.user == "29:ana"


# ---------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<at>Countersign</at>&nbsp;deploy the Countersign queue", "@countersign deploy the Countersign queue"),
        ("<at>Countersign</at>deploy", "@countersign deploy"),
        ("run <at>Countersign</at> &lt;div&gt; a &amp; b <x> <y z='1'>", "run @countersign <div> a & b <x> <y z='1'>"),
        ("<div><p>one<br/>two</p></div><at>Countersign</at>", "one\ntwo\n\n@countersign"),
        ("a\r\nb &notit; &#x41;&#66; &amp;lt;", "a\nb &notit; AB &lt;"),
        ("<at>Countersign</at> \u00a0 ", ""),
        ('<at id="0">Somebody</at> hello', "Somebody hello"),
        ("\ud800 half", "? half"),
    ],
)
def test_what_somebody_wrote_is_read_as_they_saw_it(text: str, read: str) -> None:
    """The mention goes by its entity, not by its name; a literal `<x>` of the task survives."""
    assert reading.words(said(text)) == read


def test_whom_else_somebody_mentions_is_called_by_name_and_by_id_where_that_is_wanted() -> None:
    bo = {"type": "mention", "text": "<at>Bo B</at>", "mentioned": {"id": "29:bo", "aadObjectId": "bo-id"}}
    inbound = said("<at>Countersign</at> away until Mon, <at>Bo B</at> decides", entities=[bo, MENTION])

    assert reading.words(inbound) == "@countersign away until Mon, @Bo B decides"
    assert reading.words(inbound, by_id=True) == "@countersign away until Mon, @bo-id|Bo B decides"


def test_a_mentions_words_said_a_thousand_times_are_one_mention_and_one_text() -> None:
    """AS-11: 200,000 of them, beside 99 others who are named nowhere, once held everybody up for two seconds."""
    others = [{**MENTION, "text": f"somebody {number}"} for number in range(99)]
    inbound = said("a" * 200_000, entities=[{**MENTION, "text": "a"}, *others])

    mention, text = reading._pieces(inbound)

    assert (mention, text) == (next(reading.mentions(inbound)), "a" * 199_999)


@pytest.mark.parametrize("entities", [[None], ["x"], [{"type": "mention"}], [{"type": "mention", "mentioned": 7}], []])
def test_a_mention_that_is_none_is_none(entities: list[Any]) -> None:
    message = reading.message(said(entities=entities))

    assert message is not None
    assert (message.is_mention, message.text) == (False, "Countersign deploy api")


# ------------------------------------------------------------ coming again


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ({"id": "2"}, True),
        ({"id": "2", "timestamp": "2026-11-20T10:00:30Z"}, True),
        ({"id": "2", "text": "<at>Countersign</at> deploy web"}, False),
        ({"id": "2", "from": {"id": "29:bo"}}, False),
        ({"id": "2", "conversation": {"id": ROOM, "conversationType": "channel"}}, False),
    ],
)
def test_which_message_is_the_first_one_again(changed: dict[str, Any], is_same: bool) -> None:
    """T12: the same person, conversation and words; a task's time may be another one."""
    first, second = said(), said(**changed)
    one, other = reading.message(first), reading.message(second)
    assert one is not None
    assert other is not None

    assert (reading.same(first, one) == reading.same(second, other)) is is_same


@pytest.mark.parametrize("text", ["<at>Countersign</at> yes", "<at>Countersign</at> pending"])
def test_a_word_said_later_is_another_one(text: str) -> None:
    first, second = said(text), said(text, timestamp="2026-11-20T10:00:30Z", id="2")
    one, other = reading.message(first), reading.message(second)
    assert one is not None
    assert other is not None

    assert reading.same(first, one) != reading.same(second, other)
    again = said(text, id="2")
    assert reading.same(first, one) == reading.same(again, replace(one, delivery="2"))


# -------------------------------------------------------------------- presses


def test_a_press_carries_what_was_typed_and_where_it_stood() -> None:
    press = reading.executed(Inbound.of(PRESSED))

    assert press is not None
    handed = press.handed(REF)
    assert isinstance(handed, Form)
    assert (handed.subject, handed.move, handed.token, handed.fields) == ("q-1", "approve", "tok", {"why": "because"})
    assert (press.stood, press.about, press.is_listed) == (REF, REF, False)


def test_a_button_without_inputs_is_a_click() -> None:
    value = {"action": {"verb": "cs.approve", "data": presses.data(BUTTON)}}

    press = reading.executed(Inbound.of({**PRESSED, "value": value}))

    assert press is not None
    assert isinstance(press.handed(REF), Click)


@pytest.mark.parametrize("text", ["", "x", "1", "1[]", "list ", "list 1{}", "\ud800", "[" * 99])
def test_what_names_no_message_is_none(text: str) -> None:
    """T13."""
    assert reading.read_behind(text) is None


def test_what_a_dialog_carries_comes_back_as_it_was() -> None:
    assert reading.read_behind(reading.behind(REF)) == REF
    assert reading.read_behind(reading.in_list(REF)) == REF
    hidden = replace(REF, id="1\n2")
    assert reading.read_behind(reading.behind(hidden)) is None


# --------------------------------------------------------------- given, thumbs


def test_a_given_message_is_read_from_its_html() -> None:
    found = reading.given(Inbound.of(GIVEN))

    assert found is not None
    assert (found.author, found.text, found.thread) == ("bo-id", "pay me\na <b> c", "1700000000000")
    assert found.about.id == "1700000000005"


# ------------------------------------------------------------------- hostile

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
TIMES = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
LEAVES = st.sampled_from(["", " ", "\n", "\ud800", "x" * 2_000, *TIMES])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in _paths(child, (*path, key)))]


def _put(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return whole


def _read_all(raw: Any) -> None:
    inbound = Inbound.of(raw)
    for reader in (reading.message, reading.executed, reading.in_dialog, reading.given, reading.reaction):
        try:
            found = reader(inbound)
        except BadPayload:
            continue
        if isinstance(found, reading.Press):
            found.handed(REF)
            assert found.about is None or found.about.id.isprintable()
        if reader is reading.message and found is not None:
            reading.same(inbound, found)  # type: ignore[arg-type]  # a message
    json.dumps([inbound.place.key, inbound.by.user, inbound.activity, inbound.stamp]).encode()
    inbound.place.key.encode()


@pytest.mark.parametrize("base", [SAID, PRESSED, GIVEN], ids=["said", "pressed", "given"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_hostile_activity_is_read_or_refused_and_nothing_else(base: dict[str, Any], data: st.DataObject) -> None:
    """T11: whatever stands wherever, BadPayload is all that is raised, and every id can be written down."""
    raw = copy.deepcopy(base)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(raw)))
        raw = _put(raw, path, data.draw(JSON | LEAVES))
    with contextlib.suppress(BadPayload):
        _read_all(raw)


# -------------------------------------------------------------------- answers


def test_every_answer_is_pure_json() -> None:
    """D18: what a serialiser would have to guess is not there."""
    card = {"type": "AdaptiveCard", "body": ({"type": "TextBlock"},)}
    for reply in (
        answers.words("x"),
        answers.card(card),
        answers.error(400, "BadRequest", "x"),
        answers.dialog(card, "Title\nof it"),
        answers.notice("x"),
        answers.empty(),
    ):
        assert reply.status == 200
        assert json.loads(json.dumps(reply.body)) == reply.body


def test_no_answer_is_empty_or_without_end() -> None:
    """vercel/chat#731: an empty invoke answer is an error, and a second delivery."""
    for said_nothing in (None, Answer(is_taken=True, text=""), Answer(is_taken=False, text=" ")):
        assert answers.told(said_nothing).strip()
    long = answers.words("x" * 100_000).body
    assert long is not None
    assert len(long["value"]) <= answers.WORDS_MOST
