"""The alert rules and dashboards: promtool takes them, each alert fires, and every figure they name exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.core.doors import Person

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
RULES = DEPLOY / "alerts" / "guildhall.rules.yml"
BOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
MINUTES = 40
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is missing: Debian's package prometheus")

# For each alert: series that make it fire, and the same that are well. Steps are minutes.
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "GuildhallDown": (
        {'up{job="guildhall", instance="web"}': "0x40"},
        {'up{job="guildhall", instance="web"}': "1x40", 'up{job="other"}': "0x40"},
    ),
    "GuildhallDatabaseUnreachable": (
        {'guildhall_check{check="database"}': "0x40"},
        {'guildhall_check{check="database"}': "1x40"},
    ),
    "GuildhallNotReady": (
        {'guildhall_check{check="wallet.chain"}': "0x40"},
        {'guildhall_check{check="wallet.chain"}': "1x40", 'guildhall_check{check="redis"}': "0x40"},
    ),
    "GuildhallRedisUnreachable": (
        {'guildhall_check{check="redis"}': "0x40"},
        {'guildhall_check{check="redis"}': "1x40"},
    ),
    "GuildhallErrors": (
        {
            'guildhall_requests_total{route="/x", status="200"}': "0+90x40",
            'guildhall_requests_total{route="/x", status="503"}': "0+10x40",
        },
        {
            'guildhall_requests_total{route="/x", status="200"}': "0+99x40",
            'guildhall_requests_total{route="/x", status="500"}': "0+1x40",
        },
    ),
    "GuildhallSlow": (
        {
            'guildhall_request_seconds_bucket{route="/x", le="2.5"}': "0+90x40",
            'guildhall_request_seconds_bucket{route="/x", le="5.0"}': "0+100x40",
            'guildhall_request_seconds_bucket{route="/x", le="+Inf"}': "0+100x40",
        },
        {
            'guildhall_request_seconds_bucket{route="/x", le="0.1"}': "0+100x40",
            'guildhall_request_seconds_bucket{route="/x", le="+Inf"}': "0+100x40",
        },
    ),
    "GuildhallDeliveriesLate": (
        {'guildhall_delivery_lag_seconds{subscriber="a.b"}': "90x40"},
        {'guildhall_delivery_lag_seconds{subscriber="a.b"}': "30x40"},
    ),
    "GuildhallDeadLetters": (
        {'guildhall_deliveries{subscriber="a.b", state="dead"}': "1x40"},
        {
            'guildhall_deliveries{subscriber="a.b", state="dead"}': "0x40",
            'guildhall_deliveries{subscriber="a.b", state="pending"}': "9x40",
        },
    ),
    "GuildhallNoScheduler": ({"guildhall_scheduler_leaders": "0x40"}, {"guildhall_scheduler_leaders": "1x40"}),
    "GuildhallSchedulesLate": (
        {"guildhall_schedule_overdue_seconds": "400x40"},
        {"guildhall_schedule_overdue_seconds": "200x40"},
    ),
    "GuildhallAuditUnsealed": (
        {"guildhall_audit_unsealed_seconds": "61x40"},
        {"guildhall_audit_unsealed_seconds": "59x40"},
    ),
    "GuildhallJobsWait": (
        {'guildhall_job_age_seconds{state="queued"}': "1000x40"},
        {'guildhall_job_age_seconds{state="queued"}': "10x40", 'guildhall_job_age_seconds{state="running"}': "9000x40"},
    ),
    "GuildhallJobsFail": (
        {'guildhall_job_tries_total{kind="a.b", outcome="failed"}': "0+1x40"},
        {
            'guildhall_job_tries_total{kind="a.b", outcome="failed"}': "7x40",
            'guildhall_job_tries_total{kind="a.b", outcome="done"}': "0+1x40",
        },
    ),
    "GuildhallRewardFundShort": (
        {'guildhall_wallet_rewards_waiting{asset="POINTS", why="FUND_SHORT"}': "2x40"},
        {
            'guildhall_wallet_rewards_waiting{asset="POINTS", why="FUND_SHORT"}': "0x40",
            'guildhall_wallet_rewards_waiting{asset="POINTS", why="WALLET_CLOSED"}': "4x40",
        },
    ),
    "GuildhallDiskFull": (
        {'guildhall_disk_free_bytes{instance="web"}': "5x40", 'guildhall_disk_bytes{instance="web"}': "100x40"},
        {'guildhall_disk_free_bytes{instance="web"}': "50x40", 'guildhall_disk_bytes{instance="web"}': "100x40"},
    ),
}


def alerts() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    """(where, expression) of every alert and every panel."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{board.name}: {panel['title']}", target["expr"]


def run(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_test_and_says_what_to_do() -> None:
    assert [rule["alert"] for rule in alerts()] == list(FIRES)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".") and rule["annotations"]["description"].endswith(".")


@promtool
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    run("check", "rules", "--lint=all", "--lint-fatal", RULES)
    run("check", "config", DEPLOY / "prometheus.yml")


@promtool
def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    tests = []
    for name, cases in FIRES.items():
        for fires, series in zip((True, False), cases, strict=True):
            given = [{"series": key, "values": values} for key, values in series.items()]
            query = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
            wanted = [{"labels": "{}", "value": 1}] if fires else []
            check = {"expr": query, "eval_time": f"{MINUTES}m", "exp_samples": wanted}
            tests.append(
                {"name": f"{name} {fires}", "interval": "1m", "input_series": given, "promql_expr_test": [check]}
            )
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    run("test", "rules", file)


@promtool
def test_promtool_takes_every_query_of_the_dashboards(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, (_where, query) in enumerate(queries())
    ]
    file = tmp_path / "panels.rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run("check", "rules", file)


def test_every_figure_that_is_named_exists(people: Callable[..., Person]) -> None:
    families = text_string_to_metric_families(people().get("/metrics").text)
    known = {
        name
        for family in families
        for name in (family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count")))
    }
    named = {(where, figure) for where, query in queries() for figure in re.findall(r"\bguildhall_\w+", query)}
    assert {(where, figure) for where, figure in named if figure not in known} == set()


def test_the_dashboards_can_be_imported() -> None:
    boards = [json.loads(path.read_text()) for path in BOARDS]
    assert [board["uid"] for board in boards] == ["guildhall-economy", "guildhall-events", "guildhall-overview"]
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)) and {panel["datasource"]["uid"] for panel in board["panels"]} == {
            "${datasource}"
        }
        assert [one["name"] for one in board["templating"]["list"]] == ["datasource"]
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
