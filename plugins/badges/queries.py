"""What badges can tell: who holds what, how far somebody is, who would earn something."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, or_, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from guildhall import Member, NotFound, Translator, now, read_settings, translated

from . import filters
from .catalogue import STAMP, Catalogue, Compiled, current, kinds, needed
from .criteria import Explained, Node, parse
from .errors import InvalidCriteria, PreviewTooSlow
from .evaluator import taken
from .frame import Frame
from .leaf import Facts, Source, load_all
from .leaves import HELD, VERIFIED
from .models import Award, Badge, BadgeText, BadgeVersion, Category, CategoryText
from .seeds import SEEDED, SEEDED_CATEGORIES
from .service import check_criteria, find
from .settings import BadgeSettings

SAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A badge with how many hold it; ``share`` is their part of all active members, in basis points."""

    badge: Badge
    holders: int
    share: int


@dataclass(frozen=True, kw_only=True)
class MemberBadge:
    """Where a member stands with a badge: ``state`` is held, removed or open.

    ``tree`` is None when the criteria cannot be read now; ``progress`` is in basis points. ``given`` is the tree of
    the version that gave the award with what was measured then; None for one given by hand.
    """

    badge: Badge
    member_id: UUID
    state: str
    award: Award | None
    tree: Explained | None
    given: Explained | None = None

    @property
    def progress(self) -> int:
        return 10_000 if self.state == "held" else self.tree.progress if self.tree else 0


def standings(session: Session) -> list[Standing]:
    """Every badge with its holders; sorted by category (its place), level, name."""
    members = session.scalar(select(func.count()).select_from(Member).where(Member.status == "active")) or 0
    count = select(Award.badge_id, func.count().label("holders")).where(Award.revoked_at.is_(None))
    held = count.group_by(Award.badge_id).subquery()
    query = select(Badge, func.coalesce(held.c.holders, 0)).outerjoin(held, held.c.badge_id == Badge.id)
    query = query.join(Category, Category.slug == Badge.category)
    query = query.order_by(Category.position, Category.slug, Badge.level.nulls_last(), Badge.name)
    return [
        Standing(badge=badge, holders=holders, share=holders * 10_000 // members if members else 0)
        for badge, holders in session.execute(query).tuples()
    ]


def holders(session: Session, badge: Badge, most: int = 50) -> list[tuple[Award, Member]]:
    """Who holds a badge, newest first."""
    query = select(Award, Member).join(Member, Member.id == Award.member_id)
    query = query.where(Award.badge_id == badge.id, Award.revoked_at.is_(None))
    return list(session.execute(query.order_by(Award.awarded_at.desc(), Award.id.desc()).limit(most)).tuples())


def held_by(session: Session, member_id: UUID) -> list[tuple[Award, Badge]]:
    """The badges that a member holds, newest first."""
    query = select(Award, Badge).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.member_id == member_id, Award.revoked_at.is_(None))
    return list(session.execute(query.order_by(Award.awarded_at.desc(), Award.id.desc())).tuples())


def count_held(session: Session, member_id: UUID) -> int:
    """How many badges a member holds."""
    held = select(func.count()).select_from(Award).where(Award.member_id == member_id, Award.revoked_at.is_(None))
    return session.scalar(held) or 0


def slugs_held(session: Session, member_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """The slugs of the badges that each member holds, in order."""
    held: dict[UUID, list[str]] = {}
    query = select(Award.member_id, Badge.slug).join(Badge, Badge.id == Award.badge_id).order_by(Badge.slug)
    query = query.where(Award.member_id.in_(list(member_ids)), Award.revoked_at.is_(None))
    for member_id, slug in session.execute(query).tuples():
        held.setdefault(member_id, []).append(slug)
    return held


def awarded_by(session: Session, contribution_id: UUID) -> list[tuple[Award, Badge]]:
    """What a contribution tipped."""
    query = select(Award, Badge).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.contribution_id == contribution_id)
    return list(session.execute(query.order_by(Award.awarded_at, Award.id)).tuples())


def explain(session: Session, slug: str, member_id: UUID) -> MemberBadge:
    """Why a member has, or has not yet, a badge. Raises BadgeNotFound, NotFound (no such member)."""
    badge = find(session, slug)
    if not session.scalar(select(exists().where(Member.id == member_id))):
        raise NotFound()
    award = session.scalar(select(Award).where(Award.badge_id == badge.id, Award.member_id == member_id))
    try:
        node = parse(badge.criteria, kinds(session))
    except InvalidCriteria:
        tree = None
    else:
        tree = node.explain(facts_of(session, [node], member_id))
    given = award_explained(session, award) if award else None
    return MemberBadge(badge=badge, member_id=member_id, state=_state(award), award=award, tree=tree, given=given)


def award_explained(session: Session, award: Award) -> Explained | None:
    """The criteria that gave an award, with what was measured then; None for one that was given by hand."""
    kept = session.get(BadgeVersion, (award.badge_id, award.badge_version))
    if award.source == "manual" or kept is None:
        return None
    try:
        return parse(kept.criteria, kinds(session)).told(award.facts)
    except InvalidCriteria:
        return None


