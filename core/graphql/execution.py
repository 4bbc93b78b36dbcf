"""From a query's text to its answer: read, measured, checked against the schema, carried out; errors told as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import structlog
from flask_babel import gettext
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.gateway.errors import HTTP
from core.gateway.sentences import told_details
from core.graphql.errors import QueryTooLarge
from core.graphql.limits import TOKENS, Measure
from core.graphql.loading import Reading
from core.platform_settings import PlatformSettings
from core.refusals import domain_error
from core.rest.schema import Schema

log = structlog.get_logger("graphql")
MOST_ERRORS = 20
_BEGIN = text("SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', :most, true)")


@dataclass(frozen=True)
class Prepared:
    """A query that may be carried out."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]

    @property
    def subscribes(self) -> bool:
        return self.operation.operation is OperationType.SUBSCRIPTION

    @property
    def name(self) -> str | None:
        return self.operation.name.value if self.operation.name else None


@dataclass(frozen=True)
class Refused:
    """A query that was not carried out, and why."""

    errors: list[dict[str, Any]]

    @property
    def answer(self) -> dict[str, Any]:
        return {"errors": self.errors}


def prepare(schema: GraphQLSchema, settings: PlatformSettings, query: dict[str, Any]) -> Prepared | Refused:
    """Read and check ``{"query", "variables", "operationName"}``."""
    variables = query.get("variables") or {}
    try:
        document = parse(query["query"], max_tokens=TOKENS)
        Measure(schema, document, variables, settings).check()
        operation = get_operation_ast(document, query.get("operationName") or None)
        if operation is None:
            raise GraphQLError("Give one operation, or name the one that is meant as operationName.")
        wrong = validate(schema, document, max_errors=MOST_ERRORS)
    except RecursionError:
        return Refused(
            [told(GraphQLError("", original_error=QueryTooLarge(what="depth", most=settings.graphql_depth)))]
        )
    except QueryTooLarge as refusal:
        return Refused([told(GraphQLError("", original_error=refusal))])
    except GraphQLError as problem:
        return Refused([told(problem)])
    if wrong:
        return Refused([told(one) for one in wrong])
    return Prepared(schema, document, operation, variables)


def _finished(query: Coroutine[Any, Any, ExecutionResult]) -> ExecutionResult:
    """What a query comes to; on a thread of its own where this one runs an event loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(query)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(copy_context().run, asyncio.run, query).result()


def carry_out(
    prepared: Prepared, session: Session, actor: Actor, settings: PlatformSettings, schemas: dict[str, Schema]
) -> dict[str, Any]:
    """The answer to a query. The session only reads from here on, each statement no longer than the settings say."""
    session.execute(_BEGIN, {"most": f"{settings.graphql_seconds}s"})
    reading = Reading(session, actor, settings.graphql_seconds, schemas)
    result = _finished(_execute(prepared, reading))
    if reading.failed:
        session.rollback()
    return answer(result)


async def _execute(prepared: Prepared, reading: Reading) -> ExecutionResult:
    found: Any = execute(
        prepared.schema,
        prepared.document,
        context_value=reading,
        variable_values=prepared.variables,
        operation_name=prepared.name,
    )
    result: ExecutionResult = await found if isawaitable(found) else found
    return result


def answer(result: ExecutionResult) -> dict[str, Any]:
    """A result as it is sent; ``data`` is left out of what never began."""
    made: dict[str, Any] = {"errors": [told(one) for one in result.errors[:MOST_ERRORS]]} if result.errors else {}
    if result.data is not None or not result.errors or result.errors[0].path:
        made["data"] = result.data
    return made


def told(problem: GraphQLError) -> dict[str, Any]:
    """An error with our code; what is our own mistake is logged and not told."""
    cause = problem.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    made: dict[str, Any] = {"message": problem.message, "extensions": {"code": "QUERY_INVALID"}}
    if problem.locations:
        made["locations"] = [{"line": one.line, "column": one.column} for one in problem.locations]
    if problem.path:
        made["path"] = list(problem.path)
    if cause is None:
        return made
    known = domain_error(cause)
    if known is None:
        log.error("a field failed", path=made.get("path"), exc_info=cause)
        made["message"] = gettext(HTTP[500][1])
        made["extensions"] = {"code": "INTERNAL"}
        return made
    made["message"] = known.fill(gettext(known.sentence))
    made["extensions"] = {"code": known.code, "status": known.status}
    if known.details is not None:
        made["extensions"]["details"] = told_details(known.details)
    return made
