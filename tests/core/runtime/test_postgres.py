"""The embedded PostgreSQL, run for real."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from core.runtime import binaries, orphans
from core.runtime.keeper import Account
from core.runtime.postgres import EmbeddedPostgres
from core.runtime.problem import RuntimeProblem, StartCancelled

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ROOT = Path(__file__).resolve().parents[3]


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


def postmaster(postgres: EmbeddedPostgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().split()[0])


def wait_gone(postgres: EmbeddedPostgres, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while orphans.working_in(postgres.data, "postgres"):
        assert time.monotonic() < deadline, "PostgreSQL still runs"
        time.sleep(0.05)


def test_starts_stops_and_keeps_its_data(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_ALL", "LC_COLLATE"):
        monkeypatch.setenv(name, "xx_YY.UTF-8")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    postgres = EmbeddedPostgres(home)
    engine = sa.create_engine(postgres.start())
    with engine.begin() as connection:
        for setting, value in {"listen_addresses": "", "fsync": "on", "synchronous_commit": "on"}.items():
            assert connection.scalar(sa.text(f"SHOW {setting}")) == value
        assert connection.scalar(sa.text("SHOW server_version_num")).startswith("18")
        assert connection.scalar(sa.text("SELECT upper('éß') || current_database()")) == "Éßguildhall"
        row = connection.execute(
            sa.text("SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'guildhall'")
        ).one()
        assert tuple(row) == ("b", "C.UTF-8")
        connection.execute(sa.text("CREATE TABLE kept AS SELECT 42 AS answer"))
    engine.dispose()
    assert len(str(postgres.socket / ".s.PGSQL.5432")) < 100
    sockets = postgres.socket.parent
    assert postgres.running
    postgres.stop()
    postgres.stop()
    assert not postgres.running
    assert not sockets.exists()

    again = EmbeddedPostgres(home)
    with connect(again.start()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    again.destroy()
    assert not (home / "postgres").exists()


def test_after_kill_9_of_everything_with_a_reused_process_id(home: Path) -> None:
    postgres = EmbeddedPostgres(home, fsync=False)
    with connect(postgres.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    keeper = postgres._keeper._process
    assert keeper is not None
    keeper.kill()
    for pid in orphans.working_in(postgres.data, "postgres"):
        with contextlib.suppress(ProcessLookupError):  # a backend goes with its postmaster
            os.kill(pid, signal.SIGKILL)
    keeper.wait()
    wait_gone(postgres)
    # The pid file of the killed one now names a living process of the same user that is something else.
    account = binaries.account_for(home / "postgres")
    other = subprocess.Popen(["sleep", "60"], user=account.uid if account else None)
    pidfile = postgres.data / "postmaster.pid"
    pidfile.write_text(pidfile.read_text().replace(pidfile.read_text().split()[0], str(other.pid), 1))
    try:
        again = EmbeddedPostgres(home, fsync=False)
        with connect(again.start()) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert other.poll() is None, "a process that is no PostgreSQL was ended"
        again.stop()
        postgres.stop()
    finally:
        other.kill()
        other.wait()


def test_an_orphan_is_stopped_cleanly(home: Path) -> None:
    postgres = EmbeddedPostgres(home, fsync=False)
    url = postgres.start()
    orphan = postmaster(postgres)
    keeper = postgres._keeper._process
    assert keeper is not None
    keeper.kill()
    keeper.wait()
    session = connect(url)  # an open session does not hold the shutdown up
    again = EmbeddedPostgres(home, fsync=False)
    again.start()
    assert postmaster(again) != orphan
    assert orphan not in orphans.working_in(again.data, "postgres")
    assert "was not properly shut down" not in again._keeper.output()
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    again.stop()
    postgres.stop()


def test_backends_that_outlived_their_postmaster_block_nothing(home: Path) -> None:
    postgres = EmbeddedPostgres(home, fsync=False)
    session = connect(postgres.start())
    backend = session.info.backend_pid
    os.kill(backend, signal.SIGSTOP)  # it cannot notice that its postmaster is gone
    os.kill(postmaster(postgres), signal.SIGKILL)
    again = EmbeddedPostgres(home, fsync=False)
    start = orphans.end

    def impatient(find, steps, **rest):  # type: ignore[no-untyped-def]
        start(find, [(number, min(seconds, 0.5)) for number, seconds in steps], **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orphans, "end", impatient)
        again.start()
    assert backend not in orphans.working_in(again.data, "postgres")
    again.stop()
    postgres.stop()


def test_giving_up_leaves_nothing_running(home: Path) -> None:
    postgres = EmbeddedPostgres(home, fsync=False)
    with pytest.raises(StartCancelled):
        postgres.start(cancelled=lambda: True)
    wait_gone(postgres)


def test_a_half_made_data_folder_is_not_used(home: Path) -> None:
    half = home / "postgres.new.x" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    assert not half.exists()


def test_problems_are_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = home / "postgres"
    data.mkdir(parents=True)
    (data / "holiday.jpg").touch()
    with pytest.raises(RuntimeProblem, match=r"holds files that are no PostgreSQL database; move them away\.$"):
        EmbeddedPostgres(home).start()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(RuntimeProblem, match=r"was made by PostgreSQL 15, not 18; dump and restore it\.$"):
        EmbeddedPostgres(home).start()
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(RuntimeProblem, match=r"PostgreSQL did not start \(.+\); see .*postgres\.log\.$"):
        EmbeddedPostgres(home).start()
    shutil.rmtree(home)
    home.write_text("a file")
    with pytest.raises(RuntimeProblem, match=r"cannot be used: (File exists|Not a directory)\.$"):
        EmbeddedPostgres(home).start()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeProblem, match=r"No PostgreSQL comes with Guildhall for .* GUILDHALL_DATABASE_URL"):
        binaries.postgres_bin()


@as_root
def test_full_disk_is_one_sentence(home: Path) -> None:
    home.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(home)], check=False).returncode:
        pytest.skip("this root may not mount")
    try:
        with pytest.raises(
            RuntimeProblem, match=r"^The disk that holds .* is full; free some space and start again\.$"
        ):
            EmbeddedPostgres(home).start()
    finally:
        subprocess.run(["umount", str(home)], check=True)


@as_root
def test_as_root_a_home_that_others_cannot_enter(home: Path) -> None:
    outside = home.parent / "outside"
    outside.mkdir()
    home.mkdir(mode=0o700)
    before = home.stat()
    postgres = EmbeddedPostgres(home, fsync=False, outside=(str(outside),))
    with connect(postgres.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    after = home.stat()
    assert (before.st_mode, before.st_uid) == (after.st_mode, after.st_uid)
    assert (home / "postgres").is_symlink()
    assert postgres.data.stat().st_uid != 0

    copied = home.with_name("copied")
    shutil.copytree(home, copied, symlinks=True)
    with pytest.raises(RuntimeProblem, match=r"is the database of .*: delete this link to begin anew\.$"):
        EmbeddedPostgres(copied, outside=(str(outside),)).start()

    moved = home.rename(home.with_name("moved"))
    again = EmbeddedPostgres(moved, fsync=False, outside=(str(outside),))
    with connect(again.start()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    again.destroy()
    assert list(outside.iterdir()) == []


@as_root
def test_as_root_binaries_that_others_cannot_enter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, outside = home.parent / "private", home.parent / "outside"
    private.mkdir(mode=0o700)
    outside.mkdir()
    package = binaries.postgres_bin().parents[1]
    shutil.copytree(package / "pginstall18", private / package.name / "pginstall18")
    shutil.copytree(package.with_name(f"{package.name}.libs"), private / f"{package.name}.libs")
    monkeypatch.setattr(binaries, "postgres_bin", lambda: private / package.name / "pginstall18" / "bin")
    monkeypatch.setattr(binaries, "OUTSIDE", (str(outside),))
    for _ in range(2):
        postgres = EmbeddedPostgres(home, fsync=False)
        postgres.start()
        postgres.stop()
    (copy,) = outside.iterdir()
    assert copy.stat().st_uid == 0
    assert private.stat().st_mode & 0o777 == 0o700
    os.chown(copy, 1, 1)
    with pytest.raises(RuntimeProblem, match="was not made by root"):
        EmbeddedPostgres(home).start()


@as_root
def test_as_an_ordinary_user() -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid)
    # The whole chain of links of a virtual environment's interpreter has to be open to that user.
    interpreter = Path(sys.executable).resolve().parent
    if not all(binaries.reachable(folder, account) for folder in (interpreter, ROOT, binaries.postgres_bin())):
        pytest.skip("the interpreter or this folder is closed to other users")
    folder = Path(tempfile.mkdtemp(prefix="runtime test "))
    os.chown(folder, account.uid, account.gid)
    script = """
import sys
from pathlib import Path
from core.runtime.postgres import EmbeddedPostgres
from core.runtime.redis import EmbeddedRedis
postgres, redis = EmbeddedPostgres(Path(sys.argv[1])), EmbeddedRedis(Path(sys.argv[1]))
postgres.start(); redis.start(); redis.stop(); postgres.stop()
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder / "var")],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd=ROOT,
            env={**os.environ, "HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (folder / "var" / "postgres").stat().st_uid == account.uid
    finally:
        shutil.rmtree(folder)
