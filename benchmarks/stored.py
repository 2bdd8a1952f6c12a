"""One real tick over many stored rows: seconds, and the memory of the process that takes it."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa
from psycopg import sql
from sklearn.dummy import DummyClassifier

from benchmarks.streams import KINDS, Stream
from benchmarks.watching import THREADS, show
from ciclo.components.core.anchor import Anchor
from ciclo.components.core.clusters import Clustered, covariance, groups_of, jackknife
from ciclo.components.core.contract import Contract
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import METRICS, Array
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping, project_from_yaml, project_to_yaml
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.predictions import PredictionStore
from ciclo.components.storage.signing import signer_from
from ciclo.components.storage.store import open_store

NAME = "benchmark"
COLUMNS = 30
POOL = 20_000
NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
METRIC = METRICS["roc_auc_score"]
HEAD = ("", "rows of the window", "labels read", "s", "s, second tick", "peak MiB", "decision")


def main(quick: bool = False) -> None:
    """Print a line for each database there is."""
    few, many = (200_000, 500_000) if quick else (1_000_000, 10_000_000)
    lines = []
    with tempfile.TemporaryDirectory() as name:
        home, stream = Path(name), Stream(KINDS[0], COLUMNS, 7_000, 0, seed=1)
        pool = _pool(stream)
        settings = Settings(home=home / "sqlite", store="", predictions=f"sqlite:///{home}/rows.db")
        _publish(settings, stream)
        PredictionStore(settings.predictions_uri).count(NAME)
        _fill_sqlite(home / "rows.db", pool, few, days=7)
        lines.append((f"SQLite, {few:,} rows, all of this week", *_ticks(settings)))
        given = Settings().predictions_uri
        if given.startswith("postgresql"):
            with _database(given) as uri:
                settings = Settings(home=home / "postgresql", store="", predictions=uri)
                _publish(settings, stream)
                PredictionStore(uri).count(NAME)
                _fill_postgresql(uri, pool, many, days=365)
                lines.append((f"PostgreSQL, {many:,} rows, a year", *_ticks(settings)))
    note = (
        f"A tick of the CronJob (`tick(dry_run=True)`) on {COLUMNS} columns, every row labelled; 4 windows of labels "
        "are judged. Peak: of the whole process, with its imports.\nAsked: below 10 s and 1,024 MiB."
    )
    show("Stored rows: one tick", HEAD, lines, note)
    if not given.startswith("postgresql"):
        print("CICLO_PREDICTIONS names no PostgreSQL: none was measured\n")


def _ticks(settings: Settings) -> tuple[str, ...]:
    found = []
    for _ in range(2):
        environment = os.environ | settings.environment() | dict.fromkeys(THREADS, "1")
        command = [sys.executable, "-m", "benchmarks.stored", str(settings.home)]
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        found.append(json.loads(said.splitlines()[-1]))
    first, second = found
    seen = f"{first['rows']:,}", f"{first['labelled']:,}", f"{first['seconds']:.1f}", f"{second['seconds']:.1f}"
    return (*seen, f"{max(f['peak'] for f in found):,.0f}", first["action"])


def _tick(home: str) -> None:
    """Take a tick in this process and print what it took."""
    settings = Settings()
    start = time.perf_counter()
    decision = tick(
        project_from_yaml((Path(home) / "project.yaml").read_text(), origin="benchmark"),
        registry=open_registry(NAME, settings),
        predictions=PredictionStore(settings.predictions_uri),
        store=open_store(settings.store_uri, settings),
        clock=lambda: NOW,
        dry_run=True,
    )
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {name: decision.evidence.get(short, 0) for name, short in (("rows", "rows"), ("labelled", "labelled_rows"))}
    print(json.dumps({"seconds": seconds, "peak": peak, "action": decision.action, "reason": decision.reason, **facts}))


def _pool(stream: Stream) -> pd.DataFrame:
    """Rows to draw from: features as the store keeps them, and what was answered and turned out."""
    frame = stream.reference.iloc[:POOL].round(4)
    said = stream.answers(frame).round(6)
    truth = np.random.default_rng(2).random(len(frame)) < said
    return pd.DataFrame(
        {
            "features": frame.to_json(orient="records", lines=True).splitlines(),
            "prediction": np.where(said > 0.5, '"true"', '"false"'),
            "probability": said,
            "label": np.where(truth, '"true"', '"false"'),
        }
    )


def _project(stream: Stream) -> Project:
    kinds = {c.name: {"type": c.type} for c in stream.contract.columns}
    columns = {**kinds, "time": {"type": "timestamp"}, "y": {"type": "boolean"}}
    data = {"source": "rows.csv", "target": "y", "time_column": "time", "columns": columns}
    return project_from_mapping({"name": NAME, "data": data, "training": {"metric": METRIC.name}}, origin="benchmark")


def _profile(stream: Stream) -> Profile:
    """What evaluation adds: the score, an anchor and the estimation, on thirteen thousand rows of fourteen days."""
    test = stream.reference.iloc[-14_000:].reset_index(drop=True)
    said = stream.answers(test).to_numpy()
    y = (np.random.default_rng(3).random(len(test)) < said).astype("int64")
    both: Array = np.column_stack([1 - said, said])
    times = pd.Series(pd.date_range(end=NOW - timedelta(days=400), periods=len(test), freq="90s"))
    groups, first = groups_of(times, len(test)), stream.profile.columns["x0"].model_copy(update={"by_slice": ()})
    anchor = Anchor.of("x0", "'x0' alone", first, test["x0"], y, 2)
    ours = scorer(METRIC, y, both, [0, 1])
    theirs = scorer(METRIC, y, anchor.predict("probability", test["x0"]), [0, 1])
    of, its = jackknife(ours, groups), jackknife(theirs, groups)
    assert of is not None
    assert its is not None
    scored = {"score": Clustered.of(theirs, groups), "together": covariance(of[1], its[1])}
    more = {"score": Clustered.of(ours, groups), "anchor": anchor.model_copy(update=scored)}
    return stream.profile.model_copy(update=more | {"estimation": Estimation.of(METRIC, y, both)})


def _publish(settings: Settings, stream: Stream) -> None:
    """Publish a version that serves."""
    settings.home.mkdir()
    project, profile = _project(stream), _profile(stream)
    (settings.home / "project.yaml").write_text(project_to_yaml(project))
    dump_model(DummyClassifier().fit([[0], [1]], [0, 1]), settings.home / "model.skops")
    facts = {"metric": METRIC.name, "test_score": profile.score.point if profile.score else 0.0}
    verdict = Verdict(gate="evaluation", decision="promote", reason="", subject="x", facts=facts)
    signer, registry = signer_from(settings), open_registry(NAME, settings)
    contents: dict[str, Path | bytes] = {
        "model.skops": settings.home / "model.skops",
        "card.html": b"<html></html>",
        "card.json": b"{}",
        "contract.json": Contract.of(project, ["false", "true"]).model_dump_json().encode(),
        "golden.json": b'{"rows": [], "predictions": []}',
        "lineage.json": b'{"run": "benchmark"}',
        "profile.json": profile.model_dump_json().encode(),
        "project.yaml": project_to_yaml(project).encode(),
        "verdict.json": verdict.model_dump_json().encode(),
    }
    version = registry.publish(contents, signer=signer, parent=None)
    for name in ("champion", "serving"):
        registry.move(name, version, Move("benchmark", "benchmark"), expected=None, signer=signer)


def _fill_sqlite(path: Path, pool: pd.DataFrame, rows: int, days: int) -> None:
    """Rows of a week, drawn from the pool, each with its label."""
    step, ids = timedelta(days=days) / (rows + 1), np.random.default_rng(0)
    with sqlite3.connect(path) as connection:
        for first in range(0, rows, 50_000):
            picked = pool.iloc[ids.integers(0, len(pool), min(50_000, rows - first))]
            keys = [uuid.UUID(bytes=ids.bytes(16)).hex for _ in range(len(picked))]
            times = [str(NOW.replace(tzinfo=None) - step * (first + i + 1)) for i in range(len(picked))]
            late = [str(NOW.replace(tzinfo=None))] * len(picked)
            connection.executemany(
                "INSERT INTO predictions (project, request_id, row, version, time, features, prediction, probability) "
                f"VALUES ('{NAME}', ?, 0, 1, ?, ?, ?, ?)",
                zip(keys, times, picked["features"], picked["prediction"], picked["probability"], strict=True),
            )
            connection.executemany(
                f"INSERT INTO labels (project, request_id, row, time, value) VALUES ('{NAME}', ?, 0, ?, ?)",
                zip(keys, late, picked["label"], strict=True),
            )


@contextmanager
def _database(uri: str) -> Iterator[str]:
    """Address of a new database on a server, which is removed after it."""
    server, name = sa.make_url(uri), f"ciclo_benchmark_{uuid.uuid4().hex[:8]}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _fill_postgresql(uri: str, pool: pd.DataFrame, rows: int, days: int) -> None:
    """Rows of a year, drawn from the pool, with ids at random; indexes are made anew after it, which is faster."""
    address = sa.make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        connection.execute(
            "CREATE TABLE pool (n int PRIMARY KEY, features json, prediction text, probability float8, label text)"
        )
        with connection.cursor().copy("COPY pool FROM STDIN") as copy:
            for number, row in enumerate(pool.itertuples(index=False)):
                copy.write_row((number, row.features, row.prediction, row.probability, row.label))
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'predictions' AND indexname NOT LIKE '%pkey'"
        ).fetchall()
        (unique, definition) = connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'labels'::regclass "
            "AND contype = 'u'"
        ).fetchone() or ("", "")
        for name, _ in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("ALTER TABLE labels DROP CONSTRAINT {}").format(sql.Identifier(unique)))
        drawn = (
            f"SELECT md5(g::text) AS key, timestamp '{NOW:%Y-%m-%d %H:%M}' - interval '1 second' * "
            f"({days * 86_400.0} * (1 - (g::float8 / {rows}))) AS time, pool.* "
            f"FROM generate_series(0, {rows - 1}) g JOIN pool ON pool.n = (g::bigint * 7919) % {len(pool)}"
        )
        connection.execute(
            "INSERT INTO predictions (project, request_id, row, version, time, features, prediction, probability) "
            f"SELECT '{NAME}', key, 0, 1, time, features, prediction, probability FROM ({drawn}) AS drawn"
        )
        connection.execute(
            "INSERT INTO labels (project, request_id, row, time, value) "
            f"SELECT '{NAME}', key, 0, time + interval '3 days', label FROM ({drawn}) AS drawn"
        )
        for _, create in indexes:
            connection.execute(create)
        connection.execute(
            sql.SQL("ALTER TABLE labels ADD CONSTRAINT {} {}").format(sql.Identifier(unique), sql.SQL(definition))
        )
        connection.execute("VACUUM ANALYZE predictions")
        connection.execute("VACUUM ANALYZE labels")


if __name__ == "__main__":
    _tick(sys.argv[1])
