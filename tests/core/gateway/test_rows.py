"""A declared row filter holds at every door: sealed letters are there for admins alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.actor import Actor
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Letter

REST, PAGES = "/api/v1/library/letters", "/admin/library/letter"


@pytest.fixture
def letters(site: Platform, people: Callable[..., Person]) -> tuple[str, str]:
    """Keys of an open and of a sealed letter, both with a word of their own as subject."""
    word, owner = new_id().hex, people("").id
    with site.unit_of_work(Actor.system("test")) as session:
        made = [Letter(owner_id=owner, subject=f"{word} {n}", sealed=bool(n)) for n in range(2)]
        session.add_all(made)
        session.flush()
        return str(made[0].id), str(made[1].id)


def test_a_list_and_a_search_leave_out_what_is_hidden(people: Callable[..., Person], letters: tuple[str, str]) -> None:
    word = people("Admin").get(f"{REST}/{letters[0]}").json["data"]["subject"].split()[0]
    for role, count in (("Moderator", 1), ("Admin", 2)):
        person = people(role)
        assert len(person.get(REST, query_string={"q": word}).json["data"]) == count
        assert person.get(f"{PAGES}/list/", query_string={"q": word}).text.count(f"{word} ") >= count
        assert (letters[1] in person.get(f"{PAGES}/list/", query_string={"q": word}).text) is (role == "Admin")
        sealed = person.get(REST, query_string={"sealed": "true", "q": word}).json["data"]
        assert len(sealed) == count - 1


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", REST + "/{}"),
        ("PATCH", REST + "/{}"),
        ("DELETE", REST + "/{}"),
        ("GET", PAGES + "/show/{}"),
        ("GET", PAGES + "/edit/{}"),
        ("POST", PAGES + "/delete/{}"),
    ],
)
def test_what_is_hidden_is_not_there(
    people: Callable[..., Person], letters: tuple[str, str], method: str, address: str
) -> None:
    body = {"subject": "new"} if method == "PATCH" else None
    hidden, nowhere = (
        people("Moderator").open(method, address.format(key), body) for key in (letters[1], str(new_id()))
    )
    assert hidden.status_code == nowhere.status_code == 404
    assert people("Admin").get(f"{REST}/{letters[1]}").status_code == 200
    assert people("Moderator").open(method, address.format(letters[0]), body).status_code in (200, 204, 302)


def test_an_owner_too_does_not_see_what_is_hidden(site: Platform, people: Callable[..., Person]) -> None:
    owner = people("")
    with site.unit_of_work(Actor.system("test")) as session:
        session.add(letter := Letter(owner_id=owner.id, subject="mine", sealed=True))
        session.flush()
    assert owner.get(f"{REST}/{letter.id}").status_code == 404
    assert owner.get(REST).json["data"] == []


def test_nobody_puts_a_record_out_of_their_own_sight(people: Callable[..., Person], letters: tuple[str, str]) -> None:
    moderator = people("Moderator")
    refused = [
        moderator.post(REST, {"subject": "x", "sealed": True}),
        moderator.patch(f"{REST}/{letters[0]}", {"sealed": True}),
    ]
    assert [(answer.status_code, answer.json["error"]["code"]) for answer in refused] == [(403, "OUT_OF_REACH")] * 2
    assert people("Admin").get(f"{REST}/{letters[0]}").json["data"]["sealed"] is False
    assert people("Admin").patch(f"{REST}/{letters[0]}", {"sealed": True}).status_code == 200


def test_ones_own_records_have_pages_too(site: Platform, people: Callable[..., Person]) -> None:
    owner, other = people("User", browser=True), people("User", browser=True)
    answer = owner.post(REST, {"subject": "to myself"}, headers={"X-CSRFToken": owner.csrf})
    key = answer.json["data"]["id"]
    assert "to myself" in owner.get(f"{PAGES}/list/").text
    assert "to myself" in owner.get(f"{PAGES}/show/{key}").text
    assert "to myself" not in other.get(f"{PAGES}/list/").text
    assert other.get(f"{PAGES}/show/{key}").status_code == 404
