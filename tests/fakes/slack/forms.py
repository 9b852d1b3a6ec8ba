"""What people do in windows: fill a modal and send it, close it, look at Home and press there.

The client's own checks come first, as in Slack: a required field left empty never reaches the app.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.fakes.slack import blocks as kit
from tests.fakes.slack import payloads, views
from tests.fakes.slack.acts import Acts, ClientRefused, find
from tests.fakes.slack.delivery import EVENT, Reply
from tests.fakes.slack.world import FakeView, Install, Json, Refusal

TROUBLE = "We had some trouble connecting. Try again?"
CHOSEN = {"static_select": "selected_option", "radio_buttons": "selected_option"}
SEVERAL = {"checkboxes": "selected_options", "multi_static_select": "selected_options"}
PLAIN = {
    **dict.fromkeys(
        ("plain_text_input", "number_input", "email_text_input", "url_text_input"), ("value", "initial_value")
    ),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
}


class Windows(Acts):
    """Modals and Home of every person."""

    _problems: dict[str, dict[str, str]]

    # ----------------------------------------------------------------- modals

    def view_of(self, user: str) -> FakeView | None:
        """The modal the person has before them: the top of the stack."""
        stack = self._world.modals.get(user)
        return stack[-1] if stack else None

    def errors_of(self, user: str) -> dict[str, str]:
        """What the person reads beside the fields after the last submit: label -> text; "" for the whole window."""
        return dict(self._problems.get(user, {}))

    async def submit(self, user: str, values: Mapping[str, Any]) -> Reply:
        """Fill in fields, by label or block id, and send. What is not named keeps its initial value.

        A choice is named by its option's text or value; checkboxes by a list of them, or True and False for all
        and none. Raises ClientRefused when the client would not send it.
        """
        view = self._standing(user)
        if "submit" not in view.body:
            raise ClientRefused(f"the window {view.title!r} has nothing to send")
        state = fill(view, values)
        self._problems.pop(user, None)
        reply = await self.interact(
            {
                **payloads.acted(self._world, "view_submission", user, view.team),
                "trigger_id": self._world.trigger(user, view.team, view.id),
                "view": view.wire(state),
                "response_urls": [],
            }
        )
        self._obey(user, view, reply)
        self._world.tick()
        return reply

    async def close_view(self, user: str) -> Reply | None:
        """Close the top modal; the app hears of it if it asked to."""
        view = self._standing(user)
        self._world.modals[user].pop()
        self._problems.pop(user, None)
        self._world.tick()
        if not view.body.get("notify_on_close"):
            return None
        told = payloads.acted(self._world, "view_closed", user, view.team)
        return await self.interact({**told, "view": view.wire(), "is_cleared": False})

    async def press_view(self, user: str, label: str, nth: int = 0) -> Reply:
        """Press a button inside the modal."""
        return await self._press_in(self._standing(user), user, label, nth)

    # ------------------------------------------------------------------- Home

    def home_of(self, user: str) -> FakeView | None:
        return self._world.homes.get(user)

    async def open_home(self, user: str, tab: str = "home") -> Reply:
        """Look at the app; *tab* is `home` or `messages`."""
        team = self._world.users[user].team
        known = self._world.homes.get(user)
        shown = {"view": known.wire()} if known and tab == "home" else {}
        inner: Json = {"type": "app_home_opened", "user": user, "tab": tab, **shown}
        inner["channel"] = self._world.dm(team, user).id
        return await self._carry(EVENT, payloads.event(self._world, team, inner))

    async def press_home(self, user: str, label: str, nth: int = 0) -> Reply:
        """Press a button of the person's Home tab; *nth* picks one of several with this label."""
        home = self._world.homes.get(user)
        if home is None:
            raise ClientRefused(f"{user} has no Home tab yet")
        return await self._press_in(home, user, label, nth)

    async def _press_in(self, view: FakeView, user: str, label: str, nth: int) -> Reply:
        spot = find(view.blocks, label, nth)
        in_modal = view.id if view.body["type"] == "modal" else None
        return await self.interact(
            {
                **payloads.acted(self._world, "block_actions", user, view.team),
                **payloads.in_view(view),
                "trigger_id": self._world.trigger(user, view.team, in_modal),
                "actions": [payloads.action(self._world, spot)],
            }
        )

    # -------------------------------------------------------------- the answer

    def _standing(self, user: str) -> FakeView:
        view = self.view_of(user)
        if view is None:
            raise ClientRefused(f"{user} has no window open")
        return view

    def _obey(self, user: str, view: FakeView, reply: Reply) -> None:
        stack = self._world.modals.get(user, [])
        if not reply.is_ok:
            self._problems[user] = {"": TROUBLE}
            return
        try:
            self._respond(user, view, reply.json, stack)
        except Refusal:
            self._problems[user] = {"": TROUBLE}

    def _respond(self, user: str, view: FakeView, told: Json, stack: list[FakeView]) -> None:
        match told.get("response_action"):
            case None if not told:
                if view in stack:
                    stack.remove(view)
            case "errors":
                self._problems[user] = _labelled(view, told.get("errors") or {})
            case "clear":
                stack.clear()
            case "update":
                kit.check_view(told.get("view"), "modal")
                views.change(self._world, view, told["view"])
            case "push":
                if len(stack) >= views.STACK:
                    raise Refusal("push_limit_reached")
                kit.check_view(told.get("view"), "modal")
                views.push_on(self._world, self._install(view), user, told["view"])
            case other:
                raise Refusal(f"unknown response_action {other}")

    def _install(self, view: FakeView) -> Install:
        return next(one for one in self._world.installs.values() if one.team == view.team)


