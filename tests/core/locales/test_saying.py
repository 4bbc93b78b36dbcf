"""Pages say what Flask-Babel and Babel would say, in every language, and one reader never hears another's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import flask_babel
import pytest
from flask import Flask, g, render_template_string
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from core.actor import Actor
from core.fab.wall import exact
from core.platform import Platform
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import web as web

LANGUAGES = ("en", "de", "es", "fr", "zh_Hans", "zh_CN", "ar", "ja", "ko", "da", "bg", "zh_Hant_TW", "en_GB")
NOBODY = Actor(kind="anonymous", name="anonymous")
ZONES: st.SearchStrategy[Any] = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=45))]
)
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2199, 1, 1), timezones=ZONES)


def rendered(web: Flask, locale: str, template: str, **values: Any) -> str:
    with web.test_request_context("/"):
        g.actor = NOBODY
        with flask_babel.force_locale(locale):
            return render_template_string(template, **values)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_moments_are_said_as_by_babel(web: Flask, locale: str) -> None:
    say = web.jinja_env.filters["datetimeformat"]

    @given(MOMENTS, st.sampled_from(["short", "medium", "long", "full", None, "yyyy-MM-dd HH:mm"]))
    @settings(deadline=None, max_examples=60)
    def check(at: datetime, format: str | None) -> None:
        assert say(at, format) == flask_babel.format_datetime(at, format)

    with web.test_request_context("/"):
        g.actor = NOBODY
        with flask_babel.force_locale(locale):
            check()
            for hour in range(24):
                at = datetime(2026, 2, 3, hour, 5, 9, tzinfo=UTC)
                assert say(at, "medium") == flask_babel.format_datetime(at, "medium")
            assert say(datetime(2026, 2, 3), "long", False) == flask_babel.format_datetime(
                datetime(2026, 2, 3), "long", rebase=False
            )


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("number", [0, 7, -12, 999_999, 1_000_000, 10**30, 1234.5])
def test_numbers_are_said_as_before(web: Flask, locale: str, number: Any) -> None:
    with web.test_request_context("/"):
        g.actor = NOBODY
        with flask_babel.force_locale(locale):
            for _again in range(2):
                assert web.jinja_env.filters["decimalformat"](number) == exact(number)


def test_texts_follow_the_language_even_in_the_middle_of_a_request(web: Flask) -> None:
    with web.test_request_context("/"):
        g.actor = NOBODY
        said = []
        for locale in ("en", "ar", "fr", "ar", "en"):
            with flask_babel.force_locale(locale):
                said.append((flask_babel.gettext("Sign in"), str(render_template_string("{{ _('Sign in') }}"))))
        assert said[0] == ("Sign in", "Sign in")
        assert said[1] == said[3] != said[0]
        assert said[4] == said[0]
        assert all(by_code == by_page for by_code, by_page in said)


def test_values_in_texts_are_escaped_and_percent_signs_are_one(web: Flask) -> None:
    shown = rendered(web, "en", "{{ _('a %(b)s 100%% <i>', b=b) }}|{{ _('100%%') }}|{{ _(text) }}", b="<b>", text="<u>")
    assert shown == "a &lt;b&gt; 100% <i>|100%|<u>"
    assert rendered(web, "en", "{% autoescape false %}{{ _('a %(b)s', b=b) }}{% endautoescape %}", b="<b>") == "a <b>"
    assert rendered(web, "en", "{{ _(text) }}", text=Markup("<u>")) == "<u>"
    assert rendered(web, "en", "{% trans name=b %}Hello {{ name }}{% endtrans %}", b="<b>") == "Hello &lt;b&gt;"


def test_what_is_kept_does_not_grow_without_end(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.admin import saying

    monkeypatch.setattr(saying, "MOST", 10)
    template = "{% for n in range(40) %}{{ _('text ' ~ n) }},{% endfor %}"
    assert rendered(web, "en", template) == "".join(f"text {n}," for n in range(40))
    with web.test_request_context("/"):
        g.actor = NOBODY
        domain = web.extensions["babel"].instance.domain_instance
        assert len(domain.language().texts) <= 10


def test_two_readers_are_told_in_their_own_languages(people: Any, site: Platform) -> None:
    from core.members.models import Member

    english, arab = people("User", browser=True), people("User", browser=True)
    with site.unit_of_work() as session:
        session.get_one(Member, arab.member.id).locale = "ar"
    for _again in range(2):
        assert 'lang="en"' in english.get("/profile").text
        assert 'lang="ar"' in arab.get("/profile").text
    with site.unit_of_work() as session:
        session.get_one(Member, arab.member.id).locale = "fr"
    assert 'lang="fr"' in arab.get("/profile").text  # at the next request
