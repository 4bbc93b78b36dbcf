"""Any history of transfers, holds, refunds, reversals and batches answers as an independent model predicts."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.errors import DomainError
from plugins.wallet import queries, service
from plugins.wallet.service import Leg, Move
from plugins.wallet.verify import verify

from .conftest import SYSTEM, new_wallet

START, LIMIT, HOUR = 100, 150, timedelta(hours=1)
WALLETS = st.integers(0, 2)
AMOUNTS = st.integers(1, 90)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("transfer"), WALLETS, WALLETS, AMOUNTS),
        st.tuples(st.just("hold"), WALLETS, AMOUNTS, st.integers(1, 3)),
        st.tuples(st.just("capture"), st.integers(0, 5), WALLETS, AMOUNTS),
        st.tuples(st.just("release"), st.integers(0, 5)),
        st.tuples(st.just("reverse"), st.integers(0, 8)),
        st.tuples(st.just("refund"), st.integers(0, 8), AMOUNTS),
        st.tuples(st.just("batch"), WALLETS, WALLETS, WALLETS, AMOUNTS),
        st.tuples(st.just("freeze"), WALLETS),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=22,
)


class Book:
    """The ledger as a dict and a little arithmetic: what must be answered, and what is there afterwards."""

    def __init__(self):
        self.balance, self.spent, self.frozen, self.hour = [START] * 3, [0] * 3, set(), 0
        self.holds, self.moves = [], []

    def held(self, wallet):
        live = (hold for hold in self.holds if hold["wallet"] == wallet and hold["state"] == "open")
        return sum(hold["amount"] for hold in live if hold["until"] > self.hour)

    def refuse(self, wallet, amount, *, spends=True):
        if wallet in self.frozen:
            return "WALLET_FROZEN"
        if spends and self.spent[wallet] + amount > LIMIT:
            return "LIMIT_EXCEEDED"
        return "INSUFFICIENT_FUNDS" if self.balance[wallet] - self.held(wallet) < amount else None

    def shift(self, source, destination, amount, kind="transfer", of=None):
        self.balance[source] -= amount
        self.balance[destination] += amount
        self.moves.append({"pair": (source, destination), "amount": amount, "back": 0, "kind": kind, "reversed": False})

    def transfer(self, source, destination, amount):
        if source == destination:
            return "SAME_ACCOUNT"
        if problem := self.refuse(source, amount):
            return problem
        self.spent[source] += amount
        return self.shift(source, destination, amount)

    def hold(self, wallet, amount, hours):
        if problem := self.refuse(wallet, amount):
            return problem
        self.spent[wallet] += amount
        self.holds.append({"wallet": wallet, "amount": amount, "until": self.hour + hours, "state": "open"})
        return None

    def _gone(self, hold):
        if hold["state"] == "open" and hold["until"] <= self.hour:
            return "HOLD_EXPIRED"
        return None if hold["state"] == "open" else "HOLD_RESOLVED"

    def capture(self, index, destination, amount):
        hold = self.holds[index]
        if hold["wallet"] == destination:
            return "SAME_ACCOUNT"
        if hold["wallet"] in self.frozen:
            return "WALLET_FROZEN"
        if problem := self._gone(hold) or ("HOLD_SHORT" if amount > hold["amount"] else None):
            return problem
        hold["state"] = "captured"
        return self.shift(hold["wallet"], destination, amount, "capture")

    def release(self, index):
        hold = self.holds[index]
        if hold["state"] == "released":
            return None
        if problem := self._gone(hold):
            return problem
        hold["state"] = "released"
        self.spent[hold["wallet"]] -= hold["amount"]
        return None

    def reverse(self, index):
        made = self.moves[index]
        if made["kind"] in ("reversal", "refund"):
            return "NOT_REFUNDABLE"
        if made["reversed"]:
            return "ALREADY_REVERSED"
        if made["back"]:
            return "ALREADY_REFUNDED"
        payer, payee = made["pair"]
        if problem := self.refuse(payee, made["amount"], spends=False):
            return problem
        made["reversed"] = True
        return self.shift(payee, payer, made["amount"], "reversal")

    def refund(self, index, amount):
        made = self.moves[index]
        if made["kind"] in ("reversal", "refund"):
            return "NOT_REFUNDABLE"
        if made["reversed"]:
            return "ALREADY_REVERSED"
        if made["back"] + amount > made["amount"]:
            return "REFUND_EXCEEDS"
        payer, payee = made["pair"]
        if problem := self.refuse(payee, amount, spends=False):
            return problem
        made["back"] += amount
        return self.shift(payee, payer, amount, "refund")

    def batch(self, first, second, third, amount):
        if first == second or second == third:
            return "LEGS_REFUSED"
        before = list(self.balance), list(self.spent), len(self.moves)
        for source, destination in ((first, second), (second, third)):
            if problem := self.refuse(source, amount):
                self.balance, self.spent = before[0], before[1]
                del self.moves[before[2] :]
                return problem
            self.spent[source] += amount
            self.shift(source, destination, amount, "batch")
        for made in self.moves[-2:]:
            made["kind"] = "linked"
        return None


class Ledger:
    """The same words, said to the real one."""

    def __init__(self, session):
        self.session, self.holds, self.moves, self.hour = session, [], [], clock.now().replace(hour=1)
        self.wallets = [new_wallet(session, START) for _ in range(3)]
        for wallet in self.wallets:
            service.set_limits(session, SYSTEM, account_id=wallet, daily_limit=LIMIT, overdraft=0, reason="the model's")

    def do(self, name, *given):
        try:
            with clock.frozen(self.hour), self.session.begin_nested():
                getattr(self, name)(*given)
        except DomainError as refusal:
            return refusal.code
        return None

    def transfer(self, source, destination, amount):
        accounts = {"source": self.wallets[source], "destination": self.wallets[destination]}
        self.moves.append(service.transfer(self.session, SYSTEM, **accounts, amount=amount, kind="transfer").id)

    def hold(self, wallet, amount, hours):
        account = self.wallets[wallet]
        self.holds.append(service.hold(self.session, SYSTEM, account=account, amount=amount, lasts=hours * HOUR).id)

    def capture(self, index, destination, amount):
        taken = {"hold_id": self.holds[index], "destination": self.wallets[destination], "amount": amount}
        self.moves.append(service.capture(self.session, SYSTEM, **taken).id)

    def release(self, index):
        service.release(self.session, SYSTEM, hold_id=self.holds[index])

    def reverse(self, index):
        self.moves += service.reverse(self.session, SYSTEM, transfer_id=self.moves[index], reason="x").ids

    def refund(self, index, amount):
        made = service.refund(self.session, SYSTEM, transfer_id=self.moves[index], amount=amount, reason="x")
        self.moves.append(made.id)

    def batch(self, first, second, third, amount):
        moves = [
            Move(legs=(Leg(self.wallets[a], -amount), Leg(self.wallets[b], amount)), kind="batch")
            for a, b in ((first, second), (second, third))
        ]
        self.moves += service.post_many(self.session, SYSTEM, moves).ids


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_ledger_answers_as_the_book_predicts(session, steps):
    savepoint = session.begin_nested()
    book, ledger = Book(), Ledger(session)
    for name, *given_ in steps:
        if name == "wait":
            if ledger.hour.hour + given_[0] < 23:  # limits are a day's
                book.hour += given_[0]
                ledger.hour += given_[0] * HOUR
            continue
        if name == "freeze":
            state = "active" if given_[0] in book.frozen else "frozen"
            service.set_state(session, SYSTEM, account_id=ledger.wallets[given_[0]], state=state, reason="x")
            book.frozen ^= {given_[0]}
            continue
        known = {"capture": book.holds, "release": book.holds, "reverse": book.moves, "refund": book.moves}.get(name)
        if known is not None:
            if not known:
                continue
            given_[0] %= len(known)
        if name == "reverse" and book.moves[given_[0]]["kind"] == "linked":
            continue  # reversing one of several linked ones is a test of its own
        assert ledger.do(name, *given_) == getattr(book, name)(*given_), (name, given_)
        with clock.frozen(ledger.hour):
            seen = [queries.account(session, wallet) for wallet in ledger.wallets]
        assert [one.posted for one in seen] == book.balance
        assert [one.held for one in seen] == [book.held(wallet) for wallet in range(3)]
    assert verify(session) == []
    savepoint.rollback()
