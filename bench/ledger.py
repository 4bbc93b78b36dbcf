"""The ledger: the statement that moves money against pgbench's TPC-B-like one, and the service against pgbench."""

from __future__ import annotations

import random
import re
import threading
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from bench.cluster import Cluster
from bench.figures import Figure, pairs
from core.actor import Actor
from core.platform import Platform
from plugins.wallet import service
from plugins.wallet.service.many import _MANY
from plugins.wallet.service.transfers import _POST
from plugins.wallet.verify import CHECKS

DISK = True
ACCOUNTS = 1000
CLIENTS = 8
BATCH = 100
SECONDS = 2
SCALE = 50  # smaller ones fit in PostgreSQL's own cache with all they have, which the ledger of a community does not
STYLE = ("-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS), "-n")
# Accounts have ids that pgbench can work out from a number.
ID = "CAST('00000000-0000-7000-8000-' || lpad(to_hex(CAST({} AS bigint)), 12, '0') AS uuid)"
PEOPLE = """
    INSERT INTO core_member (id, display_name, joined_at)
    SELECT {id}, 'Member ' || n, now() FROM generate_series(1, {count}) n
"""
WALLETS = """
    INSERT INTO wallet_account (id, asset, member_id, purpose, floor, created_at)
    SELECT {id}, 'POINTS', {id}, 'member', 'zero', now() FROM generate_series(1, {count}) n
"""
FUNDED = """
    SELECT count(*) FROM generate_series(1, {count}) n, LATERAL wallet_post(
        uuidv7(), :issuance, {id}, 1000000000000, 'POINTS', 'issue', 'bench', 'bench', NULL, NULL, uuidv7(),
        NULL, NULL, NULL, NULL, NULL, now()) WHERE outcome = 'posted'
"""
# What the service's statement is given, as pgbench can say it.
VALUES = {
    "id": "uuidv7()", "source": ID.format(":a"), "destination": ID.format(":b"), "amount": ":amount", "asset": "NULL",
    "kind": "'transfer'", "reason": "''", "actor": "'bench'", "reference": "NULL", "contribution_id": "NULL",
    "correlation_id": "uuidv7()", "link_id": "NULL", "reverses": "NULL", "refunds": "NULL", "hold": "NULL",
    "effective_on": "NULL", "at": "now()",
}  # fmt: skip
CHOICE = rf"""
\set a random(1, {ACCOUNTS})
\set b 1 + (:a + random(0, {ACCOUNTS - 2})) % {ACCOUNTS}
\set amount random(1, 100)
"""
EVENT = """
    INSERT INTO core_event (
        id, name, version, payload, occurred_at, actor_kind, actor_id, correlation_id, causation_id
    ) VALUES (
        uuidv7(), 'wallet.balance.changed', 1,
        jsonb_build_object('account_id', {id}, 'member_id', {id}, 'asset', 'POINTS', 'transfer_id', uuidv7()),
        now(), 'system', NULL, uuidv7(), NULL);
"""


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    cluster.pgbench(cluster.create("bench_tpcb", None), "-i", "-q", "-s", str(SCALE))
    name = cluster.create("bench_ledger")
    with cluster.platform(name) as platform:
        _open(platform)
        post = statement()
        alone = _script(cluster.home / "transfer.sql", f"{CHOICE}{post};\n")
        events = "".join(" ".join(EVENT.format(id=VALUES[leg]).split()) + "\n" for leg in ("source", "destination"))
        whole = _script(cluster.home / "whole.sql", f"{CHOICE}BEGIN;\n{post};\n{events}COMMIT;\n")

        def rate(database: str, *which: str) -> float:
            cluster.checkpoint()
            return _tps(cluster.pgbench(database, *STYLE, *which))

        for warm in (alone, whole):
            rate(name, "-f", str(warm))
        batches = _script(cluster.home / "batch.sql", f"\\set start random(0, {ACCOUNTS - 1})\n{batch()};\n")
        moves = pairs(lambda: rate(name, "-f", str(alone)), lambda: rate("bench_tpcb", "-b", "tpcb-like"))
        served = pairs(lambda: _serve(cluster, platform), lambda: rate(name, "-f", str(whole)))
        many = pairs(lambda: BATCH * rate(name, "-f", str(batches)), lambda: rate("bench_tpcb", "-b", "tpcb-like"))
        _check(platform)
    notes.append(
        f"ledger: TPC-B-like at scale {SCALE},"
        f" {ACCOUNTS:,} accounts evenly used, {CLIENTS} clients, {SECONDS} s a run, -j 2 -M prepared; the ledger's"
        " sums held at the end. pgbench shares the cores with PostgreSQL, and so does Python."
    )
    return [
        Figure(
            figure=f"the transfer statement, against TPC-B-like at scale {SCALE}", value=moves.value,
            unit="transfers/s", limit=moves.limit, paired=moves.ratio, target=1.2,
        ),
        Figure(
            figure=f"the service with {CLIENTS} threads, against pgbench of the same transaction", value=served.value,
            unit="transfers/s", limit=served.limit, paired=served.ratio, target=0.3,
        ),
        Figure(
            figure=f"batches of {BATCH} transfers, against TPC-B-like at scale {SCALE}", value=many.value,
            unit="transfers/s", limit=many.limit, paired=many.ratio, target=3,
        ),
    ]  # fmt: skip


def batch() -> str:
    """A hundred transfers by the service's own statement, among accounts that differ from call to call."""
    many = range(BATCH)
    of = ",".join(str(n // 2 + 1) for n in range(2 * BATCH))
    accounts = ",".join(ID.format(f"1 + (:start + {n * 7919}) % {ACCOUNTS}") for n in range(2 * BATCH))
    values = {
        "ids": f"ARRAY[{','.join('uuidv7()' for _ in many)}]", "kinds": f"array_fill('transfer'::text, ARRAY[{BATCH}])",
        "reasons": f"array_fill(''::text, ARRAY[{BATCH}])", "references": f"array_fill(NULL::text, ARRAY[{BATCH}])",
        "reverses": f"array_fill(NULL::uuid, ARRAY[{BATCH}])", "actor": "'bench'", "contribution_id": "NULL",
        "correlation_id": "uuidv7()", "link_id": "NULL", "effective_on": "NULL", "at": "now()",
        "of": f"ARRAY[{of}]", "accounts": f"ARRAY[{accounts}]",
        "amounts": f"ARRAY[{','.join('-5' if n % 2 == 0 else '5' for n in range(2 * BATCH))}]",
    }  # fmt: skip
    return " ".join(re.sub(r"(?<!:):(\w+)", lambda found: values[found[1]], _MANY.text).split())


def statement() -> str:
    """The service's own statement with values that pgbench can make."""
    return " ".join(re.sub(r"(?<!:):(\w+)", lambda found: VALUES[found[1]], _POST.text).split())


def account(number: int) -> UUID:
    """The id that ``ID`` works out in SQL."""
    return UUID(f"00000000-0000-7000-8000-{number:012x}")


def _open(platform: Platform) -> None:
    """A thousand funded wallets, funded through the ledger so that it still verifies."""
    with platform.unit_of_work(Actor.system("bench")) as session:
        for statement in (PEOPLE, WALLETS):
            session.execute(text(statement.format(id=ID.format("n"), count=ACCOUNTS)))
        issuance = service.open_account(session, asset="POINTS", purpose="issuance")
        funded = FUNDED.format(id=ID.format("n"), count=ACCOUNTS)
        if session.scalar(text(funded), {"issuance": issuance}) != ACCOUNTS:
            raise RuntimeError("the wallets could not be funded")
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE wallet_account, wallet_transfer, wallet_entry"))


def _script(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def _tps(output: str) -> float:
    if failed := re.search(r"number of failed transactions: ([1-9]\d*)", output):
        raise RuntimeError(f"{failed[1]} transactions failed")
    found = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(output)
    return float(found[1])


def _serve(cluster: Cluster, platform: Platform) -> float:
    """Transfers a second of the service: a unit of work each."""
    cluster.checkpoint()
    until = time.perf_counter() + SECONDS
    counts: list[int] = []
    problems: list[Exception] = []

    def work(seed: int) -> None:
        chance, done, actor = random.Random(seed), 0, Actor.system("bench")
        try:
            while time.perf_counter() < until:
                source, destination = chance.sample(range(1, ACCOUNTS + 1), 2)
                with platform.unit_of_work(actor) as session:
                    service.transfer(
                        session, actor, source=account(source), destination=account(destination),
                        amount=chance.randint(1, 100), kind="transfer",
                    )  # fmt: skip
                done += 1
        except Exception as problem:
            problems.append(problem)
        counts.append(done)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return sum(counts) / (time.perf_counter() - began)


def _check(platform: Platform) -> None:
    """Nothing that was measured may have broken the ledger; the digests are left to `guildhall wallet verify`."""
    with platform.unit_of_work() as session:
        for name, (_label, query) in CHECKS.items():
            if broken := session.execute(text(query)).first():
                raise RuntimeError(f"the ledger does not hold: {name}: {broken}")
