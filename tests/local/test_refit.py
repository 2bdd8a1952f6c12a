"""A run on rows in time ends with two models: one was tested, and the other has seen the test rows and is served."""

from pathlib import Path

import pandas as pd
import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.releases.registry import open_registry
from tests.local.command import ONE, ciclo, write_project
from tests.tables import COLUMNS, table


def test_the_model_that_is_served_has_seen_every_labelled_row(tmp_path: Path) -> None:
    rows, home = table(2_400, signal=3.0), tmp_path / "home"
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

    back = ciclo(home, "models", "restore", "unit", "--why", "worse than tested", "--by", "ann")
    assert "version 2 is the champion" in back.out, back.err
    shown = ciclo(home, "models", "show", "unit", COLUMNS="300").out
    assert "the tested model: ann went back to it from version 1: worse than tested" in shown
