"""Answers of the control API, held against the schema that is published."""

import json
from pathlib import Path
from typing import Any

import jsonschema

FILE = Path(__file__).parents[2] / "docs/api.schema.json"


def schema() -> Any:
    """The published schema."""
    return json.loads(FILE.read_text())


def check(request: str, answer: object) -> None:
    """ValidationError unless ``answer`` fits what the schema says of ``request``.

    Documents may have no field beyond the schema either: readers of the next version may meet
    one, a test of this one may not.
    """
    whole = schema()
    for name, each in whole["$defs"].items():
        if name.endswith(("View", "Result")):
            each["additionalProperties"] = False
    definition = {**whole, **whole["answers"][request]}
    jsonschema.Draft202012Validator(definition).validate(answer)
