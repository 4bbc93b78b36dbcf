"""Categories of badges: the admin's own rows, and what they are called in other languages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, NotFound, _, audit

from .errors import CategoryInUse
from .models import Badge, Category, CategoryText
from .service import LOCALE, SLUG

MOST_NAMED = 5


def create_category(session: Session, actor: Actor, values: dict[str, Any]) -> Category:
    """Write a new category. Raises Invalid by field; AlreadyExists (by the database) for a slug that is taken."""
    _check(values)
    made = Category(**values)
    session.add(made)
    session.flush()
    return made


def update_category(session: Session, actor: Actor, category: Category, values: dict[str, Any]) -> Category:
    """Change a category's name or place. Raises Invalid by field: badges and other programs use the slug."""
    if values.get("slug", category.slug) != category.slug:
        raise Invalid({"slug": [_("The slug cannot be changed: badges and other programs use it.")]})
    _check(values)
    for key, value in values.items():
        setattr(category, key, value)
    session.flush()
    return category


def delete_category(session: Session, actor: Actor, category: Category) -> None:
    """Delete a category that no badge is of. Raises CategoryInUse, which names some of its badges."""
    slug, name = category.slug, category.name
    try:
        with session.begin_nested():
            session.delete(category)
            session.flush()
    except IntegrityError:
        of_it = select(Badge.name).where(Badge.category == slug).order_by(Badge.name).limit(MOST_NAMED + 1)
        names = list(session.scalars(of_it))
        more = "…" if len(names) > MOST_NAMED else ""
        raise CategoryInUse(category=name, badges=", ".join(names[:MOST_NAMED]) + more) from None


def write_category_text(session: Session, actor: Actor, *, slug: str, locale: str, name: str) -> CategoryText:
    """Say what a category is called in a language; ``locale`` as in the translations (``fr``, ``pt_BR``).

    Raises NotFound, Invalid by field.
    """
    actor.require("badges:category:update")
    problems: dict[str, list[str]] = {}
    if not LOCALE.fullmatch(locale):
        problems["locale"] = [_("Give a language as in fr or pt_BR.")]
    if not 1 <= len(name.strip()) <= 120:
        problems["name"] = [_("Give a name of 1 to 120 characters.")]
    if problems:
        raise Invalid(problems)
    found = _find(session, slug)
    values = {"name": name.strip()}
    statement = insert(CategoryText).values(category=found.slug, locale=locale, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["category", "locale"], set_=values))
    changes = {f"text.{locale}": [None, name.strip()]}
    audit(
        session, actor, "badges.category.text_written", subject_type="badges.category", subject_id=slug, changes=changes
    )
    return session.get_one(CategoryText, (found.slug, locale), populate_existing=True)


def delete_category_text(session: Session, actor: Actor, *, slug: str, locale: str) -> None:
    """Take back what a category is called in a language. Raises NotFound."""
    actor.require("badges:category:update")
    statement = delete(CategoryText).where(CategoryText.category == slug, CategoryText.locale == locale)
    name = session.scalar(statement.returning(CategoryText.name))
    if name is None:
        raise NotFound()
    changes = {f"text.{locale}": [name, None]}
    audit(
        session, actor, "badges.category.text_deleted", subject_type="badges.category", subject_id=slug, changes=changes
    )


def category_texts(session: Session, slug: str) -> list[CategoryText]:
    """What a category is called in other languages. Raises NotFound."""
    query = select(CategoryText).where(CategoryText.category == _find(session, slug).slug)
    return list(session.scalars(query.order_by(CategoryText.locale)))


def _find(session: Session, slug: str) -> Category:
    found = session.get(Category, slug) if "\x00" not in slug else None
    if found is None:
        raise NotFound()
    return found


def _check(values: dict[str, Any]) -> None:
    problems: dict[str, list[str]] = {}
    if "slug" in values and not (SLUG.fullmatch(values["slug"] or "") and len(values["slug"]) <= 40):
        problems["slug"] = [_("Use lower-case letters, digits and single hyphens.")]
    if "name" in values and not (values["name"] or "").strip():
        problems["name"] = [_("Give a name of 1 to 120 characters.")]
    if problems:
        raise Invalid(problems)
