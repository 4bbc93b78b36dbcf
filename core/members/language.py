"""The language a member wants to be spoken to in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Invalid
from core.i18n import Catalogues, _
from core.members.models import Member


def choose(session: Session, actor: Actor, member_id: UUID, language: str, catalogues: Catalogues) -> None:
    """Keep ``language`` for a member; empty means: as the browser asks, and English in mail. Raises Invalid."""
    if language and language not in catalogues.languages:
        raise Invalid({"language": [_("There is no such language here.")]})
    session.get_one(Member, member_id).locale = language
    session.flush()
