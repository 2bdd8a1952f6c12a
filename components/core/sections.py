"""The sections of a project file, each an immutable object that checks what it can see by itself."""

import math
import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ciclo.components.core.metrics import Task
from ciclo.components.core.schedule import check_hours, check_schedule
from ciclo.components.core.values import ColumnType, folded
from ciclo.components.core.wording import did_you_mean, listed
from ciclo.components.core.written import DecimalMark, ThousandsMark, labels, same_label

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
MOST_DAYS = 36_500  # a century: a date that much earlier or later is still one
ALERT_KEY = re.compile(r"(?!CICLO_)[A-Z][A-Z0-9_]*_ALERTS")
QUERY = re.compile(r"https?://[^?#]*\?([^#]*)", re.I)
# What a query may say without being a secret; of anything else nobody can know.
HARMLESS = frozenset({"version", "versionid", "format", "page", "limit", "year", "month", "day", "date", "lang"})


WRITTEN = (
    "decimal",
    "thousands",
    "day_first",
    "ignore_case",
    "map",
)  # fields of a column that say how its text is written


class Section(BaseModel):
    """Base of every part of the project: immutable, a misspelt field is an error, and every number is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Infrastructure(Section):
    """What the users of the predictions need of the service; the model card shows whether it is met.

    Attributes:
        latency_ms: Longest time the model may take for one row, in 95 of 100 cases.
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


