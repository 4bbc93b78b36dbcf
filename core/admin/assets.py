"""Vendored assets: fetched from npm by name, checked by checksum; the browser's are served by ourselves.

Tabler's stylesheet is trimmed on the way (see UNUSED); everything else is shipped as published. The fonts of
PDF files lie beside the code that writes them.

``python -m core.admin.assets vendor`` refetches every package and rewrites each ``MANIFEST.json``;
``python -m core.admin.assets check`` verifies that each file is the one the manifest names.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"
FONTS = Path(__file__).parents[1] / "export" / "fonts"


@dataclass(frozen=True)
class Package:
    """An npm package: which files we ship, and the licence text when the package carries none."""

    name: str
    version: str
    licence: str
    files: dict[str, str]
    licence_text: str = ""

    @property
    def folder(self) -> str:
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}"


# The npm archive of @tabler/core holds no licence file; this is the text its banner refers to.
TABLER_LICENCE = """MIT License

Copyright (c) 2018-2026 The Tabler Authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS
OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

PACKAGES = (
    Package(
        "@tabler/core",
        "1.6.1",
        "MIT",
        {"dist/css/tabler.min.css": "tabler.min.css", "dist/css/tabler.rtl.min.css": "tabler.rtl.min.css"},
        TABLER_LICENCE,
    ),
    Package("htmx.org", "4.0.1", "0BSD", {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"}),
    Package("chart.js", "4.6.1", "MIT", {"dist/chart.umd.min.js": "chart.umd.min.js", "LICENSE.md": "LICENSE"}),
    Package(
        "tom-select",
        "2.6.2",
        "Apache-2.0",
        {"dist/js/tom-select.complete.min.js": "tom-select.complete.min.js", "LICENSE": "LICENSE"},
    ),
    Package(
        "@fontsource-variable/inter",
        "5.3.0",
        "OFL-1.1",
        {
            "files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
            "files/inter-cyrillic-wght-normal.woff2": "inter-cyrillic.woff2",
            "files/inter-greek-wght-normal.woff2": "inter-greek.woff2",
            "LICENSE": "LICENSE",
        },
    ),
    # Only /api/docs loads it.
    Package(
        "swagger-ui-dist",
        "5.35.0",
        "Apache-2.0",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "LICENSE": "LICENSE",
            "NOTICE": "NOTICE",
            "swagger-ui-bundle.js.LICENSE.txt": "LICENSE.bundled.txt",
        },
    ),
    # The variable file of extended Latin weighs 85 kB; one medium weight is enough for the odd letter of a name.
    Package(
        "@fontsource/inter",
        "5.3.0",
        "OFL-1.1",
        {"files/inter-latin-ext-500-normal.woff2": "inter-latin-ext.woff2", "LICENSE": "LICENSE"},
    ),
)

# The outline icons named in icons.txt become <symbol>s of one sprite; templates name them as icon("…").
ICON_PACKAGE = Package("@tabler/icons", "3.51.0", "MIT", {"LICENSE": "LICENSE"})
ICONS = STATIC / "icons.txt"

# One Chinese weight alone is 1.1 MB as published; DejaVu has Latin, Greek, Cyrillic, Arabic and Hebrew.
FONT_PACKAGES = (
    Package(
        "dejavu-fonts-ttf",
        "2.37.3",
        "Bitstream-Vera",
        {"ttf/DejaVuSans.ttf": "DejaVuSans.ttf", "LICENSE": "LICENSE"},
    ),
    Package(
        "@fontsource/noto-sans-sc",
        "5.3.0",
        "OFL-1.1",
        {"files/noto-sans-sc-chinese-simplified-400-normal.woff2": "noto-sans-sc.woff2", "LICENSE": "LICENSE"},
    ),
)
HOMES = {VENDOR: (*PACKAGES, ICON_PACKAGE), FONTS: FONT_PACKAGES}


def fetch(package: Package, into: Path) -> Path:
    """Unpack the named version from the configured npm registry; returns the package folder."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
        cwd=into,
        check=True,
        capture_output=True,
        text=True,
    )
    target = into / package.folder
    with tarfile.open(into / packed.stdout.split()[-1]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


# Parts of Tabler that need its script, or that Guildhall draws itself: half of the file.
UNUSED = re.compile(
    r"\.(accordion|apexcharts|avatar|bg-\w+-(lt|200)|breadcrumb|calendar|carousel|datepicker|divide|dropdown|dropzone|fc-|flag"
    r"|flatpickr|fslightbox|gradient|input-icon|io-|jsvectormap|jvm|legend|link-|list-group|litepicker|markdown|modal"
    r"|nav-|navbar|noUi|offcanvas|onboarding|otp|page-|pagination|payment|placeholder|plyr|popover|ribbon|settings"
    r"|signal|social|sortable|sparkline|star|status|steps?\b|strength|switch|tag\b|theme|timeline|toast|tom-select"
    r"|tooltip|tox|tracking|ts-|vc|iti)|data-vc|data-bs-sidebar"
)


def trim(css: str) -> str:
    """Leave out the selectors of UNUSED; a rule without selectors and a block without rules go with them."""
    result, at = [], 0
    while (brace := css.find("{", at)) >= 0:
        head, depth, end = css[at:brace], 1, brace + 1
        while depth:  # no brace is ever quoted in Tabler's stylesheet
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        body, at = css[brace + 1 : end - 1], end
        plain, _, rule = head.rpartition(";")  # @charset and the like come before a rule
        if rule.lstrip().startswith(("@media", "@supports", "@layer")):
            body = trim(body)
            kept = rule if body else ""
        elif rule.lstrip().startswith("@"):
            kept = rule
        else:
            selectors = re.split(r",(?![^()]*\))", rule)
            kept = ",".join(selector for selector in selectors if not UNUSED.search(selector))
        result.append(plain + ";" if plain else "")
        result.append(f"{kept}{{{body}}}" if kept else "")
    return "".join(result)


def sprite(icons: Path) -> str:
    """One SVG file with a <symbol> per icon; stroke and size come from the stylesheet."""
    symbols = []
    for name in sorted(set(ICONS.read_text("utf-8").split())):
        path = icons / f"{name}.svg"
        if not path.exists():
            raise SystemExit(f"The icon {name} is not part of {ICON_PACKAGE.name} {ICON_PACKAGE.version}.")
        body = re.search(r"<svg[^>]*>(.*)</svg>", path.read_text("utf-8"), re.DOTALL)
        assert body is not None
        shapes = re.sub(r"\s+", " ", body.group(1)).replace("> <", "><").strip()
        shapes = shapes.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "")  # invisible bounds
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def vendor(home: Path) -> None:
    """Refetch every package of a folder and rewrite its manifest."""
    manifest: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        temp = Path(name)
        fresh = temp / "vendor"
        for package in HOMES[home]:
            source, target = fetch(package, temp), fresh / package.folder
            target.mkdir(parents=True)
            for origin, file in package.files.items():
                shutil.copyfile(source / origin, target / file)
                if file.endswith((".js", ".css")):  # the maps are not shipped, so do not point at them
                    text = (target / file).read_text("utf-8")
                    text = re.sub(r"\n?(//|/\*)# sourceMappingURL=\S+( \*/)?\s*$", "\n", text)
                    (target / file).write_text(trim(text) if file.startswith("tabler") else text, "utf-8")
            if package.licence_text:
                (target / "LICENSE").write_text(package.licence_text, "utf-8")
            if package is ICON_PACKAGE:
                (target / "icons.svg").write_text(sprite(source / "icons" / "outline"), "utf-8")
            for path in sorted(target.iterdir()):
                manifest[f"{package.folder}/{path.name}"] = {
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "package": package.name,
                    "version": package.version,
                    "licence": package.licence,
                }
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(fresh, home)
    manifest_of(home).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")


def manifest_of(home: Path) -> Path:
    """The list of what a folder holds, with checksums."""
    return home / "MANIFEST.json"


def problems(home: Path) -> list[str]:
    """What differs between a folder and its manifest; empty when all is well."""
    manifest = json.loads(manifest_of(home).read_text("utf-8"))
    found = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()} - {"MANIFEST.json"}
    result = [f"{name} is missing." for name in sorted(set(manifest) - found)]
    result += [f"{name} is not in the manifest." for name in sorted(found - set(manifest))]
    for name in sorted(found & set(manifest)):
        if hashlib.sha256((home / name).read_bytes()).hexdigest() != manifest[name]["sha256"]:
            result.append(f"{name} was changed: its checksum differs.")
    return result


def main(arguments: list[str]) -> int:
    """Entry point of ``python -m core.admin.assets``."""
    if arguments == ["vendor"]:
        for home in HOMES:
            vendor(home)
    elif arguments != ["check"]:
        print("usage: python -m core.admin.assets vendor|check")
        return 2
    for problem in (found := [problem for home in HOMES for problem in problems(home)]):
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
