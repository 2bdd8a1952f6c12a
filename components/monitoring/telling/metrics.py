"""What a tick tells Prometheus: pushed to a gateway, or left in a file for the textfile collector of a node.

A tick is over before anybody could scrape it. What cannot be delivered is logged and stops nothing.
"""

import http.client
from collections.abc import Mapping
from typing import get_args

import structlog
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, pushadd_to_gateway, write_to_textfile

from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.records import Action, Decision

JOB = "ciclo-watch"
TIMEOUT_SECONDS = 5.0
EVIDENCE = {
    "rows": "Predictions in the window.",
    "labelled_rows": "Rows whose label has come.",
    "drifted_importance": "Share of the model's importance in drifted columns.",
    "prediction_effect": "How far the predictions have moved.",
    "score": "Realised score.",
    "estimate": "Score estimated without labels.",
}


def metrics_of(project: str, decision: Decision, seconds: float, finished: float) -> CollectorRegistry:
    """What a tick that decided tells.

    Args:
        project: Name of the project.
        decision: What was decided.
        seconds: How long it took.
        finished: When it was over, in seconds since 1970.
    """
    registry = CollectorRegistry()
    action = Gauge(
        "ciclo_watch_decision", "1 for what the last tick decided.", ["project", "action"], registry=registry
    )
    for name in get_args(Action):
        action.labels(project, name).set(name == decision.action)
    values: dict[str, tuple[str, object]] = {
        "version": ("Version that serves; 0 if none does.", decision.version),
        **{name: (about, decision.evidence.get(name)) for name, about in EVIDENCE.items()},
        "seconds": ("How long the last tick took.", seconds),
        "failed": ("Whether the last tick came to no decision.", 0),
        "last_success_timestamp_seconds": ("When a tick last came to a decision.", finished),
    }
    _gauges(registry, project, values)
    return registry


def metrics_of_failure(project: str, seconds: float) -> CollectorRegistry:
    """What a tick that came to no decision tells; all else stays as it was told before."""
    registry = CollectorRegistry()
    _gauges(
        registry,
        project,
        {
            "seconds": ("How long the last tick took.", seconds),
            "failed": ("Whether the last tick came to no decision.", 1),
        },
    )
    return registry


def _gauges(registry: CollectorRegistry, project: str, values: Mapping[str, tuple[str, object]]) -> None:
    for name, (about, value) in values.items():
        if isinstance(value, int | float):
            Gauge(f"ciclo_watch_{name}", about, ["project"], registry=registry).labels(project).set(value)


def export(registry: CollectorRegistry, project: str, settings: Settings, *, decided: bool) -> None:
    """Deliver metrics to wherever the settings say.

    Args:
        registry: The metrics.
        project: Name of the project.
        settings: Name a gateway, a file, both or neither.
        decided: Whether they are those of a whole tick; then they replace all that were there.
    """
    log = structlog.get_logger().bind(project=project)
    if settings.pushgateway:
        push = push_to_gateway if decided else pushadd_to_gateway
        try:
            push(settings.pushgateway, JOB, registry, grouping_key={"project": project}, timeout=TIMEOUT_SECONDS)
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.warning("metrics were not pushed", error=type(error).__name__, setting="CICLO_PUSHGATEWAY")
    if settings.metrics_file and decided:
        try:
            write_to_textfile(str(settings.metrics_file), registry)
        except OSError as error:
            log.warning("metrics were not written", error=error.strerror, setting="CICLO_METRICS_FILE")