class Column(Section):
    """One column of the source.

    Attributes:
        type: How its values are read.
        role: ``feature`` or ``ignored``; the target, the time and the ids are named in ``data``.
        minimum: Smallest allowed number; a row below it is quarantined.
        maximum: Largest allowed number.
        categories: Allowed values of a category; empty means any.
        missing: Words that stand for a missing value in this column, such as ``NA``; blank text and null always do.
        nullable: Whether a value may be missing.
        cycle: After how much a number comes round to the same, such as 24 for the hour of the day or 360 for a wind
            direction in degrees: linear models, neighbours and support vectors are given its sine and cosine as well.
        decimal: What stands before the decimals of a number that is written as text, a point or a comma.
        thousands: What may stand between thousands in such a number: a comma, a point, a space or an apostrophe; by
            default nothing.
        day_first: For times that are written like 17/04/2023, 4.7.2026 08:30 or 4/17/2023 1:05 PM: whether the day
            comes before the month. By default only ISO 8601 is a time, which is one in any case.
        ignore_case: Whether a value that differs from one of the categories only in case or in spaces is taken for it.
        map: Spellings of a category, each with the level it stands for, such as ``{NYC: New York}``.
        why: Why the column is ignored or restricted, for the next reader.
    """

    type: ColumnType
    role: Literal["feature", "ignored"] = "feature"
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    nullable: bool = True
    cycle: float | None = Field(None, gt=0)
    decimal: DecimalMark = "."
    thousands: ThousandsMark = ""
    day_first: bool | None = None
    ignore_case: bool = False
    map: tuple[tuple[str, str], ...] = ()
    why: str = ""

    def reading(self) -> dict[str, object]:
        """What decides how a value is read: two columns that agree in this read every value alike.

        How text is written is left out where it is plain, so that the models of before this could be said compare.
        """
        read = self.model_dump(
            mode="json", exclude={"role", "why", "minimum", "maximum", "nullable", "cycle", *WRITTEN}
        )
        return {**read, **self.written}

    @property
    def written(self) -> dict[str, object]:
        """How its text is written, where that is not plain."""
        fields = type(self).model_fields
        return {name: value for name in WRITTEN if (value := getattr(self, name)) != fields[name].default}

    @field_validator("map", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        pairs = [*value.items()] if isinstance(value, dict) else value
        if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
            return value
        return [[str(text).strip() for text in pair] for pair in pairs]

    @field_validator("categories", "missing", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return [str(v).strip() for v in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _rules_belong_to_the_type(self) -> Self:
        if self.type not in ("number", "integer"):
            for field, limit in (("minimum", self.minimum), ("maximum", self.maximum), ("cycle", self.cycle)):
                if limit is not None:
                    raise ValueError(f"{field} is for a number or an integer, not for a {self.type}; remove it")
        if self.categories and self.type != "category":
            article = "an" if self.type == "integer" else "a"
            raise ValueError(f"categories are for a category, not for {article} {self.type}; remove them")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(
                f"minimum {self.minimum:.15g} is above maximum {self.maximum:.15g}: no value could be kept"
            )
        return self

    @model_validator(mode="after")
    def _text_is_written_as_its_type_can_be(self) -> Self:
        article = "an" if self.type == "integer" else "a"
        for field in self.written:
            kinds = {"day_first": ("timestamp",), "ignore_case": ("category",), "map": ("category",)}.get(
                field, ("number", "integer")
            )
            if self.type not in kinds:
                raise ValueError(f"{field} is for a {' or an '.join(kinds)}, not for {article} {self.type}; remove it")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands cannot both be {self.decimal!r}")
        if self.ignore_case and len(labels(self.categories)) < max(len(self.categories), 1):
            raise ValueError("ignore_case needs categories that differ in more than case or spaces")
        return self

    @model_validator(mode="after")
    def _a_spelling_stands_for_one_level(self) -> Self:
        common = (lambda text: same_label(folded(text))) if self.ignore_case else folded
        keys, levels = [common(key) for key, _ in self.map], {level for _, level in self.map}
        missing = {*map(folded, self.missing)}
        for key, level in self.map:
            if not key or not level:
                raise ValueError("map: neither a spelling nor a level can be blank; blank text is a missing value")
            if self.categories and level not in self.categories:
                raise ValueError(f"map: '{level}' is not among categories{did_you_mean(level, self.categories)}")
            if common(key) in {*map(common, (*self.categories, *levels))}:
                raise ValueError(f"map: '{key}' is a level itself, so that it cannot stand for another")
            if keys.count(common(key)) > 1:
                raise ValueError(f"map: '{key}' is given twice")
            if {folded(key), folded(level)} & missing:
                raise ValueError(f"map: '{key}' or '{level}' is among missing, which comes first; remove one of them")
        return self

    @model_validator(mode="after")
    def _a_word_is_missing_or_a_category(self) -> Self:
        if both := sorted({*map(folded, self.missing)} & {*map(folded, self.categories)}):
            raise ValueError(f"{listed(both)} cannot be among both missing and categories")
        return self


class Data(Section):
    """Where the rows come from and what they look like.

    Attributes:
        source: A path, a folder or a pattern such as ``data/*.csv``; ``s3://bucket/key``, a prefix that ends in ``/``,
            or a pattern; ``https://``; or ``postgresql://host/database`` with a query. Users and passwords are
            settings.
        query: What to select from a database, as one SELECT.
        format: CSV, Parquet or JSON lines; by default found in each file. Text may be packed with gzip or zstd.
        delimiter: Of a CSV file; by default the one that cuts its first records alike.
        header: Whether the first record of a CSV file names the columns; without one they are column_1, column_2 and so
            on. By default there is one, and a first record that looks like values is asked about.
    """

    source: str = Field(min_length=1)
    query: str = ""
    format: Literal["auto", "csv", "parquet", "jsonl"] = "auto"
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    header: bool | None = None
    target: str = Field(min_length=1)
    time_column: str | None = None
    id_columns: tuple[str, ...] = ()
    columns: dict[str, Column] = Field(min_length=1)
    row_budget: int = Field(5_000_000, gt=0)

    @model_validator(mode="after")
    def _only_a_database_is_queried(self) -> Self:
        is_database = self.source.startswith(("postgresql://", "postgres://"))
        if is_database and not self.query:
            raise ValueError("source is a database; write what to select into query")
        if self.query and not is_database:
            raise ValueError("query is for a postgresql:// source; remove it")
        return self

    @field_validator("source")
    @classmethod
    def _without_a_query(cls, value: str) -> str:
        for query in QUERY.findall(value):
            if not {part.partition("=")[0].lower() for part in re.split("[&;]", query)} <= {*HARMLESS, ""}:
                raise ValueError(
                    "the query of an address may hold a secret and does not belong into a project; give it without, "
                    f"or with {listed(sorted(HARMLESS))} alone"
                )
        return value

    @model_validator(mode="after")
    def _only_csv_has_a_delimiter_and_a_header(self) -> Self:
        for field, value in (("delimiter", self.delimiter), ("header", self.header)):
            if value is not None and self.format not in ("auto", "csv"):
                raise ValueError(f"{field} is for CSV files, and format is {self.format}; remove one of them")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        named = {"target": (self.target,), "time_column": (self.time_column,), "id_columns": self.id_columns}
        for field, names in named.items():
            for name in names:
                if name is not None and name not in self.columns:
                    raise ValueError(
                        f"{field} names '{name}', which is not among columns{did_you_mean(name, self.columns)}"
                    )
        if self.time_column is not None and self.columns[self.time_column].type != "timestamp":
            raise ValueError(f"time_column '{self.time_column}' has to be of type timestamp")
        if self.columns[self.target].type == "timestamp":
            raise ValueError(f"target '{self.target}' cannot be a timestamp")
        return self

    @model_validator(mode="after")
    def _rules_are_obeyed(self) -> Self:
        checked = {self.target, self.time_column, *self.id_columns}
        for name, column in self.columns.items():
            if name in checked or (column.role == "feature" and column.type != "timestamp"):
                continue
            limits = {"minimum": column.minimum, "maximum": column.maximum, "categories": column.categories or None}
            rules = [rule for rule, limit in limits.items() if limit is not None]
            if rules := [*rules, *(() if column.nullable else ("nullable",))]:
                raise ValueError(
                    f"column '{name}' is only carried along, and no row is refused for what it holds; "
                    f"remove {listed(rules)}"
                )
        return self


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

    checks: dict[CheckName, Level] = {}
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
            better for a binary task, ``none``, or by ``sigmoid`` or ``isotonic`` in any case.
    """

    estimator: str
    search: dict[str, tuple[bool | float | int | str | None, ...] | Range] = {}
    calibration: Literal["auto", "none", "sigmoid", "isotonic"] = "auto"


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
    candidates: dict[str, Candidate] = {}
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
            raise ValueError(f"{self.alarms} alarms cannot show in {self.windows} windows")
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
                f"{self.persistence.windows} windows of {self.window_days:g} days reach back further than "
                f"{MOST_DAYS} days; lower monitoring.window_days or monitoring.persistence.windows"
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
