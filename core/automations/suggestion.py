"""Automations that a plugin brings along, for an admin to look at, to try and to take over."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.automations.definition import Definition
from core.automations.yaml_text import parsed


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """An automation that a plugin suggests, ``<plugin>.<name>``.

    - ``name``: a slug, by which it is known from one version of the plugin to the next.
    - ``label``: what the automation is called when an admin takes it over, such as "Thank a mentor".
    - ``description``: a sentence for who decides whether to take it.
    - ``definition``: ``trigger``, ``condition``, ``actions`` and ``limits`` as in the YAML that automations are
      exported as; a mapping or a ``Definition``. A wrong shape refuses the plugin; what it names may be missing at
      first: it cannot be turned on before that is there.

    Never installed by itself: an admin takes over a copy that is off. A copy is theirs: when a newer version of the
    plugin suggests something else, the page of automations shows the difference and changes nothing.
    """

    name: str
    label: str
    definition: Mapping[str, Any] | Definition
    description: str = ""

    @cached_property
    def said(self) -> Definition:
        """What it says. Raises DefinitionInvalid with details by place."""
        said = self.definition if isinstance(self.definition, Definition) else Definition.read(dict(self.definition))
        return said.model_copy(update={"origin": None})

    @property
    def digest(self) -> str:
        """Tells one version of it from another: the same for the same definition, however it was written."""
        return digest_of(self.said)


def digest_of(definition: Definition) -> str:
    """SHA-256 of a definition without its origin, in hexadecimal."""
    said = {key: value for key, value in definition.plain.items() if key != "origin"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def suggestions(given: Sequence[Suggestion | str]) -> Iterator[Suggestion]:
    """What a manifest suggests, the automations of its YAML texts one by one. Raises FileInvalid."""
    for one in given:
        if isinstance(one, Suggestion):
            yield one
            continue
        for texts, definition in parsed(one)[1]:
            slug = re.sub(r"[^a-z0-9]+", "_", texts["name"].lower()).strip("_")
            yield Suggestion(
                name=slug, label=texts["name"], description=texts.get("description", ""), definition=definition
            )
