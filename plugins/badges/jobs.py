"""Background work of badges."""

from __future__ import annotations

from typing import Any

from guildhall import Job, JobContext, _

from .recalculation import plan, recalculate


def _recalculate(context: JobContext) -> dict[str, Any]:
    """Each badge is a step of its own transaction, with the checkpoint in it: a restart goes on behind it."""
    with context.unit_of_work() as session:
        slugs = plan(session, context.params.get("badge"))
    state = context.checkpoint()
    done, awarded = set(state.get("done", ())), state.get("awarded", 0)
    for position, slug in enumerate(slugs):
        context.progress(position, len(slugs))
        if slug in done:
            continue
        with context.unit_of_work() as session:
            made = recalculate(session, context.actor, slug)
            context.save(session, done=sorted(done | {slug}), awarded=awarded + made)
        done.add(slug)
        awarded += made
    context.progress(len(slugs), len(slugs))
    return {"badges": len(slugs), "awarded": awarded}


recalculate_job = Job(name="recalculate", label=_("Recalculate badges"), run=_recalculate)
