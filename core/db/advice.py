"""Expand-and-contract advice: what a revision would do to those who still work with the release before.

During a rolling update, processes of both releases work on one database, and a statement that waits for a lock stops
everybody behind it. So a release first adds (expand), and a later one takes away (contract).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from core.db import migrate
from core.db.base import metadata
from core.db.branch import Branch
from core.i18n import _

LARGE = 100_000  # rows; what is done to a smaller table is over before anybody waits
_NAME = r'(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(?:public\.)?"?(\w+)"?'
# Quoted text, bodies of functions, comments, or the end of a statement.
_TOKEN = re.compile(r"'(?:[^']|'')*'|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/|;", re.S)
_CREATED = re.compile(rf"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+{_NAME}", re.I)
_ALTERED = re.compile(rf"ALTER\s+TABLE\s+{_NAME}\s+(.*)", re.I | re.S)
_INDEXED = re.compile(
    rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)(?:IF\s+NOT\s+EXISTS\s+)?\S+\s+ON\s+{_NAME}", re.I
)
_DROPPED = re.compile(rf"DROP\s+TABLE\s+{_NAME}", re.I)
_FILLED = re.compile(r"\b(random|clock_timestamp|gen_random_uuid|uuidv[47]|nextval)\s*\(|\bSERIAL\b|\bSTORED\b", re.I)
_COLUMN = re.compile(r'(?:COLUMN\s+)?(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"?(\w+)"?', re.I)


@dataclass(frozen=True)
class Advice:
    """One thing to think about: the revision, a stable code, and a sentence with what to do instead."""

    revision: str
    code: str
    sentence: str
    params: dict[str, str]

    def __str__(self) -> str:
        return f"{self.revision}: {_(self.sentence).format(**self.params)}"


SENTENCES = {
    "TABLE_DROPPED": _("Drops the table {table}, which the release before still uses. Drop it one release later."),
    "TABLE_RENAMED": _("Renames the table {table}. Make a new one, write to both, and drop the old one later."),
    "COLUMN_DROPPED": _("Drops {table}.{column}, which the release before still uses. Drop it one release later."),
    "COLUMN_RENAMED": _("Renames {table}.{column}. Add a new column, write to both, and drop the old one later."),
    "COLUMN_REQUIRED": _(
        "Adds {table}.{column} as NOT NULL without a default: the release before cannot insert, and existing rows "
        "refuse it. Give it a server default, or make it nullable first."
    ),
    "COLUMN_REWRITES": _(
        "Adds {table}.{column} with a value that differs by row: the whole table is rewritten under a lock. Add it "
        "empty, and fill it in steps by a job."
    ),
    "NULL_REFUSED": _(
        "Makes {table}.{column} NOT NULL: the release before may insert NULL, and the table is read under a lock. Add "
        "a CHECK as NOT VALID, validate it, and do this one release later."
    ),
    "TYPE_CHANGED": _(
        "Changes the type of {table}.{column}: the table may be rewritten under a lock. Add a new column instead."
    ),
    "CONSTRAINT_CHECKED": _(
        "Adds a constraint to {table} and reads every row under a lock. Add it as NOT VALID, and VALIDATE it in a "
        "revision of its own."
    ),
    "INDEX_BLOCKS": _(
        "Builds an index on {table}, whose rows cannot be written meanwhile. Build it by hand with CREATE INDEX "
        "CONCURRENTLY first, and write IF NOT EXISTS here."
    ),
    "NOT_READABLE": _("Cannot be read without a database ({problem}). Check it by hand."),
}


def statements(sql: str) -> list[str]:
    """The statements of a script, without comments and with quoted text emptied."""
    parts, held, at = [], "", 0
    for token in _TOKEN.finditer(sql):
        held, at = held + sql[at : token.start()], token.end()
        if token[0] == ";":
            parts.append(held.strip())
            held = ""
        elif token[0][0] in "'$":
            held += "''"
    return [part for part in [*parts, (held + sql[at:]).strip()] if part]


def advise(revision: str, sql: str, small: Iterable[str] = ()) -> list[Advice]:
    """What there is to say of a revision's statements. ``small`` are tables on which a lock is over at once."""
    return list(_advise(revision, statements(sql), set(small)))


