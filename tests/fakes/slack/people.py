"""users.*, usergroups.*, team.* and conversations.*: who is there, and who said what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.methods import flag
from tests.fakes.slack.world import FakeChannel, FakeMessage, FakeUser, Json, Refusal

OPEN_MOST = 8  # people in one conversation (docs.slack.dev, conversations.open)
MIN_TS, MAX_TS = "0", "9999999999.999999"


def user_info(call: Call) -> Json:
    return {"user": _told(call, call.user())}


def users_list(call: Call) -> Json:
    mine = [user for user in call.world.users.values() if user.team == call.install.team]
    rows, more = call.page(mine, usual=1000)
    return {"members": [_told(call, user) for user in rows], **more}


def lookup_by_email(call: Call) -> Json:
    wanted = str(call.args["email"]).lower()
    mine = (user for user in call.world.users.values() if user.team == call.install.team and not user.is_("deleted"))
    user = next((user for user in mine if (user.email or "").lower() == wanted), None)
    if user is None:
        raise Refusal("users_not_found")
    return {"user": _told(call, user)}


def profile_get(call: Call) -> Json:
    if not call.args.get("user"):
        raise Refusal("user_not_found")  # without one it is the caller's own, and a bot has none
    user = call.user()
    profile = user.wire(with_email="users:read.email" in call.world.scopes)["profile"]
    fields = {name: {"value": value, "alt": ""} for name, value in user.fields.items()}
    return {"profile": {**profile, "fields": fields}}


def team_profile(call: Call) -> Json:
    return {"profile": {"fields": call.world.profile_fields, "sections": []}}


def usergroups_list(call: Call) -> Json:
    mine = [group for group in call.world.groups.values() if group.team == call.install.team]
    shown = [group for group in mine if not group.is_disabled or flag(call.args, "include_disabled")]
    return {"usergroups": [group.wire(with_users=flag(call.args, "include_users")) for group in shown]}


def usergroup_users(call: Call) -> Json:
    group = call.world.groups.get(str(call.args["usergroup"]))
    if group is None or group.team != call.install.team:
        raise Refusal("no_such_subteam")
    if group.is_disabled and not flag(call.args, "include_disabled"):
        raise Refusal("no_such_subteam")
    return {"users": list(group.users)}


# ---------------------------------------------------------- conversations


def conversation_open(call: Call) -> Json:
    if (call.args.get("channel") is None) == (call.args.get("users") is None):
        raise Refusal("invalid_arguments")
    if call.args.get("channel"):
        return {"channel": {"id": call.own_channel().id}}
    given = call.args["users"]
    ids = given.split(",") if isinstance(given, str) else list(given)
    if len(ids) > OPEN_MOST:
        raise Refusal("too_many_users")
    users = [_can_be_written_to(call, one) for one in ids]
    call.need("im:write" if len(users) == 1 else "mpim:write")
    channel = call.world.dm(call.install.team, users[0].id) if len(users) == 1 else _mpim(call, users)
    return {"channel": channel.wire() if flag(call.args, "return_im") else {"id": channel.id}}


def conversation_info(call: Call) -> Json:
    channel = call.channel()
    call.need(f"{channel.kind}:read")
    count = {"num_members": len(channel.members)} if flag(call.args, "include_num_members") else {}
    return {"channel": {**channel.wire(), **count, "is_member": call.install.bot_user in channel.members}}


def conversation_members(call: Call) -> Json:
    channel = call.channel()
    call.need(f"{channel.kind}:read")
    rows, more = call.page(sorted(channel.members))
    return {"members": rows, **more}


def conversation_list(call: Call) -> Json:
    names = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
    asked = str(call.args.get("types") or "public_channel").split(",")
    if unknown := [each for each in asked if each.strip() not in names]:
        raise Refusal("invalid_types", response_metadata={"messages": unknown})
    kinds = [names[each.strip()] for each in asked]
    for kind in kinds:
        call.need(f"{kind}:read")
    rows, more = call.page([one for one in _known(call) if one.kind in kinds])
    return {"channels": [channel.wire() for channel in rows], **more}


def replies(call: Call) -> Json:
    """The thread, its first message in front of every page's rest, as Slack does it only on the first page."""
    channel = _readable(call)
    given = channel.messages.get(str(call.args["ts"]))
    if given is None or given.to is not None:
        raise Refusal("thread_not_found")
    root = given.thread_ts or given.ts
    thread = [one for one in channel.shared() if one.ts == root or one.thread_ts == root]
    rows, more = call.page(_between(call, thread), usual=1000)
    return {"messages": _wires(call, rows), "has_more": bool(more["response_metadata"]["next_cursor"]), **more}


def history(call: Call) -> Json:
    """Newest first; replies are in their threads, unless they were also sent to the channel."""
    channel = _readable(call)
    roots = [one for one in channel.shared() if one.thread_ts in (None, one.ts) or one.is_broadcast]
    rows, more = call.page(_between(call, roots)[::-1], most=999)
    return {"messages": _wires(call, rows), "has_more": bool(more["response_metadata"]["next_cursor"]), **more}


# ----------------------------------------------------------------- helpers


def _told(call: Call, user: FakeUser) -> Json:
    return user.wire(with_email="users:read.email" in call.world.scopes)


def _can_be_written_to(call: Call, id: str) -> FakeUser:
    user = call.world.users.get(id)
    if user is None or (user.team != call.install.team and not user.is_("is_stranger")):
        raise Refusal("user_not_found")
    if user.is_("is_bot"):
        raise Refusal("cannot_dm_bot")
    if user.is_("deleted"):
        raise Refusal("user_disabled")
    return user


def _mpim(call: Call, users: Iterable[FakeUser]) -> FakeChannel:
    members = {user.id for user in users} | {call.install.bot_user}
    known = (one for one in call.world.channels.values() if one.is_mpim and one.members == members)
    made = FakeChannel(call.world.new_id("G"), "", call.install.team, members=members, is_mpim=True)
    return next(known, None) or call.world.put(made)


def _known(call: Call) -> list[FakeChannel]:
    archived = not flag(call.args, "exclude_archived")
    mine = [one for one in call.world.channels.values() if one.team == call.install.team]
    seen = [one for one in mine if one.kind == "channels" or call.install.bot_user in one.members]
    return [one for one in seen if archived or not one.is_archived]


def _readable(call: Call) -> FakeChannel:
    channel = call.own_channel()
    call.need(f"{channel.kind}:history")
    return channel


def _between(call: Call, messages: list[FakeMessage]) -> list[FakeMessage]:
    oldest, latest = str(call.args.get("oldest") or MIN_TS), str(call.args.get("latest") or MAX_TS)
    low, high = float(oldest), float(latest)
    if flag(call.args, "inclusive"):
        return [one for one in messages if low <= float(one.ts) <= high]
    return [one for one in messages if low < float(one.ts) < high]


def _wires(call: Call, messages: list[FakeMessage]) -> list[Json]:
    with_metadata = flag(call.args, "include_all_metadata")
    return [message.wire(with_metadata=with_metadata) for message in messages]


HANDLERS: Mapping[str, Handler] = {
    "users.info": user_info,
    "users.list": users_list,
    "users.lookupByEmail": lookup_by_email,
    "users.profile.get": profile_get,
    "team.profile.get": team_profile,
    "usergroups.list": usergroups_list,
    "usergroups.users.list": usergroup_users,
    "conversations.open": conversation_open,
    "conversations.info": conversation_info,
    "conversations.members": conversation_members,
    "conversations.list": conversation_list,
    "conversations.replies": replies,
    "conversations.history": history,
}
