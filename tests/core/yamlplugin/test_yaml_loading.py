"""A plugin.yaml is a plugin like any other: it is loaded, or its reasons are told and nothing of it stays."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Numeric, UniqueConstraint, text

from core.actor import Actor
from core.clock import now
from core.db import migrate
from core.db.base import Model, metadata, modules_with_models
from core.platform import Platform
from core.resources.resource import Resource
from core.yamlplugin.reading import texts_of
from guildhall import Member, new_id
from tests.core.workshop import Workshop

SHOP = """
    name: shop
    version: 1.2.0
    label: Shop
    description: Things for sale.
    icon: shopping-cart
    settings:
      discount: {type: decimal, default: 2.5, min: 0, max: 50, label: Discount in percent, help: Off every price.}
      greeting: {type: text, default: "Say \\"hello\\", it's\\nfree", max_length: 40}
      mode: {type: choice, values: [open, closed], default: open}
      seats: {type: integer, default: 3, min: 1}
      on_sundays: {type: boolean, default: false}
    permissions: {"shop:item:close": Take items from sale}
    roles: {User: ["shop:item:list"], Moderator: ["shop:*:*"]}
    resources:
      item:
        label: Thing
        title: name
        owner: seller_id
        order: name
        columns: [name, price, weighs]
        keep_deleted_days: 7
        soft_delete: true
        unique_together: [[seller_id, code]]
        fields:
          seller_id: {type: member, required: true}
          name: {type: text, required: true, search: true, max_length: 60, label: Name of it, help: What it is.}
          code: {type: text, default: none, unique: true}
          about: {type: long_text, search: true, personal: false}
          notes: {type: long_text, hidden: true}
          price: {type: amount, default: 100, filter: true, bulk: true}
          weight: {type: decimal, digits: 6, places: 3, default: 0.125}
          stock: {type: integer, required: true}
          used: {type: boolean, default: true}
          made_on: {type: date}
          listed_at: {type: instant, required: true, default: now}
          size: {type: choice, values: [small, large], default: small, colours: {small: green}}
          box: {type: choice, values: [small, large]}
          wallet: {type: address, chain: tron}
          extras: {type: json}
          picture: {type: file, allowed: [images], max_bytes: 1000}
          parent_id: {type: reference, to: item, on_delete: clear}
        transitions:
          - {field: size, from: [small], to: large, permission: "shop:item:close", label: Grow,
             reason: true, name: grow}
        computed:
          weighs: {run: weighs, type: integer, label: Weighs, help: In grams.}
        operations:
          - {name: close, label: Close, run: close, permission: "shop:item:close", danger: true,
             form: {why: {type: text, max_length: 20}, again: {type: boolean, default: false}}}
        sections:
          - {title: Main, fields: [name, price, weighs], help: The most important., folded: true}
        inline:
          - {resource: item, by: parent_id, columns: [name], title: Parts, limit: 5}
    subscribers:
      - {on: shop.item.transitioned, run: grown}
      - {on: core.member.registered, run: greet, when: on_sundays}
    translations:
      fr: {Shop: Boutique, Thing: Chose}
"""
ACTIONS = """
    from .forms import ItemCloseForm
    from .models import Item
    from .settings import ShopSettings

    def weighs(session, records):
        return [int(record.weight * 1000) for record in records]

    def close(session, actor, record, values):
        record.stock = 0

    def grown(session, actor, event): ...

    def greet(session, actor, event): ...
"""
SMALL = """
    name: {name}
    version: 0.1.0
    label: Small
    requires: {requires}
    resources:
      thing:
        fields:
          title: {{type: text, required: true}}
          other_id: {{type: reference, to: {to}}}
