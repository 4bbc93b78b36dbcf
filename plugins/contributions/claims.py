"""Claims: a member says that an outside identity is theirs, and gets what was contributed under it, exactly."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from guildhall import (
    Actor,
    Invalid,
    Member,
    NotFound,
    ReviewKind,
    _,
    audit,
    locks,
    members,
    new_id,
    now,
    publish,
)
from guildhall import Review as Case
from guildhall import reviews as inbox

from . import figures, milestones, progress
from .corrections import checked_reason
from .errors import AlreadyDecided, ClaimPending, IdentityTaken, MemberUnknown
from .events import IdentityClaimed
from .heirs import heirs
from .history import Masked
from .models import Claim, Contribution

KINDS = ("git", "github", "import")
CLAIM = "contributions.claim"

# What follows its member. Of two members' milestones and levels, the one that was reached first stays.
_REWARDED_TWICE = text("""
    SELECT r.id FROM contributions_reward r WHERE r.member_id = :old AND r.reason = 'milestone' AND EXISTS (
        SELECT 1 FROM contributions_milestone_reached mine
        JOIN contributions_milestone_reached theirs USING (milestone_id)
        WHERE mine.member_id = :new AND theirs.member_id = :old
            AND r.reference = 'milestone:' || milestone_id || ':' || CAST(:old AS text)
    )
    UNION ALL
    SELECT r.id FROM contributions_reward r WHERE r.member_id = :old AND r.reason = 'badge' AND EXISTS (
        SELECT 1 FROM contributions_reward mine WHERE mine.member_id = :new AND mine.reason = 'badge'
            AND split_part(mine.reference, ':', 2) = split_part(r.reference, ':', 2)
    )
