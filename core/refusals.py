"""What an exception means to the person whose request or record it ended: a refusal that can be explained, or not."""

from __future__ import annotations

import re

from flask import g, has_request_context
from marshmallow import ValidationError
from psycopg.errors import LockNotAvailable, QueryCanceled, ReadOnlySqlTransaction
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import Conflict, DomainError, Invalid, ReadOnlyImpersonation, Unavailable
from core.i18n import _
from core.resources.resource import AlreadyExists, InUse


def domain_error(problem: Exception) -> DomainError | None:
    """``problem`` as a refusal that can be explained, or None when it is our own mistake."""
    if isinstance(problem, DomainError):
        return problem
    if isinstance(problem, ValidationError):
        return Invalid(problem.normalized_messages())  # type: ignore[no-untyped-call]
    if isinstance(problem, IntegrityError):
        return integrity_error(problem)
    if isinstance(problem, PoolTimeout) or (isinstance(problem, DBAPIError) and problem.connection_invalidated):
        return Unavailable()
    if isinstance(problem, OperationalError):
        return Conflict() if isinstance(problem.orig, (LockNotAvailable, QueryCanceled)) else Unavailable()
    if isinstance(problem, DataError):
        return Invalid()
    if isinstance(problem, DBAPIError) and isinstance(problem.orig, ReadOnlySqlTransaction):
        who = g.get("actor") if has_request_context() else None
        return ReadOnlyImpersonation() if who is not None and who.read_only else Unavailable()
    return None


def integrity_error(problem: IntegrityError) -> DomainError:
    """What a broken constraint means to the person who broke it."""
    diagnosis = getattr(problem.orig, "diag", None)
    state = getattr(diagnosis, "sqlstate", "")
    if state == "23505":
        table = getattr(diagnosis, "table_name", "") or ""
        constraint = getattr(diagnosis, "constraint_name", "") or ""
        fields = constraint.removeprefix(f"uq_{table}_").removeprefix(f"pk_{table}").replace("_", " ")
        return AlreadyExists(fields=fields or "key")
    if state == "23503" and (problem.statement or "").lstrip()[:6].upper() == "DELETE":
        return InUse()
    referring = re.search(r"\((\w+)\)=\(", getattr(diagnosis, "message_detail", None) or "")
    column = getattr(diagnosis, "column_name", None) or (referring[1] if state == "23503" and referring else None)
    column = column or getattr(diagnosis, "constraint_name", None)
    return Invalid({column: [_("This value is not possible here.")]} if column else None)
