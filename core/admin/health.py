"""``/health`` (the process lives), ``/health/ready`` (it can serve), ``/metrics`` (Prometheus)."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text

from core import lifecycle, logs
from core.admin import figures
from core.clock import now
from core.doctor import checked
from core.gateway.request import bare, identify, platform
from core.observability import metrics as counters
from core.observability import traces

log = structlog.get_logger("request")
blueprint = Blueprint("health", "guildhall")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@blueprint.get("/api/health")
@blueprint.get("/health")
@bare
def live() -> Response:
    return jsonify({"status": "ok"})


@blueprint.get("/health/ready")
@bare
def ready() -> tuple[Response, int]:
    checks = _checks()
    # Redis is never the truth: without it deliveries wait for the poll, and Guildhall still serves.
    good = all(word == "ok" for name, word in checks.items() if name != "redis")
    return jsonify({"status": "ok" if good else "unavailable", "checks": checks}), 200 if good else 503


def _checks() -> dict[str, str]:
    """The word of every check; ``ok`` when it is well."""
    checks: dict[str, str] = {}
    try:
        with platform().unit_of_work() as session:
            session.execute(text("SELECT 1"))
            checks["database"] = "ok"
            off = lifecycle.disabled(session)
            for plugin in platform().registry.plugins.values():
                for check in plugin.health_checks if plugin.name not in off else ():
                    checks[f"{plugin.name}.{check.name}"] = checked(session, check)
    except Exception as problem:
        log.warning("not ready", error=repr(problem))
        checks["database"] = "unreachable"
    bell = platform().bell
    try:
        checks["redis"] = "ok" if bell and bell.client.ping() else "not configured"
    except Exception as problem:
        log.warning("not ready", error=repr(problem))
        checks["redis"] = "unreachable"
    return checks


@blueprint.get("/metrics")
@bare
def metrics() -> Response:
    """What was counted, and what the tables tell; without the database, the first alone."""
    if not _known(request.remote_addr or ""):
        identify().require("core:metrics:show")
    here = CollectorRegistry()
    checks = Gauge("guildhall_check", "1 when this check of /health/ready is well.", ["check"], registry=here)
    for name, word in _checks().items():
        checks.labels(name).set(word == "ok")
    figures.disk(platform(), here)
    parts = [counters.counted(), generate_latest(here)]
    try:
        with platform().unit_of_work() as session:
            parts.append(generate_latest(figures.read(platform(), session)))
    except Exception as problem:
        log.warning("no figures", error=repr(problem))
    return Response(b"".join(parts), content_type=CONTENT_TYPE_LATEST)


def _known(address: str) -> bool:
    """Whether this address may read the figures without signing in."""
    networks = (ip_network(one.strip()) for one in platform().config.metrics_from.split(",") if one.strip())
    try:
        return any(ip_address(address) in network for network in networks)
    except ValueError:
        return False


def install(app: Flask) -> None:
    """Register the routes, and count and log every request."""
    app.register_blueprint(blueprint)

    @app.before_request
    def begin() -> None:
        g.began_at, g.began = now(), time.perf_counter()
        traces.begin()

    @app.after_request
    def finish(response: Response) -> Response:
        if "began" not in g or request.path.startswith("/static/"):
            return response
        seconds = time.perf_counter() - g.began
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        counters.REQUESTS.labels(route, method, response.status_code).inc()
        counters.LATENCY.labels(route).observe(seconds)
        who: Any = g.get("actor")
        member = str(who.member_id) if who is not None and who.member_id else None
        log.info(
            "request",
            method=method,
            route=route,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            bytes=response.content_length,
            request_id=g.get("request_id"),
            correlation_id=str(who.correlation_id) if who is not None else None,
            member=member,
            ip=logs.address(request.remote_addr, platform().config.log_addresses),
        )
        if who is not None:
            about: dict[str, Any] = {"http.request.method": method, "http.route": route, "guildhall.member": member}
            about |= {"http.response.status_code": response.status_code, "guildhall.request": g.get("request_id")}
            traces.finish_request(f"{method} {route}", who.correlation_id, seconds, **about)
        return response
