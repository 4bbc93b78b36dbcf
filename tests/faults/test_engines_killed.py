"""Redis and PostgreSQL are killed under load while web, worker and scheduler go on."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.conftest import House

CLIENTS = 3


class Load:
    """Clients that write notes, each asking again with the same key until it is answered 201."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.accepted: dict[str, str] = {}
        self.refused = 0
        self.ended = threading.Event()

    def ask(self, number: int) -> None:
        turn = 0
        while not self.ended.is_set():
            key = f"{number}-{turn}"
            try:
                status, answer = self.house.write(key)
            except (OSError, http.client.HTTPException, ValueError):
                status, answer = 0, {}
            if status == 201:
                self.accepted[key] = answer["data"]["id"]
                turn += 1
            else:
                assert status in (0, 409, 503), (status, answer)
                self.refused += 1
                self.ended.wait(0.05)

    @contextmanager
    def running(self) -> Iterator[None]:
        clients = [threading.Thread(target=self.ask, args=(number,), daemon=True) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self.ended.set()
            for client in clients:
                client.join(30)
        assert not any(client.is_alive() for client in clients)

    def more(self, many: int = 15) -> Callable[[], bool]:
        """Holds when so many more were accepted."""
        wanted = len(self.accepted) + many
        return lambda: len(self.accepted) >= wanted


def test_redis_is_killed_and_started_again_under_load(
    house: House, serve: Callable[..., int], eventually: Callable[..., None]
) -> None:
    serve()
    processes = [house.start("worker"), house.start("scheduler"), *house.running[:1]]
    load = Load(house)
    with load.running():
        eventually(load.more(), 30)
        assert house.platform.bell is not None
        os.kill(house.platform.bell.client.info("server")["process_id"], signal.SIGKILL)
        eventually(load.more(), 60)  # people are served without it
        house.redis.start()
        eventually(load.more(), 30)
    eventually(house.quiet, 30)
    proved(house, load)
    assert not any(map(house.gone, processes)), "nobody died of it"


def test_postgresql_is_killed_and_started_again_under_load(
    house: House, serve: Callable[..., int], eventually: Callable[..., None]
) -> None:
    serve()
    processes = [house.start("worker"), house.start("scheduler"), *house.running[:1]]
    load = Load(house)
    with load.running():
        eventually(load.more(), 30)
        os.kill(int((house.postgres.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        eventually(lambda: load.refused > CLIENTS, 30)
        house.postgres.start()
        eventually(load.more(), 30)
    house.platform.database.dispose()
    eventually(house.quiet, 30)
    proved(house, load)
    assert not any(map(house.gone, processes)), "nobody died of it"


def proved(house: House, load: Load) -> None:
    """What a client was told is there, once; what was cut off may be there, once, for its key."""
    notes = {str(key) for (key,) in house.rows("SELECT id FROM alpha_note")}
    assert set(load.accepted.values()) <= notes
    assert len(set(load.accepted.values())) == len(load.accepted)
    assert len(notes) - len(load.accepted) <= CLIENTS
    assert len(notes) == house.count("core_event WHERE name = 'alpha.note.written'")
    house.check()
