"""What people do in chats, channels and teams. Each act changes the world first and then tells the bot."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.fakes.teams import payloads
from tests.fakes.teams.delivery import Delivery, Post, Reply, anew
from tests.fakes.teams.entra import Entra
from tests.fakes.teams.faults import Faults
from tests.fakes.teams.server import Server
from tests.fakes.teams.world import (
    CHANNEL,
    PERSONAL,
    FakeConversation,
    FakeMessage,
    FakePerson,
    FakeTeam,
    Json,
    World,
)


class ClientRefused(AssertionError):
    """Teams' own client would not let a person do this: no such button, a field left empty, nothing to see."""


class Acts:
    """Everything here returns when the bot has answered, or when Teams has given up."""

    def __init__(self, world: World, entra: Entra, faults: Faults, server: Server, post: Post) -> None:
        self._world, self._entra, self.faults, self._server, self._post = world, entra, faults, server, post
        self.hears_all = False  # the app may read messages that do not mention it (resource-specific consent)
        self.replies: list[Reply] = []  # of every act, in order

    # ------------------------------------------------------------------ words

    async def say(
        self, person: str, conversation: str, text: str, thread: str | None = None, mention: bool = True
    ) -> str:
        """Write *text* and return the message's id. `@countersign` and `@Name` in it are mentions.

        *thread*: the root's id, in a channel; without it a new thread begins. *mention*: where the text does not
        mention the bot and has to, it does so in front. The bot hears of it where it is mentioned, or in its own chat.
        """
        place = self._place(person, conversation)
        if mention and place.kind != PERSONAL and payloads.MARK not in text:
            text = f"{payloads.MARK} {text}"
        message = self._written(place, self._who(person), text, thread or self._world.place_of(conversation)[1])
        await self.deliver(*self._heard(place, message))
        return message.id

    def words(self, person: str, conversation: str, text: str, thread: str | None = None) -> Json:
        """The activity of a message that is written and not yet sent, to be changed and given to `deliver`."""
        place = self._place(person, conversation)
        message = self._written(place, self._who(person), text, thread)
        return payloads.said(self._world, place, self._who(person), message)

    async def edit(self, person: str, conversation: str, id: str, text: str) -> Reply:
        """Change an own message: `messageUpdate` with its id."""
        place = self._place(person, conversation)
        message = self._own(person, place, id)
        message.versions.append(message.activity)
        message.activity = payloads.typed(self._world, text, self._people(place))
        return await self._changed(place, message, "messageUpdate", "editMessage")

    async def erase(self, person: str, conversation: str, id: str) -> Reply | None:
        """Delete a message: `messageDelete` if a person wrote it. Owners may delete the bot's; it hears nothing."""
        place = self._place(person, conversation)
        message = self._seen(place, id)
        message.is_deleted = True
        self._world.tick()
        if message.by == self._world.bot_id:
            return None
        return await self._changed(place, message, "messageDelete", "softDeleteMessage")

    async def like(self, person: str, conversation: str, id: str) -> Reply:
        """A thumb on a message of the bot's: `messageReaction`."""
        place = self._place(person, conversation)
        message = self._seen(place, id)
        told = payloads.clicked(self._world, place, self._who(person), message)
        return await self.deliver({**told, "type": "messageReaction", "reactionsAdded": [{"type": "like"}]})

    # -------------------------------------------------------------- the app here

    async def install(self, id: str, by: str | None = None, *, action: str = "add") -> Reply:
        """Install the app for a person, or in a team or chat: `conversationUpdate` and `installationUpdate`.

        *id*: a person's, a team's, a chat's. *by*: who does it; one who is there, if nobody is named.
        """
        return await self._installed(id, by, action, is_there=True)

    async def uninstall(self, id: str, by: str | None = None, *, action: str = "remove") -> Reply:
        return await self._installed(id, by, action, is_there=False)

    async def _installed(self, id: str, by: str | None, action: str, *, is_there: bool) -> Reply:
        place, person = self._home_of(id, by)
        if place.team:
            place.team.has_app = is_there
        place.is_installed = is_there
        told = payloads.installed(self._world, place, person, action)
        which, event = ("membersAdded", "teamMemberAdded") if is_there else ("membersRemoved", "teamMemberRemoved")
        rows = [payloads.members_changed(told, which, [self._world.bot_id], event), told]
        return await self.deliver(*(rows if is_there or place.kind == CHANNEL else rows[1:]))

    def _home_of(self, id: str, by: str | None) -> tuple[FakeConversation, FakePerson]:
        if id in self._world.people:
            person = self._world.people[id]
            return self._world.personal(person), person
        team = self._world.teams.get(id)
        place = self._world.channels_of(team)[0] if team else self._world.conversations[id]
        return place, self._who(by or min(place.members))

    async def join(self, person: str, id: str) -> Reply:
        """Somebody joins a team or chat: `conversationUpdate` with their roster id."""
        return await self._moved(person, id, "membersAdded", "teamMemberAdded")

    async def leave(self, person: str, id: str) -> Reply:
        return await self._moved(person, id, "membersRemoved", "teamMemberRemoved")

    async def _moved(self, person: str, id: str, which: str, event: str) -> Reply:
        team: FakeTeam | None = self._world.teams.get(id)
        members = team.members if team else self._world.conversations[id].people
        (members.add if which == "membersAdded" else members.discard)(person)
        place = self._world.channels_of(team)[0] if team else self._world.conversations[id]
        told = payloads.envelope(self._world, place, self._who(person))
        return await self.deliver(payloads.members_changed(told, which, [self._who(person).roster], event))

    def block(self, person: str, *, again: bool = True) -> None:
        """The person blocks the bot, or no longer: it cannot write to them. It is not told."""
        self._who(person).has_blocked = again

    # --------------------------------------------------------------- carrying

    async def deliver(self, *activities: Json, good: Callable[[Reply], bool] | None = None) -> Reply:
        """Send activities as they are, signed; delivered again if they are not taken. *good*: see `Post.carry`."""
        reply = await self._post.carry(*activities, good=good) if activities else Reply(0, reason="unheard")
        if activities:
            self.replies.append(reply)
        return reply

    async def again(self, delivery: Delivery, *, is_anew: bool = False) -> Reply:
        """Send what was sent once more: the same, or *anew* with another id, as some seconds later."""
        told = anew(self._world, delivery.activity) if is_anew else delivery.activity
        return await self._post.attempt(told, delivery.attempt + 1)

    async def forge(self, activity: Json, header: str) -> Reply:
        """Send *activity* with this Authorization header, "" for none; see `bad_token`."""
        return await self._post.attempt(activity, header=header)

    async def raw(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send these bytes with these headers, whatever they are."""
        return await self._post.raw(body, headers, {})

    def hold(self) -> None:
        """From now on nothing is delivered; what people do waits for `release`."""
        self._post.is_holding = True

    async def release(self, *, backwards: bool = False) -> list[Reply]:
        """Deliver what was held, in order or *backwards*."""
        self._post.is_holding = False
        rows, self._post.held = self._post.held, []
        return [await self._post.carry(each) for each in (rows[::-1] if backwards else rows)]

    # ----------------------------------------------------------------- looking

    def _written(self, place: FakeConversation, person: FakePerson, text: str, thread: str | None) -> FakeMessage:
        if thread is not None and (place.kind != CHANNEL or thread not in place.messages):
            raise ClientRefused(f"there is no thread {thread} in {place.name or place.id}")
        new = self._world.message_id(place.kind, by_bot=False)
        root = (place.messages[thread].thread if thread else new) if place.kind == CHANNEL else None
        activity = payloads.typed(self._world, text, self._people(place))
        return self._world.put(FakeMessage(new, place.id, person.id, activity, root))

    def _heard(self, place: FakeConversation, message: FakeMessage) -> list[Json]:
        """What the bot hears of it: nothing where it is not, and in company only what mentions it."""
        bots = [each["mentioned"]["id"] for each in message.activity["entities"]]
        is_meant = place.kind == PERSONAL or self.hears_all or self._world.bot_id in bots
        if not place.has_app or not is_meant:
            return []
        return [payloads.said(self._world, place, self._who(message.by), message)]

    async def _changed(self, place: FakeConversation, message: FakeMessage, type: str, event: str) -> Reply:
        self._world.tick()
        told = payloads.said(self._world, place, self._who(message.by), message)
        told = {**told, "type": type, "channelData": {**told["channelData"], "eventType": event}}
        return await self.deliver(*([told] if place.has_app else []))

    def _people(self, place: FakeConversation) -> list[FakePerson]:
        return [self._world.people[one] for one in sorted(place.members)]

    def _who(self, person: str) -> FakePerson:
        return self._world.people[person]

    def _place(self, person: str, conversation: str) -> FakeConversation:
        place, _root = self._world.place_of(conversation)
        if place is None or person not in place.members:
            raise ClientRefused(f"{self._who(person).name} is not in {place.name if place else conversation}")
        return place

    def _seen(self, place: FakeConversation, id: str) -> FakeMessage:
        message = place.messages.get(id)
        if message is None or message.is_deleted:
            raise ClientRefused(f"nobody sees a message {id} in {place.name or place.id}")
        return message

    def _own(self, person: str, place: FakeConversation, id: str) -> FakeMessage:
        message = self._seen(place, id)
        if message.by != person:
            raise ClientRefused("people can only edit what they wrote")
        return message
