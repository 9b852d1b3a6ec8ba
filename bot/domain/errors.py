"""The error tree, sorted by what the catcher does next.

    CountersignError
    ├── Refused        tell the person; nothing changed and nothing will
    │   ├── NoSuchRequest · AlreadySettled · TooLate · NotEligible · NotShown · AlreadyVoted · Unread
    │   ├── InvalidArguments · UnknownTool · NotAllowed · Unsatisfiable · NotRequestable
    │   ├── NoSuchGrant · Ungranted · NotUnderstood · Unheard · Overtaken · TooMany · Twin · Undeliverable
    │   ├── BadJson · BadSettings · BadPolicy · BudgetSpent · SpokenTo
    ├── Unavailable    nothing is known to have changed; try again later
    │   ├── StoreUnavailable · ChatUnavailable · ModelUnavailable · LeaseLost
    └── Broken         our bug or somebody's tampering; stop this run and say so
        └── Diverged · BadSeal · BadRecord · ModelRefused

A message names the thing, its state and the remedy. `people_read` is what chat shows: never a
secret, never a stack.
"""

from __future__ import annotations


class CountersignError(Exception):
    """Root of every error this project raises on purpose."""

    people_read = "Something went wrong."


class Refused(CountersignError):
    """The caller asked for something that may not be. Tell them; do not retry."""

    people_read = "That is not possible."


class Unavailable(CountersignError):
    """Something outside did not answer. Nothing is known to have changed; retry."""

    people_read = "Not recorded, please try again."


class Broken(CountersignError):
    """A promise of ours does not hold. Stop this run and say so."""

    people_read = "Something is wrong on our side. The run was stopped; nothing more will happen."


# ---------------------------------------------------------------- Refused


class NoSuchRequest(Refused):
    """The request is unknown, or was forgotten after its time."""

    people_read = "This request is no longer active."

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request {request_id} is unknown or forgotten")
        self.request_id = request_id


class AlreadySettled(Refused):
    """A vote came after the request had its decision."""

    def __init__(self, request_id: str, status: str, told: str) -> None:
        super().__init__(f"request {request_id} is {status}; no move is left")
        self.request_id, self.status = request_id, status
        self.people_read = told


class TooLate(Refused):
    """The deadline or the execution window has passed, judged by the store's clock."""

    people_read = "The time for this answer has passed. Nothing was run."

    def __init__(self, request_id: str, what: str) -> None:
        super().__init__(f"request {request_id}: its {what} has passed")
        self.request_id, self.what = request_id, what


class NotEligible(Refused):
    """This person may not answer this request; `people_read` says why."""

    def __init__(self, request_id: str, person: str | None, why: str) -> None:
        super().__init__(f"{person or 'an unknown account'} may not answer request {request_id}: {why}")
        self.request_id, self.person, self.why = request_id, person, why
        self.people_read = why


class NotShown(Refused):
    """A click that does not come from a message we posted for this request, or is not sealed by us."""

    people_read = "This button is not valid here. Please use the card in its own thread."

    def __init__(self, request_id: str, why: str) -> None:
        super().__init__(f"a click on request {request_id} was refused: {why}")
        self.request_id, self.why = request_id, why


class AlreadyVoted(Refused):
    """One person, one vote."""

    people_read = "You already answered this."

    def __init__(self, request_id: str, person: str) -> None:
        super().__init__(f"{person} already voted on request {request_id}")
        self.request_id, self.person = request_id, person


class Unread(Refused):
    """Somebody would approve what is high-risk without having opened its details."""

    people_read = "Please open Details first: what is high-risk is approved only by who has read all of it."

    def __init__(self, request_id: str, person: str) -> None:
        super().__init__(f"{person} has not opened the details of request {request_id}, and may not approve it before")
        self.request_id, self.person = request_id, person


class InvalidArguments(Refused):
    """A call's arguments do not fit the tool's schema. `problems` maps a field to one sentence."""

    def __init__(self, tool: str, problems: dict[str, str]) -> None:
        *first, last = [f"{field}: {what}" for field, what in problems.items()] or [""]
        told = "; ".join([*(one.rstrip(".") for one in first), last])
        super().__init__(f"arguments of {tool} are not valid: {told}")
        self.tool, self.problems = tool, problems
        self.people_read = told


class BudgetSpent(Refused):
    """Nothing more may be thought: a budget is spent, and nobody allowed more. `people_read` says which."""

    def __init__(self, budget: str, told: str) -> None:
        super().__init__(f"the {budget} budget is spent: {told}")
        self.budget = budget
        self.people_read = f"I stopped before I was finished. {told} What was done so far stands."


class SpokenTo(Refused):
    """Somebody replied while the model was thinking: its answer is not waited for. Hear them, then think anew."""

    people_read = "Somebody replied while I was thinking."

    def __init__(self) -> None:
        super().__init__("the model's answer was not waited for: somebody replied; call heard(), then think anew")


