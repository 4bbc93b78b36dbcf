"""A file comes in by a job: tried without effect, done once whatever happens, and undone exactly."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from core.clock import frozen, now
from core.files.models import StoredFile
from core.jobs.run import run_next
from core.platform import Platform
from guildhall import Actor
from plugins.contributions import importing, imports, service
from plugins.contributions.errors import ImportNotReady
from plugins.contributions.models import Contribution, Import, ImportProblem

from .conftest import findings, picture

HEADER = "key,member,occurred_at,type\n"
HOSTILE = [
    "a,ada,2024-05-01T09:00:00+02:00,git.commit",
    'b,"ada,2024-05-01T09:00:00+02:00,git.commit',
    "c,bob,2024-05-01T09:00:00,git.commit",
    "d,bob,ada@example.org,git.commit",
    "e,bob,2024-05-01T09:00:00+02:00,=HYPERLINK(1)",
    "a,ada,2024-05-01T09:00:00+02:00,git.commit",
    "",
    "f,ada@example.org,2024-05-02T09:00:00+02:00,git.merge",
]


def lines(count: int, start: int = 0) -> str:
    return HEADER + "".join(
        f"k{n},member {n % 7},2024-05-01T09:{n % 60:02}:00+02:00,git.commit\n" for n in range(start, start + count)
    )


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: Any) -> None:
    """Chunks of a hundred instead of a thousand lines, so that a small file has several."""
    monkeypatch.setattr(importing, "chunks", partial(importing.chunks, size=100))
    monkeypatch.setattr(imports, "PAGE", 50)


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


@pytest.fixture
def work(platform: Platform) -> Callable[..., None]:
    """Lets a worker run what waits, as if ``minutes`` had gone by."""

    def run(minutes: int = 0) -> None:
        with frozen(now() + timedelta(minutes=minutes)):
            while run_next(platform.database):
                pass

    return run


@pytest.fixture
def send(admin: Any) -> Callable[..., str]:
    """Send a file by the page; returns the import's id."""

    def upload(content: str, name: str = "history.csv") -> str:
        data = {"file": (io.BytesIO(content.encode()), name)}
        answer = admin.http.post("/admin/contributions/imports", data=data, headers=admin.headers)
        assert answer.status_code == 303 and len(answer.location) > 40, answer.text
        return str(answer.location.rsplit("/", 1)[1])

    return upload


@pytest.fixture
def press(admin: Any) -> Callable[..., Any]:
    """Press a button of an import's page; returns the page that follows."""

    def act(key: str, step: str, /, **values: str) -> Any:
        path = f"/admin/contributions/imports/{key}"
        assert admin.http.post(f"{path}/{step}", data=values, headers=admin.headers).status_code == 303
        return admin.get(path)

    return act


def one(platform: Platform, key: str) -> Import:
    with platform.unit_of_work() as session:
        return imports.find(session, UUID(key))


def drawn(platform: Platform) -> dict[str, list[str]]:
    with platform.unit_of_work() as session:
        return picture(session)


def test_a_file_is_tried_without_effect_then_imported_and_told(
    platform: Platform, admin: Any, work: Any, send: Any, press: Any
) -> None:
    key = send(HEADER + "\n".join(HOSTILE))
    before = drawn(platform)
    first = admin.get(f"/admin/contributions/imports/{key}").text
    assert "The first lines, as they are read" in first and "member 0" not in first
    assert "hx-get" in press(key, "check").text
    work()
    tried = one(platform, key)
    expected = {"lines": 7, "recorded": 2, "duplicate": 1, "rejected": 0, "invalid": 4}
    assert (tried.state, tried.figures["tried"]) == ("checked", expected)
    assert drawn(platform) == before
    page = admin.get(f"/admin/contributions/imports/{key}").text
    assert "Import 2 contributions" in page and "INVALID_CONTRIBUTION_TYPE" in page
    press(key, "start")
    work()
    done = one(platform, key)
    assert (done.state, done.figures["done"], done.file_id) == ("done", expected, None)
    with platform.unit_of_work() as session:
        assert findings(session) == []
        assert set(session.scalars(select(StoredFile.state))) == {"deleted"}
        kept = " ".join(session.scalars(select(ImportProblem.message)))
    assert "ada@example.org" not in kept
    sheet = admin.get(f"/admin/contributions/imports/{key}/problems.csv")
    rows = sheet.text.splitlines()
    assert rows[0] == "line,code,problem" and [row.split(",")[0] for row in rows[1:]] == ["3", "4", "5", "6"]
    assert "Undo this import" in admin.get(f"/admin/contributions/imports/{key}").text


