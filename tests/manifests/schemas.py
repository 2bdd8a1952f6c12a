"""Strict schemas: Kubernetes' own, and those that the operators of other kinds publish."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

KUBERNETES = "1.34"
FOLDER = Path(__file__).parent / "schemas"
NOT_NAMESPACED = {"Namespace"}


def problems(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with an object, an unknown field included."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    file = FOLDER / f"{group}_{version}_{manifest['kind']}.json"
    if file.exists():
        errors = _validator(file).iter_errors(manifest)
        return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in errors]
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


@cache
def _validator(file: Path) -> Draft202012Validator:
    schema = strict(json.loads(file.read_text()))
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "required": ["name"]},
    }
    return Draft202012Validator(schema)


def strict(schema: Any) -> Any:
    """A structural schema that takes no field it does not list, as strict field validation has it."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(part) for name, part in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        found["type"] = ["integer", "string"]
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found.setdefault("additionalProperties", schema.get("x-kubernetes-preserve-unknown-fields", False))
    return found
