"""Tokens and files: auth.*, oauth.v2.access, bots.info, files.*."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.methods import flag
from tests.fakes.slack.world import APP, Code, FakeFile, FakeMessage, FakeUser, Install, Json, Refusal, World


def auth_test(call: Call) -> Json:
    mine = call.install
    told = {"url": "https://fake.slack.com/", "team": mine.team_name, "user": "countersign", "team_id": mine.team}
    return {**told, "user_id": mine.bot_user, "bot_id": mine.bot_id, "is_enterprise_install": False}


def auth_revoke(call: Call) -> Json:
    if not flag(call.args, "test"):
        drop_token(call.world, call.token, "token_revoked")
    return {"revoked": not flag(call.args, "test")}


def bots_info(call: Call) -> Json:
    wanted = call.args.get("bot") or call.install.bot_id
    install = next((one for one in call.world.installs.values() if one.bot_id == wanted), None)
    if install is None:
        raise Refusal("bot_not_found")
    bot = {"id": install.bot_id, "deleted": False, "name": "countersign", "app_id": APP, "user_id": install.bot_user}
    return {"bot": bot}


def exchange(call: Call) -> Json:
    """A code becomes a token, once. Client id and secret were checked at the door."""
    code = call.world.codes.get(str(call.args.get("code") or ""))
    if code is None:
        raise Refusal("invalid_code")
    if code.is_used:
        raise Refusal("code_already_used")
    if code.redirect_uri is not None and call.args.get("redirect_uri") != code.redirect_uri:
        raise Refusal("bad_redirect_uri")
    code.is_used = True
    token, install = add_install(call.world, code)
    return {
        "app_id": APP,
        "authed_user": {"id": code.user},
        "scope": ",".join(sorted(call.world.scopes)),
        "token_type": "bot",
        "access_token": token,
        "bot_user_id": install.bot_user,
        "team": {"id": install.team, "name": install.team_name},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def add_install(world: World, code: Code) -> tuple[str, Install]:
    """Install the app in a workspace, or again: the bot stays who it is, the token is new, the old one lives on."""
    known = world.install_of(code.team)
    install = known[1] if known else _new_bot(world, code)
    token = f"xoxb-{code.team}-{secrets.token_hex(12)}"
    world.installs[token] = install
    world.tick()
    return token, install


def drop_token(world: World, token: str, why: str) -> None:
    """*why* is the code that later calls get: `token_revoked` or `account_inactive`."""
    world.installs.pop(token, None)
    world.dead_tokens[token] = why
    world.tick()


def _new_bot(world: World, code: Code) -> Install:
    user, bot = world.new_id("UBOT"), world.new_id("BBOT")
    world.users[user] = FakeUser(user, "countersign", code.team, flags={"is_bot": True})
    return Install(code.team, code.team_name, user, bot, code.user)


# ------------------------------------------------------------------- files


def upload_url(call: Call) -> Json:
    try:
        length = int(call.args["length"])
    except ValueError as error:
        raise Refusal("invalid_arguments") from error
    if length < 1:
        raise Refusal("invalid_arguments")
    file = FakeFile(call.world.new_id("F"), str(call.args["filename"]), length)
    call.world.files[file.id] = file
    return {"file_id": file.id, "upload_url": f"{call.base}/upload/v1/{file.id}"}


def complete(call: Call) -> Json:
    """Put uploaded files into a conversation, as one message of the bot."""
    files = [_uploaded(call, one) for one in call.args["files"]]
    target = call.args.get("channel_id") or call.args.get("channels")
    if target:
        _share(call, files, str(target))
    for file in files:
        file.is_complete = True
    call.world.tick()
    return {"files": [{"id": file.id, "title": file.title} for file in files]}


def _uploaded(call: Call, told: object) -> FakeFile:
    if not isinstance(told, dict) or not told.keys() <= {"id", "title", "highlight_type"}:
        raise Refusal("invalid_arguments")
    file = call.world.files.get(str(told.get("id")))
    if file is None or len(file.content) != file.length or file.is_complete:
        raise Refusal("file_not_found")
    file.title = str(told.get("title") or file.name)
    return file


def _share(call: Call, files: list[FakeFile], target: str) -> None:
    where = Call(call.world, {**call.args, "channel": target}, call.token, call.base, call.found).own_channel()
    if where.is_archived:
        raise Refusal("is_archived")
    thread_ts = call.args.get("thread_ts")
    if thread_ts and str(thread_ts) not in where.messages:
        raise Refusal("invalid_thread_ts")
    message = FakeMessage(
        channel=where.id,
        ts=call.world.ts(),
        user=call.install.bot_user,
        bot_id=call.install.bot_id,
        team=where.team,
        text=str(call.args.get("initial_comment") or ""),
        thread_ts=str(thread_ts) if thread_ts else None,
        args=dict(call.args),
        files=files,
    )
    call.world.post(message)
    for file in files:
        file.channel, file.thread_ts, file.ts = where.id, message.thread_ts, message.ts


HANDLERS: Mapping[str, Handler] = {
    "auth.test": auth_test,
    "auth.revoke": auth_revoke,
    "bots.info": bots_info,
    "oauth.v2.access": exchange,
    "files.getUploadURLExternal": upload_url,
    "files.completeUploadExternal": complete,
}
