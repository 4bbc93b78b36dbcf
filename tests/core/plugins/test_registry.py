"""What a plugin declares is found again; what it registers is called, in order, while it is enabled."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from core import hooks, lifecycle
from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import Conflict, DomainError, NotFound
from core.hookspecs import hookimpl, hookspec
from core.lifecycle import PluginNeeded, PluginNotReady
from core.loader import state_of
from core.members.models import Member
from core.platform import Platform
from core.plugin import Plugin
from guildhall import new_id

SYSTEM = Actor.system("test")
answers: dict[str, Any] = {}


class Specs:
    @hookspec
    def alpha_wishes(session: Any, colour: str) -> str | None: ...  # type: ignore[empty-body]


class Hooks:
    """One plugin's implementation; a test says what it answers."""

    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def alpha_wishes(self, session: Any, colour: str) -> Any:
        answer = answers.get(self.name, f"{self.name} likes {colour}")
        return answer(session) if callable(answer) else answer


def plugin(name: str, *requires: str, **more: Any) -> Plugin:
    needs = dict.fromkeys(requires, ">=1")
    return Plugin(name, version="1", label="", requires=needs, hooks=Hooks(name), **more)


@pytest.fixture(scope="module")
def made(shop: Any) -> Platform:
    """alpha specifies a hook; beta (needs alpha) and aardvark (needs beta) implement it, as alpha does."""
    every = [plugin("aardvark", "beta"), plugin("beta", "alpha"), plugin("alpha", hookspecs=Specs)]
    platform: Platform = shop.open(*every)
    platform.upgrade()
    return platform


@pytest.fixture
def house(shop: Any, made: Platform) -> Platform:
    answers.clear()
    shop.clear(made)
    return made


def asked(platform: Platform, how: Any = hooks.collect) -> list[tuple[str, Any]]:
    with platform.unit_of_work(SYSTEM) as session:
        found: list[tuple[str, Any]] = how(session, "alpha_wishes", colour="blue")
        return found


def toggle(platform: Platform, name: str, enabled: bool, reason: str | None = None) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, name, enabled, reason)


def add_member(session: Any, name: str) -> None:
    session.add(Member(id=new_id(), display_name=name))


def names(platform: Platform) -> list[str]:
    with platform.unit_of_work() as session:
        return list(session.scalars(text("SELECT display_name FROM core_member ORDER BY 1")))


