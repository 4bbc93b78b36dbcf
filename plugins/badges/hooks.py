"""What badges add to other plugins' pages, and their own kinds of criteria."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask_babel import get_locale
from sqlalchemy.orm import Session

from guildhall import Actor, Figure, Panel, _, hookimpl
from plugins.contributions import Stage

from . import queries
from .leaf import Leaf
from .leaves import LEAVES
from .shown import Words


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

    def load() -> dict[str, Any]:
        held, missing = queries.held_and_missing(session, member_id)
        nearest = queries.nearest(session, member_id)
        return {
            "held": held,
            "missing": missing,
            "nearest": nearest,
            "words": Words.of(session) if nearest else None,
            "member_id": member_id,
            "names": queries.Names.of_badges(session, get_locale()),
        }

    return [Panel(title=_("Badges"), template="badges/member_panel.html", load=load, order=30)]


@hookimpl
def member_figures(session: Session, actor: Actor, member_id: UUID) -> list[Figure]:
    """How many badges a member holds."""
    if not actor.can("badges:award:list"):
        return []
    held = queries.count_held(session, member_id)
    return [Figure(label=_("Badges"), value=held, icon="award", url=f"/admin/members/{member_id}/badges", order=30)]