def test_columns_may_have_any_names(platform: Platform, work: Any, send: Any, press: Any) -> None:
    key = send("when,who,what,id\n2024-05-01T09:00:00+02:00,ada,git.commit,k1\n")
    assert one(platform, key).columns == {}
    assert (
        "Name four different columns"
        in press(key, "check", key="id", member="who", occurred_at="when", type="who").text
    )
    press(key, "check", key="id", member="who", occurred_at="when", type="what")
    work()
    assert one(platform, key).figures["tried"]["recorded"] == 1


def test_by_rest_with_a_key_that_repeats_the_answer(platform: Platform, admin: Any, work: Any) -> None:
    data = {"file": (io.BytesIO(lines(3).encode()), "a.csv")}
    path = "/api/v1/core/files?purpose=contributions.import"
    sent = admin.http.post(path, data=data, headers=admin.headers).json["data"]["id"]
    base = "/api/v1/contributions/imports"
    key = {"Idempotency-Key": "begin-1"}
    begun = admin.post(base, {"file_id": sent}, headers=key)
    assert (begun.status_code, begun.json["data"]["state"], begun.json["data"]["lines"]) == (202, "checking", 3)
    assert admin.post(base, {"file_id": sent}, headers=key).json["data"] == begun.json["data"]
    mine = f"{base}/{begun.json['data']['id']}"
    early = admin.post(f"{mine}/start", headers={"Idempotency-Key": "start-0"})
    assert (early.status_code, early.json["error"]["code"]) == (409, "IMPORT_NOT_READY")
    work()
    assert admin.get(mine).json["data"]["figures"]["tried"]["recorded"] == 3
    admin.post(f"{mine}/start", headers={"Idempotency-Key": "start-1"})
    work()
    assert admin.get(base).json["data"][0]["state"] == "done"
    assert admin.get(f"{mine}/problems").json["data"] == []
    undone = admin.post(f"{mine}/undo", {"reason": "Wrong file"}, headers={"Idempotency-Key": "undo-1"})
    assert undone.json["data"]["state"] == "undoing"
    work()
    assert admin.get(mine).json["data"]["figures"]["undone"] == {"reversed": 3, "points": 15}


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"key,member\x00\n", "a.csv", "FILE_TYPE_REFUSED"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 40, "a.csv", "FILE_TYPE_REFUSED"),
        (b"", "a.csv", "FILE_EMPTY"),
        (b'"key,member\n', "a.csv", "INVALID_EVENT"),
    ],
)
def test_what_is_no_such_file_is_refused(admin: Any, platform: Platform, content: bytes, name: str, code: str) -> None:
    data = {"file": (io.BytesIO(content), name)}
    answer = admin.http.post("/admin/contributions/imports", data=data, headers=admin.headers)
    assert answer.location.endswith("/imports")
    with platform.unit_of_work() as session:
        assert session.scalars(select(Import.id)).all() == []


