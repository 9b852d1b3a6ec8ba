"""One picture for each example that ships, on the real bot in a real browser: the one in `docs/examples`.

    shown = await SCENES["support"](page)        # plays it, and says which parts of the page show it

`python -m tests.playground.story docs/screenshots` takes them, as `example-NAME.png`. A scene that shows less fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.examples.counting import csv, migration
from tests.examples.reading import code_review, content
from tests.examples.working import incident, plan_code_deploy
from tests.examples.writing import support, vendor
from tests.playground.kinds import Scene

SCENES: Mapping[str, Scene] = {
    "code_review": code_review,
    "content": content,
    "csv": csv,
    "incident": incident,
    "plan_code_deploy": plan_code_deploy,
    "support": support,
    "vendor": vendor,
}
WITH_DATABASE: Mapping[str, Scene] = {"migration": migration}
"""Those that need a PostgreSQL: tests/examples/shop.py makes it."""
