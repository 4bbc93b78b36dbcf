"""Accounts: opened on demand, locked in one order, frozen and closed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Member, _, audit, new_id, publish

from .. import errors
from ..events import WalletStateChanged
from ..models import Account, Asset
from ..queries import shown

LONGEST_REASON = 400
LONGEST_LABEL = 120
LABELS = {
    "issuance": _("Issuance"),
    "rewards": _("Reward fund"),
    "revenue": _("Revenue"),
    "exchange": _("Exchange"),
    "fees": _("Fees"),
}
Key = tuple[str, str, UUID | None]  # asset, purpose, member

_LOCK = text("SELECT id FROM wallet_account WHERE id = ANY(:ids) ORDER BY rank, id FOR NO KEY UPDATE")


def lock_accounts(session: Session, ids: Iterable[UUID]) -> None:
    """Lock accounts until the transaction ends, in the one order that everybody keeps: hot ones last."""
    session.execute(_LOCK, {"ids": sorted(set(ids))})


def open_account(
    session: Session, *, asset: str, purpose: str = "member", member_id: UUID | None = None, label: str = ""
) -> UUID:
    """The account of (member, asset, purpose), made when it is missing. Raises UnknownAsset, UnknownMember.

    Without a member it is an account of the house. Only ``issuance`` may hold less than zero.
    """
    return open_accounts(session, [(asset, purpose, member_id)], label=label)[asset, purpose, member_id]


def open_accounts(session: Session, wanted: Sequence[Key], *, label: str = "") -> dict[Key, UUID]:
    """As ``open_account`` for many (asset, purpose, member)."""
    if any(purpose == "member" and member is None for _asset, purpose, member in wanted):
        raise errors.UnknownMember()
    found = _accounts(session, wanted)
    missing = sorted({key for key in wanted if key not in found}, key=str)
    if missing:
        # Sorted, so that two transactions that open the same accounts do not wait for each other.
        rows = [_row(new_id(), asset, purpose, member, label) for asset, purpose, member in missing]
        try:
            with session.begin_nested():
                session.execute(insert(Account).values(rows).on_conflict_do_nothing())
        except IntegrityError:
            raise _unknown(session, missing) from None
        found |= _accounts(session, missing)
    return found


def house_account(session: Session, *, asset: str, purpose: str, reference: str | None = None) -> UUID:
    """An account of the house that has no floor or only receives: one of its stripes, so that it is no queue.

    An asset has as many as its ``stripes``. The same ``reference`` finds the same one again. Raises UnknownAsset.
    """
    stripes = session.scalar(select(Asset.stripes).where(Asset.code == asset)) or 1
    if stripes == 1:
        return open_account(session, asset=asset, purpose=purpose)
    stripe = zlib.crc32((reference or str(new_id())).encode()) % stripes
    which = (
        Account.asset == asset,
        Account.purpose == purpose,
        Account.member_id.is_(None),
        Account.stripe == stripe,
    )
    found = session.scalar(select(Account.id).where(*which))
    if found is None:
        values = _row(new_id(), asset, purpose, None, "") | {"stripe": stripe}
        session.execute(insert(Account).values(values).on_conflict_do_nothing())
        found = session.scalar(select(Account.id).where(*which))
    assert found is not None
    return found


def _row(account_id: UUID, asset: str, purpose: str, member: UUID | None, label: str) -> dict[str, Any]:
    return {
        "id": account_id,
        "asset": asset,
        "purpose": purpose,
        "member_id": member,
        "label": label or ("" if member else LABELS.get(purpose, "")),
        "floor": "none" if purpose == "issuance" else "zero",
        "rank": 0 if member else 2 if purpose == "issuance" else 1,
    }


def _accounts(session: Session, wanted: Sequence[Key]) -> dict[Key, UUID]:
    members = {member for _asset, _purpose, member in wanted}
    owned = Account.member_id.in_([member for member in members if member])
    query = select(Account.asset, Account.purpose, Account.member_id, Account.id).where(
        or_(owned, Account.member_id.is_(None)) if None in members else owned,
        Account.asset.in_({asset for asset, _purpose, _member in wanted}),
        Account.stripe == 0,
    )
    keys = set(wanted)
    return {key: row.id for row in session.execute(query) if (key := (row.asset, row.purpose, row.member_id)) in keys}


def _unknown(session: Session, keys: Iterable[Key]) -> DomainError:
    for asset, _purpose, member in keys:
        if session.get(Asset, asset) is None:
            return errors.UnknownAsset(asset=asset)
        if member and session.get(Member, member) is None:
            return errors.UnknownMember()
    raise AssertionError(f"these accounts could not be opened: {list(keys)}")


def set_state(session: Session, actor: Actor, *, account_id: UUID, state: str, reason: str) -> Account:
    """Freeze (nothing leaves), close (nothing moves, for good) or unfreeze a wallet.

    Raises ReasonRefused, UnknownAccount, WalletClosed (it is and stays), WalletNotEmpty,
    HouseAccount, WhileImpersonating.
    """
    actor.require_own()
    require_reason(reason)
    account = _locked(session, account_id)
    before = account.state
    if before == state:
        return account
    if before == "closed":
        raise errors.WalletClosed(needed=shown(session, account.posted, account.asset))
    if state == "closed" and account.member_id is None:
        raise errors.HouseAccount()
    if state == "closed" and (account.posted or account.held):
        raise errors.WalletNotEmpty(balance=shown(session, account.posted, account.asset))
    account.state = state
    session.flush()
    event = WalletStateChanged(account_id=account.id, member_id=account.member_id, before=before, after=state)
    publish(session, actor, event)
    audit(
        session,
        actor,
        "wallet.account.state_changed",
        subject_type="wallet.account",
        subject_id=account.id,
        changes={"state": [before, state]},
        reason=reason,
    )
    return account


def set_limits(
    session: Session,
    actor: Actor,
    *,
    account_id: UUID,
    daily_limit: int | None,
    overdraft: int,
    reason: str,
    low_below: int | EllipsisType | None = ...,
) -> Account:
    """Set what may leave an account in a day (UTC; None: as the asset says) and how far below zero it may go.

    ``low_below`` is below which balance BalanceLow is published (None: never), as for the reward fund. All in the
    smallest unit. Raises ReasonRefused, UnknownAccount, LimitRefused, also for an overdraft that is in use.
    """
    require_reason(reason)
    account = _locked(session, account_id)
    wanted = {"daily_limit": daily_limit, "overdraft": overdraft}
    if not isinstance(low_below, EllipsisType):
        wanted["low_below"] = low_below
    _require_limit(*wanted.values())
    if account.floor == "zero" and account.posted - account.held + overdraft < 0:
        raise errors.LimitRefused()
    changes = {}
    for name, value in wanted.items():
        if getattr(account, name) != value:
            changes[name] = [getattr(account, name), value]
            setattr(account, name, value)
    session.flush()
    if changes:
        audit(
            session,
            actor,
            "wallet.account.limits_changed",
            subject_type="wallet.account",
            subject_id=account.id,
            changes=changes,
            reason=reason,
        )
    return account


def update_own(
    session: Session,
    actor: Actor,
    *,
    account_id: UUID,
    label: str | None = None,
    low_below: int | EllipsisType | None = ...,
) -> Account:
    """Name one's own wallet, and say below which balance one wants to hear of it (None: never).

    Raises UnknownAccount (also for somebody else's), LabelRefused, LimitRefused.
    """
    account = _locked(session, account_id)
    if actor.member_id is None or account.member_id != actor.member_id:
        raise errors.UnknownAccount()
    if label is not None:
        if len(label) > LONGEST_LABEL or not label.isprintable():
            raise errors.LabelRefused(most=LONGEST_LABEL)
        account.label = label.strip()
    if not isinstance(low_below, EllipsisType):
        _require_limit(low_below)
        account.low_below = low_below
    session.flush()
    return account


def _locked(session: Session, account_id: UUID) -> Account:
    lock_accounts(session, [account_id])
    account = session.get(Account, account_id, populate_existing=True)
    if account is None:
        raise errors.UnknownAccount()
    return account


def _require_limit(*limits: int | None) -> None:
    if any(limit is not None and not 0 <= limit < 10**38 for limit in limits):
        raise errors.LimitRefused()


def require_reason(reason: str) -> None:
    """Raise ReasonRefused unless an admin gave one."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise errors.ReasonRefused()
