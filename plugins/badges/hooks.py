"""What badges add to other plugins' pages, and their own kinds of criteria."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from flask_babel import get_locale
from sqlalchemy.orm import Session

from guildhall import Actor, Panel, _, hookimpl
from plugins.contributions import Stage

from . import queries
from .leaf import Leaf
from .leaves import LEAVES


@hookimpl
def badge_criteria() -> list[type[Leaf]]:
    """Our own leaves, by the same hook as anybody's."""
    return LEAVES


@hookimpl
def contribution_stages(session: Session, contribution_id: UUID) -> list[Stage]:
    """The badges that a contribution tipped."""
    names = queries.Names.of(session, get_locale())
    return [
        Stage(
            at=award.awarded_at,
            stage="badge",
            title=names.name(badge),
            detail=names.description(badge),
            state="revoked" if award.revoked_at else "earned",
            icon=badge.icon,
            url=f"/admin/badges/gallery/{badge.slug}?member={award.member_id}",
        )
        for award, badge in queries.awarded_by(session, contribution_id)
    ]


@hookimpl
def member_panels(session: Session, actor: Actor, member_id: UUID) -> Iterable[Panel]:
    """The badges of a member, and the next ones."""
    if not actor.can("badges:award:list"):
        return []
    held, near = queries.held_by(session, member_id), queries.nearest(session, member_id)
    names = queries.Names.of(session, get_locale())
    context = {"held": held, "nearest": near, "member_id": member_id, "names": names}
    return [Panel(title=_("Badges"), template="badges/member_panel.html", context=context, order=30)]
