"""What other plugins may extend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guildhall import hookspec

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .leaf import Leaf


@hookspec
def badge_criteria(session: Session) -> list[type[Leaf]]:
    """Kinds of criteria that a badge can be made of. *Isolated.*

    Called when the badges are compiled, and not called for each event; answer the same classes every time. Badges
    that use a kind whose plugin is off are not awarded until it is back.
    """
    raise NotImplementedError
