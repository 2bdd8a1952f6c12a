"""The model server: a class for ``seldon-core-microservice ciclo.components.serving.model.Model --service-type MODEL``.

The environment says which version: ``CICLO_PROJECT`` and ``CICLO_VERSION``, beside where the store is.
"""

import atexit
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import pandas as pd
import structlog

from ciclo.components.answering.compiled import CompiledModel, Parity
from ciclo.components.answering.engine import Answer, Engine, first_difference, spoken
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import (
    CicloError,
    IntegrityError,
    RequestError,
    ReusedIdError,
    SettingsError,
    StorageError,
)
from ciclo.components.core.logs import configure
from ciclo.components.core.settings import Settings, settings
from ciclo.components.releases.registry import open_registry
from ciclo.components.serving.answered import LOOK_SECONDS, AnsweredRequests, Reply, digest_of
from ciclo.components.serving.messages import Request, plain, read_feedback, read_passthrough, read_request
from ciclo.components.serving.meter import Meter
from ciclo.components.serving.recorder import Recorder
from ciclo.components.storage.bundle import Bundle
from ciclo.components.storage.predictions import PredictionRow, PredictionStore

INTERNAL = "MICROSERVICE_INTERNAL_ERROR"
MOST_WORDS = 1_000
LAST_WORDS = Path("/dev/termination-log")  # Kubernetes shows it of a container that ended; elsewhere there is none


@dataclass(frozen=True)
class Served:
    """A version that was verified and has answered its golden requests."""

    project: str
    version: int
    engine: Engine
    recorder: Recorder
    meter: Meter
    answered: AnsweredRequests
    load_seconds: float


