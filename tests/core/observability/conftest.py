"""The beacon, its application, and what those who watch are shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from core.clock import frozen
from core.events.deliver import Deliverer
from core.jobs.run import run_next
from tests.core.observability import beacon
from tests.core.workshop import plain_logs, shop

__all__ = ["plain_logs", "shop"]


class Watch:
    """The beacon's application and its workers in one; ``read`` says by how much a figure has grown."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.http = create_app(platform).test_client()
        self.at = datetime.now(UTC)
        self._before: dict[Any, float] = {}
        self._before = self.figures()

    def light(self) -> Any:
        return self.http.post("/api/v1/beacon/fires")

    def work(self) -> None:
        """Deliver and run all that waits, tries in the future too."""
        for _round in range(3):
            self.at += timedelta(hours=2)
            with frozen(self.at):
                Deliverer(self.platform.database).drain()
                while run_next(self.platform.database):
                    pass

    def figures(self) -> dict[Any, float]:
        text = self.http.get("/metrics").text
        return {
            (one.name, *sorted(one.labels.values())): one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }

    def read(self, name: str, *labels: str) -> float:
        key = (name, *sorted(labels))
        return self.figures().get(key, 0) - self._before.get(key, 0)


@pytest.fixture(scope="module")
def beacon_platform(shop: Any) -> Any:
    return shop.open(beacon.BEACON)


@pytest.fixture
def watch(shop: Any, beacon_platform: Any) -> Iterator[Watch]:
    shop.clear(beacon_platform)
    beacon.troubles.clear()
    yield Watch(beacon_platform)
    beacon.troubles.clear()