""")
_MOVE = (
    "UPDATE contributions_contribution SET member_id = :new WHERE member_id = :old",
    "UPDATE contributions_review SET member_id = :new WHERE member_id = :old",
    "UPDATE contributions_override SET member_id = :new WHERE member_id = :old",
    "UPDATE contributions_reward SET member_id = :new WHERE member_id = :old AND NOT id = ANY(:twice)",
    """UPDATE contributions_milestone_reached r SET member_id = :new WHERE member_id = :old AND NOT EXISTS (
        SELECT 1 FROM contributions_milestone_reached o WHERE o.member_id = :new AND o.milestone_id = r.milestone_id
    )""",
    "DELETE FROM contributions_milestone_reached WHERE member_id = :old",
    """UPDATE contributions_level_reached r SET member_id = :new WHERE member_id = :old AND NOT EXISTS (
        SELECT 1 FROM contributions_level_reached o WHERE o.member_id = :new AND o.level_id = r.level_id
    )""",
    "DELETE FROM contributions_level_reached WHERE member_id = :old",
    """UPDATE contributions_standing s SET member_id = :new WHERE member_id = :old AND NOT EXISTS (
        SELECT 1 FROM contributions_standing o WHERE o.member_id = :new AND o.board = s.board)""",
    """UPDATE contributions_board_progress s SET member_id = :new WHERE member_id = :old
        AND board IN (SELECT 'season:' || id FROM contributions_season WHERE state = 'closed') AND NOT EXISTS (
        SELECT 1 FROM contributions_board_progress o WHERE o.member_id = :new AND o.board = s.board)""",
    """INSERT INTO contributions_limit_slot AS kept (member_id, type, window_kind, window_start, used)
        SELECT :new, type, window_kind, window_start, used FROM contributions_limit_slot WHERE member_id = :old
        ON CONFLICT (member_id, type, window_kind, window_start) DO UPDATE SET used = kept.used + excluded.used""",
    "DELETE FROM contributions_limit_slot WHERE member_id = :old",
)


def subject_of(session: Session, kind: str, value: str) -> str:
    """The subject under which an address or a handle is known; addresses and handles are kept as keyed hashes."""
    masked = Masked(session.info["config"].secret_key)
    return value if kind == "import" and "@" not in value else masked.subject(value)


def claim(session: Session, actor: Actor, *, kind: str, value: str) -> Claim:
    """Ask for an identity of ``kind``: an e-mail address (``git``), a GitHub handle, or a name of an imported file.

    The verified address of the member's own account is proof, and the history comes at once; everything else waits
    for an admin. Claiming what is one's own already answers the first claim. Raises Invalid by field,
    MemberUnknown, IdentityTaken, ClaimPending.
    """
    value = value.strip()
    if kind not in KINDS or not 1 <= len(value) <= 160 or not value.isprintable():
        raise Invalid({"value": [_("Give an address, a handle or a name of 1 to 160 characters.")]})
    if actor.member_id is None:
        raise MemberUnknown()
    subject = subject_of(session, kind, value)
    locks.advisory(session, f"contributions.claim:{kind}:{subject}")
    own = select(Claim).where(Claim.member_id == actor.member_id, Claim.kind == kind, Claim.subject == subject)
    for before in session.scalars(own.order_by(Claim.created_at.desc())):
        if before.state == "approved":
            return before
        if before.state == "pending":
            raise ClaimPending()
    member = session.get_one(Member, actor.member_id, populate_existing=True)
    verified = member.email is not None and member.email_verified_at is not None
    proven = verified and kind != "github" and value.lower() == (member.email or "").lower()
    row = Claim(
        id=new_id(),
        member_id=member.id,
        kind=kind,
        subject=subject,
        state="pending",
        proof="email" if proven else "admin",
        created_at=now(),
    )
    session.add(row)
    session.flush()
    if proven:
        _approve(session, actor, row, "the address of the account is verified")
    else:
        params = {"kind": kind, "subject": subject[:12]}
        inbox.open_review(
            session, actor, CLAIM, subject_id=row.id, title=kind, member_id=actor.member_id, params=params
        )
    return row


def decide(
    session: Session, actor: Actor, claim_id: UUID, *, approve: bool, reason: str, in_inbox: bool = False
) -> Claim:
    """Give a member the identity it claims, or refuse; the same decision twice is as once. Audited.

    Unless it is decided ``in_inbox``, its case there is withdrawn. Raises NotFound, Invalid (no reason),
    AlreadyDecided, IdentityTaken.
    """
    actor.require("contributions:claim:update")
    reason = checked_reason(reason)
    found = session.get(Claim, claim_id)
    if found is None:
        raise NotFound()
    if not in_inbox:
        inbox.withdraw_review(session, actor, CLAIM, subject_id=found.id, reason=reason)
    locks.advisory(session, f"contributions.claim:{found.kind}:{found.subject}")
    session.refresh(found)
    wanted = "approved" if approve else "rejected"
    if found.state != "pending":
        if found.state == wanted:
            return found
        raise AlreadyDecided(state=found.state)
    if approve:
        _approve(session, actor, found, reason)
    else:
        _decided(session, actor, found, "rejected", reason)
    return found


def _approve(session: Session, actor: Actor, row: Claim, reason: str) -> None:
    """Hang the identity, and the history of the member without account behind it, on the one who claims it."""
    before = members.give_identity(session, kind=row.kind, subject=row.subject, member_id=row.member_id)
    if before is not None and before != row.member_id:
        old = session.get_one(Member, before)
        if old.user_id is not None:
            raise IdentityTaken()
        row.from_member_id = before
    _decided(session, actor, row, "approved", reason)
    if row.from_member_id is not None:
        duplicates = merge(session, actor, old_id=row.from_member_id, new_id=row.member_id)
        event = IdentityClaimed(
            claim_id=row.id,
            member_id=row.member_id,
            from_member_id=row.from_member_id,
            duplicate_rewards=duplicates,
        )
        publish(session, actor, event)


def merge(session: Session, actor: Actor, *, old_id: UUID, new_id: UUID) -> list[UUID]:
    """Move everything of a member without account to another; returns the rewards that both had.

    The state after it is as if it had all been recorded for ``new_id`` from the start, but for closed seasons and
    frozen boards, where a second place of the same person stays with the old name. A second call moves nothing.
    """
    locks.members(session, [old_id, new_id])
    pair = {"old": old_id, "new": new_id}
    twice = list(session.scalars(_REWARDED_TWICE, pair))
    figures.merge(session, old_id=old_id, new_id=new_id)
    for statement in _MOVE:
        session.execute(text(statement), {**pair, "twice": twice} if ":twice" in statement else pair)
    after = progress.rebuild_members(session, [old_id, new_id])
    if new_id in after:
        history = select(Contribution.id, Contribution.points + Contribution.correction).where(
            Contribution.member_id == new_id, Contribution.state == "counted"
        )
        ordered = session.execute(history.order_by(Contribution.occurred_at, Contribution.id)).all()
        gains = [(contribution_id, int(points)) for contribution_id, points in ordered]
        milestones.reach(session, actor, {new_id: gains}, {new_id: after[new_id]}, quiet=True)
    session.execute(update(Member).where(Member.id == old_id).values(status="closed"))
    return twice


def _decided(session: Session, actor: Actor, row: Claim, state: str, reason: str) -> None:
    row.state, row.reason, row.decided_at, row.decided_by = state, reason, now(), actor.member_id
    session.flush()
    audit(
        session,
        actor,
        f"contributions.claim.{state}",
        subject_type="contributions.claim",
        subject_id=row.id,
        changes={"member": [row.from_member_id, row.member_id], "kind": [None, row.kind]},
        reason=reason,
    )


def successor(session: Session, member_id: UUID) -> UUID | None:
    """Who was given a former member's history, None when nobody was."""
    return heirs(session, [member_id]).get(member_id)


def _decide_case(session: Session, actor: Actor, case: Case, approved: bool) -> None:
    decide(session, actor, UUID(case.subject_id), approve=approved, reason="decided in the inbox", in_inbox=True)


KIND = ReviewKind(
    name="claim",
    label=_("Claim of an outside identity"),
    permission="contributions:claim:update",
    decide=_decide_case,
    icon="user-check",
    moves_value=True,
)
