"""A run on rows in time ends with two models: one was tested, and the other has seen the test rows and is served.

Where it turns out to be worse, the watch goes back to the tested one.
"""

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.governing.decision import WORSE_REFIT
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.bundle import Bundle
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore
from ciclo.components.storage.signing import signer_from
from tests.depth import thorough
from tests.local.command import ONE, ciclo, write_project
from tests.tables import COLUMNS, table

PROCESS, PATH = {"CICLO_DEPLOYER": "process"}, "/api/v1.0/predictions"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    ciclo(tmp_path / "home", "stop", tmp_path / "project.yaml", **PROCESS)


@thorough
def test_the_model_that_is_served_has_seen_every_labelled_row_until_it_turns_out_worse(
    tmp_path: Path, home: Path
) -> None:
    rows = table(2_400, signal=3.0)
    rows["at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(range(2_400), unit="h")
    columns = {**COLUMNS, "y": {"type": "boolean"}, "at": {"type": "timestamp"}}
    project = write_project(tmp_path, rows.to_csv(index=False), columns, **ONE)
    text = project.read_text().replace("target: y", "target: y\n  time_column: at")
    project.write_text(text)
    ran = ciclo(home, "run", project)
    assert ran.summary["outcome"] == "promoted", ran.out + ran.err
    (said,) = [stage["summary"] for stage in ran.summary["stages"] if stage["stage"] == "refit"]
    assert "fitted anew on all 2,400 labelled rows, up to 2026-04-10T23:00" in said

    registry = open_registry("unit", Settings(home=home))
    bundle = registry.fetch(1, tmp_path / "fetched")
    refit = bundle.lineage["refit"]
    assert bundle.files["model.skops"] == refit["refit_of"] == bundle.verdict.subject
    assert bundle.served == "refitted.skops"
    assert (refit["rows"], refit["end"]) == (2400, rows["at"].max().isoformat())
    assert pd.Timestamp(bundle.lineage["train_end"]) < rows["at"].iloc[-340]
    X, y = bundle.contract.frame(rows), rows["y"]
    tested, served = (m.predict_proba(X)[:, 1] for m in (bundle.model(), bundle.served_model()))
    assert 0 < abs(tested - served).mean() < 0.05
    assert ((served > 0.5) == y).mean() > 0.8
    expected = [answer["probability"] for answer in bundle.golden["predictions"]]
    given = bundle.served_model().predict_proba(bundle.contract.parse(bundle.golden["rows"]))[:, 1]
    assert given == pytest.approx(expected, abs=1e-9)
    assert "2,400 labelled rows" in bundle.read("card.html").decode()
    shown = ciclo(home, "models", "show", "unit", COLUMNS="300").out
    assert "the tested recipe and parameters, fitted anew on all 2,400 labelled rows up to 2026-04-10T23:00" in shown

    # What serves answers as if that refit had gone wrong: the watch takes it back.
    signer = signer_from(Settings(home=home))
    serving = registry.move("serving", 1, Move("run", "deployed"), expected=None, signer=signer)
    since = datetime.fromisoformat(serving.moved_at)
    noise = np.random.default_rng(17).normal(size=len(rows))
    remember(home, bundle, rows, since, np.clip(served + 0.4 * noise, 0, 1))
    now = f"{since + timedelta(days=36):%Y-%m-%dT%H:%M:%S}"
    watched = ciclo(home, "watch", project, "--now", now, **PROCESS)
    decided = watched.out.splitlines()[-1]
    assert decided.startswith("restore: ")
    assert "The refitted model is worse than the tested one" in decided
    back = watched.summary
    assert (back["outcome"], back["version"], back["trigger"]) == ("restored", 2, WORSE_REFIT), watched.out
    assert [stage["stage"] for stage in back["stages"]] == ["restoring", "deployment", "notification"]
    assert "The tested model serves again" in (Path(back["folder"]) / "run.html").read_text()
    assert "the refitted model was taken back" in back["stages"][-1]["summary"]
    assert [registry.alias(name).version for name in ("champion", "serving")] == [2, 2] == registry.versions()[1:] * 2
    record = registry.record(2)
    assert (record.served, record.lineage["restored_from"]) == ("model.skops", 1)
    run = Path(back["folder"]).name
    assert record.lineage["run"] == run
    assert record.lineage["refit"]["why"] == f"run {run} went back to it from version 1: {WORSE_REFIT}"
    body = json.dumps({"jsonData": {"rows": bundle.contract.rows(rows.head(50))}}).encode()
    asked = urllib.request.Request(back["endpoint"] + PATH, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        given = [answered["probability"] for answered in json.load(answer)["jsonData"]["predictions"]]
    assert given == pytest.approx(tested[:50], abs=1e-9)
    status = " ".join(ciclo(home, "status", project, **PROCESS).out.split())
    assert "restore: The " in status
    assert "version 2, since" in status


def remember(home: Path, bundle: Bundle, rows: pd.DataFrame, since: datetime, said: np.ndarray) -> None:
    """Store what version 1 answered in the 35 days after a time, with the labels."""
    store = PredictionStore(Settings(home=home).predictions_uri)
    step, features = timedelta(days=35) / len(rows), bundle.contract.rows(rows)
    times = [since + step * i for i in range(len(rows))]
    store.record(
        [
            PredictionRow("unit", "r", i, 1, times[i], features[i], str(p > 0.5).lower(), float(p))
            for i, p in enumerate(said)
        ]
    )
    store.label([Label("unit", "r", i, str(bool(y)).lower(), times[i]) for i, y in enumerate(rows["y"])])
