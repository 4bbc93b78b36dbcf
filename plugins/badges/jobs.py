"""Background work of badges."""

from __future__ import annotations

from typing import Any

from guildhall import Job, JobContext, _

from .plan import carry_out, plan


def _recalculate(context: JobContext) -> dict[str, Any]:
    """Each step is a transaction of its own, with the checkpoint in it: a restart goes on behind it."""
    with context.unit_of_work() as session:
        made = plan(session, context.params.get("badge"), context.checkpoint())
    badges = {slug for step in made.steps for slug in step.slugs}
    awarded = carry_out(
        made,
        context.actor,
        context.unit_of_work,
        context.progress,
        lambda session, state: context.save(session, **state),
    )
    return {"badges": len(badges), "awarded": awarded}


recalculate_job = Job(name="recalculate", label=_("Recalculate badges"), run=_recalculate)
