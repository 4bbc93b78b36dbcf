"""Any sequence of transfers ends where a dict and a little arithmetic say it must."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from plugins.wallet import errors, queries, service
from plugins.wallet.verify import verify

from .conftest import SYSTEM, new_wallet

WALLETS = 4
REFERENCES = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
TRANSFERS = st.lists(
    st.tuples(
        st.integers(0, WALLETS - 1), st.integers(0, WALLETS - 1), st.integers(-1, 120), REFERENCES, st.booleans()
    ),
    max_size=25,
)


def predict(balances, frozen, used, source, destination, amount, reference):
    """What the ledger must answer, in its order of checks."""
    if amount <= 0:
        return errors.AmountNotPositive
    if source == destination:
        return errors.SameAccount
    if reference in used:
        return "replayed" if used[reference] == (source, destination, amount) else errors.ReferenceTaken
    if source in frozen:
        return errors.WalletFrozen
    if balances[source] < amount:
        return errors.InsufficientFunds
    return "posted"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=TRANSFERS)
def test_the_ledger_agrees_with_a_dict(session, steps):
    savepoint = session.begin_nested()
    wallets = [new_wallet(session, 100) for _ in range(WALLETS)]
    balances, frozen, used, histories = [100] * WALLETS, set(), {}, [[100] for _ in range(WALLETS)]
    for source, destination, amount, reference, freeze in steps:
        if freeze:
            state = "active" if source in frozen else "frozen"
            service.set_state(session, SYSTEM, account_id=wallets[source], state=state, reason="test")
            frozen ^= {source}
        due = predict(balances, frozen, used, source, destination, amount, reference)
        try:
            receipt = service.transfer(
                session,
                SYSTEM,
                source=wallets[source],
                destination=wallets[destination],
                amount=amount,
                kind="transfer",
                reference=reference,
            )
        except (errors.Invalid, errors.Conflict) as refusal:
            answer = type(refusal)
        else:
            answer = "replayed" if receipt.replayed else "posted"
        assert answer == due
        if answer != "posted":
            continue
        balances[source] -= amount
        balances[destination] += amount
        for one in (source, destination):
            histories[one].append(balances[one])
        assert (receipt.source_balance, receipt.destination_balance) == (balances[source], balances[destination])
        if reference:
            used[reference] = (source, destination, amount)
    for wallet, balance, past in zip(wallets, balances, histories, strict=True):
        lines = queries.history(session, wallet, limit=100)
        assert queries.account(session, wallet).posted == balance
        assert [line.balance for line in reversed(lines)] == past
        assert [line.version for line in reversed(lines)] == list(range(1, len(past) + 1))
    assert verify(session) == []
    savepoint.rollback()


def test_history_pages_by_version_and_names_the_other_side(session, wallet):
    one, other = wallet(100), wallet()
    for number in range(5):
        service.transfer(
            session, SYSTEM, source=one, destination=other, amount=1, kind="transfer", reason=f"no. {number}"
        )
    first = queries.history(session, one, limit=4)
    rest = queries.history(session, one, before=first[-1].version, limit=4)
    assert [line.version for line in first + rest] == [6, 5, 4, 3, 2, 1]
    assert (first[0].counterpart, first[0].counterpart_id, first[0].reason) == ("Ada", other, "no. 4")
    assert rest[-1].counterpart == "Issuance"


def test_a_balance_of_any_moment_and_a_statement_of_any_period(session, wallet):
    one, other = wallet(), wallet()
    start = clock.now() + timedelta(hours=1)
    for hour in range(4):
        with clock.frozen(start + timedelta(hours=hour)):
            service.issue(session, SYSTEM, destination=one, amount=10, reason="hourly")
    with clock.frozen(start + timedelta(hours=2, minutes=30)):  # a clock that goes back does not reorder
        service.transfer(session, SYSTEM, source=one, destination=other, amount=5, kind="transfer")
    at = [queries.balance_at(session, one, start + timedelta(hours=hour)) for hour in (-1, 0, 1, 2, 3)]
    assert at == [0, 10, 20, 30, 35]
    period = queries.statement(session, one, start=start + timedelta(hours=1), end=start + timedelta(hours=3))
    assert (period.opening, period.came, period.went, period.closing) == (10, 20, 0, 30)
    whole = queries.statement(session, one, start=start, end=start + timedelta(days=1))
    assert (whole.opening, whole.came, whole.went, whole.closing, len(whole.lines)) == (0, 40, 5, 35, 5)


def test_circulation_is_what_members_hold(session, wallet):
    wallet(70, "CREDITS")
    row = next(one for one in queries.circulation(session) if one.asset == "CREDITS")
    assert (row.issued, row.house, row.members) == (70, 0, 70)
