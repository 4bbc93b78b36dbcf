"""Whatever a file says becomes a value of the Python that is written, never code, and is laid out as ruff does."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.yamlplugin.layout import Call, Long, Name, columns, literal, rendered, said
from core.yamlplugin.python import modules
from core.yamlplugin.reading import parse_plugin
from tests.core.yamlplugin.test_yaml_loading import SHOP

PIECES = [
    "it's ",
    'say "x" ',
    "back\\slash ",
    "{brace} ",
    '"""',
    "'''",
    "\n",
    "é\u200f\u2028",
    "#",
    "x" * 50 + " ",
    "\\",
    "_",
    "漢字かな",
    "e\u0301",
]


def evaluated(node: ast.expr) -> Any:
    """The value of what was written, which is literals and the calls of two names."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        assert node.func.id in ("_", "f")
        return [*map(evaluated, node.args), *(evaluated(one.value) for one in node.keywords)]
    return ast.literal_eval(node)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(0, 130))
def test_a_text_stays_what_it_is(text: str, indent: int) -> None:
    node = Call("f", [said(text or "x"), Long(text), text], {"key": text})
    shown = rendered(node, indent)
    [own, *rest] = evaluated(ast.parse(shown, mode="eval").body)
    assert own == [text or "x"]
    assert rest == [text] * 3


@pytest.mark.parametrize(
    "value", [b"x", object(), float("inf"), {1}, Name], ids=["bytes", "object", "infinite", "set", "class"]
)
def test_what_is_no_plain_value_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        literal(value)


def test_it_is_laid_out_as_ruff_would() -> None:
    made = random.Random(7)
    texts = ["".join(made.choice(PIECES) for _n in range(made.randint(0, 12))) for _n in range(40)]
    nodes = [
        Call(
            "f",
            [said(text), (text[:9], 1), Decimal("1.50"), Decimal(3)],
            {"key": Long(text), "more": {text[:20]: said(text), "b": [text[:30], None, True]}},
            open=number % 3 == 0,
        )
        for number, text in enumerate(texts)
    ]
    source = (
        "\n".join(f"x{number} = {rendered(node, 0, len(f'x{number} = '))}" for number, node in enumerate(nodes)) + "\n"
    )
    check = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--diff", "-"]
    done = subprocess.run(check, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert max(columns(line) for line in source.splitlines()) <= 120


def test_hostile_texts_do_not_leave_their_place() -> None:
    hostile = '")\nimport os; os.system("x")\n("'
    quoted = "'" + hostile.replace("'", "''").replace("\n", "\n\n") + "'"
    spec = parse_plugin(SHOP.replace("Things for sale.", quoted).replace("Take items from sale", quoted))
    written, unknown = modules(spec)
    assert not unknown
    for text in written.values():
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert "os" not in {alias.name for node in calls for alias in node.names}
    assert hostile in [node.value for node in ast.walk(ast.parse(written["plugin"])) if isinstance(node, ast.Constant)]
