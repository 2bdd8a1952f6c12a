"""``make demo``: the whole cycle on a year of real flights, in simulated time.

A model of January to April is trained, gated, published and served by a real seldon-core microservice. Then the year
goes on week by week: real requests, labels two days later, one tick of monitoring a week. What the governor submits is
run; what the gate refuses is refused. Nothing is staged: the policy is the default one of a project file. The one thing
that is played is the person who answers an escalation two weeks later, and lets retraining go on.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import structlog
from rich.console import Console

from ciclo.components.core.errors import CicloError, SubmissionError
from ciclo.components.core.metrics import METRICS, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import deployer
from ciclo.components.monitoring.drift import assess, bin_window
from ciclo.components.monitoring.log import DecisionLog
from ciclo.components.monitoring.observation import canonical
from ciclo.components.monitoring.records import Acknowledgement, Decision
from ciclo.components.monitoring.report import drift_figure
from ciclo.components.monitoring.submission import State
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.bundle import Bundle
from ciclo.components.storage.predictions import PredictionStore
from ciclo.components.storage.store import open_store
from ciclo.pipelines.backends.watch import LocalSubmitter
from ciclo.pipelines.command.console import progress
from examples.flights.prepare import prepare
from examples.flights.report import write_report
from examples.flights.traffic import Traffic

BUILD = Path("build/demo")
START, END, WEEK = datetime(2013, 5, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC), timedelta(days=7)
ONE_IN = 10
ANSWERED_AFTER = timedelta(days=14)
GRAVEST = ("ok", "watch", "blocked", "alert", "recommend", "escalate_development", "escalate_design", "retrain")


class Year:
    """The simulated year: one project, its service, its users and its watch.

    Args:
        project: The flights project.
        settings: Where everything is.
        console: Where progress is shown.
    """

    def __init__(self, project: Project, settings: Settings, console: Console) -> None:
        self.project = project
        self.console = console
        self.weeks: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.seconds = {"training": 0.0, "serving": 0.0, "monitoring": 0.0}
        self.first_drift: Decision | None = None
        self._settings = settings
        self._store = open_store(settings.store_uri, settings)
        self._registry = open_registry(project.name, settings)
        self._predictions = PredictionStore(settings.predictions_uri)
        self._log = DecisionLog(self._store, project.name)

    # --- the Submitter that monitoring talks to ---

    def find(self, name: str) -> str | None:
        """The run with that name, if there is one."""
        return LocalSubmitter(self.project, self._settings).find(name)

    def submit(self, name: str, window_end: datetime, trigger: str) -> str:
        """Run the training pipeline, here and now."""
        with self._timed("training"), progress(self.console) as show:
            run_id = LocalSubmitter(self.project, self._settings, show).submit(name, window_end, trigger)
        run = json.loads((self._settings.home / "runs" / run_id / "summary.json").read_text())
        if run["outcome"] in ("failed", "crashed"):
            raise SubmissionError(f"the run broke in {run['stage']}", seen=run["reason"])
        outcome = {key: run[key] for key in ("outcome", "version", "reason")}
        self.runs.append({"time": f"{window_end:%Y-%m-%d}", "trigger": trigger, **outcome})
        self.console.print(f"[bold]{run['outcome']}[/]: {run['reason']}\n", highlight=False, soft_wrap=True)
        return run_id

    def state(self, run_id: str) -> State:
        """How a run ended."""
        return LocalSubmitter(self.project, self._settings).state(run_id)

    def is_down(self) -> bool:
        """Whether the server is gone."""
        return LocalSubmitter(self.project, self._settings).is_down()

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """Deploy the champion, here and now."""
        return LocalSubmitter(self.project, self._settings).serve(name, window_end)

    # --- the year ---

    def live(self, traffic: Traffic) -> None:
        """Serve, watch and retrain, week by week."""
        now = START
        while now < END:
            start, now = now, min(now + WEEK, END)
            endpoint = deployer.endpoint(self.project.name, self._settings)
            if endpoint is None:
                raise CicloError("the model server is gone", hint="Its log is under build/demo/home/serving.")
            with self._timed("serving"):
                rows = traffic.ask(endpoint.url, start, now)
                traffic.report(endpoint.url, now, pd.Timedelta(days=self.project.design.label_delay_days))
                self._settle(traffic.sent)
            self._answer_escalations(now)
            with self._timed("monitoring"):
                decision = self._tick(now)
            self.weeks.append(
                {
                    "start": start,
                    "end": now,
                    "version": endpoint.version,
                    "rows": rows,
                    "action": decision.action,
                    "cause": decision.cause,
                    "reason": decision.reason,
                }
            )
            self.console.print(
                f"week until {now:%d %b}  version {endpoint.version}  {rows:5d} rows  "
                f"[bold]{decision.action}[/]  [dim]{decision.reason}[/]",
                highlight=False,
                soft_wrap=True,
            )
        endpoint = deployer.endpoint(self.project.name, self._settings)
        if endpoint is not None:
            traffic.report(endpoint.url, END + timedelta(days=30), pd.Timedelta(0))

    def _tick(self, now: datetime) -> Decision:
        spent = self.seconds["training"]
        decision = tick(
            self.project,
            registry=self._registry,
            predictions=self._predictions,
            store=self._store,
            clock=lambda: now,
            submit=self if now < END else None,  # a run that nothing would serve any more is only recommended
        )
        self.seconds["monitoring"] -= self.seconds["training"] - spent
        if decision.action == "retrain" and self.first_drift is None:
            self.first_drift = decision
        return decision

    def _answer_escalations(self, now: datetime) -> None:
        history = self._log.history(now, self.project.monitoring)
        open_ones = [d for d in history.decisions if d.escalates and not history.acknowledged_since(d.time)]
        if open_ones and now - open_ones[-1].time >= ANSWERED_AFTER:
            note = "looked into it; retraining may go on"
            self._log.acknowledge(Acknowledgement(by="operations-research", note=note, time=now))

    def _settle(self, sent: int) -> None:
        """Wait until everything that was answered has reached the prediction store."""
        deadline = time.monotonic() + 120
        while (stored := self._predictions.count(self.project.name)) < sent:
            if time.monotonic() > deadline:
                raise CicloError("answered predictions did not reach the store", seen=f"{stored} of {sent}")
            time.sleep(0.1)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[what] += time.monotonic() - started

    # --- what came of it ---

    def first_model(self, folder: Path) -> Bundle:
        """Version 1, verified."""
        return self._registry.fetch(1, folder)

    def drift_pictures(self) -> list[Any]:
        """The most drifted columns of the window in which the first retraining was decided."""
        if self.first_drift is None:
            return []
        with tempfile.TemporaryDirectory() as folder:
            bundle = self._registry.fetch(self.first_drift.version, Path(folder))
            window = self._predictions.window(
                self.project.name, self.first_drift.window_start, self.first_drift.window_end
            )
            counts = bin_window(bundle.profile, canonical(window, bundle.contract))
            drift = assess(bundle.profile, counts, None, self.project.monitoring)
            moved = sorted((c for c in drift.columns if c.drifted), key=lambda c: -c.effect * c.importance)[:4]
            return [drift_figure(c.name, bundle.profile.columns[c.name], c.counts) for c in moved]

    def scores(self, first: Bundle, start: datetime, end: datetime) -> tuple[float, float]:
        """The metric of what was served in a span, and that of version 1 on the same rows."""
        metric = METRICS[self.project.metric.name]
        rows = self._predictions.window(self.project.name, start, end)
        rows = rows[rows["label"].notna()]
        truth = first.contract.encode(rows["label"])
        served = pd.DataFrame({0: 1 - rows["probability"], 1: rows["probability"]}).to_numpy(dtype="float64")
        alone = predictions(metric.needs, first.model(), canonical(rows, first.contract), first.contract.codes)
        codes = first.contract.codes
        return metric.score(truth, served, codes), metric.score(truth, alone, codes)


def months(weeks: pd.DataFrame, year: Year, first: Bundle) -> list[dict[str, Any]]:
    """One row a month; a week belongs to the month in which it ends, its decision too."""
    table = []
    month = START
    while month < END:
        following = (month + timedelta(days=32)).replace(day=1)
        inside = weeks[(weeks["end"] > month) & (weeks["end"] <= following)]
        gravest = inside.loc[inside["action"].map(GRAVEST.index).idxmax()]
        live, alone = year.scores(first, inside["start"].min(), inside["end"].max())
        table.append(
            {
                "month": f"{month:%Y-%m}",
                "version": ", ".join(str(v) for v in sorted(inside["version"].unique())),
                "rows": int(inside["rows"].sum()),
                "metric": round(live, 4),
                "metric_first_model": round(alone, 4),
                "decision": gravest["action"],
                "cause": gravest["cause"],
                "reason": gravest["reason"],
            }
        )
        month = following
    return table


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the table of the year."""
    lines = [f"{'month':9}{'version':9}{'rows':>6}  {'in service':>10}  {'version 1 alone':>15}  {'decision':22}cause"]
    for m in summary["months"]:
        scores = f"{m['metric']:>10.3f}  {m['metric_first_model']:>15.3f}"
        lines.append(f"{m['month']:9}{m['version']:9}{m['rows']:>6,}  {scores}  {m['decision']:22}{m['cause']}")
    console.print(f"{summary['metric']}, month by month", "\n".join(lines), sep="\n", highlight=False, soft_wrap=True)


