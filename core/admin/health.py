"""``/health`` (the process lives), ``/health/ready`` (it can serve), ``/metrics`` (Prometheus)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import lifecycle
from core.clock import now
from core.events.replay import lag
from core.gateway.request import actor, bare, platform
from core.plugin import HealthCheck

log = structlog.get_logger("request")
blueprint = Blueprint("health", "guildhall")
REQUESTS = Counter("guildhall_requests", "Requests answered.", ["route", "method", "status"])
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
LATENCY = Histogram("guildhall_request_seconds", "Time to answer a request.", ["route"])


@blueprint.get("/health")
@bare
def live() -> Response:
    return jsonify({"status": "ok"})


@blueprint.get("/health/ready")
@bare
def ready() -> tuple[Response, int]:
    checks: dict[str, str] = {}
    try:
        with platform().unit_of_work() as session:
            session.execute(text("SELECT 1"))
            checks["database"] = "ok"
            off = lifecycle.disabled(session)
            for plugin in platform().registry.plugins.values():
                for check in plugin.health_checks if plugin.name not in off else ():
                    checks[f"{plugin.name}.{check.name}"] = _checked(session, check)
    except Exception as problem:
        log.warning("not ready", error=repr(problem))
        checks["database"] = "unreachable"
    bell = platform().bell
    try:
        checks["redis"] = "ok" if bell and bell.client.ping() else "not configured"
    except Exception as problem:
        log.warning("not ready", error=repr(problem))
        checks["redis"] = "unreachable"
    # Redis is never the truth: without it deliveries wait for the poll, and Guildhall still serves.
    good = all(word == "ok" for name, word in checks.items() if name != "redis")
    return jsonify({"status": "ok" if good else "unavailable", "checks": checks}), 200 if good else 503


def _checked(session: Session, check: HealthCheck) -> str:
    """The word of one plugin's check; one that fails speaks for itself alone."""
    try:
        with session.begin_nested():
            return check.check(session) or "ok"
    except Exception as problem:
        log.warning("health check failed", check=check.name, error=repr(problem))
        return "failed"


@blueprint.get("/metrics")
def metrics() -> Response:
    if request.remote_addr not in ("127.0.0.1", "::1"):
        actor().require("core:metrics:show")
    collected = CollectorRegistry()
    if platform().config.multiprocess_metrics:
        multiprocess.MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
    _figures(collected)
    body = generate_latest(collected)
    if not platform().config.multiprocess_metrics:
        body += generate_latest()
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def _figures(collected: CollectorRegistry) -> None:
    """Figures read from the tables when asked."""
    deliveries = Gauge("guildhall_deliveries", "Deliveries by state.", ["subscriber", "state"], registry=collected)
    waiting = Gauge("guildhall_delivery_lag_seconds", "Age of the oldest due.", ["subscriber"], registry=collected)
    for row in lag(g.session):
        waiting.labels(row["subscriber"]).set(float(row["lag"]))
        for state in ("pending", "dead"):
            deliveries.labels(row["subscriber"], state).set(row[state])
    jobs = Gauge("guildhall_jobs", "Open jobs by state.", ["state"], registry=collected)
    query = "SELECT state, count(*) FROM core_job WHERE state IN ('queued', 'running') GROUP BY state"
    for state, count in g.session.execute(text(query)):
        jobs.labels(state).set(count)
    off = lifecycle.disabled(g.session)
    for plugin in platform().registry.plugins.values():
        for gauge in plugin.gauges if plugin.name not in off else ():
            try:
                with g.session.begin_nested():
                    value = gauge.read(g.session)
            except Exception:
                log.exception("gauge failed", plugin=plugin.name, gauge=gauge.name)
                continue
            made = Gauge(gauge.name, gauge.help, [gauge.label] if gauge.label else [], registry=collected)
            if isinstance(value, Mapping):
                for label, amount in value.items():
                    made.labels(label).set(amount)
            else:
                made.set(value)


def install(app: Flask) -> None:
    """Register the routes, and count and log every request."""
    app.register_blueprint(blueprint)

    @app.before_request
    def begin() -> None:
        g.began_at, g.began = now(), time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        if "began" not in g or request.path.startswith("/static/"):
            return response
        seconds = time.perf_counter() - g.began
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(route, method, response.status_code).inc()
        LATENCY.labels(route).observe(seconds)
        who: Any = g.get("actor")
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            request_id=g.get("request_id"),
            member=str(who.member_id) if who is not None and who.member_id else None,
        )
        return response
