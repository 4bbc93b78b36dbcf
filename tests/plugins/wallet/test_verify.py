"""The proof finds what somebody changed behind the ledger's back, and names the row."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from plugins.wallet import service
from plugins.wallet.verify import labels, verify

from .conftest import SYSTEM


@pytest.fixture
def tampered(session, wallet):
    """Run SQL as somebody who can turn triggers off; the ledger has one transfer of 30 from ``one`` to ``other``."""
    one, other = wallet(100), wallet()
    receipt = service.transfer(
        session, SYSTEM, source=one, destination=other, amount=30, kind="transfer", reason="rent", reference="r1"
    )

    def tamper(sql, **params):
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(sql), {"one": one, "other": other, "transfer": receipt.id, **params})
        session.execute(text("SET LOCAL session_replication_role = origin"))
        return {finding.check: finding for finding in verify(session)}

    tamper.ids = one, other, receipt.id
    return tamper


def test_a_sound_ledger_has_no_findings(session, tampered):
    assert verify(session) == []
    assert set(labels(session)) == {
        "balanced",
        "complete",
        "gapless",
        "running",
        "posted",
        "floor",
        "ordered",
        "held",
        "captured",
        "once",
        "refunds",
        "reversals",
        "append_only",
        "sealed",
        "circulation",
        "rewards",
        "chain",
    }


@pytest.mark.parametrize(
    ("sql", "checks", "subject"),
    [
        (
            "UPDATE wallet_entry SET amount = amount + 1 WHERE transfer_id = :transfer AND account_id = :other",
            {"balanced", "running", "posted", "chain"},
            "entry 1 of account {other}",
        ),
        ("UPDATE wallet_transfer SET reason = 'gift' WHERE id = :transfer", {"chain"}, "entry 2 of account {one}"),
        (
            "UPDATE wallet_transfer SET reference = NULL WHERE id = :transfer",
            {"chain"},
            "entry 2 of account {one}",
        ),
        (
            "UPDATE wallet_entry SET recorded_at = recorded_at - interval '1 second' WHERE transfer_id = :transfer "
            "AND account_id = :other",
            {"chain"},
            "entry 1 of account {other}",
        ),
        ("UPDATE wallet_account SET tip = 'x' WHERE id = :one", {"chain"}, "account {one}"),
        (
            "DELETE FROM wallet_entry WHERE transfer_id = :transfer",
            {"complete", "gapless", "posted", "chain"},
            "account {one}",
        ),
        ("UPDATE wallet_account SET posted = 71 WHERE id = :one", {"posted", "circulation"}, None),
    ],
)
def test_tampering_is_found_and_the_row_is_named(tampered, sql, checks, subject):
    one, other, _transfer = tampered.ids
    found = tampered(sql)
    assert set(found) == checks
    if subject:
        assert found["chain"].subject in {subject.format(one=one, other=other), f"account {other}"}


def test_a_rewritten_history_is_still_found_by_the_accounts_tip(tampered):
    found = tampered(
        "UPDATE wallet_entry SET digest = sha256('anything') WHERE transfer_id = :transfer AND account_id = :other"
    )
    assert set(found) == {"chain"}


def test_a_paid_reward_without_its_transfer_is_found(tampered, session):
    found = tampered(
        "INSERT INTO wallet_reward (id, member_id, amount, asset, reason, reference, state, transfer_id, "
        "correlation_id, requested_at, paid_at) SELECT :one, member_id, 30, 'POINTS', 'milestone', 'm', 'paid', "
        ":transfer, :one, now(), now() FROM wallet_account WHERE id = :other"
    )
    assert set(found) == {"rewards"}
    assert found["rewards"].subject == f"reward {tampered.ids[0]}"
