"""Tools: typed functions that an agent may ask for, and the box that holds them.

    @tool(risk=Risk.WRITE, touches=("money",), idempotent=True)
    def refund(order_id: int, amount: Money, leave: Leave) -> Refunded:
        '''Pay money back.

        Args:
            order_id: which order
        '''

model's JSON -> `check` -> canonical call -> (the gate) -> `run` from the call's own bytes

The signature is the schema; a parameter of type `Leave` is handed in and never shown to the model.
`preview=` names a function that finds out what a call would do (previews); a function that returns `Shown` has files or
sources to show (shown).

Owns schemas, checking, running and time limits. Not whether a call may run (the gate), nor the journal.
Arguments must survive JSON unchanged: no sets, no bytes.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Unpack, cast, get_args, get_origin, get_type_hints

import docstring_parser
import structlog
from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails, PydanticSerializationError

from agents import previews
from agents.previews import Preview
from agents.results import MOST_RESULT as MOST_RESULT
from agents.results import result_text
from agents.shown import File as File
from agents.shown import Shown as Shown
from agents.traits import BadTool, Traits, checked
from bot.domain import ports
from bot.domain.arguments import secret_values, without
from bot.domain.calls import Cause, Evidence, Outcome, Risk, ToolCall, ToolResult, ToolSpec, canonical, digest
from bot.domain.errors import BadJson, InvalidArguments, NotAllowed, Refused, UnknownTool
from bot.domain.ports import Leave
from bot.domain.redacted import MASK
from bot.domain.wire import Json, replace

MOST_PROBLEMS = 20
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what Chat Completions endpoints accept as a function name

log = structlog.stdlib.get_logger(__name__)


class ToolProblem(Refused):
    """A tool cannot do what it was asked. The message is safe and clear: people and the model read it."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.people_read = told


class InDoubt(ToolProblem):
    """A tool began and cannot know whether it took effect. The result's outcome is UNKNOWN."""


class Secret:
    """`Annotated[str, SECRET]`: this argument's value is never shown or logged."""


class Private:
    """`Annotated[str, PRIVATE]`: nobody but who may answer sees its value, in Details, before they approve it."""


SECRET: Final = Secret()
PRIVATE: Final = Private()


