"""The fifteen promises, checked from the audit alone: `check(entries) -> violations`.

Written from the promises I1–I15, not from the code that keeps them: nothing here imports
the table of moves, and the quorum is counted anew. The chain itself is `audit.verify_chain`'s.

    entries -> Log: by request, by run, by step -> one small function per invariant

Two readings, both on the side of what people can be held to:
- A render with buttons that was drawn before the decision may be *confirmed* after it (I3): the render's
  version tells. What counts is that no later picture has buttons, and that every copy ends without.
- A rejection needs no complete render (I8): refusing what one cannot see whole is always safe.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import quote

from bot.domain import alone
from bot.domain.audit import Entry, Violation
from bot.domain.by_hand import begun_by_hand
from bot.domain.climbed import climbed
from bot.domain.granting import granted
from bot.domain.history import Case, Found, Log, lacks, ms, same
from bot.domain.over import after_end
from bot.domain.quorum import quorum, separation

FORM = "form"  # the copy name of an edit form: seen by its editor alone, gone when it is sent


def check(entries: Iterable[Entry], *, is_quiet: bool = False, canaries: Sequence[str] = ()) -> list[Violation]:
    """Every promise that *entries* show broken, in order of the log.

    *entries* are whole shards, from their beginning. *is_quiet* says that nothing is under way any more:
    only then must everything have ended. *canaries* are secrets that must not occur in any body.
    """
    log = Log(entries, is_quiet=is_quiet, canaries=canaries)
    found = [one for name, promise in INVARIANTS.items() for one in _judge(name, promise, log)]
    return sorted(found, key=lambda one: (one.shard, one.seq, one.invariant))


def _judge(name: str, promise: Callable[[Log], Found], log: Log) -> list[Violation]:
    """A log that cannot be judged is not a log that keeps its promises."""
    try:
        return [_violation(name, entry, told) for entry, told in promise(log)]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        return [_violation(name, entry, f"cannot be judged: {error!r}") for entry in log.entries[-1:]]


def _violation(name: str, entry: Entry, told: str) -> Violation:
    return Violation(invariant=name, shard=entry.shard, seq=entry.seq, subject=entry.subject, told=told)


# ------------------------------------------------------------ what may run


def gate(log: Log) -> Found:
    """I1: nothing starts without an earlier approval, or a rule's leave, for the same bytes."""
    for step in log.steps.values():
        for entry in step:
            if entry.event == "tool_started" and not _may_start(log, entry, step):
                yield entry, f"{entry.fields['tool']} was started without leave for these bytes"
        yield from _unstarted(step)
    yield from granted(log)
    yield from begun_by_hand(log)


def _unstarted(step: Sequence[Entry]) -> Found:
    """Ends without a start: a call ran that nobody saw begin."""
    running = 0
    for entry in step:
        running += entry.event == "tool_started"
        if entry.event == "tool_finished" and entry.fields["outcome"] != "not_run":
            if not running:
                yield entry, "a call finished that had not started"
            running = max(running - 1, 0)


def _may_start(log: Log, start: Entry, step: Sequence[Entry]) -> bool:
    wanted = start.fields["request"]
    if wanted is None:
        allowed = [one for one in step if one.event == "call_allowed" and one.seq < start.seq]
        return any(same(one, start, "tool", "digest") for one in allowed)
    case = log.requests[wanted]
    approvals = [one for one in case.decisions if one.fields["status"] == "approved" and one.seq < start.seq]
    is_approved = any(same(one, start, "digest") for one in approvals)
    return is_approved and any(same(one, start, "run", "path", "tool", "digest") for one in case.openings)


def once(log: Log) -> Found:
    """I2: a call starts once; again only with the same key and a higher epoch, or with a recovery's approval."""
    for step in log.steps.values():
        starts = [entry for entry in step if entry.event == "tool_started"]
        for n, (before, again) in enumerate(pairwise(starts), start=1):
            if not _is_rerun(before, again) and not _is_recovery(log, again, starts[:n]):
                yield again, f"{again.fields['tool']} was started a second time"


def _is_rerun(before: Entry, again: Entry) -> bool:
    is_idempotent = before.fields["idempotent"] and again.fields["idempotent"]
    return (
        bool(is_idempotent and same(before, again, "key", "digest")) and before.fields["epoch"] < again.fields["epoch"]
    )


def _is_recovery(log: Log, start: Entry, earlier: Sequence[Entry]) -> bool:
    """A recovery's approval is a new leave, for one start."""
    wanted = start.fields["request"]
    if wanted is None or any(one.fields["request"] == wanted for one in earlier):
        return False
    return any(one.fields["kind"] == "recovery" for one in log.requests[wanted].openings)


# -------------------------------------------------------------- one answer


