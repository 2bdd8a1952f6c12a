from pathlib import Path

import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.serving import model


@pytest.mark.parametrize("there", [True, False], ids=["in a container", "elsewhere"])
def test_a_server_that_cannot_start_leaves_word_where_the_deployer_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    words = tmp_path / "termination-log"
    if there:
        words.touch()
    monkeypatch.setattr(model, "LAST_WORDS", words)
    monkeypatch.setattr(model, "settings", lambda: Settings(home=tmp_path, _env_file=None))
    with pytest.raises(RuntimeError, match="CICLO_PROJECT") as caught:
        model.Model().load()
    assert (words.read_text() == str(caught.value)) if there else not words.exists()
