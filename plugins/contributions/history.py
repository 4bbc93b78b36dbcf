"""Read a community's past: a CSV file or a git repository, line by line. A bad line costs only itself."""

from __future__ import annotations

import csv
import hashlib
import hmac
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from .errors import InvalidEvent, NotARepository
from .intake import KEY_LENGTH

COLUMNS = ("key", "member", "occurred_at", "type")
HEADER_LENGTH = 10_000  # characters
LINE_LENGTH = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that happened. ``subject`` names the member within its kind of identity; never an e-mail."""

    number: int
    key: str
    subject: str
    name: str
    occurred_at: datetime
    type: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """A line that cannot be read, and why."""

    number: int
    error: InvalidEvent


class Masked:
    """Turns people into subjects and names that do not give them away; the same person gives the same ones."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def subject(self, address: str) -> str:
        """A keyed hash of an address, whatever its case."""
        return hmac.new(self._secret, address.strip().lower().encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def name(full_name: str, subject: str) -> str:
        """``Ada Lovelace`` as ``Ada L.``; a handle, an address or nothing as ``contributor-1f3a``."""
        words = [word for word in full_name.split() if word[:1].isalpha() and word.isprintable()]
        if len(words) < 2 or "@" in full_name or len(words[0]) > 40:
            return f"contributor-{subject[:4]}"
        return f"{words[0]} {words[-1][0].upper()}."


def fixed_zone(at: datetime) -> str:
    """The zone of a time's own offset: ``Etc/GMT-2`` for +02:00 (POSIX signs), ``UTC`` unless in whole hours."""
    hours, rest = divmod(at.utcoffset() or timedelta(), timedelta(hours=1))
    if rest or not hours or not -12 <= hours <= 14:
        return "UTC"
    return f"Etc/GMT{-hours:+d}"


def csv_header(path: Path) -> list[str]:
    """The names of a CSV file's columns. Raises InvalidEvent for a first line that cannot be read."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        return _header(file)


def csv_lines(path: Path, masked: Masked, columns: Mapping[str, str] | None = None) -> Iterator[Line | BadLine]:
    """The contributions of a CSV file (UTF-8, header ``key,member,occurred_at,type``, times with an offset).

    ``columns`` says what these are called in the file, where they have other names. Each line is read on its own, so a
    stray quote cannot swallow the next ones. Raises InvalidEvent when the header lacks a column.
    """
    wanted = [(columns or {}).get(name, name) for name in COLUMNS]
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        header = _header(file)
        if missing := [name for name in wanted if name not in header]:
            raise InvalidEvent(problem=f"the header lacks {', '.join(missing)}")
        where = [header.index(name) for name in wanted]
        for number, text in enumerate(_bounded(file, LINE_LENGTH), start=2):
            if text is not None and not text.strip():
                continue
            try:
                if text is None:
                    raise ValueError(f"it is longer than {LINE_LENGTH:,} characters")
                cells = _cells(text)
                if len(cells) != len(header):
                    raise ValueError(f"{len(header)} columns are expected, not {len(cells)}")
                yield _csv_line(number, [cells[position].strip() for position in where], masked)
            except (ValueError, csv.Error) as problem:
                yield BadLine(number=number, error=InvalidEvent(problem=str(problem)))


def _bounded(file: TextIO, longest: int) -> Iterator[str | None]:
    """The lines of a file; None for one that is longer, of which no more than that is ever held in memory."""
    while text := file.readline(longest + 1):
        whole = len(text) <= longest or text.endswith("\n")
        while not text.endswith("\n") and (more := file.readline(longest)):
            whole, text = False, more
        yield text if whole else None


def _header(file: TextIO) -> list[str]:
    text = next(_bounded(file, HEADER_LENGTH), "")
    if text is None:
        raise InvalidEvent(problem=f"the header is longer than {HEADER_LENGTH:,} characters")
    if "\0" in text or "\ufffd" in text:
        raise InvalidEvent(problem="the file is not UTF-8")
    try:
        return _cells(text)
    except csv.Error as problem:
        raise InvalidEvent(problem=f"the header: {problem}") from None


def _cells(text: str) -> list[str]:
    return next(csv.reader([text.rstrip("\r\n")], strict=True), [])


def _csv_line(number: int, cells: list[str], masked: Masked) -> Line:
    key, member, occurred_at, code = cells
    if any(not cell.isprintable() or "\ufffd" in cell for cell in cells):
        raise ValueError("it holds characters that are no text")
    if not key or not member or not code:
        raise ValueError("key, member and type must be given")
    if len(member) > 120 or len(key) > KEY_LENGTH or len(code) > 80:
        raise ValueError("a value is too long")
    address = "@" in member
    subject = masked.subject(member) if address else member
    return Line(
        number=number,
        key=key,
        subject=subject,
        name=masked.name("", subject) if address else member,
        occurred_at=_time(occurred_at),
        type=code,
    )


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        aware = at.utcoffset() is not None
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time like 2024-05-01T09:30:00+02:00") from None
    if not aware:
        raise ValueError("the time has no offset from UTC")
    return at


LOG_FORMAT = "%H%x00%P%x00%aN%x00%aE%x00%aI"
TAG_FORMAT = "%00".join(
    f"%({name})"
    for name in (
        "refname:lstrip=2",
        "objectname",
        "*objectname",
        "objecttype",
        "*objecttype",
        "taggername",
        "taggeremail:trim",
        "taggerdate:iso-strict",
        "authorname",
        "authoremail:trim",
        "authordate:iso-strict",
        "*authorname",
        "*authoremail:trim",
        "*authordate:iso-strict",
    )
)


def git_lines(path: Path, repository: str, masked: Masked) -> Iterator[Line | BadLine]:
    """The history that leads to HEAD, oldest first: commits, merges, and tags as releases; ``.mailmap`` is honoured.

    Keys are commit hashes, so a clone or a fork brings nothing twice. Raises NotARepository.
    """
    number = 0
    details = {"repository": repository}
    fields: list[str] = []
    for value in _git(path, "log", "--reverse", "-z", f"--format={LOG_FORMAT}", "HEAD", "--"):
        fields.append(value)
        if len(fields) < 5:
            continue
        number += 1
        commit, parents, name, address, at = fields
        code = "git.merge" if " " in parents else "git.commit"
        yield _git_line(number, masked, commit, code, name, address, at, details)
        fields = []
    for record in _git(path, "for-each-ref", f"--format={TAG_FORMAT}%00%00", "refs/tags", end="\0\0\n"):
        number += 1
        values = record.split("\0")
        tag, own, target, kind, target_kind, *who = values
        commit = target if kind == "tag" else own
        if (target_kind if kind == "tag" else kind) != "commit":
            problem = f"the tag {tag!r} marks no commit"
            yield BadLine(number=number, error=InvalidEvent(problem=problem))
            continue
        dated = (who[start : start + 3] for start in (0, 3, 6) if who[start + 1] and who[start + 2])
        name, address, at = next(dated, ["", "", ""])
        key = f"{commit}:{tag}"
        if len(key) > KEY_LENGTH:
            key = f"{commit}:{hashlib.sha256(tag.encode()).hexdigest()}"
        yield _git_line(number, masked, key, "git.release", name, address, at, {**details, "tag": tag[:200]})


def _git_line(
    number: int, masked: Masked, key: str, code: str, name: str, address: str, at: str, details: Mapping[str, Any]
) -> Line | BadLine:
    try:
        occurred_at = _time(at)
        if not address and not name:
            raise ValueError("it has no author")
    except ValueError as problem:
        return BadLine(number=number, error=InvalidEvent(problem=f"{key[:12]}: {problem}"))
    subject = masked.subject(address or name)
    return Line(
        number=number,
        key=key,
        subject=subject,
        name=masked.name(name, subject),
        occurred_at=occurred_at,
        type=code,
        details=details,
    )


def require_repository(path: Path) -> None:
    """Raises NotARepository where git cannot read ``path``, or nothing was ever committed there."""
    for _line in _git(path, "rev-parse", "--verify", "HEAD", end="\n"):
        pass


def count_git(path: Path) -> int:
    """How many lines ``git_lines`` will have. Raises NotARepository."""
    commits = int(next(_git(path, "rev-list", "--count", "HEAD", "--", end="\n"), "0") or 0)
    return commits + sum(1 for _ in _git(path, "for-each-ref", "--format=%(objectname)", "refs/tags", end="\n"))


def _git(path: Path, *arguments: str, end: str = "\0") -> Iterator[str]:
    """What git prints, cut at ``end``. Nothing of the repository's configuration can start a program."""
    quiet = ["-c", "log.showSignature=false", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"]
    command = ["git", "--no-pager", *quiet, "-C", str(path), *arguments]
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, env=environment
            )
        except OSError as problem:
            raise NotARepository(path=path.name, problem=problem.strerror or "git cannot be started") from None
        with process:
            assert process.stdout is not None
            rest, cut = b"", end.encode()
            while part := process.stdout.read(1 << 16):
                *whole, rest = (rest + part).split(cut)
                yield from (one.decode("utf-8", "replace") for one in whole)
        if rest.strip():
            yield rest.decode("utf-8", "replace")
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace").strip().removeprefix("fatal: ")
            raise NotARepository(path=path.name, problem=said.split("\n")[0])
