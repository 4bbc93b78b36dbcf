"""PostgreSQL's cache grows with the memory there is, within bounds, and a container's limit counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runtime.memory import MIB, shared_buffers, total


@pytest.mark.parametrize(
    ("memory", "cache"), [(256, "128MB"), (1024, "128MB"), (4096, "512MB"), (16 * 1024, "2048MB"), (1 << 20, "2048MB")]
)
def test_the_cache_is_an_eighth_within_bounds(memory: int, cache: str) -> None:
    assert shared_buffers(memory * MIB) == cache


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    machine = total((tmp_path / "none",))
    limit.write_text("max\n")
    assert total((limit,)) == machine
    limit.write_text(f"{64 * MIB}\n")
    assert total((limit,)) == 64 * MIB
