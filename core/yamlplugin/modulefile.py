"""A module as it is written: its text, and what it imports, which is known at its end."""

from __future__ import annotations

from core.yamlplugin.layout import WIDTH

SPLIT = "# isort: split"
STANDARD = ("datetime", "decimal", "typing", "uuid")


class Module:
    """A module as it is written: what it imports is known at its end."""

    def __init__(self, docstring: str) -> None:
        self.docstring = docstring
        self.body: list[str] = []
        self._names: dict[str, set[str]] = {}
        self._whole: set[str] = set()

    def use(self, module: str, *names: str) -> None:
        """Have ``names`` of ``module`` imported."""
        self._names.setdefault(module, set()).update(names)

    def use_whole(self, line: str) -> None:
        """Have this line among the first imports."""
        self._whole.add(line)

    @property
    def text(self) -> str:
        parts = [f'"""{self.docstring}"""']
        others = sorted(name for name in self._names if name not in (*STANDARD, "guildhall") and name[0] != ".")
        standard = sorted(name for name in self._names if name in STANDARD)
        first = [*sorted(self._whole), *(self._line(name) for name in standard)]
        parts += ["\n".join(first)] if first else []
        parts += ["\n".join(self._line(name) for name in others)] if others else []
        own = [SPLIT] if others and "guildhall" in self._names else []
        own += [self._line("guildhall")] if "guildhall" in self._names else []
        parts += ["\n".join(own)] if own else []
        near = sorted(name for name in self._names if name[0] == ".")
        parts += ["\n".join(self._line(name) for name in near)] if near else []
        return "\n\n".join(parts) + "".join(self.body) + "\n"

    def _line(self, module: str) -> str:
        names = sorted(self._names[module], key=lambda name: (_rank(name), name.lower()))
        line = f"from {module} import {', '.join(names)}"
        if len(line) <= WIDTH:
            return line
        return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _rank(name: str) -> int:
    """As import sorters order names: constants, classes, the rest."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2


def camel(name: str) -> str:
    """A name as one of a class."""
    return "".join(word.capitalize() for word in name.split("_"))
