"""Submitting and waiting, against a backend that answers like the KFP API and against hosts where nobody does."""

import json
import socket
import threading
import time
from functools import cache
from pathlib import Path

import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_json, read_project
from ciclo.components.core.settings import Settings
from ciclo.components.storage.store import open_store
from ciclo.pipelines.backends import kfp
from ciclo.pipelines.backends.kfp import submit, wait
from ciclo.pipelines.compile import compile_pipeline
from tests.depth import thorough
from tests.kfp_backend import KfpBackend, kfp_backend
from tests.local.command import ciclo

IMAGE = "registry.example.com/ciclo-python:1.0.0"
FILE = Path(__file__).parents[1] / "golden" / "project.yaml"


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project(FILE)


@cache
def compiled(project: str, image: str, folder: Path) -> bytes:
    compile_pipeline(project_from_json(project), image, folder / "pipeline.yaml")
    return (folder / "pipeline.yaml").read_bytes()


@pytest.fixture(autouse=True)
def _compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every submission compiles, to the same bytes: two seconds of processor time."""
    folder = tmp_path_factory.getbasetemp()

    def write(project: Project, image: str, output: Path) -> None:
        output.write_bytes(compiled(project.model_dump_json(), image, folder))

    monkeypatch.setattr(kfp, "compile_pipeline", write)


def test_a_submission_creates_one_run_with_the_project_and_its_candidates(
    backend: KfpBackend, project: Project
) -> None:
    created = submit(project, IMAGE, backend.url, trigger="drift", window_end="2026-01-01T00:00:00")
    assert (created.run_id, created.is_new) == ("id-0", True)
    assert created.url == f"{backend.url}/#/runs/details/id-0"
    (run,) = backend.runs
    parameters = run["runtime_config"]["parameters"]
    assert project_from_json(parameters["project"]) == project
    assert parameters["candidates"] == list(project.candidates)
    assert (parameters["trigger"], parameters["window_end"]) == ("drift", "2026-01-01T00:00:00")
    assert IMAGE in json.dumps(run["pipeline_spec"])


def test_of_one_key_there_is_one_run(backend: KfpBackend, project: Project) -> None:
    first, again = (submit(project, IMAGE, backend.url, key="nightly-2026-01-01") for _ in range(2))
    assert (first.run_id, first.is_new, again.run_id, again.is_new) == ("id-0", True, "id-0", False)
    assert len(backend.runs) == 1


@pytest.mark.parametrize("option", ["window_start", "window_end"])
def test_a_window_that_is_no_time_is_told_before_anything_is_sent(
    backend: KfpBackend, project: Project, option: str
) -> None:
    with pytest.raises(SubmissionError, match="not an ISO time"):
        submit(project, IMAGE, backend.url, **{option: "yesterday"})  # type: ignore[arg-type]
    assert backend.experiments == []


def test_no_link_is_given_to_pages_that_are_not_there(backend: KfpBackend, project: Project) -> None:
    backend.pages = False
    assert submit(project, IMAGE, backend.url).url == ""


@pytest.mark.parametrize(
    ("states", "end"),
    [
        (["PENDING", "RUNNING", "SUCCEEDED"], "succeeded"),
        (["RUNNING", "FAILED"], "failed"),
        (["RUNNING", "CANCELING", "FAILED"], "cancelled"),
        (["RUNNING", "CANCELED"], "cancelled"),
        (["RUNNING", "SKIPPED"], "failed"),
    ],
)
def test_the_end_of_a_run_is_waited_for_through_silence(
    backend: KfpBackend, project: Project, monkeypatch: pytest.MonkeyPatch, states: list[str], end: str
) -> None:
    monkeypatch.setattr(kfp, "POLL_SECONDS", 0.02)
    run = submit(project, IMAGE, backend.url)
    told: list[tuple[str, str]] = []
    backend.down = 5  # the client itself tries each request three times

    def live() -> None:
        history = []
        for number, state in enumerate(states):
            history.append({"state": state})
            tasks = [{"display_name": "Ingestion", "state": "SUCCEEDED" if number else "RUNNING"}]
            with backend.lock:
                backend.runs[0].update(
                    state=state, state_history=list(history), run_details={"task_details": list(tasks)}
                )
            time.sleep(0.2)

    lived = threading.Thread(target=live)
    lived.start()
    assert wait(run, lambda task, state: told.append((task, state))) == end
    lived.join()
    assert told[-1] == ("Ingestion", "succeeded")
    assert len(told) == len(set(told)) <= 2


def test_a_backend_that_is_gone_ends_the_wait_with_a_named_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kfp, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(kfp, "UNANSWERED", 2)
    with kfp_backend() as backend:
        run = submit(project, IMAGE, backend.url)
    with pytest.raises(SubmissionError, match="nobody answers"):
        wait(run, lambda *_: None)


@thorough
def test_the_command_submits_waits_and_tells_cancelled_from_failed(backend: KfpBackend, tmp_path: Path) -> None:
    options = ["submit", FILE, "--image", IMAGE, "--host", backend.url, "--key", "k", "--wait"]
    for state, code, said in (("FAILED", 1, "failed"), ("SUCCEEDED", 0, "succeeded")):
        threading.Timer(0.1, _end_all, (backend, state)).start()
        done = ciclo(tmp_path, *options)
        assert (done.code, f"the run {said}" in done.out) == (code, True), done.out + done.err
        backend.runs.clear()
    threading.Timer(0.1, _end_all, (backend, "CANCELING", "FAILED")).start()
    done = ciclo(tmp_path, *options)
    assert (done.code, "the run was cancelled" in done.out) == (4, True), done.out + done.err


def _end_all(backend: KfpBackend, *states: str) -> None:
    """Let the next run go through these states."""
    while not backend.runs:
        time.sleep(0.01)
    with backend.lock:
        backend.runs[0].update(state=states[-1], state_history=[{"state": state} for state in states])


@pytest.mark.parametrize(("status", "said"), [("403", "right to create"), ("500", "Look among the runs")])
def test_a_refusal_is_told_with_what_to_do(
    backend: KfpBackend, project: Project, monkeypatch: pytest.MonkeyPatch, status: str, said: str
) -> None:
    monkeypatch.setattr("ciclo.components.monitoring.submitting.kfp_api.PAUSE_SECONDS", 0.0)
    backend.create = status
    with pytest.raises(SubmissionError) as refused:
        submit(project, IMAGE, backend.url)
    assert status in str(refused.value)
    assert said in str(refused.value)


def test_a_host_where_nobody_listens_is_a_named_error(project: Project) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SubmissionError, match="nobody answers"):
        submit(project, IMAGE, f"http://127.0.0.1:{port}")


def test_a_host_that_never_answers_does_not_hang(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ciclo.components.monitoring.submitting.kfp_api.REACH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(SubmissionError, match="nobody answers"):
        submit(project, IMAGE, f"http://127.0.0.1:{mute.getsockname()[1]}")


def test_a_server_that_is_not_the_api_is_told(backend: KfpBackend, project: Project) -> None:
    with pytest.raises(SubmissionError, match="does not answer like the KFP API"):
        submit(project, IMAGE, f"{backend.url}/dashboard")


@pytest.mark.parametrize("host", ["", "localhost:8080", "ftp://x"])
def test_an_address_without_a_scheme_is_a_named_error(project: Project, host: str) -> None:
    with pytest.raises(SubmissionError, match="http"):
        submit(project, IMAGE, host)


def test_a_data_file_is_put_where_a_cluster_reads_it(s3_settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x,y\n1,true\n")
    bucket = s3_settings.store.split("/")[2]
    variables = {name: value for name, value in s3_settings.environment().items() if name != "CICLO_HOME"}
    done = ciclo(tmp_path, "upload", file, f"s3://{bucket}/data/rows.csv", **variables)
    assert done.code == 0, done.err
    assert open_store(f"s3://{bucket}", s3_settings).get("data/rows.csv").data == file.read_bytes()
    for arguments, said in (([file, "https://x/y"], "s3://bucket/key"), ([tmp_path / "none", "s3://b/k"], "no file")):
        refused = ciclo(tmp_path, "upload", *arguments, **variables)
        assert (refused.code in (1, 2), said in refused.err) == (True, True), refused.err
