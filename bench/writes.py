"""A write over HTTP with all it entails: Idempotency-Key, record, event, deliveries, audit, one commit."""

from __future__ import annotations

import json

from bench.cluster import Cluster
from bench.figures import Figure
from bench.serving import request, serving, warm
from bench.web import against_sql, site
from core.ids import new_id

DISK = True
WRITE = "/api/v1/suggestions/suggestions"


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    with site(cluster) as (platform, access):

        def post() -> bytes:
            body = json.dumps({"title": "Longer days", "body": "More light."}).encode()
            return request(WRITE, access, body, **{"Idempotency-Key": str(new_id())})

        with serving(cluster, platform, "guildhall") as ours:
            warm(ours, [post])
            cluster.checkpoint()
            figures = against_sql("a write with Idempotency-Key, event, audit", ours, post, platform, notes)
    notes.append("writes: as web; the limit inserts the same rows under new ids and commits as often.")
    return figures
