"""Prove the ledger: every invariant as a question to the tables, and the digest chain computed anew.

Each question is one statement and thus one snapshot, so that it may run while money moves. Other plugins prove what is
theirs by the hook ``ledger_proofs``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from guildhall import DomainError, _, call, unseal

from . import chain
from .hookspecs import Proof
from .models import Checkpoint
from .service.checkpoints import CONTEXT, root, sealed

log = structlog.get_logger("wallet")


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant: its name, the first row that breaks it, what is wrong, and how many rows break it.

    The name of another plugin's begins with that one's: ``merchants.payable``.
    """

    check: str
    subject: str
    detail: str
    count: int


# Each returns (subject, detail, order) of every row that breaks the rule; the first by ``place`` is reported.
CHECKS: dict[str, tuple[str, str]] = {
    "balanced": (
        _("Every transfer sums to zero in each asset"),
        """
        SELECT 'transfer ' || e.transfer_id AS subject, format('sums to %s %s', sum(e.amount), a.asset) AS detail,
            min(e.recorded_at)::text || e.transfer_id AS place
        FROM wallet_entry e JOIN wallet_account a ON a.id = e.account_id
        GROUP BY e.transfer_id, a.asset HAVING sum(e.amount) <> 0
        """,
    ),
    "complete": (
        _("Every transfer has its entries"),
        """
        SELECT 'transfer ' || t.id AS subject, 'has no entries' AS detail, t.id::text AS place
        FROM wallet_transfer t WHERE NOT EXISTS (SELECT FROM wallet_entry e WHERE e.transfer_id = t.id)
        """,
    ),
    "gapless": (
        _("Every account's entries are numbered without a gap"),
        """
        SELECT 'account ' || a.id AS subject,
            format('has %s entries up to number %s, but counts %s', count(e.version), coalesce(max(e.version), 0),
                a.version) AS detail, a.id::text AS place
        FROM wallet_account a LEFT JOIN wallet_entry e ON e.account_id = a.id
        GROUP BY a.id HAVING count(e.version) <> a.version OR coalesce(max(e.version), 0) <> a.version
        """,
    ),
    "running": (
        _("Every entry carries the balance on"),
        """
        SELECT format('entry %s of account %s', version, account_id) AS subject,
            format('says %s, but the entries until there sum to %s', balance_after, should) AS detail,
            account_id::text || lpad(version::text, 19, '0') AS place
        FROM (SELECT *, sum(amount) OVER (PARTITION BY account_id ORDER BY version) AS should FROM wallet_entry) e
        WHERE balance_after <> should
        """,
    ),
    "posted": (
        _("Every balance is the sum of its entries"),
        """
        SELECT 'account ' || a.id AS subject,
            format('shows %s, but its entries sum to %s', a.posted, coalesce(sum(e.amount), 0)) AS detail,
            a.id::text AS place
        FROM wallet_account a LEFT JOIN wallet_entry e ON e.account_id = a.id
        GROUP BY a.id HAVING a.posted <> coalesce(sum(e.amount), 0)
        """,
    ),
    "floor": (
        _("No account is below its floor"),
        """
        SELECT 'account ' || id AS subject, format('has %s, of which %s are held', posted, held) AS detail,
            id::text AS place
        FROM wallet_account WHERE held < 0 OR floor = 'zero' AND posted - held + overdraft < 0
        """,
    ),
    "ordered": (
        _("Every account's entries were recorded in the order of their numbers"),
        """
        SELECT format('entry %s of account %s', version, account_id) AS subject,
            format('is of %s, before the entry before it', recorded_at) AS detail,
            account_id::text || lpad(version::text, 19, '0') AS place
        FROM (
            SELECT *, lag(recorded_at) OVER (PARTITION BY account_id ORDER BY version) AS before FROM wallet_entry
        ) e
        WHERE recorded_at < before
        """,
    ),
    "held": (
        _("What is held is the sum of the open holds"),
        """
        SELECT 'account ' || a.id AS subject,
            format('holds %s, but its open holds sum to %s', a.held, coalesce(sum(h.amount), 0)) AS detail,
            a.id::text AS place
        FROM wallet_account a LEFT JOIN wallet_hold h ON h.account_id = a.id AND h.state = 'open'
        GROUP BY a.id HAVING a.held <> coalesce(sum(h.amount), 0)
        """,
    ),
    "captured": (
        _("Every hold ended once, and a captured one by a transfer of what was captured"),
        """
        SELECT 'hold ' || h.id AS subject,
            format('is %s with %s captured, but its transfer took %s', h.state, h.captured, coalesce(-e.amount, 0))
                AS detail, h.id::text AS place
        FROM wallet_hold h
        LEFT JOIN wallet_entry e ON e.transfer_id = h.transfer_id AND e.account_id = h.account_id
        WHERE h.captured <> coalesce(-e.amount, 0) OR h.captured > h.amount
            OR (h.state = 'captured') <> (h.transfer_id IS NOT NULL)
        """,
    ),
    "once": (
        _("Every reference names one transfer, and every transfer is reversed at most once"),
        """
        SELECT format('transfer %s', min(id::text)) AS subject,
            format('shares %s with %s others', what, count(*) - 1) AS detail, min(id::text) AS place
        FROM (
            SELECT id, 'the reference ' || reference AS what FROM wallet_transfer WHERE reference IS NOT NULL
            UNION ALL SELECT id, 'what it reverses' || reverses FROM wallet_transfer WHERE reverses IS NOT NULL
        ) t
        GROUP BY what HAVING count(*) > 1
        """,
    ),
    "refunds": (
        _("Refunds give back no more than was paid, from who got it to who paid it"),
        """
        SELECT 'transfer ' || t.refunds AS subject,
            format('moved %s, but %s were refunded', coalesce(max(o.amount), 0), sum(e.amount)) AS detail,
            t.refunds::text AS place
        FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id AND e.amount > 0
        LEFT JOIN (
            SELECT transfer_id, account_id, -amount AS amount FROM wallet_entry WHERE amount < 0
        ) o ON o.transfer_id = t.refunds AND o.account_id = e.account_id
        WHERE t.refunds IS NOT NULL
        GROUP BY t.refunds HAVING sum(e.amount) > coalesce(max(o.amount), 0)
            OR EXISTS (SELECT FROM wallet_transfer r WHERE r.reverses = t.refunds)
        """,
    ),
    "reversals": (
        _("A reversal is the mirror of what it reverses"),
        """
        SELECT 'transfer ' || t.id AS subject, 'does not move back what it reverses' AS detail, t.id::text AS place
        FROM wallet_transfer t
        WHERE t.reverses IS NOT NULL AND EXISTS (
            SELECT FROM (SELECT account_id, amount FROM wallet_entry WHERE transfer_id = t.id) m
            FULL JOIN (SELECT account_id, -amount AS amount FROM wallet_entry WHERE transfer_id = t.reverses) o
                USING (account_id, amount)
            WHERE m IS NULL OR o IS NULL
        )
        """,
    ),
    "append_only": (
        _("The database refuses to change what was recorded, and weighs every transfer"),
        """
        SELECT format('trigger %s of %s', due.name, due.relation) AS subject, 'is missing or switched off' AS detail,
            due.relation || due.name AS place
        FROM (VALUES
            ('wallet_transfer', 'append_only'), ('wallet_entry', 'append_only'), ('wallet_entry', 'balanced'),
            ('wallet_checkpoint', 'append_only'), ('wallet_tip', 'append_only')
        ) due (relation, name)
        LEFT JOIN pg_trigger t
            ON t.tgrelid = to_regclass(due.relation) AND t.tgname = due.name AND t.tgenabled IN ('O', 'A')
        WHERE t.oid IS NULL
        """,
    ),
    "circulation": (
        _("What was issued is what is there"),
        """
        SELECT 'asset ' || asset AS subject, format('its accounts sum to %s instead of 0', sum(posted)) AS detail,
            asset::text AS place
        FROM wallet_account GROUP BY asset HAVING sum(posted) <> 0
        """,
    ),
    "rewards": (
        _("Every paid reward has its one transfer, and every other one none"),
        """
        SELECT 'reward ' || r.id AS subject,
            format('is %s, with %s payments of %s to its member', r.state, count(e.version), r.amount) AS detail,
            r.id::text AS place
        FROM wallet_reward r
        LEFT JOIN wallet_transfer t ON t.reference = 'reward:' || r.id AND (r.state <> 'paid' OR t.id = r.transfer_id)
        LEFT JOIN (wallet_entry e JOIN wallet_account a ON a.id = e.account_id)
            ON e.transfer_id = t.id AND e.amount = r.amount AND a.member_id = r.member_id AND a.asset = r.asset
        GROUP BY r.id HAVING count(e.version) <> CASE r.state WHEN 'paid' THEN 1 ELSE 0 END
        """,
    ),
}
CHAIN = _("Every entry's digest follows from the one before it")
SEALS = _("Every sealed checkpoint still stands in the entries")

