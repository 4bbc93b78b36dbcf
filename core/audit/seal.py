"""Sealing: one sealer chains committed audit rows, so that removing or changing one breaks every later link."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core.audit.models import AuditRow, Seal
from core.audit.trail import digest
from core.clock import now
from core.db import locks

BATCH = 1000
GENESIS = bytes(32)


@dataclass(frozen=True)
class Verdict:
    """What the check of the chain found. ``problems`` are sentences, the first broken link first."""

    sealed: int
    unsealed: int
    problems: tuple[str, ...]


def seal(session: Session) -> int:
    """Chain up to BATCH rows that are not sealed yet; returns how many. Only one sealer works at a time."""
    if not locks.try_advisory(session, "core.audit.seal"):
        return 0
    last = session.execute(select(Seal.seq, Seal.chain).order_by(Seal.seq.desc()).limit(1)).first()
    seq, chain = (last.seq, last.chain) if last else (0, GENESIS)
    waiting = select(AuditRow.id, AuditRow.digest).outerjoin(Seal, Seal.audit_id == AuditRow.id)
    rows = session.execute(waiting.where(Seal.audit_id.is_(None)).order_by(AuditRow.id).limit(BATCH)).all()
    links = []
    for row in rows:
        seq += 1
        chain = link(chain, seq, row.digest)
        links.append({"seq": seq, "audit_id": row.id, "chain": chain, "sealed_at": now()})
    if links:
        session.execute(insert(Seal), links)
    return len(links)


def link(before: bytes, seq: int, row_digest: bytes) -> bytes:
    """SHA-256 over the link before, the number of this one and the digest of its row."""
    return hashlib.sha256(before + seq.to_bytes(8, "big") + row_digest).digest()


def verify(session: Session, most_problems: int = 20) -> Verdict:
    """Recompute every digest and every link. Rows not sealed yet are counted, not judged by the chain."""
    problems: list[str] = []
    chain, expected = GENESIS, 1
    query = select(Seal, AuditRow).outerjoin(AuditRow, AuditRow.id == Seal.audit_id).order_by(Seal.seq)
    for kept, row in session.execute(query.execution_options(yield_per=1000)):
        if kept.seq != expected:
            problems.append(f"link {expected} is missing; the next one is {kept.seq}")
        if row is None:
            problems.append(f"audit row {kept.audit_id} was removed")
        elif digest(row) != row.digest:
            problems.append(f"audit row {row.id} was changed after it was written")
        chain = link(chain, kept.seq, row.digest) if row else kept.chain
        if chain != kept.chain:
            problems.append(f"link {kept.seq} does not follow from the one before it")
            chain = kept.chain
        expected = kept.seq + 1
        if len(problems) >= most_problems:
            break
    sealed = session.scalar(select(func.count()).select_from(Seal)) or 0
    unsealed = select(AuditRow).outerjoin(Seal, Seal.audit_id == AuditRow.id).where(Seal.audit_id.is_(None))
    tail = session.scalars(unsealed).all()
    problems += [f"audit row {row.id} was changed after it was written" for row in tail if digest(row) != row.digest]
    return Verdict(sealed=sealed, unsealed=len(tail), problems=tuple(problems[:most_problems]))