def tool(bare: object = None, /, **traits: Unpack[Traits]) -> Callable[[Callable[..., Any]], FunctionTool]:
    """Make a typed function, plain or async, a `Tool`. A plain one runs in a thread.

    Raises BadTool, a TypeError, when the function is defined: for whatever cannot become a schema, for what is no
    trait, and for *bare*, the function itself, which is there if nobody said how careful to be with it.
    """
    if bare is not None:
        name = getattr(bare, "__name__", "this")
        raise BadTool(f"{name}: write @tool(risk=Risk.WRITE) above it: @tool alone does not say what harm it can do")
    kept = checked(traits)

    def made(fn: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(fn, kept)

    return made


class FunctionTool:
    """A `Tool` (bot.domain.ports) made of one function."""

    def __init__(self, fn: Callable[..., Any], traits: Traits) -> None:
        self._fn = fn
        self._signature = _read_signature(fn)
        self.spec = _spec(fn, self._signature, traits)
        self._preview = _preview(self.spec.name, self._signature, traits)

    def check(self, args: Json) -> Json:
        """The arguments as they would run. Raises InvalidArguments; the function is not called."""
        return self._dumped(self._validated(args))

    async def run(self, call: ToolCall, leave: Leave) -> ToolResult:
        """Do it. Raises NotAllowed for a leave or digest of other bytes: somebody went round the gate."""
        must_be_left(self.spec.name, call, leave)
        try:
            ready = self._validated(call.values)
            self._refuse_changed(call, ready)
        except InvalidArguments as changed:
            return ToolResult(outcome=Outcome.NOT_RUN, text=f"Not run: {changed.people_read}", cause=Cause.INVALID)
        try:
            async with asyncio.timeout(self.spec.timeout.total_seconds()) as limit:
                value = await self._call(ready, leave)
        except TimeoutError as error:
            return self._overdue() if limit.expired() else self._failed(call, error)
        except InDoubt as doubt:
            return ToolResult(outcome=Outcome.UNKNOWN, text=self._redacted(str(doubt), call))
        except ToolProblem as problem:
            return ToolResult(outcome=Outcome.ERROR, text=self._redacted(str(problem), call))
        except Exception as error:  # noqa: BLE001  # any failure of foreign code is a result, by contract
            return self._failed(call, error)
        return self._done(value, call)

    async def preview(self, call: ToolCall) -> tuple[Evidence, ...]:
        """`ports.Previewing`: what the preview function finds out about these very bytes; nothing without one."""
        if self._preview is None:
            return ()
        try:
            ready = self._validated(call.values)
            self._refuse_changed(call, ready)
        except InvalidArguments as changed:
            return previews.failed(changed.people_read)
        found = await self._preview.of(self._given(ready))
        return tuple(
            replace(one, label=self._blotted(one.label, call), text=self._blotted(one.text, call)) for one in found
        )

    def _refuse_changed(self, call: ToolCall, ready: BaseModel) -> None:
        """What was signed must be what this version of the tool would run, to the byte."""
        if call.version != self.spec.version:
            told = f"it was signed for version {call.version} of the tool; this is version {self.spec.version}."
            raise InvalidArguments(self.spec.name, {"version": told})
        if canonical(self._dumped(ready)).decode() != call.args:
            raise InvalidArguments(self.spec.name, {"arguments": "the tool now reads these arguments differently."})

    async def _call(self, ready: BaseModel, leave: Leave) -> object:
        given = self._given(ready) | dict.fromkeys(self._signature.leaves, leave)
        if inspect.iscoroutinefunction(self._fn):
            return await self._fn(**given)
        return await asyncio.to_thread(self._fn, **given)

    def _given(self, ready: BaseModel) -> dict[str, Any]:
        return {name: getattr(ready, field) for name, field in self._signature.fields.items()}

    def _done(self, value: object, call: ToolCall) -> ToolResult:
        if not isinstance(value, Shown):
            return ToolResult(outcome=Outcome.OK, text=result_text(value))
        taken = value.taken(lambda text: self._blotted(text, call))
        text = "\n".join(part for part in (result_text(value.value), *taken.told) if part)
        return ToolResult(outcome=Outcome.OK, text=text, files=taken.files, sources=taken.sources)

    def _validated(self, args: Json) -> BaseModel:
        try:
            return self._signature.model.model_validate(args)
        except ValidationError as error:
            raise InvalidArguments(self.spec.name, self._problems(error)) from None
        except (ValueError, TypeError, ArithmeticError, RecursionError):  # a validator's own mistake; never echo it
            raise InvalidArguments(self.spec.name, {"arguments": "They cannot be read."}) from None

    def _dumped(self, ready: BaseModel) -> Json:
        try:
            args: Json = ready.model_dump(mode="json", by_alias=True)
            canonical(args)
        except (PydanticSerializationError, BadJson):
            raise InvalidArguments(self.spec.name, {"arguments": "They cannot be written as JSON."}) from None
        return args

    def _problems(self, error: ValidationError) -> dict[str, str]:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:MOST_PROBLEMS]
        return {_field(problem): self._sentence(problem) for problem in found}

    def _sentence(self, problem: ErrorDetails) -> str:
        if problem["loc"] and problem["loc"][0] in self.spec.secrets:
            return "It is not valid."
        text = _SENTENCES.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        return _tame(text, 300).rstrip(".") + "."

    def _overdue(self) -> ToolResult:
        limit = f"{self.spec.timeout.total_seconds():g} seconds"
        if self.spec.risk is Risk.READ:
            return ToolResult(outcome=Outcome.ERROR, text=f"{self.spec.name} gave no answer within {limit}.")
        told = f"{self.spec.name} was started and gave no answer within {limit}. Whether it took effect is not known."
        return ToolResult(outcome=Outcome.UNKNOWN, text=told)

    def _failed(self, call: ToolCall, error: Exception) -> ToolResult:
        """The class and message are for logs alone, and the message only where no secret can be in it."""
        message = "" if self.spec.secrets else _tame(str(error), 500)
        log.warning("tool_failed", tool=call.tool, digest=call.digest, error=type(error).__name__, message=message)
        told = f"{self.spec.name} failed inside."
        if self.spec.risk is not Risk.READ:
            told += " Part of it may have taken effect."
        return ToolResult(outcome=Outcome.ERROR, text=told)

    def _redacted(self, text: str, call: ToolCall) -> str:
        return _tame(self._blotted(text, call), 2000)

    def _blotted(self, text: str, call: ToolCall) -> str:
        """*text* without the value of any secret argument, or of anything inside one."""
        values = call.values
        short = {value for name in self.spec.secrets if isinstance(value := values.get(name), str) and value}
        return without(text, short.union(secret_values(values, self.spec.secrets)), mask=MASK)


