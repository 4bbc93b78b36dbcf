"""The tables are what the models say, and go away without a trace."""

from __future__ import annotations

from sqlalchemy import text

from core.db import migrate
from plugins.wallet.seed import ASSETS, seed

from .conftest import SYSTEM, count


def test_models_and_tables_agree(platform):
    assert migrate.differences(platform.database.url, platform.branches, "wallet") == []


def test_the_way_back_removes_everything(platform):
    wallet = next(one for one in platform.branches if one.name == "wallet")
    assert migrate.downgrade(platform.database.url, platform.branches, wallet).ok
    with platform.database.engine.connect() as connection:
        left = connection.scalars(text("SELECT proname FROM pg_proc WHERE proname LIKE 'wallet%'")).all()
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE tablename LIKE 'wallet%'")).all()
    assert (left, tables) == ([], [])


def test_seeding_again_keeps_what_an_admin_changed(platform):
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE wallet_asset SET name = 'Stars' WHERE code = 'POINTS'"))
        seed(session, SYSTEM)
        assert session.scalar(text("SELECT name FROM wallet_asset WHERE code = 'POINTS'")) == "Stars"
        assert count(session, "wallet_asset") == len(ASSETS)
        assert count(session, "wallet_account") == 2
