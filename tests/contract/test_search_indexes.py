"""What can be searched is served by an index, in every resource of every plugin that may grow large."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Index, MetaData, String, Table, select, text
from sqlalchemy.dialects import postgresql

from core.db.base import served_search
from core.lists.conditions import search_for
from core.platform import Platform


def test_every_searched_column_has_an_index_or_the_records_are_few(site: Platform) -> None:
    missing = [
        f"{bound.key}: {key}"
        for bound in site.registry.resources.values()
        for key in bound.resource.search
        if not bound.resource.few and not served_search(bound.resource.columns_of_model[key])
    ]
    assert not missing, f"searched without an index; mark the column with SearchText, or the resource few: {missing}"


def test_the_statement_of_a_search_is_answered_by_these_indexes(site: Platform) -> None:
    searched = [b for b in site.registry.resources.values() if b.resource.search and not b.resource.few]
    assert {"core.member", "suggestions.suggestion", "wallet.transfer"} <= {bound.key for bound in searched}
    with site.unit_of_work() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        for bound in searched:
            wanted = select(bound.resource.model).where(search_for(bound, "Ab_c%"))
            sql: Any = wanted.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
            plan = "\n".join(session.scalars(text("EXPLAIN " + str(sql).replace("%%", "%").replace(":", "\\:"))))
            assert "Index Cond: " in plan, f"{bound.key}\n{plan}"
            assert plan.count("Index Cond: ") >= len(bound.resource.search), f"{bound.key}\n{plan}"


@pytest.mark.parametrize("nullable", [True, False])
def test_a_marked_column_brings_its_index(nullable: bool) -> None:
    table = Table("t", MetaData(), Column("name", String(20), nullable=nullable, info={"search": True}))
    (index,) = table.indexes
    assert index.name == "ix_t_name_search"
    assert served_search(table.c.name)
    assert (index.dialect_options["postgresql"]["where"] is None) != nullable


def test_another_index_does_not_count() -> None:
    table = Table("t", MetaData(), Column("name", String(20)), Column("other", String(20)))
    Index("ix_t_name", table.c.name)
    Index("ix_t_other", text("other"), text("lower(name)"), _table=table)
    assert not served_search(table.c.name)
