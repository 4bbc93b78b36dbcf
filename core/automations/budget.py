"""What an automation may use up altogether, held to the last unit whoever else runs it at the same time."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.automations.action import ActionCall
from core.automations.errors import CapReached
from core.automations.models import AutomationBudget

# The row's lock lets one taker through after the other, and the condition is looked at under it.
_TAKE = text("""
    INSERT INTO core_automation_budget AS b (automation_id, name, used)
    SELECT :automation_id, :name, CAST(:amount AS numeric) WHERE CAST(:amount AS numeric) <= CAST(:cap AS numeric)
    ON CONFLICT (automation_id, name) DO UPDATE SET used = b.used + EXCLUDED.used
        WHERE b.used + EXCLUDED.used <= CAST(:cap AS numeric)
    RETURNING used
""")


def take(session: Session, call: ActionCall, name: str, amount: int, cap: int) -> int:
    """Use up ``amount`` of the ``cap`` that this automation has for ``name`` (such as ``wallet.USD``), for ever.

    Returns what is used up now. Call it before the effect: the two stand or fall together. Raises CapReached when the
    cap does not allow all of it; then nothing is used up.
    """
    asked = {"automation_id": call.automation_id, "name": name, "amount": amount, "cap": cap}
    taken = session.scalar(_TAKE, asked)
    if taken is None:
        mine = AutomationBudget.automation_id == call.automation_id, AutomationBudget.name == name
        used = session.scalar(select(AutomationBudget.used).where(*mine)) or 0
        raise CapReached(cap=cap, amount=amount, used=int(used))
    return int(taken)
