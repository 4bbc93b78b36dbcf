"""However large a file is, taking it and giving it out holds but a piece of it at a time."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.actor import Actor
from core.admin.files import _chunks
from core.files import service
from core.files.upload import DOCUMENTS, MEDIA
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.doubles import stream

SYSTEM, MEGABYTE = Actor.system("test"), 1_000_000
SIZE, MOST = 64 * MEGABYTE, 6 * MEGABYTE


@contextmanager
def flat(most: int = MOST) -> Iterator[None]:
    """The block allocates no more than ``most`` bytes at once."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak / MEGABYTE:.1f} MB at once"


@pytest.fixture
def roomy(gallery: Platform) -> Platform:
    with gallery.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, PlatformSettings, {"file_megabytes": 300, "media_megabytes": 300, "text_megabytes": 300})
    gallery.registry.cache.looked_at = float("-inf")
    return gallery


@pytest.mark.parametrize(("head", "name"), [(stream.MP4, "film.mp4"), (b"name,points\n", "table.csv")])
def test_a_large_file_is_taken_and_given_out_piece_by_piece(
    roomy: Platform, someone: Callable[[], Actor], head: bytes, name: str
) -> None:
    actor = someone()
    with flat(), roomy.unit_of_work(actor) as session:
        sent: Any = stream.Endless(head, SIZE)
        row = service.store(session, actor, sent, name=name, purpose="gallery.piece", allowed=MEDIA | DOCUMENTS)
        assert row.size == SIZE
    with flat(), roomy.unit_of_work(actor) as session, service.open_file(session, row).content as content:
        assert sum(map(len, _chunks(content, row.size))) == SIZE


def test_what_is_too_large_is_refused_before_it_is_read_whole(roomy: Platform, someone: Callable[[], Actor]) -> None:
    actor = someone()
    sent: Any = stream.Endless(stream.MP4, 2**40)
    with flat(), roomy.unit_of_work(actor) as session:
        about = {"name": "film.mp4", "purpose": "gallery.piece", "allowed": MEDIA}
        with pytest.raises(service.FileTooLarge):
            service.store(session, actor, sent, **about, max_bytes=20 * MEGABYTE)
    assert sent.given < 21 * MEGABYTE


def test_the_measure_sees_what_is_read_whole() -> None:
    with pytest.raises(AssertionError, match="MB at once"), flat():
        io.BytesIO(stream.Endless(stream.MP4, 8 * MEGABYTE).read())
