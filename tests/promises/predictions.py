"""What the prediction store promises on every database."""

import json
import math
import threading
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from ciclo.components.core.errors import RefusedError, StorageError
from ciclo.components.storage.database import VERSIONS, metadata
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore
from ciclo.components.storage.windows import WINDOW_COLUMNS
from tests.depth import rounds
from tests.present_schema import ONE_PROBABILITY, ONE_PROBABILITY_ROWS, ROWS, TABLES

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def row(request_id="a", number=0, *, project="flights", time=NOON, features=None, prediction="true", probability=0.7):
    return PredictionRow(project, request_id, number, 3, time, features or {"x": 1.5}, prediction, probability)


def asked(key, digest, request_id="a", number=0, prediction="true"):
    return PredictionRow("flights", request_id, number, 3, NOON, {"x": 1.5}, prediction, 0.7, key, digest)


def at_once(*calls):
    """Run all calls at the same time; what each raised, or None."""
    ready, raised = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        ready.wait()
        try:
            call()
        except StorageError as error:
            raised[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def label(value, minutes=0, request_id="a", number=0, project="flights"):
    return Label(project, request_id, number, value, NOON + timedelta(minutes=minutes))


def window(store, project="flights", start=NOON - DAY, end=NOON + DAY):
    return store.window(project, start, end)


def brought_up_to_date(uri, tables, rows):
    """A database of an earlier release, and one of four stores that brought it to this one's at the same moment."""
    engine = sa.create_engine(uri)
    if engine.dialect.name == "sqlite":
        Path(engine.url.database).parent.mkdir()
    with engine.begin() as connection:
        for statement in (*tables[engine.dialect.name], *rows):
            connection.exec_driver_sql(statement)
    stores = [PredictionStore(uri) for _ in range(4)]
    assert at_once(*(lambda s=s: s.count("flights") for s in stores)) == [None] * 4
    for store in stores[1:]:
        store.close()
    return engine, stores[0]


class PredictionStorePromises:
    """Needs a fixture ``uri``, of an empty database."""

    @pytest.fixture
    def store(self, uri):
        store = PredictionStore(uri)
        yield store
        store.close()

    def test_window_gives_back_what_was_recorded(self, store):
        features = {"x": math.nan, "carrier": "UA", "late": None, "id": "ö\u0000"}
        store.record([row(features=features), row(number=1, prediction=2.5, probability=None, features={"x": 3.0})])
        found = window(store)
        assert list(found.columns) == [*WINDOW_COLUMNS, "feature.x", "feature.carrier", "feature.late", "feature.id"]
        assert found["prediction"].tolist() == ["true", 2.5]
        assert found["feature.id"][0] == "ö\u0000"
        assert found["feature.carrier"][0] == "UA"
        assert found["feature.late"].isna().all()
        np.testing.assert_array_equal(found["feature.x"], [math.nan, 3.0])
        np.testing.assert_array_equal(found["probability"], [0.7, math.nan])
        assert found["time"].tolist() == [NOON, NOON]
        assert found["label"].isna().all()

    def test_recording_twice_changes_nothing(self, store):
        store.record([row(), row("b")])
        store.record([row(prediction="false"), row("c")])
        found = window(store)
        assert found["request_id"].tolist() == ["a", "b", "c"]
        assert found["prediction"].tolist() == ["true"] * 3

    @pytest.mark.parametrize(
        ("arrivals", "expected"),
        [
            pytest.param([label("true")], "true", id="once"),
            pytest.param([label("true", 1), label("false", 2)], "false", id="the-later-corrects"),
            pytest.param([label("false", 2), label("true", 1)], "false", id="out-of-order"),
            pytest.param([label("true", 1), label("false", 1)], "false", id="same-time-last-arrival"),
            pytest.param([label("true", 1), label("true", 1)], "true", id="delivered-twice"),
            pytest.param([label(4.5)], 4.5, id="number"),
            pytest.param([label("true", number=1)], None, id="another-row"),
            pytest.param([label("true", request_id="z")], None, id="another-request"),
            pytest.param([label("true", project="other")], None, id="another-project"),
        ],
    )
    def test_the_newest_label_is_joined_and_rows_never_multiply(self, store, arrivals, expected):
        store.label(arrivals[:1])
        store.record([row()])
        store.label(arrivals[1:])
        found = window(store)
        assert len(found) == 1
        assert found["label"][0] == expected or (expected is None and math.isnan(found["label"][0]))

    @pytest.mark.parametrize(
        ("time", "inside"),
        [
            pytest.param(NOON, True, id="start-is-in"),
            pytest.param(NOON + DAY, False, id="end-is-out"),
            pytest.param(NOON - timedelta(microseconds=1), False, id="just-before"),
            pytest.param(datetime(2024, 3, 1, 12), True, id="no-zone-is-utc"),
            pytest.param(
                datetime(2024, 3, 1, 13, tzinfo=timezone(timedelta(hours=2))), False, id="11-utc-in-another-zone"
            ),
            pytest.param(
                datetime(2024, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), True, id="12-utc-in-another-zone"
            ),
        ],
    )
    def test_a_window_is_half_open_and_in_utc(self, store, time, inside):
        store.record([row(time=time)])
        assert len(window(store, start=NOON)) == inside

    def test_a_label_belongs_to_the_request_with_its_id_before_that_with_its_key(self, store):
        store.record([asked("k1", "d1"), asked("k1", "d1", number=1)])
        store.label([label("false", 1, "k1"), label("false", 1, "k1", number=1)])
        assert window(store)["label"].tolist() == ["false", "false"]
        store.record([asked("k2", "d2", "k1")])
        found = window(store).fillna({"label": "none"}).set_index(["request_id", "row"])["label"]
        assert found.to_dict() == {("a", 0): "none", ("a", 1): "none", ("k1", 0): "false"}

    def test_projects_do_not_see_each_other(self, store):
        store.record([row(), row(project="other", prediction="false")])
        assert window(store)["prediction"].tolist() == ["true"]
        assert window(store, "other")["prediction"].tolist() == ["false"]

    def test_an_empty_window_has_its_columns(self, store):
        found = window(store)
        assert list(found.columns) == list(WINDOW_COLUMNS)
        assert found.empty

    @pytest.mark.slow
    def test_a_big_window_comes_back_whole(self, store):
        rows, names = rounds(10_000, 50_000), [f"f{i}" for i in range(20)]
        values = np.random.default_rng(0).normal(size=(rows, 20))
        store.record(
            [
                row(
                    str(i // 100),
                    i % 100,
                    time=NOON + timedelta(seconds=i % 3600),
                    features=dict(zip(names, v, strict=True)),
                )
                for i, v in enumerate(values.tolist())
            ]
        )
        store.label([label("true", request_id=str(i), number=n) for i in range(0, rows // 100, 2) for n in range(100)])
        found = window(store)
        assert len(found) == rows
        assert found["label"].notna().sum() == rows / 2
        found = found.assign(position=found["request_id"].astype(int) * 100 + found["row"]).sort_values("position")
        np.testing.assert_array_equal(found[[f"feature.{n}" for n in names]].to_numpy(), values)

    def test_writers_share_a_new_database(self, store, uri):
        failures = []

        def write(name):
            mine = PredictionStore(uri)
            try:
                for n in range(20):
                    mine.record([row(f"{name}-{n}")])
            except StorageError as error:
                failures.append(error)
            finally:
                mine.close()

        writers = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert failures == []
        assert len(window(store)) == 120

    def test_a_retry_that_another_server_answered_is_stored_once(self, store):
        store.record([asked("k1", "d"), asked("k1", "d", number=1)])
        store.record([asked("k2", "d"), asked("k2", "d", number=1), asked("k3", "d", "b")])
        assert window(store)[["request_id", "row"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0]]
        assert store.answered("flights", "a").prediction_id == "k1"

    def test_an_id_with_other_content_is_refused_whole(self, store):
        store.record([asked("k1", "d1")])
        with pytest.raises(RefusedError, match="'a' of flights was answered before with other content"):
            store.record([asked("k3", "d", "b"), asked("k2", "d2"), asked("k2", "d2", number=1)])
        assert window(store)["request_id"].tolist() == ["a"]

    def test_of_two_contents_that_race_for_an_id_one_is_stored_whole(self, store, uri):
        others = [PredictionStore(uri) for _ in range(4)]
        rows = {f"k{n}": [asked(f"k{n}", f"d{n}", number=i) for i in range(n + 1)] for n in range(4)}
        raised = at_once(*(lambda s=s, r=r: s.record(r) for s, r in zip(others, rows.values(), strict=True)))
        for other in others:
            other.close()
        assert sum(error is None for error in raised) == 1
        assert [type(error) for error in raised if error] == [RefusedError] * 3, raised
        assert len(window(store)) == len(rows[store.answered("flights", "a").prediction_id])

    def test_what_was_answered_is_known_by_the_id_of_the_client(self, store):
        store.record([asked("k1", "d", number=1, prediction="false"), asked("k1", "d")])
        found = store.answered("flights", "a")
        assert (found.prediction_id, found.digest, found.version) == ("k1", "d", 3)
        assert found.answers == [{"prediction": p, "probability": 0.7} for p in ("true", "false")]
        assert found.features == [{"x": 1.5}] * 2
        assert store.answered("flights", "k1") is None
        assert store.answered("other", "a") is None

    def test_labels_find_their_rows_by_the_id_of_the_client_and_by_ours(self, store):
        store.record([asked("k1", "d"), asked("k1", "d", number=1), asked("k2", "d", "b")])
        store.label(
            [label("false", 1), label("true", 2, "k1"), label("true", 1, number=1), label("false", 2, number=1)]
        )
        found = window(store)
        assert len(found) == 3
        assert found.query("request_id == 'a'").sort_values("row")["label"].tolist() == ["true", "false"]

    def test_rows_that_can_never_be_stored_are_told_from_a_database_that_is_down(self, store):
        with pytest.raises(RefusedError):
            store.record([row(number=2**70)])
        with pytest.raises(RefusedError):
            store.record([row("b"), PredictionRow("flights", "c", 0, 2**70, NOON, {}, "true", None)])
        assert window(store).empty

    def test_a_database_of_the_release_before_loses_no_row(self, uri):
        engine, store = brought_up_to_date(uri, TABLES, ROWS)
        found = window(store)
        assert found[["request_id", "row", "version", "prediction"]].to_numpy().tolist() == [
            ["older", 0, 2, 4.5],
            ["old", 0, 3, "true"],
            ["old", 1, 3, "false"],
        ]
        with engine.begin() as connection:  # as a server of that release, which is still there, sends its spool
            connection.exec_driver_sql(ROWS[0] + " ON CONFLICT DO NOTHING")
            columns = "project, request_id, row, version, time, features, prediction, probability"
            late = (
                f"INSERT INTO predictions ({columns}) SELECT project, 'late', row, 3, time, features, prediction, 0.5"
            )
            connection.exec_driver_sql(f"{late} FROM predictions WHERE request_id = 'old' AND project = 'flights'")
        assert window(store).query("request_id == 'late'")["row"].tolist() == [0, 1]
        assert found["feature.id"][1] == "k"
        assert found["label"].tolist()[2] == "false"
        assert (store.count("flights"), store.count("other")) == (5, 1)
        assert store.answered("flights", "old").digest is None
        store.record([row("early")])
        assert window(store).query("request_id == 'early'")["label"].tolist() == ["true"]
        store.close()
        with engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM labels").scalar_one() == 3
        engine.dispose()

    def test_the_probability_of_every_class_is_kept_as_it_was_answered(self, store):
        given = {"mid": 0.1 + 0.2, "low": 1e-17, "ö": 0.7 - 1e-17}
        store.record([replace(asked("k1", "d"), probabilities=given), asked("k2", "d2", "b")])
        assert window(store)["probabilities"].tolist() == [given, None]
        first, second = (store.answered("flights", i).answers[0] for i in "ab")
        assert list(first["probabilities"].items()) == list(given.items())
        assert second == {"prediction": "true", "probability": 0.7}

    def test_a_database_with_one_probability_a_row_loses_none_and_takes_those_of_every_class(self, uri):
        engine, store = brought_up_to_date(uri, ONE_PROBABILITY, ONE_PROBABILITY_ROWS)
        with engine.begin() as connection:  # as a server of that release, which is still there, sends its spool
            late = ONE_PROBABILITY_ROWS[1].replace("'k', 'old'", "'late', 'late'")
            connection.exec_driver_sql(late)
        engine.dispose()
        given = {"low": 0.25, "mid": 0.75}
        store.record([replace(asked("k1", "d", prediction="mid"), probabilities=given)])
        found = window(store).set_index("request_id")
        assert found["prediction"].to_dict() == {"old": "mid", "late": "mid", "a": "mid"}
        assert found["probabilities"].to_dict() == {"old": None, "late": None, "a": given}
        assert found["label"].dropna().to_dict() == {"old": "low"}
        again = store.answered("flights", "old")
        assert (again.digest, again.answers) == ("d", [{"prediction": "mid", "probability": 0.6}])
        (batch,) = store.batches("flights", NOON - DAY, NOON + DAY)
        assert batch["probabilities"].isna().tolist() == [True, True, False]
        assert json.loads(batch["probabilities"].iloc[2]) == given
        store.close()

    def test_a_database_of_a_newer_release_is_a_named_error(self, store, uri):
        store.record([row()])
        engine = sa.create_engine(uri)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {VERSIONS} SET version_num = '9999'")
        engine.dispose()
        newer = PredictionStore(uri)
        with pytest.raises(StorageError, match=r"made by a newer Ciclo \(seen: its schema is 9999, .*Update"):
            newer.record([row("b")])
        newer.close()

    def test_the_tables_are_those_that_the_code_reads(self, store, uri):
        store.count("flights")
        engine = sa.create_engine(uri)
        found = sa.inspect(engine)
        for table in metadata.sorted_tables:
            columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
            assert columns == {c.name: c.nullable for c in table.columns}
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
            with warnings.catch_warnings(action="ignore"):  # SQLAlchemy cannot reflect an index of an expression
                there = {index["name"] for index in found.get_indexes(table.name)}
            assert there >= {index.name for index in table.indexes} - {"predictions_key"}
        engine.dispose()

    def test_the_count_is_that_of_the_project(self, store):
        store.record([row(), row(number=1), row(), row(project="other")])
        assert (store.count("flights"), store.count("other"), store.count("none")) == (2, 1, 0)

    def test_a_feature_may_be_named_like_a_bookkeeping_column(self, store):
        store.record([row(features={"version": 1.5, "label": "x"})])
        (found,) = window(store).to_dict("records")
        assert (found["version"], found["feature.version"], found["feature.label"]) == (3, 1.5, "x")

    def test_the_empty_frame_of_features_does_not_lose_rows(self, store):
        store.record([PredictionRow("flights", "a", 0, 1, NOON, {}, "true", None)])
        assert isinstance(window(store), pd.DataFrame)
        assert len(window(store)) == 1

    @pytest.mark.parametrize("labels", [0, 40, 3_000], ids=["no label", "few", "more than are read"])
    def test_what_is_said_of_labels_agrees_with_the_window_however_a_label_names_its_row(self, store, labels):
        """By the client's id, by ours, by ours although it is another client's, twice, early, and for no row at all."""
        rng, hour = np.random.default_rng(labels), timedelta(hours=1)
        given = [f"client-{n}" for n in range(1_000)] + [f"ours-{n}" for n in range(100)]
        keys = [f"ours-{n}" if n % 2 else "" for n in range(len(given))]
        asked_at = [NOON + hour * (n % 700) for n in range(len(given))]
        store.record(
            [
                PredictionRow("flights", name, number, 1, time, {"x": number}, "true", 0.5, key)
                for name, key, time in zip(given, keys, asked_at, strict=True)
                for number in range(3)
            ]
        )
        names = [*given, *(f"ours-{n}" for n in range(1_000)), "nobody"]
        places, numbers = rng.integers(0, len(names), labels), rng.integers(0, 4, labels)
        store.label(
            [
                Label("flights", names[place], int(number), "true", NOON + hour * float(rng.normal(0, 500)))
                for place, number in zip(places, numbers, strict=True)
            ]
        )
        end = NOON + hour * 400
        found = store.window("flights", NOON, end)
        known = found[found["label"].notna()]
        assert (len(known) > 500) == (labels > 40)
        assert store.label_counts("flights", NOON, end) == (len(known), len(found))
        assert store.labelled("flights", NOON, end)["time"].tolist() == known["time"].tolist()
        some = len(store.labelled("flights", NOON, end, most=100))
        assert some <= min(len(known), 500)
        assert (some > 20) == (labels > 40)
        later = store.window("flights", NOON + hour * 300, NOON + hour * 800)["label"].notna().sum()
        assert store.newer_labels("flights", NOON + hour * 300, 10_000) == (later if labels else None)
        assert store.newer_labels("flights", NOON, 7) == (min(7, len(known)) if labels else None)
