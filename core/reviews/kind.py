"""What a plugin declares of the decisions it asks people for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.i18n import _

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.actor import Actor
    from core.reviews.models import Review


def _nothing(session: Session, actor: Actor, review: Review) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class ReviewKind:
    """A kind of case, ``<plugin>.<name>``, that a person approves or rejects.

    - ``permission``: who sees and decides its cases.
    - ``decide(session, actor, review, approved)``: the effect, in the transaction of the decision. A DomainError it
      raises leaves the case open. Not called when a case is withdrawn.
    - ``template`` with what ``load(session, actor, review)`` returns: the panel of a case. Without one the panel shows
      the case's params. Cases are neither shown nor decided while the plugin is disabled; they wait.
    - ``due``: time until a case is late.
    - ``four_eyes``: who asked for it may not decide it.
    - ``url``: page of the subject; ``{subject_id}`` is filled in.
    - ``approve``, ``reject``: what the two decisions are called here.
    - ``moves_value``: approving a case takes a fresh proof of who does it, and no case is approved while a switch with
      ``value_routes`` of the plugin is pulled.
    """

    name: str
    label: str
    permission: str
    decide: Callable[[Session, Actor, Review, bool], None]
    template: str = ""
    load: Callable[[Session, Actor, Review], Mapping[str, Any]] = _nothing
    due: timedelta = timedelta(days=2)
    four_eyes: bool = False
    url: str = ""
    icon: str = "scale"
    approve: str = _("Approve")
    reject: str = _("Reject")
    moves_value: bool = False
