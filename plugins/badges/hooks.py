"""What badges add to other plugins' pages, and their own kinds of criteria."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from flask_babel import get_locale
from sqlalchemy.orm import Session

from guildhall import Actor, Fact, Facts, Figure, Member, Panel, _, hookimpl
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
        shelf = queries.shelf(session, session.get_one(Member, member_id), get_locale())
        words = Words.of(session, shelf.names, shelf.badges) if shelf.nearest else None
        return {"shelf": shelf, "words": words, "member_id": member_id}

    return [Panel(title=_("Badges"), template="badges/member_panel.html", load=load, order=30)]


@hookimpl
def member_facts(session: Session, member_ids: Sequence[UUID]) -> Facts:
    """What conditions of automations ask of a member's badges: how many there are, and their slugs."""
    fields = {"count": Fact(label=_("Badges held")), "held": Fact(label=_("Which badges"), kind="list")}
    held = queries.slugs_held(session, member_ids) if member_ids else {}
    values = {one: {"count": len(held.get(one, ())), "held": held.get(one, [])} for one in member_ids}
    return Facts(fields=fields, values=values)


@hookimpl
def member_figures(session: Session, actor: Actor, member_id: UUID) -> list[Figure]:
    """How many badges a member holds."""
    if not actor.can("badges:award:list"):
        return []
    held = queries.count_held(session, member_id)
    return [Figure(label=_("Badges"), value=held, icon="award", url=f"/admin/members/{member_id}/badges", order=30)]
