"""scripts.lua, read as a text: keys come from the caller alone, time from the server alone, owners are always asked.

What the functions do is tried in `tests/contracts`; here is what must hold for any function somebody adds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.store import keys, redis
from bot.store.keys import OWNED, SHARED, Keyring
from bot.store.link import Script, lua, read_scripts


def bare(text: str) -> str:
    """Without comments; the heads of functions stay."""
    return re.sub(r" *(?<!-)--(?!-).*", "", text)


PRELUDE, FUNCTIONS = bare(lua("prelude")), bare(lua("scripts"))
CODE = PRELUDE + FUNCTIONS
SCRIPTS: Mapping[str, Script] = read_scripts(lua("prelude"), lua("scripts"))
BODIES = {part.partition("(")[0]: part.partition("\n")[2] for part in FUNCTIONS.split("\n--- ")[1:]}
CALL = re.compile(r"redis\.call\('(\w+)'(?:,\s*([^,()]+(?:\([^)]*\))?))?")
PARAMETERS = {"key", "run.key", "rung.bell"}  # of the prelude's functions: names a caller passes on
ALIASES = {"holder": ("request", "run", "notes"), "other": ("request",)}  # another name for a key of the table


def helpers() -> Mapping[str, str]:
    """The prelude's functions and their bodies."""
    _, *parts = re.split(r"^local function (\w+)\(", PRELUDE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def reached(body: str) -> str:
    """*body* with the bodies of every helper it calls, and of those they call."""
    todo, seen = [body], dict[str, str]()
    while todo:
        text = todo.pop()
        for name, helper in helpers().items():
            if name not in seen and re.search(rf"\b{name}\(", text):
                seen[name] = helper
                todo.append(helper)
    return "\n".join((body, *seen.values()))


def used_keys(text: str) -> set[str]:
    return set(re.findall(r"\bK\.(\w+)", text))


def test_the_prelude_was_read() -> None:
    """The tests below see every helper, or they would prove nothing; and it touches no key by itself."""
    assert {"is_owner", "effects", "mark", "put_request", "write_journal", "deliver_mail"} <= set(helpers())
    assert set(BODIES) == set(SCRIPTS)
    assert not used_keys(PRELUDE.partition("local function")[0])
    assert len(SCRIPTS) >= 15


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_function_is_loaded_with_what_it_calls_and_with_nothing_else(name: str) -> None:
    """What is in front of it costs every call: 8 µs, all of the prelude."""
    loaded = {helper for helper in helpers() if f"local function {helper}(" in SCRIPTS[name].text}
    needed = reached(f"{BODIES[name]}\nover(")

    assert loaded == {helper for helper in helpers() if re.search(rf"\b{helper}\b", needed)}
    assert len(loaded) < len(helpers())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_function_declares_exactly_the_keys_it_touches(name: str) -> None:
    """T/cluster: an undeclared key fails on a cluster, an unused one hides a mistake."""
    assert used_keys(reached(BODIES[name])) == {*SCRIPTS[name].keys, SCRIPTS[name].list} - {""}


def test_no_key_name_is_built_in_lua() -> None:
    """The key of every command is one the caller named: never a text, never put together."""
    calls = CALL.findall(CODE)
    assert len(calls) == CODE.count("redis.call(")

    for command, key in calls:
        if command == "TIME":
            continue
        assert re.fullmatch(r"K\.\w+", key) or key in PARAMETERS, (command, key)


@pytest.mark.parametrize(("helper", "position"), [("put_request", 0), ("set", 0), ("with_shown", 0)])
def test_what_a_helper_is_given_as_a_key_is_one(helper: str, position: int) -> None:
    calls = re.findall(rf"(?<!function )\b{helper}\(([^()]*)", CODE)
    assert calls

    for arguments in calls:
        given = [each.strip() for each in arguments.split(",")]
        if len(given) > position:
            assert re.fullmatch(r"K\.\w+|key", given[position]) or given[position] in PARAMETERS, arguments


@pytest.mark.parametrize(
    ("helper", "position"), [("effects", 1), ("audit", 1), ("deliver_mail", 1), ("write_journal", 0)]
)
def test_what_a_helper_is_told_of_a_run_is_a_look_at_it(helper: str, position: int) -> None:
    """A key in its place would leave the run's own lines out of its trail, and say nothing."""
    calls = re.findall(rf"(?<!function ){helper}\(([^()]*)\)", CODE)
    told = [given[position].strip() for arguments in calls if len(given := arguments.split(",")) > position]

    assert set(told) == {"run"}
    assert not re.search(r"\brun = (?!look\(\)|\{ key = K\.run)", CODE)


def test_a_look_at_a_run_keeps_the_key_it_was_taken_with() -> None:
    looks = re.findall(r"\bkey = ([^,} ]+)", CODE)

    assert len(looks) == 2, "what was there, and what is new"
    assert set(looks) == {"K.run"}


def test_the_loop_over_keys_is_over_declared_ones() -> None:
    """`key` is the name of a parameter, and of the variable in loops over a list of keys."""
    for listed in re.findall(r"for _, key in ipairs\((.*?)\) do", CODE):
        assert re.fullmatch(r"\{ K\.\w+(, K\.\w+)* \}", listed)
    for listed in re.findall(r"for \w+, key in ipairs\((K.*?)\) do", CODE):
        assert listed.removeprefix("K.") in {script.list for script in SCRIPTS.values()}


def test_time_is_the_servers() -> None:
    """T31: nobody else's clock judges anything; and nothing in a script is left to chance."""
    assert CODE.count("'TIME'") == 1
    foreign = re.compile(r"\bos\.|math\.random|SRANDMEMBER|RANDOMKEY|loadstring|\bKEYS\b|SCAN")
    assert not foreign.search(CODE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_function_that_is_given_the_lease_asks_who_owns_it(name: str) -> None:
    """T/fence: before its first write."""
    if "lease" not in SCRIPTS[name].keys or name in ("acquire", "renew", "release"):
        return
    first_write = re.search(
        r"redis\.call\('(HSET|SET|ZADD|ZREM|RPUSH|HDEL|SADD|SREM)|write_journal|effects\(|\bset\(", BODIES[name]
    )

    assert first_write
    assert "is_owner()" in BODIES[name][: first_write.start()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_way_out_tells_the_time(name: str) -> None:
    """The last value is the server's clock: `Store.now` lives on it."""
    ways_out = re.findall(r"\breturn (.+?)(?: end)?$", BODIES[name], re.MULTILINE)

    assert ways_out
    for way in ways_out:
        assert way.endswith("now }") or (way == "found" and "table.insert(found, now)" in BODIES[name])


def test_every_function_is_called_and_every_call_has_a_function() -> None:
    text = "".join(path.read_text() for path in sorted(Path(redis.__file__).parent.glob("*.py")))

    assert set(re.findall(r"(?:_call|_link\.call)\(\s*\"(\w+)\"", text)) == set(SCRIPTS)


def test_the_table_of_keys_names_every_key() -> None:
    """Docs: whoever looks at a Redis finds each key, its type and its life in one place."""
    documented = set(re.findall(r"^\| `\{ns(?::s)?\}:(\w+)", keys.__doc__ or "", re.MULTILINE))
    named = {real for script in SCRIPTS.values() for key in script.keys for real in ALIASES.get(key, (key,))}

    assert named <= documented
    assert documented == {*SHARED, *OWNED, "keep", "processes", "meta"}


@pytest.mark.parametrize("name", [*SHARED, *OWNED])
def test_a_key_carries_its_shards_tag_first(name: str) -> None:
    """Whatever an id holds, the first braces are the shard's."""
    key = Keyring("ns", 3)(name, "{x}" if name in OWNED else "")

    assert key.startswith("{ns:3}:" + name)
    assert key.endswith("{x}") == (name in OWNED)
