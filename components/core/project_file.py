"""Project files: reading them, explaining what is wrong with one, and writing a project as text.

A project travels with a run as one line of ASCII JSON, and with a model as YAML in its bundle.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ciclo.components.core.errors import ProjectError
from ciclo.components.core.objections import objections
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Monitoring


def read_project(path: str | Path) -> Project:
    """Read a project file; a relative ``data.source`` is taken from the folder of the file.

    Raises:
        ProjectError: If the file is missing, not YAML, or not valid.
    """
    project = read_project_as_written(path)
    source = project.data.source
    if "://" in source or Path(source).is_absolute():
        return project
    absolute = str((Path(path).resolve().parent / source).resolve())
    return project.model_copy(update={"data": project.data.model_copy(update={"source": absolute})})


def read_project_as_written(path: str | Path) -> Project:
    """Read a project file and leave ``data.source`` as it stands.

    Raises:
        ProjectError: If the file is missing, not YAML, or not valid.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ProjectError(
            f"there is no project file at {path}", hint="'ciclo init DATA --target COLUMN' writes one."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read", seen=str(error)) from error
    return project_from_yaml(text, origin=str(path))


def project_from_yaml(text: str, *, origin: str) -> Project:
    """Read the text of a project file.

    Args:
        text: YAML.
        origin: File name for messages.

    Raises:
        ProjectError: If it is not YAML, or not valid.
    """
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProjectError(f"{origin} is not valid YAML", seen=_objection(error)) from None
    return project_from_mapping(raw, origin=origin)


def project_from_json(text: str) -> Project:
    """Read the form that travels with a run.

    Raises:
        ProjectError: Naming the field.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProjectError("the project parameter is not JSON", seen=str(error)) from error
    return project_from_mapping(raw, origin="project")


def project_from_mapping(raw: Any, *, origin: str) -> Project:
    """Validate a plain mapping.

    Args:
        raw: The parsed document.
        origin: File name for messages.

    Raises:
        ProjectError: Naming every field that is wrong.
    """
    if not isinstance(raw, Mapping):
        raise ProjectError(f"{origin} has to be a mapping of fields", seen=type(raw).__name__)
    try:
        return Project.model_validate(raw)
    except ValidationError as error:
        raise ProjectError(
            f"{origin} is not valid: {objections(error, Project, raw)}", hint="Correct the field and run again."
        ) from error


def read_policy(path: str | Path, base: Monitoring) -> Monitoring:
    """Read a policy of the watch to try: a ``monitoring`` section, or its fields alone.

    Args:
        path: File of YAML.
        base: The policy in force; what the file does not say is taken from it.

    Raises:
        ProjectError: Naming every field that is wrong.
    """
    try:
        raw = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506  (a SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read", seen=getattr(error, "strerror", None) or error) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProjectError(f"{path} is not valid YAML", seen=_objection(error)) from None
    section = raw["monitoring"] if isinstance(raw, Mapping) and [*raw] == ["monitoring"] else raw
    if not isinstance(section, Mapping):
        raise ProjectError(
            f"{path} has to be a mapping of fields", seen=type(section).__name__, hint="Give fields of monitoring."
        )
    laid = _laid_over(base.model_dump(), section)
    try:
        return Monitoring.model_validate(laid)
    except ValidationError as error:
        raise ProjectError(
            f"{path} is not valid: {objections(error, Monitoring, laid)}", hint="Give fields of monitoring alone."
        ) from error


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with the values of another, down to the last level."""
    both = {k for k in changes if isinstance(base.get(k), Mapping) and isinstance(changes[k], Mapping)}
    return {**base, **changes, **{key: _laid_over(base[key], changes[key]) for key in both}}


def project_to_json(project: Project) -> str:
    """The project as one line of ASCII JSON, which survives every layer between a command and a task."""
    return json.dumps(project.model_dump(mode="json", exclude_defaults=True), separators=(",", ":"))


def project_to_yaml(project: Project) -> str:
    """The project as the text of a project file."""
    return yaml.safe_dump(project.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that does not let a second key silently replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' appears twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _objection(error: Exception) -> str:
    """What YAML objects to and where, without the line itself: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return "a number of thousands of digits" if type(error) is ValueError else type(error).__name__
    mark = error.problem_mark or error.context_mark
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return " ".join(f"{error.problem or error.context or 'it cannot be parsed'}{place}".split())
