"""Wallets as a way in: signing a message of EIP-4361 proves that one holds the key of an address.

The message is made here (``challenge``) and must come back word for word in its meaning: for this site, this purpose,
this address and, where somebody is signed in, this session. Whatever becomes of it, its number is spent. A wallet
belongs to one member; a member who came by wallet needs neither e-mail address nor password.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from core.actor import Actor
from core.addresses import CHAINS, EVM
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members import ethereum, nonces, service, sessions, signals, throttle, two_factor
from core.members.accounts import RegistrationClosed
from core.members.ethereum import refused
from core.members.events import CredentialChanged, SignInFailed
from core.members.models import Credential, Member, Wallet
from core.platform_settings import PlatformSettings
from core.settings import read
from core.switches import service as switches

Purpose = Literal["sign_in", "register", "link", "step_up"]
STATEMENTS: dict[Purpose, str] = {
    "sign_in": "Sign in with this wallet.",
    "register": "Register with this wallet.",
    "link": "Link this wallet to my account.",
    "step_up": "Confirm that it is me.",
}
CHAIN_IDS = tuple(int(one.id.split(":")[1]) for one in CHAINS.values() if one.format is EVM)
AHEAD = timedelta(minutes=1)  # how far another clock may be ahead of ours
MOST_WALLETS = 20


class WalletUnknown(Forbidden):
    """Said to who has proved to hold the wallet, so it tells a stranger nothing."""

    code = "WALLET_UNKNOWN"
    status = 401
    keeps = True
    sentence = _("No account has this wallet. Sign in another way and link it on your profile, or register with it.")


class WalletTaken(Conflict):
    code = "WALLET_TAKEN"
    sentence = _("This wallet is linked with an account already.")


class LastWayIn(Conflict):
    code = "LAST_WAY_IN"
    sentence = _("Without this wallet you could not sign in any more. Link another one or set a password first.")


class TooManyWallets(Conflict):
    code = "TOO_MANY_WALLETS"
    sentence = _("You have linked {most} wallets, the most there may be. Unlink one first.")


@dataclass(frozen=True)
class Challenge:
    """The text a wallet is to sign (``personal_sign``), and until when it may be handed in."""

    message: str
    expires_at: datetime


def registers(session: Session) -> bool:
    """Whether who holds a wallet may become a member by it."""
    asked = read(session, PlatformSettings)
    return asked.registration and asked.wallet_registration


def challenge(
    session: Session, actor: Actor, *, address: str, purpose: Purpose, chain_id: int | None = None
) -> Challenge:
    """A message for the wallet at ``address`` to sign, good for five minutes and once. Keeps nothing.

    ``chain_id`` is of EIP-155; without it the first network known here. Raises InvalidAddress, Invalid,
    RegistrationClosed, and Unauthenticated for a purpose that takes somebody signed in.
    """
    address, at = EVM.check(address), now()
    if purpose == "register" and not registers(session):
        raise RegistrationClosed()
    subject = _subject(actor, purpose, address)
    number = CHAIN_IDS[0] if chain_id is None else chain_id
    if number not in CHAIN_IDS:
        raise Invalid({"chain_id": [_("This network is not known here.")]})
    url = session.info["config"].url
    message = ethereum.Message(
        domain=urlsplit(url).netloc,
        address=address,
        statement=STATEMENTS[purpose],
        uri=f"{url}/login",
        chain_id=number,
        nonce=nonces.issue(session, purpose, subject),
        issued_at=at,
        expiration_time=at + nonces.LIFETIME,
    )
    return Challenge(str(message), at + nonces.LIFETIME)


def sign_in(session: Session, actor: Actor, *, message: str, signature: str, device: str | None = None) -> Member:
    """The member whose wallet signed ``message``; ``device`` names a browser that is known to be that person's.

    Raises MessageRefused, SignatureRefused, ContractWallet and WalletUnknown, which keep the failure that they
    counted; TooManyAttempts; MemberSuspended. A second factor is the caller's to ask for.
    """
    address = _proved(session, actor, "sign_in", message, signature, device)
    query = select(Member, Wallet).join(Wallet, Wallet.member_id == Member.id).where(Wallet.address == address)
    found = session.execute(query).tuples().first()
    if found is None:
        raise WalletUnknown()
    member, wallet = found
    if member.status != "active" or member.user_id is None:
        raise service.MemberSuspended(status=member.status)
    member.last_login_at = wallet.last_used_at = now()
    signals.note_seen(session, member.id, wallet=address)
    return member


def register(
    session: Session, actor: Actor, *, message: str, signature: str, display_name: str, device: str | None = None
) -> Member:
    """Make a member of whoever holds the wallet, without e-mail address or password, where registration is open.

    Raises RegistrationClosed, Invalid, WalletTaken, TooManyAttempts and what ``sign_in`` raises about the message.
    """
    switches.require(session, "core.registration")
    if not registers(session):
        raise RegistrationClosed()
    service.check_profile(None, display_name)
    address = _proved(session, actor, "register", message, signature, device)
    # Wallets cost nothing: whoever registers many from one machine is slowed down as who guesses is.
    throttle.attempt(session, f"register:{address}", ip=actor.ip).failed()
    with session.begin_nested():
        member = service.register(session, actor, email=None, password=None, display_name=display_name)
        _add(session, actor, member.id, address, label="")
    member.last_login_at = now()
    return member


def link(session: Session, actor: Actor, *, message: str, signature: str, label: str = "") -> Wallet:
    """Link the wallet that signed ``message`` with the actor's account; the first one becomes the primary. Audited.

    Raises StepUpRequired, WalletTaken, TooManyWallets and what ``sign_in`` raises about the message.
    """
    actor.require_session()
    actor.require_step_up()
    assert actor.member_id is not None
    label = " ".join(label.split())
    if len(label) > 60 or not label.isprintable():
        raise Invalid({"label": [_("Give a name of at most 60 characters.")]})
    address = _proved(session, actor, "link", message, signature)
    made = _add(session, actor, actor.member_id, address, label)
    publish(session, actor, CredentialChanged(member_id=actor.member_id, change="wallet_linked"))
    return made


def step_up(
    session: Session,
    actor: Actor,
    *,
    message: str,
    signature: str,
    code: str = "",
    device: str | None = None,
    factor_code_id: UUID | None = None,
) -> None:
    """Prove again who one is by a linked wallet and, where it is on, the second factor; as ``service.step_up``.

    Raises what ``sign_in`` and ``two_factor.check`` raise; WalletUnknown for another's wallet.
    """
    actor.require_own()
    if actor.member_id is None or actor.session_id is None:
        raise Unauthenticated()
    address = _proved(session, actor, "step_up", message, signature, device)
    mine = (Wallet.member_id == actor.member_id, Wallet.address == address)
    if not _changed(session.execute(update(Wallet).where(*mine).values(last_used_at=now()))):
        raise WalletUnknown()
    if two_factor.is_on(session, actor.member_id):
        two_factor.check(session, actor, actor.member_id, code, code_id=factor_code_id)
    sessions.step_up(session, actor.session_id)


def unlink(session: Session, actor: Actor, wallet_id: UUID) -> None:
    """Take a wallet of the actor's account away; the oldest of the others becomes the primary. Audited.

    Raises NotFound, StepUpRequired, and LastWayIn for the only wallet of a member without a password.
    """
    actor.require_session()
    actor.require_step_up()
    assert actor.member_id is not None
    locks.members(session, [actor.member_id])
    mine = of_member(session, actor.member_id)
    wallet = next((one for one in mine if one.id == wallet_id), None)
    if wallet is None:
        raise NotFound()
    password = exists().where(Credential.member_id == actor.member_id)
    if len(mine) == 1 and not session.scalar(select(password)):
        raise LastWayIn()
    session.execute(delete(Wallet).where(Wallet.id == wallet.id))
    others = sorted((one for one in mine if one is not wallet), key=lambda one: (one.linked_at, one.id))
    if wallet.is_primary and others:
        _make_primary(session, others[0])
    record(session, actor, "core.member.wallet_unlinked", subject_type="core.member", subject_id=actor.member_id)
    publish(session, actor, CredentialChanged(member_id=actor.member_id, change="wallet_unlinked"))


def make_primary(session: Session, actor: Actor, wallet_id: UUID) -> None:
    """Choose the wallet that a member is known by. Audited. Raises NotFound, StepUpRequired."""
    actor.require_session()
    actor.require_step_up()
    assert actor.member_id is not None
    locks.members(session, [actor.member_id])
    wallet = next((one for one in of_member(session, actor.member_id) if one.id == wallet_id), None)
    if wallet is None:
        raise NotFound()
    session.execute(update(Wallet).where(Wallet.member_id == actor.member_id).values(is_primary=False))
    _make_primary(session, wallet)
    record(session, actor, "core.member.wallet_primary", subject_type="core.member", subject_id=actor.member_id)


def of_member(session: Session, member_id: UUID) -> list[Wallet]:
    """A member's wallets, the primary first, then the oldest."""
    order = (Wallet.is_primary.desc(), Wallet.linked_at, Wallet.id)
    query = select(Wallet).where(Wallet.member_id == member_id).order_by(*order)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def primary_address(session: Session, member_id: UUID | None) -> str | None:
    """The address a member is known by, if any."""
    return session.scalar(select(Wallet.address).where(Wallet.member_id == member_id, Wallet.is_primary))


