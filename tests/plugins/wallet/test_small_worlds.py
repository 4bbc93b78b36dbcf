"""Small worlds, all of them: every order of a handful of operations answers as the book predicts."""

from __future__ import annotations

from copy import deepcopy

import pytest

from core import clock
from plugins.wallet import queries
from plugins.wallet.verify import verify

from .test_machine import Book, Ledger

# What each is a race of; wallets are numbers, and so are holds and moves in the order they were made.
WORLDS = {
    "a hold is used by three": [("transfer", 0, 1, 60), ("hold", 0, 70, 1), ("capture", 0, 1, 40), ("release", 0)],
    "a hold expires": [("hold", 0, 90, 1), ("wait", 1), ("capture", 0, 1, 90), ("transfer", 0, 2, 80)],
    "what was paid comes back": [("transfer", 0, 1, 90), ("refund", 0, 50), ("reverse", 0), ("transfer", 1, 2, 60)],
    "refunds in parts": [("transfer", 0, 1, 90), ("refund", 0, 50), ("refund", 0, 40), ("hold", 1, 70, 2)],
    "a batch among holds": [("batch", 0, 1, 2, 80), ("hold", 1, 70, 2), ("transfer", 1, 0, 50), ("capture", 0, 2, 70)],
}
MADE = {"capture": "holds", "release": "holds", "reverse": "moves", "refund": "moves"}


def _is_there(book, what, place):
    """Whether what is to be used was made before; reversing one of several linked ones is a test of its own."""
    made = getattr(book, MADE[what])
    return place < len(made) and not (what == "reverse" and made[place]["kind"] == "linked")


@pytest.mark.parametrize("name", WORLDS)
def test_every_order_answers_as_the_book_predicts(session, name):
    ledger = Ledger(session)
    worlds = 0

    def explore(book, left):
        nonlocal worlds
        if not left:
            worlds += 1
            assert verify(session) == []
        for place, (what, *given) in enumerate(left):
            mine, rest = deepcopy(book), left[:place] + left[place + 1 :]
            kept = ledger.hour, list(ledger.holds), list(ledger.moves)
            savepoint = session.begin_nested()
            if what == "wait":
                mine.hour += given[0]
                ledger.hour += given[0] * (ledger.hour.replace(hour=2) - ledger.hour.replace(hour=1))
            elif what not in MADE or _is_there(mine, what, given[0]):
                assert ledger.do(what, *given) == getattr(mine, what)(*given), (what, given, left)
            with clock.frozen(ledger.hour):
                seen = [queries.account(session, wallet) for wallet in ledger.wallets]
            assert [one.posted for one in seen] == mine.balance
            assert [one.held for one in seen] == [mine.held(wallet) for wallet in range(3)]
            explore(mine, rest)
            savepoint.rollback()
            ledger.hour, ledger.holds, ledger.moves = kept

    explore(Book(), WORLDS[name])
    assert worlds == 24
