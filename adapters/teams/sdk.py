"""The one room of botbuilder: its turn around our proof, our handler and our connector. Nobody else imports it.

    turn(header, raw, act) -> process_activity -> proof (400, 401, 403) -> act -> the invoke's answer -> Reply

What of the library is used: `CloudAdapterBase` without overrides, `BotFrameworkAuthentication`, `ConnectorFactory`, and
its models where it wants them, of an outline of each activity. What it hides or loses, and why none of its HTTP,
tokens and keys are here: docs/teams-library.md. Everybody else sees the raw activity, and our records.

Importing this costs 0.15 s (0.35 s from a cold disk), 490 modules and 15 MB, measured beside the rest of the bot:
msrest, msal and requests come with it and are never called. So it is imported where Teams is set up, at the top of no
file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from botbuilder.core import CloudAdapterBase, InvokeResponse, TurnContext  # type: ignore[import-untyped]  # no types
from botbuilder.schema import (  # type: ignore[import-untyped]  # it ships no types
    Activity,
    ConversationParameters,
    ConversationResourceResponse,
    ResourceResponse,
)
from botframework.connector.auth import (  # type: ignore[import-untyped]  # it ships no types
    AuthenticateRequestResult,
    AuthenticationConstants,
    BotFrameworkAuthentication,
    ClaimsIdentity,
    ConnectorFactory,
)

from adapters.teams.answers import Reply
from adapters.teams.clouds import Cloud
from adapters.teams.connector import Connector, Where
from adapters.teams.proof import Proof
from adapters.teams.shapes import Raw

Act = Callable[[Raw], Awaitable[Reply | None]]

INVOKE = "invoke"


class Sdk:
    """Runs one turn of the library around whoever acts."""

    def __init__(self, app_id: str, cloud: Cloud, proof: Proof, connector: Connector) -> None:
        self._app_id, self._cloud, self._proof, self._connector = app_id, cloud, proof, connector

    async def turn(self, header: str, raw: Raw, act: Act) -> Reply | None:
        """Let *act* answer activity *raw*, if it is from Teams and for us.

        An invoke that *act* does not answer is 501 without a body. Raises BadPayload, NotFromTeams, NotForUs,
        ChatUnavailable (no keys yet), and whatever *act* raises.
        """
        activity = _outline(raw)  # without deliveryMode: with expectReplies the library keeps back what is sent
        said: list[Reply | None] = []

        async def logic(context: TurnContext) -> None:
            reply = await act(raw)
            said.append(reply)
            if reply is not None and activity.type == INVOKE:
                answer = InvokeResponse(status=reply.status, body=reply.body)
                await context.send_activity(Activity(type="invokeResponse", value=answer))

        adapter = _Adapter(_Authentication(self, raw))
        answer = await adapter.process_activity(header, activity, logic)
        if answer is None:
            return said[0] if said else None
        return Reply(status=int(answer.status or HTTPStatus.OK), body=answer.body)

    async def judged(self, header: str, raw: Raw) -> Any:
        """The library's word for an activity that has passed our proof."""
        await self._proof.check(header, raw)
        result = AuthenticateRequestResult()
        result.claims_identity = ClaimsIdentity({AuthenticationConstants.AUDIENCE_CLAIM: self._app_id}, True)
        result.audience, result.caller_id = self._cloud.scope, None
        result.connector_factory = self.factory(raw)
        return result

    def factory(self, raw: Raw) -> Any:
        """Makes connectors for the tenant of *raw*."""
        return _Factory(self._cloud, self._connector, _tenant(raw))


class _Adapter(CloudAdapterBase):  # type: ignore[misc]  # the library ships no types
    """As it comes. `on_turn_error` stays unset: with it, what *act* raises would be answered 501."""


