"""Evidence and sources: bounded, inert, apart from the arguments, and nothing that decides."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import evidence
from bot.domain.calls import Evidence, Outcome, Past
from bot.domain.chat import Block, Card
from bot.domain.details import details
from bot.domain.inert import is_hidden, show
from bot.domain.render import card
from bot.domain.request import Request, RequestId
from bot.domain.sheet import Sheet
from bot.domain.sheet_card import sheet_card
from bot.domain.verdict import ReasonRule
from bot.domain.wire import pack, unpack
from tests.domain.given import NAMES, ask, call, drawn, request, spec

PIECE = st.builds(Evidence, label=st.text(), text=st.text(max_size=5_000), is_failed=st.booleans())
PIECES = st.lists(PIECE, max_size=14)


def pieces(card: Card) -> list[Block]:
    return [block for block in card.blocks if evidence.LABEL in block.label]


# ---------------------------------------------------------------------- kept


@given(PIECES)
def test_whatever_is_found_is_kept_within_bounds_and_can_be_written_down(found: list[Evidence]) -> None:
    """A request is written again with every vote: however much a tool finds, so much of it stays."""
    kept = evidence.kept(found, ())

    assert len(kept) <= evidence.PIECES_MOST + 1
    assert sum(len(one.text) for one in kept) <= evidence.ALL_MOST + 60 * len(kept)
    asked = request(evidence=kept)
    assert unpack(Request, pack(asked)) == asked


def test_every_cut_is_said() -> None:
    """A reader who is shown a part knows that it is one."""
    (long,) = evidence.kept([Evidence(label="Rows", text="x" * 30_000)], ())
    many = evidence.kept([Evidence(label=f"{n}", text="x") for n in range(13)], ())

    assert long.text.endswith("… cut: 30,000 characters in all")
    assert many[-1].text == "3 more pieces were found and are not kept"
    assert many[-1].is_failed


def test_secrets_are_blotted_out_before_anything_is_kept() -> None:
    """T20: in labels and texts; the record must not hold them a second time."""
    (kept,) = evidence.kept([Evidence(label="of s3cr3t", text="s3cr3t!")], ("s3cr3t",))

    assert (kept.label, kept.text) == ("of ••••", "••••!")


def test_a_record_of_before_has_no_evidence() -> None:
    """Old bytes still read; nothing is added to the bytes of a request without any."""
    assert b"evidence" not in pack(request())
    assert unpack(Request, pack(request())).evidence == ()


# -------------------------------------------------------------------- on cards


@given(st.text(min_size=1, max_size=200), st.booleans())
def test_evidence_on_a_card_hides_nothing(text: str, is_failed: bool) -> None:
    """T04: every hidden character is spelled out."""
    kept = evidence.kept([Evidence(label=text, text=text, is_failed=is_failed)], ())

    for block in pieces(drawn(request(evidence=kept))):
        assert not any(is_hidden(char) for char in block.text if char not in "\n\t")
        assert not any(is_hidden(char) for char in block.label)


def test_evidence_stands_below_the_arguments_and_above_the_agents_words() -> None:
    """PN-13: apart from both, under a label that says whose it is."""
    seen = drawn(request(evidence=(Evidence(label="Rows", text="3"),), why="trust me"))

    labels = [block.label for block in seen.blocks]
    assert labels.index("Arguments") < labels.index(f"{evidence.LABEL}: Rows")
    assert labels.index(f"{evidence.LABEL}: Rows") < labels.index("Why, in the agent's words (not verified)")


def test_the_same_call_with_other_evidence_has_the_same_digest_and_buttons() -> None:
    """What is signed are the arguments."""
    one, other = (drawn(request(evidence=(Evidence(label="Rows", text=text),))) for text in ("3", "4"))

    assert one.buttons == other.buttons
    assert one.facts == other.facts


def test_too_much_evidence_for_a_card_is_attached_whole_and_marked_as_nothing_to_sign() -> None:
    """Each piece keeps its beginning on the card, with the name, length and hash of its file."""
    text = "row\n" * 1_000
    seen = drawn(request(evidence=tuple(Evidence(label=f"{n}", text=text) for n in range(3))))

    assert [file.name for file in seen.attachments] == ["evidence-1.txt", "evidence-2.txt", "evidence-3.txt"]
    assert all(file.is_aside and file.content.decode() == text for file in seen.attachments)
    for block, file in zip(pieces(seen), seen.attachments, strict=True):
        sha256 = hashlib.sha256(file.content).hexdigest()
        assert f"(4,000 characters in all: {file.name}, sha256 {sha256})" in block.text


def test_many_short_pieces_do_not_push_the_buttons_off_the_screen() -> None:
    """All pieces of a card together have a bound, too."""
    seen = drawn(request(evidence=tuple(Evidence(label=f"{n}", text="x" * 1_400) for n in range(6))))

    assert sum(len(block.text) for block in pieces(seen)) < evidence.CARD_ALL_MOST + 6 * (evidence.BEGINNING + 150)
    assert len(seen.attachments) == 4


def test_details_hold_all_of_it() -> None:
    """Whoever opens them needs no file."""
    text = "row\n" * 1_000
    asked = request(evidence=(Evidence(label="Rows", text=text),), sources=tuple(f"place {n}" for n in range(15)))

    shown = details(asked, spec(), NAMES, "")

    assert any(block.text == text for block in shown.blocks)
    assert "place 14" in "".join(block.text for block in shown.blocks)


def test_a_gone_tool_shows_no_value_of_its_call_through_evidence() -> None:
    """T20: any argument may have been secret; none of them is shown, here neither."""
    asked = request(call=call({"pin": "canary-4711"}), evidence=(Evidence(label="x", text="pin canary-4711"),))

    shown = card(asked, None, names=NAMES, seal=lambda move: move)

    assert "canary" not in str(shown)


def test_a_sheet_has_a_line_for_each_item_and_the_rest_in_a_file() -> None:
    """By number, as the items are; what a line cuts is attached."""
    rule = ask(is_batch=True, reason=ReasonRule.ON_REJECT)
    items = tuple(
        request(id=RequestId(f"q{n}"), ask=rule, call=call({"order_id": str(n), "amount": n}), evidence=found)
        for n, found in enumerate(
            [
                (Evidence(label="left", text="10"),),
                (Evidence(label="left", text="20 " * 100),),
                (Evidence(label="left", text="no answer", is_failed=True),),
            ],
            1,
        )
    )

    shown = sheet_card(Sheet(items=items), spec=lambda _: spec(), names=NAMES, seal=lambda move: move)
    short = sheet_card(Sheet(items=items[:1] + items[2:]), spec=lambda _: spec(), names=NAMES, seal=lambda move: move)

    (block,) = pieces(shown)
    lines = block.text.splitlines()
    assert lines[0] == "1. left: 10"
    assert lines[1].startswith("2. left: 20 20")
    assert lines[2] == "3. left: could not be worked out: no answer"
    assert [file.name for file in shown.attachments] == ["evidence.txt"]
    assert ("20 " * 100).strip() in shown.attachments[0].content.decode()
    assert short.attachments == ()


# -------------------------------------------------------------------- sources


def past(*sources: str, outcome: Outcome | None = Outcome.OK) -> Past:
    return Past(tool="look", args="{}", outcome=outcome, sources=sources)


def test_sources_are_named_once_and_only_of_looks_that_were_had() -> None:
    """AS-28: each place once, in the order it was looked up."""
    history = (past("a", "b"), past("b", "c"), past("failed", outcome=Outcome.ERROR), past("waits", outcome=None))

    assert evidence.looked_up(history) == ("a", "b", "c")
    assert [one.sources for one in evidence.plain(history)] == [()] * 4


def test_of_many_sources_the_latest_stand_on_the_card_and_it_says_so() -> None:
    """AS-28: bounded, and inert."""
    named = evidence.looked_up([past(*(f"place {n}\u202e" for n in range(30)))])
    seen = drawn(request(sources=named))

    assert named[0] == "(10 earlier ones are not named)"
    assert len(named) == evidence.SOURCES_MOST + 1
    (block,) = [block for block in seen.blocks if block.label == evidence.LOOKED_UP]
    assert block.text.endswith(f"and {len(named) - evidence.SOURCES_ON_CARD} more")
    assert show("\u202e") in block.text
    assert "\u202e" not in block.text


def test_evidence_of_many_lines_pushes_nothing_out_of_sight() -> None:
    """T01: what a repository or a server wrote stands in it; a thousand empty lines would hide what is asked."""
    long = Evidence(label="x", text="\n" * 1_000 + "end")

    shown = evidence.on_card(request(evidence=(long,)), ())

    assert shown.blocks[0].text.count("\n") < 40
    assert shown.attachments[0].content == long.text.encode()
