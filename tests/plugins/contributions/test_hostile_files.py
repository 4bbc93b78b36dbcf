"""CSV files that were made to hurt: each bad line costs only itself, memory stays flat, and every refusal says why."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.contributions.errors import InvalidEvent
from plugins.contributions.history import LINE_LENGTH, BadLine, Line, Masked, csv_header, csv_lines

HEAD = b"key,member,occurred_at,type\n"
AT = b"2024-05-01T09:30:00+02:00"
GOOD = b"k%d,ada," + AT + b",git.commit\n"
MEGABYTE = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.csv"


def read(path: Path, content: bytes) -> list[Line | BadLine]:
    path.write_bytes(content)
    return list(csv_lines(path, Masked("secret")))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'k1,"ada,' + AT + b",git.commit", "unexpected end of data"),
        (b"k\x001,ada," + AT + b",git.commit", "characters that are no text"),
        (b"k1,Andr\xe9," + AT + b",git.commit", "characters that are no text"),
        (b"k1,ada\x1b[2J," + AT + b",git.commit", "characters that are no text"),
        (b"," * 10_000, "4 columns are expected, not 10001"),
        (b"k1,ada,=1+1,git.commit", "is not a time"),
        (b"k1,ada," + b"9" * 5000 + b",git.commit", "is not a time"),
        (b"k1,ada,2024-05-01T09:30:00,git.commit", "no offset"),
        (b"k1," + b"a" * 200 + b"," + AT + b",git.commit", "too long"),
        (b"x" * (LINE_LENGTH + 5), "longer than 100,000 characters"),
        (b"x" * (2 * LINE_LENGTH), "longer than 100,000 characters"),
    ],
)
def test_a_bad_line_costs_only_itself_and_says_why(path: Path, bad: bytes, why: str) -> None:
    first, broken, last = read(path, HEAD + GOOD % 0 + bad + b"\n" + GOOD % 2)
    assert isinstance(first, Line) and isinstance(last, Line)
    assert isinstance(broken, BadLine)
    assert (first.number, broken.number, last.number) == (2, 3, 4)
    assert why in str(broken.error.params["problem"])
    assert len(str(broken.error.params["problem"])) < 200  # it is kept and shown


def test_a_bad_line_at_the_end_is_not_lost(path: Path) -> None:
    *_good, broken = read(path, HEAD + GOOD % 0 + b"y" * (LINE_LENGTH + 1))
    assert isinstance(broken, BadLine)


def test_a_line_just_as_long_as_it_may_be_is_read(path: Path) -> None:
    line = b"k1,ada," + AT + b",git.commit"
    (found,) = read(path, HEAD + line + b" " * (LINE_LENGTH - len(line)) + b"\n")
    assert isinstance(found, Line)


@pytest.mark.parametrize("begin", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_marks_of_other_programs_do_no_harm(path: Path, begin: bytes, end: bytes) -> None:
    (found,) = read(path, begin + (HEAD + GOOD % 1).replace(b"\n", end))
    assert isinstance(found, Line)
    assert found.type == "git.commit"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ((HEAD + GOOD % 1).decode().encode("utf-16"), "not UTF-8"),
        (b"\0" * 50, "not UTF-8"),
        (b",".join(b"c%d" % n for n in range(10_000)), "header is longer"),
        (b"\0" * MEGABYTE, "header is longer"),
        (b'"key,member', "the header"),
        (b"", "the header lacks key, member, occurred_at, type"),
        (b"\n" * 100, "the header lacks"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_reason(path: Path, content: bytes, why: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(path, content)
    assert why in str(refused.value.params["problem"])


@pytest.mark.parametrize("filling", [b"\n", b"\0", b'"', b" ", b"a,"])
def test_a_huge_file_of_nothing_takes_no_memory(path: Path, filling: bytes) -> None:
    def chunks() -> Iterator[bytes]:
        yield HEAD + GOOD % 0
        for _ in range(4):
            yield filling * (MEGABYTE // len(filling) // (20 if filling == b"\n" else 1))
        yield b"\n" + GOOD % 1

    with path.open("wb") as file:
        file.writelines(chunks())
    tracemalloc.start()
    try:
        good = sum(isinstance(one, Line) for one in csv_lines(path, Masked("secret")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert good == 2
    assert peak < 1.5 * MEGABYTE


def test_the_header_alone_is_bounded_too(path: Path) -> None:
    path.write_bytes(b"x" * MEGABYTE)
    with pytest.raises(InvalidEvent):
        csv_header(path)