def must_be_left(tool: str, call: ToolCall, leave: Leave) -> None:
    """Raises NotAllowed unless *leave* is for *call*, and *call* for *tool*: somebody went round the gate."""
    if leave.digest != call.digest:
        raise NotAllowed(tool, Cause.INVALID, "The leave is for another call.")
    if digest(call.tool, call.version, call.args) != call.digest:
        raise NotAllowed(tool, Cause.INVALID, "The call is not the one its digest names.")
    if call.tool != tool:
        raise NotAllowed(tool, Cause.INVALID, f"The call is for {call.tool}.")


class Toolbox:
    """`ports.Toolbox`: every tool there is, by name."""

    def __init__(self, tools: Iterable[ports.Tool]) -> None:
        """Raises ValueError when two tools share a name."""
        self._tools: dict[str, ports.Tool] = {}
        for one in tools:
            if one.spec.name in self._tools:
                raise ValueError(f"two tools are called {one.spec.name}")
            self._tools[one.spec.name] = one

    def get(self, name: str) -> ports.Tool:
        found = self._tools.get(name)
        if found is None:
            raise UnknownTool(_tame(name, 64))
        return found

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(one.spec for one in self._tools.values())


# --------------------------------------------------------- from a function


def _preview(tool: str, signature: _Signature, traits: Traits) -> Preview | None:
    fn = traits.get("preview")
    return Preview(tool, fn, signature.fields, traits.get("preview_timeout", previews.WITHIN)) if fn else None


class _Signature:
    """A function's arguments as a model. Fields are `arg_x` with alias `x`: an argument may be called `schema`."""

    def __init__(self, model: type[BaseModel], fields: Mapping[str, str]) -> None:
        self.model, self.fields = model, fields
        self.leaves: tuple[str, ...] = ()
        self.secrets: tuple[str, ...] = ()
        self.private: tuple[str, ...] = ()


