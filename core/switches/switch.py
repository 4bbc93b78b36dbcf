"""What a kill switch is, as a plugin declares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Something an admin can stop at once, in every process within a second, and let go on later.

    ``help`` says in a sentence what stops and what becomes of what arrives meanwhile. While it is pulled the
    ``subscribers`` it names (``<plugin>.<handler>``) are not called and the ``jobs`` it names (``<plugin>.<job>``) not
    started: deliveries and jobs wait, and are made when it is on again. With ``value_routes`` every REST route of the
    plugin that takes an Idempotency-Key answers 503 SWITCHED_OFF, and every form of a page, every operation and every
    approval in the inbox that the plugin declares with ``moves_value`` is refused so. For anything else a service asks
    by ``switches.require(session, "<plugin>.<name>")``. A plugin that is disabled stops wholly, whatever its switches
    say.
    """

    name: str
    label: str
    help: str
    subscribers: Sequence[str] = ()
    jobs: Sequence[str] = ()
    value_routes: bool = False
