"""States change as the declared transitions say, whichever door asks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import shown
from core.events.models import EventRow
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.resources.conftest import API, PAGES, article, at_once, moved

ACTS = "/admin/acts/press.article"


def state_of(person: Person, key: str) -> str:
    return str(person.get(f"{API}/{key}").json["data"]["state"])


def events_of(site: Platform, key: str, name: str) -> list[dict[str, Any]]:
    with site.unit_of_work() as session:
        query = select(EventRow.payload).where(EventRow.name == name, EventRow.payload["id"].astext == key)
        return list(session.scalars(query.order_by(EventRow.id)))


@pytest.mark.parametrize("state", ["review", "published", "archived"])
def test_a_record_begins_in_an_initial_state(editor: Person, state: str) -> None:
    answer = editor.post(API, {"title": "Early", "state": state})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "STATE_NOT_INITIAL")
    assert "draft" in answer.json["error"]["message"]


def test_a_change_that_no_transition_allows_is_refused_and_names_those_that_are(editor: Person) -> None:
    key = article(editor)["id"]
    answer = editor.patch(f"{API}/{key}", {"state": "published", "title": "Changed"})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "TRANSITION_REFUSED")
    assert answer.json["error"]["message"] == "From draft it can become review, archived, not published."
    assert editor.get(f"{API}/{key}").json["data"]["title"] == "A title"
    assert moved(editor, key, "archived").status_code == 200
    last = editor.patch(f"{API}/{key}", {"state": "draft"}).json["error"]
    assert (last["code"], "No change leads on" in last["message"]) == ("TRANSITION_REFUSED", True)


def test_patch_and_the_route_of_a_transition_obey_one_rule(site: Platform, editor: Person) -> None:
    key = article(editor)["id"]
    assert editor.patch(f"{API}/{key}", {"state": "review"}).json["data"]["state"] == "review"
    answer = moved(editor, key, "publish")
    assert (answer.status_code, answer.json["data"]["state"]) == (200, "published")
    again = moved(editor, key, "publish")
    assert (again.status_code, again.json["error"]["code"]) == (409, "TRANSITION_REFUSED")
    assert editor.patch(f"{API}/{key}", {"state": "published"}).status_code == 200  # it is so already
    told = events_of(site, key, "press.article.transitioned")
    assert [(one["transition"], one["from_state"], one["to_state"]) for one in told] == [
        ("review", "draft", "review"),
        ("publish", "review", "published"),
    ]
    assert [one["fields"] for one in events_of(site, key, "press.article.updated")] == [["state"], ["state"]]


def test_who_may_make_a_transition_is_asked_for_each(people: Callable[..., Person], editor: Person) -> None:
    moderator, publisher, author = people("Moderator"), people("Service"), people("User")
    key = article(author)["id"]
    assert moved(author, key, "review").json["error"]["code"] == "PERMISSION_MISSING"  # one's own is not enough
    assert moved(moderator, key, "review").status_code == 200
    for answer in (moved(moderator, key, "publish"), moderator.patch(f"{API}/{key}", {"state": "published"})):
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "PERMISSION_MISSING")
        assert "press:article:publish" in answer.json["error"]["message"]
    assert publisher.patch(f"{API}/{key}", {"state": "published"}).status_code == 403
    assert moved(publisher, key, "publish").status_code == 200
    assert moved(people(), key, "publish").status_code == 401


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501, "a\x00b", 7, None])
def test_a_reason_that_is_none_is_refused(editor: Person, reason: Any) -> None:
    key = article(editor)["id"]
    moved(editor, key, "review")
    assert moved(editor, key, "send_back", reason=reason).status_code in (404, 422)
    assert moved(editor, key, "send-back", reason=reason).status_code == 422
    assert state_of(editor, key) == "review"


def test_a_reason_stands_in_the_trail_and_patch_cannot_go_without(site: Platform, editor: Person) -> None:
    key = article(editor)["id"]
    moved(editor, key, "review")
    answer = editor.patch(f"{API}/{key}", {"state": "draft"})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "REASON_NEEDED")
    assert moved(editor, key, "send-back", reason="Two facts are wrong.").status_code == 200
    with site.unit_of_work() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == key).order_by(AuditRow.id)).all()
        assert shown(session, Actor.system(), rows)[-1].reason == "Two facts are wrong."


def test_a_transition_is_made_once_for_one_idempotency_key(site: Platform, editor: Person) -> None:
    key, header = article(editor)["id"], {"Idempotency-Key": str(new_id())}
    first, second = (editor.post(f"{API}/{key}/review", {}, headers=header) for _turn in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert len(events_of(site, key, "press.article.transitioned")) == 1


def test_nothing_else_is_taken_for_a_transition(editor: Person) -> None:
    key = article(editor)["id"]
    assert moved(editor, key, "delete").status_code == 404
    assert moved(editor, key, "review", state="archived").status_code == 422
    assert moved(editor, str(new_id()), "review").status_code == 404
    assert moved(editor, "nonsense", "review").status_code == 404
    assert state_of(editor, key) == "draft"


def test_of_many_who_make_one_transition_one_wins(site: Platform, web: Flask, editor: Person) -> None:
    key = article(editor)["id"]
    moved(editor, key, "review")
    answers = at_once(web, editor, 16, lambda person, _n: moved(person, key, "publish"))
    assert Counter(one.status_code for one in answers) == {200: 1, 409: 15}
    assert {one.json["error"]["code"] for one in answers if one.status_code == 409} == {"TRANSITION_REFUSED"}
    assert len(events_of(site, key, "press.article.transitioned")) == 2


def test_of_two_ways_on_at_once_one_is_gone(site: Platform, web: Flask, editor: Person) -> None:
    """From review to archived and to published: who comes second is asked from where the first led."""
    key = article(editor)["id"]
    moved(editor, key, "review")
    patched = {"state": "archived"}

    def act(person: Person, number: int) -> Any:
        return person.patch(f"{API}/{key}", patched) if number % 2 else moved(person, key, "publish")

    answers = at_once(web, editor, 8, act)
    steps = [(one["from_state"], one["to_state"]) for one in events_of(site, key, "press.article.transitioned")][1:]
    assert steps in ([("review", "archived")], [("review", "published"), ("published", "archived")])
    assert sum(one.status_code == 200 for one in answers[::2]) == len(steps) - 1
    assert state_of(editor, key) == "archived"


def test_forms_offer_what_can_be_reached(admin: Person, editor: Person) -> None:
    def offered(path: str) -> list[str]:
        page = admin.get(path).text
        found = re.search(r'<select[^>]*name="state".*?</select>', page, re.S)
        assert found, page[:2000]
        return re.findall(r'<option value="(\w*)"', found[0])

    assert offered(f"{PAGES}/add") == ["draft"]
    key = article(editor)["id"]
    assert offered(f"{PAGES}/edit/{key}") == ["draft", "review", "archived"]
    moved(editor, key, "review")
    assert offered(f"{PAGES}/edit/{key}") == ["review", "published", "archived"]  # sending back asks for a reason


def test_a_forged_form_is_refused_as_everybody_is(admin: Person, editor: Person) -> None:
    key = article(editor)["id"]
    page = admin.send(f"{PAGES}/edit/{key}", title="A title", state="published", likes="0", dislikes="0")
    assert page.status_code == 200
    assert "From draft it can become review, archived, not published." in page.text
    early = admin.send(f"{PAGES}/add", title="Early", state="published")
    assert "begins as draft, not as published" in early.text
    assert "Not a valid choice" in admin.send(f"{PAGES}/add", title="Odd", state="odd").text


def test_the_record_page_has_a_button_for_each(admin: Person, editor: Person) -> None:
    key = article(editor)["id"]
    page = admin.get(f"{PAGES}/show/{key}").text
    assert f'action="{ACTS}/review/{key}"' in page and "Hand in" in page
    assert f'href="{ACTS}/archived/{key}"' in page and f"{ACTS}/publish/" not in page
    assert f'href="{ACTS}/feature/{key}"' in page  # operations too
    assert admin.send(f"{ACTS}/review/{key}").status_code == 303
    assert state_of(editor, key) == "review"
    missing = admin.send(f"{ACTS}/send_back/{key}", reason=" ")
    assert missing.status_code in (303, 422) and state_of(editor, key) == "review"
    assert admin.send(f"{ACTS}/send_back/{key}", reason="Once more.").status_code == 303
    assert state_of(editor, key) == "draft"
    refused = admin.send(f"{ACTS}/publish/{key}")
    assert refused.status_code == 303
    assert "From draft it can become" in admin.get(f"{PAGES}/show/{key}").text
    assert admin.send(f"{ACTS}/feature/{key}", places="3").status_code == 303
    assert editor.get(f"{API}/{key}").json["data"]["likes"] == 3


def test_the_buttons_are_for_who_may(people: Callable[..., Person], editor: Person) -> None:
    moderator = people("Moderator", browser=True)
    key = article(editor)["id"]
    moved(editor, key, "review")
    assert f"{ACTS}/publish/" not in moderator.get(f"{PAGES}/show/{key}").text
    assert moderator.send(f"{ACTS}/publish/{key}").status_code == 403
    assert people("User", browser=True).send(f"{ACTS}/review/{key}").status_code == 403
    assert moderator.send(f"{ACTS}/nonsense/{key}").status_code == 404
    assert state_of(editor, key) == "review"


def test_many_records_are_moved_from_the_list_each_by_the_rule(admin: Person, editor: Person) -> None:
    early, late = article(editor)["id"], article(editor)["id"]
    moved(editor, late, "review")
    lists = "/admin/lists/press.article"
    report = admin.send(f"{lists}/bulk/run", what="do-publish", run=str(new_id()), rowid=[early, late])
    assert report.status_code == 303
    assert (state_of(editor, early), state_of(editor, late)) == ("draft", "published")
    assert "From draft it can become" in admin.get(report.location).text
    edit = {"what": "edit", "change": "state", "state": "archived", "rowid": [early, late]}
    admin.send(f"{lists}/bulk/run", run=str(new_id()), **edit)
    assert (state_of(editor, early), state_of(editor, late)) == ("archived", "archived")
    back = {"what": "edit", "change": "state", "state": "draft", "rowid": [early]}
    report = admin.send(f"{lists}/bulk/run", run=str(new_id()), **back)
    assert "No change leads on" in admin.get(report.location).text


def test_history_brings_back_only_what_a_transition_allows(site: Platform, admin: Person, editor: Person) -> None:
    key = article(editor)["id"]
    moved(editor, key, "archived")
    with site.unit_of_work() as session:
        query = select(AuditRow.id).where(AuditRow.subject_id == key, AuditRow.action == "press.article.updated")
        change = session.scalars(query).one()
    page = admin.get(f"{PAGES}/history/{key}/{UUID(str(change))}").text
    assert "No change leads on from archived" in page
    token = re.search(r'name="token" value="([^"]*)"', page)
    sent = admin.send(f"{PAGES}/history/{key}/{change}", field="state", token=token[1] if token else "", reason="Oops")
    assert sent.status_code == 200
    assert state_of(editor, key) == "archived"
