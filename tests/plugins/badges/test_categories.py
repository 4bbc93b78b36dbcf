"""Categories of badges: own rows, in their order, in the reader's language, and not deleted while in use."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from core.platform import Platform
from guildhall import Actor
from plugins.badges import Badge
from plugins.badges.models import Category
from plugins.badges.queries import Names
from plugins.badges.seeds import seed
from plugins.badges.service import SLUG

from .conftest import points

API = "/api/v1/badges/categories"
Make = Callable[..., Any]


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def test_the_four_of_the_start_are_there_in_order(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        found = session.execute(select(Category.slug, Category.name).order_by(Category.position)).tuples().all()
    assert found == [
        ("milestone", "Milestone"),
        ("challenge", "Challenge"),
        ("profile", "Profile"),
        ("special", "Special"),
    ]


def test_an_admin_makes_one_and_badges_of_it(admin: Any, client: Any) -> None:
    made = admin.post(API, {"slug": "guild-days", "name": "Guild days", "position": 5})
    assert made.status_code == 201
    badge = {"slug": "dancer", "name": "Dancer", "criteria": points(5), "category": "guild-days"}
    assert admin.post("/api/v1/badges/badges", badge).json["data"]["category"] == "guild-days"
    gallery = admin.get("/admin/badges/gallery").text
    assert gallery.index("<h2>Guild days") < gallery.index("<h2>Milestone<")
    form = admin.get("/admin/badges/badge/add").text
    assert '<option value="guild-days">Guild days' in form
    assert "Dancer" in admin.get("/admin/badges/category/show/guild-days").text
    nothing = admin.post("/api/v1/badges/badges", {**badge, "slug": "other", "category": "nothing"})
    assert (nothing.status_code, list(nothing.json["error"]["details"])) == (422, ["category"])


def test_one_in_use_is_not_deleted_and_its_badges_are_named(admin: Any) -> None:
    refused = admin.delete(f"{API}/challenge")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "CATEGORY_IN_USE")
    assert "Finalist, Participant, Winner" in refused.json["error"]["message"]
    admin.post(API, {"slug": "short", "name": "Short"})
    assert admin.delete(f"{API}/short").status_code == 204
    page = admin.http.post("/admin/badges/category/delete/challenge", data={"reason": "unused"}, headers=admin.headers)
    assert "Finalist, Participant, Winner" in admin.get(page.headers["Location"]).text


def test_a_slug_stays_and_bad_values_are_named(admin: Any) -> None:
    moved = admin.patch(f"{API}/special", {"slug": "extra"})
    assert list(moved.json["error"]["details"]) == ["slug"]
    bad = admin.post(API, {"slug": "No Slug", "name": " "})
    assert sorted(bad.json["error"]["details"]) == ["name", "slug"]
    assert admin.post(API, {"slug": "special", "name": "Again"}).status_code == 409
    assert admin.patch(f"{API}/special", {"name": "Very special"}).json["data"]["name"] == "Very special"


def test_names_are_the_readers_while_they_are_as_seeded(
    admin: Any, platform: Platform, system: Actor, badge: Make
) -> None:
    def called(slug: str, locale: str = "fr") -> tuple[str, str]:
        with platform.unit_of_work(system) as session:
            names = Names.of(session, locale)
            found = session.scalars(select(Badge).where(Badge.slug == slug)).one()
            return names.name(found), names.category(found)

    badge("mine", points(3), name="Winner", category="challenge")
    assert called("winner")[0] != "Winner"
    assert called("mine")[0] == "Winner", "an admin's own word is nobody's to translate"
    admin.patch("/api/v1/badges/badges/winner", {"name": "Finalist"})
    assert called("winner")[0] == "Finalist"
    admin.http.put(f"{API}/challenge/texts/fr", json={"name": "Épreuve"}, headers=admin.headers)
    assert called("winner")[1] == "Épreuve"
    assert called("winner", "fr_CA")[1] == "Épreuve"
    assert admin.get(f"{API}/challenge/texts").json["data"] == [{"locale": "fr", "name": "Épreuve"}]
    assert admin.delete(f"{API}/challenge/texts/fr").status_code == 204
    assert admin.delete(f"{API}/challenge/texts/fr").status_code == 404
    wrong = admin.http.put(f"{API}/challenge/texts/French", json={"name": ""}, headers=admin.headers)
    assert sorted(wrong.json["error"]["details"]) == ["locale", "name"]
    told = admin.get("/api/v1/badges/badges/pillar?locale=fr").json["data"]["name"]
    assert told == called("pillar")[0]


def test_a_deleted_one_does_not_come_back_with_the_next_start(admin: Any, platform: Platform, system: Actor) -> None:
    for slug in ("participant", "finalist", "winner"):
        assert admin.patch(f"/api/v1/badges/badges/{slug}", {"category": "special"}).status_code == 200
    assert admin.delete(f"{API}/challenge").status_code == 204
    with platform.unit_of_work(system) as session:
        seed(session, system)
        assert "challenge" not in session.scalars(select(Category.slug)).all()


def test_the_slug_of_the_migration_is_always_one(platform: Platform, system: Actor) -> None:
    path = Path(__file__).parents[3] / "plugins/badges/migrations/badges_0004_categories_pictures.py"
    spec = importlib.util.spec_from_file_location("badges_0004", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = ["Milestone", " Ours & Theirs! ", "技能", "--", "a" * 39 + " b", "Épreuve"]
    rows = "unnest(CAST(:given AS text[])) WITH ORDINALITY AS t (category, n)"
    query = sa.text(f"SELECT {module.SLUG} FROM {rows} ORDER BY n")
    with platform.unit_of_work(system) as session:
        made = list(session.scalars(query, {"given": given}))
    assert made[:2] == ["milestone", "ours-theirs"]
    assert all(SLUG.fullmatch(one) and len(one) <= 40 for one in made), made
