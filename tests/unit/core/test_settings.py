from pathlib import Path

import pytest

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.settings import Settings, settings


def test_settings_reach_another_process_as_they_are(monkeypatch):
    ours = Settings(
        home=Path("/home"),
        store="s3://b/p",
        s3_secret_key="secret",
        s3_secure=False,
        public_keys=(Path("/a"), Path("/b")),
    )
    for name, value in ours.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == ours


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("CICLO_DEPLOYER", "helm")
    settings.cache_clear()
    with pytest.raises(SettingsError, match="CICLO_DEPLOYER"):
        settings()
    settings.cache_clear()
