"""Files over REST: sent as multipart, fetched by a signed link, always as an attachment."""

from __future__ import annotations

import io
from typing import Any

import pytest

from core.actor import Actor
from core.files.links import token
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from guildhall import new_id, now
from tests.core.files import samples

FILES = "/api/v1/core/files"


def send(client: Any, content: bytes = samples.TEXT, name: str = "proof.txt", **form: Any) -> Any:
    purpose = form.pop("purpose", "core.attachment")
    query = {} if purpose is None else {"purpose": purpose}
    parts = {"file": (io.BytesIO(content), name), **form}
    given = {key: value for key, value in parts.items() if value is not None}
    return client.http.post(
        FILES, query_string=query, data=given, headers=client.headers, content_type="multipart/form-data"
    )


@pytest.fixture
def ada(clients: Any) -> Any:
    return clients("User")


def test_a_file_is_sent_linked_fetched_and_taken_back(ada: Any, client: Any) -> None:
    answer = send(ada, name='../gr"üße.txt')
    assert answer.status_code == 201
    made = answer.json["data"]
    assert (made["media_type"], made["state"], made["size"]) == ("text/plain", "loose", len(samples.TEXT))
    url = ada.get(f"{FILES}/{made['id']}/url").json["data"]["url"]
    given = client.get(url)  # a link needs no sign-in
    assert (given.status_code, given.data) == (200, samples.TEXT)
    assert given.headers["Content-Disposition"].startswith("attachment; filename")
    assert given.headers["X-Content-Type-Options"] == "nosniff"
    assert given.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert given.headers["Cache-Control"].startswith("private, max-age=")
    assert given.headers["Content-Length"] == str(len(samples.TEXT))
    assert ada.delete(f"{FILES}/{made['id']}").status_code == 204
    assert client.get(url).status_code == 404
    assert ada.get(f"{FILES}/{made['id']}").status_code == 404


def test_a_range_is_given_alone_and_only_of_the_file_it_began_with(ada: Any, client: Any) -> None:
    made = send(ada, b"count\n789\n", "count.csv").json["data"]
    url = ada.get(f"{FILES}/{made['id']}/url").json["data"]["url"]
    whole = client.get(url)
    assert (whole.headers["Accept-Ranges"], whole.headers["ETag"]) == ("bytes", f'"{made["sha256"]}"')
    for asked, status, content, told in (
        ("bytes=2-4", 206, b"unt", "bytes 2-4/10"),
        ("bytes=7-", 206, b"89\n", "bytes 7-9/10"),
        ("bytes=-2", 206, b"9\n", "bytes 8-9/10"),
        ("bytes=5-500", 206, b"\n789\n", "bytes 5-9/10"),
        ("bytes=0-1,4-5", 200, b"count\n789\n", None),
        ("lines=1-2", 200, b"count\n789\n", None),
        ("bytes=x", 200, b"count\n789\n", None),
    ):
        part = client.get(url, headers={"Range": asked})
        assert (asked, part.status_code, part.data) == (asked, status, content)
        assert part.headers.get("Content-Range") == told
        assert part.headers["Content-Length"] == str(len(content))
    beyond = client.get(url, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")
    same = client.get(url, headers={"Range": "bytes=1-1", "If-Range": whole.headers["ETag"]})
    other = client.get(url, headers={"Range": "bytes=1-1", "If-Range": '"another"'})
    assert ((same.status_code, same.data), (other.status_code, len(other.data))) == ((206, b"o"), (200, 10))
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_nobody_learns_of_anothers_file(ada: Any, clients: Any, client: Any) -> None:
    key = send(ada).json["data"]["id"]
    other = clients("User")
    for path in (f"{FILES}/{key}", f"{FILES}/{key}/url"):
        theirs, nothing = other.get(path), other.get(path.replace(key, str(new_id())))
        assert theirs.status_code == nothing.status_code == 404
        assert theirs.json["error"] == nothing.json["error"]
        assert client.get(path).status_code == 401
        assert clients("Admin").get(path).status_code == 200
    assert other.delete(f"{FILES}/{key}").status_code == 404
    assert send(client).status_code == 401


@pytest.mark.parametrize(
    ("content", "name", "form", "status", "code"),
    [
        (samples.HTML, "x.txt", {}, 415, "FILE_TYPE_REFUSED"),
        (samples.SVG, "x.png", {}, 415, "SVG_REFUSED"),
        (samples.MP4, "x.mp4", {}, 415, "FILE_TYPE_REFUSED"),
        (samples.bomb(), "x.png", {}, 422, "IMAGE_TOO_LARGE"),
        (samples.image()[:40], "x.png", {}, 422, "IMAGE_BROKEN"),
        (b"", "x.txt", {}, 422, "FILE_EMPTY"),
        (b"a" * 8_000_001, "x.txt", {}, 413, "FILE_TOO_LARGE"),
        (b"a" * 11_000_000, "x.txt", {}, 413, "TOO_LARGE"),
        (b"a", "x.txt", {"purpose": "core.nothing"}, 422, "INVALID"),
        (b"a", "x.txt", {"purpose": None}, 422, "INVALID"),
        (b"a", "x.txt", {"purpose": "core.attachment\0"}, 422, "INVALID"),
        (b"a", "x.txt", {"file": None}, 422, "INVALID"),
        (b"a", "x.txt", {"file": "no file"}, 422, "INVALID"),
    ],
)  # fmt: skip
def test_each_bad_upload_is_a_clear_refusal(
    ada: Any, content: bytes, name: str, form: dict[str, Any], status: int, code: str
) -> None:
    answer = send(ada, content, name, **form)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nha"]
)
def test_half_a_body_is_a_refusal(ada: Any, body: bytes) -> None:
    answer = ada.http.post(
        f"{FILES}?purpose=core.attachment",
        data=body,
        headers=ada.headers,
        content_type="multipart/form-data; boundary=x",
    )
    assert 400 <= answer.status_code < 500


def test_a_made_up_and_an_expired_link_are_told_apart(platform: Platform, ada: Any, client: Any) -> None:
    key = send(ada).json["data"]["id"]
    old = token(platform.config.secret_key, new_id(), now())
    assert client.get(f"/files/{old}").status_code == 410
    for path in (f"/files/{key}", "/files/x", "/files/..%2f..%2fetc%2fpasswd"):
        assert client.get(path).status_code == 404


def test_the_description_tells_of_the_parts(client: Any) -> None:
    described = client.get("/api/v1/openapi.json").json["paths"][FILES]["post"]
    content = described["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    assert [one["name"] for one in described["parameters"]] == ["purpose"]


def test_a_kind_may_be_larger_than_ten_megabytes_where_the_settings_say_so(ada: Any, platform: Platform) -> None:
    film = b"RIFF" + (20_000_000).to_bytes(4, "little") + b"WAVEfmt " + bytes(20_000_000)
    system = Actor.system("test")
    refused = send(ada, film, "long.wav", purpose="core.attachment")
    assert (refused.status_code, refused.json["error"]["code"]) == (413, "TOO_LARGE")
    with platform.unit_of_work(system) as session:
        write(session, system, PlatformSettings, {"file_megabytes": 30, "media_megabytes": 30})
    platform.registry.cache.looked_at = float("-inf")
    for name, status, code in (("long.wav", 415, "FILE_TYPE_REFUSED"), ("long.txt", 413, "FILE_TOO_LARGE")):
        content = film if name.endswith("wav") else b"plain words " * 1_700_000
        answer = send(ada, content, name)
        assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
