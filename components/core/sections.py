"""The sections of a project file but for data and cleaning: immutable, each checks what it can see by itself."""

import math
import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ciclo.components.core.metrics import Task
from ciclo.components.core.schedule import check_hours, check_schedule
from ciclo.components.core.section import MOST_DAYS, Section
from ciclo.components.core.wording import counted

Level = Literal["error", "warning", "off"]
CheckName = Literal[
    "multicollinearity",
    "leakage",
    "near_leakage",
    "seen_rows",
    "shared_entities",
    "imbalance",
    "class_rows",
    "split_drift",
    "last_run",
    "nulls",
    "relation",
    "twins",
    "assumptions",
]
CANARY_MINUTES = 15  # the task has half an hour, and the rollout itself takes its part
ALERT_KEY = re.compile(r"(?!CICLO_)[A-Z][A-Z0-9_]*_ALERTS")


class Infrastructure(Section):
    """What the users of the predictions need of the service; the model card shows whether it is met.

    Attributes:
        latency_ms: Longest time the model may take for one row, in 95 of 100 cases; a server that surely takes longer
            does not go live.
        memory_mb: Most memory one replica may be given, in units of 1,048,576 bytes.
        requests_per_second: Rows of one second that all replicas together have to answer.
    """

    latency_ms: float = Field(200, gt=0)
    memory_mb: float = Field(1024, gt=0)
    requests_per_second: float = Field(10, gt=0)


class SimpleRule(Section):
    """The rule people use today: the positive class (or a high value) when a column reaches a value."""

    column: str
    at_least: float


class Escalation(Section):
    """Whom to call when retraining does not help: names, telephone numbers, e-mail addresses."""

    development: str = ""
    design: str = ""

    @field_validator("development", "design")
    @classmethod
    def _people(cls, value: str) -> str:
        if "://" in value:
            raise ValueError(
                "give a name or an e-mail address; the address of a service may hold a secret and belongs into the "
                "environment, see monitoring.alerts"
            )
        return value


class Design(Section):
    """What was settled before any data was touched."""

    objective: str = ""
    owners: tuple[str, ...] = ()
    users: str = ""
    cost_of_errors: str = ""
    used_in: str = ""
    not_for: str = ""
    label_delay_days: float = Field(0, ge=0, le=MOST_DAYS)
    infrastructure: Infrastructure = Infrastructure()
    simple_rule: SimpleRule | None = None
    escalation: Escalation = Escalation()


class Validation(Section):
    """Checks on data and assumptions: which stop the run, and their limits.

    Attributes:
        checks: Level of a check by name; those not named keep the default.
        vif: Largest variance inflation factor of a numeric feature.
        leakage: Largest score (AUC or R2) that a feature, or two or three together, may surely reach; what is only
            strange is of the check ``near_leakage``.
        imbalance: Fewest rows of the rarest class, test rows too, with which its scores are worth reading: of a
            hundred about twenty are tested on, and even then the interval of a recall is some forty points wide. A
            count and not a share, since half a percent of a million rows is plenty.
        class_rows: Fewest training and validation rows of a class. Ten is what cross-validation in five parts needs to
            fit on eight and to test on two; for a model to be any good, ten for each feature are a common rule (Peduzzi
            et al., 1996).
        split_drift: Largest Jensen-Shannon distance between the training and the test rows. On a split by time that is
            only so where the training period has fewer than eight windows of a day or more: else the test rows may
            differ from it as much as its own windows do, or by ``monitoring.minimum_effect``.
        twins: Strength from which two features are said to be one: Spearman's correlation of numbers, the correlation
            ratio of a number and categories, Cramér's V of categories.
    """

    checks: dict[CheckName, Level] = Field({})
    vif: float = Field(10, gt=1)
    leakage: float = Field(0.99, gt=0, le=1)
    imbalance: int = Field(100, ge=1)
    class_rows: int = Field(10, ge=1)
    split_drift: float = Field(0.3, gt=0, le=1)
    nulls: float = Field(0.95, gt=0, le=1)
    twins: float = Field(0.99, gt=0, le=1)

    @field_validator("imbalance", mode="before")
    @classmethod
    def _a_number_of_rows(cls, value: object) -> object:
        if isinstance(value, float) and 0 <= value < 1:
            raise ValueError("it counts rows of the rarest class, and is no share; give a number such as 100")
        return value


