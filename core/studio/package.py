"""The folder of a designed plugin: its files, and a zip of them whose bytes depend on nothing else."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from core.studio.drafts import digest
from core.yamlplugin.schema import PluginSpec

LONGEST_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip knows
README = """# {label}

{description}A plugin of Guildhall, designed in its Studio. `plugin.yaml` is all of it; `migrations/` holds its tables.

- Put this folder, called `{name}`, into a folder that `GUILDHALL_PLUGIN_PATH` names, and start Guildhall again: the
  start applies the migration.
- `guildhall plugin doctor {name}` says what is wrong with it, if anything is.
- `translations/messages.pot` lists its texts for translators: carry it over to
  `translations/<language>/LC_MESSAGES/messages.po` and compile that with `guildhall translations compile -p {name}`.

Resources: {resources}.
"""
POT = """msgid ""
msgstr ""
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"""


def files(text: str, spec: PluginSpec, plan: Mapping[str, Any], *, new: bool) -> dict[str, str]:
    """The files that writing would make or change, by path; of an installed plugin only what a design says."""
    made = {"plugin.yaml": text}
    if plan["file"]:
        made[f"migrations/{plan['file']}"] = plan["source"]
    if new:
        described = spec.description.strip() + "\n\n" if spec.description.strip() else ""
        names = ", ".join(f"`{name}`" for name in spec.resources) or "none"
        made["README.md"] = README.format(name=spec.name, label=spec.label, description=described, resources=names)
        made["translations/messages.pot"] = POT + "".join(
            f'\nmsgid "{_quoted(one)}"\nmsgstr ""\n' for one in texts(spec)
        )
    return dict(sorted(made.items()))


def texts(spec: PluginSpec) -> list[str]:
    """What of a design people read, each once, in the order of the file."""
    return list(dict.fromkeys(one for one in _texts(spec) if one.strip()))


def _texts(spec: PluginSpec) -> Iterator[str]:
    yield from (spec.label, spec.description)
    for setting in spec.settings.values():
        yield from (setting.label, setting.help)
    for resource in spec.resources.values():
        yield from (resource.label, resource.label_plural)
        for field in resource.fields.values():
            yield from (field.label, field.help)
        for section in resource.sections:
            yield from (section.title, section.help)
        yield from (one.title for one in resource.inline)
        for operation in resource.operations:
            yield from (operation.label, operation.help)
        for computed in resource.computed.values():
            yield from (computed.label, computed.help)
        yield from (one.label for one in resource.transitions)
    yield from spec.permissions.values()
    for automation in spec.automations.values():
        yield from (automation.label, automation.description)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def digest_of(made: Mapping[str, str], sql: str) -> str:
    """One digest over all that would be written and run; who accepts it was shown exactly this."""
    return digest("".join(f"{path}\0{digest(content)}\n" for path, content in sorted(made.items())) + digest(sql))


def zipped(name: str, made: Mapping[str, bytes]) -> bytes:
    """The folder ``name`` as a zip; the same files are the same bytes, whenever and wherever it is made."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(made.items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", LONGEST_AGO)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, content)
    return out.getvalue()
