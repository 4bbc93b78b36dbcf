"""Whether ``actions.py`` has what a ``plugin.yaml`` would run; it is read and not run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Path_, Problem, Source


def of_functions(source: Source, spec: PluginSpec, folder: Path | None) -> Iterator[Problem]:
    """What it lacks, or cannot be called as it would be."""
    wanted: list[tuple[Path_, str, int]] = [
        (("subscribers", at, "run"), one.run, 3) for at, one in enumerate(spec.subscribers)
    ]
    for name, resource in spec.resources.items():
        for at, rule in enumerate(resource.rows):
            if rule.run:
                wanted.append((("resources", name, "rows", at, "run"), rule.run, 1))
        for at, operation in enumerate(resource.operations):
            wanted.append((("resources", name, "operations", at, "run"), operation.run, 4))
        for key, computed in resource.computed.items():
            wanted.append((("resources", name, "computed", key, "run"), computed.run, 2))
    if not wanted or folder is None:
        return
    path = folder / "actions.py"
    try:
        functions = _functions(path)
    except FileNotFoundError:
        yield source.problem(wanted[0][0], f"there is no actions.py beside it with the function {wanted[0][1]}")
        return
    except (SyntaxError, ValueError) as problem:
        told = str(problem).partition("\n")[0]
        yield source.problem(wanted[0][0], f"actions.py cannot be read: {told}")
        return
    for here, function, count in wanted:
        if function not in functions:
            yield source.problem(here, f"actions.py has no function {function}")
        elif (takes := functions[function]) is not None and takes != count:
            yield source.problem(here, f"the function {function} takes {takes} values; {count} are expected")


def _functions(path: Path) -> dict[str, int | None]:
    """The names that a module defines, and how many values each takes; None where that is not plain."""
    found: dict[str, int | None] = {}
    for node in ast.parse(path.read_bytes(), path.name).body:
        if isinstance(node, ast.FunctionDef):
            plain = not (node.args.vararg or node.args.defaults or node.args.kwonlyargs or node.decorator_list)
            found[node.name] = len(node.args.posonlyargs) + len(node.args.args) if plain else None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= dict.fromkeys((alias.asname or alias.name for alias in node.names), None)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets: Collection[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id: None for one in targets if isinstance(one, ast.Name)}
    return found
