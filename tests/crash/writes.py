"""Every durable write of the stories about what an agent asks besides a signature: each has a kill before and after it.

Kept whole by `test_matrix`: a story that writes something which does not stand here fails. Only where a process lives
and how often a picture was drawn again is left out: `signed` has a point for the one, and chance decides the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Write = tuple[str, str]  # its name among the moments (`doom`), and what it is in words

BEGINS: tuple[Write, ...] = (
    ("start", "the run"),
    ("thought", "what the model wants"),
    ("shown run", "that the status message stands"),
)
ENDS: tuple[Write, ...] = (
    ("end", "the end of the run"),
    ("shown note", "that the answer stands"),
    ("shown run#2", "that the status message shows another state"),
)

WRITES: Mapping[str, tuple[Write, ...]] = {
    "filled": (
        *BEGINS,
        ("request", "the form"),
        ("shown card", "that the form's card stands"),
        ("refusal", "that the first attempt does not fit"),
        ("answer", "what was filled in"),
        ("result", "what the agent is told of it"),
        ("shown card#2", "that the form's card is settled"),
        ("thought#2", "the model's answer"),
        *ENDS,
    ),
    "drafted": (
        *BEGINS,
        ("request", "the draft that is shown"),
        ("shown card", "that the draft's card stands"),
        ("answer", "the feedback"),
        ("result", "what the agent is told of the feedback"),
        ("thought#2", "that the model wants to show another version"),
        ("request#2", "the second version"),
        ("shown card#2", "that a card changed or came"),
        ("shown card#3", "that another card changed or came"),
        ("answer#2", "that the second version is accepted"),
        ("result#2", "what the agent is told of it"),
        ("shown card#4", "that both cards are settled"),
        ("thought#3", "the model's answer"),
        *ENDS,
    ),
    "planned": (
        *BEGINS,
        ("request", "the plan"),
        ("shown card", "that the plan's card stands"),
        ("answer", "the plan without its first step"),
        ("result", "what the agent is told of the plan"),
        ("thought#2", "that the model wants the step that is left"),
        ("request#2", "the request to sign that step"),
        ("shown card#2", "that a card changed or came"),
        ("shown card#3", "that another card changed or came"),
        ("decision", "the signature under that step"),
        ("spend", "that the signature is used up"),
        ("result#2", "what became of that step"),
        ("shown card#4", "that both cards are settled"),
        ("thought#3", "the model's answer"),
        *ENDS,
    ),
    "turned": (
        *BEGINS,
        ("request", "what the agent hands over with"),
        ("shown card", "that its card stands"),
        ("answer", "the no"),
        ("result", "what the agent is told of it"),
        ("shown card#2", "that its card is settled"),
        ("thought#2", "the model's answer"),
        *ENDS,
    ),
    "changed": (
        ("decision", "the signature under a call of the old program"),
        ("shown run", "that the status message shows another state"),
        ("shown card", "that the old card is settled"),
        ("sleep", "that the signature under it is void"),
        ("request", "the question what becomes of the run"),
        ("shown card#2", "that the old card says so, or the question's stands"),
        ("shown card#3", "that the old card says so and the question's stands"),
        ("answer", "that it begins again"),
        ("result", "that the old run has heard so"),
        ("start", "the new run"),
        ("end", "the end of the old run"),
        ("thought", "the first step of the new program"),
        ("thought#2", "what the model wants in the new run"),
        ("request#2", "the same call, to be signed anew"),
        ("shown run#2", "that a status message stands or changed"),
        ("shown note", "that the end of a run stands"),
        ("shown card#4", "that a card changed or came"),
        ("shown card#5", "that another card changed or came"),
        ("decision#2", "the signature under the new call"),
        ("spend", "that this signature is used up"),
        ("result#2", "what became of the call"),
        ("thought#3", "the model's answer"),
        ("end#2", "the end of the new run"),
        ("shown note#2", "that the answer stands"),
        ("shown run#3", "that a status message shows another state"),
    ),
    "budgeted": (
        *BEGINS,
        ("begin", "the start of the first call"),
        ("result", "what became of the first call"),
        ("thought#2", "that the model wants a second one"),
        ("begin#2", "the start of the second call"),
        ("result#2", "what became of the second call"),
        ("request", "the question whether it may go on"),
        ("shown card", "that the question's card stands"),
        ("answer", "that it may go on"),
        ("result#3", "that the run has heard so"),
        ("shown card#2", "that the question's card is settled"),
        ("thought#3", "the model's answer"),
        *ENDS,
    ),
}
ABOUT: Mapping[str, str] = {
    "filled": "a form",
    "drafted": "a draft",
    "planned": "a plan",
    "turned": "a handover to who asked",
    "changed": "another program",
    "budgeted": "a budget",
}
FIRST: Mapping[str, str] = {"changed": "before press by bo"}  # where the old program's process always dies


def rows() -> Iterator[tuple[str, ...]]:
    """Story, moment, sentence, and where a process dies first."""
    for story, writes in WRITES.items():
        for write, what in writes:
            first = FIRST.get(story, "")
            yield story, f"before {write}", f"{ABOUT[story]}: {what} is about to be written", first
            yield story, f"after {write}", f"{ABOUT[story]}: {what} is written, and nobody knows", first
