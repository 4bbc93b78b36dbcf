"""What a query may ask for at once: everything beyond is refused before anything is read."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from graphql import get_introspection_query
from sqlalchemy import event, text

from core import settings
from core.actor import Actor
from core.graphql.loading import Reading
from core.members import api_keys, sessions, tokens
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.switches import service as switches
from tests.core.doors import Person

URL = "/api/v1/graphql"
BOOKS = "libraryBooks { edges { node { owner { displayName } } } }"
INTROSPECTION = "{ __schema { types { " + "fields { type { " * 20 + "name" + " } }" * 20 + " } } }"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin")


def code(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json["errors"][0]["extensions"]["code"])


ATTACKS = {
    "deep": "{ " + "libraryBooks { edges { node { author { " * 30 + "id" + " } } } }" * 30 + " }",
    "deeper than Python": "{ a " * 1500 + "}" * 1500,
    "deep values": "{ libraryBooks(filter: " + "[" * 1500 + "]" * 1500 + ") { edges { cursor } } }",
    "aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(501)) + " }",
    "one alias": "{ " + "a: __typename " * 1200 + " }",
    "aliases of an operation that is not meant": "query a { __typename } query b { " + "a: __typename " * 1200 + "}",
    "an unused fragment": "{ __typename } fragment f on Query { " + "a: __typename " * 1200 + "}",
    "directives": "{ __typename " + "@include(if: true) " * 600 + " }",
    "fragments of fragments": "{ ...f0 } "
    + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60))
    + " fragment f60 on Query { __typename }",
    "cost": "{ " + " ".join(f"a{n}: {BOOKS}" for n in range(60)) + " }",
    "page": "{ libraryBooks(first: 101) { edges { cursor } } }",
    "tokens": "{ libraryBooks(filter: {title: [" + "1 " * 6000 + "]}) { edges { cursor } } }",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_asks_for_too_much_is_refused_before_it_is_carried_out(site: Platform, admin: Person, attack: str) -> None:
    read: list[str] = []
    note = lambda *given: read.append(given[2])  # noqa: E731
    event.listen(site.database.engine, "before_cursor_execute", note)
    began = time.process_time()
    answer = admin.post(URL, {"query": ATTACKS[attack]})
    event.remove(site.database.engine, "before_cursor_execute", note)
    wanted = "QUERY_INVALID" if attack in ("tokens", "deep values", "deeper than Python") else "QUERY_TOO_LARGE"
    assert code(answer) == wanted and "data" not in answer.json
    assert not any("library_" in one for one in read)
    assert time.process_time() - began < 5  # whatever the machine: minutes, where a walk is not bounded


@pytest.mark.parametrize(
    "query",
    [
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ libraryBooks { edges { node { nothing } } } }",
        "mutation { delete }",
        "{ a",
        "query a { __typename } query b { __typename }",
        "fragment a on Query { __typename }",
        INTROSPECTION,
        "{ ünïcödé }",
        "{ libraryBook(id: 1) @nothing { id } }",
    ],
)
def test_what_does_not_fit_the_schema_is_refused(admin: Person, query: str) -> None:
    assert code(admin.post(URL, {"query": query})) == "QUERY_INVALID"


def test_text_of_any_language_is_a_value(admin: Person) -> None:
    for title in ("жук", "日本語", "\u202e", "😀", "'; DROP TABLE", "\\"):
        query = "query($q: String) { libraryBooks(filter: {q: $q, shelf: -7}) { edges { cursor } } }"
        assert admin.post(URL, {"query": query, "variables": {"q": title}}).json["data"] == {
            "libraryBooks": {"edges": []}
        }
    wrong = admin.post(URL, {"query": "query($id: ID!) { libraryBook(id: $id) { id } }", "variables": {"id": "x'"}})
    assert code(wrong) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("sent", "status", "refusal"),
    [
        ('[{"query": "{ __typename }"}, {"query": "{ __typename }"}]', 422, "INVALID"),
        ('{"query": ', 400, "BAD_REQUEST"),
        ("{}", 422, "INVALID"),
        ('{"query": 5}', 422, "INVALID"),
        ('{"query": "{ __typename }", "variables": []}', 422, "INVALID"),
        ('{"query": "{ __typename }", "query": "{ a }"}', 400, "DUPLICATE_KEY"),
        (json.dumps({"query": "{ __typename }" + " " * 1_000_000}), 413, "TOO_LARGE"),
        (json.dumps({"query": "{ __typename }" + " " * 100_000}), 422, "INVALID"),
        ('{"query": "\\ud800"}', 422, "INVALID"),
    ],
)
def test_what_is_no_query_is_refused_as_by_rest(admin: Person, sent: str, status: int, refusal: str) -> None:
    answer = admin.post(URL, data=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json["success"], answer.json["error"]["code"]) == (status, False, refusal)


def test_tools_may_ask_for_the_whole_schema(admin: Person) -> None:
    answer = admin.post(URL, {"query": get_introspection_query()})
    assert "errors" not in answer.json


def test_a_query_may_come_by_get(admin: Person) -> None:
    query = {"query": "query($n: Int) { libraryNotes(first: $n) { edges { cursor } } }", "variables": '{"n": 1}'}
    assert "libraryNotes" in admin.get(URL, query_string=query).json["data"]
    assert admin.get(URL, query_string={**query, "variables": "[1]"}).status_code == 422
    modern = {"Accept": "application/graphql-response+json"}
    assert admin.get(URL, query_string=query, headers=modern).mimetype == modern["Accept"]
    assert admin.get(URL, query_string={"query": "{ a"}, headers=modern).status_code == 400
    refused = admin.get(URL, query_string={"query": "subscription { events { id } }"})
    assert (refused.status_code, refused.json["error"]["code"]) == (406, "NOT_ACCEPTABLE")


@pytest.fixture
def chosen(site: Platform) -> Iterator[Callable[..., None]]:
    """Sets settings of the platform, and sets them back."""

    def write(**values: Any) -> None:
        actor = Actor.system("test")
        with site.unit_of_work(actor) as session:
            settings.write(session, actor, PlatformSettings, values)

    yield write
    write(graphql_depth=12, graphql_fields=500, graphql_cost=5000, graphql_page=100, graphql_seconds=5)


def test_an_admin_sets_the_limits(admin: Person, chosen: Callable[..., None]) -> None:
    query = {"query": "{ libraryBooks(first: 20) { edges { node { id title state owner { id } } } } }"}
    assert "data" in admin.post(URL, query).json
    for values in ({"graphql_depth": 4}, {"graphql_page": 19}):
        chosen(**values)
        assert code(admin.post(URL, query)) == "QUERY_TOO_LARGE"
        chosen(graphql_depth=12, graphql_page=100)
    chosen(graphql_fields=10, graphql_cost=100)
    five = {"query": "{ " + "".join(f"a{n}: libraryBooks(first: 30) {{ __typename }} " for n in range(5)) + "}"}
    assert code(admin.post(URL, five)) == "QUERY_TOO_LARGE"


def test_a_statement_that_takes_too_long_ends_the_query(
    admin: Person, chosen: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(graphql_seconds=1)
    rows = Reading._rows

    def slowly(self: Reading, *given: Any) -> Any:
        self.session.execute(text("SELECT pg_sleep(30)"))
        return rows(self, *given)

    monkeypatch.setattr(Reading, "_rows", slowly)
    query = f'{{ libraryBook(id: "{admin.id}") {{ id }} libraryAuthor(id: "{admin.id}") {{ id }} __typename }}'
    answer = admin.post(URL, {"query": query})
    assert {one["extensions"]["code"] for one in answer.json["errors"]} == {"QUERY_TOO_SLOW"}
    assert answer.json["data"] == {"libraryBook": None, "libraryAuthor": None, "__typename": "Query"}


def test_our_own_mistake_is_not_told(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: Any) -> Any:
        raise RuntimeError("the message of the exception")

    monkeypatch.setattr(Reading, "_rows", broken)
    answer = admin.post(URL, {"query": f'{{ libraryBook(id: "{admin.id}") {{ id }} }}'})
    assert code(answer) == "INTERNAL" and "the message" not in answer.text


def test_it_reads_and_cannot_write(site: Platform, admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Reading, "_rows", lambda self, *_given: self.session.execute(text("DELETE FROM library_stamp")) and {}
    )
    answer = admin.post(URL, {"query": f'{{ libraryBook(id: "{admin.id}") {{ id }} }}'})
    assert answer.json["errors"][0]["extensions"]["code"] in ("UNAVAILABLE", "IMPERSONATION_READ_ONLY")


def test_reading_goes_on_while_writing_by_rest_is_off(site: Platform, admin: Person) -> None:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        switches.pull(session, actor, "core.rest_writes", reason="test")
    try:
        assert admin.post("/api/v1/library/authors", {"name": "x"}).json["error"]["code"] == "SWITCHED_OFF"
        assert "data" in admin.post(URL, {"query": "{ __typename }"}).json
    finally:
        with site.unit_of_work(actor) as session:
            switches.restore(session, actor, "core.rest_writes")


def test_an_api_key_reads_what_its_scopes_allow(site: Platform, people: Callable[..., Person], web: Any) -> None:
    moderator = people("Moderator")
    with site.unit_of_work() as session:
        actor = sessions.actor_of(
            session, session_id=tokens.session_of(session, moderator.headers["Authorization"][7:])
        )
        _row, key = api_keys.create(session, actor, name="reader", scopes=["library:read"])
    reader = Person(web)
    reader.headers = {"X-API-Key": key}
    assert "data" in reader.post(URL, {"query": "{ libraryNotes { edges { cursor } } }"}).json
    refused = reader.post(URL, {"query": "{ contributionsTypes { edges { cursor } } }"})
    assert code(refused) == reader.get("/api/v1/contributions/types").json["error"]["code"] == "SESSION_REQUIRED"


def test_many_at_once_mix_nothing_up(people: Callable[..., Person], web: Any) -> None:
    members = [people("User") for _number in range(8)]
    for member in members:
        assert member.post("/api/v1/library/books", {"title": member.id}).status_code == 201
    wrong: list[Any] = []

    def read(member: Person) -> None:
        for _turn in range(5):
            query = {"query": "{ libraryBooks { edges { node { title ownerId } } } }"}
            found = Person.post(member, URL, query).json
            rows = [edge["node"] for edge in found["data"]["libraryBooks"]["edges"]]
            if rows != [{"title": member.id, "ownerId": member.id}]:
                wrong.append(found)

    threads = [threading.Thread(target=read, args=(member,)) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_query_is_answered_where_an_event_loop_runs_already(admin: Person) -> None:
    async def asked() -> Any:
        return admin.post(URL, {"query": "{ libraryBooks(first: 1) { edges { node { id owner { id } } } } }"}).json

    # In a thread of its own: a test of a browser leaves a loop running in the thread of all tests.
    with ThreadPoolExecutor(1) as thread:
        assert "data" in thread.submit(lambda: asyncio.run(asked())).result()
