"""What is wrong with a mapping that is no section, field by field and in words of the file, not of the library."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ciclo.components.core.wording import did_you_mean

# What a value has to be, by the kinds of errors that say it is not.
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "model": "a mapping of fields",
    "dict": "a mapping of fields",
}
_Path = tuple[str, ...]


def objections(error: ValidationError, root: type[BaseModel], raw: object) -> str:
    """Every field that is wrong, and why.

    Args:
        error: What was found.
        root: The model of the whole.
        raw: The mapping that was validated.
    """
    found: dict[_Path, list[Mapping[str, Any]]] = {}
    choices: set[_Path] = set()  # where one of several types is wanted, none of which it is
    for each in error.errors():
        path = tuple(_path(each, raw))
        found.setdefault(path, []).append(dict(each))
        if len(path) < len(each["loc"]):
            choices.add(path)
    # Of several types the one that a value comes nearest to says what is wrong deeper inside.
    shown = {
        path: errors
        for path, errors in found.items()
        if path not in choices or not any(other[: len(path)] == path != other for other in found)
    }
    return "; ".join(_explain(path, errors, root) for path, errors in shown.items())


def _path(error: Mapping[str, Any], raw: object) -> Iterator[str]:
    """The place of an error in the file; the library also names the types that it tried there."""
    value: Any = raw
    for depth, part in enumerate(error["loc"], 1):
        is_item = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if is_item or (isinstance(value, Mapping) and part in value):
            value = value[part]
        elif error["type"] != "missing" or depth < len(error["loc"]):
            continue
        yield str(part)


def _explain(path: _Path, errors: list[Mapping[str, Any]], root: type[BaseModel]) -> str:
    first, field = errors[0], ".".join(path) or "project"
    if first["type"] == "extra_forbidden":
        return f"{field}: unknown field{did_you_mean(path[-1], _fields_at(root, path[:-1]))}"
    if first["type"] == "missing":
        return f"{field}: missing, has to be given"
    kinds = [_KINDS.get(error["type"].rpartition("_")[0], "") for error in errors]
    telling = errors[kinds.index("")] if "" in kinds else first
    message = str(telling["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if "" not in kinds:
        several = [kind for kind in dict.fromkeys(kinds) if kind != "a whole number" or "a number" not in kinds]
        message = "should be " + " or ".join(filter(None, (", ".join(several[:-1]), several[-1])))
    value = first["input"]
    hidden = isinstance(value, dict) or _may_be_secret(field, value)
    seen = "" if hidden else f", not {value!r}"
    return f"{field}: {message}{seen}" if path else message


def _may_be_secret(field: str, value: object) -> bool:
    """Whether what somebody wrote must not be repeated: an address can hold a password or a token."""
    return field.startswith(("monitoring.alerts", "data.source")) or "://" in str(value)


def _fields_at(model: type[BaseModel], path: _Path) -> list[str]:
    """The field names at a path, looking through optional values and mappings."""
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            continue
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                model = kind
    return list(model.model_fields)
