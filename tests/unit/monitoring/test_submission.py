"""Submission against a backend that misbehaves like the real KFP API, over a real socket."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.errors import SettingsError, SubmissionError
from ciclo.components.core.project import DEFAULT_CANDIDATES
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.submitting import kfp_api
from ciclo.components.monitoring.submitting.kfp_api import MOST_DESCRIPTION, KfpApi, shortened
from ciclo.components.monitoring.submitting.submission import KfpSubmitter
from tests.kfp_backend import kfp_backend
from tests.unit.monitoring.conftest import NOW, project

END = datetime(2026, 6, 1, tzinfo=UTC)
PACKAGE = """\
pipelineInfo: {name: ciclo-training}
schemaVersion: 2.1.0
---
platforms: {kubernetes: {}}
"""


@pytest.fixture
def backend(monkeypatch):
    monkeypatch.setattr(kfp_api, "PAUSE_SECONDS", 0.0)
    with kfp_backend() as backend:
        yield backend


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(PACKAGE)
    return path


@pytest.fixture
def submitter(backend, package, tmp_path):
    return KfpSubmitter(KfpApi(backend.url, Settings(kfp_token_file=tmp_path / "none")), package, project())


def test_a_run_is_submitted_with_all_it_needs(backend, submitter):
    assert submitter.find("loans-retrain-1") is None
    start = END - timedelta(days=30)
    assert submitter.submit("loans-retrain-1", start, END, "input drift", "It drifted,\nbecause.") == "id-0"
    assert submitter.find("loans-retrain-1") == "id-0"
    (body,) = backend.requests
    parameters = body["runtime_config"]["parameters"]
    assert body["description"] == "It drifted, because."
    assert parameters["window_start"] == "2026-05-02T00:00:00+00:00"
    assert body["display_name"] == "loans-retrain-1"
    assert set(body["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    assert json.loads(parameters["project"])["name"] == "loans"
    assert parameters["window_end"] == "2026-06-01T00:00:00+00:00"
    assert parameters["candidates"] == list(DEFAULT_CANDIDATES[True])
    assert parameters["trigger"] == "input drift"
    assert "restore" not in parameters


def teach(package, *parameters):
    """Let the compiled pipeline have parameters."""
    documents = list(yaml.safe_load_all(PACKAGE))
    known = {name: {"parameterType": "STRING"} for name in parameters}
    documents[0]["root"] = {"inputDefinitions": {"parameters": known}}
    package.write_text(yaml.safe_dump_all(documents))


def test_a_run_that_goes_back_says_from_which_version(backend, package, submitter):
    with pytest.raises(SubmissionError, match=r"cannot go back to a tested model.*Compile and install it again"):
        submitter.submit("loans-restore-1", None, END, "worse", "", restore=3)
    assert not backend.requests, "a pipeline that does not know the way back would train"
    teach(package, "restore")
    submitter.submit("loans-restore-1", None, END, "worse", "", restore=3)
    (body,) = backend.requests
    assert body["runtime_config"]["parameters"]["restore"] == 3


@pytest.mark.parametrize("knows", [True, False], ids=["a pipeline of today", "one of an earlier release"])
def test_a_champion_that_does_not_serve_is_deployed_without_training_where_the_pipeline_can(
    backend, package, submitter, knows
):
    teach(package, *(["deploy_only"] if knows else []))
    assert submitter.serve("loans-serve-1", END) == ("the run 'loans-serve-1' was submitted to deploy it", False)
    assert submitter.serve("loans-serve-1", END) == ("the run 'loans-serve-1' is about to deploy it", False)
    (body,) = backend.requests
    parameters = body["runtime_config"]["parameters"]
    assert (parameters.get("deploy_only"), parameters["trigger"]) == (knows or None, "the champion does not serve")


@given(st.text(max_size=400))
def test_a_description_is_one_line_that_the_backend_can_keep(text):
    line = shortened(text)
    assert len(line) <= MOST_DESCRIPTION
    assert line.splitlines() in ([], [line])
    assert len(line.encode()) <= 3 * len(line)


def test_the_dashboard_shows_why_a_run_was_started(eager, backend, package, tmp_path):
    """A whole tick that submits to the real client; the cause comes first, whatever is cut."""
    eager.serve(NOW, shift=1)
    api = KfpApi(backend.url, Settings(kfp_token_file=tmp_path / "none"))
    decision = eager.tick(submit=KfpSubmitter(api, package, eager.project))
    (body,) = backend.requests
    (claim,) = eager.history().claims
    assert (body["display_name"], claim.run_id) == (claim.run_name, "id-0")
    assert body["description"].startswith(
        f"{decision.cause}: amount; window 2026-05-25 06:00 to 2026-06-01 06:00; report proj"
    )
    assert body["runtime_config"]["parameters"]["trigger"] == decision.cause


@pytest.mark.parametrize("namespace", ["", "team-a"])
def test_runs_land_in_the_experiment_of_the_project_in_its_namespace(backend, package, tmp_path, namespace):
    api = KfpApi(backend.url, Settings(kfp_token_file=tmp_path / "none"))
    submitter = KfpSubmitter(api, package, project(), namespace)
    submitter.submit("loans-retrain-1", None, END, "drift", "")
    submitter.submit("loans-retrain-2", None, END, "drift", "")
    (experiment,) = backend.experiments
    assert (experiment["display_name"], experiment.get("namespace", "")) == ("loans", namespace)
    assert {body["experiment_id"] for body in backend.requests} == {experiment["experiment_id"]}


def test_a_run_that_exists_is_not_submitted_again(backend, submitter):
    first = submitter.submit("loans-retrain-1", None, END, "drift", "")
    assert submitter.submit("loans-retrain-1", None, END, "drift", "") == first
    assert len(backend.requests) == 1


def test_of_two_runs_at_the_same_time_the_older_one_stays(backend, submitter):
    backend.rival = True
    assert submitter.submit("loans-retrain-1", None, END, "drift", "") == "id-0"
    assert backend.terminated == ["id-1"]


def test_of_two_runs_the_older_one_stays_also_where_our_answer_was_lost(backend, submitter):
    backend.rival, backend.create = True, "500 but created"
    assert submitter.submit("loans-retrain-1", None, END, "drift", "") == "id-0"
    assert backend.terminated == ["id-1"]


@pytest.mark.parametrize(
    ("page", "said"),
    [((200, ""), "does not answer like the KFP API"), ((302, "/dex/auth"), "Sign in"), ((401, ""), "Sign in")],
)
def test_a_page_of_html_is_no_answer_of_the_api(backend, submitter, page, said):
    backend.page = page
    with pytest.raises(SubmissionError, match=said):
        submitter.submit("loans-retrain-1", None, END, "drift", "")
    assert backend.requests == []
    assert submitter.state("id-0") == "unknown"


def test_an_experiment_that_somebody_else_has_just_made_is_taken(backend, submitter):
    look, looks = backend.get, []

    def late(url):
        looks.append(url)
        status, found = look(url)
        return (status, {"experiments": []}) if len(looks) == 1 else (status, found)

    backend.experiments.append({"display_name": "loans", "experiment_id": "e-0"})
    backend.get = late
    assert submitter.submit("loans-retrain-1", None, END, "drift", "") == "id-0"
    assert len(backend.experiments) == 1


@pytest.mark.parametrize("hidden", [0, 2], ids=["at once", "appears late"])
def test_an_error_500_although_the_run_exists_is_a_success(backend, submitter, hidden):
    backend.create, backend.hidden_looks = "500 but created", hidden
    assert submitter.submit("loans-retrain-1", None, END, "drift", "") == "id-0"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("fault", ["500", "400"])
def test_a_refusal_is_named_and_never_repeated_blindly(backend, submitter, fault):
    backend.create = fault
    with pytest.raises(SubmissionError, match=fault):
        submitter.submit("loans-retrain-1", None, END, "drift", "")
    assert len(backend.requests) == 1


@pytest.mark.parametrize(
    ("told", "state"),
    [("RUNNING", "running"), ("SUCCEEDED", "succeeded"), ("FAILED", "failed"), ("CANCELED", "failed")],
)
def test_the_state_of_a_run_is_read(backend, submitter, told, state):
    run_id = submitter.submit("loans-retrain-1", None, END, "drift", "")
    backend.runs[0]["state"] = told
    assert submitter.state(run_id) == state


def test_the_state_of_a_run_nobody_knows_is_unknown(submitter):
    assert submitter.state("gone") == "unknown"


@pytest.mark.parametrize(
    ("given", "header", "value"),
    [
        ({"token": "abc\n"}, "Authorization", "Bearer abc"),
        ({"kfp_cookie": "authservice_session=s"}, "Cookie", "authservice_session=s"),
        ({"kfp_header": "kubeflow-userid: ann@example.com"}, "kubeflow-userid", "ann@example.com"),
    ],
    ids=["token file", "cookie", "header"],
)
def test_every_way_to_sign_in_is_carried_by_every_request(backend, package, tmp_path, given, header, value):
    token = tmp_path / "token"
    if "token" in given:
        token.write_text(given.pop("token"))
    backend.guard = {header: value}
    api = KfpApi(backend.url, Settings(kfp_token_file=token, **given))
    assert KfpSubmitter(api, package, project()).submit("loans-retrain-1", None, END, "drift", "") == "id-0"
    with pytest.raises(SubmissionError, match="Sign in"):
        KfpApi(backend.url, Settings(kfp_token_file=tmp_path / "none")).experiment("loans", "")


def test_a_header_that_is_none_is_named(backend, tmp_path):
    with pytest.raises(SettingsError, match="CICLO_KFP_HEADER"):
        KfpApi(backend.url, Settings(kfp_header="no colon")).experiment("loans", "")


@pytest.mark.parametrize("given", [{"kfp_cookie": "a\nb"}, {"token": b"one\ntwo"}, {"token": b"\xff\xfe"}])
def test_a_secret_that_no_header_can_carry_is_named_and_not_shown(backend, tmp_path, given):
    token = tmp_path / "token"
    if "token" in given:
        token.write_bytes(given.pop("token"))
    with pytest.raises(SettingsError, match="no header may have") as refused:
        KfpApi(backend.url, Settings(kfp_token_file=token, **given)).experiment("loans", "")
    assert "two" not in str(refused.value)


@pytest.mark.slow
def test_a_host_that_does_not_answer_is_named(tmp_path):
    with kfp_backend() as backend:
        pass
    with pytest.raises(SubmissionError, match="nobody answers"):
        KfpSubmitter(KfpApi(backend.url, Settings()), tmp_path, project()).find("x")


def test_the_environment_decides(monkeypatch, package):
    monkeypatch.delenv("CICLO_KFP_HOST", raising=False)
    assert KfpSubmitter.of(Settings(), project()) is None
    monkeypatch.setenv("CICLO_KFP_HOST", "ml-pipeline:8888")
    with pytest.raises(SubmissionError, match="http://"):
        KfpSubmitter.of(Settings(), project())
    monkeypatch.setenv("CICLO_KFP_HOST", "http://ml-pipeline:8888")
    with pytest.raises(SubmissionError, match="no compiled pipeline"):
        KfpSubmitter.of(Settings(), project())
    monkeypatch.setenv("CICLO_PIPELINE_PACKAGE", str(package))
    assert KfpSubmitter.of(Settings(), project()) is not None
