"""Let autogenerate see that a column's allowed values changed, which Alembic by itself does not compare.

A column made by ``choice(...)`` carries a check of its values. Where the table's check allows others, the revision
drops it and adds the new one; adding fails while rows hold a value that is no longer allowed.
"""

from __future__ import annotations

import re
from typing import Any

from alembic.autogenerate import comparators
from alembic.operations import ops
from sqlalchemy import CheckConstraint, Enum, Table
from sqlalchemy.schema import conv

_VALUE = re.compile(r"'((?:[^']|'')*)'")
_MORE = re.compile(r"\b(AND|OR|NOT|IS)\b")  # it says something else as well


@comparators.dispatch_for("table")
def compare(context: Any, changes: Any, schema: Any, name: Any, there: Table | None, wanted: Table | None) -> None:
    """Add to ``changes`` what makes the checks of an existing table allow what its model does."""
    if there is None or wanted is None:
        return
    checks = context.inspector.get_check_constraints(name, schema=schema)
    for column in wanted.columns:
        kind = column.type
        if not isinstance(kind, Enum) or kind.native_enum or not kind.create_constraint:
            continue
        new = _check_of(wanted, column.name)
        old = next((one for one in checks if _allows(one["sqltext"], column.name) is not None), None)
        if new is None or old is None or _allows(old["sqltext"], column.name) == set(kind.enums):
            continue
        called = conv(str(old["name"]))  # as it is: the naming convention was applied when it was made
        before = ops.CreateCheckConstraintOp(called, name, str(old["sqltext"]))
        changes.ops += [
            ops.DropConstraintOp(called, name, type_="check", _reverse=before),
            ops.CreateCheckConstraintOp.from_constraint(new),
        ]


def _check_of(table: Table, column: str) -> CheckConstraint | None:
    """The check that the values of ``column`` brought to its table."""
    for one in table.constraints:
        if isinstance(one, CheckConstraint) and getattr(one, "_type_bound", False) and one.columns.keys() == [column]:
            return one
    return None


def _allows(check: str, column: str) -> set[str] | None:
    """The values that a check in PostgreSQL's words allows ``column``; None for a check of something else."""
    if not re.match(rf'\(*"?{re.escape(column)}"?\)*(::[a-z ]+)? = (ANY \(+ARRAY\[|\'|\()', check):
        return None
    if (rest := _VALUE.sub("", check)).count("=") != 1 or _MORE.search(rest):
        return None
    return {value.replace("''", "'") for value in _VALUE.findall(check)}
