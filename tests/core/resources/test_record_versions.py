"""Who says which version of a record they have seen changes no other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from flask import Flask

from tests.core.doors import Person
from tests.core.resources.conftest import API, article, at_once


def tag(person: Person, key: str) -> str:
    return str(person.get(f"{API}/{key}").headers["ETag"])


def test_a_change_of_the_seen_version_is_made_and_tells_the_next(editor: Person) -> None:
    key = article(editor)["id"]
    seen = tag(editor, key)
    assert seen == tag(editor, key)
    answer = editor.patch(f"{API}/{key}", {"title": "Second"}, headers={"If-Match": seen})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == tag(editor, key) != seen
    again = editor.patch(f"{API}/{key}", {"title": "Third"}, headers={"If-Match": seen})
    assert (again.status_code, again.json["error"]["code"]) == (412, "RECORD_CHANGED")
    assert editor.delete(f"{API}/{key}", headers={"If-Match": seen}).status_code == 412
    assert editor.post(f"{API}/{key}/review", {}, headers={"If-Match": seen}).status_code == 412
    assert editor.get(f"{API}/{key}").json["data"]["title"] == "Second"
    both = {"If-Match": f'"other", {answer.headers["ETag"]}'}
    assert editor.delete(f"{API}/{key}", headers=both).status_code == 204


@pytest.mark.parametrize("given", ["", "nonsense", '"', 'W/"x"', '"x"', ",", "\u00fc", '"' * 500])
def test_what_names_no_version_of_it_matches_nothing(editor: Person, given: str) -> None:
    key = article(editor)["id"]
    assert editor.patch(f"{API}/{key}", {"title": "Other"}, headers={"If-Match": given}).status_code == 412


def test_a_weak_version_is_none_and_a_star_is_any(editor: Person) -> None:
    key = article(editor)["id"]
    assert editor.patch(f"{API}/{key}", {}, headers={"If-Match": f"W/{tag(editor, key)}"}).status_code == 412
    assert editor.patch(f"{API}/{key}", {"title": "Any"}, headers={"If-Match": "*"}).status_code == 200
    assert editor.patch(f"{API}/{key}", {"title": "None"}).status_code == 200


def test_of_many_who_saw_one_version_one_changes_it(web: Flask, editor: Person) -> None:
    key = article(editor)["id"]
    header = {"If-Match": tag(editor, key)}

    def act(person: Person, number: int) -> Any:
        return person.patch(f"{API}/{key}", {"title": f"By {number}"}, headers=header).status_code

    assert Counter(at_once(web, editor, 16, act)) == {200: 1, 412: 15}