def test_a_worker_that_dies_between_and_within_chunks_doubles_nothing(
    platform: Platform, work: Any, send: Any, press: Any, monkeypatch: Any
) -> None:
    key = send(lines(250))
    press(key, "check")
    work()
    press(key, "start")
    real, calls = service.record_many, []

    def dying(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        outcomes = real(*arguments, **named)
        if len(calls) in (2, 4):  # its chunk is lost with it
            raise RuntimeError("killed")
        return outcomes

    monkeypatch.setattr(service, "record_many", dying)
    for minutes in (0, 5, 30):
        work(minutes)
    assert len(calls) == 5
    done = one(platform, key)
    assert (done.state, done.figures["done"]["recorded"], done.figures["done"]["lines"]) == ("done", 250, 250)
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM contributions_import_row")) == 250
        assert session.scalar(text("SELECT count(*) FROM contributions_contribution")) == 250
        assert findings(session) == []


KILLED = """
import os, signal, sys
from functools import partial
from core.jobs.run import run_next
from core.platform import Platform
from plugins.contributions import importing, service
from tests.conftest import test_config

importing.chunks = partial(importing.chunks, size=100)
real, calls = service.record_many, []

def dying(*arguments, **named):
    outcomes = real(*arguments, **named)
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcomes

service.record_many = dying
run_next(Platform(test_config(), sys.argv[1], None).database)
"""


def test_a_worker_that_is_killed_for_good_leaves_a_job_that_goes_on(
    platform: Platform, work: Any, send: Any, press: Any
) -> None:
    key = send(lines(250))
    press(key, "check")
    work()
    press(key, "start")
    dead = subprocess.run([sys.executable, "-c", KILLED, platform.database.url], capture_output=True, check=False)
    assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()[-2000:]
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM contributions_contribution")) == 100
    work(minutes=5)  # its lease is over
    done = one(platform, key)
    assert (done.state, done.figures["done"]["recorded"]) == ("done", 250)
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM contributions_import_row")) == 250
        assert findings(session) == []


def test_it_stops_when_asked_and_goes_on_or_is_undone(
    platform: Platform, admin: Any, work: Any, send: Any, press: Any, monkeypatch: Any
) -> None:
    key = send(lines(250))
    press(key, "check")
    work()
    press(key, "start")
    real = service.record_many

    def asked_to_stop(*arguments: Any, **named: Any) -> Any:
        press(key, "cancel")
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(service, "record_many", asked_to_stop)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    halted = admin.get(f"/admin/contributions/imports/{key}").text
    assert "It was stopped" in halted and "Go on" in halted
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM contributions_contribution")) == 100
    press(key, "go_on")
    work()
    assert one(platform, key).figures["done"]["recorded"] == 250


def test_undoing_leaves_the_sums_as_before_and_the_file_can_come_again(
    platform: Platform, work: Any, send: Any, press: Any, system: Actor, people: Any
) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        service.record(session, system, member_id=ada, type="git.commit", event_key="own")
    before = drawn(platform)
    for _again in range(2):
        key = send(lines(120))
        for step in ("check", "start"):
            press(key, step)
            work()
        assert one(platform, key).figures["done"]["recorded"] == 120
        press(key, "undo", reason="Wrong file")
        press(key, "undo", reason="Wrong file")
        work()
        undone = one(platform, key)
        assert (undone.state, undone.figures["undone"]) == ("undone", {"reversed": 120, "points": 600})
        with platform.unit_of_work(system) as session:
            assert findings(session) == []
            told = text(
                "SELECT count(*) FROM contributions_correction WHERE kind = 'reversal' AND reason = 'Wrong file'"
            )
            assert session.scalar(told) == 120 * (1 + _again)
            log = text("SELECT count(*) FROM core_audit WHERE action = 'contributions.import.undone'")
            assert session.scalar(log) == 1 + _again
            states = select(Contribution.state).where(Contribution.source == "import").distinct()
            assert session.scalars(states).all() == ["reversed"]
    after = drawn(platform)
    for table in ("contributions_progress", "contributions_day_progress", "contributions_type_progress"):
        assert after[table] == before[table]


def test_the_same_file_twice_at_once_counts_once(platform: Platform, work: Any, send: Any, press: Any) -> None:
    keys = [send(lines(300)) for _ in range(4)]
    for key in keys:
        press(key, "check")
    work()
    for key in keys:
        press(key, "start")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: run_next(platform.database), range(8)))
    work()
    figures = [one(platform, key).figures["done"] for key in keys]
    assert sum(found["recorded"] for found in figures) == 300
    assert all(found["recorded"] + found["duplicate"] == 300 for found in figures)
    with platform.unit_of_work() as session:
        assert findings(session) == []


def test_a_file_that_was_swept_away_is_asked_for_again(
    platform: Platform, admin: Any, work: Any, send: Any, press: Any
) -> None:
    key = send(lines(3))
    with platform.unit_of_work() as session:
        session.execute(text("UPDATE core_file SET state = 'deleted', deleted_at = now()"))
    assert "no longer kept" in press(key, "check").text
    assert one(platform, key).state == "uploaded"


def test_an_old_job_that_is_started_again_does_nothing(
    platform: Platform, work: Any, send: Any, press: Any, system: Actor
) -> None:
    key = send(lines(3))
    for step in ("check", "start"):
        press(key, step)
        work()
    with platform.unit_of_work(system) as session:
        session.execute(
            text("UPDATE core_job SET state = 'queued', due_at = now() WHERE kind = 'contributions.import_csv'")
        )
    work()
    assert one(platform, key).figures["done"]["recorded"] == 3
    with pytest.raises(ImportNotReady), platform.unit_of_work(system) as session:
        imports.start(session, system, UUID(key))


def test_others_see_no_imports_and_undoing_takes_the_right_to_correct(clients: Any, send: Any) -> None:
    key = send(lines(1))
    moderator = clients("Moderator")
    assert moderator.get("/api/v1/contributions/imports").status_code == 403
    assert moderator.get(f"/admin/contributions/imports/{key}").status_code == 403
    undo = moderator.post(
        f"/api/v1/contributions/imports/{key}/undo", {"reason": "x"}, headers={"Idempotency-Key": "u-1"}
    )
    assert undo.status_code == 403
