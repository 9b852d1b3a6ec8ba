"""What people press: buttons of cards, dialogs, the menu of a message, thumbs; and what they then see."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.teams import answers, cards, payloads
from tests.fakes.teams.acts import Acts, ClientRefused
from tests.fakes.teams.answers import Answer
from tests.fakes.teams.cards import Spot
from tests.fakes.teams.inputs import Given, find, gathered
from tests.fakes.teams.world import FakeConversation, FakeMessage, FakePerson, Json

CONTEXT = {"theme": "default"}


@dataclass(frozen=True)
class FakeDialog:
    """What stands in front of one person, over everything else. *about*: the message it came from, if any."""

    title: str
    card: Json
    place: FakeConversation
    about: FakeMessage
    is_command: bool = False  # a message action's form: its answer is another invoke


class Clicks(Acts):
    """One press is one delivery: an answer is checked, and what is wrong with it stands in `complaints`."""

    _dialogs: dict[str, FakeDialog]
    _answers: dict[str, list[Answer]]
    phones: set[str]  # people in whose client Action.Execute is dead and the fallback is drawn (AdaptiveCards#9315)

    async def press(
        self, person: str, conversation: str, id: str, title: str, /, nth: int = 0, **typed: Given
    ) -> Answer:
        """Press the button *title* of a message, with what is *typed* into inputs, by id or by label.

        A button that opens a ShowCard is opened, and the one button inside is pressed. Returns what the person sees.
        """
        place, message, spot = self._spot(person, conversation, id, title, nth)
        values = gathered(spot, typed)
        action = self._drawn(person, spot)
        if action["type"] == "Action.OpenUrl":
            return self._saw(person, Answer("link", str(action["url"])))
        told = self._click(place, self._who(person), message, action, values)
        if told["type"] == "message":
            return await self._submitted(person, told)
        return await self._asked(person, told, message)

    def click(self, person: str, conversation: str, id: str, title: str, /, nth: int = 0, **typed: Given) -> Json:
        """The activity of one press, not yet sent: to be changed and given to `deliver`, or sent by several at once."""
        place, message, spot = self._spot(person, conversation, id, title, nth)
        return self._click(place, self._who(person), message, self._drawn(person, spot), gathered(spot, typed))

    async def send_click(self, person: str, told: Json) -> Answer:
        """Send what `click` returned, changed or not."""
        if told["type"] == "message":
            return await self._submitted(person, told)
        known = (one for one in self._world.messages() if one.id == told.get("replyToId"))
        return await self._asked(person, told, next(known, None))

    # ---------------------------------------------------------------- dialogs

    def dialog_of(self, person: str) -> FakeDialog | None:
        return self._dialogs.get(person)

    def close_dialog(self, person: str) -> None:
        """Press the cross: the bot hears nothing."""
        self._dialogs.pop(person, None)

    async def submit_dialog(self, person: str, title: str = "", /, nth: int = 0, **typed: Given) -> Answer:
        """Press a button of the dialog in front of this person; the only one, if no *title* is given."""
        dialog = self._dialogs.get(person)
        if dialog is None:
            raise ClientRefused(f"there is no dialog in front of {self._who(person).name}")
        spot = find(dialog.card, title or _only(dialog.card), nth)
        values = gathered(spot, typed)
        if spot.action["type"] == "Action.OpenUrl":
            return self._saw(person, Answer("link", str(spot.action["url"])))
        if spot.action["type"] != "Action.Submit":
            raise ClientRefused(f"only Action.Submit is sent from a dialog; {spot.title!r} is {spot.action['type']}")
        data = {**copy.deepcopy(spot.action.get("data", {})), **values}
        about = payloads.clicked(self._world, dialog.place, self._who(person), dialog.about)
        if dialog.is_command:
            value = {**_command("give", dialog.about), "data": data}
            return await self._asked(person, payloads.invoke(about, answers.GIVE, value), dialog.about)
        told = payloads.invoke(about, answers.SUBMIT, {"data": data, "context": CONTEXT})
        return await self._asked(person, told, dialog.about)

    # ------------------------------------------------- message menu and thumbs

    async def give(
        self, person: str, conversation: str, id: str, command: str = "give", *, with_form: bool = True
    ) -> Answer:
        """Choose the app's action in the menu of a message. It works where the app is not installed, too.

        *with_form*: the manifest says that the action begins with a dialog (`fetchTask`).
        """
        place = self._place(person, conversation)
        message = self._seen(place, id)
        told = payloads.clicked(self._world, place, self._who(person), message)
        author = self._world.people.get(message.by)
        text = str(message.activity.get("text") or "")
        value = {**_command(command, message), "context": CONTEXT}
        value["messagePayload"] = payloads.given(message, author, text, self._world.app_id)
        told = payloads.invoke(told, answers.GIVE_FORM if with_form else answers.GIVE, value)
        return await self._asked(person, told, message)

    async def rate(self, person: str, conversation: str, id: str, reaction: str = "like", text: str = "") -> Answer:
        """Press a thumb below what the AI wrote. *reaction*: like or dislike."""
        place = self._place(person, conversation)
        message = self._seen(place, id)
        if "feedbackLoop" not in (message.activity.get("channelData") or {}):
            raise ClientRefused(f"the message {id} has no thumbs")
        said = json.dumps({"feedbackText": text})
        value = {"actionName": "feedback", "actionValue": {"reaction": reaction, "feedback": said}}
        told = payloads.clicked(self._world, place, self._who(person), message)
        return await self._asked(person, payloads.invoke(told, answers.FEEDBACK, value), message)

    async def invoke(self, person: str, conversation: str, name: str, value: Any) -> Answer:
        """Any other invoke, with this name and value; how it is answered is not judged."""
        place = self._place(person, conversation)
        told = {**payloads.envelope(self._world, place, self._who(person)), "id": payloads.event_id()}
        return Answer("nothing", reply=await self.deliver(payloads.invoke(told, name, value), good=lambda _reply: True))

    # ------------------------------------------------------------ what was seen

    def answer_of(self, person: str) -> Answer:
        """What this person saw last."""
        seen = self._answers.get(person)
        if not seen:
            raise AssertionError(f"{self._who(person).name} has pressed nothing")
        return seen[-1]

    # --------------------------------------------------------------- one press

    def _spot(
        self, person: str, conversation: str, id: str, title: str, nth: int
    ) -> tuple[FakeConversation, FakeMessage, Spot]:
        place = self._place(person, conversation)
        message = self._seen(place, id)
        card = message.card_for(person)
        if card is None:
            raise ClientRefused(f"the message {id} shows no card")
        return place, message, find(card, title, nth)

    def _drawn(self, person: str, spot: Spot) -> Json:
        """The action as this person's client draws it."""
        action = spot.action
        if action["type"] == "Action.Execute" and person in self.phones:
            if not isinstance(action.get("fallback"), dict):
                raise ClientRefused(f"{spot.title!r} is dead on a phone, and has no fallback")
            return dict(action["fallback"])
        if action["type"] == "Action.ToggleVisibility":
            raise ClientRefused(f"{spot.title!r} shows and hides; nothing is sent")
        return action

    def _click(
        self, place: FakeConversation, person: FakePerson, message: FakeMessage, action: Json, values: dict[str, str]
    ) -> Json:
        data = {**copy.deepcopy(action.get("data", {})), **({} if "inputs" in self.faults.leave_out else values)}
        told = payloads.clicked(self._world, place, person, message)
        if action["type"] == "Action.Execute":
            sent = {"type": "Action.Execute", "title": action["title"], "verb": action["verb"], "data": data}
            return payloads.invoke(told, answers.CLICK, {"action": sent, "trigger": "manual"})
        if isinstance(data.get("msteams"), dict) and data["msteams"].get("type") == "task/fetch":
            return payloads.invoke(told, answers.FETCH, {"data": data, "context": CONTEXT})
        return {**told, "type": "message", "id": self._world.message_id(place.kind, by_bot=False), "value": data}

    async def _submitted(self, person: str, told: Json) -> Answer:
        """An Action.Submit: nobody reads the answer's body, only whether there was one."""
        reply = await self.deliver(told)
        if not reply.is_ok:
            return self._saw(person, Answer("error", answers.UNREACHABLE, reply=reply))
        return self._saw(person, Answer("nothing", reply=reply))

    async def _asked(self, person: str, told: Json, message: FakeMessage | None) -> Answer:
        """An invoke, and what its answer shows. Answers with HTTP 200 were judged when they came."""
        name = str(told["name"])
        reply = await self.deliver(told, good=answers.is_usable(name))
        if reply.status not in {0, 200}:
            self._world.complain(f"{name} was answered with HTTP {reply.status}")
        answer = answers.seen(name, reply)
        if answer.kind == "card" and answer.card is not None and message is not None:
            message.alone[person] = answer.card
        if name not in {answers.CLICK, answers.FEEDBACK} and not answer.is_error:
            self._dialogs.pop(person, None)
        if answer.kind == "dialog" and answer.card is not None and message is not None:
            place, is_command = self._world.conversations[message.conversation], name == answers.GIVE_FORM
            self._dialogs[person] = FakeDialog(answer.words, answer.card, place, message, is_command)
        return self._saw(person, answer)

    def _saw(self, person: str, answer: Answer) -> Answer:
        self._answers.setdefault(person, []).append(answer)
        self._world.tick()
        return answer


def _command(command: str, message: FakeMessage) -> Json:
    return {"commandId": command, "commandContext": "message", "requestId": message.id}


def _only(card: Json) -> str:
    found = [spot.title for spot in cards.actions(card) if spot.action["type"] == "Action.Submit"]
    if len(found) != 1:
        raise ClientRefused(f"the dialog has the buttons {found}; say which one")
    return found[0]
