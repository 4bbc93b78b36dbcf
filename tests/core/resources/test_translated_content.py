"""Texts of a record in the languages of the installation: readers get theirs, else what was written."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.core.doors import Person
from tests.core.resources.conftest import API, PAGES, article
from tests.core.resources.press import Desk

FRENCH = {"Accept-Language": "fr-CA"}
BOTH = {"fr": {"title": "Le pont", "body": "Un mot"}, "zh": {"title": "桥"}}


def title(person: Person, key: str, language: str) -> str:
    return str(person.get(f"{API}/{key}", headers={"Accept-Language": language}).json["data"]["title"])


def test_readers_get_their_language_else_what_was_written(editor: Person) -> None:
    made = article(editor, title="The bridge", body="A word", translations=BOTH)
    assert made["translations"] == BOTH
    found = [title(editor, made["id"], one) for one in ("fr-CA", "zh-Hans", "ar", "xx", "en")]
    assert found == ["Le pont", "桥", "The bridge", "The bridge", "The bridge"]
    chinese = editor.get(f"{API}/{made['id']}", headers={"Accept-Language": "zh"}).json["data"]
    assert chinese["body"] == "A word"  # each field by itself
    query = {"query": f'{{ pressArticle(id: "{made["id"]}") {{ title }} }}'}
    assert editor.post("/api/v1/graphql", query, headers=FRENCH).json["data"]["pressArticle"]["title"] == "Le pont"


def test_a_change_of_the_text_leaves_its_translations(editor: Person) -> None:
    key = article(editor, title="The bridge", translations=BOTH)["id"]
    editor.patch(f"{API}/{key}", {"title": "The old bridge"})
    assert (title(editor, key, "fr"), title(editor, key, "en")) == ("Le pont", "The old bridge")
    kept = editor.patch(f"{API}/{key}", {"translations": {"fr": {"title": " ", "body": None}, "zh": {}}})
    assert (kept.status_code, kept.json["data"]["translations"]) == (200, {})
    assert title(editor, key, "fr") == "The old bridge"


@pytest.mark.parametrize(
    "given",
    [
        [],
        "fr",
        {"xx": {"title": "?"}},
        {"fr": "Le pont"},
        {"fr": {"state": "published"}},
        {"fr": {"title": ["Le pont"]}},
        {"fr": {"title": "x" * 121}},
        {"fr": {"title": "a\x00b"}},
        {"fr": {"body": "x" * 20_001}},
        None,
    ],
    ids=["list", "text", "language", "bare", "field", "nested", "long", "nul", "longer", "none"],
)
def test_what_is_no_translation_is_refused(editor: Person, given: Any) -> None:
    answer = editor.post(API, {"title": "The bridge", "translations": given})
    assert (answer.status_code, list(answer.json["error"]["details"])) == (422, ["translations"])


def test_the_form_asks_for_each_language_and_pages_show_the_readers(editor: Person, admin: Person) -> None:
    made = {"title": "The bridge by form", "state": "draft", "likes": "0", "dislikes": "0"}
    answer = admin.send(f"{PAGES}/add", **made, **{"translations-fr-title": "Le pont <b>", "translations-zh-body": " "})
    assert answer.status_code == 302
    key = answer.location.rsplit("/", 1)[1]
    assert editor.get(f"{API}/{key}").json["data"]["translations"] == {"fr": {"title": "Le pont <b>"}}
    form = admin.get(f"{PAGES}/edit/{key}").text
    assert re.search(r'name="translations-fr-title" value="Le pont &lt;b&gt;"', form)
    assert 'name="translations-zh-title"' in form and 'name="translations-zh-body"' in form
    page = admin.get(f"{PAGES}/show/{key}", headers=FRENCH).text
    assert "Le pont &lt;b&gt;" in page and "Le pont <b>" not in page
    assert "Le pont" not in admin.get(f"{PAGES}/show/{key}").text
    assert "Le pont &lt;b&gt;" in admin.get(f"{PAGES}/list/?q=The bridge by form", headers=FRENCH).text
    export = "/admin/lists/press.article/export?format=csv&q=The bridge by form&cols=title"
    assert "Le pont <b>" in admin.get(export, headers=FRENCH).get_data(as_text=True)
    wrong = admin.send(f"{PAGES}/edit/{key}", **made, **{"translations-fr-title": "x" * 200})
    assert wrong.status_code == 200 and "longer than its field" in wrong.text and "x" * 200 in wrong.text
    assert admin.send(f"{PAGES}/edit/{key}", **made, **{"translations-ar-title": "الجسر"}).status_code == 302
    assert editor.get(f"{API}/{key}").json["data"]["translations"] == {"ar": {"title": "الجسر"}}


def test_a_kind_without_translations_asks_for_none(admin: Person) -> None:
    assert "translations" not in admin.get("/admin/press/desk/add").text
    assert "translations" not in Desk.__table__.columns
