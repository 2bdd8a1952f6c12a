"""Watch a served model from this machine: one tick of monitoring whose retraining runs are local runs."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.settings import settings as current_settings
from ciclo.components.deployment import deployer
from ciclo.components.monitoring.records import Decision
from ciclo.components.monitoring.submitting.submission import State
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.store import open_store
from ciclo.components.storage.windows import PredictionWindows
from ciclo.pipelines.backends.local import Event, run_pipeline

_STATES: dict[str, State] = {
    "promoted": "succeeded",
    "waiting": "succeeded",
    "kept": "succeeded",
    "stopped": "succeeded",
    "restored": "succeeded",
    "overtaken": "succeeded",
    "failed": "failed",
    "crashed": "failed",
}


class LocalSubmitter:
    """Runs the training pipeline on this machine and waits for it; a run is known by the name of its folder.

    Args:
        project: The project to train.
        settings: Settings of the runs.
        on_event: Called with every event of a run.
    """

    def __init__(self, project: Project, settings: Settings, on_event: Callable[[Event], None] | None = None) -> None:
        self._project = project
        self._settings = settings
        self._on_event = on_event

    def find(self, name: str) -> str | None:
        """The id of the run with a name, or None if there is none."""
        return next((folder.name for folder in self._runs.glob(f"*-{name}")), None)

    def submit(
        self,
        name: str,
        window_start: datetime | None,
        window_end: datetime,
        trigger: str,
        description: str,
        *,
        restore: int = 0,
    ) -> str:
        """Run the pipeline and give the id of the run.

        Raises:
            SubmissionError: If it broke before any stage had a say.
        """
        result = run_pipeline(
            self._project,
            name=name,
            window_start=window_start.isoformat() if window_start else "",
            window_end=window_end.isoformat(),
            trigger=trigger,
            description=description,
            restore=restore,
            on_event=self._on_event,
            settings=self._settings,
        )
        if not result.stages:
            raise SubmissionError("the local run did not start", seen=result.reason, hint=f"See {result.log}.")
        return result.folder.name

    def state(self, run_id: str) -> State:
        """How a run stands; unknown for one that was interrupted."""
        with suppress(OSError, ValueError):
            summary = json.loads((self._runs / run_id / "summary.json").read_text())
            return _STATES.get(summary["outcome"], "unknown")
        return "unknown"

    def is_down(self) -> bool:
        """Whether there should be a server on this machine and is none."""
        return self._settings.deployer == "process" and deployer.endpoint(self._project.name, self._settings) is None

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """Deploy the champion here and now."""
        served = deployer.serve(self._project, self._settings)
        return (served.summary, not served.url) if served else ("there is no champion to serve", True)

    @property
    def _runs(self) -> Path:
        return self._settings.home / "runs"


def watch(
    project: Project, *, now: datetime, dry_run: bool = False, on_event: Callable[[Event], None] | None = None
) -> Decision:
    """Run one tick of monitoring.

    Args:
        project: The project.
        now: Time of the tick.
        dry_run: Decide only.
        on_event: Called with every event of a retraining run.

    Returns:
        The decision.
    """
    current = current_settings()
    return tick(
        project,
        registry=open_registry(project.name, current),
        predictions=PredictionWindows(current.predictions_uri),
        store=open_store(current.store_uri, current),
        clock=lambda: now,
        submit=LocalSubmitter(project, current, on_event),
        dry_run=dry_run,
    )
