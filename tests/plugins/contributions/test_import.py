"""A community's past comes in whole, once, and without anybody's address."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text

from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members.models import Identity
from core.platform import Platform
from guildhall import Actor, Member
from plugins.contributions import history, hooks, importing
from plugins.contributions.commands import group
from plugins.contributions.errors import InvalidEvent, NotARepository
from plugins.contributions.history import BadLine, Line, Masked, csv_lines, fixed_zone, git_lines
from plugins.contributions.models import Contribution, MemberProgress

from .conftest import findings, picture

COMMUNITY = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "community-history.csv"
HEADER = "key,member,occurred_at,type\n"
MASKED = Masked("secret")


def run_import(platform: Platform, actor: Actor, lines: Any, kind: str = "import") -> importing.Report:
    return importing.run(lambda: platform.unit_of_work(actor), actor, lines, kind=kind)


def git(folder: Path, *arguments: str, **who: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Lovelace",
        "GIT_AUTHOR_EMAIL": "Ada@example.org",
        "GIT_AUTHOR_DATE": "2024-05-01T09:00:00+02:00",
        "GIT_COMMITTER_NAME": "Ada Lovelace",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        "GIT_COMMITTER_DATE": "2024-05-01T09:00:00+02:00",
        **who,
    }
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits by Ada, one by a handle on a branch, a merge, an annotated and a light tag."""
    folder = tmp_path / "engine"
    folder.mkdir()
    bob = {
        "GIT_AUTHOR_NAME": "bob",
        "GIT_AUTHOR_EMAIL": "bob@example.org",
        "GIT_AUTHOR_DATE": "2024-05-03T01:00:00-07:00",
    }
    git(folder, "init", "-b", "main")
    git(folder, "commit", "--allow-empty", "-m", "One")
    git(folder, "tag", "v1")
    git(folder, "checkout", "-b", "side")
    git(folder, "commit", "--allow-empty", "-m", "Two", **bob)
    git(folder, "checkout", "main")
    git(folder, "commit", "--allow-empty", "-m", "Three", GIT_AUTHOR_DATE="2024-05-02T09:00:00+02:00")
    git(folder, "merge", "--no-ff", "-m", "Merge", "side", GIT_AUTHOR_EMAIL="ADA@example.org")
    git(folder, "tag", "-a", "-m", "Two", "v2", GIT_COMMITTER_DATE="2024-05-04T09:00:00+05:30")
    return folder


def test_good_lines_are_all_kept_and_bad_ones_told_by_number(platform: Platform, system: Actor, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    lines = [
        b"a,ada,2024-05-01T09:00:00+02:00,git.commit",
        b'b,"ada,2024-05-01T09:00:00+02:00,git.commit',
        b"c,ada,2024-05-01T09:00:00+02:00,git.commit",
        b"d,ada,2024-05-01T09:00:00,git.commit",
        b"e,ada,yesterday,git.commit",
        b"f,ada,2024-05-01T09:00:00+02:00",
        b"g,ada,2024-05-01T09:00:00+02:00,git.commit,more",
        b"h,\xff\xfe,2024-05-01T09:00:00+02:00,git.commit",
        b"i,a\x00b,2024-05-01T09:00:00+02:00,git.commit",
        b"",
        b"j,,2024-05-01T09:00:00+02:00,git.commit",
        b"k,ada,2999-05-01T09:00:00+02:00,git.commit",
        b"l,ada,2024-05-01T09:00:00+02:00,no.such",
        b"a,ada,2024-05-01T09:00:00+02:00,git.commit",
        b'm,"Zo\xc3\xab, the second",2024-05-01T09:00:00Z,git.merge\r',
        b"n,ada@example.org,2024-05-01T09:00:00+02:00,git.commit",
        b"o,ada,2024-05-01T09:00:00+02:00,git.commit",
    ]
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"\n".join(lines))
    report = run_import(platform, system, csv_lines(path, MASKED))
    assert (report.lines, report.recorded, report.duplicate, report.invalid) == (16, 5, 1, 10)
    assert sorted((number, code) for number, code, _ in report.problems) == [
        *((number, "INVALID_EVENT") for number in (3, 5, 6, 7, 8, 9, 10, 12)),
        (13, "OCCURRED_IN_FUTURE"),
        (14, "INVALID_CONTRIBUTION_TYPE"),
    ]
    with platform.unit_of_work(system) as session:
        assert session.scalars(select(Contribution.event_key).order_by("event_key")).all() == ["a", "c", "m", "n", "o"]
        names = set(session.scalars(select(Member.display_name).where(Member.source == "import")))
        assert names == {"ada", "Zoë, the second", f"contributor-{MASKED.subject('ada@example.org')[:4]}"}
        assert findings(session) == []


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    for content in ("", "key,member\n", "\x00\n"):
        (tmp_path / "x.csv").write_text(content)
        with pytest.raises(InvalidEvent):
            next(csv_lines(tmp_path / "x.csv", MASKED))


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("type,note,occurred_at,member,key\ngit.merge,hi,2024-05-01T09:00:00+02:00,ada,k\n")
    [line] = csv_lines(tmp_path / "x.csv", MASKED)
    assert isinstance(line, Line)
    assert (line.key, line.subject, line.type, line.number) == ("k", "ada", "git.merge", 2)


