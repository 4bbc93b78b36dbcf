"""GraphQL reads what REST reads: the same records, fields, filters and refusals, for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLNonNull, GraphQLScalarType, build_schema
from sqlalchemy import event, text

from core.actor import Actor
from core.graphql.schema import build, camel
from core.ids import new_id
from core.platform import Platform
from core.resources.resource import BoundResource
from core.rest.resource import name_of
from plugins.contributions import service
from tests.core.doors import Person
from tests.core.library import Author, Book, Letter

URL = "/api/v1/graphql"


def ask(person: Person, query: str, **variables: Any) -> Any:
    answer = person.post(URL, {"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json


@contextmanager
def noted(site: Platform, statements: list[str]) -> Iterator[None]:
    """Appends the statements that are sent to the database."""

    def note(*given: Any) -> None:
        statements.append(given[2])

    event.listen(site.database.engine, "before_cursor_execute", note)
    yield
    event.remove(site.database.engine, "before_cursor_execute", note)


def code(answer: Any) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


def plain_fields(schema: Any, name: str) -> list[str]:
    """The fields of a type that are values."""
    found = []
    for key, one in schema.type_map[name].fields.items():
        kind = one.type.of_type if isinstance(one.type, GraphQLNonNull) else one.type
        if isinstance(kind, GraphQLScalarType):
            found.append(key)
    return found


@pytest.fixture(scope="module")
def schema(site: Platform) -> Any:
    return build(site.registry.resources.values())[0]


@pytest.fixture
def books(site: Platform, people: Callable[..., Person]) -> Callable[..., list[Book]]:
    """Puts books of an owner on a shelf."""

    def put(owner: Person, count: int = 1, *, author: bool = False, **values: Any) -> list[Book]:
        with site.unit_of_work(Actor.system("test")) as session:
            made = [Book(owner_id=owner.id, title=f"b{number}", **values) for number in range(count)]
            if author:
                for number, book in enumerate(made):
                    book.author = Author(name=f"{new_id()} {number}")
            session.add_all(made)
        return made

    return put


@pytest.mark.parametrize("role", ["Admin", "Moderator", "User", ""])
def test_every_resource_reads_as_by_rest(
    site: Platform, people: Callable[..., Person], schema: Any, books: Any, role: str
) -> None:
    me, other = people(role), people("User")
    books(me), books(other, author=True)
    with site.unit_of_work(Actor.system("test")) as session:
        session.add_all(Letter(owner_id=who.id, subject="x", sealed=sealed) for who in (me, other) for sealed in (0, 1))
    compared = 0
    for bound in site.registry.resources.values():
        if not bound.resource.rest:
            continue
        compared += compare(me, bound, schema)
    assert compared >= 15


def test_a_null_within_json_is_an_answer(site: Platform, people: Callable[..., Person], books: Any) -> None:
    me = people("User")
    books(me)
    with site.unit_of_work(Actor.system("test")) as session:
        session.execute(text("UPDATE library_book SET extras = 'null' WHERE owner_id = :id"), {"id": me.id})
    answer = ask(me, "{ libraryBooks(first: 1) { edges { node { extras } } } }")
    assert "errors" not in answer and answer["data"]["libraryBooks"]["edges"] == [{"node": {"extras": None}}]


def compare(me: Person, bound: BoundResource, schema: Any) -> int:
    """Compare the list, and the first record of it; returns how many answers were compared."""
    name = name_of(bound)
    single, listed = name[0].lower() + name[1:], camel(f"{bound.plugin}_{bound.path}".replace("-", "_"))
    chosen = " ".join(plain_fields(schema, name))
    address = f"/api/v1/{bound.plugin.replace('_', '-')}/{bound.path}"
    keys, done = [str(new_id())], 0
    if "list" in bound.resource.actions:
        by_rest = me.get(address, query_string={"limit": 20})
        query = f"{{ {listed}(first: 20) {{ edges {{ node {{ {chosen} }} }} pageInfo {{ endCursor hasNextPage }} }} }}"
        same = ask(me, query)
        if by_rest.status_code == 200:
            rows = [edge["node"] for edge in same["data"][listed]["edges"]]
            assert rows == [{camel(key): value for key, value in row.items()} for row in by_rest.json["data"]], name
            cursor = by_rest.json["meta"]["page"]["next_cursor"]
            assert same["data"][listed]["pageInfo"]["hasNextPage"] is (cursor is not None)
            keys += [str(row[camel(bound.resource.key)]) for row in rows[:1]]
        else:
            assert code(same) == by_rest.json["error"]["code"]
        done += 1
    if "show" in bound.resource.actions:
        for key in keys:
            by_rest = me.get(f"{address}/{key}")
            same = ask(me, f"query($id: ID!) {{ {single}(id: $id) {{ {chosen} }} }}", id=key)
            if by_rest.status_code == 200:
                expected = {camel(name): value for name, value in by_rest.json["data"].items()}
                assert same == {"data": {single: expected}}
            else:
                assert (same["data"][single], code(same)) == (None, by_rest.json["error"]["code"])
            done += 1
    return done


def test_a_type_shows_what_rest_shows_and_no_more(site: Platform, schema: Any) -> None:
    member = plain_fields(schema, "CoreMember")
    assert "displayName" in member and "userId" not in member
    assert "secret" not in schema.type_map["CoreWebhook"].fields
    assert schema.mutation_type is None


def test_contributions_are_ones_own_or_everybodys_as_by_their_own_routes(
    site: Platform, people: Callable[..., Person], schema: Any
) -> None:
    me, other, moderator = people("User"), people("User"), people("Moderator")
    with site.unit_of_work(Actor.system("test")) as session:
        made = [
            service.record(
                session,
                session.info["actor"],
                member_id=UUID(who.id),
                type="learning.completed",
                event_key=str(new_id()),
            )
            for who in (me, other)
        ]
    chosen = " ".join(plain_fields(schema, "ContributionsContribution"))
    query = f"query($id: ID!) {{ contributionsContribution(id: $id) {{ {chosen} }} }}"
    for person, keys in ((me, made[:1]), (moderator, made)):
        for one in made:
            by_rest = person.get(f"/api/v1/contributions/contributions/{one.id}")
            same = ask(person, query, id=str(one.id))
            assert (by_rest.status_code == 200) is (one in keys)
            if one in keys:
                found = same["data"]["contributionsContribution"]
                rest = {
                    camel(key): str(value) if key in ("points", "correction") else value
                    for key, value in by_rest.json["data"].items()
                }
                assert found == {key: rest[key] for key in found}
            else:
                assert code(same) == by_rest.json["error"]["code"] == "NOT_FOUND"
    listed = ask(me, "{ contributionsContributions { edges { node { id member { id } } } } }")["data"]
    assert [edge["node"]["id"] for edge in listed["contributionsContributions"]["edges"]] == [str(made[0].id)]


def test_a_stranger_is_refused_before_anything_is_read(people: Callable[..., Person]) -> None:
    stranger = people()
    answer = stranger.post(URL, {"query": "{ __schema { types { name } } }"}, headers={"X-CSRFToken": stranger.csrf})
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert people().get(f"{URL}/schema").status_code == 401
    browser = people("Admin", browser=True)
    assert browser.post(URL, {"query": "{ __typename }"}).json["error"]["code"] == "CSRF"
    asked = browser.post(URL, {"query": "{ __typename }"}, headers={"X-CSRFToken": browser.csrf})
    assert asked.json == {"data": {"__typename": "Query"}}


def test_pages_go_on_from_a_cursor_either_way(people: Callable[..., Person], books: Any) -> None:
    admin, shelf = people("Admin"), new_id().int >> 70
    made = {str(book.id) for book in books(admin, 7, shelf=shelf)}
    query = """query($shelf: Long, $after: String, $order: LibraryBookOrder) {
        libraryBooks(first: 3, after: $after, filter: {shelf: $shelf}, orderBy: $order) {
            edges { cursor node { id } } pageInfo { endCursor hasNextPage hasPreviousPage startCursor } } }"""
    seen: dict[str, list[str]] = {}
    for order in ("SHELF_DESC", "SHELF_ASC", "ID_ASC", "ID_DESC"):
        after, seen[order] = None, []
        while True:
            page = ask(admin, query, shelf=shelf, after=after, order=order)["data"]["libraryBooks"]
            seen[order] += [edge["node"]["id"] for edge in page["edges"]]
            assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
            after = page["pageInfo"]["endCursor"]
            assert after == page["edges"][-1]["cursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert len(seen[order]) == 7 and set(seen[order]) == made
    assert seen["ID_ASC"] == seen["ID_DESC"][::-1] == sorted(made)
    assert code(ask(admin, query, after="nowhere")) == "INVALID"


def test_filters_are_those_of_the_rest_list(people: Callable[..., Person], books: Any) -> None:
    admin, shelf = people("Admin"), new_id().int >> 70
    for values in ({"state": "used", "copies": 3}, {"state": "lost", "lent": True}, {"state": "new", "weight": "1.5"}):
        books(admin, shelf=shelf, **values)
    for chosen, states in {
        '{state: ["used", "lost"]}': {"used", "lost"},
        "{copiesFrom: 2}": {"used"},
        "{lent: true, copiesTo: 1}": {"lost"},
        '{weight: "1.5"}': {"new"},
        '{q: "B0", lent: null}': {"used", "lost", "new"},
    }.items():
        chosen = chosen.replace("{", f"{{shelf: {shelf}, ", 1)
        found = ask(admin, f"{{ libraryBooks(filter: {chosen}) {{ edges {{ node {{ state }} }} }} }}")
        assert {edge["node"]["state"] for edge in found["data"]["libraryBooks"]["edges"]} == states
    wrong = ask(admin, '{ libraryBooks(first: 0, filter: {state: ["none"], weight: "x"}) { edges { cursor } } }')
    assert (code(wrong), set(wrong["errors"][0]["extensions"]["details"])) == ("INVALID", {"first", "state", "weight"})


def test_references_are_read_by_one_statement_a_level(
    site: Platform, people: Callable[..., Person], books: Any
) -> None:
    admin = people("Admin")
    query = """query($shelf: Long) { libraryBooks(filter: {shelf: $shelf}) { edges { node {
        title author { name } again: author { id } owner { displayName } } } } }"""
    counts = []
    for number in (2, 40):
        shelf = new_id().int >> 70
        books(admin, number, author=True, shelf=shelf)
        ask(admin, query, shelf=shelf)
        statements: list[str] = []
        with noted(site, statements):
            rows = ask(admin, query, shelf=shelf)["data"]["libraryBooks"]["edges"]
        assert len(rows) == number and all(row["node"]["author"]["name"] for row in rows)
        counts.append([one for one in statements if "library_" in one or "FROM core_member \n" in one])
    assert len(counts[0]) == len(counts[1]) == 3


def test_a_reference_shows_no_more_than_its_own_field(people: Callable[..., Person], books: Any) -> None:
    user = people("User")
    books(user, author=True)
    found = ask(user, "{ libraryBooks { edges { node { authorId author { name } } } } }")
    node = found["data"]["libraryBooks"]["edges"][0]["node"]
    assert node["authorId"] and node["author"] is None
    assert (code(found), found["errors"][0]["path"]) == (
        "PERMISSION_MISSING",
        ["libraryBooks", "edges", 0, "node", "author"],
    )
    refused = user.get(f"/api/v1/library/authors/{node['authorId']}")
    assert refused.json["error"]["code"] == "PERMISSION_MISSING"


def test_a_disabled_plugin_is_gone_from_the_schema(people: Callable[..., Person], switch: Any) -> None:
    admin = people("Admin")
    whole = admin.get(f"{URL}/schema").text
    assert "type LibraryNote " in whole and build_schema(whole)
    switch("library", False)
    assert "LibraryNote" not in admin.get(f"{URL}/schema").text
    assert code(ask(admin, "{ libraryNotes { edges { cursor } } }")) == "QUERY_INVALID"
    switch("library", True)
    assert "errors" not in ask(admin, "{ libraryNotes { edges { cursor } } }")


def test_it_is_described(people: Callable[..., Person]) -> None:
    document = people().get("/api/v1/openapi.json").json
    assert {"get", "post"} <= document["paths"][URL].keys() and f"{URL}/schema" in document["paths"]
    assert document["externalDocs"]["url"] == f"{URL}/schema"
