"""What the windows of the prediction store promise on every database."""

import json
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore
from ciclo.components.storage.windows import PredictionWindows

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLUMNS = ["time", "version", "prediction", "probability", "probabilities", "features"]


@dataclass
class Book:
    """What was recorded of a project, and what has to be found of it, told row by row in plain Python."""

    project: str
    rows: list[PredictionRow]
    labels: list[Label]

    @classmethod
    def drawn(cls, project, rng):
        """Requests with and without keys of ours, some whose id is another's key, and labels for all of these ids."""
        names = [f"r{n}" for n in range(8)]
        keys = [f"k{n}" if rng.random() < 0.8 else "" for n in range(6)] + ["", "k6"]
        names[7] = keys[0] or "r7"
        rows = [
            PredictionRow(
                project, name, row, int(rng.integers(1, 3)), NOON + int(rng.integers(0, 6)) * HOUR,
                {"n": f"{name}/{row}"}, "mid", 0.5, key, "d", {"low": 0.5, "mid": 0.5},
            )
            for name, key in zip(names, keys, strict=True)
            for row in range(rng.integers(1, 4))
        ]  # fmt: skip
        ids = sorted({*names, *keys, "nobody"} - {""})
        labels = [
            Label(project, str(rng.choice(ids)), int(rng.integers(0, 3)), str(rng.choice(["low", "mid"])),
                  NOON + int(rng.integers(0, 4)) * HOUR)
            for _ in range(rng.integers(0, 40))
        ]  # fmt: skip
        return cls(project, rows, labels)

    def record(self, store):
        """Some labels before the rows, the others after them."""
        early, late = self.labels[: len(self.labels) // 2], self.labels[len(self.labels) // 2 :]
        for label in early:
            store.label([label])
        store.record(self.rows)
        for label in late:
            store.label([label])

    def inside(self, start, end, version):
        return [r for r in self.rows if start <= r.time < end and version in (None, r.version)]

    def newest_label(self, row):
        """Time and value of the newest label of a row, of several at one time the last; what comes again is not new."""
        mine = {row.request_id} | ({row.key} - {r.request_id for r in self.rows})
        arrived = {}
        for place, x in enumerate(self.labels):
            if x.request_id in mine and x.row == row.row:
                arrived.setdefault((x.time, x.request_id, x.value), place)
        newest = max(((time, place, value) for (time, _, value), place in arrived.items()), default=None)
        return newest and (newest[0], newest[2])


def named(frame):
    return [json.loads(text)["n"] for text in frame["features"]]


def fill(store, requests, project="flights", labelled=lambda n: True):
    """Requests of two rows, a second apart."""
    store.record(
        [
            PredictionRow(project, f"r{n}", row, 1, NOON + timedelta(seconds=n), {"n": n, "place": row}, "mid", 0.5)
            for n in range(requests)
            for row in range(2)
        ]
    )
    store.label([Label(project, f"r{n}", row, "mid", NOON) for n in range(requests) for row in range(2) if labelled(n)])


class PredictionWindowsPromises:
    """Needs a fixture ``uri``, of an empty database."""

    @pytest.fixture
    def store(self, uri):
        store = PredictionStore(uri)
        yield store
        store.close()

    @pytest.fixture
    def windows(self, uri):
        windows = PredictionWindows(uri)
        yield windows
        windows.close()

    def test_every_window_shows_what_was_recorded_in_it(self, store, windows):
        rng, seen = np.random.default_rng(0), {"labels": 0, "empty": 0, "cut": 0}
        for number in range(12):
            book = Book.drawn(f"p{number}", rng)
            book.record(store)
            for _ in range(8):
                start, end = (NOON + int(h) * HOUR for h in sorted(rng.integers(-1, 8, 2)))
                version = [None, 1, 2, 3][rng.integers(0, 4)]
                wanted = book.inside(start, end, version)
                span = (book.project, start, end)
                pieces = list(windows.batches(*span, version=version, size=3))
                assert all(0 < len(piece) <= 3 and list(piece.columns) == COLUMNS for piece in pieces)
                found = pd.concat(pieces) if pieces else pd.DataFrame(columns=COLUMNS)
                assert sorted(named(found)) == sorted(r.features["n"] for r in wanted)
                assert found["time"].is_monotonic_increasing
                truth = {r.features["n"]: book.newest_label(r) for r in wanted if book.newest_label(r)}
                labelled = windows.labelled(*span, version=version)
                assert list(labelled.columns) == [*COLUMNS, "label", "labelled_at"]
                assert labelled["time"].is_monotonic_increasing
                told = zip(labelled["labelled_at"], labelled["label"], strict=True)
                assert dict(zip(named(labelled), told, strict=True)) == truth
                assert windows.label_counts(*span, version=version) == (len(truth), len(wanted))
                newest = max((r.time for r in wanted), default=None)
                assert windows.newest(*span, version=version) == newest
                since = sum(1 for r in book.rows if r.time >= start and book.newest_label(r))
                most = int(rng.integers(1, 12))
                assert windows.newer_labels(book.project, start, most) == (min(since, most) if book.labels else None)
                seen["labels"] += len(truth)
                seen["empty"] += not wanted
                seen["cut"] += since > most
        assert min(seen.values()) > 10, seen

    def test_a_share_is_drawn_evenly_from_all_places_of_requests_and_the_same_each_time(self, store, windows):
        fill(store, 3_000, labelled=lambda n: n % 3 > 0)
        day = ("flights", NOON, NOON + 24 * HOUR)
        assert windows.label_counts(*day) == (4_000, 6_000)
        assert len(windows.labelled(*day, most=4_000)) == 4_000
        drawn = windows.labelled(*day, most=1_000)
        assert len(drawn) == pytest.approx(1_000, rel=0.05)
        pd.testing.assert_frame_equal(drawn, windows.labelled(*day, most=1_000))
        features = pd.DataFrame([json.loads(text) for text in drawn["features"]])
        assert (features["n"] % 3 > 0).all()
        assert features["place"].mean() == pytest.approx(0.5, abs=0.05)
        assert (features["n"] < 1_500).mean() == pytest.approx(0.5, abs=0.05)
        assert set(windows.labelled(*day, most=200)["features"]) <= set(drawn["features"])

    def test_windows_read_nothing_where_nothing_is(self, windows):
        day = ("flights", NOON, NOON + HOUR)
        assert list(windows.batches(*day)) == []
        labelled = windows.labelled(*day)
        assert (len(labelled), list(labelled.columns)) == (0, [*COLUMNS, "label", "labelled_at"])
        assert (labelled["time"] - labelled["labelled_at"]).dt.total_seconds().empty
        assert windows.label_counts(*day) == (0, 0)
        assert windows.newest(*day) is None
        assert windows.newer_labels("flights", NOON, 5) is None

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_window(self, store, windows):
        fill(store, 10_000, labelled=lambda n: False)

        def peak(seconds):
            tracemalloc.start()
            try:
                rows = sum(
                    len(b) for b in windows.batches("flights", NOON, NOON + timedelta(seconds=seconds), size=500)
                )
                return rows, tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        peak(10)
        (few, small), (many, large) = peak(1_000), peak(10_000)
        assert (few, many) == (2_000, 20_000)
        assert large < 2 * small
