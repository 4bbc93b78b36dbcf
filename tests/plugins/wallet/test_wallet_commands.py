"""The command line: fund, verify, and the alias ``ledger``."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from core.errors import Invalid
from plugins.wallet import commands, queries

from .conftest import new_wallet


@pytest.mark.parametrize("group", [commands.wallet, commands.ledger])
def test_verify_says_that_everything_holds(platform, group):
    result = CliRunner().invoke(group, ["verify"], obj=platform, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.count("holds") == 18
    assert "POINTS: 0 issued" in result.output


def test_verify_ends_with_1_and_names_the_broken_row(platform):
    with platform.unit_of_work() as session:
        account = new_wallet(session, 10)
        session.execute(text("UPDATE wallet_account SET posted = 11 WHERE id = :id"), {"id": account})
    result = CliRunner().invoke(commands.ledger, ["verify"], obj=platform, env={"COLUMNS": "240"})
    assert result.exit_code == 1
    assert f"account {account} shows 11, but its entries sum to 10" in result.output


def test_a_checkpoint_is_made_once_a_day_and_proved(platform):
    with platform.unit_of_work() as session:
        new_wallet(session, 10)
    said = [
        CliRunner().invoke(commands.ledger, ["checkpoint"], obj=platform, catch_exceptions=False).output
        for _ in range(2)
    ]
    assert said[0].endswith("2 accounts 2 entries\n")
    assert said[1] == "Today has its checkpoint already.\n"
    assert CliRunner().invoke(commands.ledger, ["verify"], obj=platform).exit_code == 0


def test_the_journal_is_printed(platform):
    with platform.unit_of_work() as session:
        new_wallet(session, 10)
    result = CliRunner().invoke(commands.ledger, ["journal"], obj=platform, catch_exceptions=False)
    assert '* "issue" "test"' in result.output
    assert result.output.count(" balance ") == 2


def test_fund_fills_the_reward_fund(platform):
    given = ["fund", "--amount", "100000", "--asset", "POINTS"]
    result = CliRunner().invoke(commands.wallet, given, obj=platform, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Issued 100,000 POINTS; 0 waiting rewards were paid." in result.output
    with platform.unit_of_work() as session:
        assert queries.reward_fund(session).balance == 100_000


@pytest.mark.parametrize("wrong", [["--amount", "0"], ["--amount", "5", "--asset", "GOLD"]])
def test_fund_refuses_in_words(platform, wrong):
    result = CliRunner().invoke(commands.wallet, ["fund", *wrong], obj=platform)
    assert isinstance(result.exception, Invalid)
