"""What is sealed can be read by who has the key, in the place it was written for, and nowhere else."""

from __future__ import annotations

import io
import traceback
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from core.audit.models import AuditRow
from core.audit.trail import MASK
from core.crypto import keyring as keyrings
from core.crypto.errors import KeyMissing, KeyWrong, SealBroken
from core.crypto.keyring import OF_ROW, seal, unseal
from core.crypto.models import DataKey
from core.crypto.sealed import Sealed, bound, columns
from core.db.base import metadata
from core.keys.commands import keys
from core.platform import Platform
from guildhall import new_id
from tests.core.crypto.phones import SEALING, SECRET, SYSTEM, Phone, add, key, put, raw, read


@pytest.fixture(scope="module")
def sealing(shop: Any) -> Platform:
    platform: Platform = shop.open(SEALING)
    metadata.create_all(platform.database.engine, tables=[Phone.__table__])  # type: ignore[list-item]
    return platform


@pytest.mark.parametrize("value", ["", SECRET, "ü💥\n", "x" * 100_000, None])
def test_a_sealed_column_gives_back_what_was_put_in(sealing: Platform, value: str | None) -> None:
    assert read(sealing, add(sealing, secret=value)) == value


def test_the_table_holds_none_of_it_and_never_the_same_twice(sealing: Platform) -> None:
    one, other = (raw(sealing, add(sealing, secret=SECRET)) for _ in range(2))
    assert SECRET.encode() not in one
    assert one != other
    assert len(one) == 1 + 16 + 12 + len(SECRET) + 16


def test_it_works_without_a_unit_of_work_and_in_bulk(sealing: Platform) -> None:
    label = str(new_id())
    with sealing.database.engine.begin() as connection:
        key = new_id()
        connection.execute(insert(Phone), [{"id": key, "label": label, "secret": bound(SECRET, key)}])
        assert connection.scalar(select(Phone.secret).where(Phone.label == label)) == SECRET


def test_another_process_opens_it_and_shares_the_data_key(shop: Any, sealing: Platform) -> None:
    phone = add(sealing, secret=SECRET)
    other = shop.open(SEALING)
    assert read(other, phone) == SECRET
    assert raw(other, add(other, secret="x"))[:17] == raw(sealing, phone)[:17]


def test_a_rolled_back_first_use_leaves_a_data_key_that_still_serves(shop: Any, sealing: Platform) -> None:
    with pytest.raises(RuntimeError), sealing.unit_of_work() as session:
        kept = seal(session, "sealing.first", b"one")
        raise RuntimeError
    with shop.open(SEALING).unit_of_work() as session:
        assert unseal(session, "sealing.first", kept) == b"one"


@pytest.mark.parametrize("at", [0, 1, 16, 17, 29, -1])
def test_a_changed_byte_anywhere_is_noticed(sealing: Platform, at: int) -> None:
    phone = add(sealing, secret=SECRET)
    value = bytearray(raw(sealing, phone))
    value[at] ^= 1
    put(sealing, phone, bytes(value))
    with pytest.raises(SealBroken, match=r"sealing\.secret was changed or moved"):
        read(sealing, phone)


@pytest.mark.parametrize("length", [0, 1, 17, 44])
def test_a_cut_value_is_noticed(sealing: Platform, length: int) -> None:
    phone = add(sealing, secret=SECRET)
    put(sealing, phone, raw(sealing, phone)[:length])
    with pytest.raises(SealBroken):
        read(sealing, phone)


def test_a_value_moved_to_another_column_does_not_open(sealing: Platform) -> None:
    phone = add(sealing, secret="mine", number="+200")
    put(sealing, phone, raw(sealing, phone, Phone.number))
    with pytest.raises(SealBroken):
        read(sealing, phone)


def test_a_value_moved_to_another_row_does_not_open(sealing: Platform) -> None:
    mine, other = add(sealing, secret="mine"), add(sealing, secret="theirs")
    put(sealing, mine, raw(sealing, other))
    with pytest.raises(SealBroken):
        read(sealing, mine)
    with sealing.unit_of_work() as session, pytest.raises(SealBroken):
        session.scalar(select(Phone.secret).where(Phone.id == mine.id))
    assert read(sealing, other) == "theirs"


def test_the_old_form_that_was_bound_to_no_row_opens_and_the_rotation_binds_it(sealing: Platform) -> None:
    phone, thief = add(sealing, secret="x"), add(sealing, secret="y")
    old = sealing.keyring.seal("sealing.secret", SECRET.encode())
    put(sealing, phone, old)
    assert read(sealing, phone) == SECRET
    put(sealing, thief, OF_ROW + old[1:])  # it cannot be passed off as the new form
    with pytest.raises(SealBroken):
        read(sealing, thief)
    CliRunner().invoke(keys, ["rotate", "--here"], obj=sealing)
    assert raw(sealing, phone)[:1] == OF_ROW
    assert read(sealing, phone) == SECRET
    put(sealing, thief, raw(sealing, phone))
    with pytest.raises(SealBroken):
        read(sealing, thief)


def test_a_statement_that_names_no_row_writes_nothing(sealing: Platform) -> None:
    with sealing.database.engine.begin() as connection, pytest.raises(StatementError, match="names its row"):
        connection.execute(insert(Phone), [{"id": new_id(), "label": "x", "secret": SECRET}])


