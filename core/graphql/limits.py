"""What a query may ask for at once, found out from its text and variables before anything is read.

- depth: fields within fields;
- fields: selections and directives, fragments counted wherever they are spread, aliases too;
- cost: the objects that may be read: one for each reference, and as many for a page as it may hold, times those above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from core.graphql.errors import QueryTooLarge
from core.platform_settings import PlatformSettings

TOKENS = 5000
PAGE = 50  # as in REST, where none is asked for
PAGED = "paged"  # mark of a field that gives a page


@dataclass
class Measure:
    """Walks an operation and raises QueryTooLarge as soon as one limit is passed, so that walking is bounded too."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]
    settings: PlatformSettings
    fields: int = 0
    cost: int = 0
    _fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    _spread: set[str] = field(default_factory=set)
    _defaults: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Measure all that is given, for all of it is validated. Raises QueryTooLarge."""
        definitions = self.document.definitions
        self._fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
        for operation in (one for one in definitions if isinstance(one, OperationDefinitionNode)):
            given = operation.variable_definitions or ()
            self._defaults = {one.variable.name.value: one.default_value for one in given}
            self._count(len(operation.directives or ()))
            self._walk(operation.selection_set, self.schema.get_root_type(operation.operation), 1, 1, ())
        for name in self._fragments.keys() - self._spread:
            self._walk(self._fragments[name].selection_set, None, 1, 1, (name,))

    def _walk(
        self,
        chosen: SelectionSetNode,
        parent: GraphQLObjectType | None,
        depth: int,
        times: int,
        within: tuple[str, ...],
    ) -> None:
        if depth > self.settings.graphql_depth:
            raise QueryTooLarge(what="depth", most=self.settings.graphql_depth)
        for one in chosen.selections:
            self._count(1 + len(one.directives or ()))
            if isinstance(one, FieldNode):
                self._field(one, parent, depth, times, within)
            elif isinstance(one, FragmentSpreadNode):
                name = one.name.value
                self._spread.add(name)
                if name in self._fragments and name not in within:  # a circle is refused by validation
                    self._walk(self._fragments[name].selection_set, parent, depth, times, (*within, name))
            else:
                self._walk(one.selection_set, parent, depth, times, within)  # type: ignore[attr-defined]

    def _field(
        self, one: FieldNode, parent: GraphQLObjectType | None, depth: int, times: int, within: tuple[str, ...]
    ) -> None:
        name = one.name.value
        if name in ("__schema", "__type") or one.selection_set is None:
            if one.selection_set is not None:
                self._introspection(one.selection_set, within)
            return
        found: GraphQLField | None = parent.fields.get(name) if parent else None
        below = get_named_type(found.type) if found else None
        if found is not None and PAGED in found.extensions:
            times *= self._page(one)
            self._spend(times)
        elif found is not None and "reference" in found.extensions:
            self._spend(times)
        self._walk(one.selection_set, below if isinstance(below, GraphQLObjectType) else None, depth + 1, times, within)

    def _introspection(self, chosen: SelectionSetNode, within: tuple[str, ...]) -> None:
        """Count what asks for the schema; how deep it goes is for validation to say."""
        for one in chosen.selections:
            self._count(1 + len(one.directives or ()))
            if isinstance(one, FragmentSpreadNode):
                name = one.name.value
                self._spread.add(name)
                if name in self._fragments and name not in within:
                    self._introspection(self._fragments[name].selection_set, (*within, name))
            elif (below := one.selection_set) is not None:  # type: ignore[attr-defined]
                self._introspection(below, within)

    def _page(self, one: FieldNode) -> int:
        """How many rows a page may hold. Raises QueryTooLarge for more than the settings allow."""
        value: Any = next((given.value for given in one.arguments or () if given.name.value == "first"), None)
        if isinstance(value, VariableNode):
            name = value.name.value
            value = self.variables[name] if name in self.variables else self._defaults.get(name)
        if isinstance(value, IntValueNode):
            value = int(value.value) if len(value.value) < 10 else 10**9
        if not isinstance(value, int) or isinstance(value, bool):
            return PAGE
        if value > self.settings.graphql_page:
            raise QueryTooLarge(what="first", most=self.settings.graphql_page)
        return max(value, 1)

    def _count(self, more: int) -> None:
        self.fields += more
        if self.fields > self.settings.graphql_fields:
            raise QueryTooLarge(what="fields", most=self.settings.graphql_fields)

    def _spend(self, more: int) -> None:
        self.cost += more
        if self.cost > self.settings.graphql_cost:
            raise QueryTooLarge(what="cost", most=self.settings.graphql_cost)
