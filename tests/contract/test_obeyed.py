"""Nothing is accepted and ignored: every field of a project and every setting is read by code that acts on it.

mypy finds the readers, so that a name alone is not taken for a field: in a copy of the code every field is marked as
deprecated, and each line that reads one is reported. What a property or method of the model itself reads counts only if
somebody uses that one.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings

ROOT = Path(__file__).parents[2]
SCHEMAS = (
    "components/core/project.py",
    "components/core/sections.py",
    "components/core/data_sections.py",
    "components/core/cleaning_policy.py",
    "components/core/settings.py",
)
PARSERS = (*SCHEMAS, "components/core/project_file.py")


def models(root: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """A model and all that are nested in it, by name."""
    found: dict[str, type[BaseModel]] = {root.__name__: root}
    for field in root.model_fields.values():
        found |= {
            name: model for kind in _kinds(field.annotation) if kind is not root for name, model in models(kind).items()
        }
    return found


def _kinds(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for part in getattr(annotation, "__args__", ()) for kind in _kinds(part)]


MODELS = {**models(Project), **models(Settings)}
FIELDS = {(name, field) for name, model in MODELS.items() for field in model.model_fields}


def watched(source: str) -> str:
    """The source of a schema in which mypy reports every use of a field or property of its models."""
    lines = [*source.splitlines(keepends=True), "from typing_extensions import deprecated\n"]
    for node in ast.parse(source).body:
        for part in node.body if isinstance(node, ast.ClassDef) and node.name in MODELS else ():
            head = f'    @property\n    @deprecated("READ {node.name}.{{}}")\n    def {{}}(self) -> {{}}: ...\n'
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                name, last = part.target.id, (part.end_lineno or 0) - 1
                lines[part.lineno - 1] = lines[part.lineno - 1].replace(f"{name}:", f"{name}_hidden:", 1)
                lines[last] += head.format(name, name, ast.unparse(part.annotation))
            elif isinstance(part, ast.FunctionDef) and _is_property(part):
                first, last = part.decorator_list[0].lineno - 1, part.end_lineno or 0
                returns = ast.unparse(part.returns) if part.returns else "object"
                lines[first:last] = [head.format(part.name, part.name, returns), *[""] * (last - first - 1)]
            elif isinstance(part, ast.FunctionDef) and _is_method(part):
                lines[part.lineno - 1] = f'    @deprecated("READ {node.name}.{part.name}")\n{lines[part.lineno - 1]}'
    return "".join(lines)


def _is_property(function: ast.FunctionDef) -> bool:
    return any("property" in ast.unparse(d) for d in function.decorator_list)


def _is_method(function: ast.FunctionDef) -> bool:
    """Whether others call it; ``environment`` hands everything on and acts on nothing."""
    return not function.decorator_list and not function.name.startswith("_") and function.name != "environment"


def properties() -> dict[tuple[str, str], set[str]]:
    """The attributes that each property or method of a model reads, on whatever it reads them."""
    found = {}
    for schema in SCHEMAS:
        for node in ast.parse((ROOT / schema).read_text()).body:
            for part in node.body if isinstance(node, ast.ClassDef) and node.name in MODELS else ():
                if isinstance(part, ast.FunctionDef) and (_is_property(part) or _is_method(part)):
                    read = {inner.attr for inner in ast.walk(part) if isinstance(inner, ast.Attribute)}
                    found[node.name, part.name] = read
    return found


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Every field that something reads, by model."""
    folder = tmp_path_factory.mktemp("renamed")
    # No other package reads a field of ours.
    strict = '\nstrict = true\nfollow_imports = "skip"\nenable_error_code = ["deprecated"]\n'
    rules = (ROOT / "pyproject.toml").read_text().replace("\nstrict = true\n", strict)
    rules = rules.replace("disallow_untyped_decorators = false\n", 'enable_error_code = ["deprecated"]\n')
    (folder / "pyproject.toml").write_text(rules)
    (folder / "build/src/ciclo").mkdir(parents=True)
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, folder / name)
        (folder / "build/src/ciclo" / name).symlink_to(folder / name)
    for schema in SCHEMAS:
        (folder / schema).write_text(watched((ROOT / schema).read_text()))
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(ROOT / "build/mypy-of-fields")]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    lines = [line for line in said.splitlines() if not any(parser in line.split(":")[0] for parser in PARSERS)]
    found = {(m[1], m[2]) for line in lines if (m := re.search(r"READ (\w+)\.(\w+)", line))}
    assert len(found) > 60, said[-2000:]
    for (model, name), attributes in properties().items():
        if (model, name) in found:
            found |= {(other, field) for other, field in FIELDS if field in attributes}
    return found


@pytest.mark.slow
def test_every_field_of_a_project_and_every_setting_is_read(read: set[tuple[str, str]]) -> None:
    assert sorted(FIELDS - read) == [], "accepted and ignored"
    assert len(FIELDS) > 80


def test_a_field_is_found_wherever_it_is() -> None:
    assert {"Project", "Column", "Candidate", "SimpleRule", "Settings", "Budget"} <= set(MODELS)
    assert ("Column", "why") in FIELDS
    assert '@deprecated("READ Column.why")\n    def why(self) -> str: ...' in watched((ROOT / SCHEMAS[2]).read_text())
