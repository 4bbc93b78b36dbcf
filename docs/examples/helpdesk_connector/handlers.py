"""Reactions to events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent, new_id, now, read_settings

from .client import post_ticket
from .models import Ticket
from .settings import HelpdeskSettings


def open_ticket(unit_of_work: Callable[[], AbstractContextManager[Session]], actor: Actor, event: StoredEvent) -> None:
    """Open the ticket of a suggestion.

    No transaction is open while the help desk is asked. The event's id is the same at every try: the help desk knows
    by it what it has taken, and the unique key which ticket is kept.
    """
    with unit_of_work() as session:
        address = read_settings(session, HelpdeskSettings).address
    if not address:
        return
    number = post_ticket(address, event.id, event.payload.id)
    with unit_of_work() as session:
        kept = insert(Ticket).values(id=new_id(), suggestion_id=event.payload.id, number=number, created_at=now())
        session.execute(kept.on_conflict_do_nothing(index_elements=["suggestion_id"]))
