"""Every answer of the API is the one envelope, whatever was sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.doors import Person
from tests.core.library import SECRET

BOOKS = "/api/v1/library/books"
PRICES = "/api/v1/library/prices"


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def refused(answer: Any, status: int, code: str) -> Any:
    """Check the failure envelope; returns its details."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    body = answer.json
    assert set(body) == {"success", "error", "meta"} and body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["message"].endswith(".")
    assert body["meta"]["request_id"] == answer.headers["X-Request-ID"]
    return body["error"]["details"]


def test_a_success_carries_data_and_the_request_id(people: Callable[..., Person]) -> None:
    answer = people("User").get("/api/v1/core/me")
    assert set(answer.json) == {"success", "data", "meta"} and answer.json["success"] is True
    assert answer.json["meta"] == {"request_id": answer.headers["X-Request-ID"]}


def test_a_list_names_the_next_page(people: Callable[..., Person]) -> None:
    assert people("User").get(BOOKS).json["meta"]["page"] == {"next_cursor": None}


def test_an_unknown_path(people: Callable[..., Person]) -> None:
    refused(people().get("/api/v1/nowhere"), 404, "NOT_FOUND")


def test_an_unknown_path_of_another_api_prefix(people: Callable[..., Person]) -> None:
    refused(people().get("/v1/nowhere"), 404, "NOT_FOUND")


def test_a_method_that_is_not_taken_names_those_that_are(people: Callable[..., Person]) -> None:
    answer = people().delete(PRICES)
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer.headers["Allow"]
    assert answer.json["error"]["message"] == "This address does not take that method. It takes OPTIONS, POST."


def test_a_body_beyond_the_limit(people: Callable[..., Person]) -> None:
    answer = people().post(PRICES, data=b" " * (10 * 1024 * 1024 + 1), content_type="application/json")
    refused(answer, 413, "TOO_LARGE")
    assert "1048576 bytes" in answer.json["error"]["message"]


def test_a_file_that_is_missing_is_named_as_any_field_is(people: Callable[..., Person]) -> None:
    answer = people("User").post("/api/v1/core/files?purpose=core.avatar", {})
    assert list(refused(answer, 422, "INVALID")) == ["file"]


def test_a_cookie_without_its_token_says_what_to_send(people: Callable[..., Person]) -> None:
    answer = people("User", browser=True).open("PATCH", "/api/v1/core/me", json={"bio": "x"}, headers={})
    refused(answer, 400, "CSRF")
    assert "X-CSRFToken" in answer.json["error"]["message"]


def test_a_body_of_another_type(people: Callable[..., Person]) -> None:
    refused(people().post(PRICES, data='{"units": "5"}', content_type="text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "body",
    ['{"units": ', "[1, 2", b"\xff\xfe", '{"units": ' + "9" * 5000 + "}", "[" * 100_000, '{"a":' * 100_000],
    ids=["cut off", "open list", "not UTF-8", "endless number", "endless lists", "endless objects"],
)
def test_a_body_that_is_not_json(people: Callable[..., Person], body: Any) -> None:
    refused(people().post(PRICES, data=body, content_type="application/json"), 400, "BAD_REQUEST")


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null"])
def test_a_body_that_is_no_object(people: Callable[..., Person], body: str) -> None:
    refused(people().post(PRICES, data=body, content_type="application/json"), 422, "INVALID")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", 5),
        ("title", None),
        ("title", ""),
        ("title", "x" * 121),
        ("title", "a\x00b"),
        ("title", "a\ud800b"),
        ("about", "a\x00b"),
        ("shelf", "ten"),
        ("shelf", 1.5),
        ("shelf", 2**63),
        ("shelf", 10**400),
        ("copies", 2**31),
        ("price", 10),
        ("price", 1.5),
        ("price", "1.5"),
        ("price", "٣"),
        ("price", "9" * 39),
        ("price", "-" + "9" * 39),
        ("weight", "heavy"),
        ("weight", "NaN"),
        ("lent", "perhaps"),
        ("state", "burnt"),
        ("printed_on", "yesterday"),
        ("printed_on", "2024-02-30"),
        ("lent_at", "2024-01-01T00:00:00"),
        ("lent_at", "0001-01-01T00:00:00+14:00"),
        ("lent_at", "9999-12-31T23:59:59-14:00"),
        ("author_id", "me"),
        ("extras", {"deep": ["a\x00b"]}),
        ("extras", {"a\ud800": 1}),
        ("owner_id", "11111111-1111-1111-1111-111111111111"),
        ("unheard_of", 1),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field(people: Callable[..., Person], field: str, value: Any) -> None:
    details = refused(people("Admin").post(BOOKS, {"title": "A book", field: value}), 422, "INVALID")
    assert list(details) == [field]


@pytest.mark.parametrize("value", [{"deep": float("nan")}, {"deep": float("inf")}])
def test_a_number_that_json_has_not_is_refused(people: Callable[..., Person], value: Any) -> None:
    refused(people("Admin").post(BOOKS, {"title": "A book", "extras": value}), 400, "BAD_REQUEST")


@pytest.mark.parametrize("body", ['{"units": "1", "units": "2"}', '{"price": {"a": 1, "b": 2, "a": 1}}'])
def test_a_key_given_twice_is_refused_by_name(people: Callable[..., Person], body: str) -> None:
    refused(people().post(PRICES, data=body, content_type="application/json"), 400, "DUPLICATE_KEY")


def test_a_parameter_given_twice_is_refused(people: Callable[..., Person]) -> None:
    assert list(refused(people("User").get(f"{BOOKS}?limit=1&limit=2"), 422, "INVALID")) == ["limit"]


def test_another_character_set_is_refused(people: Callable[..., Person]) -> None:
    for charset, status in (("utf-16", 415), ("iso-8859-1", 415), ("UTF-8", 200)):
        answer = people().post(PRICES, data=b'{"units": "5"}', content_type=f"application/json; charset={charset}")
        assert answer.status_code == status


def test_nesting_that_could_not_be_read_back_is_refused(people: Callable[..., Person]) -> None:
    deep = json.loads("[" * 300 + "]" * 300)
    details = refused(people("Admin").post(BOOKS, {"title": "A book", "extras": {"deep": deep}}), 422, "INVALID")
    assert list(details) == ["extras"]


@pytest.mark.parametrize(
    "money",
    [
        10,
        "10",
        {"amount": 10, "asset": "USD"},
        {"amount": 1.5, "asset": "USD"},
        {"amount": "1.5", "asset": "USD"},
        {"amount": "1e3", "asset": "USD"},
        {"amount": "--1", "asset": "USD"},
        {"amount": "", "asset": "USD"},
        {"amount": "1" * 39, "asset": "USD"},
        {"amount": "1"},
        {"amount": "1", "asset": ""},
        {"amount": "1", "asset": "USD", "tip": "1"},
    ],
)
def test_money_is_a_whole_number_as_text(people: Callable[..., Person], money: Any) -> None:
    assert list(refused(people().post(PRICES, {"price": money}), 422, "INVALID")) == ["price"]


def test_money_comes_back_as_it_went_in(people: Callable[..., Person]) -> None:
    body = {"price": {"amount": "-" + "9" * 38, "asset": "USD"}, "units": "9" * 38}
    assert people().post(PRICES, body).json["data"] == body


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=0", "limit=201", "limit=ten", "limit=1e1", "limit=1.5", "limit=" + "9" * 5000]
)
def test_a_limit_out_of_bounds(people: Callable[..., Person], query: str) -> None:
    assert list(refused(people("User").get(f"{BOOKS}?{query}"), 422, "INVALID")) == ["limit"]


