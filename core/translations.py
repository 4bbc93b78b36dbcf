"""``guildhall translations``: collect what is to be translated, carry it into each language, compile, check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from config import Config
    from core.catalogues import Found, Owner

language_option = click.option(
    "-l", "--language", "languages", multiple=True, help="Only this language; may be given more than once."
)
plugin_option = click.option("-p", "--plugin", default="", help="Only this plugin; 'core' for the core.")


@click.group("translations")
def group() -> None:
    """Catalogues of the core and of each plugin. Needs no database."""


def _collected(config: Config, plugin: str) -> Iterator[tuple[Owner, Found]]:
    from core import catalogues
    from core.loader import load
    from core.manifest import core

    registry, found = load(config, core)
    whose = catalogues.owners(found)
    if plugin and plugin not in {owner.name for owner in whose}:
        raise click.ClickException(f"There is no plugin {plugin} here.")
    collected = catalogues.extract(registry, whose)
    yield from ((owner, collected[owner.name]) for owner in whose if plugin in ("", owner.name))


def _languages(given: tuple[str, ...]) -> tuple[str, ...]:
    from babel import Locale, UnknownLocaleError

    from core.catalogues import LANGUAGES

    for language in given:
        try:
            Locale.parse(language)
        except (ValueError, UnknownLocaleError):
            raise click.ClickException(f"There is no language {language}; name one such as fr or pt_BR.") from None
    return given or LANGUAGES


@group.command("extract")
@plugin_option
@click.pass_obj
def extract(config: Config, plugin: str) -> None:
    """Print every message that is to be translated, with where it stands."""
    for owner, found in _collected(config, plugin):
        for message in sorted(found.messages, key=str):
            text = " / ".join(message) if isinstance(message, tuple) else message
            click.echo(f"{owner.name}\t{text!r}\t{' '.join(sorted(found.messages[message]))}")


@group.command("update")
@plugin_option
@language_option
@click.pass_obj
def update(config: Config, plugin: str, languages: tuple[str, ...]) -> None:
    """Bring new messages into the catalogues and take unused ones out. A new language starts with -l."""
    from core import catalogues

    for owner, found in _collected(config, plugin):
        for language in _languages(languages):
            if found.messages:
                made = catalogues.update(owner, found, language)
                empty = sum(1 for message in made if message.id and not message.string)
                click.echo(f"{owner.name} {language}: {len(made)} messages, {empty} not translated")


@group.command("compile")
@plugin_option
@click.pass_obj
def compile_(config: Config, plugin: str) -> None:
    """Make the messages.mo files that Guildhall reads. Running processes read them after a restart."""
    from core import catalogues

    for owner, _found in _collected(config, plugin):
        for language in catalogues.languages_of(owner):
            click.echo(catalogues.compile_(owner, language))


@group.command("check")
@plugin_option
@language_option
@click.pass_obj
def check(config: Config, plugin: str, languages: tuple[str, ...]) -> None:
    """Exit 1 when a message is missing, empty, fuzzy or unused, its placeholders differ, or a .mo is old."""
    from core import catalogues

    wrong = [
        problem
        for owner, found in _collected(config, plugin)
        for language in _languages(languages)
        for problem in catalogues.problems(owner, found, language)
    ]
    for problem in wrong:
        click.echo(problem)
    click.echo(f"{len(wrong)} problems." if wrong else "Every message is translated.")
    raise SystemExit(bool(wrong))
