"""The language of a page: the member's own, else what the browser asks for, else English."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, g, request

from core.platform import Platform

ROOT = Path(__file__).resolve().parents[2]


def folders(platform: Platform) -> list[Path]:
    """Where catalogues are: the core's, then each plugin's; a later one wins over an earlier one."""
    found = [ROOT / "translations", *(Path(one.folder) / "translations" for one in platform.found if one.folder)]
    return [folder for folder in found if folder.is_dir()]


def languages(platform: Platform) -> list[str]:
    """Languages with a catalogue, and English."""
    found = {path.parent.parent.name for folder in folders(platform) for path in folder.glob("*/LC_MESSAGES/*.mo")}
    return sorted({"en", *found})


def install(app: Flask, platform: Platform) -> None:
    """Let our choice replace Flask-AppBuilder's, which writes a cookie on every first page."""
    known = languages(platform)

    def choose() -> str | None:
        actor = g.get("actor")
        if actor is not None and actor.locale in known:
            return str(actor.locale)
        return request.accept_languages.best_match(known) or "en"

    app.extensions["babel"].locale_selector = choose
