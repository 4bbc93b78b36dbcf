"""A file is what its content says, and nothing of it stays that its owner did not mean to show."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import select

from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import DomainError, NotFound
from core.files import content, service
from core.files.content import clean_name
from core.files.errors import (
    DocumentBroken,
    DocumentLocked,
    FileEmpty,
    FileInUse,
    FileTooLarge,
    FileTypeRefused,
    ImageBroken,
    ImageTooLarge,
    StorageSilent,
    TooManyFiles,
)
from core.files.models import StoredFile
from core.files.upload import DOCUMENTS, IMAGES, MEDIA, TYPES
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.core.files import samples

SYSTEM = Actor.system("test")


class Desk:
    """Sends files and looks at what lies in the folder."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder = platform, folder

    def send(self, given: bytes | Any, name: str = "it", actor: Actor = SYSTEM, **options: Any) -> StoredFile:
        stream = io.BytesIO(given) if isinstance(given, bytes) else given
        options = {"allowed": TYPES, "purpose": "gallery.proof", **options}
        with self.platform.unit_of_work(actor) as session:
            return service.store(session, actor, stream, name=name, **options)

    def content(self, row: StoredFile) -> bytes:
        with self.platform.unit_of_work() as session:
            opened = service.open_file(session, row)
            with opened.content:
                return opened.content.read()

    def lying(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def desk(gallery: Platform, tmp_path: Path) -> Desk:
    return Desk(gallery, tmp_path / "files")


KINDS = {
    "image/png": samples.image("PNG"), "image/jpeg": samples.image("JPEG"), "image/gif": samples.image("GIF"),
    "image/webp": samples.image("WEBP"), "application/pdf": samples.PDF, "text/plain": samples.TEXT,
    "video/mp4": samples.MP4, "video/webm": samples.WEBM, "audio/mpeg": samples.MP3, "audio/ogg": samples.OGG,
    "audio/wav": samples.WAV,
}  # fmt: skip


@pytest.mark.parametrize("media_type", KINDS)
def test_each_kind_is_told_by_its_content_whatever_it_is_called(desk: Desk, media_type: str) -> None:
    row = desk.send(KINDS[media_type], "holiday.exe")
    assert row.media_type == media_type
    assert row.name == "holiday.exe" + content.EXTENSIONS[media_type][0]
    assert (row.plugin, row.purpose, row.state) == ("gallery", "gallery.proof", "loose")
    kept = desk.content(row)
    assert len(kept) == row.size
    if media_type not in IMAGES:
        assert kept == KINDS[media_type]


def test_only_its_name_tells_csv_from_text(desk: Desk) -> None:
    assert desk.send(samples.CSV, "points.csv").media_type == "text/csv"
    assert desk.send(samples.CSV, "points.md").media_type == "text/plain"
    assert desk.send(samples.PDF, "points.csv").media_type == "application/pdf"


HOSTILE = {
    "html": samples.HTML, "svg": samples.SVG, "svg after space": b"\n\n   " + samples.SVG, "zip": samples.ZIP,
    "exe": samples.EXE, "elf": samples.ELF, "html in text": samples.TEXT + samples.HTML,
    "pdf further down": b"<html>" + samples.PDF, "xml": b"<?xml version='1.0'?><x/>", "nul in text": b"abc\0def",
    "latin-1": "Grüße".encode("latin-1") * 3, "utf-16": "hello".encode("utf-16"), "php": b"<?php echo 1;",
    "random": bytes(range(256)) * 3, "comment": b"<!-- --><b>x</b>", "pdf after junk": b"junk " + samples.PDF,
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_none_of_the_kinds_is_refused_and_leaves_nothing(desk: Desk, kind: str) -> None:
    with pytest.raises(FileTypeRefused):
        desk.send(HOSTILE[kind], "innocent.png")
    assert desk.lying() == []


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_judged_without_a_mistake(given: bytes) -> None:
    assert content.media_type(given, "x") in {None, *TYPES}


def test_what_a_purpose_does_not_allow_is_refused_with_what_it_does(desk: Desk) -> None:
    with pytest.raises(FileTypeRefused, match="Send one of: image/gif, image/jpeg, image/png, image/webp"):
        desk.send(samples.PDF, allowed=IMAGES)
    for allowed in (DOCUMENTS, MEDIA):
        with pytest.raises(FileTypeRefused):
            desk.send(samples.image(), allowed=allowed)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_image_keeps_its_pixels_and_tells_nothing_else(desk: Desk, format: str) -> None:
    given = samples.with_metadata(format)
    assert samples.SECRET in given
    kept = desk.content(desk.send(given))
    assert samples.SECRET not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert (image.format, image.size) == (format, (8, 6))
        assert not image.getexif()
        red, green, blue = image.convert("RGB").getpixel((3, 3))  # type: ignore[misc]
        assert abs(red - 200) < 12 and abs(green - 30) < 12 and abs(blue - 60) < 12


def test_a_turned_image_is_upright_without_saying_so(desk: Desk) -> None:
    with Image.open(io.BytesIO(desk.content(desk.send(samples.sideways())))) as image:
        assert image.size == (6, 8)


def test_a_moving_image_goes_on_moving(desk: Desk) -> None:
    with Image.open(io.BytesIO(desk.content(desk.send(samples.moving(3))))) as image:
        assert (image.n_frames, image.info["duration"]) == (3, 120)  # type: ignore[attr-defined]


def test_what_hides_behind_an_image_is_gone(desk: Desk) -> None:
    for hidden in (samples.HTML, samples.ZIP, samples.PDF):
        for format in ("PNG", "JPEG", "GIF"):
            assert hidden not in desk.content(desk.send(samples.image(format) + hidden))
    gifar = samples.image("GIF", comment=samples.HTML)
    assert samples.HTML not in desk.content(desk.send(gifar))


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(desk: Desk) -> None:
    given = samples.bomb()
    assert len(given) < 20_000
    with pytest.raises(ImageTooLarge, match="more than 40 million pixels"):
        desk.send(given)
    assert desk.lying() == []


def test_many_frames_count_together(desk: Desk) -> None:
    with pytest.raises(ImageTooLarge):
        desk.send(samples.moving(60, (1000, 1000)))


@pytest.mark.parametrize("cut", [8, 20, 60, -30])
def test_half_an_image_is_no_image(desk: Desk, cut: int) -> None:
    with pytest.raises((ImageBroken, FileTypeRefused)):
        desk.send(samples.image("PNG", (64, 64))[:cut])
    assert desk.lying() == []


def test_an_image_of_another_format_inside_is_broken(desk: Desk) -> None:
    with pytest.raises(ImageBroken):
        desk.send(b"\x89PNG\r\n\x1a\n" + samples.image("JPEG"))


class Endless(io.RawIOBase):
    """A stream that never ends; counts what was taken from it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b"a" * size


def test_an_endless_stream_is_cut_at_the_limit(desk: Desk) -> None:
    stream = Endless()
    with pytest.raises(FileTooLarge, match="larger than 8 MB"):
        desk.send(stream)
    assert stream.taken <= 8_000_000 + service.CHUNK
    with pytest.raises(FileTooLarge, match=r"larger than 0\.001 MB"):
        desk.send(b"a" * 1001, max_bytes=1000)
    assert desk.send(b"a" * 1000, max_bytes=1000).size == 1000
    assert len(desk.lying()) == 1


def test_an_empty_file_and_one_that_breaks_off_leave_nothing(desk: Desk) -> None:
    with pytest.raises(FileEmpty):
        desk.send(b"")

    class Lost(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        desk.send(Lost())
    assert desk.lying() == []


def test_content_lies_under_its_digest_readable_by_its_owner_alone(desk: Desk) -> None:
    row = desk.send(samples.TEXT, "../../../etc/passwd")
    assert row.name == "passwd.txt"
    assert desk.lying() == [f"{row.sha256[:2]}/{row.sha256}"]
    assert (desk.folder / row.storage_key).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "ab/../../x", "", "ab/" + "g" * 64, "ab/" + "a" * 64 + "\n"])
def test_a_storage_takes_no_path(desk: Desk, key: str) -> None:
    storage = desk.platform.database.info["files"]
    for ask in (storage.open, storage.delete, lambda given: storage.put(given, Path(__file__))):
        with pytest.raises(ValueError, match="no key of a file"):
            ask(key)


def test_the_same_content_at_once_is_kept_once_and_whole(desk: Desk) -> None:
    rows: list[StoredFile] = []
    senders = [threading.Thread(target=lambda: rows.append(desk.send(samples.PDF))) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len({row.id for row in rows}) == 6
    assert desk.lying() == [rows[0].storage_key]
    assert {desk.content(row) for row in rows} == {samples.PDF}


def test_a_folder_that_cannot_be_written_is_a_refusal(desk: Desk) -> None:
    desk.folder.write_text("a file where the folder should be")
    with pytest.raises(StorageSilent):
        desk.send(samples.TEXT)


def test_a_member_sends_so_many_a_day(desk: Desk, shop: Any, someone: Callable[[], Actor]) -> None:
    from core import settings
    from core.platform_settings import PlatformSettings

    with desk.platform.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, PlatformSettings, {"files_per_day": 2})
    member = someone()
    for _ in range(2):
        desk.send(samples.TEXT, actor=member)
    with pytest.raises(TooManyFiles, match="2 files within a day"):
        desk.send(samples.TEXT, actor=member)
    desk.send(samples.TEXT, actor=someone())


NAMES = {
    "a/b\\c.pdf": "c.pdf", "..": "file.pdf", "": "file.pdf", ".pdf": "file.pdf", "x.PDF": "x.pdf",
    "invoice\u202efdp.exe": "invoicefdp.exe.pdf", "a\0b\n.pdf": "ab.pdf", "con<|>.pdf": "con.pdf",
    " x . pdf ": "x . pdf.pdf", "\ud800.pdf": "file.pdf", "é" * 300 + ".pdf": "é" * 120 + ".pdf",
    "x.pdf.html": "x.pdf.html.pdf",
}  # fmt: skip


@pytest.mark.parametrize("given", NAMES, ids=ascii)
def test_a_name_is_made_harmless(given: str) -> None:
    assert clean_name(given, "application/pdf") == NAMES[given]


@given(st.text())
def test_any_name_becomes_one_that_can_be_kept(given: str) -> None:
    made = clean_name(given, "text/plain")
    assert 5 <= len(made) <= 130 and not set(made) & set('/\\<>:"|?*\0\n\r')


def test_a_file_is_its_owners_and_nobody_elses(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner, other = someone(), someone()
    row = desk.send(samples.TEXT, actor=owner)
    clerk = Actor(kind="member", name="C", member_id=other.member_id, permissions=frozenset({"core:file:show"}))
    nobody = Actor(kind="anonymous", name="anonymous")
    with desk.platform.unit_of_work() as session:
        for actor in (owner, clerk, SYSTEM):
            assert service.find(session, actor, row.id).id == row.id
        for actor in (other, nobody):
            with pytest.raises(NotFound):
                service.find(session, actor, row.id)
        for actor, purpose in ((other, "gallery.proof"), (clerk, "gallery.proof"), (owner, "gallery.other")):
            with pytest.raises(NotFound):
                service.keep(session, actor, row.id, purpose=purpose)
        assert service.keep(session, owner, row.id, purpose="gallery.proof").state == "kept"


def test_a_file_of_the_platform_is_nobodys(desk: Desk) -> None:
    row = desk.send(samples.TEXT)
    with desk.platform.unit_of_work() as session, pytest.raises(NotFound):
        service.find(session, Actor(kind="anonymous", name="anonymous"), row.id)


def test_a_deleted_file_is_gone_at_once_and_its_twin_stays(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner = someone()
    row, twin = desk.send(samples.TEXT, actor=owner), desk.send(samples.TEXT, actor=owner)
    with desk.platform.unit_of_work(owner) as session:
        service.delete(session, owner, row.id, reason="wrong one")
    with desk.platform.unit_of_work(owner) as session, pytest.raises(NotFound):
        service.find(session, owner, row.id)
    assert desk.content(twin) == samples.TEXT
    with desk.platform.unit_of_work() as session:
        told = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(row.id))).one()
    assert (told.action, told.reason) == ("core.file.deleted", "wrong one")


def test_only_a_loose_file_may_its_owner_take_back(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner = someone()
    row = desk.send(samples.TEXT, actor=owner)
    with desk.platform.unit_of_work(owner) as session:
        service.keep(session, owner, row.id, purpose="gallery.proof")
        with pytest.raises(FileInUse):
            service.delete_loose(session, owner, row.id)


def test_every_refusal_has_a_code_of_its_own() -> None:
    import core.files.errors as errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DomainError)]
    own = [kind.code for kind in kinds if kind.__module__ == errors.__name__]
    assert len(own) == len(set(own)) >= 9


def test_a_pdf_keeps_its_pages_and_loses_all_that_is_beside_them(desk: Any) -> None:
    row = desk.send(samples.pdf(told=True), "told.pdf", allowed=DOCUMENTS)
    kept = desk.content(row)
    assert samples.SECRET not in kept
    reader = PdfReader(io.BytesIO(kept))
    assert (len(reader.pages), reader.metadata, reader.xmp_metadata, dict(reader.attachments)) == (1, None, None, {})
    assert "/Names" not in reader.root_object or "/JavaScript" not in reader.root_object["/Names"]
    shown = b"".join(str(page.get_object()).encode() for page in reader.pages)
    assert b"/PieceInfo" not in shown
    assert "a remark" in str(reader.pages[0]["/Annots"][0].get_object()["/Contents"])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (samples.pdf(password="x"), DocumentLocked),
        (samples.PDF[:60], DocumentBroken),
        (b"%PDF-1.7\n" + b"[" * 50_000, DocumentBroken),
        (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n", DocumentBroken),
    ],
)
def test_a_pdf_that_cannot_be_cleaned_is_refused(desk: Any, content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        desk.send(content, "x.pdf", allowed=DOCUMENTS)


def test_each_kind_of_file_has_a_limit_of_its_own(desk: Any) -> None:
    limits = PlatformSettings(image_megabytes=2, document_megabytes=3, media_megabytes=4, text_megabytes=5)
    kinds = ("image/png", "video/mp4", "audio/ogg", "text/csv", "application/pdf")
    assert [limits.megabytes_of(kind) for kind in kinds] == [2, 4, 4, 5, 3]