@pytest.mark.parametrize("how", [hooks.collect, hooks.call])
def test_hooks_are_called_in_dependency_order(house: Platform, how: Any) -> None:
    assert asked(house, how) == [
        ("alpha", "alpha likes blue"), ("beta", "beta likes blue"), ("aardvark", "aardvark likes blue"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", [hooks.collect, hooks.call])
def test_nothing_is_left_out_and_falsehood_is_an_answer(house: Platform, how: Any) -> None:
    answers.update(alpha=None, beta=0)
    assert asked(house, how) == [("beta", 0), ("aardvark", "aardvark likes blue")]


def fail(session: Any) -> None:
    add_member(session, "half done")
    session.flush()
    raise RuntimeError("no luck today")


def fail_late(session: Any) -> None:
    """Adds what the database refuses when it is flushed, after the hook has returned."""
    session.add(Member(id=new_id(), display_name=None))


@pytest.mark.parametrize("mistake", [fail, fail_late])
def test_an_isolated_hook_that_fails_costs_its_own_result_and_writes(house: Platform, mistake: Any) -> None:
    answers["beta"] = mistake
    with house.unit_of_work(SYSTEM) as session:
        add_member(session, f"caller {mistake.__name__}")
        found = hooks.collect(session, "alpha_wishes", colour="blue")
    assert [name for name, _ in found] == ["alpha", "aardvark"]
    assert f"caller {mistake.__name__}" in names(house)
    assert "half done" not in names(house)


def test_a_mistake_of_the_caller_is_not_laid_on_a_hook(house: Platform) -> None:
    with pytest.raises(Exception, match="display_name"), house.unit_of_work(SYSTEM) as session:
        session.add(Member(id=new_id(), display_name=None))
        hooks.collect(session, "alpha_wishes", colour="blue")


def test_a_strict_hook_that_fails_ends_the_operation(house: Platform) -> None:
    answers["beta"] = fail
    with pytest.raises(RuntimeError, match="no luck today"):
        asked(house, hooks.call)


def test_what_an_isolated_hook_writes_is_kept(house: Platform) -> None:
    answers["beta"] = lambda session: add_member(session, "by beta")
    asked(house)
    assert "by beta" in names(house)


def test_a_disabled_plugin_is_not_asked(house: Platform) -> None:
    toggle(house, "aardvark", False)
    assert [name for name, _ in asked(house)] == ["alpha", "beta"]
    toggle(house, "aardvark", True)
    assert [name for name, _ in asked(house)] == ["alpha", "beta", "aardvark"]


def test_another_process_follows_a_toggle_when_it_looks_again(shop: Any, house: Platform) -> None:
    other = shop.open(*(house.registry.plugins[name] for name in ("alpha", "beta", "aardvark")))
    assert len(asked(other)) == 3
    toggle(house, "aardvark", False)
    other.registry.cache.looked_at = 0.0
    assert len(asked(other)) == 2


def test_a_plugin_that_others_need_stays_on(house: Platform) -> None:
    with pytest.raises(PluginNeeded, match="alpha cannot be disabled while it is needed by: beta"):
        toggle(house, "alpha", False)


def test_a_plugin_whose_need_is_off_stays_off(house: Platform) -> None:
    toggle(house, "aardvark", False)
    toggle(house, "beta", False)
    with pytest.raises(PluginNotReady, match="aardvark cannot be enabled: beta is disabled"):
        toggle(house, "aardvark", True)
    toggle(house, "beta", True)
    toggle(house, "aardvark", True)


@pytest.mark.parametrize("name", ["core", "nobody"])
def test_the_core_and_what_is_not_there_cannot_be_turned_off(house: Platform, name: str) -> None:
    with pytest.raises(NotFound):
        toggle(house, name, False)


def test_a_toggle_is_told_with_its_reason_and_only_when_it_changes_something(house: Platform) -> None:
    toggle(house, "aardvark", False, "noisy")
    toggle(house, "aardvark", False, "still noisy")
    with house.unit_of_work() as session:
        query = select(AuditRow.action, AuditRow.subject_id, AuditRow.reason).where(AuditRow.reason.endswith("noisy"))
        assert session.execute(query).all() == [("core.plugin.disabled", "aardvark", "noisy")]


def test_the_state_tells_why_a_plugin_is_off(house: Platform) -> None:
    toggle(house, "aardvark", False)
    one = next(one for one in house.found if one.name == "aardvark")
    with house.unit_of_work() as session:
        assert state_of(session, one) == ("disabled", "An admin has turned it off.")
    with house.unit_of_work() as session:
        session.execute(text("UPDATE core_plugin SET enabled = true, reason = 'no table' WHERE name = 'aardvark'"))
    house.registry.cache.looked_at = 0.0
    with house.unit_of_work() as session:
        assert state_of(session, one) == ("failed-migration", "no table")


def test_an_admins_choice_survives_the_next_start(house: Platform) -> None:
    toggle(house, "aardvark", False)
    house.upgrade()
    assert [name for name, _ in asked(house)] == ["alpha", "beta"]


def test_what_a_resource_implies_is_registered(house: Platform) -> None:
    registry = house.registry
    key = "suggestions.suggestion"
    assert key in registry.resources
    actions = ("list", "show", "create", "update", "delete")
    assert {f"suggestions:suggestion:{action}" for action in actions} <= set(registry.permissions)
    assert {f"{key}.{verb}" for verb in ("created", "updated", "deleted")} <= set(registry.events)
    assert registry.subscribers_of(f"{key}.created") == ["suggestions.thank_author"]
    assert "suggestions:suggestion:create" in registry.roles["User"]
    assert registry.audited[registry.resources[key].resource.model] == key


def test_every_subscriber_of_a_bundled_plugin_listens_to_a_declared_event(house: Platform) -> None:
    registry = house.registry
    heard = {subscriber.event_name for subscriber in registry.subscribers.values()}
    assert heard - set(registry.events) == set()


def test_every_role_pattern_of_a_bundled_plugin_means_something(house: Platform) -> None:
    from core.access import role_grants

    empty = [
        (plugin.name, role.name, pattern)
        for plugin in house.registry.plugins.values()
        for role in plugin.roles
        for pattern in role.permissions
        if not role_grants([pattern], house.registry.permissions)
    ]
    assert empty == []


def test_an_error_fills_its_sentence() -> None:
    problem = PluginNeeded(plugin="wallet", dependants="badges")
    assert isinstance(problem, Conflict) and isinstance(problem, DomainError)
    assert (problem.code, problem.status) == ("PLUGIN_NEEDED", 409)
    assert str(problem) == "wallet cannot be disabled while it is needed by: badges."
    assert problem.fill("{dependants} braucht {plugin}.") == "badges braucht wallet."
