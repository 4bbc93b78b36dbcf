"""The operators' page: every setting is on it, and what it tells to type works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from sqlalchemy import func, select, text

from config import PREFIX, Config
from core.commands import main
from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Actor, Member, new_id
from plugins.contributions import Contribution, service

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operators.md").read_text()


def rows() -> list[str]:
    """The table of settings as it should be."""
    made = []
    for name, field in Config.model_fields.items():
        value = field.default
        shown = "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"
        made.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return made


def test_every_boot_setting_is_in_the_table_as_it_is() -> None:
    table = PAGE.split("<!-- settings")[1].split("<!-- end of settings")[0]
    assert [line for line in table.splitlines() if line.startswith(f"| `{PREFIX}")] == rows()


def test_every_command_it_names_exists() -> None:
    named = re.findall(r"guildhall ((?:[a-z-]+ ?){1,2})", PAGE)
    for line in {name.strip() for name in named}:
        command: click.Command | None = main
        for word in line.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
        if line.split()[0] in main.list_commands(click.Context(main)):
            assert command is not None, line
    for needed in ("run", "web", "worker", "scheduler", "db upgrade", "admin reset-password", "audit verify"):
        assert f"guildhall {needed}" in PAGE


@pytest.mark.parametrize("path", re.findall(r"`?((?:deploy|tests)/[\w./-]+\w|guildhall\.toml\.example)", PAGE))
def test_every_file_it_names_exists(path: str) -> None:
    assert (ROOT / path).exists() or path == "deploy/.env"


def test_a_dump_is_restored_as_the_page_tells(platform: Platform, system: Actor, tmp_path: Path) -> None:
    dump, restore = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with platform.unit_of_work(system) as session:
        member = Member(id=new_id(), display_name="Ada L.")
        session.add(member)
        session.flush()
        service.record(session, system, member_id=member.id, type="challenge.win")
    Deliverer(platform.database).drain()
    everything = text("SELECT count(*) FROM core_event")
    with platform.unit_of_work() as session:
        before = session.scalar(everything), session.scalar(select(func.count()).select_from(Contribution))
    _python(platform, tmp_path, dump)
    with platform.unit_of_work(system) as session:
        service.record(session, system, member_id=member.id, type="git.commit")
    platform.database.dispose()
    _python(platform, tmp_path, restore)
    with platform.unit_of_work() as session:
        after = session.scalar(everything), session.scalar(select(func.count()).select_from(Contribution))
    assert after == before
    for line in ("audit verify", "wallet verify", "contributions verify"):
        assert f"guildhall {line}" in PAGE
        _run(platform, tmp_path, [sys.executable, "-m", "app", *line.split()])


def _python(platform: Platform, folder: Path, code: str) -> None:
    _run(platform, folder, [sys.executable, "-c", code])


def _run(platform: Platform, folder: Path, command: list[str]) -> None:
    assert platform.bell is not None
    kwargs = platform.bell.client.connection_pool.connection_kwargs
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GUILDHALL_")},
        "PYTHONPATH": str(ROOT),
        "GUILDHALL_DATABASE_URL": platform.database.url,
        "GUILDHALL_REDIS_URL": f"unix://{kwargs['path']}?db={kwargs['db']}",
        "GUILDHALL_SECRET_KEY": "operators-" + "x" * 40,
        "GUILDHALL_HOME": str(folder),
    }
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