def versions(session: Session, badge: Badge) -> list[BadgeVersion]:
    """The criteria that a badge has had, newest first."""
    query = select(BadgeVersion).where(BadgeVersion.badge_id == badge.id)
    return list(session.scalars(query.order_by(BadgeVersion.version.desc())))


def texts(session: Session, locale: str) -> dict[UUID, tuple[str, str]]:
    """Names and descriptions in a language by badge; those of ``fr`` stand in for a missing ``fr_CA``."""
    found = select(BadgeText).where(BadgeText.locale.in_(_locales(locale)))
    rows = session.scalars(found.order_by(func.length(BadgeText.locale)))
    return {row.badge_id: (row.name, row.description) for row in rows}


def category_names(session: Session, locale: str) -> dict[str, str]:
    """What categories are called in a language by slug, in their order."""
    say = translated(session, locale)
    own = and_(CategoryText.category == Category.slug, CategoryText.locale.in_(_locales(locale)))
    query = select(Category.slug, Category.name, CategoryText.name).outerjoin(CategoryText, own)
    rows = session.execute(query.order_by(Category.position, Category.slug, func.length(CategoryText.locale)))
    return {slug: own or SEEDED_CATEGORIES(slug, name, say) for slug, name, own in rows.tuples()}


def _locales(locale: str) -> set[str]:
    return {locale, locale.split("_")[0]}


@dataclass(frozen=True)
class Names:
    """What badges and categories are called in a reader's language: as an admin wrote it there, else by the catalogue
    while it is as seeded, else in their own words."""

    texts: Mapping[UUID, tuple[str, str]]
    categories: Mapping[str, str]
    say: Translator

    @classmethod
    def of(cls, session: Session, locale: object) -> Names:
        """In the language ``locale``, such as ``fr`` or ``pt_BR``."""
        language = str(locale or "en")
        say = translated(session, language)
        return cls(texts(session, language), category_names(session, language), say)

    @classmethod
    def of_badges(cls, session: Session, locale: object) -> Names:
        """Of badges alone, where no category is named."""
        language = str(locale or "en")
        return cls(texts(session, language), {}, translated(session, language))

    def name(self, badge: Badge) -> str:
        return self.texts[badge.id][0] if badge.id in self.texts else SEEDED(badge.slug, badge.name, self.say)

    def description(self, badge: Badge) -> str:
        own = self.texts[badge.id][1] if badge.id in self.texts else ""
        return own or SEEDED(badge.slug, badge.description, self.say)

    def category(self, badge: Badge) -> str:
        return self.categories.get(badge.category, badge.category)


def veiled(session: Session, held: Collection[UUID]) -> frozenset[str]:
    """Slugs of the badges that nobody may hear of who does not hold them; ``held`` are the ids of those held."""
    query = select(Badge.slug).where(or_(Badge.visibility == "secret", ~Badge.enabled), Badge.id.not_in(held))
    return frozenset(session.scalars(query))


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Everything about a member's badges: those held, newest first; those that could be earned and are not held, by
    name; those the member is closest to; and what all of them are called."""

    held: list[tuple[Award, Badge]]
    missing: list[Badge]
    nearest: list[MemberBadge]
    badges: list[Badge]
    names: Names


def shelf(session: Session, member: Member, locale: object) -> Shelf:
    """The badges of a member and the next ones, named in a language: one statement, and one for each kind of fact."""
    language = str(locale or "en")
    mine = and_(Award.badge_id == Badge.id, Award.member_id == member.id)
    said = and_(BadgeText.badge_id == Badge.id, BadgeText.locale.in_(_locales(language)))
    query = select(Badge, Award, BadgeText, *STAMP).select_from(Badge)
    query = query.outerjoin(Award, mine).outerjoin(BadgeText, said)
    rows = session.execute(query.order_by(Badge.name, Badge.id, func.length(BadgeText.locale))).all()
    known = {row[0]: row[1] for row in rows}
    held = [(award, badge) for badge, award in known.items() if award is not None and award.revoked_at is None]
    held.sort(key=lambda one: (one[0].awarded_at, one[0].id), reverse=True)
    holds = {badge.id for _award, badge in held}
    facts: dict[Source, Mapping[UUID, Any]] = {
        HELD: {member.id: frozenset(badge.slug for _award, badge in held)},
        VERIFIED: {member.id: member.email_verified_at is not None},
    }
    texts_by_badge = {row[2].badge_id: (row[2].name, row[2].description) for row in rows if row[2]}
    catalogue = current(session, (rows[0][3], rows[0][4])) if rows else current(session)
    return Shelf(
        held=held,
        missing=[badge for badge in known if badge.enabled and badge.id not in holds],
        nearest=_nearest(session, member.id, known, catalogue, most=3, given=facts),
        badges=list(known),
        names=Names(texts_by_badge, {}, translated(session, language)),
    )


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Who meets criteria now: how many in all, and of them how many hold or held ``badge``; the first few by name.

    ``losing`` counts holders by criteria (not by hand) who do not meet them: they keep the badge.
    """

    count: int
    already: int
    losing: int
    sample: list[Member]
    cost: int = 0
    asset: str = ""


