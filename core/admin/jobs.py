"""The jobs page: what runs in the background, how far it is, what went wrong."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.audit.trail import record
from core.gateway.request import platform
from core.i18n import _
from core.jobs.models import JobRow, ScheduleRow
from core.jobs.queue import cancel, retry
from core.rest.paging import paginate

pages = PageBlueprint("core_jobs", url_prefix="/admin/jobs")


@pages.get("", permission="core:job:list")
def jobs(session: Session, actor: Actor) -> Any:
    cursor = request.args.get("cursor", "")
    page = paginate(session, select(JobRow), [(JobRow.id, True)], limit=50, cursor=cursor)
    schedules = session.scalars(select(ScheduleRow).order_by(ScheduleRow.name)).all()
    registry = platform().registry
    labels = {kind: job.label for kind, job in registry.jobs.items()}
    every = {name: schedule.every for name, schedule in registry.schedules.items()}
    return render("guildhall/jobs.html", page=page, schedules=schedules, labels=labels, every=every)


@pages.post("/<uuid:key>/cancel", permission="core:job:manage")
def cancel_job(session: Session, actor: Actor, key: UUID) -> Any:
    job = cancel(session, key)
    record(session, actor, "core.job.cancelled", subject_type="core.job", subject_id=job.id)
    flash(_("The job stops at its next step."))
    return redirect("/admin/jobs")


@pages.post("/<uuid:key>/retry", permission="core:job:manage")
def retry_job(session: Session, actor: Actor, key: UUID) -> Any:
    job = retry(session, key)
    record(session, actor, "core.job.retried", subject_type="core.job", subject_id=job.id)
    flash(_("The job starts again."))
    return redirect("/admin/jobs")
