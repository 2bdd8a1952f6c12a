"""Every setting is in `Settings`, and in the one table of the docs."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from ciclo.components.core.settings import Settings
from ciclo.components.deployment.seldon import SECRETS
from ciclo.components.deployment.seldon import SETTINGS as POD_KEYS
from ciclo.pipelines.tasks import ALERT_KEYS, DATABASE_KEYS, SETTING_KEYS, SOURCE_KEYS, STORE_KEYS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
# What neither a task nor a model server reads of the ConfigMap and the Secret, and why.
NOT_HANDED_ON = {
    "home": "a folder of the container itself; a model server is told where its own is",
    "serving_python": "for the process deployer, on a laptop",
    "alert_keys": "read where the pipeline is compiled",
    "project": "the deployer tells a model server what it serves",
    "version": "the deployer tells a model server what it serves",
    "image": "every task is told its own",
    "commit": "the image knows it",
    "kfp_host": "for the CronJob that watches and for the command",
    "run": "KFP writes it on every pod",
    "kfp_namespace": "for the CronJob that watches and for the command",
    "kfp_token_file": "for the CronJob that watches and for the command",
    "kfp_cookie": "for the command",
    "kfp_header": "for the command",
    "pipeline_package": "for the CronJob that watches",
    "deadline_seconds": "for the CronJob that watches",
    "termination_log": "for the CronJob that watches; the default is that of Kubernetes",
    "pushgateway": "for the CronJob that watches",
    "metrics_file": "for the CronJob that watches, where it runs on a machine of its own",
    "model_registry_token": "for the command",
}
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


def test_every_setting_reaches_a_cluster_or_has_a_reason_not_to() -> None:
    handed = {*SETTING_KEYS, *STORE_KEYS, *DATABASE_KEYS, *SOURCE_KEYS, *ALERT_KEYS, *POD_KEYS, *SECRETS}
    assert not handed & {f"CICLO_{name.upper()}" for name in NOT_HANDED_ON}
    known = {f"CICLO_{name.upper()}" for name in Settings.model_fields}
    assert handed | {f"CICLO_{name.upper()}" for name in NOT_HANDED_ON} == known


def test_each_side_is_given_what_it_reads() -> None:
    """Both reach the store; requests come to the model server alone."""
    store = {f"CICLO_{name.upper()}" for name in Settings.model_fields if name.startswith("s3_") or name == "store"}
    assert store <= {*SETTING_KEYS, *STORE_KEYS}
    assert store <= {*POD_KEYS, *SECRETS}
    requests = {f"CICLO_{name.upper()}" for name in Settings.model_fields if name.startswith("request_")}
    assert len(requests) == 2
    assert requests <= {*POD_KEYS}
    assert not requests & {*SETTING_KEYS}


@pytest.mark.slow
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
    assert secrets == {
        "s3_secret_key", "predictions", "alerts", "model_registry_token", "kfp_cookie", "kfp_header", "source_password",
    }  # fmt: skip
    assert "hunter2" not in repr(Settings(**dict.fromkeys(secrets, "hunter2")))
    assert "hunter2" not in Settings(**dict.fromkeys(secrets, "hunter2")).model_dump_json()
