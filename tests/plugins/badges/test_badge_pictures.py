"""Pictures of badges: uploaded, squared, public under their digest, replaced and removed."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from core.files.models import StoredFile
from core.platform import Platform
from guildhall import Actor
from plugins.badges import Badge, pictures
from plugins.badges.models import Picture
from tests.core.files import samples

API = "/api/v1/badges/badges"
RED, BLUE = (200, 20, 20), (20, 20, 200)


def image(kind: str = "PNG", size: tuple[int, int] = (300, 100), colour: tuple[int, int, int] = RED) -> bytes:
    made = io.BytesIO()
    drawn = Image.new("RGB", size, colour)
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    drawn.save(made, kind, exif=exif)
    return made.getvalue()


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def send(admin: Any, content: bytes, name: str = "star.png") -> Any:
    data = {"file": (io.BytesIO(content), name)}
    return admin.http.post("/api/v1/core/files?purpose=badges.icon", data=data, headers=admin.headers)


def put(admin: Any, content: bytes, fit: str = "crop", slug: str = "winner") -> Any:
    file_id = send(admin, content).json["data"]["id"]
    body = {"file_id": file_id, "fit": fit}
    return admin.http.put(f"{API}/{slug}/picture", json=body, headers=admin.headers)


def opened(client: Any, url: str) -> Any:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return Image.open(io.BytesIO(answer.data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_square_in_three_sizes_and_tells_nothing_beside_its_pixels(
    admin: Any, client: Any, kind: str
) -> None:
    told = put(admin, image(kind)).json["data"]
    assert told["picture_url"] == told["pictures"]["large"]
    for size, side in (("small", 64), ("medium", 128), ("large", 512)):
        drawn = opened(client, told["pictures"][size])  # a stranger may: it is public
        assert (drawn.size, drawn.format) == ((side, side), "WEBP")
        assert b"secret place" not in client.get(told["pictures"][size]).data
    answer = client.get(told["pictures"]["small"])
    assert "immutable" in answer.headers["Cache-Control"]
    again = client.get(told["pictures"]["small"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data


def test_where_there_is_a_cdn_a_picture_is_addressed_there(
    admin: Any, client: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = platform.config.model_copy(update={"cdn_url": "https://cdn.example.org"})
    monkeypatch.setitem(platform.database.info, "config", there)
    told = put(admin, image()).json["data"]
    assert told["pictures"]["small"].startswith("https://cdn.example.org/badges/pictures/")
    assert opened(client, told["pictures"]["small"].removeprefix("https://cdn.example.org")).size == (64, 64)


def test_what_is_not_square_is_cut_or_stands_on_a_transparent_ground(admin: Any, client: Any) -> None:
    cut = opened(client, put(admin, image(), "crop").json["data"]["pictures"]["small"]).convert("RGBA")
    assert cut.getpixel((0, 0))[3] == 255
    whole = opened(client, put(admin, image(), "contain").json["data"]["pictures"]["small"]).convert("RGBA")
    assert whole.getpixel((0, 0))[3] == 0


def test_a_picture_is_shown_where_the_badge_is(admin: Any, client: Any, people: Any) -> None:
    [member] = people()
    before = client.get(f"{API}/winner").json["data"]
    assert (before["pictures"], before["picture_url"]) == (None, "/api/v1/badges/badges/winner/icon.svg")
    small = put(admin, image(), slug="pillar").json["data"]["pictures"]["small"]
    medium = small.replace("small", "medium")
    admin.post(f"{API}/pillar/awards", {"member_id": str(member), "reason": "for the test"})
    for page, address in (
        ("/admin/badges/gallery", small),
        ("/admin/badges/gallery/pillar", medium),
        ("/admin/badges/tree", small),
        (f"/admin/members/{member}/badges", medium),
    ):
        assert address in admin.get(page).text, page
    [held] = client.get(f"/api/v1/badges/members/{member}/badges", headers=admin.headers).json["data"]
    assert held["picture_url"].endswith("large.webp")


def test_a_replaced_picture_is_gone_and_one_that_two_badges_share_stays(
    admin: Any, client: Any, platform: Platform, system: Actor
) -> None:
    first = put(admin, image(colour=RED)).json["data"]["pictures"]["large"]
    put(admin, image(colour=RED), slug="finalist")
    put(admin, image(colour=BLUE))
    assert client.get(first).status_code == 200, "finalist still has it"
    admin.delete(f"{API}/finalist/picture")
    assert client.get(first).status_code == 404
    assert admin.delete(f"{API}/winner/picture").json["data"]["pictures"] is None
    with platform.unit_of_work(system) as session:
        left = select(StoredFile.id).where(StoredFile.plugin == "badges", StoredFile.state != "deleted")
        assert not session.scalars(left).all()
        assert not session.scalars(select(Picture.digest)).all()


def test_refusals_say_why(admin: Any, client: Any) -> None:
    svg = send(admin, samples.SVG, "star.svg")
    assert (svg.status_code, svg.json["error"]["code"]) == (415, "SVG_REFUSED")
    assert "programs" in svg.json["error"]["message"]
    assert send(admin, samples.CSV, "a.csv").json["error"]["code"] == "FILE_TYPE_REFUSED"
    client.sign_in("User")
    assert send(client, image()).status_code == 403
    other = admin.http.post(
        "/api/v1/core/files?purpose=core.avatar", data={"file": (io.BytesIO(image()), "a.png")}, headers=admin.headers
    ).json["data"]["id"]
    refused = admin.http.put(f"{API}/winner/picture", json={"file_id": other}, headers=admin.headers)
    assert refused.json["error"]["details"] == {"file_id": ["Send the picture first, as a file for badges.icon."]}
    for address in ("/badges/pictures/" + "0" * 64 + "/small.webp", "/badges/pictures/x/huge.webp"):
        assert client.get(address).status_code == 404


def test_the_page_takes_a_picture_and_says_what_is_wrong_with_another(admin: Any) -> None:
    def post(**form: Any) -> str:
        address = "/admin/badges/gallery/winner/picture"
        assert admin.http.post(address, data=form, headers=admin.headers).status_code == 303
        return str(admin.get("/admin/badges/gallery/winner").text)

    assert "Choose a picture first." in post()
    assert "Save the picture as PNG" in post(picture=(io.BytesIO(samples.SVG), "x.svg"))
    assert "cannot be read" in post(picture=(io.BytesIO(image()[:80]), "x.png"))
    page = post(picture=(io.BytesIO(image()), "x.png"), fit="contain")
    assert "The badge has its picture." in page
    assert "Remove the picture" in page
    assert "The picture has been removed." in post(remove="1")


def test_many_at_once_leave_one_picture_and_its_files(
    platform: Platform, system: Actor, people: Callable[..., Any]
) -> None:
    [member] = people()
    author = Actor(kind="member", name="m", member_id=member, permissions=frozenset({"badges:badge:update"}))

    def give(number: int) -> None:
        with platform.unit_of_work(author) as session:
            content = io.BytesIO(image(colour=RED if number % 2 else BLUE))
            pictures.send_picture(session, author, slug="winner", stream=content, name="x.png")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(give, range(8)))
    with platform.unit_of_work(system) as session:
        [digest] = session.scalars(select(Picture.digest)).all()
        assert session.scalar(select(Badge.picture).where(Badge.slug == "winner")) == digest
        kept = select(StoredFile.id).where(StoredFile.purpose == "badges.picture", StoredFile.state == "kept")
        assert len(session.scalars(kept).all()) == 3
