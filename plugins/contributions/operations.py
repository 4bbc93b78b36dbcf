"""What a moderator does with chosen contributions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from guildhall import Actor, Operation, _

from . import corrections
from .models import Contribution


class ReverseForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(
        min_length=1,
        max_length=corrections.LONGEST_REASON,
        description=_("Stays with the score for good, whoever leaves: write no names here."),
    )


def reverse(session: Session, actor: Actor, record: Contribution, values: dict[str, Any]) -> None:
    """Take a contribution back. Raises as ``corrections.reverse``."""
    corrections.reverse(session, actor, record.id, reason=values["reason"])


REVERSE = Operation(
    name="reverse",
    label=_("Reverse"),
    permission="contributions:contribution:correct",
    run=reverse,
    form=ReverseForm,
    icon="arrow-back-up",
    applies=lambda _session, contribution: contribution.state == "counted",
    help=_("Takes what counted back: its points go, it stays in the history. Badges and paid rewards stay."),
    danger=True,
    moves_value=True,
)
