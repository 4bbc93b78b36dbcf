"""Events as a stream: who may watch, how many at once, and that nothing is lost or doubled, whatever ends."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from core import settings
from core.actor import Actor
from core.events.models import EventRow
from core.events.publish import publish
from core.graphql import sse, streams
from core.ids import new_id
from core.members.models import MemberSession
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.core.doors import Person

URL = "/api/v1/graphql"
SUBSCRIPTION = "subscription($names: [String!]) { events(names: $names) { id name occurredAt payload } }"
NAME = "library.letter.created"
PATIENCE = 60  # seconds on a loaded machine


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, site: Platform) -> Iterator[None]:
    monkeypatch.setattr(streams, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.1)
    yield
    with site.unit_of_work(Actor.system("test")) as session:
        settings.write(session, Actor.system("test"), PlatformSettings, {"streams": 4, "streams_each": 2})


@pytest.fixture
def say(site: Platform) -> Callable[..., str]:
    """Publishes an event; returns the id of what it is about. ``wait`` holds its transaction open."""

    def tell(name: str = NAME, wait: Callable[[], Any] | None = None) -> str:
        bound, _, verb = name.rpartition(".")
        kinds = {"created": "create", "deleted": "delete"}
        key = str(new_id())
        with site.unit_of_work(Actor.system("test")) as session:
            publish(session, Actor.system("test"), site.registry.resources[bound].events[kinds[verb]](id=key))
            if wait:
                wait()
        return key

    return tell


class Watcher:
    """A client that reads frames of a stream in a thread of its own, until it is told to hang up."""

    def __init__(self, person: Person, last: str = "", **variables: Any) -> None:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        body = {"query": SUBSCRIPTION, "variables": {"names": [NAME], **variables}}
        self.answer = person.post(URL, body, headers=headers, buffered=False)
        self.last = last
        self.told: list[dict[str, Any]] = []
        self.ended = False
        self.complete = False
        self.open = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        frames = iter(self.answer.response)
        for frame in frames:
            lines = dict(
                line.partition(":")[::2] for line in (frame if isinstance(frame, str) else frame.decode()).split("\n")
            )
            self.last = lines.get("id", self.last).strip()
            if lines.get("event", "").strip() == "next":
                self.told.append(json.loads(lines["data"]))
            self.complete |= lines.get("event", "").strip() == "complete"
            self.open.set()
            if self._stop.is_set():
                break
        self.answer.close()
        self.ended = True

    @property
    def keys(self) -> list[str]:
        return [one["data"]["events"]["payload"]["id"] for one in self.told]

    def until(self, wanted: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not wanted() and time.monotonic() < end:
            time.sleep(0.02)
        assert wanted()

    def hang_up(self) -> str:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert self.ended
        return self.last


@pytest.fixture
def watch() -> Iterator[Callable[..., Watcher]]:
    made: list[Watcher] = []

    def begin(*given: Any, **more: Any) -> Watcher:
        watcher = Watcher(*given, **more)
        made.append(watcher)
        watcher.until(watcher.open.is_set)
        return watcher

    yield begin
    for watcher in made:
        watcher.hang_up()


def test_an_event_reaches_who_asks_for_its_name(people: Any, watch: Any, say: Any, site: Platform) -> None:
    watcher = watch(people("Admin"))
    assert watcher.answer.mimetype == "text/event-stream"
    say("library.note.created"), (wanted := say())
    watcher.until(lambda: bool(watcher.told))
    told = watcher.told[0]["data"]["events"]
    with site.unit_of_work() as session:
        row = session.scalars(select(EventRow).where(EventRow.payload["id"].astext == wanted)).one()
    assert (told["id"], told["name"], told["payload"]["id"]) == (str(row.id), NAME, wanted)
    assert told["occurredAt"].endswith("Z") and len(watcher.told) == 1


def test_a_stream_holds_no_connection(people: Any, watch: Any, site: Platform) -> None:
    before = site.database.engine.pool.checkedout()
    watcher = watch(people("Admin"))
    watcher.until(lambda: site.database.engine.pool.checkedout() <= before)


def test_nothing_is_lost_or_doubled_when_streams_break_while_others_write(people: Any, watch: Any, say: Any) -> None:
    admin, said, lock = people("Admin"), [], threading.Lock()

    def write() -> None:
        for _turn in range(12):
            key = say(wait=lambda: time.sleep(random.random() / 5))  # so that none commits in the order of the ids
            with lock:
                said.append(key)

    watcher = watch(admin)
    steady = watch(admin)
    writers = [threading.Thread(target=write) for _number in range(6)]
    for writer in writers:
        writer.start()
    got: list[str] = []
    while any(writer.is_alive() for writer in writers):
        time.sleep(0.3)
        last = watcher.hang_up()
        got += watcher.keys
        watcher = watch(admin, last)
    watcher.until(lambda: set(got + watcher.keys) >= set(said))
    steady.until(lambda: set(steady.keys) >= set(said))
    watcher.hang_up()
    got += watcher.keys
    assert sorted(got) == sorted(said) == sorted(steady.keys)


def test_who_saw_no_event_yet_resumes_without_a_gap(people: Any, watch: Any, say: Any) -> None:
    admin = people("Admin")
    last = watch(admin).hang_up()
    missed = [say() for _number in range(3)]
    watcher = watch(admin, last)
    later = say()
    watcher.until(lambda: len(watcher.keys) >= 4)
    assert watcher.keys == [*missed, later]


def test_an_events_own_id_is_a_place_too(people: Any, watch: Any, say: Any) -> None:
    admin = people("Admin")
    watcher = watch(admin)
    first, second = say(), say()
    watcher.until(lambda: len(watcher.keys) == 2)
    again = watch(admin, watcher.told[0]["data"]["events"]["id"])
    again.until(lambda: bool(again.keys))
    assert (watcher.keys, again.keys) == ([first, second], [second])


def test_many_missed_events_come_in_chunks(people: Any, watch: Any, say: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(streams, "CHUNK", 3)
    monkeypatch.setattr(sse, "CHUNK", 3)
    admin = people("Admin")
    last = watch(admin).hang_up()
    missed = [say() for _number in range(8)]
    watcher = watch(admin, last)
    later = [say() for _number in range(4)]
    watcher.until(lambda: len(watcher.keys) >= 12)
    assert watcher.keys == [*missed, *later]


def test_who_is_too_slow_is_cut_off_and_resumes(people: Any, watch: Any, say: Any, monkeypatch: Any) -> None:
    stream = streams.Stream(streams.Place(1))
    monkeypatch.setattr(streams, "HELD", 2)
    event = streams.Told(new_id(), NAME, None, {}, streams.Place(2))  # type: ignore[arg-type]
    stream.put([event, event], streams.Place(3))
    assert not stream.lost
    stream.put([event], streams.Place(4))
    assert stream.lost and stream.take(0) == ([event, event], streams.Place(3))


@pytest.mark.parametrize(
    "last",
    [
        "x",
        "1.2.3",
        "9" * 30 + ".1.0",
        f"{2**62}.9999999999.{'0' * 32}",
        f"5.1.{'0' * 32}",
        "01990000-0000-7000-8000-000000000000",
        "٣.1.0",
    ],
)
def test_a_place_that_is_none_is_refused(people: Any, last: str) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last.encode().decode("latin-1")}
    answer = people("Admin").post(URL, {"query": "subscription { events { id } }"}, headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "POSITION_UNKNOWN")


@pytest.mark.parametrize(
    "query",
    [
        'subscription { events(names: ["library.nothing.happened"]) { id } }',
        "subscription { events(names: 5) { id } }",
        "subscription { events { nothing } }",
        "subscription { events { id } other: events { id } }",
        "subscription($names: [String!]!) { events(names: $names) { id } }",
        "{ __typename }",
        "subscription { events @skip(if: true) { id } }",
    ],
)
def test_what_cannot_be_followed_is_answered_and_completed(people: Any, query: str) -> None:
    answer = people("Admin").post(URL, {"query": query}, headers={"Accept": "text/event-stream"})
    first, second, _end = answer.text.split("\n\n")
    assert first.startswith("event: next\ndata: {") and second == "event: complete\ndata:"
    assert ("errors" in first) is ("typename" not in query)


def test_it_takes_the_permission_to_see_events(people: Any) -> None:
    for person, status in ((people("User"), 403), (people(""), 403), (people(), 401)):
        headers = {"Accept": "text/event-stream"} | ({} if person.member else {"X-CSRFToken": person.csrf})
        assert person.post(URL, {"query": "subscription { events { id } }"}, headers=headers).status_code == status


def test_so_many_streams_are_open_and_no_more(people: Any, watch: Any, site: Platform) -> None:
    admin, other = people("Admin"), people("Admin")
    watchers = [watch(admin), watch(admin)]
    asked = {"query": "subscription { events { id } }"}
    refused = admin.post(URL, asked, headers={"Accept": "text/event-stream"})
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "TOO_MANY_STREAMS")
    assert refused.headers["Retry-After"]
    watch(other)
    with site.unit_of_work(Actor.system("test")) as session:
        settings.write(session, Actor.system("test"), PlatformSettings, {"streams": 3, "streams_each": 64})
    assert other.post(URL, asked, headers={"Accept": "text/event-stream"}).status_code == 429
    watchers[0].hang_up()
    watch(other)


def test_a_stream_ends_for_its_client_to_resume(people: Any, watch: Any, say: Any, monkeypatch: Any) -> None:
    parts = sse.Follower.parts
    monkeypatch.setattr(sse.Follower, "parts", lambda self, opened, resume, _seconds: parts(self, opened, resume, 0.3))
    admin = people("Admin")
    watcher = watch(admin)
    watcher.until(lambda: watcher.ended)
    assert not watcher.complete and watcher.last
    missed = say()
    monkeypatch.setattr(sse.Follower, "parts", parts)
    again = watch(admin, watcher.last)
    again.until(lambda: again.keys == [missed])


def test_a_stream_is_complete_when_its_session_has_ended(people: Any, watch: Any, site: Platform) -> None:
    admin = people("Admin")
    watcher = watch(admin)
    with site.unit_of_work() as session:
        session.execute(delete(MemberSession).where(MemberSession.member_id == admin.id))
    watcher.until(lambda: watcher.ended)
    assert watcher.complete
