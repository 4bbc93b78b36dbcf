"""Links open one file for a while; what nobody needs is taken away, and nothing else."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.actor import Actor
from core.clock import frozen, now
from core.errors import NotFound
from core.files import links, service
from core.files.errors import LinkExpired
from core.files.models import StoredFile
from core.files.s3 import S3Storage
from core.files.storage import LocalStorage, Storage, from_config, key_of
from core.files.upload import TYPES
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.platform import Platform
from guildhall import new_id
from tests.conftest import test_config as make_config
from tests.core.files import samples

SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
KEY = "secret"


def test_a_link_opens_its_file_until_it_expires() -> None:
    file_id = new_id()
    with frozen(T0):
        token = links.token(KEY, file_id, T0 + timedelta(minutes=15))
        assert links.read(KEY, token) == (file_id, timedelta(minutes=15))
    with frozen(T0 + timedelta(minutes=14, seconds=59)):
        assert links.read(KEY, token)[0] == file_id
    with frozen(T0 + timedelta(minutes=15)), pytest.raises(LinkExpired):
        links.read(KEY, token)


def test_a_link_cannot_be_changed_or_made_up() -> None:
    token = links.token(KEY, new_id(), now() + timedelta(minutes=15))
    made_up = ["", "x", "=", "a" * 51, token[:-1], token + "A", token + "\n", links.token("other", new_id(), now())]
    for place in range(0, len(token) - 1, 5):
        made_up.append(token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :])
    for given in [*made_up, "💥", "../../etc/passwd"]:
        with pytest.raises(NotFound) as refused:
            links.read(KEY, given)
        assert not isinstance(refused.value, LinkExpired)


class Desk:
    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder = platform, folder

    def send(self, content: bytes, actor: Actor, kept: bool = False) -> StoredFile:
        with self.platform.unit_of_work(actor) as session:
            row = service.store(session, actor, io.BytesIO(content), name="x", purpose="gallery.proof", allowed=TYPES)
            return service.keep(session, actor, row.id, purpose="gallery.proof") if kept else row

    def forget(self, row: StoredFile, actor: Actor) -> None:
        with self.platform.unit_of_work(actor) as session:
            service.delete(session, actor, row.id)

    def sweep(self, later: timedelta = timedelta(0)) -> Any:
        with frozen(now() + later):
            with self.platform.unit_of_work(SYSTEM) as session:
                key = enqueue(session, SYSTEM, "core.sweep_files").id
            assert run_next(self.platform.database)
        with self.platform.unit_of_work() as session:
            return session.get_one(JobRow, key).result

    def lying(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def state(self, row: StoredFile) -> str:
        with self.platform.unit_of_work() as session:
            return session.scalars(select(StoredFile.state).where(StoredFile.id == row.id)).one()


@pytest.fixture
def desk(gallery: Platform, tmp_path: Path) -> Desk:
    from sqlalchemy import text

    with gallery.unit_of_work() as session:
        session.execute(text("TRUNCATE core_file CASCADE"))
    return Desk(gallery, tmp_path / "files")


def test_the_content_of_a_deleted_file_goes_unless_another_has_it(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner, other = someone(), someone()
    gone, shared = desk.send(b"gone", owner), desk.send(b"shared", owner)
    twin = desk.send(b"shared", other)
    for row in (gone, shared):
        desk.forget(row, owner)
    assert desk.sweep() == {"loose": 0, "content": 1}
    assert desk.lying() == {twin.storage_key}
    assert desk.sweep() == {"loose": 0, "content": 0}
    desk.forget(twin, other)
    assert desk.sweep()["content"] == 1
    assert desk.lying() == set()


def test_a_file_that_nothing_refers_to_goes_after_a_day(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner = someone()
    loose, kept = desk.send(b"loose", owner), desk.send(b"kept", owner, kept=True)
    assert desk.sweep(timedelta(hours=23)) == {"loose": 0, "content": 0}
    assert desk.sweep(timedelta(hours=25))["loose"] == 1
    assert (desk.state(loose), desk.state(kept)) == ("deleted", "kept")
    assert desk.lying() == {kept.storage_key}


def test_what_a_failed_upload_left_goes_after_a_day(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner = someone()
    with pytest.raises(RuntimeError), desk.platform.unit_of_work(owner) as session:
        service.store(session, owner, io.BytesIO(b"lost"), name="x", purpose="gallery.proof", allowed=TYPES)
        raise RuntimeError
    draft = desk.folder / "ab" / ".draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"half")
    assert len(desk.lying()) == 2
    desk.sweep()
    assert len(desk.lying()) == 2
    desk.sweep(timedelta(hours=25))
    assert desk.lying() == set()


def test_old_content_that_is_sent_again_is_not_swept_meanwhile(desk: Desk, someone: Callable[[], Actor]) -> None:
    owner = someone()
    first = desk.send(b"again", owner)
    path = desk.folder / first.storage_key
    os.utime(path, (0, 0))
    desk.forget(first, owner)
    with desk.platform.unit_of_work(owner) as session:
        service.store(session, owner, io.BytesIO(b"again"), name="x", purpose="gallery.proof", allowed=TYPES)
        session.commit()
    desk.sweep()
    assert path.read_bytes() == b"again"


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "folder":
        yield LocalStorage(tmp_path / "files")
        return
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket="hall-files")
        yield from_config(make_config(files_url="s3://hall-files/some/where?region=us-east-1"))


def test_a_storage_keeps_gives_lists_and_forgets(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(samples.PDF)
    one, other = key_of("a" * 64), key_of("b" * 64)
    for key in (one, other, one):
        storage.put(key, source)
    with storage.open(one) as content:
        assert content.read() == samples.PDF
    with storage.open(one, 3, 9) as content:
        assert content.read(6) == samples.PDF[3:9]
    assert sorted(storage.keys(now() + timedelta(hours=1))) == [one, other]
    assert list(storage.keys(now() - timedelta(hours=1))) == []
    for _ in range(2):
        storage.delete(one)
    with pytest.raises(FileNotFoundError):
        storage.open(one)
    assert list(storage.keys(now() + timedelta(hours=1))) == [other]
    for ask in (storage.open, storage.delete):
        with pytest.raises(ValueError, match="no key of a file"):
            ask("../../etc/passwd")


@pytest.mark.parametrize("storage", ["s3"], indirect=True)
def test_of_a_range_s3_gives_no_more_than_the_range(storage: Any, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(range(200)))
    key, fetched = key_of("a" * 64), []
    storage.put(key, tmp_path / "source")
    seen = storage._client.meta.events
    seen.register("after-call.s3.GetObject", lambda parsed, **_: fetched.append(parsed["ContentLength"]))
    for start, stop, content in ((10, 13, bytes((10, 11, 12))), (190, None, bytes(range(190, 200)))):
        with storage.open(key, start, stop) as part:
            assert part.read() == content
    assert fetched == [3, 10]


def test_an_s3_that_is_not_there_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.files.errors import StorageSilent

    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    silent = S3Storage("hall-files", endpoint="http://127.0.0.1:1", region="us-east-1")
    with pytest.raises(StorageSilent):
        silent.open(key_of("a" * 64))


@pytest.mark.parametrize("url", ["file:///etc", "s3://", "s3://Bad_Bucket", "http://x/y"])
def test_an_address_that_is_no_storage_is_refused(url: str) -> None:
    from config import Config, ConfigError

    with pytest.raises(ConfigError, match="GUILDHALL_FILES_URL: give s3://bucket/prefix"):
        Config.load({"GUILDHALL_FILES_URL": url, "GUILDHALL_SECRET_KEY": "x", "GUILDHALL_ENCRYPTION_KEYS": ""})
