"""One contribution and the badge evaluation that follows it, bulk intake beside COPY, and boards of 200,000."""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text

from bench import badges, community
from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Member, new_id, now
from plugins.badges.catalogue import current
from plugins.badges.queries import facts_of
from plugins.contributions import boards, ranks, service

DISK = True
LIMIT = 8.0  # ms, of a contribution and its badges together
DEEP_LIMIT = 5.0  # ms
DEEP: list[dict[str, Any]] = [
    *(
        {"type": "event.count", "event": event, "count": count, "days": days}
        for event, days in (("git.commit", 7), ("git.commit", 30), ("daily.login", 30), ("*", 7))
        for count in (30, 60, 120)
    ),
    {"type": "event.count", "event": "git.merge", "count": 25, "where": "details.lines > 500"},
    {"type": "event.count", "event": "git.merge", "count": 50, "where": "details.lines > 900"},
]
EVALUATED = """
    SELECT d.state = 'done' FROM core_delivery d JOIN core_event e ON e.id = d.event_id
    WHERE d.subscriber = 'badges.evaluate' AND e.name = 'contributions.contribution.recorded'
    AND e.payload ->> 'contribution_id' = :id ORDER BY d.id DESC LIMIT 1
"""
ACTIVE = """
    SELECT member_id FROM (
        SELECT member_id FROM contributions_contribution TABLESAMPLE BERNOULLI (
            (SELECT least(100, 200.0 * :number / count(*)) FROM contributions_contribution)
        ) REPEATABLE (815)
    ) acts ORDER BY random() LIMIT :number
"""
# Two transactions with as many statements that do nothing: what the machine itself takes, and how often it stalls.
NOTHING, WORD = text("SELECT CAST(:id AS text)"), text("SELECT pg_logical_emit_message(true, 'bench', :id)")
STATEMENTS = (4, 7)  # of the record and of the evaluation
WARM, COUNT = 20, 400
BULK, TURNS = 10_000, 3
RANKED = 200_000
PEOPLE = """
    INSERT INTO core_member (id, display_name, status, tier, locale, time_zone, source, joined_at)
    SELECT uuidv7(), 'Bench', 'active', 'free', '', 'UTC', 'import', now() FROM generate_series(1, :members)
"""
POINTS = """
    INSERT INTO contributions_progress (member_id, count, points)
    SELECT id, 1, floor(power(random(), 3) * 11000) + 1 FROM core_member
"""


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    with cluster.platform(cluster.create("bench_contribution")) as platform:
        if os.environ.get("SCALE") == "full":
            scale = _full(platform, notes)
            figures = [_windowed(platform)]
        else:
            scale = f"{community.EVENTS:,} events"
            community.load(platform, community.write(cluster.home / "community.csv"))
            figures = []
        Deliverer(platform.database).drain(seconds=60)
        cluster.checkpoint()
        figures += _one(platform, scale, notes)
    return [*figures, *bulk(cluster, notes), *boards_at_size(cluster, notes)]


def _full(platform: Platform, notes: list[str]) -> str:
    """Five million events with their aggregates, 200 badges, and what they have brought; returns what to call it."""
    began = time.perf_counter()
    community.fill(platform)
    actor = Actor.system("bench")
    with platform.unit_of_work(actor) as session:
        badges.write(session, actor, DEEP)
    written = time.perf_counter() - began
    seconds, awards = badges.recalculated(platform, actor)
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    notes.append(
        f"contributions: {community.FULL_EVENTS:,} events of {community.FULL_MEMBERS:,} members and {badges.BADGES}"
        f" badges, {len(DEEP)} of them with windows or conditions, were there after"
        f" {time.perf_counter() - began:.0f} s: written in {written:.0f} s, {awards:,} awards in {seconds:.0f} s."
    )
    return f"{community.FULL_EVENTS:,} events"


def _one(platform: Platform, scale: str, notes: list[str]) -> list[Figure]:
    """One contribution after the other, each followed by its evaluation, on one connection."""
    actor, deliverer = Actor.system("bench"), Deliverer(platform.database)
    recorded, evaluated, both, before, idle = [], [], [], [], []
    members = _active(platform, WARM + COUNT)
    for number, member_id in enumerate(members):
        began = time.perf_counter()
        with platform.unit_of_work(actor) as session:
            made = service.record(session, actor, member_id=member_id, type="git.commit").id
        after = time.perf_counter()
        waited = 0.0
        while True:  # a milestone's reward, and the word of it, may come first
            start = time.perf_counter()
            found, _done = deliverer.step()
            spent = time.perf_counter() - start
            if not found:
                raise RuntimeError("nobody evaluates a recorded contribution")
            with platform.unit_of_work() as session:
                if session.scalar(text(EVALUATED), {"id": str(made)}):
                    break
            waited += spent
        start = time.perf_counter()
        for many in STATEMENTS:
            with platform.unit_of_work(actor) as session:
                for statement in (NOTHING,) * (many - 1) + (WORD,):
                    session.execute(statement, {"id": str(made)}).all()
        if number >= WARM:
            idle.append((time.perf_counter() - start) * 1000)
            recorded.append((after - began) * 1000)
            evaluated.append(spent * 1000)
            both.append((after - began + spent) * 1000)
            if waited:
                before.append(waited * 1000)
        deliverer.drain()
    notes.append(
        f"contributions: {COUNT} one by one among {scale}, by members as often as they do it; with commit and doorbell,"
        f" the evaluation with its claim and acknowledgement. Other deliveries (rewards of milestones, notices) came"
        f" before {len(before)} of the evaluations and took {max(before, default=0):.1f} ms at most; they are not in."
        f" In between, two transactions with as many statements that do nothing but commit: p50"
        f" {percentile(idle, 50):.1f} ms, p99 {percentile(idle, 99):.1f} ms."
    )
    figures = [
        Figure(figure=f"{name} among {scale}: {point}", value=percentile(values, int(point[1:])), unit="ms")
        for name, values in (("one contribution", recorded), ("its badge evaluation", evaluated), ("both", both))
        for point in ("p50", "p99")
    ]
    return [*figures[:-1], replace(figures[-1], limit=LIMIT, target=1, at_most=True)]