"""


def one(platform: Platform, name: str) -> tuple[str, str]:
    return next((str(found.state), found.reason) for found in platform.found if found.name == name)


def traces(name: str) -> set[str]:
    """What is left of a plugin in this process."""
    found = {table for table in metadata.tables if table.startswith(f"{name}_")}
    found |= {module for module in sys.modules if f"{module}.".startswith(f"{name}.")}
    return found | {module for module in modules_with_models() if module.startswith(f"{name}.")}


def test_it_declares_what_python_would(workshop: Workshop, described: Callable[..., Path]) -> None:
    described("shop", SHOP, ACTIONS)
    platform = workshop.load()
    assert one(platform, "shop") == ("enabled", "")
    plugin = platform.registry.plugins["shop"]
    assert (plugin.version, plugin.label, plugin.icon) == ("1.2.0", "Shop", "shopping-cart")
    bound = platform.registry.resources["shop.item"]
    resource: Resource = bound.resource
    model: Any = resource.model
    assert issubclass(model, Model)
    assert (model.__name__, model.__module__, model.__tablename__) == ("Item", "shop.models", "shop_item")
    assert (resource.search, resource.filters, resource.bulk, resource.hidden) == (
        ("name", "about"),
        ("price",),
        ("price",),
        ("notes",),
    )
    assert resource.labels == {"name": "Name of it"}
    assert resource.states == {"size": {"small": "green"}}
    assert (resource.soft_delete, resource.keep_deleted_days, resource.owner) == (True, 7, "seller_id")
    assert set(bound.events) >= {"create", "update", "delete", "restore", "transition"}
    columns = model.__table__.c
    kinds = {name: str(column.type) for name, column in columns.items()}
    assert (kinds["name"], kinds["price"], kinds["stock"]) == ("VARCHAR(60)", "NUMERIC(38, 0)", "BIGINT")
    assert (columns.weight.type.precision, columns.weight.type.scale) == (6, 3)
    assert isinstance(columns.weight.type, Numeric)
    assert {name for name, column in columns.items() if column.nullable} == {
        *("about", "notes", "made_on", "box", "wallet", "extras", "picture", "parent_id", "deleted_at"),
    }
    unique = {tuple(each.columns.keys()) for each in model.__table__.constraints if isinstance(each, UniqueConstraint)}
    assert unique == {("seller_id", "code"), ("code",)}
    assert str(model(name="Kite")) == "Kite"
    settings: Any = plugin.settings
    assert (settings().discount, settings().greeting) == (pytest.approx(2.5), 'Say "hello", it\'s\nfree')
    assert {each.name for each in plugin.subscribers} == {"grown", "greet"}
    assert platform.catalogues.of("fr").gettext("Shop") == "Boutique"
    assert platform.catalogues.of("ar").gettext("Shop") == "Shop"


def test_reasons_are_told_and_nothing_stays_until_it_is_mended(
    workshop: Workshop, described: Callable[..., Path], states: Any
) -> None:
    described("shop", SHOP.replace("type: amount", "type: money").replace("owner: seller_id", "owner: nobody"), ACTIONS)
    described("small", SMALL.format(name="small", requires="{shop: '>=1'}", to="shop.item"))
    platform = workshop.load()
    state, reason = one(platform, "shop")
    assert state == "failed-load"
    [owner, price] = reason.splitlines()
    assert owner.startswith("plugin.yaml:19:12: there is no field nobody")
    assert price.startswith("plugin.yaml:31:21: the type 'money' is not known")
    assert one(platform, "small")[0] == "failed-load"
    assert "the plugin shop has no resource item" in one(platform, "small")[1]
    assert traces("shop") == traces("small") == set()
    (described("shop", SHOP) / "actions.py").unlink()
    state, reason = one(workshop.load(), "shop")
    assert (state, "there is no actions.py beside it" in reason) == ("failed-load", True)
    described("shop", SHOP, ACTIONS + "    import nothing_of_the_kind")
    broken = workshop.load()
    assert "No module named 'nothing_of_the_kind'" in one(broken, "shop")[1]
    assert traces("shop") == set()
    described("shop", SHOP, ACTIONS)
    mended = workshop.load()
    assert one(mended, "shop") == one(mended, "small") == ("enabled", "")
    [key] = metadata.tables["small_thing"].c.other_id.foreign_keys
    assert key.target_fullname == "shop_item.id"


def test_it_refers_to_a_resource_of_python_whatever_the_key(workshop: Workshop, described: Callable[..., Path]) -> None:
    described("aside", SMALL.format(name="aside", requires="{zoo: '>=1'}", to="zoo.animal"))
    animal = """
        from sqlalchemy.orm import mapped_column

        class Animal(Model):
            __tablename__ = "zoo_animal"
            code: Mapped[Slug] = mapped_column(primary_key=True)
            name: Mapped[ShortText]
    """
    workshop.plugin("zoo", "resources=[Resource(Animal, order='code')]", animal)
    platform = workshop.load()
    assert one(platform, "aside") == ("enabled", "")
    column = metadata.tables["aside_thing"].c.other_id
    assert (str(column.type), next(iter(column.foreign_keys)).target_fullname) == ("VARCHAR(80)", "zoo_animal.code")


def test_a_name_of_a_python_package_is_refused(workshop: Workshop, described: Callable[..., Path]) -> None:
    described("json", "name: json\nversion: 0.1.0\nlabel: Json\n")
    platform = workshop.load()
    state, reason = one(platform, "json")
    assert state == "failed-load"
    assert "the name json is taken by the Python package" in reason
    assert sys.modules["json"].loads("1") == 1


def test_two_manifests_in_one_folder_are_refused(workshop: Workshop, described: Callable[..., Path]) -> None:
    workshop.plugin("shop")
    described("shop", SHOP, ACTIONS)
    reason = "it has both plugin.py and plugin.yaml; keep the one that holds"
    assert one(workshop.load(), "shop") == ("failed-load", reason)


def test_a_traceback_shows_what_was_written(workshop: Workshop, described: Callable[..., Path]) -> None:
    described("shop", SHOP, ACTIONS)
    platform = workshop.load()
    model: Any = platform.registry.resources["shop.item"].resource.model
    with pytest.raises(AttributeError) as raised:
        type(model(name="x")).__str__(None)
    shown = "".join(traceback.format_exception(raised.value))
    assert "plugin.yaml#models" in shown
    assert "return self.name" in shown


def test_safe_mode_and_blocked_names_hold(workshop: Workshop, described: Callable[..., Path]) -> None:
    described("shop", SHOP, ACTIONS)
    assert workshop.load(safe_mode=True).found == []
    assert "shop" not in {found.name for found in workshop.load(disabled_plugins="shop").found}


def test_every_type_has_its_column_and_its_defaults(workshop: Workshop, described: Callable[..., Path]) -> None:
    folder = described("shop", SHOP, ACTIONS)
    first = workshop.boot()
    migrate.revision(first.database.url, first.branches, "shop", "Things")
    workshop.tidy()
    platform = workshop.load()
    assert all(outcome.ok for outcome in platform.upgrade().values())
    assert migrate.differences(platform.database.url, platform.branches, "shop") == []
    branch = next(one for one in platform.branches if one.name == "shop")
    assert migrate.downgrade(platform.database.url, platform.branches, branch).ok
    assert migrate.upgrade(platform.database.url, platform.branches)["shop"].ok
    bound = platform.registry.resources["shop.item"]
    system = Actor.system("test")
    with platform.unit_of_work(system) as session:
        session.add(member := Member(id=new_id(), display_name="Amina"))
        session.flush()
        kite = bound.create(session, system, {"seller_id": member.id, "name": "Kite", "stock": 4})
        bound.fill(session, [kite], ["weighs"])
        defaults = (100, Decimal("0.125"), True, "small")
        assert (kite.price, kite.weight, kite.used, kite.size) == defaults
        assert (kite.weighs, kite.box, kite.listed_at is not None) == (125, None, True)
        row = {"id": new_id(), "seller": member.id, "at": now()}
        told = "INSERT INTO shop_item (id, seller_id, name, code, stock, listed_at)"
        told += " VALUES (:id, :seller, 'x', 'y', 1, :at)"
        session.execute(text(told), row)
        bare = bound.get(session, system, row["id"])
        assert (bare.price, bare.weight, bare.used, bare.size) == defaults
        info = bound.resource.columns_of_model["about"].info
        assert (info["full_text"], info["pii"]) == (True, False)
    assert (folder / "migrations" / "shop_0001_things.py").is_file()


def test_what_it_says_to_people_can_be_translated(described: Callable[..., Path]) -> None:
    said = texts_of(described("shop", SHOP, ACTIONS))
    expected = {"Shop", "Thing", "Things for sale.", "Off every price.", "Take items from sale", "Weighs", "Close"}
    assert expected <= set(said)
    assert not {"Boutique", "shop", "open", "text"} & set(said)
    assert texts_of(described("shop", "nothing")) == []
