"""What other plugins may add to the wallet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guildhall import hookspec


@dataclass(frozen=True, kw_only=True)
class Proof:
    """An invariant between a plugin's own rows and the ledger, as one question to the tables.

    ``name`` is unique within the plugin; ``label`` says what holds, in English, marked by ``_``. ``query`` is a SELECT
    without parameters of every row that breaks it: ``subject`` (``merchant <id>``), ``detail`` (what is wrong with it,
    in smallest units, no names of people) and ``place`` (what they are ordered by), all text. A colon before a word is
    written ``\\:``. One statement is one snapshot, so it may run while money moves.
    """

    name: str
    label: str
    query: str


@hookspec
def ledger_proofs(session: Any) -> Sequence[Proof]:
    """What a plugin proves when the ledger is proved: by ``guildhall ledger verify`` and on the page. *Strict.*

    An exception ends the proof, so that nothing passes for proved that was not asked; a query that fails is told as
    broken, and the others are asked. Answer the same every time and write nothing: the answer is not for what holds
    now but for what must hold. Not called when money moves, nor for a plugin that is off: its rows are not proved then.
    """
    return ()
