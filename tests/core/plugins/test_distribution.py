"""A distribution of its own, installed by pip, is found through its entry point."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = """
from guildhall import Model, Id, Mapped, Plugin, Resource, ShortText

class Kite(Model):
    __tablename__ = "kites_kite"
    id: Mapped[Id]
    name: Mapped[ShortText]

plugin = Plugin("kites", version="3.1", label="Kites", resources=[Resource(Kite)])
"""
REVISION = """
from alembic import op
revision = "kites_0001"
down_revision = None
branch_labels = ("kites",)
depends_on = None
def upgrade(): op.execute("CREATE TABLE kites_kite (id uuid PRIMARY KEY, name varchar(120) NOT NULL)")
def downgrade(): op.execute("DROP TABLE kites_kite")
"""
LOOK = """
import sys
from config import Config
from core.platform import Platform
platform = Platform(Config(secret_key="x" * 40), sys.argv[1], None)
[one] = [one for one in platform.found if one.name == "kites"]
print(one.state, one.plugin and one.plugin.version, one.folder)
print(platform.upgrade()["kites"].ok)
"""


def wheel(folder: Path) -> Path:
    """A wheel as any build tool writes it."""
    info = "guildhall_kites-3.1.dist-info"
    files = {
        "guildhall_kites/__init__.py": "",
        "guildhall_kites/plugin.py": PLUGIN,
        "guildhall_kites/migrations/kites_0001.py": REVISION,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: guildhall-kites\nVersion: 3.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[guildhall.plugins]\nkites = guildhall_kites.plugin:plugin\n",
    }
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    path = folder / "guildhall_kites-3.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_an_installed_distribution_is_found_loaded_and_migrated(tmp_path: Path, cluster: object) -> None:
    target = tmp_path / "site"
    install = ["pip", "install", "--offline", "--no-deps", "--target", str(target), str(wheel(tmp_path))]
    subprocess.run([sys.executable, "-m", "uv", *install], check=True, capture_output=True)
    url = cluster.fresh("live")  # type: ignore[attr-defined]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, url], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    state, migrated = done.stdout.splitlines()[-2:]
    assert state == f"enabled 3.1 {target / 'guildhall_kites'}"
    assert migrated == "True"
