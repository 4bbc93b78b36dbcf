"""How the generated pages of badges put things: names in the reader's language, places of criteria in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import get_locale, gettext
from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from guildhall import Member, _
from plugins.contributions import ContributionType

from . import queries
from .models import Award, Badge, Category

WHOLE = _("the whole")


@dataclass(frozen=True)
class Words:
    """Says criteria in the reader's language, with badges and types of contributions by their names."""

    badges: Mapping[str, str]
    types: Mapping[str, str]

    @classmethod
    def of(cls, session: Session, names: queries.Names | None = None, badges: Sequence[Badge] | None = None) -> Words:
        """``names`` and ``badges`` are those of all badges, where they were read already."""
        names = names or queries.Names.of_badges(session, get_locale())
        known = session.scalars(select(Badge)) if badges is None else badges
        types = session.execute(select(ContributionType.code, ContributionType.label)).tuples()
        return cls(
            {badge.slug: names.name(badge) for badge in known},
            {"*": gettext(_("any")), **{code: gettext(label) for code, label in types}},
        )

    def leaf(self, sentence: str, params: Mapping[str, Any]) -> str:
        """A leaf's sentence, filled."""
        named = dict(params)
        for key, known in (("badge", self.badges), ("event", self.types)):
            if key in named:
                named[key] = known.get(named[key], named[key])
        return str(gettext(sentence).format(**named))


def badges(session: Session, records: Sequence[Badge]) -> list[Mapping[str, Any]]:
    """Names and categories in the reader's language."""
    names = queries.Names.of(session, get_locale())
    return [
        {"name": names.name(one), "description": names.description(one), "category": names.category(one)}
        for one in records
    ]


def categories(session: Session) -> list[tuple[str, str]]:
    """Slug and name of every category, for a form."""
    return list(queries.category_names(session, str(get_locale() or "en")).items())


def category_names(session: Session, records: Sequence[Category]) -> list[Mapping[str, Any]]:
    """Names in the reader's language."""
    names = queries.category_names(session, str(get_locale() or "en"))
    return [{"name": names.get(one.slug, one.name)} for one in records]


def category_detail(session: Session, record: Category) -> dict[str, Any]:
    """The badges of a category."""
    names = queries.Names.of(session, get_locale())
    of_it = list(session.scalars(select(Badge).where(Badge.category == record.slug).order_by(Badge.name)))
    return {"badges": of_it, "names": names}


def awards(session: Session, records: Sequence[Award]) -> list[Mapping[str, Any]]:
    """Badges by name, and what was measured at which place of the criteria."""
    names = queries.Names.of_badges(session, get_locale())
    read = [one.badge for one in records if "badge" not in inspect(one).unloaded]
    if left := {one.badge_id for one in records} - {badge.id for badge in read}:
        read += session.scalars(select(Badge).where(Badge.id.in_(left)))
    known = {badge.id: names.name(badge) for badge in read}
    return [
        {
            "badge": known.get(one.badge_id, ""),
            "badge_id": known.get(one.badge_id, ""),
            "facts": measured(one.facts),
        }
        for one in records
    ]


def award_title(session: Session, record: Award) -> str:
    """Which badge, whose."""
    badge = session.get_one(Badge, record.badge_id)
    name = queries.Names.of(session, get_locale()).name(badge)
    member = session.scalar(select(func.coalesce(Member.display_name, "")).where(Member.id == record.member_id))
    title: str = gettext("%(badge)s of %(member)s", badge=name, member=member)
    return title


def measured(facts: Mapping[str, Any]) -> str:
    """What was measured, by place; an empty place is the whole of the criteria."""
    return "; ".join(
        f"{place.removeprefix('$').lstrip('.') or gettext(WHOLE)}: {value}" for place, value in facts.items()
    )