class _Plain(GenerateJsonSchema):
    """No "title" on every property: it repeats the name and costs tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # the library's signature
        return False


def _read_signature(fn: Callable[..., Any]) -> _Signature:
    try:
        hints = get_type_hints(fn, include_extras=True)
    except (NameError, TypeError) as error:
        raise BadTool(f"{fn.__name__}: a type of its arguments cannot be read: {error}") from error
    leaves, secrets, private = [], [], []
    space: dict[str, Any] = {}
    for name, parameter in inspect.signature(fn).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise BadTool(f"{fn.__name__}: *{name} cannot be described to a model; name each argument")
        if name not in hints:
            raise BadTool(f"{fn.__name__}: {name} has no type: write {name}: str, for instance")
        if hints[name] is Leave:
            leaves.append(name)
            continue
        space[name] = (hints[name], _field_info(fn, parameter, hints[name]))
        if any(isinstance(mark, Secret) for mark in _marks(hints[name])):
            secrets.append(name)
        if any(isinstance(mark, Private) for mark in _marks(hints[name])):
            private.append(name)
    made = _Signature(_model(fn, space), {name: f"arg_{name}" for name in space})
    made.leaves, made.secrets, made.private = tuple(leaves), tuple(secrets), tuple(private)
    return made


def _model(fn: Callable[..., Any], space: Mapping[str, Any]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False, protected_namespaces=())
    try:
        made = create_model(fn.__name__, __config__=config, **{f"arg_{name}": field for name, field in space.items()})
        _schema(made)
    except PydanticUserError as error:
        if len(space) > 1:
            for name, field in space.items():  # the one that cannot be described raises here, by its name
                _model(fn, {name: field})
        told = "give it a type that JSON has: text, number, list, dict, or a pydantic model of them"
        raise BadTool(f"{fn.__name__}: {', '.join(space)} cannot be described to a model; {told}") from error
    return cast(type[BaseModel], made)


def _field_info(fn: Callable[..., Any], parameter: inspect.Parameter, hint: object) -> Any:
    default = ... if parameter.default is parameter.empty else parameter.default
    said = any(isinstance(mark, FieldInfo) and mark.description for mark in _marks(hint))
    text = None if said else _help(fn).get(parameter.name)
    return Field(default, alias=parameter.name, description=text) if text else Field(default, alias=parameter.name)


def _marks(hint: object) -> tuple[object, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _help(fn: Callable[..., Any]) -> dict[str, str]:
    params = docstring_parser.parse(inspect.getdoc(fn) or "").params
    return {param.arg_name: " ".join(param.description.split()) for param in params if param.description}


def _spec(fn: Callable[..., Any], signature: _Signature, traits: Traits) -> ToolSpec:
    name = traits.get("name", fn.__name__)
    if not NAME.fullmatch(name):
        raise BadTool(f"{name!r} cannot be the name of a tool; it has 1 to 64 letters, digits, _ or -")
    doc = docstring_parser.parse(inspect.getdoc(fn) or "")
    if not doc.short_description:
        raise BadTool(f"{name} has no docstring: write what it does, for people and the model, as its first line")
    private = tuple(dict.fromkeys((*traits.get("private", ()), *signature.private)))
    secrets = tuple(dict.fromkeys((*traits.get("secrets", ()), *signature.secrets)))
    if unknown := {*secrets, *private} - set(signature.fields):
        raise BadTool(f"{name}: {', '.join(sorted(unknown))} cannot be secret: {_no_argument(signature)}")
    if both := set(secrets) & set(private):
        raise BadTool(f"{name}: {', '.join(sorted(both))} cannot be secret and private: signers see what is private")
    if (text := traits.get("accepted", "")) and text not in signature.fields:
        raise BadTool(f"{name}: {text} cannot be what people accepted: {_no_argument(signature)}")
    return ToolSpec(
        name=name,
        version=traits.get("version", "1"),
        description=" ".join(f"{doc.short_description} {doc.long_description or ''}".split()),
        schema=_schema(signature.model),
        risk=Risk(traits.get("risk", Risk.IRREVERSIBLE)),
        is_idempotent=traits.get("idempotent", False),
        timeout=traits.get("timeout", timedelta(seconds=60)),
        touches=traits.get("touches", ()),
        secrets=(*secrets, *private),
        private=private,
        category=traits.get("category", ""),
        asks=traits.get("asks", ""),
        accepted=text,
        has_preview="preview" in traits,
    )


def _no_argument(signature: _Signature) -> str:
    return f"there is no such argument; there are {', '.join(signature.fields) or 'none'}"


def _schema(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(schema_generator=_Plain)
    schema.pop("title", None)
    return json.dumps(schema, ensure_ascii=False)  # in the order people wrote: a form shows it so


# ------------------------------------------------------------------- texts


_SENTENCES: Mapping[str, str] = {
    "missing": "It is missing",
    "extra_forbidden": "There is no such argument",
    "model_type": "The arguments must be one JSON object",
    "model_attributes_type": "The arguments must be one JSON object",
    "dict_type": "It must be a JSON object",
}


def _field(problem: ErrorDetails) -> str:
    return _tame(".".join(str(part) for part in problem["loc"]) or "arguments", 100)


def _tame(text: str, most: int) -> str:
    """Foreign text as one short line."""
    clean = " ".join(text.encode("utf-8", "replace").decode().split())
    return clean if len(clean) <= most else clean[:most] + "…"
