"""What the stages of runs wrote down goes when it is old, and only then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ciclo.components.core.settings import Settings
from ciclo.components.runs.accounts import Account, accounts_of, leave_account
from ciclo.components.runs.notes import Note, leave_note, notes_of
from ciclo.components.runs.records import forget
from ciclo.components.storage.store import open_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_run_is_forgotten_when_nothing_of_it_is_young(tmp_path: Path) -> None:
    def of(run: str) -> Settings:
        return Settings(home=tmp_path, run=run)

    for run, days in (("old", (100, 95)), ("long", (100, 5)), ("new", (1, 1)), ("a.b", (91, 91))):
        for stage, ago in zip(("cleaning", "training"), days, strict=True):
            time = NOW - timedelta(days=ago)
            assert leave_account(Account(stage=stage, status="done", time=time), "unit", of(run))
            assert leave_note(Note(stage=stage, ending="kept", reason="no better", time=time), "unit", of(run))
    leave_note(Note(stage="x", ending="kept", reason="", time=NOW - timedelta(days=400)), "other", of("old"))
    store = open_store(of("").store_uri, of(""))
    store.put("projects/unit/runs/spoiled/x.json", b"{")
    before = NOW - timedelta(days=90)

    assert forget(store, "unit", before, dry_run=True) == ["a.b", "old"]
    assert len(notes_of("old", "unit", of(""))) == 2
    assert forget(store, "unit", before) == ["a.b", "old"]
    assert forget(store, "unit", before) == []
    for run, kept in (("old", 0), ("a.b", 0), ("long", 2), ("new", 2)):
        assert (len(notes_of(run, "unit", of(""))), len(accounts_of(run, "unit", of("")))) == (kept, kept)
    assert len(notes_of("old", "other", of(""))) == 1
    assert store.exists("projects/unit/runs/spoiled/x.json")