def main() -> None:
    """Run the year."""
    started = time.monotonic()
    console = Console()
    home = BUILD / "home"
    settings = Settings(home=home.resolve(), deployer="process")
    project = read_project(Path(__file__).parent / "project.yaml")
    deployer.stop(project.name, settings)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    log = (home / "monitoring.log").open("w")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
    console.print("[bold]1. The data[/]: flights out of New York in 2013, with weather and planes")
    flights = pd.read_parquet(prepare(Path(project.data.source)))
    console.print(f"{len(flights):,} flights\n\n[bold]2. The first model[/], of January to April", highlight=False)
    year = Year(project, settings, console)
    delay = timedelta(days=project.design.label_delay_days)
    try:
        year.submit("first", START - delay, "first version")
        with tempfile.TemporaryDirectory() as folder:
            first = year.first_model(Path(folder))
            traffic = Traffic(flights, first.contract, ONE_IN)
            console.print(f"[bold]3. The year goes on[/]: every {ONE_IN}th flight is asked about", highlight=False)
            year.live(traffic)
            finish(year, first, console, started)
    finally:
        deployer.stop(project.name, settings)


def finish(year: Year, first: Bundle, console: Console, started: float) -> None:
    """Sum the year up: a table, ``summary.json`` and ``report.html``."""
    weeks = pd.DataFrame(year.weeks)
    scored = [year.scores(first, week["start"], week["end"]) for week in year.weeks]
    weeks["metric"], weeks["metric_first_model"] = zip(*scored, strict=True)
    weeks["week"] = weeks["end"].dt.strftime("%Y-%m-%d")
    asked = int(weeks["rows"].sum())
    sample = f"Every {ONE_IN}th flight, drawn once with seed 0, was asked about over HTTP: {asked:,} rows."
    summary = {
        "metric": year.project.metric.name,
        "sample": sample,
        "months": months(weeks, year, first),
        "runs": year.runs,
        "seconds": {**{k: round(v, 1) for k, v in year.seconds.items()}, "total": 0.0},
    }
    summary["seconds"]["total"] = round(time.monotonic() - started, 1)
    (BUILD / "summary.json").write_text(json.dumps(summary, indent=2))
    write_report(BUILD / "report.html", summary, weeks, summary["metric"], year.drift_pictures())
    console.print()
    show(summary, console)
    seconds = ", ".join(f"{what} {value:.0f} s" for what, value in summary["seconds"].items())
    console.print(f"\n{sample}\n{seconds}\n{BUILD / 'report.html'}\n{BUILD / 'summary.json'}", highlight=False)


if __name__ == "__main__":
    try:
        main()
    except CicloError as error:
        raise SystemExit(f"error: {error}") from None
