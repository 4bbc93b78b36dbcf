"""The contract page and its snapshot are what the code says, and leave nothing undescribed."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from core import contract
from core.platform import Platform
from core.plugin import Plugin
from core.registry import Registry
from core.resources.resource import Resource

DOCS = Path(__file__).resolve().parents[2] / "docs"
MEND = "run `guildhall contract > docs/contract.md` and `guildhall contract --json > docs/contract.json`"


@pytest.fixture
def registry(clean_platform: Platform) -> Registry:
    return clean_platform.registry


def test_the_page_is_what_the_code_says(registry: Registry) -> None:
    assert (DOCS / "contract.md").read_text().rstrip() == contract.markdown(registry).rstrip(), MEND


def test_a_change_of_the_contract_is_seen(registry: Registry) -> None:
    assert json.loads((DOCS / "contract.json").read_text()) == contract.describe(registry), MEND


@pytest.mark.parametrize("kind", [Plugin, Resource])
def test_every_field_of_a_declaration_is_described(kind: type) -> None:
    assert [name for name, text in contract.fields_of(kind).items() if not text] == []


def test_every_declaration_hook_and_event_is_described(registry: Registry) -> None:
    undescribed = [kind.__name__ for kind in contract.DECLARATIONS if not inspect.getdoc(kind)]
    undescribed += [name for name, hook in contract.hooks(registry).items() if not hook["text"]]
    undescribed += [name for name, event in registry.events.items() if not inspect.getdoc(event)]
    undescribed += [
        f"{plugin.name}.{name}"
        for plugin in registry.plugins.values()
        if plugin.settings
        for name, field in plugin.settings.model_fields.items()
        if not field.description
    ]
    assert undescribed == []


def test_every_hook_says_its_policy_and_when_it_is_not_called(registry: Registry) -> None:
    policies = ("*Isolated.*", "*Strict.*", "*First result.*")
    silent = [
        name
        for name, hook in contract.hooks(registry).items()
        if not any(policy in hook["text"] for policy in policies) or "ot called" not in hook["text"]
    ]
    assert silent == []


def test_every_event_says_when_it_is_not_published(registry: Registry) -> None:
    silent = [name for name, event in registry.events.items() if "ot published" not in (inspect.getdoc(event) or "")]
    assert [name for name in silent if not name.endswith((".created", ".updated", ".deleted"))] == []
