"""``make demo``: the whole cycle on a year of real flights, in simulated time.

A model of January to April is trained, gated, published and served by a real seldon-core microservice. Then the year
goes on week by week: real requests, labels two days later, one tick of monitoring a week. What the governor submits is
run; what the gate refuses is refused. Nothing is staged: but for a refit by age, the policy is the default one of a
project file. Should an escalation come, the one thing that is played is the person who answers it two weeks later.
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

import numpy as np
import pandas as pd
import structlog
from rich.console import Console

from ciclo.components.core.clusters import Clustered, groups_of
from ciclo.components.core.errors import CicloError, SubmissionError
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import predictions
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import deployer
from ciclo.components.monitoring.log import DecisionLog
from ciclo.components.monitoring.observing.window import canonical
from ciclo.components.monitoring.records import Acknowledgement, Decision
from ciclo.components.monitoring.submitting.submission import State
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.bundle import Bundle
from ciclo.components.storage.store import open_store
from ciclo.components.storage.windows import FEATURE, PredictionWindows
from ciclo.pipelines.backends.watch import LocalSubmitter
from ciclo.pipelines.command.console import progress
from examples.flights.prepare import prepare
from examples.flights.report import write_report
from examples.flights.traffic import Traffic
from examples.flights.yardstick import refitted_monthly

BUILD = Path("build/demo")
START, END, WEEK = datetime(2013, 5, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC), timedelta(days=7)
ONE_IN = 10
CONFIDENCE = 0.95  # of each end of an interval
COLUMNS = ("service", "first", "monthly")
ANSWERED_AFTER = timedelta(days=14)
GRAVEST = (
    "ok",
    "watch",
    "blocked",
    "alert",
    "recommend",
    "escalate_development",
    "escalate_design",
    "restore",
    "retrain",
)


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
        self._settings = settings
        self._store = open_store(settings.store_uri, settings)
        self._registry = open_registry(project.name, settings)
        self._predictions = PredictionWindows(settings.predictions_uri)
        self._log = DecisionLog(self._store, project.name)

    # --- the Submitter that monitoring talks to ---

    def find(self, name: str) -> str | None:
        """The run with that name, if there is one."""
        return LocalSubmitter(self.project, self._settings).find(name)

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
        """Run the training pipeline, here and now."""
        with self._timed("training"), progress(self.console) as show:
            run_id = LocalSubmitter(self.project, self._settings, show).submit(
                name, window_start, window_end, trigger, description, restore=restore
            )
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
                self._settle(traffic)
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
            self._settle(traffic)

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
        return decision

    def _answer_escalations(self, now: datetime) -> None:
        history = self._log.history(now, self.project.monitoring)
        open_ones = [d for d in history.decisions if d.escalates and not history.acknowledged_since(d.time)]
        if open_ones and now - open_ones[-1].time >= ANSWERED_AFTER:
            note = "looked into it; retraining may go on"
            self._log.acknowledge(Acknowledgement(by="operations-research", note=note, time=now))

    def _settle(self, traffic: Traffic) -> None:
        """Wait until everything that was answered and reported has reached the prediction store."""
        deadline, sent = time.monotonic() + 120, (traffic.reported, traffic.sent)
        while (stored := self._predictions.label_counts(self.project.name, START, END)) != sent:
            if time.monotonic() > deadline:
                raise CicloError("what was sent did not reach the store", seen=f"labels and rows {stored} of {sent}")
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

    def answered(self, first: Bundle, flights: pd.DataFrame) -> pd.DataFrame:
        """Every row that was answered and has a label: what was said in service, by version 1, and by the yardstick."""
        rows = self._predictions.window(self.project.name, START, END + WEEK)
        rows = rows[rows["label"].notna()].reset_index(drop=True)
        stored = rows.filter(like=FEATURE).rename(columns=lambda name: name.removeprefix(FEATURE))
        features = canonical(stored, first.contract)
        asked = features.assign(time=rows["time"])
        alone = predictions("probability", first.served_model(), features, first.contract.codes)[:, 1]
        delay = timedelta(days=self.project.design.label_delay_days)
        monthly = refitted_monthly(first, flights, asked, months(), delay)[:, 1]
        return pd.DataFrame(
            {
                "time": rows["time"],
                "late": first.contract.encode(rows["label"]),
                "service": rows["probability"],
                "first": alone,
                "monthly": monthly,
            }
        )


def months() -> list[datetime]:
    """The starts of the months of the year that goes on."""
    return [START.replace(month=number) for number in range(START.month, 13)]


def scored(project: Project, rows: pd.DataFrame) -> dict[str, Any]:
    """Score each of the three on some rows; that in service with its interval, days being the evidence."""
    metric, truth = project.metric, rows["late"].to_numpy()

    def of(column: str) -> Any:
        positive = rows[column].to_numpy()
        return scorer(metric, truth, np.column_stack([1 - positive, positive]), [0, 1])

    everything = np.arange(len(rows))
    found = {column: round(of(column)(everything), 4) for column in COLUMNS}
    service = Clustered.of(of("service"), groups_of(rows["time"], len(rows)))
    if service is not None:
        interval = service.interval(CONFIDENCE)
        found |= {"low": round(interval.low, 4), "high": round(interval.high, 4)}
    return found


def by_month(project: Project, weeks: pd.DataFrame, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a month; a week belongs to the month in which it ends, its decision too."""
    table = []
    for month in months():
        following = (month + timedelta(days=32)).replace(day=1)
        inside = weeks[(weeks["end"] > month) & (weeks["end"] <= following)]
        gravest = inside.loc[inside["action"].map(GRAVEST.index).idxmax()]
        table.append(
            {
                "month": f"{month:%Y-%m}",
                "version": ", ".join(str(v) for v in sorted(inside["version"].unique())),
                "rows": int(inside["rows"].sum()),
                **scored(project, rows[(rows["time"] >= month) & (rows["time"] < following)]),
                "decision": gravest["action"],
                "cause": gravest["cause"],
                "reason": gravest["reason"],
            }
        )
    return table