def one_end(log: Log) -> Found:
    """I3: one opening, one decision; no vote, escalation or new picture with buttons after it, nor after its run."""
    yield from after_end(log)
    for case in log.requests.values():
        yield from ((entry, "this request id was used before") for entry in case.openings[1:])
        yield from ((entry, "a second decision") for entry in case.decisions[1:])
        end = case.decision
        if end is None:
            continue
        late = [entry for entry in case.entries if (entry.shard, entry.seq) > (end.shard, end.seq)]
        yield from ((entry, "a vote was counted after the decision") for entry in late if entry.event == "vote_counted")
        rungs = (entry for entry in late if entry.event == "rung_fired" and entry.fields["do"] != "expire")
        yield from ((entry, "the ladder went on after the decision") for entry in rungs)
        yield from ((entry, "a copy was sent after the decision") for entry in late if entry.event == "copy_sent")
        yield from _late_buttons(case, late, is_quiet=log.is_quiet)


def _late_buttons(case: Case, late: Sequence[Entry], *, is_quiet: bool) -> Found:
    """Pictures with buttons that cannot have been drawn before the decision, or that stay for good."""
    cards = [entry for entry in case.shown if entry.fields["copy"] != FORM]
    ends = [one for one in cards if not one.fields["buttons"] and not one.fields.get("open")]
    first_without = min((one.fields["version"] for one in ends), default=None)
    for entry in cards:
        is_new = first_without is not None and entry.fields["version"] >= first_without
        if entry in late and entry.fields["buttons"] and is_new:
            yield entry, "a card with buttons was drawn after the decision"
    if is_quiet:
        lost = {entry.fields["copy"] for entry in late if entry.event == "card_lost"}  # nobody can take them
        last = {entry.fields["copy"]: entry for entry in cards if entry.fields["copy"] not in lost}
        yield from ((entry, "this copy kept its buttons") for entry in last.values() if entry.fields["buttons"])


def fail_closed(log: Log) -> Found:
    """I6: a refusal stands; silence never approves; what expires does so at its deadline, not before."""
    for case, opening in log.opened:
        deadline = opening.fields["deadline_ms"]
        for end in case.decisions:
            status = end.fields["status"]
            moves = {vote.fields["move"] for vote in case.votes if vote.seq < end.seq}
            if status == "approved" and "reject" in moves:
                yield end, "approved although somebody rejected it"
            if status == "approved" and deadline is not None and ms(end) >= deadline:
                yield end, "approved at or after the deadline"
            if status == "expired" and (deadline is None or ms(end) < deadline):
                yield end, "expired before the deadline"
            needed = {"approved": alone.SIGNED, "rejected": ("reject",), "answered": ("answer",)}.get(status)
            if needed and moves.isdisjoint(needed):
                yield end, f"{status} without anybody's vote"


def freshness(log: Log) -> Found:
    """I7: votes come before the deadline, the start within the execution window."""
    for case, opening in log.opened:
        deadline, window = opening.fields["deadline_ms"], opening.fields["exec_window_ms"]
        for vote in case.votes:
            if deadline is not None and ms(vote) >= deadline:
                yield vote, "a vote was counted at or after the deadline"
        if case.decision and case.starts and ms(case.starts[0]) > ms(case.decision) + window:
            yield case.starts[0], "started after the execution window"


# ---------------------------------------------------------- what was shown


def seen(log: Log) -> Found:
    """I8: whoever signed had the whole call before them, in the very message they signed; and high risk its details."""
    for case, opening in log.opened:
        yield from alone.unread(case, opening)
        for vote in case.votes:
            if vote.fields["move"] == "reject":
                continue
            renders = [one for one in case.shown if one.seq < vote.seq and one.fields["ref"] == vote.fields["ref"]]
            if not any(one.fields["complete"] and one.fields["digest"] == opening.fields["digest"] for one in renders):
                yield vote, "a vote without a complete picture of the call in its message"


def binding(log: Log) -> Found:
    """I9: a vote names a message of this request, its bytes and its policy; so does the decision."""
    for case, opening in log.opened:
        for vote in case.votes:
            if not any(one.seq < vote.seq and one.fields["ref"] == vote.fields["ref"] for one in case.shown):
                yield vote, f"the vote comes from {vote.fields['ref']}, where this request was not shown"
            if not same(vote, opening, "digest", "policy"):
                yield vote, "the vote is for another call or another policy"
        for end in case.decisions:
            if not same(end, opening, "digest"):
                yield end, "the decision is about another call"


def deliveries(log: Log) -> Found:
    """I10: one delivery changes state once."""
    known: set[str] = set()
    for entry in log.entries:
        if entry.event == "vote_counted" and entry not in log.malformed:
            if entry.fields["delivery"] in known:
                yield entry, f"delivery {entry.fields['delivery']} was counted twice"
            known.add(entry.fields["delivery"])


# ------------------------------------------------------------------- time


