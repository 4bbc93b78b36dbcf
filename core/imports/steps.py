"""What each step of an import's job needs: who acts, which resource it is, and a place for what went wrong."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.imports.errors import RecordsUnavailable
from core.imports.models import Import, ImportProblem
from core.imports.rows import Problem
from core.members.acting import later
from core.resources.resource import BoundResource

ADDRESS = re.compile(r"[^\s'\"]{1,200}@[^\s'\"]{1,200}")
TRIES = 6
MET = (DeadlockDetected, LockNotAvailable, SerializationFailure)
SYSTEM = Actor.system("import", bulk=True)
Done = TypeVar("Done")


def acting(session: Session, row: Import) -> Actor:
    """Who began the import, with what they may do now; all that it causes has its id as correlation id."""
    if row.member_id is None:
        return replace(SYSTEM, correlation_id=row.id)
    return later(session, row.member_id, impersonator=row.impersonator_id, correlation_id=row.id)


def available(session: Session, row: Import) -> BoundResource:
    """The resource of an import. Raises RecordsUnavailable while its plugin is off or gone."""
    bound: BoundResource | None = session.info["registry"].resources.get(row.resource)
    if bound is None or bound.plugin in lifecycle.disabled(session):
        raise RecordsUnavailable()
    return bound


def patiently(chunk: Callable[[], Done]) -> Done:
    """Do a chunk, again where another import, or somebody at a page, was in the way of all of it."""
    for tried in range(1, TRIES):
        try:
            return chunk()
        except OperationalError as problem:
            if not isinstance(problem.orig, MET):
                raise
            time.sleep(random.uniform(0, 0.1 * 2**tried))
    return chunk()


def keep_problems(session: Session, import_id: UUID, step: str, problems: Iterable[Problem]) -> None:
    """Write down what was wrong with rows; of a field, the first. What may be somebody's address is masked."""
    rows = [
        {
            "import_id": import_id,
            "step": step,
            "line": one.line,
            "field": one.field[:120],
            "code": one.code[:80],
            "sentence": ADDRESS.sub("…@…", one.sentence[:500]),
            "params": {name: ADDRESS.sub("…@…", str(value)) for name, value in one.params.items()},
        }
        for one in problems
    ]
    if rows:
        session.execute(insert(ImportProblem.__table__).on_conflict_do_nothing(), rows)
