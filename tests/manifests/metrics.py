"""The metrics that a model server really shows, and those that rules and dashboards ask for."""

import json
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from typing import Any

import promql_parser

from ciclo.components.monitoring.records import Decision
from ciclo.components.monitoring.telling.metrics import metrics_of
from tests.manifests.rendering import ROOT, Manifest

# What kube-state-metrics shows of CronJobs.
FOREIGN = {
    "kube_cronjob_status_last_schedule_time",
    "kube_cronjob_status_last_successful_time",
    "kube_cronjob_spec_suspend",
}
SHOW = """
from ciclo.components.core.errors import CicloError, RequestError
from ciclo.components.serving.meter import Meter
from seldon_core.metrics import SeldonMetrics

meter, shown = Meter(3), SeldonMetrics()
meter.answered(2, 1.5)
for error in (RequestError("x"), CicloError("x"), ValueError("x")):
    meter.failed(error)
meter.repeated()
meter.segment_refused()
shown.update(meter.take(7), "predict")
print(shown.generate_metrics()[0])
"""
_WORDS = {
    "sum", "max", "min", "avg", "by", "or", "and", "unless", "on", "rate", "increase", "histogram_quantile",
    "label_values", "time", "le", "namespace", "project", "version", "pod", "cronjob",
}  # fmt: skip


@cache
def shown() -> tuple[frozenset[str], frozenset[str]]:
    """Names of the series, and of their labels, that a server shows after one of everything happened."""
    python = ROOT / ".venv-serving" / "bin" / "python"
    done = subprocess.run([str(python), "-P", "-c", SHOW], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    names = frozenset(re.split(r"[{ ]", line)[0] for line in lines)
    labels = frozenset(label for line in lines for label in re.findall(r'(\w+)="', line))
    assert len(names) >= 9, done.stdout
    return names, labels


@cache
def pushed() -> tuple[frozenset[str], frozenset[str]]:
    """Names of the series that a tick pushes, and of their labels."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    decision = Decision(action="ok", reason="", version=1, window_start=now, window_end=now, time=now)
    samples = [s for family in metrics_of("p", decision, 1.0, 1.0).collect() for s in family.samples]
    return frozenset(s.name for s in samples), frozenset(label for s in samples for label in s.labels)


def expressions(objects: list[Manifest]) -> list[tuple[str, str]]:
    """Every query, with where it is."""
    found = []
    for manifest in objects:
        if manifest["kind"] == "PrometheusRule":
            for group in manifest["spec"]["groups"]:
                found += [(f"alert {rule['alert']}", rule["expr"]) for rule in group["rules"]]
        elif manifest["metadata"].get("labels", {}).get("grafana_dashboard"):
            for text in manifest["data"].values():
                board = json.loads(text)
                found += [
                    (f"panel {panel['title']}", target["expr"])
                    for panel in board["panels"]
                    for target in panel["targets"]
                ]
                found += [
                    (f"variable {variable['name']}", variable["query"]["query"])
                    for variable in board["templating"]["list"]
                    if variable["type"] == "query"
                ]
    return found


def problems(objects: list[Manifest]) -> list[str]:
    """Names of series and labels in queries that nothing shows."""
    (names, labels), (of_ticks, theirs) = shown(), pushed()
    names, labels = names | of_ticks, labels | theirs - {"project"}  # servers have none before they are relabelled
    given = labels | {"namespace", "pod", "cronjob", "le", *_relabelled(objects)}
    found = []
    for place, text in expressions(objects):
        found += [f"{place}: {problem}" for problem in _syntax(text)]
        bare = re.sub(r'"[^"]*"|\$__?\w+|\$\{\w+\}|\[[^\]]*\]', "", text)
        found += [
            f"{place}: {word} is shown by nothing"
            for word in set(re.findall(r"\b[a-z]\w*_\w+\b", bare)) - _WORDS - names - FOREIGN - labels
        ]
        asked = {
            label.strip() for part in re.findall(r"by \(([^)]*)\)", bare) for label in part.split(",") if label.strip()
        } | set(re.findall(r"[{,] *(\w+)=", bare))
        found += [f"{place}: no series has a label {label}" for label in sorted(asked - given)]
    return found


def _syntax(text: str) -> list[str]:
    """What Prometheus would not parse, once Grafana has put values in."""
    asked = re.fullmatch(r"label_values\((.+), \w+\)", text)
    query = (asked[1] if asked else text).replace("$__rate_interval", "5m")
    try:
        promql_parser.parse(query)
    except ValueError as error:
        return [f"is not PromQL: {error}"]
    return []


def _relabelled(objects: list[Manifest]) -> set[str]:
    rules: list[dict[str, Any]] = [
        rule
        for manifest in objects
        if manifest["kind"] == "PodMonitor"
        for endpoint in manifest["spec"]["podMetricsEndpoints"]
        for rule in endpoint.get("relabelings", [])
    ]
    return {rule["targetLabel"] for rule in rules}