class Range(Section):
    """Values to try between two ends: whole numbers where both ends are, and the parameter may be one.

    Attributes:
        low: Least value.
        high: Greatest value.
        log: Whether small values are tried as closely as great ones, as is due to what spans powers of ten.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.low >= self.high:
            raise ValueError(
                f"low {self.low:g} has to be below high {self.high:g}; to try one value, give it in a list"
            )
        if self.log and self.low <= 0:
            raise ValueError(f"low has to be above 0 where log is true, not {self.low:g}")
        return self


class Candidate(Section):
    """One model to try.

    Attributes:
        estimator: Name from ``components/core/estimators.py``.
        search: Values to try by parameter, as a list or a range; a parameter that is not named keeps the values of its
            estimator. To search none of those, name every one.
        calibration: Whether probabilities are calibrated on out-of-fold predictions: ``auto`` where that is clearly
            better, ``none``, or in any case by ``sigmoid``, ``isotonic`` or, of more than two classes, ``temperature``.
    """

    estimator: str
    search: dict[str, tuple[bool | float | int | str | None, ...] | Range] = Field({})
    calibration: Literal["auto", "none", "sigmoid", "isotonic", "temperature"] = "auto"


class Training(Section):
    """What is fitted, and how hard the search tries.

    Attributes:
        task: What is predicted; by default what the type of the target makes of it.
        positive: The class of a binary task that counts as positive.
        metric: What is made as good as can be.
        candidates: Models to try, by name; by default those for the task.
        trials: Sets of parameters that are tried for each candidate, at most: a search that brings nothing more ends.
        search_rows: Most rows a trial is fitted on.
        search_seconds: How long a candidate may take, from its first trial to the fit of the model. The half of it is
            for the search.
        seed: Of everything random; together with the data it decides the result.
        refit: Whether a model that passed its gate is fitted anew on all labelled rows, the test rows too, and that one
            is served. By default where the split is by time and labels come within ``monitoring.performance_windows``
            windows; with a split by hash it is refused.
    """

    task: Task | None = None
    positive: str | None = None
    metric: str | None = None
    candidates: dict[str, Candidate] = Field({})
    trials: int = Field(20, ge=1)
    search_rows: int = Field(20_000, ge=10)
    search_seconds: float = Field(300, gt=0)
    seed: int = Field(0, ge=0, lt=2**32)
    refit: bool | None = None


class Costs(Section):
    """What the two errors of a binary task cost, in one unit of your choice; their ratio is what counts.

    Attributes:
        false_positive: The positive class is predicted, and it is the other.
        false_negative: The positive class is missed.
    """

    false_positive: float = Field(gt=0)
    false_negative: float = Field(gt=0)


class Evaluation(Section):
    """What the best candidate has to show before it may be published.

    Attributes:
        minimum_gain: Least gain over the champion, in units of the metric, of a model of another recipe; the interval
            has to lie above it.
        refresh_margin: How much worse than the champion a model of the same recipe on newer rows might be, at most; the
            interval has to lie above that. In units of the metric for scores, which end at 1; for losses and errors,
            which have no natural scale, a share of the champion's own.
        minimum_gain_over_baseline: Least gain over the baselines, in units of the metric.
        least_useful_gain: Machine learning is refused where its gain over a baseline is surely smaller; in the units of
            ``refresh_margin``. With 0 nothing is refused for that.
        confidence: Of the one-sided interval.
        costs: What an error costs each way: the label's threshold is where they cost least.
        slices: Columns by which the metric is shown: each value of a category, quarters of a number, months of a time.
        slice_floor: Score that no slice may be surely worse than, in units of the metric.
        unchanged_by: Columns whose values must not change an answer.
        rises_with: Numbers with which the value, or the probability of the positive class, may only rise.
        falls_with: The same, the other way.
        size_mb: Largest model file.
    """

    minimum_gain: float = Field(0.0, ge=0)
    refresh_margin: float = Field(0.01, ge=0)
    minimum_gain_over_baseline: float = Field(0.0, ge=0)
    least_useful_gain: float = Field(0.01, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    minimum_rows: int = Field(20, ge=5)
    costs: Costs | None = None
    slices: tuple[str, ...] = ()
    slice_floor: float | None = None
    unchanged_by: tuple[str, ...] = ()
    rises_with: tuple[str, ...] = ()
    falls_with: tuple[str, ...] = ()
    size_mb: float = Field(200, gt=0)


class Resources(Section):
    """Kubernetes quantities of one replica."""

    cpu: str = Field("500m", pattern=r"^\d+(\.\d+)?m?$")
    memory: str = Field("1Gi", pattern=r"^\d+(\.\d+)?(k|[KMGT]i|[MGT])?$")


class Deployment(Section):
    """How a version is served.

    Attributes:
        strategy: ``rolling`` changes all at once after the live check; ``canary`` first lets both versions serve, on a
            cluster, and compares them.
        replicas: Pods of a version, at least.
        max_replicas: How many the load may call for, by an autoscaler on a cluster; without it there are ``replicas``.
        resources: What each of them gets.
        approval: Whether a person has to approve a version before it may become the champion.
        canary_steps: Largest share of the requests that the new version gets in each step, in percent.
        canary_minutes: How long a step lasts.
        canary_agreement: Least share of the requests that both versions have to answer alike: with the same label, or
            with numbers no further apart than the predictions spread.
    """

    strategy: Literal["rolling", "canary"] = "rolling"
    replicas: int = Field(1, ge=1)
    max_replicas: int | None = None
    resources: Resources = Resources()
    approval: bool = False
    canary_steps: tuple[float, ...] = (50,)
    canary_minutes: float = Field(5, gt=0)
    canary_agreement: float = Field(0.7, ge=0, le=1)

    def canary_pods(self, percent: float) -> int:
        """How many pods, beside all of the other version, get that share of the requests, or a little less."""
        return int(self.replicas * percent / (100 - percent) + 1e-9)

    @model_validator(mode="after")
    def _an_autoscaler_has_room(self) -> Self:
        if self.max_replicas is not None and self.max_replicas <= self.replicas:
            raise ValueError(f"max_replicas: give more than the {self.replicas} of replicas, or leave it out")
        return self

    @field_validator("canary_steps")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or any(not 0 < percent <= 50 for percent in value) or list(value) != sorted(set(value)):
            raise ValueError("give rising shares above 0 and up to 50 percent; after the last one all are changed")
        return value

    @model_validator(mode="after")
    def _a_canary_can_be_had(self) -> Self:
        if self.strategy != "canary":
            return self
        if self.canary_pods(self.canary_steps[0]) < 1:
            least = math.ceil(100 / (self.replicas + 1))
            wanted = math.ceil((100 - self.canary_steps[0]) / self.canary_steps[0])
            raise ValueError(
                f"canary_steps: with {self.replicas} replicas the new version gets {least} percent at least, not "
                f"{self.canary_steps[0]:g}; raise the step, or give {wanted} replicas"
            )
        if len(self.canary_steps) * self.canary_minutes > CANARY_MINUTES:
            raise ValueError(f"canary_minutes: all steps together may last {CANARY_MINUTES} minutes")
        return self


class Persistence(Section):
    """An alarm has to show in ``alarms`` of the last ``windows`` windows."""

    alarms: int = Field(2, ge=1)
    windows: int = Field(3, ge=1, le=1_000)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.alarms > self.windows:
            raise ValueError(f"{self.alarms} alarms cannot show in {counted(self.windows, 'window')}")
        return self


class Budget(Section):
    """At most ``runs`` retraining runs in ``days`` days."""

    runs: int = Field(6, ge=1)
    days: float = Field(180, gt=0, le=MOST_DAYS)


class Monitoring(Section):
    """When to look, what counts as drift, and what may be done about it.

    Attributes:
        schedule: When the watch looks, as a cron expression in UTC; `ciclo manifests` gives it to the CronJob.
        window_days: Length of the window that is judged; drift in windows of less than a day is only watched, since
            what is usual is known by days.
        minimum_rows: Fewer served rows decide nothing.
        false_alarm_rate: Share of ticks that may alarm on a clean stream.
        minimum_effect: Least Jensen-Shannon distance (0 to 1) that counts as drift, however certain it is.
        drifted_importance: Share of the model's importance that has to lie in drifted columns.
        performance_drop: Relative loss of the metric, measured from the published test score, that counts as worse.
        persistence: M of N.
        cool_down_days: Least time between two retraining runs.
        budget: Most retraining runs.
        refusals: Challengers refused, or runs failed, in a row after which retraining stops and a person is called.
        mode: What a decision to retrain leads to: ``retrain`` starts the run, ``approve`` starts it once a person has
            allowed it, ``recommend`` only says so.
        quiet_hours: Span of the day in UTC in which no run is started, such as ``22:00-06:00``; empty for none.
        refresh_days: Age of the newest training rows, or of the last refit, from which the model is retrained, drift or
            not; off by default, and without effect where rows have no times.
        retrain_on: The rows a retraining reads: ``all``, those ``since_change`` where there are enough of them, or the
            ``rolling`` last ``rolling_days``.
        rolling_days: Length of the rolling window.
        minimum_new_labels: Fewer labelled rows since the newest training row are no reason to retrain.
        performance_windows: Windows whose labelled rows are judged together.
        segments: Columns whose values are also judged apart.
        remind_days: After how many days people are told again of what has not changed.
        alerts: Names of variables that hold Apprise addresses, beside ``CICLO_ALERTS``, and end in ``_ALERTS``; an
            address is a secret itself.
    """

    schedule: str = "7 * * * *"
    window_days: float = Field(7, gt=0, le=MOST_DAYS)
    minimum_rows: int = Field(200, ge=10)
    false_alarm_rate: float = Field(0.01, gt=0, lt=0.5)
    minimum_effect: float = Field(0.1, gt=0, lt=1)
    drifted_importance: float = Field(0.25, gt=0, le=1)
    performance_drop: float = Field(0.05, gt=0, lt=1)
    persistence: Persistence = Persistence()
    cool_down_days: float = Field(14, ge=0, le=MOST_DAYS)
    budget: Budget = Budget()
    refusals: int = Field(2, ge=1)
    mode: Literal["retrain", "approve", "recommend"] = "retrain"
    quiet_hours: str = ""
    refresh_days: float | None = Field(None, gt=0, le=MOST_DAYS)
    retrain_on: Literal["all", "rolling", "since_change"] = "all"
    rolling_days: float = Field(365, gt=0, le=MOST_DAYS)
    minimum_new_labels: int = Field(200, ge=0)
    performance_windows: int = Field(4, ge=1, le=52)
    segments: tuple[str, ...] = ()
    remind_days: float = Field(7, gt=0, le=MOST_DAYS)
    alerts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _windows_are_within_reach(self) -> Self:
        if self.window_days * self.persistence.windows > MOST_DAYS:
            raise ValueError(
                f"{counted(self.persistence.windows, 'window')} of {counted(self.window_days, 'day')} reach back "
                f"further than {MOST_DAYS} days; lower monitoring.window_days or monitoring.persistence.windows"
            )
        return self

    @field_validator("schedule")
    @classmethod
    def _is_due(cls, value: str) -> str:
        return check_schedule(value)

    @field_validator("quiet_hours")
    @classmethod
    def _is_a_span(cls, value: str) -> str:
        return check_hours(value)

    @field_validator("alerts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ALERT_KEY.fullmatch(name) for name in value):
            raise ValueError(
                "give the names of environment variables that hold the addresses, in capitals, that end in _ALERTS and "
                "do not begin with CICLO_, such as OPS_ALERTS; an address is a secret and does not belong into a "
                "project"
            )
        return value
