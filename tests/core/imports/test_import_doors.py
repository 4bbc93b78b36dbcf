"""Imports by pages, REST and the command line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.imports.commands import import_command
from core.platform import Platform
from tests.core.doors import Person
from tests.core.imports.conftest import AUTHORS, BOOKS, Desk, written
from tests.core.library import Author, Book

LISTS = f"/admin/lists/{BOOKS}/imports"


def test_the_list_offers_it_to_who_may(people: Callable[..., Person], admin: Person, granted: Any) -> None:
    assert LISTS in admin.get("/admin/library/book/list/").text
    assert people("Moderator", browser=True).get(LISTS).status_code == 403
    assert people("User").get("/api/v1/core/imports?resource=library.book").status_code == 403
    assert admin.get("/admin/lists/core.member/imports").status_code == 404


def test_a_file_goes_from_the_form_to_the_report(desk: Desk, admin: Person, mark: str) -> None:
    assert "No file has been imported yet" in admin.get("/admin/lists/suggestions.suggestion/imports").text
    content = written(["Title", "Copies"], [f"One {mark}", 2], [f"Two {mark}", "x"])
    sent = admin.send(LISTS, file=(io.BytesIO(content), "books.csv"))
    page = admin.get(sent.location).text
    assert re.search(r'name="column-title".*?<option value="Title" selected', page, re.DOTALL)
    assert f"One {mark}" in page and "Write a whole number." in page
    form = {"column-title": "Title", "constant-shelf": "4", "keys": "", "existing": "update", "blank": "keep"}
    admin.send(f"{sent.location}/plan", **form, look="1")
    assert 'name="constant-shelf" value="4"' in admin.get(sent.location).text
    admin.send(f"{sent.location}/plan", **form, **{"column-copies": "Copies"})
    assert "The file is being tried" in admin.get(sent.location).text
    desk.work()
    assert "Import 1 row<" in admin.get(sent.location).text
    admin.send(f"{sent.location}/start")
    desk.work()
    page = admin.get(sent.location).text
    assert "Done in part" in page and "Download them to mend" in page and "Undo this import" in page
    problems = admin.get(f"{sent.location}/problems.csv")
    assert problems.headers["Content-Disposition"] == "attachment; filename=books-problems.csv"
    assert problems.text.splitlines()[1] == f"Two {mark},x,Copies: Write a whole number."
    admin.send(f"{sent.location}/undo", reason="The wrong file.")
    desk.work()
    assert "Reason: The wrong file. · The import had made 1 and updated 0." in admin.get(sent.location).text
    assert desk.all(Book, Book.title.like(f"%{mark}")) == []
    assert "books.csv" in admin.get(LISTS).text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xe9\xe8,b\n1,2\n", "Save it as CSV (UTF-8)"),
        (b"PK\x03\x04x", "cannot be read as a table"),
    ],
    ids=["empty", "latin-1", "no-workbook"],
)
def test_a_file_that_is_no_table_is_told_so(admin: Person, content: bytes, said: str) -> None:
    name = "books.xlsx" if content.startswith(b"PK") else "books.csv"
    assert admin.send(LISTS, file=(io.BytesIO(content), name)).location == LISTS
    assert said in admin.get(LISTS).text


def test_rest_imports_and_undoes(people: Callable[..., Person], site: Platform, mark: str) -> None:
    admin = people("Admin")
    content = written(["Name"], [f"Ada {mark}"], [""])
    file = admin.http.post(
        "/api/v1/core/files?purpose=core.import",
        data={"file": (io.BytesIO(content), "authors.csv")},
        headers=admin.headers,
    ).json["data"]["id"]
    begun = admin.post("/api/v1/core/imports", {"file_id": file, "resource": AUTHORS})
    assert (begun.status_code, begun.json["data"]["state"]) == (202, "checking")
    desk, at = Desk(site, admin), f"/api/v1/core/imports/{begun.json['data']['id']}"
    desk.work()
    found = admin.get(at).json["data"]
    assert (found["state"], found["figures"]["tried"]["created"], found["plan"]["keys"]) == ("checked", 1, ["name"])
    problems = admin.get(f"{at}/problems").json["data"]
    assert [(one["line"], one["field"]) for one in problems] == [(3, "name")] or problems == []
    admin.post(f"{at}/start")
    desk.work()
    assert len(desk.all(Author, Author.name == f"Ada {mark}")) == 1
    assert admin.post(f"{at}/start").json["error"]["code"] == "IMPORT_NOT_READY"
    assert admin.post(f"{at}/undo", {"reason": "Wrong."}).status_code == 202
    desk.work()
    assert admin.get(at).json["data"]["state"] == "undone"
    assert admin.get(f"/api/v1/core/imports?resource={AUTHORS}").json["data"][0]["id"] == found["id"]
    wrong = {"file_id": file, "resource": AUTHORS, "plan": {"columns": {"nothing": "Name"}}}
    assert admin.post("/api/v1/core/imports", wrong).status_code in (404, 422)


def test_the_command_line_imports(site: Platform, admin: Person, tmp_path: Path, mark: str) -> None:
    path = tmp_path / "books.csv"
    path.write_bytes(written(["Titel", "copies"], [f"One {mark}", 2], [f"Two {mark}", "x"]))
    email = admin.member.email if admin.member else ""
    words = [BOOKS, str(path), "--map", "title=Titel", "--set", "shelf=3", "--by", str(email)]
    tried = CliRunner().invoke(import_command, [*words, "--dry-run"], obj=site)
    assert tried.exit_code == 1 and "Would be: 1 created, 0 updated, 0 left, 1 failed of 2 rows." in tried.output
    assert "Row 3: Copies: Write a whole number." in tried.output
    done = CliRunner().invoke(import_command, words, obj=site)
    assert done.exit_code == 1 and "Is: 1 created" in done.output
    desk = Desk(site, admin)
    assert [(one.shelf, str(one.owner_id)) for one in desk.all(Book, Book.title == f"One {mark}")] == [(3, admin.id)]
    assert CliRunner().invoke(import_command, [BOOKS, str(path), "--by", "x@y"], obj=site).exit_code == 1
    nobody = CliRunner().invoke(import_command, [BOOKS, str(path), "--dry-run"], obj=site)
    assert "Say whose the records are: --by EMAIL, or --map owner_id=COLUMN." in nobody.output
