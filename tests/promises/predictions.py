"""What the prediction store promises on every database."""

import math
import threading
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.errors import StorageError
from ciclo.components.storage.predictions import WINDOW_COLUMNS, Label, PredictionRow, PredictionStore

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def row(request_id="a", number=0, *, project="flights", time=NOON, features=None, prediction="true", probability=0.7):
    return PredictionRow(project, request_id, number, 3, time, features or {"x": 1.5}, prediction, probability)


def label(value, minutes=0, request_id="a", number=0, project="flights"):
    return Label(project, request_id, number, value, NOON + timedelta(minutes=minutes))


def window(store, project="flights", start=NOON - DAY, end=NOON + DAY):
    return store.window(project, start, end)


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
        rows, names = 50_000, [f"f{i}" for i in range(20)]
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
        store.label([label("true", request_id=str(i), number=n) for i in range(0, 500, 2) for n in range(100)])
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