def fill(view: FakeView, values: Mapping[str, Any]) -> Json:
    """`view.state.values` of a person who typed *values* and left the rest as it was."""
    fields = [block for block in view.blocks if block["type"] == "input"]
    known = {name for block in fields for name in (block["label"]["text"], block["block_id"])}
    if unknown := values.keys() - known:
        raise ClientRefused(f"no such field: {sorted(unknown)}; there are {sorted(known)}")
    state: Json = {}
    for block in fields:
        label, name = block["label"]["text"], block["block_id"]
        given = values[label] if label in values else values.get(name)
        is_given = label in values or name in values
        element = block["element"]
        answer = _chosen(element, given) if is_given else _initial(element)
        _client_checks(label, element, answer, is_optional=block.get("optional", False))
        state[name] = {element.get("action_id", "action"): {"type": element["type"], **answer}}
    return state


def _initial(element: Json) -> Json:
    kind = element["type"]
    if kind in CHOSEN:
        return {CHOSEN[kind]: element.get("initial_option")}
    if kind in SEVERAL:
        return {SEVERAL[kind]: element.get("initial_options", [])}
    name, initial = PLAIN[kind]
    return {name: element.get(initial)}


def _chosen(element: Json, given: Any) -> Json:
    kind = element["type"]
    if kind in CHOSEN:
        return {CHOSEN[kind]: None if given is None else _option(element, given)}
    if kind in SEVERAL:
        if isinstance(given, bool):
            return {SEVERAL[kind]: list(element["options"]) if given else []}
        names = [given] if isinstance(given, str) else list(given)
        return {SEVERAL[kind]: [_option(element, name) for name in names]}
    return {PLAIN[kind][0]: None if given in (None, "") else str(given)}


def _option(element: Json, name: str) -> Json:
    groups = element.get("option_groups") or [element]
    options: list[Json] = [option for group in groups for option in group["options"]]
    found = next((one for one in options if name in (one["text"]["text"], one["value"])), None)
    if found is None:
        raise ClientRefused(f"no option {name!r}; there are {[one['text']['text'] for one in options]}")
    return found


def _client_checks(label: str, element: Json, answer: Json, *, is_optional: bool) -> None:
    [value] = answer.values()
    if value in (None, "", []):
        if not is_optional:
            raise ClientRefused(f"{label}: this field is required")
        return
    if element["type"] == "number_input":
        _check_number(label, element, str(value))
    if element["type"] == "plain_text_input":
        low, high = element.get("min_length", 0), element.get("max_length", 3000)
        if not low <= len(str(value)) <= high:
            raise ClientRefused(f"{label}: {len(str(value))} characters; {low} to {high} are allowed")


def _check_number(label: str, element: Json, value: str) -> None:
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ClientRefused(f"{label}: {value} is not a number") from error
    if not element["is_decimal_allowed"] and number != number.to_integral_value():
        raise ClientRefused(f"{label}: {value} is not a whole number")
    low, high = element.get("min_value"), element.get("max_value")
    if (low is not None and number < Decimal(low)) or (high is not None and number > Decimal(high)):
        raise ClientRefused(f"{label}: {value} is outside of {low} to {high}")


def _labelled(view: FakeView, errors: Mapping[str, str]) -> dict[str, str]:
    """Slack refuses errors for blocks that are no inputs of this view, and errors without a word."""
    labels = {block["block_id"]: str(block["label"]["text"]) for block in view.blocks if block["type"] == "input"}
    if not errors or errors.keys() - labels.keys() or not all(errors.values()):
        raise Refusal("invalid errors")
    return {labels[name]: text for name, text in errors.items()}
