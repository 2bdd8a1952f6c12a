"""What a run needs, as a table: each missing piece is named with its setting, before anything is read or trained."""

import sys
from pathlib import Path

import pytest

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.settings import Settings
from ciclo.components.runs.preflight import preflight, require_ready
from ciclo.components.storage.signing import make_keys
from tests.recipes import needs_lightgbm

COLUMNS = {"x": {"type": "number"}, "y": {"type": "boolean"}}
PROJECT = project_from_mapping(
    {"name": "loans", "data": {"source": "x.csv", "target": "y", "columns": COLUMNS}}, origin="test"
)
DATABASE = "postgresql://ciclo:secret-word@127.0.0.1:1/ciclo"
CLUSTER = {
    "a folder for pods": ({"store": ""}, "object store", "CICLO_STORE"),
    "no address": ({"s3_endpoint": ""}, "object store", "CICLO_S3_ENDPOINT"),
    "no key": ({"s3_access_key": ""}, "object store", "CICLO_S3_ACCESS_KEY"),
    "no secret key": ({"s3_secret_key": ""}, "object store", "CICLO_S3_SECRET_KEY"),
    "no signing key": ({"private_key": None, "public_keys": ()}, "signing keys", "CICLO_PRIVATE_KEY"),
    "a key file that is not there": ({"private_key": Path("/nowhere/key.pem")}, "signing keys", "/nowhere/key.pem"),
    "keys of two pairs": ({"private_key": "other"}, "signing keys", "CICLO_PUBLIC_KEYS"),
    "no serving image": ({"serving_image": ""}, "serving image", "CICLO_SERVING_IMAGE"),
    "an image that is none": ({"serving_image": "foo bar!!"}, "serving image", "CICLO_SERVING_IMAGE"),
    "a namespace that is none": ({"namespace": "No Such_NS"}, "namespace", "CICLO_NAMESPACE"),
    "no database": ({"predictions": ""}, "prediction store", "CICLO_PREDICTIONS"),
    "SQLite for pods": ({"predictions": "sqlite:///x"}, "prediction store", "CICLO_PREDICTIONS"),
    "no such database": ({"predictions": "oracle://x"}, "prediction store", "CICLO_PREDICTIONS"),
    "a database that is down": ({"predictions": DATABASE}, "prediction store", "127.0.0.1"),
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_keys(folder / name) for name in ("ours", "other")}


@pytest.fixture
def cluster(s3_settings: Settings, keys: dict[str, tuple[Path, Path]]) -> Settings:
    private, public = keys["ours"]
    return s3_settings.model_copy(
        update={
            "deployer": "seldon",
            "serving_image": "registry.example.com/serving:1",
            "private_key": private,
            "public_keys": (public,),
            "unsigned": False,
        }
    )


@pytest.mark.parametrize(("changes", "about", "named"), CLUSTER.values(), ids=list(CLUSTER))
def test_whatever_is_missing_on_a_cluster_is_named(
    cluster: Settings, keys: dict[str, tuple[Path, Path]], changes: dict[str, object], about: str, named: str
) -> None:
    if changes.get("private_key") == "other":
        changes = {"private_key": keys["other"][0]}
    broken = Settings(**{**cluster.model_dump(), **changes})  # type: ignore[arg-type]
    found = {finding.about: finding.problem for finding in preflight(PROJECT, broken)}
    assert named in found.pop(about)
    found.pop("prediction store", None)  # no database runs for this test
    assert not any(found.values()), found
    with pytest.raises(SettingsError) as refused:
        require_ready(PROJECT, broken)
    assert named in str(refused.value)
    assert "secret-word" not in str(refused.value)


@pytest.mark.slow
def test_a_store_that_is_down_is_named(cluster: Settings) -> None:
    broken = cluster.model_copy(update={"s3_endpoint": "127.0.0.1:1"})
    (store,) = [finding for finding in preflight(PROJECT, broken) if finding.about == "object store"]
    assert "CICLO_S3_ENDPOINT" in store.problem


def test_a_laptop_is_ready_and_nothing_is_left_behind(tmp_path: Path) -> None:
    found = preflight(PROJECT, Settings(home=tmp_path))
    assert [(f.about, f.problem) for f in found] == [("deployer", ""), ("object store", ""), ("signing keys", "")]
    assert all(finding.seen for finding in found)
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == [".lock"]


@needs_lightgbm
def test_an_extra_that_a_candidate_needs_is_asked_for_where_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Settings
) -> None:
    training = {"candidates": {"quick": {"estimator": "lightgbm"}}}
    asked = project_from_mapping({**PROJECT.model_dump(mode="json"), "training": training}, origin="test")

    def problem(settings: Settings) -> str | None:
        return next((f.problem for f in preflight(asked, settings) if f.about == "LightGBM"), None)

    laptop = Settings(home=tmp_path)
    assert problem(laptop) == ""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert "pip install 'ciclo[lightgbm]'" in (problem(laptop) or "")
    assert problem(cluster) is None, "the image that fits is another one"


def test_a_pod_without_settings_does_not_take_itself_for_a_laptop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "namespace").write_text("runs\n")
    monkeypatch.setattr("ciclo.components.core.settings._POD_NAMESPACE", tmp_path / "namespace")
    found = {finding.about: finding.problem for finding in preflight(PROJECT, Settings(home=tmp_path))}
    assert "ConfigMap ciclo" in found["deployer"]
    assert "CICLO_STORE" in found["object store"]
    assert Settings().serving_namespace == "runs"
