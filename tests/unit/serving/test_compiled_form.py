"""What answers in a server: the compiled form where the version has one and it holds here, else the fitted pipeline."""

import pytest
from sklearn.pipeline import Pipeline

from ciclo.components.answering.compiled import CompiledModel
from ciclo.components.answering.engine import first_difference
from ciclo.components.core.settings import Settings
from ciclo.components.serving import model as serving
from tests.serving.conftest import Published, publish


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"), "multiclass", "random_forest")


def answering(published: Published) -> object:
    settings = published.settings
    here = Settings(home=settings.home, project="unit", version=1, _env_file=None)
    served = serving.serve(here)
    asked = served.engine.contract.parse(published.requests(20))
    assert first_difference(published.engine.predict(asked), served.engine.predict(asked)) is None
    return served.engine._model


@pytest.mark.slow
def test_the_compiled_form_answers(published: Published) -> None:
    assert isinstance(answering(published), CompiledModel)


class Harmed(CompiledModel):
    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


class Crashing(CompiledModel):
    def __init__(self, model):
        raise OSError("libtreelite.so: cannot open shared object file")


@pytest.mark.slow
@pytest.mark.parametrize("form", [Harmed, Crashing])
def test_where_it_does_not_hold_the_fitted_pipeline_answers(published, monkeypatch, capsys, form):
    monkeypatch.setattr(serving, "CompiledModel", form)
    assert isinstance(answering(published), Pipeline)
    assert "the fitted pipeline answers instead of its compiled form" in capsys.readouterr().out