def nothing_lost(log: Log) -> Found:
    """I12: every request ends, its run hears of it once and truly, and every start gets an outcome.

    The review of broken glass is no step of a run: it may wait for people when all else is quiet, and is told to none.
    """
    for case, opening in log.opened:
        if opening.fields["kind"] == alone.REVIEW:
            continue
        yield from _resumed(log, case, opening)
        if log.is_quiet and not case.decisions:
            yield opening, "this request never ended"
    for (run, _), step in log.steps.items():
        starts = [entry for entry in step if entry.event == "tool_started"]
        ends = [entry for entry in step if entry.event == "tool_finished"]
        if log.is_quiet and starts and not ends and not log.ended(run):
            yield starts[-1], "a call was started and its outcome never told"


def _resumed(log: Log, case: Case, opening: Entry) -> Found:
    resumed, end = case.of("run_resumed"), case.decision
    for position, entry in enumerate(resumed):
        if position > 0:
            yield entry, "the run was resumed twice for one request"
        if end is None or end.seq > entry.seq or end.fields["status"] != entry.fields["status"]:
            yield entry, f"the run was told {entry.fields['status']}, which was not decided"
    is_due = end is not None and end.fields["status"] != "superseded" and not log.ended(opening.fields["run"])
    if log.is_quiet and is_due and not resumed:
        yield opening, "the run was never told of the decision"


def versions(log: Log) -> Found:
    """I13: one open version of a call at a time; a new one only takes the place of a superseded one."""
    for step in log.steps.values():
        openings = [entry for entry in step if entry.event == "request_opened"]
        for before, after in pairwise(openings):
            if not any(end.seq < after.seq for end in log.requests[before.fields["request"]].decisions):
                yield after, f"opened while {before.fields['request']} was still open"
    taken: set[str] = set()
    for _, opening in log.opened:
        old = opening.fields.get("replaces")
        if old is None:
            continue
        if old in taken:
            yield opening, f"{old} was replaced twice"
        taken.add(old)
        case = log.requests.get(old)
        if case is None or not case.is_decided("superseded") or case.decisions[0].seq > opening.seq:
            yield opening, f"it replaces {old}, which was not superseded before"
        elif not same(case.openings[0] if case.openings else case.decisions[0], opening, "run", "path"):
            yield opening, f"it replaces {old}, a request of another step"


# -------------------------------------------------------- whose and whether


def isolation(log: Log) -> Found:
    """I14: everything about a request is of one tenant; on a second platform, of one tenant there.

    Where its run came from may show nothing of it: a rule may name a channel on another platform.
    """
    for case, opening in log.opened:
        started = [one for one in log.runs.get(opening.fields["run"], ()) if one.event == "run_started"]
        if any(not same(one, opening, "tenant") for one in started):
            yield opening, "the request is of another tenant than its run"
        tenants: dict[str, str] = {}
        for entry in case.entries:
            for platform, tenant in _tenants(entry):
                if tenants.setdefault(platform, tenant) != tenant:
                    yield entry, f"{platform} tenant {tenant} in a request of {tenants[platform]}"
        homes = {str(one.fields.get("place", "")).partition("/")[0] for one in started}
        is_abroad = bool(homes) and not homes & tenants.keys()
        if tenants and not is_abroad and opening.fields["tenant"] not in tenants.values():
            yield opening, f"shown in {', '.join(sorted(set(tenants.values())))}, not in {opening.fields['tenant']}"


def _tenants(entry: Entry) -> Iterator[tuple[str, str]]:
    """The platform and tenant of where it was shown, or who voted from where."""
    if entry.event not in ("card_shown", "vote_counted"):
        return
    for name in ("ref", "account"):
        parts = str(entry.fields.get(name, "")).split("/", 2)
        if len(parts) == 3:
            yield parts[0], parts[1]


def integrity(log: Log) -> Found:
    """I15: no gap in the numbers, no record of a kind or form we do not know, no secret."""
    last: dict[int, int] = {}
    for entry in log.entries:
        if entry.seq != last.get(entry.shard, 0) + 1:
            yield entry, f"record {entry.seq} follows record {last.get(entry.shard, 0)}"
        last[entry.shard] = entry.seq
        if _leaks(entry.body, log.canaries):
            yield entry, "a secret stands in this record"
    yield from ((entry, lacks(entry)) for entry in log.malformed)


def _leaks(body: str, canaries: Sequence[str]) -> bool:
    for canary in canaries:
        spellings = {canary, quote(canary, safe=""), *_base64(canary)}
        if any(spelling in body for spelling in spellings):
            return True
    return False


def _base64(canary: str) -> Iterator[str]:
    """The middle of *canary* in base64, at each of the three places it can have in a longer text."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + canary.encode()).decode().rstrip("=")
        yield text[shift + 1 if shift else 0 : -1]


INVARIANTS: Mapping[str, Callable[[Log], Found]] = {
    "I1": gate,
    "I2": once,
    "I3": one_end,
    "I4": quorum,
    "I5": separation,
    "I6": fail_closed,
    "I7": freshness,
    "I8": seen,
    "I9": binding,
    "I10": deliveries,
    "I11": climbed,
    "I12": nothing_lost,
    "I13": versions,
    "I14": isolation,
    "I15": integrity,
}