def _windowed(platform: Platform) -> Figure:
    """Everything that the badges ask of one member, read and tested, windows and conditions among it."""
    taken = []
    members = _active(platform, COUNT)
    with platform.unit_of_work() as session:
        found = current(session).badges
        for member_id in members:
            began = time.perf_counter()
            facts = facts_of(session, [badge.node for badge in found], member_id)
            for badge in found:
                badge.test(facts)
            taken.append((time.perf_counter() - began) * 1000)
    return Figure(
        figure="all badges of a member, read and tested, with windows: p99", value=percentile(taken, 99), unit="ms",
        limit=DEEP_LIMIT, target=1, at_most=True,
    )  # fmt: skip


def _active(platform: Platform, number: int) -> list[UUID]:
    """Members as often as they contribute; always as many."""
    with platform.unit_of_work() as session:
        return list(session.scalars(text(ACTIVE), {"number": number}))


def bulk(cluster: Cluster, notes: list[str]) -> list[Figure]:
    """Bulk intake with limits, aggregates, streaks and events, beside COPY of the same rows into the same table."""
    actor = Actor.system("bench")
    rates, copies = [], []
    with cluster.platform(cluster.create("bench_bulk")) as platform:
        with platform.unit_of_work(actor) as session:
            ids = [new_id() for _ in range(1000)]
            session.execute(insert(Member), [{"id": one, "display_name": "Bench"} for one in ids])
        for turn in range(TURNS):
            chance = random.Random(turn)
            rows = [
                service.NewContribution(
                    member_id=chance.choice(ids),
                    type="git.commit",
                    event_key=f"{turn}-{number}",
                    occurred_at=now() - timedelta(minutes=chance.randint(0, 40_000)),
                )
                for number in range(BULK)
            ]
            began = time.perf_counter()
            with platform.unit_of_work(actor) as session:
                service.record_many(session, actor, rows, source="system")
            rates.append(BULK / (time.perf_counter() - began))
            copies.append(BULK / _copied(platform, turn))
    notes.append(f"bulk intake: {TURNS} calls of {BULK:,} rows, the best of them; COPY of the same rows in between.")
    return [
        Figure(figure="bulk intake", value=max(rates), unit="rows/s", limit=8000, target=1),
        Figure(figure="COPY of the same rows", value=max(copies), unit="rows/s"),
    ]


def _copied(platform: Any, turn: int) -> float:
    """Seconds that COPY takes for the rows of a turn under new keys."""
    with closing(platform.database.engine.raw_connection()) as connection, connection.cursor() as cursor:
        rename = "UPDATE bench_rows SET id = uuidv7(), event_key = 'copy-' || event_key"
        cursor.execute(
            "CREATE TEMP TABLE bench_rows ON COMMIT DROP AS SELECT * FROM contributions_contribution"
            f" WHERE event_key LIKE '{turn}-%'"
        )
        cursor.execute(rename)
        with cursor.copy("COPY bench_rows TO STDOUT") as out:
            content = b"".join(bytes(part) for part in out)
        began = time.perf_counter()
        with cursor.copy("COPY contributions_contribution FROM STDIN") as into:
            into.write(content)
        connection.commit()
        return time.perf_counter() - began


def boards_at_size(cluster: Cluster, notes: list[str]) -> list[Figure]:
    """The first hundred, and one's own rank, among 200,000 members."""
    asked: dict[str, list[float]] = {"top 100": [], "my rank": []}
    with cluster.platform(cluster.create("bench_boards")) as platform:
        with platform.unit_of_work() as session:
            session.execute(text(PEOPLE), {"members": RANKED})
            session.execute(text(POINTS))
            ranks.rebuild(session)
        with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE contributions_progress, core_member, contributions_rank_bucket"))
        with platform.unit_of_work() as session:
            members = session.scalars(text("SELECT member_id FROM contributions_progress ORDER BY random() LIMIT 300"))
            board = boards.find(session)
            for member_id in members.all():
                for name, ask in (
                    ("my rank", lambda one=member_id: boards.rank_of(session, board, one)),
                    ("top 100", lambda: boards.leaderboard(session, top=100)),
                ):
                    began = time.perf_counter()
                    ask()
                    asked[name].append((time.perf_counter() - began) * 1000)
    notes.append(f"boards: {RANKED:,} members; points by a power law, so that most share theirs with many.")
    limits = {"top 100": 1.0, "my rank": 5.0}
    return [
        Figure(
            figure=f"{name}: p50", value=percentile(values, 50), unit="ms", limit=limits[name], target=1, at_most=True
        )
        for name, values in asked.items()
    ]
