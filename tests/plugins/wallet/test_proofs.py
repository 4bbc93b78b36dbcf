"""Plugins prove what is theirs together with the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from plugins.wallet import service
from plugins.wallet.commands import verify as verify_command
from plugins.wallet.verify import labels, verify
from tests.core.workshop import workshop as workshop

from .conftest import SYSTEM

# What a merchant is owed: its account must hold what was accrued less what was settled.
HOOKS = """
class Hooks:
    @hookimpl
    def ledger_proofs(self):
        from plugins.wallet import Proof

        payable = '''
            SELECT 'merchant ' || m.id AS subject, m.id AS place,
                format('is owed %s, but its account holds %s', m.accrued - m.settled, coalesce(a.posted, 0)) AS detail
            FROM (VALUES ('anvil', 70, 40), ('bellows', 5, 0)) m (id, accrued, settled)
            LEFT JOIN wallet_account a ON a.purpose = 'owed_' || m.id
            WHERE coalesce(a.posted, 0) <> m.accrued - m.settled
        '''
        return [Proof(name="payable", label="Merchants are owed what was accrued", query=payable)MORE]
"""
BROKEN = ', Proof(name="torn", label="Nothing can be asked", query="SELECT 1 FROM nowhere")'
TWICE = ', Proof(name="payable", label="The same again", query="SELECT 1")'


def boot(workshop: Any, more: str = "") -> Any:
    source = HOOKS.replace("MORE", more)
    workshop.plugin("market", "requires={'wallet': '>=0'}, hooks=Hooks()", source)
    return workshop.boot()


def test_a_plugins_proof_is_asked_and_its_first_broken_row_named(workshop: Any) -> None:
    platform = boot(workshop)
    with platform.unit_of_work(SYSTEM) as session:
        assert labels(session)["market.payable"] == "Merchants are owed what was accrued"
        [found] = verify(session)
        assert (found.check, found.subject, found.count) == ("market.payable", "merchant anvil", 2)
        assert found.detail == "is owed 30, but its account holds 0"
        for name, amount in (("anvil", 30), ("bellows", 5)):
            account = service.open_account(session, asset="USD", purpose=f"owed_{name}")
            service.issue(session, SYSTEM, destination=account, amount=amount, reason="test")
        assert verify(session) == []
    done = CliRunner().invoke(verify_command, [], obj=platform)
    assert done.exit_code == 0, done.output
    with platform.unit_of_work(SYSTEM) as session:
        service.issue(session, SYSTEM, destination=account, amount=1, reason="test")
    done = CliRunner().invoke(verify_command, [], obj=platform)
    assert done.exit_code == 1
    assert "merchant bellows" in " ".join(done.output.split())


def test_a_proof_that_fails_is_no_proof_and_stops_no_other(workshop: Any) -> None:
    platform = boot(workshop, BROKEN)
    with platform.unit_of_work(SYSTEM) as session:
        found = {one.check: one for one in verify(session)}
        assert set(found) == {"market.payable", "market.torn"}
        assert "could not be asked" in found["market.torn"].detail


def test_a_name_that_two_proofs_share_is_refused(workshop: Any) -> None:
    platform = boot(workshop, TWICE)
    with platform.unit_of_work(SYSTEM) as session, pytest.raises(ValueError, match=r"market\.payable"):
        verify(session)