class UnknownTool(Refused):
    """No tool of this name and version is on the roster."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"tool {tool!r} is unknown")
        self.tool = tool
        self.people_read = f"There is no tool called {tool}."


class NotAllowed(Refused):
    """A call may not run. `cause` is one of `bot.domain.calls.Cause`; `told` is what the model reads."""

    def __init__(self, tool: str, cause: str, told: str) -> None:
        super().__init__(f"{tool} may not run ({cause}): {told}")
        self.tool, self.cause, self.told = tool, cause, told
        self.people_read = told


class Unsatisfiable(Refused):
    """A request that nobody, or too few people, could ever answer. Refused when it is made."""

    def __init__(self, why: str, *, verb: str = "approve") -> None:
        super().__init__(f"nobody can satisfy this request: {why}")
        self.why = why
        self.people_read = f"Nobody can {verb} this: {why}."


class NotRequestable(Refused):
    """This person may not give the bot tasks here."""

    people_read = "Sorry, I may not take tasks from you here."


class NotUnderstood(Refused):
    """A command that cannot be read; `people_read` says what to write instead."""

    def __init__(self, text: str, told: str) -> None:
        super().__init__(f"the command {text[:60]!r} cannot be read: {told}")
        self.people_read = told


class NoSuchGrant(Refused):
    """The grant is unknown, or was forgotten after its time."""

    people_read = "There is no such grant, or it ended long ago."

    def __init__(self, grant_id: str) -> None:
        super().__init__(f"grant {grant_id} is unknown or forgotten")
        self.grant_id = grant_id


class Ungranted(Refused):
    """A grant does not allow this, or not any more: `people_read` says why."""

    def __init__(self, grant_id: str, why: str) -> None:
        super().__init__(f"grant {grant_id} does not allow this: {why}")
        self.grant_id, self.why = grant_id, why
        self.people_read = why


class Unheard(Refused):
    """Somebody replied before this could be written: the reply comes first."""

    people_read = "Somebody replied meanwhile."

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} has replies it has not taken in")
        self.run_id = run_id


class Overtaken(Refused):
    """Somebody took the run over after this was asked for: whoever works by hand may have done that very thing."""

    people_read = "Somebody took this over first."

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request {request_id} was asked for before somebody took its run over; ask for it anew")
        self.request_id = request_id


class TooMany(Refused):
    """A person's tasks, or a channel, have as many open requests as there may be. *who* is the one or the other."""

    def __init__(self, who: str, most: int, *, is_place: bool = False) -> None:
        told = "in one channel" if is_place else "of one person"
        super().__init__(f"{who} has {most} open requests, the most there may be {told}")
        self.who, self.most, self.is_place = who, most, is_place
        whose = "in this channel" if is_place else "of yours"
        self.people_read = f"{most} requests {whose} are open already; some have to be answered first."


class Twin(Refused):
    """Exactly this call of this requester waits for people already: nobody is asked the same twice (T18)."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"exactly this call already waits for people as request {request_id}")
        self.request_id = request_id
        self.people_read = f"Exactly this call already waits for an answer (request {request_id})."
        self.problems = {"": self.people_read}  # where a form asked for it, it is told beside the form


class Undeliverable(Refused):
    """A platform will never show this card at this place (archived channel, app not installed, too large)."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"cannot post to {where}: {why}")
        self.where, self.why = where, why


class BadJson(Refused):
    """Foreign JSON that a strict reader must not accept."""

    def __init__(self, why: str) -> None:
        super().__init__(f"JSON refused: {why}")
        self.why = why


class BadSettings(Refused):
    """Settings that cannot be used; every mistake in one message."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BadPolicy(Refused):
    """A policy or people file that cannot be used; each problem carries `file:line:column`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# ------------------------------------------------------------ Unavailable


class StoreUnavailable(Unavailable):
    """The store gave no answer in time, or said it cannot answer now."""


class ChatUnavailable(Unavailable):
    """A chat platform gave no answer, or asked us to slow down for `retry_after` seconds."""

    def __init__(self, platform: str, why: str, retry_after: float | None = None) -> None:
        super().__init__(f"{platform} is not available: {why}")
        self.platform, self.why, self.retry_after = platform, why, retry_after


class ModelUnavailable(Unavailable):
    """The model gave no usable answer after bounded retries."""

    people_read = "The language model is not answering. I stopped here; please ask again later."


class LeaseLost(Unavailable):
    """This process no longer owns the shard: another one has gone on. Stop at once, write nothing."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"shard {shard} is no longer ours")
        self.shard = shard


# ----------------------------------------------------------------- Broken


class Diverged(Broken):
    """The agent asks for another step than the journal holds: its code changed under a sleeping run."""

    people_read = "The agent's code changed while this task was waiting, so I cannot simply go on."

    def __init__(self, path: str, recorded: str, wanted: str) -> None:
        super().__init__(f"step {path} was recorded as {recorded} but is now {wanted}")
        self.path, self.recorded, self.wanted = path, recorded, wanted


class BadSeal(Broken):
    """A stored record was changed by something that does not hold our key."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not carry our seal")
        self.what = what


class BadRecord(Broken):
    """A stored record cannot be read: unknown schema version or broken bytes."""


class ModelRefused(Broken):
    """The model endpoint rejects what we send (bad key, unknown model, bad request)."""

    people_read = "The language model refused the request. Please tell whoever runs this bot."
