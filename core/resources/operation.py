"""What can be done with chosen records of a resource beside changing fields and deleting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from core.actor import Actor


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An act upon chosen records, offered above the list of the resource to who holds ``permission``.

    - ``name``: a slug; ``label``: what its button says; ``help``: a sentence above its form.
    - ``run(session, actor, record, values)`` does it for one record, which the actor may see. It flushes and never
      commits; a DomainError refuses this record alone. Up to 100 records are done in the request, more by a job, and
      each record in a savepoint of its own; all by the correlation id of the one act.
    - ``form``: a pydantic model (frozen, ``extra="forbid"``) of what is asked for before, as a plugin's settings are;
      ``values`` are its fields.
    - ``choices``: by field of the form, ``choices(session)`` returns the (value, label) pairs to choose from, read when
      the form is shown; for fields that refer to rows an admin writes.
    - ``applies(session, record)``: whether it can be done with the record as it is now; its page offers it only then.
      Lists offer it for all, and ``run`` refuses what cannot be done.
    - ``danger``: it cannot be taken back, and looks so.
    - ``moves_value``: it takes a fresh proof of who does it, and is refused while a switch of the plugin with
      ``value_routes`` is pulled.
    """

    name: str
    label: str
    permission: str
    run: Callable[[Session, Actor, Any, dict[str, Any]], Any]
    form: type[BaseModel] | None = None
    choices: Mapping[str, Callable[[Session], list[tuple[str, str]]]] | None = None
    icon: str = "bolt"
    help: str = ""
    applies: Callable[[Session, Any], bool] | None = None
    danger: bool = False
    moves_value: bool = False
