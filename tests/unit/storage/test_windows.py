import pytest

from tests.promises.windows import PredictionWindowsPromises


class TestSQLite(PredictionWindowsPromises):
    @pytest.fixture
    def uri(self, tmp_path):
        return f"sqlite:///{tmp_path}/predictions.sqlite"
