"""Suggestions are found by the beginning of their title and by words of their text: in the list, by REST, in Ctrl-K."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from core.lists.conditions import search_for
from core.platform import Platform
from guildhall import Actor

API = "/api/v1/suggestions/suggestions"
TEXTS = {
    "A quiet room": "Please give us a place where nobody's phone rings, e.g. on the second floor.",
    "Longer evenings": "The library should stay open; it closes before I've finished work.",
    "Second-hand books": "A shelf to swap them. Ask bob@example.org about the old one: C:\\books\\list.txt",
    "غرفة هادئة": "مكان هادئ للقراءة",
}


@pytest.fixture
def moderator(clients: Any) -> Any:
    client = clients("User", "Moderator")
    for title, body in TEXTS.items():
        assert client.post(API, {"title": title, "body": body}).status_code == 201
    return client


def found(client: Any, term: str) -> set[str]:
    answer = client.get(API, query_string={"q": term})
    assert answer.status_code == 200, answer.text
    return {one["title"] for one in answer.json["data"]}


def test_words_and_beginnings(moderator: Any, clients: Any) -> None:
    quiet, longer, second, arabic = TEXTS
    assert found(moderator, "a qui") == {quiet}  # a title by its beginning, as ever
    assert found(moderator, "room") == set()  # which is no word of a text
    assert found(moderator, "Library") == found(moderator, "libr open") == {longer}
    assert found(moderator, "second") == {quiet, second}
    assert found(moderator, "floor second") == {quiet} and found(moderator, "floor library") == set()
    assert found(moderator, "nobody's") == {quiet} and found(moderator, "I've") == {longer}
    assert found(moderator, "bob@example.org") == {second} and found(moderator, "C:\\books\\list.txt") == {second}
    assert found(moderator, "هادئ") == {arabic}
    page = moderator.get("/admin/suggestions/suggestion/list/?q=closes").text
    assert longer in page and quiet not in page and "Search by title, body" in page
    assert [hit["label"] for hit in moderator.get("/admin/search?q=rings").json] == [quiet]
    assert found(clients("User"), "library") == set()  # nobody else's are seen


HOSTILE = ("'", "''", "\\", "\\'", "a' | 'b", "!", "& |", "<->", ":*", "(library", "'; DROP TABLE x; --", "%", "_")


def test_what_somebody_types_is_never_an_error(moderator: Any) -> None:
    for term in (*HOSTILE, "💥 library", "x" * 120, "a " * 60):
        assert found(moderator, term) <= set(TEXTS)
        assert moderator.get("/admin/suggestions/suggestion/list/", query_string={"q": term}).status_code == 200, term
        assert moderator.get("/admin/search", query_string={"q": term}).status_code == 200, term


def test_both_are_answered_by_indexes(clean_platform: Platform) -> None:
    bound = clean_platform.registry.resources["suggestions.suggestion"]
    with clean_platform.unit_of_work(Actor.system("test")) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        query = select(bound.resource.model).where(search_for(bound, "quiet room"))
        sql = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}).string
        plan = "\n".join(session.scalars(text("EXPLAIN " + sql.replace("%%", "%").replace(":", "\\:"))))
    assert "BitmapOr" in plan and "Seq Scan" not in plan
    assert "ix_suggestions_suggestion_title_search" in plan and "ix_suggestions_suggestion_body_words" in plan