_CHAIN = text("""
    SELECT a.id AS account_id, a.tip, a.version AS last, e.version, e.transfer_id, e.amount, e.balance_after, e.digest,
        e.recorded_at, t.kind, t.reason, t.reference
    FROM wallet_account a
    LEFT JOIN wallet_entry e ON e.account_id = a.id LEFT JOIN wallet_transfer t ON t.id = e.transfer_id
    ORDER BY a.id, e.version
""")


def verify(session: Session) -> list[Finding]:
    """What is wrong with the ledger, and with what other plugins prove; empty when nothing is. Reads every entry."""
    findings = [found for name, (_label, query) in CHECKS.items() if (found := _first_broken(session, name, query))]
    broken = list(_broken_links(session))
    if broken:
        findings.append(Finding("chain", *broken[0], len(broken)))
    tampered = list(_broken_seals(session))
    if tampered:
        findings.append(Finding("sealed", *tampered[0], len(tampered)))
    for name, proof in _proofs(session).items():
        try:
            with session.begin_nested():
                found = _first_broken(session, name, proof.query)
        except SQLAlchemyError as problem:
            log.error("a proof could not be asked", proof=name, exc_info=problem)
            found = Finding(name, f"proof {name}", "could not be asked: its query fails", 1)
        if found:
            findings.append(found)
    return findings


