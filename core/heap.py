"""Loading without the collector.

While modules load, next to nothing becomes garbage, and Python's cyclic collector would walk the growing heap dozens of
times: a fifth of the time that a process takes to start.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Hold the collector back while the block loads; what is there at its end is not walked again.

    That is also what lets forked workers share the pages of what was loaded before the fork.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
