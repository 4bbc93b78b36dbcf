"""Accounts: opened on demand, locked in one order, frozen and closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Member, audit, new_id, publish

from .. import errors
from ..events import WalletStateChanged
from ..models import Account, Asset
from ..queries import shown

LONGEST_REASON = 400
LABELS = {"issuance": "Issuance", "rewards": "Reward fund", "revenue": "Revenue"}
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
    found = _accounts(session, wanted)
    missing = sorted({key for key in wanted if key not in found}, key=str)
    if missing:
        # Sorted, so that two transactions that open the same accounts do not wait for each other.
        rows = [
            {
                "id": new_id(),
                "asset": asset,
                "purpose": purpose,
                "member_id": member,
                "label": label or ("" if member else LABELS.get(purpose, "")),
                "floor": "none" if purpose == "issuance" else "zero",
                "rank": 0 if member else 2 if purpose == "issuance" else 1,
            }
            for asset, purpose, member in missing
        ]
        try:
            with session.begin_nested():
                session.execute(insert(Account).values(rows).on_conflict_do_nothing())
        except IntegrityError:
            raise _unknown(session, missing) from None
        found |= _accounts(session, missing)
    return found


def _accounts(session: Session, wanted: Sequence[Key]) -> dict[Key, UUID]:
    members = {member for _asset, _purpose, member in wanted}
    owned = Account.member_id.in_([member for member in members if member])
    query = select(Account.asset, Account.purpose, Account.member_id, Account.id).where(
        or_(owned, Account.member_id.is_(None)) if None in members else owned,
        Account.asset.in_({asset for asset, _purpose, _member in wanted}),
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
    HouseAccount.
    """
    require_reason(reason)
    lock_accounts(session, [account_id])
    account = session.get(Account, account_id, populate_existing=True)
    if account is None:
        raise errors.UnknownAccount()
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


def require_reason(reason: str) -> None:
    """Raise ReasonRefused unless an admin gave one."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise errors.ReasonRefused()
