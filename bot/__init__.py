"""Countersign: agents act, people sign.

| step | file |
|---|---|
| 1 a chat event arrives, is authentic, is new | `adapters/*/` |
| 2 it becomes a task and a run on a shard | `runtime/intake.py`, `store/scripts.lua` |
| 3 the agent thinks; each step is journalled | `agents/react.py`, `runtime/journal.py` |
| 4 it calls a tool; the gate asks the policy | `runtime/passage.py`, `domain/policy.py` |
| 5 a request is opened: record, ladder, outbox row, audit, in one step | `domain/request.py`, `store/scripts.lua` |
| 6 its card is posted, and its message reference stored | `domain/render.py`, `runtime/outbox.py`, `adapters/*/` |
| 7 the coroutine sleeps; idle long enough, it leaves memory altogether | `runtime/host.py`, `runtime/runner.py` |
| 8 a click: was it offered, may they; the vote is written, then acked | `runtime/desk.py`, `runtime/ballot.py` |
| 9 the first decision stands; later clickers are told | `domain/request.py`, `store/scripts.lua` |
| 10 the coroutine wakes: here, or by replay where the shard is owned | `runtime/runner.py`, `runtime/journal.py` |
| 11 the approval is spent and the stored bytes run, once | `runtime/work.py`, `agents/toolbox.py` |
| 12 every copy of the card shows the end; the audit links it all | `runtime/outbox.py`, `domain/audit.py` |
"""

__version__ = "0.1.0"
