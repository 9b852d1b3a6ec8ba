"""Garbage: collected rarely, so that nobody's click waits for it.

    start -> hold (nothing is collected while everything is imported) -> settle (once, then what is there stays)

Most objects go by themselves when nobody names them any more; the collector looks for those that name each other. At
its defaults it looks at all 170,000 that the imports leave, for 0.1 s and more, and at every click for the new ones.
"""

from __future__ import annotations

import gc

YOUNG = 5_000  # new objects until the next look; Python's own 700 are reached at nearly every click
OLDER = (2, 5)  # looks, until what survived is looked at again: 10,000, 10 and 10 left 70 MB of 10,000 runs, not 33


def hold() -> None:
    """Collect nothing until `settle`: what is imported stays, so a look at it is in vain."""
    gc.disable()


def settle() -> None:
    """Collect what starting left behind, never look again at what stays, and from now on look rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *OLDER)
    gc.enable()