@pytest.mark.parametrize(
    ("offset", "zone"),
    [
        (timedelta(hours=2), "Etc/GMT-2"),
        (timedelta(hours=-7), "Etc/GMT+7"),
        (timedelta(hours=14), "Etc/GMT-14"),
        (timedelta(hours=-13), "UTC"),
        (timedelta(hours=5, minutes=30), "UTC"),
        (timedelta(0), "UTC"),
    ],
)
def test_an_offset_in_whole_hours_becomes_a_fixed_zone(offset: timedelta, zone: str) -> None:
    assert fixed_zone(datetime(2024, 5, 1, tzinfo=timezone(offset))) == zone


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada L."),
        ("Ada King of Lovelace", "Ada L."),
        ("Zoë Ångström", "Zoë Å."),
        ("ada", "contributor-1f3a"),
        ("", "contributor-1f3a"),
        ("ada@example.org of Example", "contributor-1f3a"),
    ],
)
def test_names_are_masked(name: str, shown: str) -> None:
    assert Masked.name(name, "1f3a0000") == shown


def test_a_git_history_becomes_contributions(platform: Platform, system: Actor, repository: Path) -> None:
    assert history.count_git(repository) == 6
    report = run_import(platform, system, git_lines(repository, "engine", MASKED), "git")
    assert (report.lines, report.recorded, report.invalid) == (6, 6, 0)
    with platform.unit_of_work(system) as session:
        counts = select(Contribution.type, func.count()).group_by(Contribution.type).order_by(Contribution.type)
        assert session.execute(counts).tuples().all() == [("git.commit", 3), ("git.merge", 1), ("git.release", 2)]
        people = select(Member.display_name, Member.time_zone, Member.email).where(Member.source == "import")
        ada, bob = sorted(session.execute(people).tuples().all())
        assert ada == ("Ada L.", "Etc/GMT-2", None)
        assert bob[0].startswith("contributor-")
        assert bob[1:] == ("Etc/GMT+7", None)
        everything = " ".join(
            str(row)
            for table in ("core_member", "core_identity", "contributions_contribution", "core_event")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        )
        assert "@" not in everything
        assert "Lovelace" not in everything
        assert all(len(subject) == 64 for subject in session.scalars(select(Identity.subject)))
        release = session.scalars(select(Contribution).where(Contribution.event_key.endswith(":v2"))).one()
        assert release.details == {"repository": "engine", "tag": "v2"}
        assert release.occurred_at.isoformat() == "2024-05-04T03:30:00+00:00"
        before = picture(session)
    clone = repository.parent / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True, capture_output=True)
    again = run_import(platform, system, git_lines(clone, "clone", MASKED), "git")
    assert (again.recorded, again.duplicate) == (0, 6)
    with platform.unit_of_work(system) as session:
        assert picture(session) == before


def test_a_git_history_is_imported_by_a_job(platform: Platform, system: Actor, repository: Path) -> None:
    with platform.unit_of_work(system) as session:
        job = enqueue(session, system, "contributions.import_git", {"path": str(repository)})
    assert run_next(platform.database)
    with platform.unit_of_work(system) as session:
        session.add(job)
        session.refresh(job)
        assert (job.state, job.done, job.total) == ("done", 6, 6)
        assert job.result is not None
        assert job.result["recorded"] == 6


@pytest.fixture
def start(platform: Platform, system: Actor) -> Callable[..., str | None]:
    """Starts once with these boot settings; returns what is said."""

    def once(**settings: object) -> str | None:
        platform.config = platform.config.model_copy(update={"demo": False, **settings})
        with platform.unit_of_work(system) as session:
            return hooks.first_start(session, platform)

    return once


def test_a_start_says_that_a_repository_cannot_be_read(
    platform: Platform, tmp_path: Path, start: Callable[..., str | None]
) -> None:
    said = start(repo=tmp_path / "nothing here")
    assert said is not None
    assert said.startswith("No history is imported: nothing here is not a git repository that can be read: ")
    assert not run_next(platform.database)


def test_a_start_asks_for_the_configured_repository(
    platform: Platform, system: Actor, repository: Path, start: Callable[..., str | None]
) -> None:
    assert start() is None
    assert start(repo=repository) == "The history of engine is being imported."
    start(repo=repository)
    assert run_next(platform.database)
    assert not run_next(platform.database), "two starts ask for one import while it waits"
    with platform.unit_of_work(system) as session:
        before = session.scalar(select(func.count()).select_from(Contribution))
    start(repo=repository)
    assert run_next(platform.database)
    with platform.unit_of_work(system) as session:
        assert session.scalar(select(func.count()).select_from(Contribution)) == before == 6


