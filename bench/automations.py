"""Events judged by automations and carried out where they match, against deliveries to a handler that does nothing."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import text

from bench.cluster import Cluster
from bench.figures import Figure, pairs
from core.automations import service
from core.events.deliver import Deliverer
from core.platform import Platform
from core.plugin import Plugin
from guildhall import Actor, Event, StoredEvent, Subscriber, new_id, publish

DISK = True
EVENTS = 1000
MATCHING = 10  # one in so many
RULE = {
    "trigger": {"kind": "event", "event": "bench.amount.judged"},
    "condition": {"cel": f"event.amount % {MATCHING} == 0 && event.kind.startsWith('a')"},
    "actions": [{"action": "core.publish_event", "values": {"signal": "bench-matched"}}],
}


class Judged(Event):
    """Something an automation looks at."""

    event_name = "bench.amount.judged"
    amount: int
    kind: str = "apple"


class Ignored(Event):
    """Something whose handler does nothing."""

    event_name = "bench.amount.ignored"
    amount: int


def ignore(session: Any, actor: Actor, event: StoredEvent) -> None:
    """Do nothing, durably."""


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    actor = Actor.system("bench")
    ignoring = Subscriber(event=Ignored, handler=ignore)
    listener = Plugin("bench", version="1", label="Bench", events=[Judged, Ignored], subscribers=[ignoring])
    with cluster.platform(cluster.create("bench_automations"), [listener]) as platform:
        with platform.unit_of_work(actor) as session:
            made = service.create(session, actor, name=f"Bench {new_id()}", definition=RULE)
            service.turn_on(session, actor, made.id)
        judged = pairs(lambda: _drained(platform, Judged), lambda: _drained(platform, Ignored))
        with platform.unit_of_work() as session:
            runs = session.scalar(text("SELECT count(*) FROM core_automation_run WHERE state = 'done'"))
            events = session.scalar(text("SELECT count(*) FROM core_event WHERE name = 'bench.amount.judged'"))
        if not runs or runs * MATCHING != events:
            raise RuntimeError(f"{runs} runs for {events} events")
    notes.append(
        f"automations: one thread, {EVENTS:,} events a turn, each judged in CEL in a durable transaction of its own;"
        f" one in {MATCHING} matches, is logged as a run and publishes an event. The limit is a handler that does"
        " nothing."
    )
    name = "automation evaluations, against a handler that does nothing"
    return [Figure(figure=name, value=judged.value, unit="events/s", limit=judged.limit, paired=judged.ratio)]


def _drained(platform: Platform, kind: type[Any]) -> float:
    actor = Actor.system("bench")
    with platform.unit_of_work(actor) as session:
        publish(session, actor, *(kind(amount=number) for number in range(EVENTS)))
    began = time.perf_counter()
    done = Deliverer(platform.database).drain(seconds=120)
    seconds = time.perf_counter() - began
    if done < EVENTS:
        raise RuntimeError(f"{EVENTS - done} deliveries are left")
    return EVENTS / seconds
