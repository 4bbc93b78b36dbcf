"""Doing something with one record from its page: a transition, an operation, restoring it."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.bulk import given_by
from core.admin.forms import asked_by
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.audit.trail import record as note
from core.errors import NotFound
from core.fab.views import class_name
from core.gateway.request import platform
from core.i18n import _
from core.lists.bulk import operation_of, require_operation
from core.refusals import integrity_error
from core.resources.operation import Operation
from core.resources.resource import RESTORE, BoundResource

pages = PageBlueprint("core_acts", url_prefix="/admin/acts")


@pages.get("/<resource>/<name>/<path:key>", signed_in=True)
def ask(session: Session, actor: Actor, resource: str, name: str, key: str) -> Any:
    """What the act means, and what it asks for."""
    bound, operation, record = _meant(session, actor, resource, name, key)
    return _page(session, bound, operation, record, {})


@pages.post("/<resource>/<name>/<path:key>", signed_in=True, once=True)
def do(session: Session, actor: Actor, resource: str, name: str, key: str) -> Any:
    """Carry it out; a refusal is told on the record's page, or beside the form."""
    bound, operation, record = _meant(session, actor, resource, name, key)
    require_operation(session, actor, bound, operation)
    values, errors = given_by(operation.form) if operation.form else ({}, {})
    if errors:
        return _page(session, bound, operation, record, errors), 422

    def act() -> None:
        given = operation.form(**values).model_dump() if operation.form else {}
        try:
            operation.run(session, actor, record, given)
            session.flush()
        except IntegrityError as problem:
            raise integrity_error(problem) from None
        if operation in bound.resource.operations:  # the others are in the trail as the change that they make
            told = {field: [None, value] for field, value in values.items()}
            about: dict[str, Any] = {"subject_type": bound.key, "subject_id": bound.key_of(record)}
            note(session, actor, f"{bound.key}.{operation.name}", changes=told, **about)

    if tried(session, act):
        flash(_("{what}: done."), what=gettext(operation.label))
    else:
        session.refresh(record)
    return redirect(_home(bound, record))


def _meant(session: Session, actor: Actor, resource: str, name: str, key: str) -> tuple[BoundResource, Operation, Any]:
    """Raises NotFound, PermissionMissing."""
    bound = platform().registry.resources.get(resource)
    if bound is None or bound.plugin in lifecycle.disabled(session):
        raise NotFound()
    operation = operation_of(bound, name)
    actor.require(operation.permission)
    deleted = bound.resource.soft_delete and name == RESTORE
    return bound, operation, bound.get(session, actor, key, bound.reading, deleted=deleted)


def _home(bound: BoundResource, record: Any) -> str:
    """The record's page; of one that is deleted still, the list."""
    deleted = bound.resource.soft_delete and record.deleted_at is not None
    if deleted or "show" not in bound.resource.actions:
        return url_for(f"{class_name(bound)}.list", deleted="yes" if deleted else None)
    return bound.resource.page.format(id=bound.key_of(record)) or url_for(
        f"{class_name(bound)}.show", pk=bound.key_of(record)
    )


def _page(session: Session, bound: BoundResource, operation: Operation, record: Any, errors: dict[str, str]) -> str:
    text = bound.resource.title(session, record) if bound.resource.title else str(record)
    name = text if not text.startswith("<") else gettext(bound.label)
    return render(
        "guildhall/act.html",
        title=f"{gettext(operation.label)}: {name}",
        bound=bound,
        operation=operation,
        fields=asked_by(session, operation, request.form if errors else {}),
        errors=errors,
        back=_home(bound, record),
        home=url_for(f"{class_name(bound)}.list") if "list" in bound.resource.actions else "",
        name=name,
    )
