"""Drafts outlive their process; nobody's work is lost unseen, and a disk that refuses is told in a sentence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import NotFound
from core.ids import new_id
from core.studio import drafts as module
from core.studio.drafts import Drafts
from core.studio.errors import DesignTooLarge, DraftChanged, FolderUnwritable, TooManyDrafts


def test_a_draft_is_there_for_whoever_looks_next(tmp_path: Path) -> None:
    made = Drafts(tmp_path).create("name: a\n", "shop", {"plugin.yaml": "1"})
    assert Drafts(tmp_path).get(made.id) == made
    assert [one.id for one in Drafts(tmp_path).all()] == [made.id]
    Drafts(tmp_path).delete(made.id)
    with pytest.raises(NotFound):
        Drafts(tmp_path).get(made.id)


def test_of_sixteen_who_save_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    made = drafts.create("name: a\n")

    def save(number: int) -> str:
        try:
            return drafts.save(made.id, f"name: b{number}\n", made.mark).text
        except DraftChanged:
            return ""

    with ThreadPoolExecutor(16) as threads:
        won = [text for text in threads.map(save, range(16)) if text]
    assert len(won) == 1 and drafts.get(made.id).text == won[0]


def test_a_file_that_is_no_draft_hides_no_other(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    made = drafts.create("x")
    (drafts.folder / f"{new_id()}.json").write_text('{"text": 3')
    (drafts.folder / "notes.json").write_text("{}")
    assert [one.id for one in drafts.all()] == [made.id]


def test_size_and_number_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = Drafts(tmp_path)
    monkeypatch.setattr(module, "MOST_DRAFTS", 2)
    made = drafts.create("a")
    with pytest.raises(DesignTooLarge):
        drafts.save(made.id, "é" * 100_001, made.mark)
    drafts.create("b")
    with pytest.raises(TooManyDrafts):
        drafts.create("c")
    assert drafts.get(made.id).text == "a"


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "studio").write_text("in the way")
    with pytest.raises(FolderUnwritable, match="studio"):
        Drafts(tmp_path).create("a")