class _Authentication(BotFrameworkAuthentication):  # type: ignore[misc]  # the library ships no types
    """Our proof of one activity, which the library's model of it has lost half of."""

    def __init__(self, sdk: Sdk, raw: Raw) -> None:
        self._sdk, self._raw = sdk, raw

    async def authenticate_request(self, activity: Any, auth_header: str) -> Any:  # noqa: ARG002  # see the class
        return await self._sdk.judged(auth_header, self._raw)

    async def authenticate_streaming_request(self, auth_header: str, channel_id_header: str) -> Any:
        raise NotImplementedError("no streaming connections")

    def create_connector_factory(self, claims_identity: Any) -> Any:  # noqa: ARG002  # there is one tenant in a turn
        return self._sdk.factory(self._raw)

    async def create_user_token_client(self, claims_identity: Any) -> None:
        """Nobody signs in."""


class _Factory(ConnectorFactory):  # type: ignore[misc]  # the library ships no types
    """Where the library would make a client of its own, with a token for any host, for each turn."""

    def __init__(self, cloud: Cloud, connector: Connector, tenant: str) -> None:
        self._cloud, self._connector, self._tenant = cloud, connector, tenant

    async def create(self, service_url: str, audience: str | None = None) -> Any:  # noqa: ARG002  # ours has one
        """Raises ForeignHost."""
        self._cloud.host_of(service_url)
        return _Client(_Conversations(self._connector, self._tenant, service_url))


class _Client:
    def __init__(self, conversations: _Conversations) -> None:
        self.conversations = conversations


class _Conversations:
    """What of a connector a turn can reach, by our own."""

    def __init__(self, connector: Connector, tenant: str, service_url: str) -> None:
        self._connector, self._tenant, self._service_url = connector, tenant, service_url

    async def send_to_conversation(self, conversation_id: str, activity: Activity) -> ResourceResponse:
        return ResourceResponse(id=await self._connector.post(self._at(conversation_id), activity.serialize()))

    async def reply_to_activity(self, conversation_id: str, activity_id: str, activity: Activity) -> ResourceResponse:
        """Into the conversation: in Teams its id alone decides the thread."""
        activity.reply_to_id = activity_id
        return await self.send_to_conversation(conversation_id, activity)

    async def update_activity(self, conversation_id: str, activity_id: str, activity: Activity) -> ResourceResponse:
        await self._connector.put(self._at(conversation_id), activity_id, activity.serialize())
        return ResourceResponse(id=activity_id)

    async def delete_activity(self, conversation_id: str, activity_id: str) -> None:
        raise NotImplementedError("nothing is ever deleted: an edit keeps the record")

    async def create_conversation(self, params: ConversationParameters) -> ConversationResourceResponse:
        created = await self._connector.create(self._at(""), params.serialize())
        return ConversationResourceResponse(
            id=created.conversation, activity_id=created.activity, service_url=self._service_url
        )

    def _at(self, conversation: str) -> Where:
        return Where(tenant=self._tenant, service_url=self._service_url, conversation=conversation)


def _outline(raw: Raw) -> Activity:
    """As much of *raw* as a turn of the library needs. All of it would take seconds where somebody sent a long list."""
    told = _texts(raw, "type", "id", "name", "channelId", "serviceUrl", "replyToId", "locale")
    people = {name: _texts(raw.get(name), "id", "name", "aadObjectId") for name in ("from", "recipient")}
    conversation = _texts(raw.get("conversation"), "id", "name", "conversationType")
    return Activity().deserialize({**told, **people, "conversation": conversation})


def _texts(value: object, *names: str) -> dict[str, str]:
    given = value if isinstance(value, dict) else {}
    return {name: text for name in names if isinstance(text := given.get(name), str)}


def _tenant(raw: Raw) -> str:
    """As `Proof` reads it: the library's model has lost it."""
    data, conversation = raw.get("channelData"), raw.get("conversation")
    tenant = data.get("tenant") if isinstance(data, dict) else None
    named = tenant.get("id") if isinstance(tenant, dict) else None
    other = conversation.get("tenantId") if isinstance(conversation, dict) else None
    return str(named or other or "")
