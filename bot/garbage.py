"""Garbage: collected rarely, so that nobody's click waits for it.

    start -> hold (nothing is collected while everything is imported) -> settle (once, then what is there stays)

Most objects go by themselves when nobody names them any more; the collector looks for those that name each other. At
its defaults it looks at all 170,000 that the imports leave, for 0.1 s and more, and at every click for the new ones.
"""

from __future__ import annotations

import gc

YOUNG = 5_000  # new objects until the next look, not 700: a click leaves about a thousand; a look at them takes 0.5 ms
OLDER = (2, 5)  # looks, until those that survived are looked at again: what nobody needs must not pile up meanwhile


def hold() -> None:
    """Collect nothing until `settle`: what is imported stays, so a look at it is in vain."""
    gc.disable()


def settle() -> None:
    """Collect what starting left behind, never look again at what stays, and from now on look rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *OLDER)
    gc.enable()
