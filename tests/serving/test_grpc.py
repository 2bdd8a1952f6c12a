"""The same class over gRPC, and what clients see of faults of our own."""

import json
import os
import subprocess

import pytest

from ciclo.components.deployment.process import environment, serving_python
from tests.serving.conftest import publish

TALK = """
import json, sys
import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.metrics import SeldonMetrics
from seldon_core.proto.prediction_pb2 import Feedback, SeldonMessage
from seldon_core.proto.prediction_pb2_grpc import SeldonStub
from seldon_core import wrapper
from ciclo.components.core.settings import settings
from ciclo.components.serving.limits import limit_servers
from ciclo.components.serving.model import Model

def fault(call, *arguments):
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return error.details()
    except SeldonMicroserviceException as error:
        return [error.status_code, error.message]

rows = json.load(sys.stdin)
model, found = Model(), {}
found["before_load"] = fault(model.health_status)
model.load()
limit_servers(settings())
server = wrapper.get_grpc_server(model, SeldonMetrics())
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    stub = SeldonStub(channel)
    message = {"jsonData": {"rows": rows}, "meta": {"puid": "over-grpc"}}
    found["answer"] = MessageToDict(stub.Predict(ParseDict(message, SeldonMessage())))
    labels = {"labels": [{"row": 1, "value": "mid"}]}
    feedback = {"response": {"meta": {"puid": "over-grpc"}}, "truth": {"jsonData": labels}}
    found["feedback"] = MessageToDict(stub.SendFeedback(ParseDict(feedback, Feedback())))
    message["jsonData"]["rows"] = rows[:1]
    found["reused"] = fault(stub.Predict, ParseDict(message, SeldonMessage()))
    message["jsonData"]["rows"] = rows
    try:
        stub.Predict(SeldonMessage(strData="x" * (9 << 20)))
    except grpc.RpcError as error:
        found["too_large"] = error.code().name
    bad = SeldonMessage()
    found["refused"] = fault(stub.Predict, bad)
    ParseDict({"jsonData": {"rows": rows}}, bad)
    bad.jsonData.struct_value["rows"][0]["size"] = float("inf")
    found["infinite"] = fault(stub.Predict, bad)
server.stop(None)
model._served.engine._model = None
found["retry"] = model.predict_raw(message)["jsonData"]["predictions"]
message["meta"]["puid"] = "another"
found["our_fault"] = fault(model.predict_raw, message)
print(json.dumps(found), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    published = publish(tmp_path_factory.mktemp("grpc"), "multiclass", "logistic_regression")
    rows = published.requests(5)
    done = subprocess.run(
        [str(serving_python(published.settings)), "-c", TALK],
        input=json.dumps(rows),
        env={**os.environ, **environment("unit", 1, published.settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = published.engine.predict(published.contract.parse(rows))
    return json.loads(done.stderr.splitlines()[-1]), expected


def test_grpc_answers_as_rest_does(talk):
    found, expected = talk
    answers = found["answer"]["jsonData"]["predictions"]
    assert [a["prediction"] for a in answers] == [a["prediction"] for a in expected]
    assert [a["probability"] for a in answers] == pytest.approx([a["probability"] for a in expected], abs=1e-9)
    for given, wanted in zip(answers, expected, strict=True):
        assert given["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-9)
    assert found["answer"]["jsonData"]["version"] == 1
    assert found["answer"]["meta"]["puid"] == "over-grpc"
    assert found["feedback"]["jsonData"] == {"labels": 1}


def test_a_retry_over_another_transport_is_answered_as_before_and_another_content_is_refused(talk):
    found, _ = talk
    assert found["retry"] == found["answer"]["jsonData"]["predictions"]
    assert "the id 'over-grpc' was given to a request with other content" in found["reused"]


def test_a_message_that_is_too_large_is_refused_before_it_is_parsed(talk):
    found, _ = talk
    assert found["too_large"] == "RESOURCE_EXHAUSTED"


def test_grpc_clients_learn_what_to_change(talk):
    found, _ = talk
    assert "the request has no rows" in found["refused"]
    assert "row 0: column 'size' has to be a finite number" in found["infinite"]


def test_a_fault_of_ours_is_not_explained_to_clients(talk):
    found, _ = talk
    assert found["our_fault"] == [500, "the server failed, its log says why"]


def test_it_is_not_healthy_before_it_has_loaded(talk):
    found, _ = talk
    assert found["before_load"][0] == 503
