"""One picture for each example that ships, on the real bot in a real browser: the one in `docs/examples`.

    shown = await SCENES["support"](page)        # plays it, and says which parts of the page show it

`python -m tests.playground.story docs/screenshots` takes them, as `example-NAME.png`. A scene that shows less fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.playground.kinds import Scene

SCENES: Mapping[str, Scene] = {}
