"""The CronJob's entry as a process, and the page it leaves behind."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import structlog

from ciclo.components.core.profile import ColumnProfile
from ciclo.components.core.report import Report
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.__main__ import main
from ciclo.components.monitoring.report import drift_figure
from tests.unit.monitoring.conftest import NOW, customers

PROJECT = """\
name: loans
data:
  source: loans.csv
  target: paid
  columns:
    amount: {type: number}
    age: {type: number}
    city: {type: category}
    paid: {type: boolean}
monitoring: {persistence: {alarms: 1, windows: 1}}
"""


def run(folder, *arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CICLO_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "ciclo.components.monitoring", *arguments],
        env={**clean, "CICLO_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project_file(tmp_path):
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT)
    return str(path)


def test_a_tick_prints_its_decision_and_ends_well_whatever_it_decided(eager, project_file):
    eager.serve(NOW, shift=1)
    done = run(eager.settings.home, project_file, "--now", NOW.isoformat())
    assert (done.returncode, done.stderr) == (0, "")
    decision = json.loads(done.stdout.splitlines()[-1])
    assert decision["action"] == "recommend"
    (filed,) = eager.history().decisions
    assert filed.model_dump(mode="json") == decision
    (report,) = eager.store.list("projects/loans/monitoring/reports/")
    page = eager.store.get(report).data.decode()
    assert all(text in page for text in ("<svg", "amount", "recommend", "importance"))


@pytest.fixture
def here(monkeypatch, eager):
    """This process with the environment of the world; logs and settings are as before afterwards."""
    monkeypatch.setenv("CICLO_HOME", str(eager.settings.home))
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CICLO_STORE", "ftp://nowhere", "object store"),
        ("CICLO_PREDICTIONS", "sqlite:////proc/nowhere/x.sqlite", "prediction store"),
        ("CICLO_KFP_HOST", "http://127.0.0.1:1", "no compiled pipeline"),
    ],
)
def test_a_tick_that_cannot_be_run_fails_with_a_named_error(here, capsys, project_file, name, value, said):
    here.setenv(name, value)
    assert main([project_file]) == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["event"] == "monitoring failed"
    assert said in line["summary"]


def test_a_missing_project_file_is_a_named_error(here, capsys):
    assert main(["nowhere.yaml"]) == 1
    assert "there is no project file" in capsys.readouterr().out


def test_a_dry_run_prints_and_files_nothing(here, capsys, eager, project_file):
    eager.serve(NOW, shift=1)
    assert main([project_file, "--now", "2026-06-01T06:00", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["action"] == "recommend"
    assert eager.history().decisions == ()


def test_a_column_is_drawn_beside_its_past():
    rng = np.random.default_rng(0)
    frame, _ = customers(rng, 500)
    many = pd.Series([f"${i}<b>" for i in range(40)] * 5, dtype=object)
    for values in (frame["amount"], frame["city"].astype(object), many):
        column = ColumnProfile.of(values)
        page = Report("t").figure(drift_figure("a $x$ column", column, column.bin(values))).html()
        assert page.count("<svg") == 1
    empty = ColumnProfile.of(pd.Series([np.nan, np.nan]))
    assert "<svg" in Report("t").figure(drift_figure("empty", empty, [0, 0])).html()
