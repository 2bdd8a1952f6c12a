"""The prediction store in a real PostgreSQL, and what is recorded while its connections break."""

from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa

from ciclo.components.core.errors import StorageError
from ciclo.components.serving.recorder import Recorder
from ciclo.components.storage.predictions import PredictionRow, PredictionStore
from tests.million import MILLION
from tests.promises.predictions import NOON, PredictionStorePromises, label, row, window
from tests.promises.windows import PredictionWindowsPromises, fill


def _connect(uri):
    address = sa.make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


class TestPostgreSQL(PredictionStorePromises):
    def test_every_label_is_kept(self, store, uri):
        store.label([label("true", 1), label("false", 2), label("true", 3), label("true", 3)])
        with _connect(uri) as connection:
            assert connection.execute("SELECT count(*) FROM labels").fetchone() == (3,)

    def test_a_database_that_does_not_exist_is_a_named_error(self, uri):
        absent = PredictionStore(sa.make_url(uri).set(database="no_such_database").render_as_string(False))
        with pytest.raises(StorageError, match=r"no_such_database.*Check CICLO_PREDICTIONS"):
            absent.record([row()])

    def test_nothing_is_lost_or_doubled_while_connections_are_cut(self, store, uri, tmp_path):
        recorder = Recorder(tmp_path / "spool", store)
        recorder.start()
        with _connect(uri) as killer:
            for number in range(400):
                recorder.record([row(str(number), n) for n in range(3)])
                recorder.label([label("true", request_id=str(number))])
                if number % 20 == 0:
                    killer.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
        recorder.flush()
        found = window(store)
        assert len(found) == 1_200
        assert found["label"].notna().sum() == 400
        assert list((tmp_path / "spool").iterdir()) == []

    def test_what_it_refuses_for_ever_is_set_aside_and_the_rest_goes_on(self, store, tmp_path):
        counted = []
        recorder = Recorder(tmp_path / "spool", store, refused=lambda: counted.append(1))
        for number in range(20):
            poison = PredictionRow("flights", str(number), 0, 2**40, NOON, {}, "true", None)
            recorder.record([poison] if number % 7 == 3 else [row(str(number))])
        recorder.record([PredictionRow("x" * 65, "long", 0, 1, NOON, {}, "true", None)])
        recorder.flush()
        assert len(window(store)) == 17
        (refused,) = (tmp_path / "spool").glob("*.refused")
        assert len(refused.read_text().splitlines()) == 4
        assert counted == [1]

    def test_a_retry_is_looked_up_by_an_index(self, store, uri):
        store.record([row(str(n), number) for n in range(5_000) for number in range(2)])
        with _connect(uri) as connection:
            connection.execute("ANALYZE")
            plan = connection.execute(
                "EXPLAIN SELECT * FROM predictions WHERE project = 'flights'"
                " AND coalesce(prediction_id, request_id) = '7'"
            ).fetchall()
        assert "predictions_key" in str(plan)

    def test_a_window_is_read_by_its_index(self, store, uri):
        store.record([row(str(n), time=NOON + timedelta(seconds=n)) for n in range(20_000)])
        with _connect(uri) as connection:
            connection.execute("ANALYZE")
            plan = connection.execute(
                "EXPLAIN SELECT * FROM predictions WHERE project = 'flights' AND time >= %s AND time < %s",
                (NOON.replace(tzinfo=None), NOON.replace(tzinfo=None) + timedelta(minutes=5)),
            ).fetchall()
        assert "predictions_by_time" in str(plan)


WEEK = timedelta(days=7)


class TestWindowsInPostgreSQL(PredictionWindowsPromises):
    def test_a_window_is_streamed_from_a_cursor_of_the_server(self, store, windows, uri):
        fill(store, 1_000)
        pieces = windows.batches("flights", NOON, NOON + WEEK, size=100)
        next(pieces)
        asked = (
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        with _connect(uri) as connection:
            ((query,),) = connection.execute(asked).fetchall()
        assert query.startswith("FETCH FORWARD")
        assert sum(len(piece) for piece in pieces) == 1_900

    @pytest.mark.slow
    def test_of_a_million_rows_a_window_reads_its_own_by_the_index_on_time(self, windows, uri):
        windows.count("flights")
        plans = {}

        def explained(statement, parameters):
            lines = [line for (line,) in connection.execute(f"EXPLAIN {statement}", parameters)]
            return "\n".join(lines)

        with _connect(uri) as connection:
            for statement in MILLION:
                connection.execute(statement)
            start = NOON + 13 * WEEK
            span = ("flights", start, start + 4 * WEEK)  # 80,640 rows, of which nine in ten are of the project
            reads = {
                "batches": lambda: sum(len(b) for b in windows.batches(*span)),
                "labelled": lambda: len(windows.labelled(*span)),
                "label_counts": lambda: windows.label_counts(*span),
                "newest": lambda: windows.newest(*span),
                "newer_labels": lambda: windows.newer_labels("flights", start, 1_000),
                "window": lambda: len(windows.window("flights", start, start + WEEK / 7)),
            }
            found = {}
            for name, read in reads.items():
                statements = []

                def keep(_, __, statement, parameters, ___, ____, kept=statements):
                    kept.append((statement, parameters))

                sa.event.listen(windows._engine, "before_cursor_execute", keep)
                found[name] = read()
                sa.event.remove(windows._engine, "before_cursor_execute", keep)
                plans[name] = [explained(*s) for s in statements if "predictions.time" in s[0]]
        assert found["batches"] == 72_576
        assert found["labelled"] == pytest.approx(40_000, rel=0.01)
        assert found["label_counts"] == (64_512, 72_576)
        assert found["newer_labels"] == 1_000
        assert {name: len(plan) for name, plan in plans.items()} == dict.fromkeys(reads, 1) | {"window": 2}
        for name, plan in ((name, plan) for name, each in plans.items() for plan in each):
            assert "predictions_by_time" in plan, (name, plan)
            assert "Seq Scan on predictions" not in plan, (name, plan)
