"""One contribution as it happens, and the badge evaluation that follows it, on one connection."""

from __future__ import annotations

import time

from sqlalchemy import select

from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.events.deliver import Deliverer
from guildhall import Member
from plugins.contributions import service

DISK = True
LIMIT = 8.0  # ms
WARM, COUNT = 20, 400


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
    return figures
