"""A small world for the policy: the shipped tools by hand, the people, and short ways to ask."""

from __future__ import annotations

import json
from pathlib import Path

from bot.domain.calls import Past, Risk, ToolCall, ToolSpec, make_call
from bot.domain.chat import Person, PersonId, Place
from bot.domain.policy import Facts, Policy
from bot.domain.verdict import Verdict
from bot.domain.wire import Json
from bot.policyfile import parse_policy

ROOT = Path(__file__).parents[2]
PLACE = Place(platform="playground", tenant="local", channel="general")
ANA = Person(id=PersonId("ana"), name="Ana", groups=frozenset({"sales"}), manager=PersonId("dana"))


def spec(name: str, risk: Risk, *args: str, touches: tuple[str, ...] = (), secrets: tuple[str, ...] = ()) -> ToolSpec:
    schema = json.dumps({"type": "object", "properties": {arg: {} for arg in args}})
    return ToolSpec(name=name, version="1", description="", schema=schema, risk=risk, touches=touches, secrets=secrets)


SPECS = (
    spec("look_up_order", Risk.READ, "order_id", touches=("orders",)),
    spec("refund", Risk.WRITE, "order_id", "amount", "reason", touches=("money",)),
    spec("cancel_order", Risk.WRITE, "order_id", "reason", touches=("orders",)),
    spec("send_email", Risk.IRREVERSIBLE, "to", "subject", "body", touches=("mail",)),
    spec("read_file", Risk.READ, "path", touches=("files",)),
    spec("list_files", Risk.READ, "path", touches=("files",)),
    spec("write_file", Risk.WRITE, "path", "content", touches=("files",)),
    spec("delete_file", Risk.IRREVERSIBLE, "path", touches=("files",)),
    spec("http_get", Risk.READ, "url", touches=("network",)),
    spec("http_post", Risk.IRREVERSIBLE, "url", "body", touches=("network",)),
)
SHIPPED_TOO = (  # named by the shipped policy, and by no other here
    spec("buy", Risk.IRREVERSIBLE, "quantity", "unit_price", "currency", "total", touches=("money",)),
    spec("publish", Risk.IRREVERSIBLE, "name", "text", touches=("publication",)),
    spec("remember_preference", Risk.WRITE, "name", "value", touches=("preferences",)),
    spec("invent_table", Risk.WRITE, "path", "rows", touches=("files",)),
)
BY_NAME = {one.name: one for one in SPECS}


def call(tool: str, **args: Json) -> ToolCall:
    return make_call(id="1", tool=tool, version="1", args=args)


def past(tool: str, **args: Json) -> Past:
    return Past(tool=tool, args=call(tool, **args).args)


def facts(*history: Past, requester: Person = ANA, agent: str = "react") -> Facts:
    return Facts(requester=requester, place=PLACE, agent=agent, history=history)


def policy(text: str) -> Policy:
    return parse_policy(text.encode())


def decide(text: str, wanted: ToolCall, tool: ToolSpec | None = None, *, given: Facts | None = None) -> Verdict:
    """What the policy in *text* says of *wanted*; an unlisted tool is one that only writes."""
    known = tool or BY_NAME.get(wanted.tool) or spec(wanted.tool, Risk.WRITE)
    return policy(text).decide(wanted, known, given or facts())
