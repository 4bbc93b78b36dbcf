"""How large a request may be."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from core.gateway.bodies import FORM_FIELDS, LARGEST, MEGABYTE
from tests.core.doors import Person

PRICES = "/api/v1/library/prices"
JSON = {"Content-Type": "application/json"}


def too_large(answer: object) -> bool:
    return (answer.status_code, answer.json["error"]["code"]) == (413, "TOO_LARGE")  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [MEGABYTE + 1, LARGEST, LARGEST + 1])
def test_json_has_a_megabyte(people: Callable[..., Person], size: int) -> None:
    assert too_large(people().post(PRICES, data=b" " * size, headers=JSON))


def test_a_body_within_the_limit_is_read(people: Callable[..., Person]) -> None:
    body = b'{"units": "5"}'.ljust(MEGABYTE)
    assert people().post(PRICES, data=body, headers=JSON).status_code == 200


def test_a_body_that_does_not_say_its_size_is_cut_off(people: Callable[..., Person]) -> None:
    endless = io.BytesIO(b" " * (MEGABYTE + 1))
    terminated = {"wsgi.input_terminated": True}  # as the web server says of a chunked body
    assert too_large(people().post(PRICES, input_stream=endless, headers=JSON, environ_overrides=terminated))


@pytest.mark.parametrize("path", ["/api/v1/core/me", "/api/v1/nowhere"])
def test_a_large_body_is_refused_where_none_is_read(people: Callable[..., Person], path: str) -> None:
    answer = people("User").post(path, data=b" " * (MEGABYTE + 1), headers=JSON)
    assert answer.status_code in (404, 405, 413)


def test_a_route_may_take_more(people: Callable[..., Person]) -> None:
    lines = b"\n" * (2 * MEGABYTE)
    answer = people("Admin").post(
        "/api/v1/contributions/contributions/bulk", data=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code != 413


def test_a_form_of_a_thousand_fields_is_too_much(people: Callable[..., Person]) -> None:
    browser = people("Admin", browser=True)
    fields = {"csrf_token": browser.csrf, **{f"field{n}": "x" for n in range(FORM_FIELDS)}}
    answer = browser.post("/admin/library/book/add", data=fields)
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    files = browser.post("/admin/library/book/add", data={**fields, "file": (io.BytesIO(b"x"), "x.txt")})
    assert files.status_code == 413


def test_an_upload_may_be_larger_than_a_form(people: Callable[..., Person]) -> None:
    browser = people("Admin", browser=True)
    for size, status in ((2 * MEGABYTE, 200), (LARGEST + 1, 413)):
        upload = {"csrf_token": browser.csrf, "title": "", "file": (io.BytesIO(b"x" * size), "x.bin")}
        assert browser.post("/admin/library/book/add", data=upload).status_code == status
    form = browser.post("/admin/library/book/add", data={"csrf_token": browser.csrf, "title": "x" * (MEGABYTE + 1)})
    assert form.status_code == 413
