"""Columns that follow from others are shown wherever the record is, and sort and filter where an index serves."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from core.platform import Platform
from tests.core.doors import Person
from tests.core.resources.conftest import API, PAGES, article, asked
from tests.core.resources.press import Article

LIST = f"{PAGES}/list/"


@pytest.fixture
def three(site: Platform, editor: Person) -> list[str]:
    """Articles with a balance of -2, 0 and 5."""
    made = [article(editor, title=f"Figures {likes}", body="one two three") for likes in range(3)]
    with site.unit_of_work() as session:
        for one, (likes, dislikes) in zip(made, [(0, 2), (4, 4), (6, 1)], strict=True):
            found = session.get_one(Article, UUID(one["id"]))
            found.likes, found.dislikes = likes, dislikes
    return [one["id"] for one in made]


def rows(page: str) -> list[str]:
    return re.findall(r'<a class="gh-row-link"[^>]*>\s*([^<]*?)\s*</a>', page)


def test_rest_and_graphql_show_them(editor: Person, three: list[str]) -> None:
    one = editor.get(f"{API}/{three[2]}").json["data"]
    assert (one["balance"], one["words"], one["loud"]) == (5, 3, "FIGURES 2")
    listed = {row["id"]: row["balance"] for row in editor.get(f"{API}?limit=200").json["data"]}
    assert [listed[key] for key in three] == [-2, 0, 5]
    changed = editor.patch(f"{API}/{three[2]}", {"likes": 10, "body": "one"}).json["data"]
    assert (changed["balance"], changed["words"]) == (9, 1)
    found = asked(editor, f'{{ pressArticle(id: "{three[0]}") {{ balance words loud title }} }}')
    assert found["data"]["pressArticle"] == {"balance": -2, "words": 3, "loud": "FIGURES 0", "title": "Figures 0"}


def test_nobody_writes_them(editor: Person) -> None:
    answer = editor.post(API, {"title": "Rich", "balance": 1000})
    assert (answer.status_code, "balance" in answer.json["error"]["details"]) == (422, True)


def test_pages_show_them(admin: Person, three: list[str]) -> None:
    page = admin.get(f"{PAGES}/show/{three[2]}").text
    assert re.search(r"<dt>Balance</dt><dd>\s*5", page) and "FIGURES 2" in page
    listed = admin.get(f"{LIST}?q=Figures 2&cols=title,balance,words,loud").text
    assert "FIGURES 2" in listed and re.search(r'data-label="Words"[^>]*>\s*3', listed)


def test_what_an_index_serves_sorts_and_filters(admin: Person, editor: Person, three: list[str]) -> None:
    page = admin.get(f"{LIST}?q=Figures&_oc_PressArticleView=balance&_od_PressArticleView=desc").text
    assert rows(page)[:3].index("Figures 2") == 0
    sortable = set(re.findall(r'<th scope="col"[^>]*><a href="[^"]*">(\w+)', page))
    assert "Balance" in sortable and "Words" not in sortable
    found = rows(admin.get(f"{LIST}?q=Figures&_flt_0_balance=5").text)
    assert "Figures 2" in found and "Figures 0" not in found
    low = editor.get(f"{API}?balance_to=-1&limit=200").json["data"]
    assert three[0] in {row["id"] for row in low} and all(row["balance"] < 0 for row in low)
    assert editor.get(f"{API}?balance=many").status_code == 422
    assert rows(admin.get(f"{LIST}?_flt_0_balance=many").text) == []
    graph = asked(editor, "{ pressArticles(filter: {balanceFrom: 5}) { edges { node { id balance } } } }")
    assert {edge["node"]["balance"] >= 5 for edge in graph["data"]["pressArticles"]["edges"]} == {True}


def test_what_none_serves_is_not_sorted_by(admin: Person, three: list[str]) -> None:
    for column in ("words", "loud"):
        assert admin.get(f"{LIST}?_oc_PressArticleView={column}&_od_PressArticleView=asc").status_code == 200


def test_files_hold_them(admin: Person, three: list[str]) -> None:
    address = "/admin/lists/press.article/export?format=csv&q=Figures&cols=title,balance,words,loud,cover_id"
    order = "&_oc_PressArticleView=balance&_od_PressArticleView=desc"
    lines = admin.get(address + order).get_data(as_text=True).splitlines()
    assert lines[0].lstrip("\ufeff").split(",")[1:] == ["Title", "Balance", "Words", "Loud", "Cover"]
    [line] = [line for line in lines if three[2] in line]
    assert line.split(",")[1:] == ["Figures 2", "5", "3", "FIGURES 2", ""]
