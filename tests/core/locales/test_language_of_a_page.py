"""A page and an answer speak the member's language, else the browser's, else English."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.i18n import Catalogues, translated
from core.members.models import Member
from core.platform import Platform
from tests.core.doors import Person

People = Callable[..., Person]


def asking(*tags: str) -> dict[str, str]:
    return {"Accept-Language": ", ".join(tags)}


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("fr", "fr"),
        ("fr-CA", "fr"),
        ("fr-CA, en;q=0.8", "fr"),
        ("en-GB, fr;q=0.9", "en"),
        ("zh-CN", "zh"),
        ("zh-Hans", "zh"),
        ("zh-Hans-SG, en;q=0.5", "zh"),
        ("ar-EG", "ar"),
        ("tlh, ar;q=0.4, fr;q=0.2", "ar"),
        ("fr;q=0, ar;q=0.1", "ar"),
        ("tlh", "en"),
        ("*", "en"),
        (";;,=", "en"),
        ("", "en"),
    ],
)
def test_a_stranger_is_answered_as_the_browser_asks(people: People, asked: str, spoken: str) -> None:
    page = people().get("/login", headers=asking(asked))
    direction = "rtl" if spoken == "ar" else "ltr"
    assert f'<html lang="{spoken}" dir="{direction}"' in page.text
    assert page.headers["Content-Language"] == spoken and "Accept-Language" in page.vary


def test_arabic_pages_have_the_mirrored_stylesheet(people: People) -> None:
    assert "tabler.rtl.min." in people().get("/login", headers=asking("ar")).text
    assert "tabler.rtl" not in people().get("/login", headers=asking("fr")).text


def test_a_member_chooses_and_the_browser_is_not_asked_any_more(people: People) -> None:
    amina = people("User", browser=True)
    assert '<html lang="fr"' in amina.get("/profile", headers=asking("fr")).text
    assert amina.send("/profile/language", language="ar").status_code == 303
    page = amina.get("/profile", headers=asking("fr")).text
    assert '<html lang="ar" dir="rtl"' in page and "تغيّرت اللغة" in page
    assert '<option value="ar" selected>العربية</option>' in page
    amina.send("/profile/language", language="")
    assert '<html lang="fr"' in amina.get("/profile", headers=asking("fr")).text


def test_a_language_that_is_not_here_is_refused(people: People) -> None:
    answer = people("User", browser=True).send("/profile/language", language="tlh")
    assert answer.status_code == 422


def test_choosing_a_language_needs_a_member_and_the_form(people: People) -> None:
    assert people().send("/profile/language", language="fr").status_code in (302, 303)
    assert people("User", browser=True).post("/profile/language", data={"language": "fr"}).status_code == 400


def test_a_rest_error_is_told_in_the_askers_language_and_the_code_stays(people: People) -> None:
    answer = people().get("/api/v1/library/books", headers=asking("fr"))
    assert answer.json["error"]["code"] == "UNAUTHENTICATED"
    assert answer.json["error"]["message"] == "Connectez-vous pour faire cela."
    assert answer.headers["Content-Language"] == "fr"


def test_refused_fields_are_told_in_the_askers_language(people: People) -> None:
    answer = people("Admin").post("/api/v1/library/books", {"nonsense": 1}, headers=asking("fr"))
    assert answer.status_code == 422 and answer.json["error"]["code"] == "INVALID"
    assert answer.json["error"]["details"]["nonsense"] == ["Champ inconnu."]


def test_values_inside_a_librarys_sentence_are_kept(web: object) -> None:
    from core.gateway.sentences import told

    with web.test_request_context(headers=asking("fr")):  # type: ignore[attr-defined]
        assert told("Must be one of: a, b.") == "Doit être l’une de ces valeurs : a, b."
        assert told("Length must be between 1 and 5.") == "La longueur doit être entre 1 et 5."
        assert told("A sentence nobody knows.") == "A sentence nobody knows."
        assert told("") == ""


def test_numbers_and_dates_follow_the_language(people: People) -> None:
    admin = people("Admin", browser=True)
    admin.send("/profile/language", language="fr")
    page = admin.get("/admin/core/member/list/").text
    assert "Membres" in page and "Rechercher" in page


def test_a_form_tells_its_errors_in_the_members_language(people: People) -> None:
    admin = people("Admin", browser=True)
    admin.send("/profile/language", language="fr")
    page = admin.send("/admin/library/book/add", title="").text
    assert "Ce champ est requis" in page or "Ce champ est obligatoire" in page


def test_what_leaves_without_a_request_is_in_the_recipients_language(site: Platform) -> None:
    with site.unit_of_work() as session:
        assert translated(session, "fr-CA")("Sign in") == "Se connecter"
        assert translated(session, "zh_CN").language == "zh"
        assert translated(session, "")("Sign in") == "Sign in"
        assert translated(session, "tlh").language == "en"
        assert translated(session, "fr")("") == ""


def test_nobody_has_chosen_a_language_at_first(people: People, site: Platform) -> None:
    amina = people("User", browser=True)
    with site.unit_of_work() as session:
        assert session.get_one(Member, amina.id).locale == ""


def test_a_plugins_wording_wins_over_the_cores() -> None:
    made = Catalogues()
    assert made.languages == ("ar", "en", "fr", "zh")
    assert made.match("ZH-hant-TW") == "zh" and made.match("") is None and made.match(None) is None
