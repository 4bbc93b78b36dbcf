"""What other plugins may add to notices."""

from __future__ import annotations

from collections.abc import Iterable

from guildhall import hookspec

from .kinds import Kind


@hookspec
def notification_kinds() -> Iterable[Kind]:
    """Kinds of notices a plugin brings. *Isolated.*

    Called once in each unit of work that writes or shows notices. Not called for a disabled plugin: its
    earlier notices are then shown with a text that says so.
    """
    return ()
