"""What a person at the terminal is told: one sentence that says what to do, never a traceback."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import app
from config import Config, ConfigError
from core.audit.commands import audit
from core.commands import Guildhall, main
from core.events.commands import events
from core.imports.commands import import_command
from core.platform import Platform


def told(platform: Platform, *words: str) -> str:
    """Run a command as the terminal does, without starting engines; returns what was said."""
    commands = {**main.commands, "audit": audit, "events": events, "import": import_command}
    result: Result = CliRunner().invoke(Guildhall("guildhall", commands=commands), words, obj=platform)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    return result.output


def test_a_file_that_cannot_be_written_is_named(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "note.json"
    assert (
        told(platform, "audit", "checkpoint", str(file))
        == f"Error: {file} cannot be used: No such file or directory.\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("plugin disable nobody", "No plugin called nobody was found."),
        ("plugin purge nobody", "No plugin called nobody was found."),
        ("events pause nobody.listens", "No subscriber is called nobody.listens."),
        ("events replay --subscriber nobody.listens", "No subscriber is called nobody.listens."),
        ("import nobody.thing pyproject.toml", "Nothing called nobody.thing can be imported."),
        ("admin create nobody", "email: "),
    ],
    ids=["disable", "purge", "pause", "replay", "import", "create"],
)
def test_a_wrong_name_is_named(platform: Platform, words: str, sentence: str) -> None:
    assert sentence in told(platform, *words.split())


def test_a_plugin_that_is_on_is_not_asked_about_before_it_is_refused(platform: Platform) -> None:
    assert "Delete" not in told(platform, "plugin", "purge", "suggestions")


def test_a_defect_keeps_its_traceback() -> None:
    @click.command("broken")
    def broken() -> None:
        raise OSError("no file's fault")

    done = CliRunner().invoke(Guildhall("guildhall", commands={"broken": broken}), ["broken"])
    assert isinstance(done.exception, OSError)


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("Guildhall ")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GUILDHALL_LOG_LEVEL", "loud", "GUILDHALL_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'."),
        ("GUILDHALL_ADMIN_EMAIL", "nobody", "GUILDHALL_ADMIN_EMAIL: give an e-mail address, like admin@example.org."),
    ],
)
def test_a_boot_setting_that_cannot_be_used_is_refused_before_the_start(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.load({"GUILDHALL_HOME": str(tmp_path), name: value}, tmp_path)
    assert str(refused.value).endswith(sentence)


def test_the_log_level_may_be_written_small(tmp_path: Path) -> None:
    assert Config.load({"GUILDHALL_HOME": str(tmp_path), "GUILDHALL_LOG_LEVEL": "debug"}, tmp_path).log_level == "DEBUG"


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(ConfigError, match=r"The file .*/secret_key cannot be read: Is a directory\."):
        Config.load({"GUILDHALL_HOME": str(tmp_path)}, tmp_path)


def test_a_plugin_folder_that_is_not_there_is_told(platform: Platform, tmp_path: Path) -> None:
    platform.config = platform.config.model_copy(update={"plugin_path": f"{tmp_path}:{tmp_path}/gone"})
    done = CliRunner().invoke(Guildhall("guildhall", commands=main.commands), ["plugin", "list"], obj=platform)
    assert done.exit_code == 0
    assert done.stderr == f"GUILDHALL_PLUGIN_PATH names {tmp_path}/gone, which is no folder.\n"


def test_a_command_that_nobody_brings_leads_to_the_plugins() -> None:
    said = CliRunner().invoke(main, ["ledgre"]).output
    assert "No such command 'ledgre'." in said
    assert "see guildhall plugin list." in said


def test_ctrl_c_while_it_loads_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.heap.loading", interrupted)
    with pytest.raises(SystemExit) as ended:
        app.cli()
    assert ended.value.code == 130
