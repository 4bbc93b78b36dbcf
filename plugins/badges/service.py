"""What admins do with badges: write them, give them by hand, take them away."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, Member, NotFound, _, audit, locks, new_id, now, publish

from . import filters, rewards
from .catalogue import kinds, needed
from .criteria import Node, invalid, parse
from .errors import BadgeAlreadyHeld, BadgeNotFound, BadgeNotHeld, NotEligible
from .evaluator import cascade, remaining
from .events import BadgeAwarded, BadgeRevoked
from .models import VISIBILITIES, Award, Badge, BadgeText, BadgeVersion

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ASSET = re.compile(r"[A-Z][A-Z0-9]{0,11}")
LOCALE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
LONGEST_REASON = 500
LONGEST_DESCRIPTION = 5_000


def create_badge(session: Session, actor: Actor, values: dict[str, Any]) -> Badge:
    """Write a new badge. Raises Invalid by field, InvalidCriteria. Nobody is awarded it before they contribute
    again or the badge is recalculated."""
    locks.advisory(session, "badges.edit")
    _check_fields(values)
    check_criteria(session, values.get("criteria"), slug=values.get("slug", ""))
    _begin_filters(session, values["criteria"])
    badge = Badge(**values)
    session.add(badge)
    session.flush()
    _keep_version(session, actor, badge)
    return badge


def update_badge(session: Session, actor: Actor, badge: Badge, values: dict[str, Any]) -> Badge:
    """Change a badge; new criteria are a new version, and what is held stays held. Raises as ``create_badge``."""
    locks.advisory(session, "badges.edit")
    session.refresh(badge, with_for_update={"key_share": True})
    if values.get("slug", badge.slug) != badge.slug:
        raise Invalid({"slug": [_("The slug cannot be changed: links and other badges' criteria use it.")]})
    current = {key: getattr(badge, key) for key in ("active_from", "active_until")}
    _check_fields({**current, **values})
    if "criteria" in values and values["criteria"] != badge.criteria:
        check_criteria(session, values["criteria"], slug=badge.slug)
        _begin_filters(session, values["criteria"])
        badge.version += 1
    for key, value in values.items():
        setattr(badge, key, value)
    badge.revision += 1
    session.flush()
    _keep_version(session, actor, badge)
    return badge


def _begin_filters(session: Session, criteria: Any) -> None:
    """Drop counts that a badge left behind long ago, before a filter of ``criteria`` is followed again."""
    if begun := filters.named(criteria):
        followed = map(filters.named, session.scalars(select(Badge.criteria)))
        filters.forget(session, begun.difference(*followed))


def _keep_version(session: Session, actor: Actor, badge: Badge) -> None:
    """Keep the criteria under their version, which awards name; the one that is kept stays."""
    row = {"badge_id": badge.id, "version": badge.version, "criteria": badge.criteria, "created_by": actor.member_id}
    session.execute(insert(BadgeVersion).values(**row, created_at=now()).on_conflict_do_nothing())


def write_text(
    session: Session, actor: Actor, *, slug: str, locale: str, name: str, description: str = ""
) -> BadgeText:
    """Say what a badge is called in a language; ``locale`` as in the translations (``fr``, ``pt_BR``).

    Raises BadgeNotFound, Invalid by field.
    """
    actor.require("badges:badge:update")
    problems: dict[str, list[str]] = {}
    if not LOCALE.fullmatch(locale):
        problems["locale"] = [_("Give a language as in fr or pt_BR.")]
    if not 1 <= len(name.strip()) <= 120:
        problems["name"] = [_("Give a name of 1 to 120 characters.")]
    if len(description) > LONGEST_DESCRIPTION:
        problems["description"] = [_("A description has at most 5,000 characters.")]
    if problems:
        raise Invalid(problems)
    badge = find(session, slug)
    values = {"name": name.strip(), "description": description}
    statement = insert(BadgeText).values(badge_id=badge.id, locale=locale, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["badge_id", "locale"], set_=values))
    changes = {f"text.{locale}": [None, name.strip()]}
    audit(session, actor, "badges.text.written", subject_type="badges.badge", subject_id=badge.id, changes=changes)
    return session.get_one(BadgeText, (badge.id, locale), populate_existing=True)


def delete_text(session: Session, actor: Actor, *, slug: str, locale: str) -> None:
    """Take back what a badge is called in a language. Raises BadgeNotFound, NotFound (no such text)."""
    actor.require("badges:badge:update")
    badge = find(session, slug)
    statement = delete(BadgeText).where(BadgeText.badge_id == badge.id, BadgeText.locale == locale)
    name = session.scalar(statement.returning(BadgeText.name))
    if name is None:
        raise NotFound()
    changes = {f"text.{locale}": [name, None]}
    audit(session, actor, "badges.text.deleted", subject_type="badges.badge", subject_id=badge.id, changes=changes)


def check_criteria(session: Session, definition: Any, *, slug: str = "") -> Node:
    """Criteria as a checked tree. Raises InvalidCriteria with every mistake's place.

    ``slug`` is the badge they are for: it must not need itself, not even by way of others.
    """
    known = kinds(session)
    node = parse(definition, known)
    problems = [(one.place, problem) for one in node.conditions() if (problem := one.leaf.check(session)) is not None]
    if not problems and slug in _reachable(session, node, known):
        place = next((one.place for one in node.conditions() if f"badge:{slug}" in one.leaf.depends_on()), node.place)
        problems.append((place, _("the badge {badge} would need itself.").format(badge=slug)))
    if problems:
        raise invalid(problems)
    return node


def award(session: Session, actor: Actor, *, slug: str, member_id: UUID, reason: str) -> Award:
    """Give a badge by hand; one that was removed is given back. Cascades to badges that need it.

    Raises BadgeNotFound, NotFound (no such member), Invalid (no reason), NotEligible, BadgeAlreadyHeld.
    """
    actor.require("badges:award:create")
    reason = _reason(reason)
    badge = find(session, slug)
    if not locks.members(session, [member_id]):
        raise NotFound()
    member = session.get_one(Member, member_id, populate_existing=True)
    at = now()
    if member.status != "active":
        raise NotEligible(reason=_("the account is {status}.").format(status=member.status))
    begun = badge.active_from is None or badge.active_from <= at
    if not badge.enabled or not begun or (badge.active_until is not None and at >= badge.active_until):
        raise NotEligible(reason=_("the badge is not being awarded now."))
    values = {"source": "manual", "awarded_at": at, "awarded_by": actor.member_id, "reason": reason}
    restored = session.scalar(
        update(Award)
        .where(Award.badge_id == badge.id, Award.member_id == member_id, Award.revoked_at.is_not(None))
        .values(**values, badge_version=badge.version, revoked_at=None, revoked_by=None, revoke_reason=None)
        .returning(Award.id)
    )
    award_id = restored or _give(session, badge, member, values)
    audit(
        session,
        actor,
        "badges.award.restored" if restored else "badges.award.given",
        subject_type="badges.award",
        subject_id=award_id,
        changes={"badge": [None, slug], "member": [None, member_id]},
        reason=reason,
    )
    publish(session, actor, BadgeAwarded(award_id=award_id, badge_id=badge.id, member_id=member_id))
    promised = rewards.Reward(badge.reward_amount, badge.reward_asset) if badge.reward_amount else None
    rewards.ask(session, actor, [rewards.Due(badge.id, member_id, None, promised)])
    cascade(session, actor, member_id=member_id, slug=slug)
    return session.get_one(Award, award_id, populate_existing=True)


def _give(session: Session, badge: Badge, member: Member, values: dict[str, Any]) -> UUID:
    if badge.supply_limit is not None and remaining(session, badge.id) == 0:
        held = select(Award.id).where(Award.badge_id == badge.id, Award.member_id == member.id)
        if session.scalar(held) is None:
            raise NotEligible(reason=_("all {n} of it have been awarded.").format(n=badge.supply_limit))
    row = {"id": new_id(), "badge_id": badge.id, "member_id": member.id, "badge_version": badge.version, **values}
    statement = insert(Award).values(row).on_conflict_do_nothing(index_elements=["badge_id", "member_id"])
    award_id: UUID | None = session.scalar(statement.returning(Award.id))
    if award_id is None:
        raise BadgeAlreadyHeld(member=member.display_name, badge=badge.slug)
    return award_id


def revoke(session: Session, actor: Actor, *, slug: str, member_id: UUID, reason: str) -> Award:
    """Take a badge away. The row stays with who, when and why, so that nothing awards it again by itself.

    Only an admin does this; nothing else ever removes a badge. Raises BadgeNotFound, NotFound, Invalid, BadgeNotHeld.
    """
    actor.require("badges:award:revoke")
    reason = _reason(reason)
    badge = find(session, slug)
    if not locks.members(session, [member_id]):
        raise NotFound()
    award_id = session.scalar(
        update(Award)
        .where(Award.badge_id == badge.id, Award.member_id == member_id, Award.revoked_at.is_(None))
        .values(revoked_at=now(), revoked_by=actor.member_id, revoke_reason=reason)
        .returning(Award.id)
    )
    if award_id is None:
        name = session.get_one(Member, member_id).display_name
        raise BadgeNotHeld(member=name, badge=slug)
    audit(
        session,
        actor,
        "badges.award.revoked",
        subject_type="badges.award",
        subject_id=award_id,
        changes={"badge": [slug, None], "member": [member_id, None]},
        reason=reason,
    )
    publish(session, actor, BadgeRevoked(award_id=award_id, badge_id=badge.id, member_id=member_id))
    return session.get_one(Award, award_id, populate_existing=True)


def find(session: Session, slug: str) -> Badge:
    """The badge with this slug. Raises BadgeNotFound."""
    badge: Badge | None = session.scalar(select(Badge).where(Badge.slug == slug))
    if badge is None:
        raise BadgeNotFound(badge=slug)
    return badge


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid({"reason": [_("Give a reason of 1 to 500 characters; it is kept with the badge.")]})
    return reason


def _check_fields(values: dict[str, Any]) -> None:
    problems: dict[str, list[str]] = {}
    if "slug" in values and not (SLUG.fullmatch(values["slug"] or "") and len(values["slug"]) <= 80):
        problems["slug"] = [_("Use lower-case letters, digits and single hyphens.")]
    if values.get("level") is not None and not 1 <= values["level"] <= 5:
        problems["level"] = [_("A level is 1 to 5, or none.")]
    if values.get("visibility", "public") not in VISIBILITIES:
        problems["visibility"] = [_("Choose public, hidden or secret.")]
    if values.get("supply_limit") is not None and values["supply_limit"] < 1:
        problems["supply_limit"] = [_("A limit is at least 1; leave it empty for none.")]
    if (values.get("reward_amount") or 0) < 0:
        problems["reward_amount"] = [_("A reward is a whole number from 0.")]
    if not ASSET.fullmatch(values.get("reward_asset", "POINTS") or ""):
        problems["reward_asset"] = [_("Give an asset's code, such as POINTS.")]
    begin, end = values.get("active_from"), values.get("active_until")
    if begin is not None and end is not None and begin >= end:
        problems["active_until"] = [_("The end must come after the beginning.")]
    if problems:
        raise Invalid(problems)


def _reachable(session: Session, node: Node, known: dict[str, Any]) -> set[str]:
    """Every badge that ``node`` needs, at once or by way of others."""
    found: set[str] = set()
    todo = needed(node)
    while todo:
        found |= todo
        further: set[str] = set()
        for definition in session.scalars(select(Badge.criteria).where(Badge.slug.in_(sorted(todo)))):
            try:
                further |= needed(parse(definition, known))
            except Invalid:  # one of a plugin that is off; it is not awarded either
                continue
        todo = further - found
    return found
