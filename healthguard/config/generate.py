"""Writes what is derived from the table: schema.json next to this file, and the reference.

``python -m healthguard.config.generate docs/configuration.md``
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healthguard.config import table
from healthguard.config.kinds import Kind
from healthguard.config.structures import (
    ABSENT,
    REQUIRED,
    Either,
    Field,
    ListOf,
    MapOf,
    OneOf,
    Section,
)

SCHEMA_FILE = Path(__file__).with_name("schema.json")
BEGIN, END = "<!-- reference: generated -->", "<!-- end of reference -->"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the configuration, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "healthguard configuration",
        **table.ROOT.schema(),
    }


def schema_text() -> str:
    """The text of schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def reference() -> str:
    """Markdown tables of every key, one for each section."""
    return "\n".join(_tables("", table.ROOT)).strip() + "\n"


def _tables(path: str, section: Section) -> Iterator[str]:
    yield f"### `{path or 'top level'}`\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    yield from (_row(field) for field in section.fields.values())
    yield ""
    for field in section.fields.values():
        if path == "" and field.key == "defaults":
            continue  # the same keys as a pool
        yield from _below(f"{path}.{field.key}".lstrip("."), field.kind)


def _below(path: str, kind: Kind) -> Iterator[str]:
    match kind:
        case Section():
            yield from _tables(path, kind)
        case MapOf():
            yield from _below(f"{path}.NAME", kind.item)
        case ListOf():
            yield from _below(f"{path}[]", kind.item)
        case Either():
            yield from _below(path, kind.long)
        case OneOf():
            for name, section in kind.sections.items():
                yield from _tables(f"{path} ({name})", section)


def _row(field: Field) -> str:
    if field.default is REQUIRED:
        default = "required"
    elif field.default is ABSENT or field.default == {}:
        default = ""
    else:
        written = field.kind.write(field.default)
        default = f"`{written if isinstance(written, str) else json.dumps(written)}`"
    return f"| `{field.key}` | {field.kind.words} | {default} | {field.doc} |"


def put_reference(document: str) -> str:
    """``document`` with the part between the two marks replaced."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{reference()}{END}{after}"


def main() -> None:
    """Write schema.json, and the reference into each file named."""
    SCHEMA_FILE.write_text(schema_text())
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(put_reference(path.read_text()))


if __name__ == "__main__":
    main()
