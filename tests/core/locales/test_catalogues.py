"""Every marked sentence is translated, whole and with its placeholders, in every language."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from click.testing import CliRunner

from core.catalogues import LANGUAGES, Found, Owner, catalogue, compile_, placeholders, problems, update
from core.commands import main
from core.i18n import Catalogues, Translator

Collected = tuple[list[Owner], dict[str, Found]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated(collected: Collected, language: str) -> None:
    whose, found = collected
    assert not [problem for owner in whose for problem in problems(owner, found[owner.name], language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_two_catalogues_hold_reads_the_same_in_both(collected: Collected, language: str) -> None:
    """Catalogues are one domain: the last one wins for every page."""
    seen: dict[str, object] = {}
    for owner in collected[0]:
        for message in catalogue(owner, language):
            if message.id:
                assert seen.setdefault(str(message.id), message.string) == message.string, message.id


def test_labels_that_follow_from_names_are_collected(collected: Collected) -> None:
    suggestions = collected[1]["suggestions"].messages
    assert {"Body", "Planned", "Thank authors"} <= suggestions.keys()
    assert "Display name" in collected[1]["core"].messages and "Suspended" in collected[1]["core"].messages


def test_what_the_core_has_no_plugin_has(collected: Collected) -> None:
    _whose, found = collected
    core = found["core"].messages.keys()
    assert not [name for name, one in found.items() if name != "core" and core & one.messages.keys()]


def owner_with(folder: Path, **texts: str) -> tuple[Owner, Found]:
    found = Found()
    for text in texts.values():
        found.add(text, "somewhere.py")
    return Owner("shop", folder, ()), found


def test_update_keeps_translations_and_guesses_none(tmp_path: Path) -> None:
    owner, found = owner_with(tmp_path, a="Open the shop", b="Close the shop")
    made = update(owner, found, "fr")
    made["Open the shop"].string = "Ouvrir la boutique"
    with owner.po("fr").open("wb") as out:
        write_po(out, made)
    owner, found = owner_with(tmp_path, a="Open the shop", c="Close the shops")
    made = update(owner, found, "fr")
    assert {str(one.id): one.string or "" for one in made if one.id} == {
        "Open the shop": "Ouvrir la boutique",
        "Close the shops": "",
    }
    assert not any(one.fuzzy for one in made if one.id)


def test_two_updates_write_the_same_file(tmp_path: Path) -> None:
    owner, found = owner_with(tmp_path, a="Open the shop")
    update(owner, found, "ar")
    first = owner.po("ar").read_bytes()
    update(owner, found, "ar")
    assert owner.po("ar").read_bytes() == first


@pytest.mark.parametrize(
    ("text", "translation", "told"),
    [
        ("{name} pays", "{nom} paie", "placeholders differ"),
        ("%(name)s pays", "On paie", "placeholders differ"),
        ("{a} of {b}", "{a} sur {a}", "placeholders differ"),
        ("Pay", "", "not translated"),
    ],
)
def test_a_bad_translation_is_found(tmp_path: Path, text: str, translation: str, told: str) -> None:
    owner, found = owner_with(tmp_path, a=text)
    made = update(owner, found, "fr")
    made[text].string = translation
    with owner.po("fr").open("wb") as out:
        write_po(out, made)
    compile_(owner, "fr")
    [problem] = problems(owner, found, "fr")
    assert told in problem


def test_a_fuzzy_one_and_an_old_mo_are_found(tmp_path: Path) -> None:
    owner, found = owner_with(tmp_path, a="Pay")
    made = update(owner, found, "fr")
    made["Pay"].string = "Payer"
    made["Pay"].flags.add("fuzzy")
    with owner.po("fr").open("wb") as out:
        write_po(out, made)
    told = " ".join(problems(owner, found, "fr"))
    assert "fuzzy" in told and "older" in told


def test_braces_count_as_often_as_they_stand() -> None:
    assert placeholders("{a} %(b)s {a} %%") == Counter({"{a}": 2, "%(b)s": 1, "%%": 1})


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "لا إشعارات"), (1, "إشعار واحد"), (2, "إشعاران"), (3, "إشعارات"), (11, "إشعارًا"), (100, "إشعار ")],
)
def test_arabic_has_six_forms(count: int, words: str) -> None:
    say = Translator("ar", Catalogues().of("ar"))
    assert words in say.plural("%(num)d unread notification", "%(num)d unread notifications", count)


def test_the_check_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_HOME", str(tmp_path / "home"))
    folder = tmp_path / "plugins" / "corner_shop"
    folder.mkdir(parents=True)
    (folder / "plugin.py").write_text(
        "from guildhall import Plugin, _\nplugin = Plugin('corner_shop', version='1', label=_('Corner shop'))\n"
    )
    monkeypatch.setenv("GUILDHALL_PLUGIN_PATH", str(tmp_path / "plugins"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    run = CliRunner().invoke
    assert run(main, ["translations", "update", "-p", "corner_shop", "-l", "fr"]).exit_code == 0
    answer = run(main, ["translations", "check", "-p", "corner_shop", "-l", "fr"])
    assert answer.exit_code == 1 and "not translated: 'Corner shop'" in answer.output
    path = folder / "translations/fr/LC_MESSAGES/messages.po"
    path.write_text(
        path.read_text("utf-8").replace('msgid "Corner shop"\nmsgstr ""', 'msgid "Corner shop"\nmsgstr "Épicerie"')
    )
    assert run(main, ["translations", "compile", "-p", "corner_shop"]).exit_code == 0
    answer = run(main, ["translations", "check", "-p", "corner_shop", "-l", "fr"])
    assert answer.exit_code == 0, answer.output
    assert Translator("fr", Catalogues([folder]).of("fr"))("Corner shop") == "Épicerie"
    for name in [name for name in sys.modules if name.partition(".")[0] == "corner_shop"]:
        del sys.modules[name]


def test_a_catalogue_can_be_read_by_other_tools(collected: Collected) -> None:
    with collected[0][0].po("zh").open("rb") as file:
        read: Catalog = read_po(file)
    assert str(read.locale) == "zh" and not read.fuzzy and read.num_plurals == 1
