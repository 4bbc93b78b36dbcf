"""One contribution and the badge evaluation that follows it, bulk intake beside COPY, and boards of 200,000."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, text

from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.events.deliver import Deliverer
from guildhall import Member, new_id, now
from plugins.contributions import boards, ranks, service

DISK = True
LIMIT = 8.0  # ms
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
    path = community.write(cluster.home / "community.csv")
    actor = Actor.system("bench")
    recorded, evaluated = [], []
    with cluster.platform(cluster.create("bench_contribution")) as platform:
        community.load(platform, path)
        deliverer = Deliverer(platform.database)
        deliverer.drain(seconds=60)
        with platform.unit_of_work() as session:
            members = session.scalars(select(Member.id).order_by(Member.id)).all()
        cluster.checkpoint()
        for number in range(WARM + COUNT):
            began = time.perf_counter()
            with platform.unit_of_work(actor) as session:
                service.record(session, actor, member_id=members[number % len(members)], type="git.commit")
            after = time.perf_counter()
            found, _done = deliverer.step()  # the oldest due delivery is the evaluation
            end = time.perf_counter()
            if not found:
                raise RuntimeError("nobody evaluates a recorded contribution")
            if number >= WARM:
                recorded.append((after - began) * 1000)
                evaluated.append((end - after) * 1000)
            deliverer.drain()
    notes.append(
        f"contributions: {COUNT} in a community of {community.EVENTS:,} events; the transaction includes the commit"
        " and the doorbell, the evaluation its claim and acknowledgement."
    )
    figures = []
    for name, values in (("one contribution", recorded), ("its badge evaluation", evaluated)):
        figures.append(Figure(figure=f"{name}: p50", value=percentile(values, 50), unit="ms"))
        p99 = percentile(values, 99)
        figures.append(Figure(figure=f"{name}: p99", value=p99, unit="ms", limit=LIMIT, target=1, at_most=True))
    return [*figures, *bulk(cluster, notes), *boards_at_size(cluster, notes)]


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
