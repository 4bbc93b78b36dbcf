"""What Flask-AppBuilder 5.3.0 does wrong by itself, point by point, and the test that holds our answer to each.

``POINTS`` is the list; a test sees to it that every test named there exists. What no other file tests is below.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask_appbuilder import Model as FabModel
from sqlalchemy.orm import Mapped

from core.db.base import Id, Model, metadata
from core.ids import new_id
from core.lists.reading import COUNT_CAP
from core.platform import Platform
from core.rest.resource import schema
from tests.conftest import test_config
from tests.core.doors import Person
from tests.core.fab.test_record_lists import counted
from tests.core.library import Author, Book

CORE = Path(__file__).resolve().parent.parent
HERE = "fab/test_regressions.py"
LISTS, FORMS, SESSIONS = "fab/test_record_lists.py", "fab/test_record_forms.py", "members/test_browser_sessions.py"
TOKENS, ENVELOPE, RESOURCES = "members/test_tokens_over_http.py", "rest/test_envelope.py", "rest/test_resource_rest.py"
MATRIX, LOADER = "gateway/test_matrix.py", "plugins/test_loader.py"

POINTS = [
    # models and tables
    ("models and FAB's tables lie in one metadata", HERE, "test_our_models_and_the_frameworks_lie_in_one_metadata"),
    ("constraints have no names, so migrations cannot change them", HERE, "test_constraints_have_names"),
    ("tables and permissions are written at every start", HERE, "test_an_application_is_made_without_a_database"),
    ("the models drift from the migrations", "db/test_migrations.py", "test_models_and_tables_agree"),
    ("two tables of one name are merged silently", HERE, "test_a_second_table_of_a_name_is_refused"),
    ("columns called meta, data, errors break the form", LOADER, "test_a_wrong_declaration_costs_only_its_plugin"),
    ("the user's table is subclassed into two identities", HERE, "test_fabs_user_has_no_class_of_ours"),
    # columns on forms and in REST
    ("a JSON column is encoded twice", FORMS, "test_a_form_creates_a_record_and_shows_it"),
    ("an unchanged form changes JSON and seconds", FORMS, "test_a_form_sent_back_as_it_was_changes_nothing"),
    ("large numbers lose digits", FORMS, "test_an_amount_of_38_digits_is_shown_with_all_of_them"),
    ("large numbers lose digits in REST", RESOURCES, "test_what_is_shown_is_what_was_written"),
    ("foreign keys break the schema of marshmallow 4", HERE, "test_a_foreign_key_has_a_field"),
    ("a foreign key to nothing is a 500", RESOURCES, "test_a_reference_to_nothing_is_refused"),
    ("a column with a default is required", HERE, "test_what_has_a_default_is_not_required"),
    ("a unique value given twice is a 500", RESOURCES, "test_a_second_one_of_a_unique_value_is_a_conflict"),
    ("or a redirect that says nothing", FORMS, "test_a_second_one_of_a_unique_value_is_told_and_nothing_is_saved"),
    ("schemas of one name are renamed at random", "rest/test_openapi_document.py", "test_no_schema_had_to_be_renamed"),
    # registration
    (
        "it registers APIs and pages unasked",
        MATRIX,
        "test_nothing_of_the_admin_framework_shows_but_its_record_pages",
    ),
    ("class names become permissions", "plugins/test_registry.py", "test_what_a_resource_implies_is_registered"),
    ("each view has a vocabulary of its own", "access/test_access.py", "test_a_permission_in_the_role_tables"),
    ("permissions are written one by one", "access/test_access.py", "test_a_second_time_adds_nothing"),
    ("processes that start at once collide", "access/test_access.py", "test_starts_at_once_write_each_permission_once"),
    ("an add-on that fails vanishes", LOADER, "test_a_module_that_is_no_plugin_costs_only_itself"),
    ("errors of the API have several shapes", ENVELOPE, "test_an_unknown_path"),
    ("an unknown API path is an HTML page", ENVELOPE, "test_an_unknown_path_of_another_api_prefix"),
    (
        "Accept-Language is ignored",
        "locales/test_language_of_a_page.py",
        "test_a_stranger_is_answered_as_the_browser_asks",
    ),
    ("every anonymous answer sets a cookie", HERE, "test_an_answer_without_a_form_sets_no_cookie"),
    ("charts load scripts from elsewhere", "admin/test_assets.py", "test_no_template_or_script_loads_from_elsewhere"),
    # security
    (
        "only the form's sign-in is limited",
        "members/test_throttle.py",
        "test_after_five_failures_even_the_right_password_waits",
    ),
    ("the API is not limited", "gateway/test_limits.py", "test_who_guesses_tokens_is_counted_too"),
    ("an unknown address answers sooner", TOKENS, "test_an_unknown_address_costs_one_hash_like_a_known_one"),
    ("signing out is a GET", SESSIONS, "test_signing_out_takes_a_form"),
    ("a cookie lives on after signing out", SESSIONS, "test_a_cookie_replayed_after_signing_out_gets_the_sign_in_page"),
    ("a new password ends nothing", SESSIONS, "test_a_new_password_ends_every_other_session"),
    ("a refresh token is good for ever", TOKENS, "test_a_refresh_token_used_twice_ends_the_session_at_once"),
    ("tokens cannot be revoked", TOKENS, "test_signing_out_ends_access_and_refresh"),
    (
        "scopes of an API key are not enforced",
        "members/test_api_keys.py",
        "test_a_key_opens_what_its_scopes_name_and_nothing_else",
    ),
    ("REST by cookie takes no token", SESSIONS, "test_every_writing_method_by_cookie_needs_the_token"),
    ("record pages delete by GET", MATRIX, "test_a_record_page_writes_only_by_post"),
    ("the cookie is open to scripts and other sites", SESSIONS, "test_the_cookie_is_for_this_site_and_no_script"),
    ("the session survives the sign-in", SESSIONS, "test_nothing_from_before_the_sign_in_survives_it"),
    ("pages break under a strict policy", "gateway/test_headers.py", "test_no_page_holds_what_its_own_policy_forbids"),
    ("next leads to other sites", SESSIONS, "test_nobody_is_sent_to_another_site"),
    ("there is no second factor", "members/test_two_factor.py", "test_the_password_alone_no_longer_signs_in"),
    ("times are local", "db/test_unit_of_work.py", "test_times_are_utc_and_locks_are_not_waited_for_without_end"),
    ("helpers commit", "db/test_unit_of_work.py", "test_any_exception_undoes_everything"),
    ("a bulk statement bypasses the trail", FORMS, "test_a_form_writes_record_trail_and_event_together"),
    ("exported cells are formulas", "audit/test_search_and_export.py", "test_no_cell_is_taken_for_a_formula"),
    # speed and races
    ("a related column loads its whole table", HERE, "test_no_page_loads_a_related_table"),
    ("a list asks once a row", LISTS, "test_a_list_of_many_with_a_relation_takes_six_statements"),
    ("a list counts every row", HERE, "test_a_list_counts_no_further_than_it_shows"),
    ("a search reads the whole table", HERE, "test_no_search_begins_with_a_wildcard"),
    ("a page has as many rows as one asks for", LISTS, "test_a_page_is_no_longer_than_it_may_be"),
    ("rows of equal rank change places between pages", LISTS, "test_pages_of_a_list_show_every_row_once"),
    ("two people who filter share the filters", LISTS, "test_two_people_who_filter_at_once_see_their_own_rows"),
    (
        "a session is another one in a nested context",
        "db/test_unit_of_work.py",
        "test_the_current_session_is_the_one_that_is_open_in_this_thread",
    ),
]


@pytest.mark.parametrize(("point", "file", "name"), POINTS, ids=[name for _point, _file, name in POINTS])
def test_every_point_has_its_test(point: str, file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (CORE / file).read_text(), re.MULTILINE), point


def test_our_models_and_the_frameworks_lie_in_one_metadata() -> None:
    assert FabModel.metadata is Model.metadata is metadata
    assert {"ab_user", "core_member"} <= set(metadata.tables)


def test_constraints_have_names() -> None:
    nameless = [
        (table.name, type(constraint).__name__)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if not constraint.name and not isinstance(constraint, sa.CheckConstraint)
    ]
    assert nameless == []
    unique = [one.name for one in metadata.tables["ab_user"].constraints if isinstance(one, sa.UniqueConstraint)]
    assert "uq_ab_user_username" in unique


def test_an_application_is_made_without_a_database() -> None:
    from app import create_app

    platform = Platform(test_config(), "postgresql+psycopg:///nowhere?host=/nowhere", None)
    assert "login" in {rule.rule.strip("/") for rule in create_app(platform).url_map.iter_rules()}


def test_a_second_table_of_a_name_is_refused() -> None:
    with pytest.raises(sa.exc.InvalidRequestError, match="already defined"):

        class Twin(Model):
            __tablename__ = "library_author"
            id: Mapped[Id]

    gc.collect()  # what is left of the class that was refused half way


def test_fabs_user_has_no_class_of_ours() -> None:
    mapped = {mapper.class_ for mapper in Model.registry.mappers if mapper.local_table.name == "ab_user"}
    assert len(mapped) <= 1


def test_a_foreign_key_has_a_field(site: Platform) -> None:
    bound = site.registry.resources["library.book"]
    assert {"author_id", "owner_id"} <= set(schema("Probe", bound, bound.resource.readable, written=False)().fields)


def test_what_has_a_default_is_not_required(site: Platform) -> None:
    bound = site.registry.resources["library.book"]
    fields = schema("Probe", bound, bound.resource.writable, written=True)().fields
    assert [name for name, field in fields.items() if field.required] == ["title"]


def test_an_answer_without_a_form_sets_no_cookie(people: Callable[..., Person]) -> None:
    for path in ("/health", "/api/v1/openapi.json", "/api/v1/nowhere", "/.well-known/jwks.json"):
        assert "Set-Cookie" not in people().get(path).headers


def test_no_page_loads_a_related_table(site: Platform, people: Callable[..., Person]) -> None:
    admin, mark = people("Admin", browser=True), str(new_id())
    with site.unit_of_work() as session:
        session.add_all(Author(name=f"{mark}-{number}") for number in range(60))
        book = Book(owner_id=admin.id, title="b")
        session.add(book)
    for page in ("list/", "add", f"edit/{book.id}"):
        with counted(site) as statements:
            answer = admin.get(f"/admin/library/book/{page}")
        assert answer.status_code == 200
        assert mark not in answer.text
        assert not [one for one in statements if re.search(r"FROM library_author\b(?!.*WHERE)", one, re.DOTALL)]


def test_a_list_counts_no_further_than_it_shows(site: Platform, people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    with counted(site) as statements:
        admin.get("/admin/library/book/list/")
    counts = [one for one in statements if "count(*)" in one.lower() and "library_book" in one]
    assert counts
    assert all("LIMIT" in one for one in counts)
    assert COUNT_CAP <= 10_000


def test_no_search_begins_with_a_wildcard(site: Platform, people: Callable[..., Person]) -> None:
    admin, sent = people("Admin", browser=True), []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "LIKE" in statement.upper():
            sent.append((statement, str(parameters)))

    sa.event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        admin.get("/admin/library/book/list/?q=Middle&_flt_0_title=Middle")
    finally:
        sa.event.remove(site.database.engine, "before_cursor_execute", note)
    assert sent
    assert not [one for one in sent if re.search(r"ILIKE|LIKE '%", one[0], re.IGNORECASE) or "%middle" in one[1]]
