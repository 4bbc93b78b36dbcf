"""When points are taken back: nothing removes a badge, but somebody is asked whether it is still deserved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound, Review, ReviewKind, StoredEvent, _, locks, reviews
from plugins.contributions import BatchCorrected, ContributionCorrected

from . import filters, service
from .catalogue import current, kinds
from .criteria import Node, parse
from .errors import BadgeNotHeld, InvalidCriteria
from .evaluator import evaluate
from .leaf import Source, load_all
from .models import Award, Badge, BadgeVersion

KIND = "badges.undeserved"


def on_correction(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A contribution is worth more, and brings badges, or less: then a review asks about each that it would not."""
    payload: ContributionCorrected = event.payload
    if payload.kind == "reversal":
        members = locks.members(session, [payload.member_id])
        touched = [one for one in current(session).filters if one.touched_by([payload.type])]
        filters.follow(session, touched, members, [payload.contribution_id])
    if payload.points < 0 or payload.kind == "reversal":
        ask(session, actor, [payload.member_id])
    else:
        evaluate(session, actor, members=[payload.member_id], types=[payload.type], tipped=dict)


def on_batch_correction(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A period was scored anew: the same for each of its members."""
    payload: BatchCorrected = event.payload
    evaluate(session, actor, members=payload.member_ids, types=payload.types, tipped=dict, quiet=True)
    ask(session, actor, payload.member_ids)


def ask(session: Session, actor: Actor, members: Collection[UUID]) -> list[UUID]:
    """Open a review of every award that the criteria which gave it would not give now; returns the reviews.

    Awards by hand are left alone, and so are criteria with a ``not``: that they cease to hold is no correction. Twice
    is as once.
    """
    query = select(Award, Badge.slug, BadgeVersion.criteria).join(Badge, Badge.id == Award.badge_id)
    query = query.join(
        BadgeVersion, (BadgeVersion.badge_id == Award.badge_id) & (BadgeVersion.version == Award.badge_version)
    )
    query = query.where(Award.member_id.in_(list(members)), Award.revoked_at.is_(None), Award.source != "manual")
    known = kinds(session)
    nodes: dict[tuple[UUID, int], Node | None] = {}
    facts: dict[Source, Mapping[UUID, object]] = {}
    opened = []
    for award, slug, criteria in session.execute(query.order_by(Award.id)):
        key = (award.badge_id, award.badge_version)
        if key not in nodes:
            try:
                node = parse(criteria, known)
                nodes[key] = node if node.monotone() else None
            except InvalidCriteria:
                nodes[key] = None
        found = nodes[key]
        if found is None:
            continue
        facts |= load_all(session, found.sources() - facts.keys(), members)
        mine = {source: facts[source][award.member_id] for source in found.sources()}
        if not found.closure()(mine):
            opened.append(
                reviews.open_review(
                    session,
                    actor,
                    KIND,
                    subject_id=award.id,
                    title=_("Is the badge {badge} still deserved?").format(badge=slug),
                    member_id=award.member_id,
                    params={"badge": slug, "member": str(award.member_id)},
                )
            )
    return opened


def decide(session: Session, actor: Actor, review: Review, approved: bool) -> None:
    """Approved: the badge is removed, as by hand. Rejected: it stays. One that is gone already stays gone."""
    if not approved:
        return
    reason = _("The points it was earned by have been taken back.")
    member_id = UUID(review.params["member"])
    try:
        service.revoke(session, actor, slug=review.params["badge"], member_id=member_id, reason=reason)
    except (BadgeNotHeld, NotFound):
        return


UNDESERVED = ReviewKind(
    name="undeserved",
    label=_("Badge after a correction of points"),
    permission="badges:award:revoke",
    decide=decide,
    icon="award",
    approve=_("Remove the badge"),
    reject=_("Let the member keep it"),
)
