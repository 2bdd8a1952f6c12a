"""Every setting is in `Settings`, and in the one table of the docs."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from ciclo.components.core.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
BEGIN, END = "<!-- table -->\n", "<!-- end -->\n"


def described() -> dict[str, str]:
    """What the docstring of `Settings` says of each."""
    text = re.sub(r"\n {12,}", " ", str(Settings.__doc__).split("Attributes:")[1])
    return {name: said.strip() for name, said in re.findall(r"\n {8}(\w+): (.+)", text)}


def table() -> str:
    """The settings as a table."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        names = [f"CICLO_{name.upper()}"]
        if isinstance(alias := field.validation_alias, AliasChoices):
            names = [str(choice) for choice in alias.choices]
        secret = " A secret." if isinstance(field.default, SecretStr) else ""
        default = "" if isinstance(field.default, SecretStr) or field.default in ("", None, ()) else str(field.default)
        shown = f"`{default}`" if default else ""
        rows.append(f"| {', '.join(f'`{n}`' for n in names)} | {shown} | {described()[name]}{secret} |")
    return "\n".join(rows).replace("``", "`") + "\n"


def test_every_setting_is_described() -> None:
    assert set(described()) == set(Settings.model_fields)


def test_the_table_of_the_docs_is_that_of_the_settings(request: pytest.FixtureRequest) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}")
        old = table()
    assert old == table(), "if this is meant: make golden"
    assert "(docs/settings.md)" in (ROOT / "README.md").read_text()


def test_nothing_else_reads_the_environment() -> None:
    """Neither by name nor through the command; what is handed on to a child whole is not read."""
    readers = set()
    paths = [path for folder in ("components", "pipelines") for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 100
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.Subscript | ast.Call) else ""
            if re.match(r"(os\.)?(getenv|environ\.get|environ\[)", text):
                readers.add(path.relative_to(ROOT).as_posix())
    # The rehearsal hands a few variables of the operating system on to its child; the server finds its ports in the
    # variables of seldon-core, and what is called environ in its limits is a request.
    foreign = {"components/storage/rehearsal.py", "components/serving/__main__.py", "components/serving/limits.py"}
    assert readers == {"components/core/settings.py", *foreign}


def test_secrets_are_never_shown() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if isinstance(field.default, SecretStr)}
    assert secrets == {"s3_secret_key", "predictions", "alerts", "model_registry_token"}
    assert "hunter2" not in repr(Settings(**dict.fromkeys(secrets, "hunter2")))
    assert "hunter2" not in Settings(**dict.fromkeys(secrets, "hunter2")).model_dump_json()
