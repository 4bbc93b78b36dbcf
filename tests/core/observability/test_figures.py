"""What /metrics says of requests, events, deliveries, jobs, the scheduler, the trail, the disk and the wallet."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app import create_app
from config import Config, ConfigError
from core.actor import Actor
from core.audit.seal import seal
from core.audit.trail import record
from core.observability import metrics
from core.platform import Platform
from core.plugin import Gauge, Plugin
from tests.conftest import test_config
from tests.core.doors import Person
from tests.core.observability.beacon import troubles

SYSTEM = Actor.system("test")


def test_a_request_is_counted_and_timed_by_its_route(watch: Any) -> None:
    watch.light()
    assert watch.read("guildhall_requests_total", "/api/v1/beacon/fires", "POST", "204") == 1
    assert watch.read("guildhall_request_seconds_count", "/api/v1/beacon/fires") == 1


def test_a_failure_is_counted_by_its_code_and_what_it_undid_is_not(watch: Any) -> None:
    troubles.add("light")
    assert watch.light().status_code == 409
    assert watch.read("guildhall_errors_total", "BEACON_WET") == 1
    assert watch.read("guildhall_events_total", "beacon.fire.lit") == 0


def test_events_deliveries_and_jobs_are_counted(watch: Any) -> None:
    watch.light()
    assert watch.read("guildhall_events_total", "beacon.fire.lit") == 1
    assert watch.read("guildhall_deliveries", "beacon.look", "pending") == 1
    watch.work()
    assert watch.read("guildhall_events_total", "beacon.fire.seen") == 1
    for subscriber in ("beacon.look", "beacon.call"):
        assert watch.read("guildhall_delivery_tries_total", subscriber, "done") == 1
        assert watch.read("guildhall_delivery_seconds_count", subscriber) == 1
        assert watch.read("guildhall_deliveries", subscriber, "pending") == 0
    assert watch.read("guildhall_job_tries_total", "beacon.report", "done") == 1
    assert watch.read("guildhall_job_seconds_count", "beacon.report") == 1


def test_what_fails_is_counted_as_failed_and_then_as_dead(watch: Any) -> None:
    troubles.add("look")
    watch.light()
    watch.work()
    assert watch.read("guildhall_delivery_tries_total", "beacon.look", "failed") == 1
    assert watch.read("guildhall_delivery_tries_total", "beacon.look", "dead") == 1
    assert watch.read("guildhall_deliveries", "beacon.look", "dead") == 1
    assert watch.read("guildhall_events_total", "beacon.fire.seen") == 0


def test_a_call_outside_and_a_job_that_fail_are_counted(watch: Any) -> None:
    troubles.update({"call", "report"})
    watch.light()
    watch.work()
    assert watch.read("guildhall_delivery_tries_total", "beacon.call", "dead") == 1
    assert watch.read("guildhall_job_tries_total", "beacon.report", "failed") == 1


def test_an_undone_savepoint_is_not_counted(watch: Any) -> None:
    from core.events.publish import publish
    from core.ids import new_id
    from tests.core.observability.beacon import Seen

    with watch.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Seen(fire_id=new_id()))
        savepoint = session.begin_nested()
        publish(session, SYSTEM, Seen(fire_id=new_id()))
        savepoint.rollback()
        with session.begin_nested():
            publish(session, SYSTEM, Seen(fire_id=new_id()))
    assert watch.read("guildhall_events_total", "beacon.fire.seen") == 2


def test_a_scheduler_that_leads_is_seen(watch: Any) -> None:
    assert watch.figures()[("guildhall_scheduler_leaders",)] == 0
    with watch.platform.database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('core.scheduler', 0))"))
        assert watch.figures()[("guildhall_scheduler_leaders",)] == 1


def test_a_late_schedule_and_an_unsealed_row_are_seen(watch: Any) -> None:
    with watch.platform.unit_of_work(SYSTEM) as session:
        while seal(session):
            pass
    assert watch.figures()[("guildhall_audit_unsealed",)] == 0
    with watch.platform.unit_of_work(SYSTEM) as session:
        record(session, SYSTEM, "core.test.acted", subject_type="test", subject_id="1")
        session.execute(text("INSERT INTO core_schedule (name, next_run_at) VALUES ('a.b', now() - interval '1 hour')"))
    seen = watch.figures()
    assert seen[("guildhall_audit_unsealed",)] == 1
    assert 3600 <= seen[("guildhall_schedule_overdue_seconds",)] < 7200


def test_the_disk_and_the_database_have_a_size(watch: Any) -> None:
    seen = watch.figures()
    assert 0 < seen[("guildhall_disk_free_bytes",)] <= seen[("guildhall_disk_bytes",)]
    assert seen[("guildhall_database_bytes",)] > 1_000_000


def test_without_a_database_it_says_so(cluster: Any) -> None:
    platform = Platform(test_config(), "postgresql+psycopg://nobody@127.0.0.1:1/nowhere", cluster.redis_url)
    answer = create_app(platform).test_client().get("/metrics")
    assert answer.status_code == 200
    assert 'guildhall_check{check="database"} 0.0' in answer.text
    assert 'guildhall_check{check="redis"} 1.0' in answer.text
    assert "guildhall_requests_total" in answer.text


def broken(session: Any) -> float:
    raise RuntimeError("no luck")


def test_a_plugins_gauges_have_their_labels_and_a_broken_one_costs_itself_alone(shop: Any) -> None:
    gauges = [
        Gauge(name="oven_heat", help="Heat.", read=lambda session: 21.5),
        Gauge(name="oven_broken", help="Broken.", read=broken),
        Gauge(name="oven_wrong", help="Labels that do not fit.", read=lambda session: {("a", "b"): 1.0}, labels=("x",)),
        Gauge(name="oven_cakes", help="Cakes.", read=lambda session: {("nut", "hot"): 3}, labels=("kind", "state")),
    ]
    platform = shop.open(Plugin("oven", version="1", label="Oven", gauges=gauges))
    shown = create_app(platform).test_client().get("/metrics").text
    assert "oven_heat 21.5" in shown
    assert 'oven_cakes{kind="nut",state="hot"} 3.0' in shown


def test_networks_that_need_no_sign_in_are_a_setting(site: Platform, people: Callable[..., Person], web: Flask) -> None:
    config = site.config.model_copy(update={"metrics_from": "203.0.113.0/24"})
    platform = Platform(config, site.database.url, None)
    client = create_app(platform).test_client()
    try:
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.7"}).status_code == 200
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code != 200
    finally:
        platform.database.dispose()


def test_a_network_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give networks, like"):
        Config.load({"GUILDHALL_METRICS_FROM": "everywhere", "GUILDHALL_HOME": str(tmp_path)}, tmp_path)


def test_processes_that_share_a_folder_are_summed(tmp_path: Path) -> None:
    count = (
        "from core.observability import metrics as m; m.PUBLISHED.labels('a.b.c').inc(); print(m.counted().decode())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", count],
            env={metrics.SHARED: str(tmp_path), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _process in range(2)
    ]
    assert 'guildhall_events_total{name="a.b.c"} 2.0' in outputs[1]


def test_a_worker_shows_its_own_figures_on_a_port(tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    metrics.serve(port, "127.0.0.1")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        names = {family.name for family in text_string_to_metric_families(answer.read().decode())}
    assert {"guildhall_delivery_tries", "guildhall_job_tries"} <= names