def test_the_demo_shows_this_checkout_beside_it(
    repository: Path, start: Callable[..., str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "CHECKOUT", repository)
    assert start(demo=True) == "The history of engine is being imported."
    monkeypatch.setattr(hooks, "CHECKOUT", repository / "no-such-folder")
    assert start(demo=True) is None


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARepository):
        history.count_git(tmp_path)
    with pytest.raises(NotARepository):
        list(git_lines(tmp_path, "x", MASKED))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(NotARepository):
        list(git_lines(tmp_path, "empty", MASKED))


def test_a_repository_can_start_no_program(tmp_path: Path, repository: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text("#!/bin/sh\ntouch " + str(tmp_path / "sprung") + "\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand", "diff.external", "core.editor"):
        git(repository, "config", key, str(trap))
    git(repository, "config", "log.showSignature", "true")
    assert sum(isinstance(line, Line) for line in git_lines(repository, "x", MASKED)) == 6
    assert not (tmp_path / "sprung").exists()


def test_a_commit_with_a_date_that_is_none_costs_only_itself(repository: Path) -> None:
    bad = subprocess.run(
        ["git", "hash-object", "-w", "-t", "commit", "--stdin", "--literally"],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
        input="tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor X Y <x@example.org> 99999999999999 +0000\n"
        "committer X Y <x@example.org> 99999999999999 +0000\n\nFar\n",
    )
    git(repository, "update-ref", "refs/heads/main", bad.stdout.strip())
    lines = list(git_lines(repository, "x", MASKED))
    assert [type(line) for line in lines] == [BadLine, Line, Line]
    assert bad.stdout[:12] in lines[0].error.message


def test_the_import_goes_on_after_it_was_stopped(platform: Platform, system: Actor, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    rows = [f"k{n},member-{n % 7},2024-05-{n % 28 + 1:02d}T09:00:00+02:00,git.commit\n" for n in range(2500)]
    path.write_text(HEADER + "".join(rows))

    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        if done >= 1000:
            raise Stopped

    with pytest.raises(Stopped):
        importing.run(
            lambda: platform.unit_of_work(system), system, csv_lines(path, MASKED), kind="import", progress=stop
        )
    report = run_import(platform, system, csv_lines(path, MASKED))
    assert (report.recorded, report.duplicate) == (1500, 1000)
    with platform.unit_of_work(system) as session:
        assert session.scalar(select(func.sum(MemberProgress.count))) == 2500
        assert findings(session) == []


def test_the_commands_import_verify_and_recalculate(
    platform: Platform, system: Actor, repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HEADER + "a,ada,2024-05-01T09:00:00+02:00,git.commit\nb,ada,never,git.commit\n")

    def invoke(*arguments: str) -> Any:
        return CliRunner().invoke(group, arguments, obj=platform)

    imported = invoke("import-csv", str(path))
    assert imported.exit_code == 1, imported.output
    assert "1 recorded" in imported.output
    assert "line 3: INVALID_EVENT" in imported.output
    assert "6 recorded" in invoke("import-git", str(repository), "--repo-name", "Engine").output
    assert invoke("import-git", str(tmp_path)).exit_code == 1
    assert invoke("verify").exit_code == 0
    with platform.unit_of_work(system) as session:
        session.execute(text("UPDATE contributions_progress SET points = points + 1"))
    broken = invoke("verify")
    assert broken.exit_code == 1
    assert "recalculate" in broken.output
    assert "Recalculated" in invoke("recalculate").output
    assert invoke("verify").exit_code == 0


@pytest.mark.skipif(not COMMUNITY.exists(), reason=f"the community's history is not there: {COMMUNITY}")
def test_a_real_communitys_history_comes_in_whole_fast_and_once(
    platform: Platform, system: Actor, record_property: Callable[[str, object], None]
) -> None:
    started = time.perf_counter()
    report = run_import(platform, system, csv_lines(COMMUNITY, MASKED))
    record_property("events a second", round(report.lines / (time.perf_counter() - started)))
    assert (report.lines, report.recorded, report.problems) == (5531, 5531, [])
    with platform.unit_of_work(system) as session:
        assert findings(session) == []
        assert session.scalar(select(func.sum(MemberProgress.points))) == 3762 * 5 + 1707 * 10 + 62 * 50
        before = picture(session)
        rows = session.scalar(text("SELECT count(*) FROM core_event"))
    again = run_import(platform, system, csv_lines(COMMUNITY, MASKED))
    assert (again.recorded, again.duplicate) == (0, 5531)
    with platform.unit_of_work(system) as session:
        assert picture(session) == before
        assert session.scalar(text("SELECT count(*) FROM core_event")) == rows