def account_name(address: str) -> str:
    """What failures at a wallet are counted by, and what a known browser is known for."""
    return f"wallet:{address.lower()}"


def _proved(
    session: Session, actor: Actor, purpose: Purpose, text: str, signature: str, device: str | None = None
) -> str:
    """The address that signed ``text`` for this purpose, here and now. Its number is spent, whatever comes of it."""
    message = ethereum.parse(text)
    attempt = throttle.attempt(session, account_name(message.address), ip=actor.ip, device=device)
    try:
        _judge(session, actor, purpose, message)
        if ethereum.signer(text, signature) != message.address:
            raise ethereum.SignatureRefused()
    except (ethereum.MessageRefused, ethereum.SignatureRefused, ethereum.ContractWallet):
        attempt.failed()
        owner = session.scalar(select(Wallet.member_id).where(Wallet.address == message.address))
        publish(session, actor, SignInFailed(member_id=owner, factor="wallet"))
        raise
    attempt.succeeded()
    return message.address


def _judge(session: Session, actor: Actor, purpose: Purpose, message: ethereum.Message) -> None:
    """Refuse a message that is not the one ``challenge`` makes. Raises MessageRefused."""
    if not nonces.spend(session, purpose, _subject(actor, purpose, message.address), message.nonce):
        raise refused(_("Its number was used before, has expired, or was given for something else."))
    url, at = session.info["config"].url, now()
    site = urlsplit(url)
    if message.domain != site.netloc or message.scheme not in ("", site.scheme):
        raise refused(_("It is meant for another site."))
    if message.uri != f"{url}/login":
        raise refused(_("It is meant for another address of this site."))
    if message.statement != STATEMENTS[purpose] or message.resources or message.request_id is not None:
        raise refused(_("It says something else than it was made to say."))
    if message.chain_id not in CHAIN_IDS:
        raise refused(_("It names a network that is not known here."))
    if not at - nonces.LIFETIME - AHEAD <= message.issued_at <= at + AHEAD:
        raise refused(_("It was not made just now."))
    if (message.expiration_time and message.expiration_time <= at) or (message.not_before and message.not_before > at):
        raise refused(_("It has expired, or is not good yet."))


