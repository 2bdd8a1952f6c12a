import os
import sqlite3

import pytest

from ciclo.components.core.errors import SettingsError, StorageError
from ciclo.components.storage.predictions import PredictionStore
from tests.promises.predictions import PredictionStorePromises, at_once, label, row


class TestSQLite(PredictionStorePromises):
    @pytest.fixture
    def uri(self, tmp_path):
        return f"sqlite:///{tmp_path}/folder/predictions.sqlite"

    def test_every_label_is_kept(self, store, tmp_path):
        store.label([label("true", 1), label("false", 2), label("true", 3), label("true", 3)])
        connection = sqlite3.connect(tmp_path / "folder" / "predictions.sqlite")
        assert connection.execute("SELECT count(*) FROM labels").fetchone() == (3,)
        connection.close()


def test_a_database_that_is_down_is_a_named_error_without_the_password():
    store = PredictionStore("postgresql://ciclo:secret@127.0.0.1:1/ciclo")
    with pytest.raises(StorageError, match="does not answer") as caught:
        store.record([row()])
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_named_error(tmp_path):
    path = tmp_path / "predictions.sqlite"
    path.write_bytes(os.urandom(8192))
    with pytest.raises(StorageError, match="not a database"):
        PredictionStore(f"sqlite:///{path}").record([row()])


@pytest.mark.parametrize("uri", ["mysql://host/db", "nonsense"])
def test_an_address_of_another_kind_is_refused(uri):
    with pytest.raises(SettingsError, match="CICLO_PREDICTIONS"):
        PredictionStore(uri)


def test_several_databases_are_made_at_once(tmp_path):
    stores = [PredictionStore(f"sqlite:///{tmp_path}/{n}.sqlite") for n in range(12)]
    assert at_once(*(lambda s=s: s.record([row()]) for s in stores)) == [None] * 12
    assert [s.count("flights") for s in stores] == [1] * 12