def test_a_value_bound_to_a_record_does_not_open_for_another(sealing: Platform) -> None:
    with sealing.unit_of_work() as session:
        sealed = seal(session, "sealing.vault", b"key", about="member 1")
        assert unseal(session, "sealing.vault", sealed, about="member 1") == b"key"
        for context, about in (("sealing.vault", "member 2"), ("sealing.vault", ""), ("sealing.other", "member 1")):
            with pytest.raises(SealBroken):
                unseal(session, context, sealed, about=about)


def test_a_key_that_is_not_given_is_named_in_one_sentence(shop: Any, sealing: Platform) -> None:
    phone = add(sealing, secret=SECRET)
    stranger = shop.open(SEALING, encryption_keys=f"other:{key('o')}")
    with pytest.raises(KeyMissing) as missing:
        read(stranger, phone)
    assert str(missing.value) == (
        "The encryption key test is not here. Add it to GUILDHALL_ENCRYPTION_KEYS and start again."
    )
    with pytest.raises(KeyMissing):
        add(stranger, secret="new")  # the column's data key exists, and is wrapped by the other
    assert read(shop.open(SEALING), phone) == SECRET


def test_another_key_under_the_same_name_is_noticed(shop: Any, sealing: Platform) -> None:
    phone = add(sealing, secret=SECRET)
    with pytest.raises(KeyWrong, match="The encryption key called test is not the one"):
        read(shop.open(SEALING, encryption_keys=f"test:{key('w')}"), phone)


def test_without_any_key_what_seals_nothing_works(shop: Any, sealing: Platform) -> None:
    platform = shop.open(SEALING, encryption_keys="")
    assert read(platform, add(platform)) is None
    with pytest.raises(KeyMissing), platform.unit_of_work() as session:
        seal(session, "sealing.fresh", b"x")


def test_nothing_of_a_value_shows_in_errors_logs_or_the_trail(sealing: Platform) -> None:
    phone = add(sealing, secret=SECRET)
    with pytest.raises(Exception) as refused, sealing.unit_of_work(SYSTEM) as session:
        session.add(Phone(label=phone.label, secret="other" + SECRET))
    out = io.StringIO()
    traceback.print_exception(refused.value, file=out)
    assert "uq_sealing_phone_label" in out.getvalue()
    assert SECRET not in out.getvalue()
    with sealing.unit_of_work(SYSTEM) as session:
        session.get_one(Phone, phone.id).secret = "next" + SECRET
    with sealing.unit_of_work() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(phone.id))).all()
        assert [row.changes["secret"] for row in rows] == [[MASK, MASK]] * 2
    assert SECRET not in repr(sealing.config)


def test_an_unchanged_value_is_not_written_again(sealing: Platform) -> None:
    phone = add(sealing, secret=SECRET)
    before = raw(sealing, phone)
    with sealing.unit_of_work(SYSTEM) as session:
        found = session.get_one(Phone, phone.id)
        found.secret, found.label = SECRET, str(new_id())
    assert raw(sealing, phone) == before


def test_a_sealed_column_can_be_asked_whether_it_is_empty_and_no_more(sealing: Platform) -> None:
    full, empty = add(sealing, secret="x"), add(sealing)
    with sealing.unit_of_work() as session:
        found = set(session.scalars(select(Phone.id).where(Phone.secret.is_not(None))))
        assert full.id in found and empty.id not in found
        assert empty.id in set(session.scalars(select(Phone.id).where(Phone.secret == None)))  # noqa: E711
    for ask in (lambda: Phone.secret == "x", lambda: Phone.secret.like("x%"), lambda: Phone.secret.desc()):
        with pytest.raises(TypeError, match="cannot be searched or sorted"):
            ask()


def test_a_data_key_is_looked_up_once(sealing: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    add(sealing, secret="x")
    monkeypatch.setattr(sealing.keyring, "_engine", None)  # whoever asks the database now fails
    assert read(sealing, add(sealing, secret="y")) == "y"
    monkeypatch.setattr(keyrings, "FRESH_SECONDS", -1.0)
    with pytest.raises(StatementError, match="has no attribute 'begin'"):
        add(sealing, secret="z")


def test_the_table_of_data_keys_holds_wrapped_ones_alone(sealing: Platform) -> None:
    add(sealing, secret="x")
    with sealing.unit_of_work() as session:
        for row in session.scalars(select(DataKey)):
            assert (row.key_id, len(row.wrapped)) == ("test", 12 + 32 + 16)


def test_two_columns_of_one_context_are_found() -> None:
    from sqlalchemy import Column, MetaData, Table

    made = MetaData()
    Table("a", made, Column("x", Sealed("one")), Column("y", Sealed("one")))
    with pytest.raises(ValueError, match=r"a\.x and a\.y are both sealed as one"):
        columns(made)


def test_each_sealed_column_of_the_platform_has_a_context_of_its_own(sealing: Platform) -> None:
    assert {context for _table, _column, context in columns(metadata)} >= {"sealing.secret", "sealing.number"}


def test_outside_a_platform_there_is_no_key(sealing: Platform) -> None:
    from sqlalchemy import create_engine, pool

    engine = create_engine(sealing.database.url, poolclass=pool.NullPool)
    with pytest.raises(Exception, match="through the database of a Platform alone"), engine.connect() as connection:
        connection.execute(select(Phone.secret).where(Phone.secret.is_not(None))).all()
