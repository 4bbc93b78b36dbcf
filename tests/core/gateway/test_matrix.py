"""Every route of the real application, asked by everybody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from core.fab.views import ResourceView, class_name
from core.ids import new_id
from core.resources.resource import READ
from core.routes import route_of
from tests.core.doors import Person

# What anybody may ask without signing in; a new public route is named here on purpose.
PUBLIC = {
    "account.check_second_factor",
    "account.login",
    "account.logout",
    "account.second_factor",
    "account.send_second_factor",
    "account.sign_in",
    "appbuilder.static",
    "badges.badge_icon",
    "badges.get_badge",
    "badges.list_badges",
    "badges_public_pages.picture_get",
    "contributions.receive_webhook",
    "core.ask_for_code",
    "core.code_login",
    "core.forgot_password",
    "core.login",
    "core_files_pages.download_get",
    "core_report_schedules_pages.leave_post",
    "core_report_schedules_pages.leaving_get",
    "core.register",
    "core.reset_password",
    "core.second_factor",
    "core.send_second_factor",
    "core.verify",
    "core.wallet_challenge",
    "core.wallet_login",
    "core.wallet_register",
    "core_registration_pages.ask_for_link_post",
    "core_registration_pages.choose_password_post",
    "core_registration_pages.confirm_address_post",
    "core_registration_pages.forgot_get",
    "core_registration_pages.register_get",
    "core_registration_pages.reset_get",
    "core_registration_pages.sign_up_post",
    "core_registration_pages.verify_get",
    "core_compatibility.login_compatibly",
    "core_codes_pages.ask_post",
    "core_codes_pages.asking_get",
    "core_codes_pages.sign_in_post",
    "core_wallets_pages.register_post",
    "core_wallets_pages.sign_in_post",
    "core.refresh",
    "jwks.jwks",
    "health.live",
    "health.metrics",
    "health.ready",
    "library.price",
    "openapi",
    "api_docs",
    "static",
    "UtilView.back",
}
# Views that are no blueprint of ours, and so say by themselves who may use them.
OURS = (
    "badges_public_pages.",
    "core_report_schedules_pages.",
    "badges.",
    "contributions.",
    "jwks.",
    "core.",
    "core_compatibility.",
    "core_files_pages.",
    "core_registration_pages.",
    "core_codes_pages.",
    "core_wallets_pages.",
    "library.",
)
PLAIN = {*(name for name in PUBLIC if not name.startswith(OURS)), "account.profile"}
PLAIN |= {
    "account.change_password",
    "account.change_profile",
    "account.confirm",
    "account.send_again",
    "account.step_up",
}
# Whether the board is public is a setting, which the view looks at.
CLOSABLE = {"contributions.leaderboard"}
BROKEN = {"library.broken", "library_pages.broken_page_get"}
LEAVING = {"account.logout", "core.logout", "account.change_password"}


def requests(web: Flask) -> Iterator[tuple[str, str, str]]:
    """One bare request for each route and method: (endpoint, method, path)."""
    for rule in web.url_map.iter_rules():
        if rule.endpoint in BROKEN:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = re.sub(r"<uuid:\w+>|<key>|<pk>", str(new_id()), rule.rule)
            path = re.sub(r"<int:\w+>", "1", re.sub(r"<path:\w+>", "missing.css", path))
            yield rule.endpoint, method, re.sub(r"<\w+>", "x", path)


def test_no_route_stands_behind_another(web: Flask) -> None:
    found = Counter(
        route_of(method, rule.rule)
        for rule in web.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )
    assert [route for route, times in found.items() if times > 1] == []


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Any]]:
    """What each role was answered; every route is asked once a role."""
    return {}


@pytest.fixture
def answers(web: Flask, people: Callable[..., Person], asked: dict[str, list[Any]]) -> Callable[[str], list[Any]]:
    """``answers("User")``: (endpoint, method and path, answer) of every route; "nobody" is not signed in."""

    def ask(role: str) -> list[Any]:
        if role not in asked:
            person, asked[role] = people(*[role] if role != "nobody" else []), []
            for endpoint, method, path in requests(web):
                headers = {} if role != "nobody" or method == "GET" else {"X-CSRFToken": person.csrf}
                if endpoint not in LEAVING:
                    answer = person.open(method, path, headers=headers)
                    asked[role].append((endpoint, f"{method} {path}", answer))
        return asked[role]

    return ask


def test_who_is_not_signed_in_gets_no_further_than_the_public_routes(answers: Callable[[str], list[Any]]) -> None:
    wrong = {}
    for endpoint, what, answer in answers("nobody"):
        if endpoint in PUBLIC:
            good = endpoint == "account.sign_in" or answer.status_code not in (401, 403, 500)
        elif answer.request.path.startswith("/api/"):
            good = answer.status_code == 401 and answer.json["error"]["code"] == "UNAUTHENTICATED"
        else:
            good = answer.status_code == 302 and answer.location.startswith("/login?next=")
        if not good:
            wrong[what] = (endpoint, answer.status, answer.location)
    assert wrong == {}


@pytest.mark.parametrize("role", ["nobody", "", "User", "Moderator", "Admin"])
def test_no_bare_request_is_a_mistake_of_ours(answers: Callable[[str], list[Any]], role: str) -> None:
    assert {what: answer.status for _, what, answer in answers(role) if answer.status_code >= 500} == {}


@pytest.mark.parametrize("role", ["", "User", "Moderator", "Admin"])
def test_whoever_is_signed_in_is_never_asked_to_sign_in(answers: Callable[[str], list[Any]], role: str) -> None:
    signing_in = {"account.sign_in", "core.login", "core.refresh", "core_compatibility.login_compatibly"}
    asked = {
        what for endpoint, what, answer in answers(role) if answer.status_code == 401 and endpoint not in signing_in
    }
    assert asked == set()


def test_who_holds_no_permission_is_refused_what_names_one(web: Flask, answers: Callable[[str], list[Any]]) -> None:
    resources = web.extensions["guildhall"].registry.resources.values()
    owned = {f"{class_name(bound)}.{action}" for bound in resources if bound.resource.owner for action in READ}
    let_in = {
        what: answer.status
        for endpoint, what, answer in answers("")
        if getattr(web.view_functions[endpoint], "permission", None) or endpoint.split(".")[0].endswith("View")
        if answer.status_code != 403 and endpoint not in PUBLIC | owned  # one's own records: test_ownership
    }
    assert let_in == {}


def test_an_admin_is_refused_nowhere(answers: Callable[[str], list[Any]]) -> None:
    assert [what for _, what, answer in answers("Admin") if answer.status_code == 403] == []


def test_every_route_says_who_may_use_it(web: Flask) -> None:
    silent = []
    for rule in web.url_map.iter_rules():
        view = web.view_functions[rule.endpoint]
        generated = rule.endpoint.split(".")[0] in {made.__name__ for made in ResourceView.__subclasses__()}
        if not generated and rule.endpoint not in PLAIN and not getattr(view, "access", None):
            silent.append(rule.endpoint)
    assert silent == []


def test_every_permission_a_route_names_is_declared(web: Flask) -> None:
    declared = set(web.extensions["guildhall"].registry.permissions)
    named = {getattr(view, "permission", None) for view in web.view_functions.values()} - {None}
    assert named - declared == set()


def test_a_public_route_is_public_on_purpose(web: Flask) -> None:
    public = {name for name, view in web.view_functions.items() if getattr(view, "access", "") == "public"}
    assert public - BROKEN == (PUBLIC - PLAIN) | CLOSABLE


def test_nothing_of_the_admin_framework_shows_but_its_record_pages(web: Flask) -> None:
    others = ("ModelRestApi", "SecurityApi", "MenuApi", "OpenApi", "Swagger", "RoleModelView", "UserDBModelView")
    found = [rule.rule for rule in web.url_map.iter_rules() if rule.endpoint.startswith(others)]
    found += [
        rule.rule
        for rule in web.url_map.iter_rules()
        if rule.endpoint != "core.set_member_roles"
        and re.search(
            r"swagger|/_openapi|/security|/roles|/users|/menu|resetpassword|userinfo|/locale", rule.rule, re.I
        )
    ]
    assert found == []


def test_a_record_page_writes_only_by_post(web: Flask) -> None:
    for rule in web.url_map.iter_rules():
        if rule.rule.endswith("/delete/<pk>"):
            assert (rule.methods or set()) - {"OPTIONS"} == {"POST"}
