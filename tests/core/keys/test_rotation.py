"""Keys are rotated while people work: what was sealed before opens throughout; at last nothing needs the old key."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import LargeBinary, select, text, type_coerce

from core.audit.models import AuditRow
from core.clock import frozen, now
from core.crypto.errors import KeyMissing, SealBroken
from core.crypto.models import DataKey
from core.db.base import metadata
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.keys import rotate as rotation
from core.keys.commands import keys
from core.keys.rotate import overview, rotate
from core.platform import Platform
from tests.core.crypto.phones import SEALING, SYSTEM, Phone, add, key, raw, read

OLD, NEW = f"old:{key('o')}", f"new:{key('n')}"


@pytest.fixture
def shelf(shop: Any) -> Any:
    """Opens platforms on an empty table with the encryption keys asked for."""
    first = shop.open(SEALING, encryption_keys=OLD)
    metadata.create_all(first.database.engine, tables=[Phone.__table__])  # type: ignore[list-item]
    shop.clear(first)
    with first.unit_of_work() as session:
        session.execute(text("TRUNCATE core_data_key, sealing_phone"))
    return lambda *given: shop.open(SEALING, encryption_keys=",".join(given))


def turn(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        rotate(session, SYSTEM)
        enqueue(session, SYSTEM, "core.reseal")


def result(platform: Platform) -> Any:
    with platform.unit_of_work() as session:
        return session.scalars(select(JobRow).order_by(JobRow.id.desc())).first().result  # type: ignore[union-attr]


def data_keys(platform: Platform) -> set[bytes]:
    """Which data keys the values in the table need."""
    with platform.unit_of_work() as session:
        return {bytes(value)[1:17] for value in session.scalars(select(type_coerce(Phone.secret, LargeBinary)))}


def test_after_a_rotation_the_new_key_alone_opens_everything(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    phones = {number: add(shelf(OLD), secret=f"secret {number}") for number in range(10)}
    both = shelf(NEW, OLD)
    turn(both)
    assert run_next(both.database)
    assert result(both) == {"sealed": 10, "broken": {}}
    after = shelf(NEW)
    assert [read(after, phone) for phone in phones.values()] == [f"secret {number}" for number in phones]
    assert len(data_keys(both)) == 1
    with both.unit_of_work() as session:
        assert set(session.scalars(select(DataKey.key_id))) == {"new"}
        retired = {row.id.bytes for row in session.scalars(select(DataKey)) if row.retired_at}
    assert not data_keys(both) & retired


def test_before_the_values_are_sealed_anew_old_and_new_are_readable(shelf: Any) -> None:
    before = add(shelf(OLD), secret="before")
    both = shelf(NEW, OLD)
    turn(both)
    after = add(shelf(NEW, OLD), secret="after")
    for platform in (both, shelf(NEW)):
        assert (read(platform, before), read(platform, after)) == ("before", "after")


def test_people_read_and_write_while_it_runs(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 5)
    serving, both = shelf(NEW, OLD), shelf(NEW, OLD)
    phones = [add(serving, secret=f"0 {number}") for number in range(40)]
    wrong: list[Any] = []
    over = threading.Event()

    def use(offset: int) -> None:
        turns = 0
        while not over.is_set() or turns == 0:
            turns += 1
            for number in range(offset, 40, 2):
                try:
                    with serving.unit_of_work(SYSTEM) as session:
                        session.get_one(Phone, phones[number].id).secret = f"{turns} {number}"
                    if (found := read(serving, phones[number])) != f"{turns} {number}":
                        wrong.append(found)
                except Exception as problem:
                    wrong.append(problem)

    people = [threading.Thread(target=use, args=(offset,)) for offset in (0, 1)]
    for person in people:
        person.start()
    try:
        turn(both)
        assert run_next(both.database)
    finally:
        over.set()
        for person in people:
            person.join()
    assert wrong == []
    assert all((read(serving, phone) or "").endswith(f" {number}") for number, phone in enumerate(phones))
    serving.keyring.forget()  # as it does by itself after a while
    with both.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, "core.reseal")
    assert run_next(both.database)
    assert len(data_keys(both)) == 1


def test_started_again_it_goes_on_with_what_is_left(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)
    for number in range(10):
        add(shelf(OLD), secret=str(number))
    both = shelf(NEW, OLD)
    turn(both)
    write, batches = rotation._write, []

    def fail_once(*arguments: Any) -> None:
        batches.append(len(arguments[3]))
        if len(batches) == 3:
            raise RuntimeError("the worker is lost")
        write(*arguments)

    monkeypatch.setattr(rotation, "_write", fail_once)
    assert run_next(both.database)
    assert len(data_keys(both)) == 2
    with frozen(now() + timedelta(hours=2)):
        assert run_next(both.database)
    assert batches == [3, 3, 3, 3, 1]
    assert (result(both), len(data_keys(both))) == ({"sealed": 4, "broken": {}}, 1)


def test_a_second_run_has_nothing_to_do(shelf: Any) -> None:
    platform = shelf(OLD)
    add(platform, secret="x")
    with platform.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, "core.reseal")
    assert run_next(platform.database)
    assert result(platform) == {"sealed": 0, "broken": {}}


def test_a_broken_value_is_left_as_it_is_counted_and_stops_nothing(shelf: Any) -> None:
    both = shelf(NEW, OLD)
    first, broken, last = (add(both, secret=one) for one in "abc")
    value = raw(both, broken)[:-1] + b"\x00"
    with both.unit_of_work() as session:
        statement = text("UPDATE sealing_phone SET secret = :v WHERE id = :id")
        session.execute(statement, {"v": value, "id": broken.id})
    turn(both)
    assert run_next(both.database)
    assert result(both) == {"sealed": 2, "broken": {"sealing_phone.secret": 1}}
    assert (read(both, first), read(both, last), raw(both, broken)) == ("a", "c", value)
    with pytest.raises(SealBroken):
        read(both, broken)


def test_without_the_old_key_nothing_is_rotated(shelf: Any) -> None:
    phone = add(shelf(OLD), secret="x")
    with pytest.raises(KeyMissing, match="The encryption key old is not here"):
        turn(shelf(NEW))
    assert read(shelf(OLD), phone) == "x"


def test_a_rotation_is_in_the_audit_trail(shelf: Any) -> None:
    add(shelf(OLD), secret="x")
    turn(shelf(NEW, OLD))
    with shelf(NEW).unit_of_work() as session:
        query = select(AuditRow).where(AuditRow.action == "core.keys.rotated").order_by(AuditRow.id.desc())
        row = session.scalars(query).first()
    assert row is not None
    assert row.changes == {"wrapped_by": [["old"], "new"], "contexts": [None, ["sealing.secret"]]}


def test_the_command_lists_keys_rotates_and_says_which_is_missing(shelf: Any) -> None:
    add(shelf(OLD), secret="x")
    run = CliRunner().invoke
    assert run(keys, ["list"], obj=shelf(NEW)).output == "new\tcurrent\t0 data keys\nold\tmissing\t1 data keys\n"
    assert run(keys, ["list"], obj=shelf(NEW)).exit_code == 1
    done = run(keys, ["rotate", "--here"], obj=shelf(NEW, OLD))
    assert (done.exit_code, done.output) == (0, "1 data keys are wrapped by new.\n1 values were sealed anew.\n")
    assert run(keys, ["list"], obj=shelf(NEW)).output == "new\tcurrent\t2 data keys\n"
    queued = run(keys, ["rotate"], obj=shelf(NEW))
    assert "A worker now seals the values anew: job " in queued.output
    with shelf(NEW).unit_of_work() as session:
        assert [use.here for use in overview(session)] == [True]


def test_a_new_key_fits_the_setting() -> None:
    from config import Config

    made = CliRunner().invoke(keys, ["new"]).output.strip()
    assert Config(encryption_keys=made).encryption_keys == made
