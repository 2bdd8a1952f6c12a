"""Secrets stay where they were put: whatever is written or said by a run, a publication, a watch or an error has none.

Each secret is an unmistakable word, and all are in use: the store is a bucket, the database and the alerts are asked.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.signing import make_keys, signer_from
from ciclo.components.storage.store import open_store
from tests.depth import thorough
from tests.local.command import ONE, QUICK, ciclo, tick
from tests.tables import table

S3, DATABASE, ALERT, NAMED, TOKEN, WRITTEN = (f"canary-{n}-must-not-fly" for n in range(6))
COLUMNS = {
    "size": {"type": "number"},
    "count": {"type": "integer"},
    "open": {"type": "boolean"},
    "colour": {"type": "category"},
    "y": {"type": "boolean"},
}
NOWHERE = "127.0.0.1:1"


def write_project(folder: Path, name: str = "project.yaml", **data: Any) -> Path:
    alerts = data.pop("alerts", ["OPS_ALERTS"])
    raw = {"name": "unit", "data": {"source": "table.csv", "target": "y", "columns": COLUMNS, **data}, **QUICK, **ONE}
    path = folder / name
    path.write_text(yaml.safe_dump({**raw, "monitoring": {"alerts": alerts}}))
    return path


@thorough
def test_no_secret_is_in_anything_that_is_written_or_said(s3_settings: Settings, tmp_path: Path) -> None:
    work, hidden, home = tmp_path / "work", tmp_path / "hidden", tmp_path / "work" / "home"
    for folder in (work, hidden):
        folder.mkdir()
    private, public = make_keys(hidden / "keys")
    table(1500, signal=3.0)[list(COLUMNS)].to_csv(work / "table.csv", index=False)
    project = write_project(work)
    (hidden / "table.csv").write_bytes((work / "table.csv").read_bytes())
    variables = {
        **{name: value for name, value in s3_settings.environment().items() if name != "CICLO_HOME"},
        "CICLO_DEPLOYER": "none",
        "CICLO_S3_SECRET_KEY": S3,
        "CICLO_PREDICTIONS": f"postgresql+psycopg://ciclo:{DATABASE}@{NOWHERE}/ciclo",
        "CICLO_ALERTS": f"json://user:{ALERT}@{NOWHERE}/",
        "OPS_ALERTS": f"json://user:{NAMED}@{NOWHERE}/",
        "CICLO_MODEL_REGISTRY_TOKEN": TOKEN,
        "CICLO_PRIVATE_KEY": str(private),
        "CICLO_PUBLIC_KEYS": f'["{public}"]',
        "TMPDIR": str(work),
    }
    said = []

    def does(status: set[int], *arguments: object, **more: str) -> str:
        done = ciclo(home, *arguments, **{**variables, **more})
        said.append(done.out + done.err)
        assert done.code in status, said[-1]
        return said[-1]

    does({0}, "compile", project, "--image", "registry.example.com/ciclo:1", "-o", work / "pipeline.yaml")
    does({0}, "run", project)
    does({0}, "models", "show", "unit", "--json")
    does({1}, "models", "export", "unit", "champion", "--to", f"http://{NOWHERE}")
    does({2}, "run", project, CICLO_PREDICTIONS=f"mysql://u:{DATABASE}@h/db", CICLO_DEPLOYER=TOKEN)
    does({1}, "run", project, CICLO_S3_ENDPOINT=NOWHERE)
    does({2}, "run", write_project(hidden, "alert.yaml", alerts=[f"slack://{WRITTEN}"]))
    does({2}, "run", write_project(hidden, "source.yaml", source=f"s3://user:{WRITTEN}@{NOWHERE}/x.csv"))
    does({2}, "run", write_project(hidden, "query.yaml", source=f"https://{NOWHERE}/x.csv?token={WRITTEN}"))
    serving = s3_settings.model_copy(update={"private_key": private, "public_keys": (public,)})
    registry = open_registry("unit", serving)
    move = Move("test", "the watch needs something that serves", "deploy")
    registry.move("serving", 1, move, expected=None, signer=signer_from(serving))
    for predictions in (variables["CICLO_PREDICTIONS"], f"mysql://u:{DATABASE}@h/db", f"nonsense {DATABASE}", ""):
        watched = tick(home, project, **{**variables, "CICLO_PREDICTIONS": predictions})
        said.append(watched.out + watched.err)
        assert watched.code in ((1, 2) if predictions else (0,)), said[-1]

    bucket = open_store(s3_settings.store_uri, s3_settings)
    keys = list(bucket.list(""))
    written = {str(path): path.read_bytes() for path in work.rglob("*") if path.is_file()}
    written |= {f"bucket {key}": bucket.get(key).data for key in keys}
    written |= {f"said {number}": text.encode() for number, text in enumerate(said)}
    for needed in ("model.skops", "card.html", "card.json", "lineage.json"):
        assert any(name.endswith(needed) for name in written if name.startswith("bucket")), needed
    for needed in ("pipeline.yaml", "run.log", "summary.json", "evaluation.html"):
        assert any(name.endswith(needed) for name in written), needed
    secrets = [S3, DATABASE, ALERT, NAMED, WRITTEN, *private.read_text().splitlines()[1:-1]]
    found = {(name, secret) for name, data in written.items() for secret in secrets if secret.encode() in data}
    assert found == set()
    # It was given as the name of a deployer once: a message may say what is allowed, and not what was seen.
    assert [name for name, data in written.items() if TOKEN.encode() in data] == []
    assert b"OPS_ALERTS" in written[str(work / "pipeline.yaml")]


@pytest.mark.parametrize("name", ["CICLO_PUBLIC_KEYS", "CICLO_ALERT_KEYS", "CICLO_VERSION"])
def test_a_setting_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path, name: str) -> None:
    ran = ciclo(tmp_path, "status", write_project(tmp_path), **{name: WRITTEN})
    assert ran.code == 2, ran.err
    assert name.removeprefix("CICLO_").lower() in ran.err.lower()
    assert WRITTEN not in ran.err + ran.out
    assert "Traceback" not in ran.err
