"""The profile: its fields, what makes it complete, and the one time that this is said and scored."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import func, select

from core import settings
from core.actor import Actor
from core.audit.models import AuditRow
from core.events.deliver import Deliverer
from core.events.models import EventRow
from core.members import profiles, service
from core.members.models import TIERS, Member, Profile, TierChange
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.core.doors import Person

ME = "/api/v1/core/me"
SYSTEM = Actor.system("test")
SHOWN = {"display_name": "Amina", "locale": "", "time_zone": "UTC", "preferred_chain": "146"}  # by the form of a member


@pytest.fixture
def configure(site: Platform) -> Iterator[Callable[..., None]]:
    """Change settings of the core, until the end of the test."""

    def change(**values: Any) -> None:
        with site.unit_of_work(SYSTEM) as session:
            settings.write(session, SYSTEM, PlatformSettings, values)
        site.registry.cache.looked_at = float("-inf")

    yield change
    change(profile_required="bio location", profile_fields="")


def completions(site: Platform, member_id: str) -> int:
    with site.unit_of_work(SYSTEM) as session:
        query = select(func.count()).where(EventRow.name == "core.profile.completed")
        return session.scalar(query.where(EventRow.payload["member_id"].astext == member_id)) or 0


def picture(colour: str = "red") -> io.BytesIO:
    made = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(made, "PNG")
    made.seek(0)
    return made


def test_a_client_reads_and_changes_it(people: Callable[..., Person], site: Platform) -> None:
    amina = people("User")
    before = amina.get(ME).json["data"]
    assert (before["preferred_chain"], before["profile"]["missing"]) == (146, ["bio", "location"])
    given = {"display_name": "Amina B.", "time_zone": "Africa/Dakar", "preferred_chain": 1, "bio": "Line\nline"}
    after = amina.patch(ME, {**given, "website": "https://example.org/a?b=c"}).json["data"]
    assert {name: after.get(name, after["profile"].get(name)) for name in given} == given
    assert (after["profile"]["missing"], completions(site, amina.id)) == (["location"], 0)
    assert amina.patch(ME, {"location": "Dakar"}).json["data"]["profile"]["completed_at"]
    assert completions(site, amina.id) == 1
    amina.patch(ME, {"location": ""})
    amina.patch(ME, {"location": "Thiès"})
    assert completions(site, amina.id) == 1
    with site.unit_of_work(SYSTEM) as session:
        query = select(AuditRow).where(AuditRow.subject_id == amina.id, AuditRow.action == "core.profile.changed")
        assert "Dakar" not in str([row.changes for row in session.scalars(query)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": " "},
        {"display_name": "a\nb"},
        {"bio": "x" * 2001},
        {"bio": "a\u0007b"},
        {"location": "a\nb"},
        {"location": "x" * 121},
        {"website": "javascript:alert(1)"},
        {"website": "https://user:word@example.org"},
        {"website": "https://[::1"},
        {"website": "//example.org"},
        {"preferred_chain": 0},
        {"preferred_chain": 2**53},
        {"preferred_chain": "146"},
        {"preferred_chain": 1.5},
        {"preferred_chain": True},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"avatar_id": "01890000-0000-7000-8000-000000000000"},
        {"more": {"github": "amina"}},
        {"more": {"bio": 1}},
        {"more": {"user_id": "1"}},
        {"more": {"completed_at": "2020-01-01"}},
        {"status": "closed"},
        {"email": "other@example.org"},
        {"tier": "enterprise"},
    ],
)
def test_what_cannot_be_is_refused(people: Callable[..., Person], wrong: dict[str, Any]) -> None:
    amina = people("User")
    refused = amina.patch(ME, {"bio": "Mine", **wrong})
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "INVALID")
    assert amina.get(ME).json["data"]["profile"]["bio"] == ""


def test_a_picture_is_kept_shown_replaced_and_taken_away(people: Callable[..., Person]) -> None:
    amina, ben = people("User"), people("User")

    def send(person: Person, colour: str) -> str:
        files = {"file": (picture(colour), "me.png")}
        sent = person.post("/api/v1/core/files?purpose=core.avatar", data=files)
        assert sent.status_code == 201
        return str(sent.json["data"]["id"])

    red, blue, foreign = send(amina, "red"), send(amina, "blue"), send(ben, "green")
    assert amina.patch(ME, {"avatar_id": foreign}).status_code == 422
    url = amina.patch(ME, {"avatar_id": red}).json["data"]["profile"]["avatar_url"]
    assert amina.http.get(url).mimetype == "image/png"
    amina.patch(ME, {"avatar_id": blue})
    assert amina.http.get(url).status_code == 404
    assert amina.patch(ME, {"avatar_id": None}).json["data"]["profile"]["avatar_url"] is None


def test_the_settings_say_what_there_is_and_what_is_required(
    people: Callable[..., Person], configure: Callable[..., None], site: Platform
) -> None:
    configure(profile_fields="github, pronouns", profile_required="github bio")
    amina = people("User")
    assert amina.patch(ME, {"more": {"github": "amina"}}).json["data"]["profile"]["missing"] == ["bio"]
    assert amina.patch(ME, {"more": {"pronouns": "x" * 201}}).status_code == 422
    amina.patch(ME, {"bio": "Me"})
    assert completions(site, amina.id) == 1
    configure(profile_fields="", profile_required="")
    assert amina.get(ME).json["data"]["profile"]["missing"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile_required": "bio github"},
        {"profile_fields": "bio"},
        {"profile_fields": "Git-Hub"},
        {"profile_fields": " ".join(f"f{number}" for number in range(21))},
    ],
)
def test_settings_that_make_no_sense_are_refused(configure: Callable[..., None], wrong: dict[str, str]) -> None:
    with pytest.raises(Exception, match="cannot be accepted"):
        configure(**wrong)


def test_of_many_who_complete_it_at_once_one_is_told(people: Callable[..., Person], site: Platform) -> None:
    amina = people("User")
    actor = Actor(kind="member", name="Amina", member_id=UUID(amina.id))

    def fill(number: int) -> None:
        with site.unit_of_work(actor) as session:
            profiles.change(session, actor, {"bio": f"Me {number}", "location": "Dakar"})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fill, range(8)))
    assert completions(site, amina.id) == 1


def test_the_page_saves_it_and_shows_what_is_wrong(people: Callable[..., Person], site: Platform) -> None:
    amina = people("User", browser=True)
    refused = amina.send("/profile", display_name="Amina", bio="Kept in the form", website="nonsense")
    assert refused.status_code == 422
    assert "Kept in the form" in refused.text and "Give an address like" in refused.text
    broken = amina.send("/profile", avatar=(io.BytesIO(b"no picture"), "me.png"))
    assert broken.status_code == 422
    saved = amina.send("/profile", bio="About me", preferred_chain="56", avatar=(picture(), "me.png"))
    assert saved.status_code == 303
    page = amina.get("/profile").text
    assert "About me" in page and 'value="56"' in page and '<img class="avatar-lg" src="/files/' in page
    amina.send("/profile", remove_avatar="1")
    with site.unit_of_work(SYSTEM) as session:
        kept = session.get_one(Profile, UUID(amina.id))
        assert (kept.avatar_id, kept.bio) == (None, "About me")


def test_completing_it_scores_once_for_ever(platform: Platform) -> None:
    from plugins.contributions.models import Contribution
    from plugins.contributions.seed import seed

    with platform.unit_of_work(SYSTEM) as session:
        if not session.scalar(select(func.count()).select_from(Contribution)):
            seed(session, SYSTEM)
        amina = service.register(session, SYSTEM, email="a@example.org", password=None, display_name="Amina").id
    actor = Actor(kind="member", name="Amina", member_id=amina)
    for place in ("Dakar", "Thiès"):
        with platform.unit_of_work(actor) as session:
            profiles.change(session, actor, {"bio": "Me", "location": place})
        Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        query = select(Contribution.type, Contribution.points).where(Contribution.member_id == amina)
        assert session.execute(query).all() == [("profile.complete", 10)]


def test_an_admin_changes_a_tier_by_any_door_and_its_history_is_kept(people: Any, site: Platform) -> None:
    admin, browser, amina = people("Admin"), people("Admin", browser=True), people("User")
    home = f"/api/v1/core/members/{amina.id}"
    assert admin.patch(home, {"tier": "pro"}).json["data"]["tier"] == "pro"
    edited = browser.send(f"/admin/core/member/edit/{amina.id}", **{**SHOWN, "tier": "enterprise"})
    assert edited.status_code == 302, edited.text
    refused = admin.patch(home, {"tier": "gold", "display_name": "Gold"})
    assert (refused.status_code, list(refused.json["error"]["details"])) == (422, ["tier"])
    with site.unit_of_work(SYSTEM) as session:
        held = select(TierChange.tier).where(TierChange.member_id == UUID(amina.id)).order_by(TierChange.since)
        assert session.scalars(held).all() == ["pro", "enterprise"]
        told = select(AuditRow.changes["tier"]).where(AuditRow.subject_id == amina.id, AuditRow.changes.has_key("tier"))
        assert session.scalars(told.order_by(AuditRow.id)).all()[-2:] == [["free", "pro"], ["pro", "enterprise"]]
    assert admin.get(home).json["data"]["tier"] == "enterprise"


def test_what_an_admin_changes_of_a_member_is_checked_as_their_own_is(people: Any) -> None:
    admin, amina = people("Admin"), people("User")
    wrong = {"time_zone": "Nowhere", "preferred_chain": 0, "display_name": "a\u0007", "locale": "xx"}
    refused = admin.patch(f"/api/v1/core/members/{amina.id}", wrong)
    assert (refused.status_code, sorted(refused.json["error"]["details"])) == (422, sorted(wrong))
    right = {"time_zone": "Africa/Dakar", "locale": "fr", "preferred_chain": 1}
    changed = admin.patch(f"/api/v1/core/members/{amina.id}", right).json["data"]
    assert {key: changed[key] for key in right} == right


def test_sixteen_who_set_a_tier_leave_the_newest_of_the_history(people: Any, site: Platform) -> None:
    amina = people("User")

    def change(number: int) -> None:
        with site.unit_of_work(SYSTEM) as session:
            service.set_tier(session, amina.member.id, TIERS[number % 3])

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(change, range(16)))
    with site.unit_of_work(SYSTEM) as session:
        held = select(TierChange.tier).where(TierChange.member_id == amina.member.id).order_by(TierChange.since.desc())
        assert session.scalars(held.limit(1)).one() == session.get_one(Member, amina.member.id).tier
