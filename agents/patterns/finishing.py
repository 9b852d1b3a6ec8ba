"""A finish by a call: the answer, and what people may want to do next (ST-17).

An agent that lists `finish` among its tools may end its turn with it. It is taken alone or not at all: beside other
calls of one turn it is refused, and so are they, because none of them would be waited for (D-36). Words end nothing
but the turn they are said in.
"""

from __future__ import annotations

from agents.patterns.calls import Offer, Values

FINISH = "finish"
FINISHES = Offer(calls=(FINISH,), must=False)
NEXT = "Next steps"


def finished(values: Values) -> str:
    """The answer as people read it, its next steps below."""
    steps = [f"• {step}" for step in values.get("next_steps") or ()]
    return "\n".join([str(values["answer"]), *(["", NEXT, *steps] if steps else [])])
