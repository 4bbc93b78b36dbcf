"""Records that one query reads: those of a level of the query together, by one statement for each resource."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from psycopg.errors import QueryCanceled
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.graphql.errors import QueryTooSlow
from core.refusals import domain_error
from core.resources.resource import BoundResource
from core.rest.schema import Schema

T = TypeVar("T")


@dataclass
class Row:
    """A record, and what REST would show of it."""

    record: Any
    schema: Schema

    @cached_property
    def shown(self) -> dict[str, Any]:
        made: dict[str, Any] = self.schema.dump(self.record, many=False)
        return made


@dataclass
class Reading:
    """One query being carried out: for whom, on which session, and what was read so far.

    A statement that fails ends the transaction, so that after it every field is refused for the same reason.
    """

    session: Session
    actor: Actor
    seconds: int
    schemas: dict[str, Schema]
    failed: Exception | None = None
    _found: dict[str, dict[Any, asyncio.Future[Row | None]]] = field(default_factory=dict)
    _wanted: dict[str, list[Any]] = field(default_factory=dict)

    def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns. A failure of the database is raised as a refusal that can be explained."""
        if self.failed:
            raise self.failed
        try:
            return work()
        except SQLAlchemyError as problem:
            stopped = isinstance(problem, OperationalError) and isinstance(problem.orig, QueryCanceled)
            self.failed = QueryTooSlow(seconds=self.seconds) if stopped else domain_error(problem) or problem
            raise self.failed from problem

    def admit(self, bound: BoundResource) -> None:
        """Refuse an API key that REST would refuse for this resource. Raises SessionRequired."""
        self.actor.require_session(or_bundle=f"{bound.plugin}:read")

    def load(self, bound: BoundResource, key: Any) -> asyncio.Future[Row | None]:
        """The record of that key, or None for one that this actor may not know of; read with its siblings.

        Raises, when it is awaited, PermissionMissing and what ``run`` raises.
        """
        known = self._found.setdefault(bound.key, {})
        if key not in known:
            loop = asyncio.get_running_loop()
            known[key] = loop.create_future()
            if bound.key not in self._wanted:
                self._wanted[bound.key] = []
                loop.call_soon(self._read, bound)
            self._wanted[bound.key].append(key)
        return known[key]

    def _read(self, bound: BoundResource) -> None:
        keys, known = self._wanted.pop(bound.key), self._found[bound.key]
        try:
            self.admit(bound)
            rows = self.run(lambda: self._rows(bound, keys))
        except Exception as problem:
            for key in keys:
                known[key].set_exception(problem)
            return
        for key in keys:
            known[key].set_result(rows.get(key))

    def _rows(self, bound: BoundResource, keys: list[Any]) -> dict[Any, Row]:
        condition = bound.visible(self.actor, "show")
        query = select(bound.resource.model).where(getattr(bound.resource.model, bound.resource.key).in_(keys))
        records = self.session.scalars(query if condition is None else query.where(condition)).all()
        bound.fill(self.session, records)
        return {bound.key_of(record): Row(record, self.schemas[bound.key]) for record in records}
