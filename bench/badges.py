"""Badges at size: recalculation of all from empty and with nothing new, a preview, and the evaluator alone.

By default 20,000 members and 200 badges, with a tenth of the full scale's time; ``SCALE=full`` takes 200,000 members.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.platform import Platform
from guildhall import Member
from plugins.badges import Award, queries, service
from plugins.badges.catalogue import current
from plugins.badges.plan import carry_out, plan
from plugins.badges.queries import facts_of

DISK = True
FULL = 200_000
MEMBERS = {"full": FULL}
BADGES = 200
RECALCULATED = 45.0  # seconds, of FULL members
PREVIEWED = 100.0  # ms, of FULL members
EVALUATED = 0.5  # ms
TYPES = (
    "git.commit", "git.merge", "git.release", "challenge.participation", "challenge.win", "challenge.finalist",
    "submission.approved", "learning.completed", "daily.login", "referral.success",
)  # fmt: skip
# As in a community: a few did most. Tables are filled in no order of members, as years of contributions leave them.
FILL = (
    "CREATE TABLE people AS SELECT n, uuidv7(interval '1 second' * (n - 400000)) AS id FROM generate_series(1, {n}) n",
    "INSERT INTO core_member (id, display_name, joined_at)"
    " SELECT id, 'Member ' || n, '2023-01-01'::timestamptz + n * interval '5 minutes' FROM people",
    "INSERT INTO contributions_type_progress (member_id, type, count, points)"
    " SELECT p.id, t.code, 1 + floor(25.0 * {n} / n ^ 1.1 * random()), 10 FROM people p"
    " CROSS JOIN (SELECT code FROM contributions_type WHERE code = ANY(:types)) t WHERE random() < 0.7"
    " ORDER BY random()",
    "INSERT INTO contributions_progress (member_id, points, count, streak_best)"
    " SELECT member_id, 12 * sum(count), sum(count), 1 + least(300, sum(count) / 20) FROM contributions_type_progress"
    " GROUP BY member_id ORDER BY random()",
    "DROP TABLE people",
)
COMPOSITE: dict[str, Any] = {
    "all": [
        {"type": "points.threshold", "value": 5000},
        {"any": [{"type": "event.count", "event": "git.commit", "count": 20}, {"type": "streak", "days": 7}]},
        {"not": {"type": "event.count", "event": "challenge.win", "count": 50}},
    ]
}


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    number = MEMBERS.get(os.environ.get("SCALE", ""), FULL // 10)
    part = number / FULL
    actor = Actor.system("bench")
    with cluster.platform(cluster.create("bench_badges")) as platform:
        with platform.unit_of_work(actor) as session:
            for statement in FILL:
                session.execute(
                    text(statement.format(n=number)), {"types": list(TYPES)} if ":types" in statement else {}
                )
            write(session, actor)
        with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        cluster.checkpoint()
        empty, awarded = recalculated(platform, actor)
        again, more = recalculated(platform, actor)
        if more or not awarded:
            raise RuntimeError(f"{awarded} awards, and {more} more the second time")
        with platform.unit_of_work(actor) as session:
            given = session.scalar(select(func.count()).select_from(Award))
            scan = _timed(lambda: session.execute(text("SELECT count(facts) FROM badges_award")))
            shown = statistics.median(_timed(lambda: queries.preview(session, COMPOSITE)) for _round in range(5))
            alone = _evaluated(session)
    if given != awarded:
        raise RuntimeError(f"{given} awards are there, {awarded} were made")
    notes.append(
        f"badges: {number:,} members, {BADGES} badges, {awarded:,} awards from empty;"
        f" a scan of the awards takes {scan * 1000:.0f} ms."
    )
    return [
        Figure(figure=name, value=value, unit=unit, limit=limit, target=1, at_most=True)
        for name, value, unit, limit in (
            ("all badges recalculated, from empty", empty, "s", RECALCULATED * part),
            ("all badges recalculated, nothing new", again, "s", RECALCULATED * part),
            ("preview of a composite", shown * 1000, "ms", max(20.0, PREVIEWED * part)),
            ("badge evaluator alone: p99", percentile(alone, 99), "ms", EVALUATED),
        )
    ]


def write(session: Session, actor: Actor, more: Sequence[dict[str, Any]] = ()) -> None:
    """Badges up to BADGES in all, of every common kind; first those that have the criteria ``more``."""
    for number, criteria in enumerate(more):
        service.create_badge(session, actor, {"slug": f"more-{number}", "name": f"More {number}", "criteria": criteria})
    present = len(current(session).badges)
    for number in range(BADGES - present):
        step, kind = divmod(number, 4)
        event = TYPES[number % len(TYPES)]
        simple: list[dict[str, Any]] = [
            {"type": "points.threshold", "value": int(2000 * 1.25**step)},
            {"type": "event.count", "event": event, "count": 20 + int(1.25**step)},
            {"type": "streak", "days": 8 + 2 * step},
        ]
        criteria = simple[kind] if kind < 3 else {"all": [simple[0], {"any": simple[1:]}]}
        if number % 16 == 15:
            criteria = {"all": [criteria, {"type": "badge.held", "badge": f"bench-{number - 15}"}]}
        values = {"slug": f"bench-{number}", "name": f"Bench {number}", "criteria": criteria}
        service.create_badge(session, actor, values)


def recalculated(platform: Platform, actor: Actor) -> tuple[float, int]:
    """Recalculate everything; returns the seconds and the number of new awards."""
    with platform.unit_of_work(actor) as session:
        made = plan(session)
    began = time.perf_counter()
    awarded = carry_out(made, actor, lambda: platform.unit_of_work(actor), lambda done, total: None)
    return time.perf_counter() - began, awarded


def _evaluated(session: Session) -> list[float]:
    """Milliseconds of testing every badge that a commit can bring, on facts that are there."""
    catalogue = current(session)
    due = [catalogue.badges[position] for position in sorted(catalogue.touched_by(["git.commit"]))]
    taken = []
    for member_id in session.scalars(select(Member.id).order_by(Member.id).limit(200)):
        facts = facts_of(session, [badge.node for badge in catalogue.badges], member_id)
        taken.append(1000 * _timed(lambda facts=facts: [badge.test(facts) for badge in due]))
    return taken


def _timed(act: Any) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