def recovered(table: list[dict[str, Any]]) -> float:
    """The share of the yardstick's gain over version 1 that the model in service had, months weighted by their rows."""
    rows = np.array([m["rows"] for m in table], dtype="float64")
    alone, service, monthly = (np.array([m[name] for m in table]) for name in ("first", "service", "monthly"))
    return float((rows * (service - alone)).sum() / (rows * (monthly - alone)).sum())


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the table of the year."""
    heads = f"{'in service':>25}  {'version 1 alone':>15}  {'refit monthly':>13}"
    lines = [f"{'month':9}{'version':9}{'rows':>6}  {heads}  {'decision':22}cause"]
    for m in summary["months"]:
        service = f"{m['service']:.3f} [{m['low']:.3f}, {m['high']:.3f}]" if "low" in m else f"{m['service']:.3f}"
        scores = f"{service:>25}  {m['first']:>15.3f}  {m['monthly']:>13.3f}"
        lines.append(f"{m['month']:9}{m['version']:9}{m['rows']:>6,}  {scores}  {m['decision']:22}{m['cause']}")
    console.print(f"{summary['metric']}, month by month", "\n".join(lines), sep="\n", highlight=False, soft_wrap=True)
    runs = [run["outcome"] for run in summary["runs"][1:]]
    console.print(
        f"{len(runs)} runs after the first ({runs.count('promoted')} promoted) brought {summary['recovered']:.0%} of "
        "what a refit every month would have brought over version 1 alone.",
        highlight=False,
        soft_wrap=True,
    )


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
        year.submit("first", None, START - delay, "first version", "")
        with tempfile.TemporaryDirectory() as folder:
            first = year.first_model(Path(folder))
            traffic = Traffic(flights, first.contract, ONE_IN)
            console.print(f"[bold]3. The year goes on[/]: every {ONE_IN}th flight is asked about", highlight=False)
            year.live(traffic)
            finish(year, first, flights, console, started)
    finally:
        deployer.stop(project.name, settings)


def finish(year: Year, first: Bundle, flights: pd.DataFrame, console: Console, started: float) -> None:
    """Sum the year up: a table, ``summary.json``, ``report.html`` and the history of the watch."""
    weeks, rows = pd.DataFrame(year.weeks), year.answered(first, flights)
    scores = [scored(year.project, rows[(rows["time"] >= w["start"]) & (rows["time"] < w["end"])]) for w in year.weeks]
    weeks = pd.concat([weeks, pd.DataFrame(scores)], axis="columns")
    weeks["week"] = weeks["end"].dt.strftime("%Y-%m-%d")
    asked = int(weeks["rows"].sum())
    sample = f"Every {ONE_IN}th flight, drawn once with seed 0, was asked about over HTTP: {asked:,} rows."
    table = by_month(year.project, weeks, rows)
    summary = {
        "metric": year.project.metric.name,
        "sample": sample,
        "months": table,
        "recovered": round(recovered(table), 3),
        "runs": year.runs,
        "seconds": {**{k: round(v, 1) for k, v in year.seconds.items()}, "total": 0.0},
    }
    summary["seconds"]["total"] = round(time.monotonic() - started, 1)
    (BUILD / "summary.json").write_text(json.dumps(summary, indent=2))
    write_report(BUILD / "report.html", summary, weeks)
    console.print()
    show(summary, console)
    seconds = ", ".join(f"{what} {value:.0f} s" for what, value in summary["seconds"].items())
    console.print(f"\n{sample}\n{seconds}\n{BUILD / 'report.html'}\n{BUILD / 'summary.json'}", highlight=False)


if __name__ == "__main__":
    try:
        main()
    except CicloError as error:
        raise SystemExit(f"error: {error}") from None
