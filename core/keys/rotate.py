"""Rotation while serving: data keys are wrapped anew and replaced, then every sealed column is sealed anew.

What was sealed before stays readable throughout: a retired data key still opens. A process that has not yet heard of
the new data key seals under the old one for at most FRESH_SECONDS; the next run of the job finds those values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import (
    LargeBinary,
    Select,
    Table,
    bindparam,
    func,
    insert,
    inspect,
    literal,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.crypto.errors import KeyMissing, KeyWrong, SealBroken
from core.crypto.keyring import HEAD, OF_ROW, Keyring, new_key, of_session
from core.crypto.models import DataKey
from core.crypto.sealed import columns, open_value, row_name
from core.db.base import metadata

BATCH = 200
log = structlog.get_logger("keys")


@dataclass(frozen=True)
class KeyUse:
    """How many data keys a wrapping key holds; ``here`` tells whether this process has it."""

    id: str
    here: bool
    current: bool
    data_keys: int


def overview(session: Session) -> list[KeyUse]:
    """Every wrapping key that is given or still needed, the current one first."""
    keyring = of_session(session)
    counted = select(DataKey.key_id, func.count()).group_by(DataKey.key_id)
    used: dict[str, int] = dict(session.execute(counted).tuples().all())
    given = keyring.keys.ids
    names = [*given, *sorted(used.keys() - set(given))]
    return [KeyUse(name, name in given, name in given[:1], used.get(name, 0)) for name in names]


def rotate(session: Session, actor: Actor) -> int:
    """Wrap every data key under the current wrapping key, and give each context a new one; audited.

    Returns how many were wrapped. Raises KeyMissing or KeyWrong when one cannot be opened; then nothing is changed.
    Seal the columns anew after the commit (``reseal``).
    """
    keyring = of_session(session)
    current = keyring.keys.current
    rows = session.scalars(select(DataKey).order_by(DataKey.id).with_for_update()).all()
    before = sorted({row.key_id for row in rows})
    for row in rows:
        opened = keyring.keys.named(row.key_id).unwrap(row.wrapped, row.context)
        row.wrapped, row.key_id = current.wrap(opened, row.context), current.id
    contexts = sorted(row.context for row in rows if row.retired_at is None)
    for row in rows:
        row.retired_at = row.retired_at or now()
    session.flush()
    for context in contexts:
        session.execute(insert(DataKey), [new_key(keyring.keys, context)])
    record(
        session,
        actor,
        "core.keys.rotated",
        subject_type="keys",
        subject_id=current.id[:120],
        changes={"wrapped_by": [before, current.id], "contexts": [None, contexts]},
    )
    return len(rows)


class Steps(Protocol):
    """What resealing needs of a job's context."""

    def unit_of_work(self) -> AbstractContextManager[Session]: ...

    def progress(self, done: int, total: int | None = None) -> None: ...


def reseal(context: Steps) -> dict[str, Any]:
    """The job: seal anew each value that is not under its column's current data key, or not bound to its row.

    Started again, it goes on with what is left: what was sealed anew is passed over. Values that cannot be opened are
    left as they are and counted.
    """
    done, broken = 0, dict[str, int]()
    for table, column, sealed_as in columns(metadata):
        with context.unit_of_work() as session:
            used = session.scalar(select(DataKey.id).where(DataKey.context == sealed_as).limit(1))
            if used is None or not inspect(session.connection()).has_table(table.name):
                continue
        after: tuple[Any, ...] | None = None
        while True:
            with context.unit_of_work() as session:
                rows = session.execute(_waiting(session, table, column, sealed_as, after)).all()
                if not rows:
                    break
                after = tuple(rows[-1][:-1])
                good = list(_sealed_anew(of_session(session), sealed_as, rows))
                if good:
                    _write(session, table, column, good)
                if bad := len(rows) - len(good):
                    broken[str(column)] = broken.get(str(column), 0) + bad
            done += len(good)
            context.progress(done)
    return {"sealed": done, "broken": broken}


def _waiting(session: Session, table: Table, column: Any, context: str, after: tuple[Any, ...] | None) -> Select[Any]:
    """The next rows whose value is under another data key, or in the form that was bound to no row; locked."""
    keyring = of_session(session)
    keyring.forget()
    head = OF_ROW + keyring.current(context).bytes
    raw, keys = type_coerce(column, LargeBinary), list(table.primary_key)
    query = select(*keys, raw).where(column.is_not(None), func.substr(raw, 1, HEAD) != literal(head, LargeBinary))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*(literal(v, k.type) for k, v in zip(keys, after, strict=True))))
    return query.order_by(*keys).limit(BATCH).with_for_update(key_share=True)


def _sealed_anew(keyring: Keyring, context: str, rows: Any) -> Iterator[dict[str, Any]]:
    for *key, raw in rows:
        try:
            row = row_name(key)
            value = keyring.seal(context, open_value(keyring, context, bytes(raw), row).encode(), row, OF_ROW)
        except (SealBroken, KeyMissing, KeyWrong) as problem:
            log.warning("a sealed value cannot be opened", context=context, record=str(key), code=problem.code)
            continue
        yield {**{f"key_{number}": part for number, part in enumerate(key)}, "sealed_anew": value}


def _write(session: Session, table: Table, column: Any, rows: list[dict[str, Any]]) -> None:
    same = [key == bindparam(f"key_{number}", type_=key.type) for number, key in enumerate(table.primary_key)]
    value = bindparam("sealed_anew", type_=LargeBinary)
    session.connection().execute(update(table).where(*same).values({column: type_coerce(value, LargeBinary)}), rows)