def _subject(actor: Actor, purpose: Purpose, address: str) -> str:
    """Whom and what a number is for: an address, and the session of who is signed in."""
    if purpose in ("sign_in", "register"):
        return address
    actor.require_own()
    if actor.session_id is None:
        raise Unauthenticated()
    return f"{address}|{actor.session_id}"


def _add(session: Session, actor: Actor, member_id: UUID, address: str, label: str) -> Wallet:
    locks.members(session, [member_id])
    mine = of_member(session, member_id)
    if len(mine) >= MOST_WALLETS:
        raise TooManyWallets(most=MOST_WALLETS)
    row = {
        "id": new_id(),
        "member_id": member_id,
        "address": address,
        "label": label,
        "is_primary": not mine,
        "linked_at": now(),
    }
    statement = insert(Wallet).values(row).on_conflict_do_nothing(index_elements=["address"]).returning(Wallet)
    made: Wallet | None = session.scalar(statement)
    if made is None:
        raise WalletTaken()
    signals.note_seen(session, member_id, wallet=address)
    record(session, actor, "core.member.wallet_linked", subject_type="core.member", subject_id=member_id)
    return made


def _make_primary(session: Session, wallet: Wallet) -> None:
    session.execute(update(Wallet).where(Wallet.id == wallet.id).values(is_primary=True))


def _changed(result: object) -> bool:
    return isinstance(result, CursorResult) and result.rowcount == 1