def labels(session: Session) -> dict[str, str]:
    """What each check proves, by its name; those of other plugins last."""
    own = {name: label for name, (label, _query) in CHECKS.items()}
    others = {name: proof.label for name, proof in _proofs(session).items()}
    return {**own, "chain": CHAIN, "sealed": SEALS, **others}


def _first_broken(session: Session, name: str, query: str) -> Finding | None:
    first = f"SELECT subject, detail, count(*) OVER () AS count FROM ({query}) broken ORDER BY place LIMIT 1"
    row = session.execute(text(first)).first()
    return Finding(name, *row) if row else None


def _proofs(session: Session) -> dict[str, Proof]:
    """What plugins prove by the hook ``ledger_proofs``, by plugin and name. Raises ValueError for a name used twice."""
    found: dict[str, Proof] = {}
    for plugin, proofs in call(session, "ledger_proofs"):
        for proof in proofs:
            name = f"{plugin}.{proof.name}"
            if name in found:
                raise ValueError(f"two proofs of the ledger are called {name}")
            found[name] = proof
    return found


def _broken_links(session: Session) -> Iterator[tuple[str, str]]:
    """The first broken entry of each account, and tips that are not the last digest."""
    account, previous, tip, broken = None, b"", b"", False
    rows = session.execute(_CHAIN, execution_options={"yield_per": 1000})
    for row in rows:
        if row.account_id != account:
            if account and not broken and previous != tip:
                yield f"account {account}", "its tip is not the digest of its last entry"
            account, previous, tip, broken = row.account_id, b"", bytes(row.tip), False
        if row.version is None or broken:
            continue
        due = chain.digest(
            previous,
            account_id=row.account_id,
            version=row.version,
            transfer_id=row.transfer_id,
            amount=int(row.amount),
            balance_after=int(row.balance_after),
            recorded_at=row.recorded_at,
            kind=row.kind,
            reason=row.reason,
            reference=row.reference,
        )
        previous = bytes(row.digest)
        if previous != due:
            broken = True
            yield f"entry {row.version} of account {account}", "its digest does not follow from its content"
    if account and not broken and previous != tip:
        yield f"account {account}", "its tip is not the digest of its last entry"


_TIPS = text("""
    SELECT t.account_id, t.version, t.tip, e.digest
    FROM wallet_tip t LEFT JOIN wallet_entry e ON e.account_id = t.account_id AND e.version = t.version
    WHERE t.checkpoint_id = :id
""")


def _broken_seals(session: Session) -> Iterator[tuple[str, str]]:
    """Checkpoints whose seal, whose root or whose tips are no longer what they were."""
    previous = b""
    for one in session.scalars(select(Checkpoint).order_by(Checkpoint.day)):
        subject = f"checkpoint of {one.day}"
        tips = session.execute(_TIPS, {"id": one.id}).all()
        changed = [row for row in tips if row.digest is None or bytes(row.digest) != bytes(row.tip)]
        try:
            said = unseal(session, CONTEXT, bytes(one.seal), about=str(one.day))
        except DomainError:
            said = b""
        if said != sealed(one.day, bytes(one.root), one.entries):
            yield subject, "is not what was sealed"
        elif root(previous, [(row.account_id, row.version, bytes(row.tip)) for row in tips]) != bytes(one.root):
            yield subject, "does not cover the tips that are kept with it"
        elif changed:
            yield subject, f"knew another entry {changed[0].version} of account {changed[0].account_id}"
        previous = bytes(one.root)
