"""What no table tells: a plugin gives it to the copy, and takes it out with the member."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from core.actor import Actor
from core.members import service as members
from core.plugin import Plugin
from core.privacy import erase, export
from core.privacy.models import Erasure
from guildhall import hookimpl, new_id, now

SYSTEM = Actor.system("test")


class Diary:
    """A plugin's hooks: what people wrote, by their id."""

    def __init__(self) -> None:
        self.pages: dict[UUID, str] = {}

    @hookimpl
    def personal_data(self, member_id: UUID) -> Mapping[str, Any]:
        return {"pages": [{"written": self.pages[member_id]}]} if member_id in self.pages else {}

    @hookimpl
    def member_erased(self, member_id: UUID) -> None:
        self.pages.pop(member_id, None)


def test_a_plugin_gives_and_takes_out_what_no_reference_leads_to(shop: Any, tmp_path: Path) -> None:
    diary = Diary()
    platform = shop.open(Plugin("diary", version="1", label="", hooks=diary))
    with platform.unit_of_work(SYSTEM) as session:
        email = f"{new_id()}@example.org"
        ada = members.register(session, SYSTEM, email=email, password=None, display_name="Ada")
        diary.pages = {ada.id: "=dear diary", new_id(): "another's"}
        assert export.write(session, ada.id, tmp_path / "copy.zip") == []
        row = Erasure(id=new_id(), member_id=ada.id, due_at=now())
        session.add(row)
        session.flush()
        packed = zipfile.ZipFile(tmp_path / "copy.zip")
        assert json.loads(packed.read("json/diary.pages.json")) == [{"written": "=dear diary"}]
        assert packed.read("csv/diary.pages.csv").decode().splitlines() == ["written", "'=dear diary"]
        erase.erase(session, SYSTEM, row.id)
        erase.erase(session, SYSTEM, row.id)  # done is done
    assert list(diary.pages.values()) == ["another's"]
