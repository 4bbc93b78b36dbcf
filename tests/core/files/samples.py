"""Files of every kind, honest and hostile."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pypdf import PdfWriter
from pypdf.annotations import Text
from pypdf.generic import DictionaryObject, NameObject, StreamObject, TextStringObject

from core.files.documents import rewrite

MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40)
WEBM = b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm" + bytes(40)
MP3 = b"ID3\x03\0\0\0\0\0\x0aTIT2" + bytes(60)
OGG = b"OggS\0\x02" + bytes(60)
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)
TEXT = "Dear all,\n\nhere is my proof. Grüße 💥\n".encode()
CSV = b"name,points\nAda,3\n"
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
ZIP = b"PK\x03\x04" + bytes(60)
EXE = b"MZ\x90\0" + bytes(200)
ELF = b"\x7fELF\x02\x01\x01" + bytes(60)
SECRET = b"SECRET-PLACE-51.5N"


def pdf(*, told: bool = False, password: str = "") -> bytes:
    """A PDF of one page; ``told`` has the secret in all places beside the page."""
    writer = PdfWriter()
    page = writer.add_blank_page(100, 100)
    writer.metadata = None
    if told:
        words = SECRET.decode()
        writer.add_metadata({"/Author": words, "/Title": words})
        writer.add_attachment("secret.txt", SECRET)
        script = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject(words)}
        writer._root_object[NameObject("/OpenAction")] = DictionaryObject(script)
        xmp = StreamObject()
        xmp.set_data(b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>")
        writer._root_object[NameObject("/Metadata")] = writer._add_object(xmp)
        page[NameObject("/PieceInfo")] = DictionaryObject({NameObject("/Who"): TextStringObject(words)})
        note = Text(rect=(1, 1, 9, 9), text="a remark")
        note[NameObject("/T")] = TextStringObject(words)
        writer.add_annotation(0, note)
    if password:
        writer.encrypt(password)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def cleaned(document: bytes) -> bytes:
    """The document as it is once it was taken."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(document)
        rewrite(source, target)
        return target.read_bytes()


def image(format: str = "PNG", size: tuple[int, int] = (8, 6), **options: Any) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(made, format, **options)
    return made.getvalue()


def with_metadata(format: str) -> bytes:
    """An image that tells where it was taken, three ways."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    if format == "PNG":
        notes = PngInfo()
        notes.add_text("Comment", SECRET.decode())
        notes.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        return image("PNG", pnginfo=notes, exif=exif)
    if format == "GIF":
        return image("GIF", comment=SECRET)
    if format == "JPEG":
        return image("JPEG", exif=exif, comment=SECRET, xmp=SECRET)
    return image("WEBP", exif=exif, xmp=SECRET)


def sideways() -> bytes:
    """A JPEG of 8 × 6 that says it is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return image("JPEG", exif=exif)


def moving(frames: int = 3, size: tuple[int, int] = (8, 6)) -> bytes:
    pictures = [Image.new("RGB", size, (number * 40 % 255, 10, 10)) for number in range(frames)]
    made = io.BytesIO()
    pictures[0].save(made, "GIF", save_all=True, append_images=pictures[1:], duration=120, loop=0)
    return made.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small PNG that unpacks to gigabytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PDF = cleaned(pdf())