def _advise(revision: str, found: list[str], small: set[str]) -> Iterator[Advice]:
    def say(code: str, table: str, column: str = "") -> Advice:
        return Advice(revision, code, SENTENCES[code], {"table": table, "column": column})

    new = {match[1] for one in found if (match := _CREATED.match(one))}
    for one in found:
        if (match := _DROPPED.match(one)) and match[1] not in new:
            yield say("TABLE_DROPPED", match[1])
        elif (match := _INDEXED.match(one)) and match[1] not in new | small:
            yield say("INDEX_BLOCKS", match[1])
        elif (match := _ALTERED.match(one)) and match[1] not in new:
            for action in _actions(match[2]):
                if (code := _judged(action)) and not (
                    code in ("COLUMN_REWRITES", "CONSTRAINT_CHECKED") and match[1] in small
                ):
                    yield say(code, match[1], _column(action))


def _actions(rest: str) -> list[str]:
    """The actions of one ALTER TABLE, which commas outside brackets divide."""
    parts, depth, held = [], 0, ""
    for letter in rest:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(held.strip())
            held = ""
        else:
            held += letter
    return [" ".join(part.split()) for part in [*parts, held.strip()]]


def _judged(action: str) -> str | None:
    upper = action.upper()
    if upper.startswith("ADD"):
        if re.match(r"ADD (CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)\b", upper):
            return None if "NOT VALID" in upper or "USING INDEX" in upper else "CONSTRAINT_CHECKED"
        if _FILLED.search(action):
            return "COLUMN_REWRITES"
        if "NOT NULL" in upper and "DEFAULT" not in upper and "GENERATED" not in upper:
            return "COLUMN_REQUIRED"
        return None
    if upper.startswith("DROP"):
        return None if upper.startswith(("DROP CONSTRAINT", "DROP DEFAULT")) else "COLUMN_DROPPED"
    if upper.startswith("RENAME"):
        if upper.startswith("RENAME CONSTRAINT"):
            return None
        return "TABLE_RENAMED" if upper.startswith("RENAME TO") else "COLUMN_RENAMED"
    if upper.startswith("ALTER"):
        if " SET NOT NULL" in upper:
            return "NULL_REFUSED"
        if re.search(r" (SET DATA )?TYPE ", upper):
            return "TYPE_CHANGED"
    return None


def _column(action: str) -> str:
    match = _COLUMN.match(action.split(" ", 1)[1]) if " " in action else None
    return match[1] if match else ""


def sql_of(script: ScriptDirectory, revision: str) -> str:
    """The SQL of a revision's upgrade, without running it. Raises what the revision raises when it needs rows."""
    buffer = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True, "target_metadata": metadata},
    )
    found = script.get_revision(revision)
    assert found is not None
    with Operations.context(context):
        found.module.upgrade()
    return buffer.getvalue()


def check(engine: Engine, branches: Sequence[Branch], names: Sequence[str] = ()) -> list[Advice]:
    """Advice on the revisions that the database does not have yet, or on those of ``names``; oldest first.

    Indexes and checks on tables of fewer than LARGE rows, by the planner's estimate, are not mentioned, nor anything
    on a table that the database does not have yet. Raises LookupError for a name that no branch has.
    """
    script = ScriptDirectory.from_config(migrate.settings([migrate.CORE, *branches]))
    every = {one.revision: one for one in reversed(list(script.walk_revisions()))}
    if unknown := [name for name in names if name not in every]:
        raise LookupError(f"no revision is called {', '.join(unknown)}")
    wanted = list(names) or pending(engine, script)
    with engine.connect() as connection:
        sizes = text(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        rows: dict[str, float] = dict(connection.execute(sizes).tuples().all())
    found: list[Advice] = []
    for name in wanted:
        try:
            sql = sql_of(script, name)
        except Exception as problem:
            about = {"problem": f"{type(problem).__name__}: {problem}".partition("\n")[0]}
            found.append(Advice(name, "NOT_READABLE", SENTENCES["NOT_READABLE"], about))
            continue
        small = {table for table, many in rows.items() if many < LARGE}
        found += [one for one in advise(name, sql, small) if names or one.params["table"] in rows]
    return found


def waiting(engine: Engine, branches: Sequence[Branch]) -> list[str]:
    """The revisions of these branches and of the core that the database does not have yet, oldest first."""
    return pending(engine, ScriptDirectory.from_config(migrate.settings([migrate.CORE, *branches])))


def pending(engine: Engine, script: ScriptDirectory) -> list[str]:
    """The revisions that the code has and the database has not, oldest first."""
    have: set[str] = set()
    for revision in migrate.current(engine):
        try:
            have |= {one.revision for one in script.iterate_revisions(revision, "base")}
        except Exception:  # a parked plugin's, which this code does not know
            continue
    return [one.revision for one in reversed(list(script.walk_revisions())) if one.revision not in have]


__all__ = ["LARGE", "Advice", "advise", "check", "pending", "sql_of", "statements", "waiting"]