@pytest.mark.parametrize(
    "foreign",
    [
        "nonsense",
        "%00",
        "é",
        cursor(),
        cursor(1),
        cursor(None, None),
        cursor("x", "y"),
        cursor(1, 2),
        cursor(1, {}),
        cursor(1, None),
        cursor(float("inf"), "11111111-1111-1111-1111-111111111111"),
        cursor(10**30, "11111111-1111-1111-1111-111111111111"),
        cursor(1, "11111111-1111-1111-1111-111111111111", 3),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        base64.urlsafe_b64encode(b"9" * 5000).decode(),
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    ],
)
def test_a_cursor_from_elsewhere(people: Callable[..., Person], foreign: str) -> None:
    assert list(refused(people("User").get(f"{BOOKS}?cursor={foreign}"), 422, "INVALID")) == ["cursor"]


@pytest.mark.parametrize("text", ["\ud800", "\x00"])
def test_a_cursor_with_a_text_that_no_row_can_hold(people: Callable[..., Person], text: str) -> None:
    forged = cursor(text, "11111111-1111-1111-1111-111111111111")
    answer = people("Admin").get(f"/api/v1/contributions/types?cursor={forged}")
    assert list(refused(answer, 422, "INVALID")) == ["cursor"]


@pytest.mark.parametrize("query", ["sort=title", "order=-title", "titel=a", "owner_id=1"])
def test_a_parameter_that_nobody_knows(people: Callable[..., Person], query: str) -> None:
    assert list(refused(people("User").get(f"{BOOKS}?{query}"), 422, "INVALID")) == [query.split("=")[0]]


@pytest.mark.parametrize("query", ["q=a%00b", "state=burnt", "shelf=ten", "lent_at=yesterday", "author_id=me"])
def test_a_filter_that_cannot_be(people: Callable[..., Person], query: str) -> None:
    assert list(refused(people("User").get(f"{BOOKS}?{query}"), 422, "INVALID")) == [query.split("=")[0]]


def test_a_mistake_of_ours_says_nothing_of_itself(people: Callable[..., Person]) -> None:
    answer = people().get("/api/v1/library/broken")
    refused(answer, 500, "INTERNAL")
    assert SECRET not in answer.text and "RuntimeError" not in answer.text


def test_who_is_not_signed_in(people: Callable[..., Person]) -> None:
    refused(people().get("/api/v1/core/me"), 401, "UNAUTHENTICATED")


def test_who_may_not(people: Callable[..., Person]) -> None:
    answer = people("").post(BOOKS, {"title": "A book"})
    refused(answer, 403, "PERMISSION_MISSING")
    assert "library:book:create" in answer.json["error"]["message"]
