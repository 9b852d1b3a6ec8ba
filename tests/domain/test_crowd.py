"""Where a request is shown: beside its own conversation, or on another platform."""

from __future__ import annotations

import pytest

from bot.domain.chat import Place
from bot.domain.crowd import channel_of, stand
from tests.domain.given import ask, request

HERE = Place(platform="slack", tenant="T1", channel="C1", thread="1.2")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("#ops", Place(platform="slack", tenant="T1", channel="ops")),
        ("slack/#ops", Place(platform="slack", tenant="T1", channel="ops")),
        ("teams/#Ops", Place(platform="teams", tenant="", channel="Ops")),
        ("teams/#Care/Wire transfers", Place(platform="teams", tenant="", channel="Care/Wire transfers")),
        ("playground/#general", Place(platform="playground", tenant="", channel="general")),
        ("thread", HERE),
    ],
)
def test_a_rule_names_a_channel_here_or_elsewhere(name: str, place: Place) -> None:
    """CD-01, PN-16: without a platform it is the request's own; elsewhere the adapter fills the tenant in."""
    asked = request(place=HERE, ask=ask(place=name))

    assert stand(asked) == place
    if name != "thread":
        assert channel_of(asked, name.removeprefix("#")) == place