class Model:
    """What seldon-core calls; every worker process loads for itself."""

    def __init__(self) -> None:
        self._served: Served | None = None

    def load(self) -> None:
        """Verify the version, let it answer its golden requests, and begin to record.

        Raises:
            RuntimeError: If anything is wrong. seldon-core swallows ``AttributeError`` and ``NotImplementedError``, and
                would serve a model that is not there.
        """
        configure()
        log = structlog.get_logger()
        try:
            self._served = serve(settings())
        except CicloError as error:
            log.error("the model cannot be served", reason=str(error))
            _leave_word(str(error))
            raise RuntimeError(str(error)) from None
        except Exception as error:
            log.exception("the model cannot be served")
            _leave_word(f"{type(error).__name__}: {error}")
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        atexit.register(_flush, self._served.recorder)
        self._served.recorder.start()
        log.info("serving", project=self._served.project, version=self._served.version)

    def health_status(self) -> dict[str, Any]:
        """Say what is served, how long it took to load, and the most memory that this process has held.

        Raises:
            SeldonMicroserviceException: With status 503 until ``load`` is done.
        """
        served = self._loaded()
        memory = round(getrusage(RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
        facts = {"load_seconds": round(served.load_seconds, 3), "memory_mb": memory}
        return {"project": served.project, "version": served.version, **facts}

    def metrics(self) -> list[dict[str, Any]]:
        """Hand over the custom metrics; health checks ask for them."""
        return self._served.meter.take(self._served.recorder.waiting) if self._served else []

    def predict_raw(self, message: Any) -> Any:
        """Answer a request: JSON values over REST, a SeldonMessage over gRPC."""
        served = self._loaded()
        with _faults(served.meter):
            started = perf_counter()
            request = read_request(plain(message))
            reply = answer(served, request)
            served.meter.answered(len(reply.predictions), (perf_counter() - started) * 1000)
        content = vars(reply)
        if _is_proto(message):
            return _proto({"jsonData": content, "meta": {"puid": reply.request_id}})
        metrics = served.meter.due(served.recorder.waiting)
        return {"jsonData": content, "meta": {"puid": reply.request_id, **({"metrics": metrics} if metrics else {})}}

    def send_feedback_raw(self, message: Any) -> Any:
        """Take labels; seldon-core hands over a Feedback message whatever the transport."""
        served = self._loaded()
        with _faults(served.meter):
            labels = read_feedback(plain(message), served.project, served.engine.contract)
            served.recorder.label(labels)
        return _proto({"jsonData": {"labels": len(labels)}})

    def _loaded(self) -> Served:
        if self._served is None:
            raise _exception(503, "NOT_LOADED", "the model is not loaded yet")
        return self._served


def serve(settings: Settings) -> Served:
    """Fetch a version, verify it, load it and let it answer its golden requests.

    Args:
        settings: Which version, where the store is, where predictions go.

    Raises:
        SettingsError: If the environment names no version.
        IntegrityError: If the bundle is not what was published, or answers differently here.
    """
    if not settings.project or settings.version is None:
        raise SettingsError("there is no version to serve", hint="Set CICLO_PROJECT and CICLO_VERSION.")
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bundle = open_registry(settings.project, settings).fetch(settings.version, Path(folder))
        engine = _engine(bundle)
    load_seconds = perf_counter() - began
    meter = Meter(settings.version)
    spool = settings.home / "spool" / settings.project
    return Served(
        settings.project,
        settings.version,
        engine,
        Recorder(spool, PredictionStore(settings.predictions_uri), refused=meter.segment_refused),
        meter,
        AnsweredRequests(
            settings.home / "answered" / f"{settings.project}.sqlite",
            settings.project,
            PredictionStore(settings.predictions_uri, wait=LOOK_SECONDS),
        ),
        load_seconds,
    )


def _engine(bundle: Bundle) -> Engine:
    """What answers: the compiled form where the version was found to have one and it holds here, else the model."""
    model, contract, golden = bundle.served_model(), bundle.contract, bundle.golden
    rows, expected = golden.get("rows"), golden.get("predictions", ())
    if not rows:
        raise IntegrityError("the bundle has no golden requests")
    asked, problem = contract.parse(rows), ""
    if Parity.model_validate(golden.get("parity", {})).engine == "compiled":
        try:
            compiled = Engine(CompiledModel(model), contract)
            problem = first_difference(expected, compiled.predict(asked)) or ""
        except Exception as error:  # whatever goes wrong in there, the fitted pipeline may still be right
            problem = f"{type(error).__name__}: {error}"
        else:
            if not problem:
                return compiled
    engine = Engine(model, contract)
    if difference := first_difference(expected, engine.predict(asked)):
        raise IntegrityError(
            "the model does not answer here as it did when it was published",
            seen=difference,
            hint="Train it again with the libraries of the serving environment.",
        )
    if problem:
        structlog.get_logger().warning("the fitted pipeline answers instead of its compiled form", reason=problem)
    return engine


def answer(served: Served, request: Request) -> Reply:
    """Predict and record; when this returns, the predictions outlive the process. A retry is answered as before.

    Raises:
        RequestError: If a row breaks the contract.
        ReusedIdError: If the id of the request stands for other content.
        StorageError: If the predictions cannot be recorded.
    """
    contract = served.engine.contract
    frame = contract.parse(request.rows)
    times, sent, ids = read_passthrough(request.rows, contract)
    if not request.recorded:
        return Reply(request.id, request.key, served.version, served.engine.predict(frame))
    features = [features | carried for features, carried in zip(_records(frame), ids, strict=True)]
    digest = digest_of([features, sent])
    claimed = served.answered.claim(request.id, digest, features, request.key)
    if isinstance(claimed, Reply):
        served.meter.repeated()
        return replace(claimed, predictions=[_answered_again(recorded, contract) for recorded in claimed.predictions])
    try:
        reply = Reply(request.id, claimed, served.version, served.engine.predict(frame))
        served.recorder.record(_rows(served, reply, digest, features, times))
    except BaseException:
        if claimed == request.key:  # else it is the first try's, which may still be answered
            served.answered.release(request.id)
        raise
    served.answered.answered(reply, digest)
    return reply


def _answered_again(recorded: Answer, contract: Contract) -> Answer:
    """A recorded answer as the engine gives it; the prediction store keeps every label as text."""
    label = recorded["prediction"]
    return {**recorded, "prediction": spoken(label, contract)} if isinstance(label, str) else recorded


def _rows(
    served: Served, reply: Reply, digest: str, features: list[dict[str, Any]], times: list[datetime]
) -> list[PredictionRow]:
    contract = served.engine.contract
    speak: Callable[[Any], str | float] = float if contract.task == "regression" else contract.label_of
    return [
        PredictionRow(
            project=served.project,
            request_id=reply.request_id,
            row=number,
            version=reply.version,
            time=time,
            features=asked,
            prediction=speak(given["prediction"]),
            probability=given["probability"],
            prediction_id=reply.prediction_id,
            digest=digest,
            probabilities=given.get("probabilities"),
        )
        for number, (asked, given, time) in enumerate(zip(features, reply.predictions, times, strict=True))
    ]


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a frame as JSON values, null where missing."""
    columns = [[None if v != v else v for v in frame[name].tolist()] for name in frame.columns]
    return (dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True))


def _leave_word(reason: str) -> None:
    """Tell the deployer why this server ends; a gunicorn that fails says much else last."""
    with suppress(OSError):
        if LAST_WORDS.exists():
            LAST_WORDS.write_text(reason[:MOST_WORDS])


@contextmanager
def _faults(meter: Meter) -> Iterator[None]:
    """Tell the client its own faults and hide ours."""
    try:
        yield
    except Exception as error:
        meter.failed(error)
        if isinstance(error, ReusedIdError):
            raise _exception(409, "REUSED_ID", str(error)) from None
        if isinstance(error, RequestError):
            raise _exception(400, "BAD_REQUEST", str(error)) from None
        log = structlog.get_logger()
        if isinstance(error, StorageError):
            log.error("a request was not recorded, so it was not answered", reason=str(error))
            raise _exception(503, "NOT_RECORDED", "it cannot be recorded now, try again later") from None
        log.exception("a request failed")
        raise _exception(500, INTERNAL, "the server failed, its log says why") from None


def _exception(status: int, reason: str, text: str) -> Exception:
    from seldon_core.flask_utils import SeldonMicroserviceException

    error = SeldonMicroserviceException(text, status_code=status, reason=reason)
    error.args = (text,)  # all that gRPC clients get to see
    return error  # type: ignore[no-any-return]


def _is_proto(message: Any) -> bool:
    return hasattr(message, "DESCRIPTOR")


def _proto(content: Mapping[str, Any]) -> Any:
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
    from seldon_core.proto.prediction_pb2 import SeldonMessage

    return ParseDict(content, SeldonMessage())


def _flush(recorder: Recorder) -> None:
    try:
        recorder.flush()
    except StorageError as error:
        structlog.get_logger().warning("predictions stay in the spool", reason=str(error), waiting=recorder.waiting)
