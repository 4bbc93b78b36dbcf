"""What the bench makes of what it measures; how fast anything is, is no test."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from bench import __main__ as command
from bench import community, deliveries, ledger, serving, web
from bench.figures import SLOW_DISK, Figure, doubt, in_memory, pairs, percentile, probe, table, write
from core.ids import new_id
from plugins.contributions.history import Line, Masked, csv_lines

KEYS = {"figure", "value", "unit", "limit", "ratio", "target", "met"}


def figure(**values: Any) -> Figure:
    return Figure(**{"figure": "speed", "value": 6, "unit": "/s", **values})


@pytest.mark.parametrize(
    ("values", "ratio", "met"),
    [
        ({}, None, None),
        ({"limit": 4}, 1.5, None),
        ({"limit": 4, "target": 1.5}, 1.5, True),
        ({"limit": 4, "target": 1.6}, 1.5, False),
        ({"limit": 4, "target": 1, "at_most": True}, 1.5, False),
        ({"limit": 8, "target": 1, "at_most": True}, 0.75, True),
        ({"limit": 4, "target": 1, "paired": 0.9}, 0.9, False),
        ({"limit": 4, "target": 1, "measured": False}, 1.5, None),
    ],
)
def test_the_ratio_is_against_the_limit_and_the_target_bounds_it(
    values: dict[str, Any], ratio: float | None, met: bool | None
) -> None:
    assert (figure(**values).ratio, figure(**values).met) == (ratio, met)


def test_what_was_not_measured_is_never_a_pass() -> None:
    passed = figure(limit=4, target=1)
    assert passed.met is True
    assert passed.not_measured().as_json()["met"] is None
    assert "not measured" in _shown([passed.not_measured()])
    assert "not measured" not in _shown([passed])


def test_a_slow_or_changing_disk_is_doubted() -> None:
    good = SLOW_DISK * 3.0
    assert doubt(good, good * 1.9) is None
    assert doubt(good, good * 2.1) and doubt(good * 2.1, good)
    assert doubt(SLOW_DISK - 1, good) and doubt(good, SLOW_DISK - 1)


def test_the_probe_writes_to_the_disk_and_leaves_nothing(tmp_path: Path) -> None:
    assert probe(tmp_path, seconds=0.05) > 0
    assert not list(tmp_path.iterdir())


def test_memory_is_no_disk() -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    kinds = {mounted: kind for _device, mounted, kind, *_rest in mounts if Path(mounted).is_dir()}
    for mounted in {"/", "/dev/shm", "/proc"} & kinds.keys():
        assert in_memory(Path(mounted)) is (kinds[mounted] == "tmpfs")


def test_pairs_are_interleaved_and_their_ratios_are_medians() -> None:
    calls: list[str] = []
    ours, limits = iter([10.0, 90.0, 20.0]), iter([5.0, 9.0, 5.0])

    def measure(name: str, values: Any) -> float:
        calls.append(name)
        return float(next(values))

    found = pairs(lambda: measure("ours", ours), lambda: measure("limit", limits), rounds=3)
    assert calls == ["ours", "limit", "limit", "ours", "ours", "limit"]
    assert (found.value, found.limit, found.ratio) == (20, 5, 4)


def test_percentiles() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (51, 100, 7)


def test_the_file_is_a_list_of_figures(tmp_path: Path) -> None:
    path = tmp_path / "var" / "bench.json"
    write(path, [figure(limit=4, target=1, paired=1.23456), figure(limit=8, target=1, at_most=True), figure()])
    read = json.loads(path.read_text())
    assert all(set(one) == KEYS for one in read)
    first = {"figure": "speed", "value": 6, "unit": "/s", "limit": 4, "ratio": 1.235, "target": ">= 1", "met": True}
    assert read[0] == first
    assert [one["target"] for one in read] == [">= 1", "<= 1", None]


def test_every_subject_can_be_named_and_says_whether_it_commits(capsys: pytest.CaptureFixture[str]) -> None:
    import importlib

    for name in command.SUBJECTS:
        subject = importlib.import_module(f"bench.{name}")
        assert isinstance(subject.DISK, bool) and callable(subject.measure)
    with pytest.raises(SystemExit, match="no bench called nothing; choose from imports"):
        command.main(["nothing"])


def test_the_community_is_always_the_same_and_reads_without_a_fault(tmp_path: Path) -> None:
    one, two = community.write(tmp_path / "one.csv"), community.write(tmp_path / "two.csv")
    assert one.read_bytes() == two.read_bytes()
    lines = list(csv_lines(one, Masked("x")))
    assert len(lines) == community.EVENTS and all(isinstance(line, Line) for line in lines)
    assert len({line.subject for line in lines if isinstance(line, Line)}) == community.MEMBERS


def test_pgbench_is_given_the_statement_of_the_service() -> None:
    statement = ledger.statement()
    assert statement.startswith("SELECT * FROM wallet_post( uuidv7(), CAST('0000")
    # pgbench replaces every :name, in literals too.
    assert statement.count(":") == 3
    assert all(f":{name}" in statement for name in ("a", "b", "amount"))


def test_the_numbers_of_accounts_are_the_same_in_sql(session: Any) -> None:
    from sqlalchemy import text

    assert session.scalar(text(f"SELECT {ledger.ID.format(300)}")) == ledger.account(300)


def test_the_counter_tells_when_all_is_done() -> None:
    counter = deliveries.Counter()
    counter.expect(3)
    counter.add(2)
    assert not counter.done.is_set()
    counter.add()
    assert counter.done.is_set()


def test_a_replayed_request_has_ids_and_a_key_of_its_own() -> None:
    made, member, key = new_id(), UUID(int=new_id().int - (3_600_000 << 80)), f"{web.KEY}-1"
    given = {"id": made, "member": member, "scope": [made, f"POST {key}"], "count": 5}
    once, twice = (web._renewed(given, {}, made.int >> 80) for _ in range(2))
    assert once["id"] != made and once["id"] == once["scope"][0]
    assert once["id"] != twice["id"] and once["scope"][1] != twice["scope"][1]
    assert (once["member"], once["count"]) == (member, 5)


def test_the_client_reads_whole_answers_and_takes_no_refusal_for_one() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        serving._ask(ours, serving.request("/x", "token"))
        assert theirs.recv(1000).startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token")
        theirs.sendall(b"HTTP/1.1 429 TOO MANY\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(RuntimeError, match="429"):
            serving._ask(ours, serving.request("/x", body=b"{}"))


def _shown(figures: list[Figure]) -> str:
    console = Console(width=150)
    with console.capture() as capture:
        console.print(table(figures))
    return capture.get()