def texts_of(session: Session, badge: Badge) -> list[BadgeText]:
    """What a badge is called in other languages."""
    return list(session.scalars(select(BadgeText).where(BadgeText.badge_id == badge.id).order_by(BadgeText.locale)))


def nearest(session: Session, member_id: UUID, most: int = 3, veiled: Collection[str] = ()) -> list[MemberBadge]:
    """The open public badges that a member is closest to, nearest first; none that is not begun, can no longer be
    reached, or needs one of ``veiled``."""
    mine = and_(Award.badge_id == Badge.id, Award.member_id == member_id)
    rows = session.execute(select(Badge, Award).outerjoin(Award, mine).where(Badge.visibility == "public"))
    known: dict[Badge, Award | None] = dict(rows.tuples().all())
    return _nearest(session, member_id, known, current(session), most=most, veiled=veiled)


def _nearest(
    session: Session,
    member_id: UUID,
    known: Mapping[Badge, Award | None],
    catalogue: Catalogue,
    *,
    most: int,
    veiled: Collection[str] = (),
    given: Mapping[Source, Mapping[UUID, Any]] | None = None,
) -> list[MemberBadge]:
    """Those of ``known``, badges with the award the member ever had; ``given`` are facts that need not be asked for."""
    public = {badge.id: badge for badge, award in known.items() if badge.visibility == "public" and award is None}
    at = now()
    found = [one for one in catalogue.badges if one.id in public and one.active(at)]
    found = [one for one in found if not needed(one.node) & set(veiled)]
    facts = facts_of(session, [one.node for one in found], member_id, given or {})
    trees: list[tuple[Compiled, Explained]] = [(one, one.node.explain(facts)) for one in found]
    trees = sorted(
        (pair for pair in trees if pair[1].progress and pair[1].reachable),
        key=lambda pair: (-pair[1].progress, pair[0].slug),
    )
    return [
        MemberBadge(badge=public[one.id], member_id=member_id, state="open", award=None, tree=tree)
        for one, tree in trees[:most]
    ]


def preview(session: Session, definition: Any, *, slug: str = "") -> Preview:
    """Who would earn criteria if they were saved now. Reads only, and no longer than the setting allows.

    Raises InvalidCriteria, PreviewTooSlow.
    """
    node = check_criteria(session, definition, slug=slug)
    seconds = read_settings(session, BadgeSettings).preview_seconds
    savepoint = session.begin_nested()  # its end restores both settings
    try:
        session.execute(text("SET LOCAL transaction_read_only = on"))
        session.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000:d}"))
        named = filters.named(definition)
        frame = Frame(counted=filters.uncounted(session, named, seconds=seconds) if named else None)
        had = frame.rows("had", lambda keep: _ever_had(slug))
        met = (Member.status == "active") & node.sql(frame)
        counts = select(func.count(), func.count(had.c.member_id)).select_from(frame.joined()).where(met)
        count, already = session.execute(counts).one()
        kept = frame.joined().join(Award, Award.member_id == Member.id).join(Badge, Badge.id == Award.badge_id)
        mine = (Badge.slug == slug, Award.revoked_at.is_(None), Award.source != "manual")
        fail = node.sql(frame, negated=True)
        losing = session.scalar(select(func.count()).select_from(kept).where(*mine, fail)) or 0
        first = select(Member).select_from(frame.joined()).where(met).order_by(Member.id).limit(SAMPLES)
        sample = list(session.scalars(first))
    except filters.OutOfTime:
        raise PreviewTooSlow(seconds=seconds) from None
    except OperationalError as problem:
        if getattr(problem.orig, "sqlstate", None) != "57014":
            raise
        raise PreviewTooSlow(seconds=seconds) from None
    finally:
        savepoint.rollback()
    gain = count - already
    badge = session.scalar(select(Badge).where(Badge.slug == slug))
    if badge is None or not badge.reward_amount:
        return Preview(count=count, already=already, losing=losing, sample=sample)
    if badge.supply_limit is not None:
        gain = min(gain, max(0, badge.supply_limit - taken(session, badge.id)))
    cost, asset = gain * badge.reward_amount, badge.reward_asset
    return Preview(count=count, already=already, losing=losing, sample=sample, cost=cost, asset=asset)


def _ever_had(slug: str) -> Select[Any]:
    """Members who have or had the badge."""
    badge_id = select(Badge.id).where(Badge.slug == slug).scalar_subquery()
    return select(Award.member_id).where(Award.badge_id == badge_id)


def facts_of(
    session: Session,
    nodes: Iterable[Node],
    member_id: UUID,
    given: Mapping[Source, Mapping[UUID, Any]] | None = None,
) -> Facts:
    """One member's facts for these trees, each source loaded once, but those that are ``given``."""
    known = given or {}
    sources = frozenset[Source]().union(*(node.sources() for node in nodes))
    loaded = load_all(session, sources - known.keys(), [member_id])
    return {source: facts[member_id] for source, facts in {**loaded, **known}.items()}


def _state(award: Award | None) -> str:
    return "open" if award is None else "removed" if award.revoked_at else "held"
