"""views.*: modals behind a trigger that lives 3 s, a stack of at most three, and one Home tab a person."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from tests.fakes.slack import blocks as kit
from tests.fakes.slack.call import Call, Handler
from tests.fakes.slack.world import FakeView, Install, Json, Refusal, Trigger, World, with_block_ids

STACK = 3  # modals over each other (docs.slack.dev, modals)


def open_view(call: Call) -> Json:
    trigger = _trigger(call)
    kit.check_view(call.args["view"], "modal")
    _unique(call, None)
    trigger.is_spent = True
    view = new_view(call.world, call.install, trigger.user, call.args["view"])
    call.world.modals[trigger.user] = [view]
    call.world.tick()
    return {"view": view.wire()}


def push_view(call: Call) -> Json:
    trigger = _trigger(call)
    stack = call.world.modals.get(trigger.user, [])
    if trigger.in_view is None or not stack:
        raise Refusal("invalid_trigger_id")
    if len(stack) >= STACK:
        raise Refusal("push_limit_reached")
    kit.check_view(call.args["view"], "modal")
    _unique(call, None)
    trigger.is_spent = True
    push_on(call.world, call.install, trigger.user, call.args["view"])
    return {"view": stack[-1].wire()}


def update_view(call: Call) -> Json:
    if bool(call.args.get("view_id")) == bool(call.args.get("external_id")):
        raise Refusal("invalid_arguments")
    view = _standing(call)
    if call.args.get("hash") and call.args["hash"] != view.hash:
        raise Refusal("hash_conflict")
    kit.check_view(call.args["view"], "modal")
    _unique(call, view)
    change(call.world, view, call.args["view"])
    return {"view": view.wire()}


def publish(call: Call) -> Json:
    if not call.world.home_enabled:
        raise Refusal("not_enabled")
    user = call.user("user_id")
    known = call.world.homes.get(user.id)
    if call.args.get("hash") and (known is None or call.args["hash"] != known.hash):
        raise Refusal("hash_conflict")
    kit.check_view(call.args["view"], "home")
    if known is None:
        known = call.world.homes[user.id] = new_view(call.world, call.install, user.id, call.args["view"])
    change(call.world, known, call.args["view"])
    return {"view": known.wire()}


# ------------------------------------------------------- shared with forms


def new_view(world: World, install: Install, user: str, body: Json, below: FakeView | None = None) -> FakeView:
    own = world.new_id("V")
    root, previous = (below.root, below.id) if below else (own, None)
    named = {**body, "blocks": with_block_ids(body["blocks"])}
    return FakeView(own, user, install.team, named, _hash(world), install.bot_id, root, previous)


def push_on(world: World, install: Install, user: str, body: Json) -> None:
    stack = world.modals[user]
    stack.append(new_view(world, install, user, body, stack[-1]))
    world.tick()


def change(world: World, view: FakeView, body: Json) -> None:
    view.body, view.hash = {**body, "blocks": with_block_ids(body["blocks"])}, _hash(world)
    world.tick()


def _hash(world: World) -> str:
    return f"{int(world.now())}.{secrets.token_hex(4)}"


def _trigger(call: Call) -> Trigger:
    trigger = call.world.triggers.get(str(call.args.get("trigger_id") or ""))
    if trigger is None or trigger.team != call.install.team:
        raise Refusal("invalid_trigger_id")
    if call.world.now() >= trigger.until:
        raise Refusal("expired_trigger_id")
    if trigger.is_spent:
        raise Refusal("exchanged_trigger_id")
    return trigger


def _all(world: World) -> list[FakeView]:
    return [view for stack in world.modals.values() for view in stack]


def _standing(call: Call) -> FakeView:
    """The modal that is meant, if somebody still has it before them."""
    wanted, external = call.args.get("view_id"), call.args.get("external_id")
    mine = [view for view in _all(call.world) if view.team == call.install.team]
    found = (view for view in mine if view.id == wanted or (external and view.body.get("external_id") == external))
    view = next(found, None)
    if view is None:
        raise Refusal("not_found")
    return view


def _unique(call: Call, own: FakeView | None) -> None:
    external = call.args["view"].get("external_id")
    if external and any(view.body.get("external_id") == external for view in _all(call.world) if view is not own):
        raise Refusal("duplicate_external_id")


HANDLERS: Mapping[str, Handler] = {
    "views.open": open_view,
    "views.push": push_view,
    "views.update": update_view,
    "views.publish": publish,
}
