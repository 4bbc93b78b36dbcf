"""Reactions to events: tell the member in-app, and hand the mail to the mail server.

Each is safe to run twice: a notice's reference is unique, and a mail that ended is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, Member, StoredEvent, read_settings, translated
from plugins.badges import Award, Badge
from plugins.contributions import Contribution
from plugins.wallet import shown

from . import mail, queries, service
from .service import notify
from .settings import NotificationSettings

MOST_NAMES = 8
UnitOfWork = Callable[[], AbstractContextManager[Session]]


def tell_badge(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``badges.badge.awarded``; a quiet award stays in-app."""
    for event in events:
        award = event.payload
        badge = session.get(Badge, award.badge_id)
        name = badge.name if badge else ""
        params = {"badge": name, "badge_id": award.badge_id, "award_id": award.award_id}
        notify(
            session,
            _because(actor, event),
            member_id=award.member_id,
            kind="badge_awarded",
            params=_with_contribution(params, award.contribution_id),
            reference=f"badges.award:{award.award_id}",
            mail=not award.quiet,
        )


def tell_badge_batch(session: Session, actor: Actor, event: StoredEvent) -> None:
    """On ``badges.batch.awarded``: each member hears once of all that the batch brought, in-app only."""
    batch = event.payload
    if batch.awarded_at is None:
        return
    query = select(Award.member_id, Badge.name).join(Badge, Badge.id == Award.badge_id)
    query = query.where(Award.badge_id.in_(batch.badge_ids), Award.member_id.in_(batch.member_ids))
    query = query.where(Award.awarded_at == batch.awarded_at, Award.revoked_at.is_(None)).order_by(Badge.name)
    earned: dict[UUID, list[str]] = {}
    for member_id, name in session.execute(query):
        earned.setdefault(member_id, []).append(name)
    notices: list[tuple[UUID, str, dict[str, int | str]]] = [
        (member_id, f"badges.batch:{event.id}:{member_id}", {"count": len(names), "badges": _few(names)})
        for member_id, names in sorted(earned.items())
    ]
    service.notify_many(session, "badges_awarded", notices)


def _few(names: list[str]) -> str:
    """The first names, so that a notice stays a notice."""
    return ", ".join(names[:MOST_NAMES]) + ("…" if len(names) > MOST_NAMES else "")


def tell_milestone(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``contributions.milestone.reached``; one that an import reached stays in-app."""
    for event in events:
        reached = event.payload
        notify(
            session,
            _because(actor, event),
            member_id=reached.member_id,
            kind="milestone_reached",
            params={"threshold": reached.threshold, "milestone_id": reached.milestone_id},
            reference=f"contributions.milestone:{reached.milestone_id}:{reached.member_id}",
            url="/admin/contributions/leaderboard",
            mail=not reached.quiet,
        )


def tell_reward(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``wallet.reward.paid``; one for an imported contribution stays in-app."""
    for event in events:
        paid = event.payload
        params = {"amount": shown(session, paid.amount, paid.asset), "reward_id": paid.reward_id}
        notify(
            session,
            _because(actor, event),
            member_id=paid.member_id,
            kind="reward_paid",
            params=_with_contribution(params, paid.contribution_id),
            reference=f"wallet.reward:{paid.reward_id}",
            mail=not _imported(session, paid.contribution_id),
        )


def tell_balance(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``wallet.balance.low``: the owner of the wallet, who set the threshold; the house has nobody to tell."""
    for event in events:
        low = event.payload
        if low.member_id is None:
            continue
        notify(
            session,
            _because(actor, event),
            member_id=low.member_id,
            kind="balance_low",
            params={
                "balance": shown(session, low.balance, low.asset),
                "threshold": shown(session, low.threshold, low.asset),
            },
            reference=f"wallet.balance_low:{event.id}",
        )


def tell_export(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``core.member.export_ready``: whoever asked for the copy hears of it."""
    for event in events:
        ready = event.payload
        if ready.asked_by_id is None:
            continue
        mine = ready.asked_by_id == ready.member_id
        notify(
            session,
            _because(actor, event),
            member_id=ready.asked_by_id,
            kind="export_ready",
            reference=f"core.export:{ready.export_id}",
            url="/profile/data" if mine else f"/admin/members/{ready.member_id}/data",
        )


def tell_credential(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``core.member.credential_changed``: the member hears of it, so that a thief is not alone to know."""
    for event in events:
        changed = event.payload
        notify(
            session,
            _because(actor, event),
            member_id=changed.member_id,
            kind=changed.change,
            reference=f"core.credential:{event.id}",
            url="/profile",
        )


def tell_mention(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """On ``core.comment.made``: each of the staff whom the comment names hears of it, once."""
    for event in events:
        comment = event.payload
        for member_id in comment.mentions:
            notify(
                session,
                _because(actor, event),
                member_id=member_id,
                kind="mentioned",
                reference=f"core.comment:{comment.comment_id}:{member_id}",
                url=comment.url,
            )


def send_mail(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``notifications.notification.created``: mail it, where there is a mail server and an address.

    At least once: after a crash between the sending and its record the mail goes out again under the same
    Message-ID. A mail that is refused for good is kept with its reason and not tried again.
    """
    if not event.payload.mail:
        return
    with unit_of_work() as session:
        config, settings = session.info["config"], read_settings(session, NotificationSettings)
        row = service.unmailed(session, event.payload.notification_id)
        member = session.get_one(Member, event.payload.member_id)
        # Nobody is behind .invalid (RFC 6761); the demo's members live there.
        reachable = member.email and not member.email.endswith(".invalid") and member.status == "active"
        if row is None or not (reachable and settings.mail and config.smtp_url):
            return
        say = translated(session, member.locale)
        [notice] = queries.shown(session, [row], say)
    try:
        sender = mail.sender(config.mail_from, settings.sender_name)
        message = mail.compose(notice, member, sender=sender, site=config.url, say=say)
        mail.send(mail.Server.from_url(config.smtp_url), message)
    except mail.MailUnusable as problem:
        with unit_of_work() as session:
            service.mail_refused(session, notice.id, str(problem))
        return
    with unit_of_work() as session:
        service.mail_accepted(session, notice.id)


def _because(actor: Actor, event: StoredEvent) -> Actor:
    """A batch holds events of many causes; each notice belongs to its own."""
    return actor.caused_by(event.id, event.correlation_id)


def _with_contribution(params: dict[str, object], contribution_id: UUID | None) -> dict[str, object]:
    return {**params, "contribution_id": contribution_id} if contribution_id else params


def _imported(session: Session, contribution_id: UUID | None) -> bool:
    """Whether a contribution came from an import, which never mails."""
    source = select(Contribution.source).where(Contribution.id == contribution_id)
    return contribution_id is not None and session.scalar(source) == "import"
