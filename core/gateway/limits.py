"""How often the API may be asked. Counted in Redis, which is never the truth: without it every request passes.

A route's class is ``anonymous`` (by address) or ``member`` (by member), or the one it declares, such as
``payment``. Each class has a count of its own for each caller, over a fixed window.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import redis
import structlog
from limits import RateLimitItemPerMinute
from werkzeug.datastructures import Headers

from core.actor import Actor
from core.errors import Limit
from core.platform_settings import PlatformSettings

log = structlog.get_logger("limits")

# Classes that a route may declare, and the setting with their figure.
DECLARED = {"payment": "rate_payment"}
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 5.0
SAY_EVERY_SECONDS = 60.0
PREFIX = "guildhall:limit"
# Counts, and says how many seconds are left of the window, in one round trip.
COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}
"""


@dataclass(frozen=True)
class Allowance:
    """What is left of a caller's quota: ``remaining`` of ``quota`` requests, ``reset`` seconds until all are back."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int

    def tell(self, headers: Headers) -> None:
        """Say it in the headers of an answer: the three that clients know, and the two of the IETF's draft 10."""
        headers["RateLimit-Limit"] = str(self.quota)
        headers["RateLimit-Remaining"] = str(self.remaining)
        headers["RateLimit-Reset"] = str(self.reset)
        headers["RateLimit-Policy"] = f'"{self.name}";q={self.quota};w={self.window}'
        headers["RateLimit"] = f'"{self.name}";r={self.remaining};t={self.reset}'


class Limits:
    """The counters of one process's Redis. After a failure Redis is left alone for some seconds."""

    def __init__(self, redis_url: str) -> None:
        pool = redis.ConnectionPool.from_url(
            redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._count = redis.Redis(connection_pool=pool).register_script(COUNT)
        self._paused_until = float("-inf")
        self._said_at = float("-inf")

    def spend(self, settings: PlatformSettings, actor: Actor, declared: str | None = None) -> Allowance | None:
        """Count one request of ``actor``. None where nothing is counted; the caller refuses an overdrawn one."""
        if not settings.rate_limits or time.monotonic() < self._paused_until:
            return None
        name, quota = _class(settings, actor, declared)
        item = RateLimitItemPerMinute(quota, settings.rate_window_minutes)
        key = item.key_for(name, str(actor.impersonator or actor.member_id or _address(actor.ip)))
        try:
            count, reset = self._count(keys=[f"{PREFIX}:{key}"], args=[item.get_expiry()])
        except redis.RedisError as problem:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            if time.monotonic() - self._said_at >= SAY_EVERY_SECONDS:
                self._said_at = time.monotonic()
                log.warning("requests are not counted: redis does not answer", error=str(problem))
            return None
        left = Allowance(name, quota, item.get_expiry(), max(0, quota - count), max(1, reset))
        if count > quota:
            raise Exceeded(left)
        return left


class Exceeded(Limit):
    """The caller's quota is used up; ``allowance`` says until when."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        super().__init__(retry_after=allowance.reset)


def _class(settings: PlatformSettings, actor: Actor, declared: str | None) -> tuple[str, int]:
    if declared:
        return declared, getattr(settings, DECLARED[declared])
    if actor.member_id is None:
        return "anonymous", settings.rate_anonymous
    if settings.rate_profile == "seeds":
        return "seeds", settings.rate_member_seeds
    return "member", settings.rate_member


def _address(ip: str | None) -> str:
    """What an address counts as: one network of IPv6 is one caller, which may choose among 2**64 addresses."""
    try:
        parsed = ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return parsed.exploded[:19] if parsed.ipv4_mapped is None else str(parsed.ipv4_mapped)
    return str(parsed)
