"""``project.yaml`` as an object: the charter of one use case, whole, with the rules that hold between its sections.

Everything but ``data`` has a default that a careful practitioner would choose. Files are read by ``project_file``.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Literal, Self
from urllib.parse import unquote

from pydantic import BaseModel, Field, model_validator

from ciclo.components.core.cleaning_policy import Cleaning, lasting, policy_problems
from ciclo.components.core.data_sections import Column, Data
from ciclo.components.core.estimators import problem_of
from ciclo.components.core.metrics import DEFAULT_METRIC, Metric, Task, metric_named
from ciclo.components.core.own_columns import is_own
from ciclo.components.core.section import Section
from ciclo.components.core.sections import Candidate, Deployment, Design, Evaluation, Monitoring, Training, Validation
from ciclo.components.core.wording import did_you_mean

# What a name or password in an address, or a key in its query, looks like.
SECRET = re.compile(
    r"://[^/?#\s]*@|://[^/?#]*:[^/?#]*@|"
    r"[?&;#][^=&;\s/]*(token|sig|secret|passw|pwd|credential|key|auth|jwt|session)[^=&;\s/]*=",
    re.I,
)

DEFAULT_CANDIDATES: dict[bool, tuple[str, ...]] = {
    True: (
        "logistic_regression",
        "random_forest",
        "extra_trees",
        "gradient_boosting",
        "nearest_neighbours",
        "support_vectors",
    ),
    False: (
        "elastic_net",
        "random_forest",
        "extra_trees",
        "gradient_boosting",
        "nearest_neighbours",
        "support_vectors",
    ),
}


NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def _texts(raw: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a document, the names of its fields too, with where it is."""
    if isinstance(raw, str):
        yield path, raw
    elif isinstance(raw, BaseModel):
        yield from _texts(dict(raw), path)
    elif isinstance(raw, dict):
        for key, value in raw.items():
            yield path, str(key)
            yield from _texts(value, f"{path}.{key}" if path else str(key))
    elif isinstance(raw, list | tuple):
        for value in raw:
            yield from _texts(value, path)


class Project(Section):
    """One use case, whole."""

    name: str = Field(pattern=f"^{NAME.pattern}$")
    data: Data
    design: Design = Design()
    cleaning: Cleaning = Cleaning()
    validation: Validation = Validation()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    deployment: Deployment = Deployment()
    monitoring: Monitoring = Monitoring()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.features:
            raise ValueError("data.columns: at least one column has to be a feature")
        if own := [name for name in self.data.columns if is_own(name)]:
            raise ValueError(f"data.columns.{own[0]}: such names are Ciclo's own; rename the column in the source")
        for field, names in (
            ("cleaning.missing.delete", self.cleaning.missing.delete),
            ("evaluation.slices", self.evaluation.slices),
            ("evaluation.unchanged_by", self.evaluation.unchanged_by),
            ("evaluation.rises_with", self.evaluation.rises_with),
            ("evaluation.falls_with", self.evaluation.falls_with),
            ("monitoring.segments", self.monitoring.segments),
            ("design.simple_rule.column", (self.design.simple_rule.column,) if self.design.simple_rule else ()),
        ):
            for name in names:
                if name not in self.data.columns:
                    raise ValueError(f"{field}: there is no column '{name}'{did_you_mean(name, self.data.columns)}")
        if apart := [name for name in self.monitoring.segments if name not in self.features]:
            raise ValueError(f"monitoring.segments: '{apart[0]}' is no feature, so the model is not asked with it")
        if self.cleaning.split.method == "time" and self.data.time_column is None:
            raise ValueError("cleaning.split.method: a time split needs data.time_column")
        for size in (self.cleaning.split.validation, self.cleaning.split.test):
            if isinstance(size, str) and self.split_method == "hash":
                raise ValueError("cleaning.split: days are for a time split; give shares such as 0.15")
        self._check_group()
        self.metric  # noqa: B018  (raises where the metric does not fit the task)
        return self

    def _check_group(self) -> None:
        group, field = self.cleaning.split.group, "cleaning.split.group"
        if group is None:
            return
        if group not in self.data.columns:
            raise ValueError(f"{field}: there is no column '{group}'{did_you_mean(group, self.data.columns)}")
        if group in (self.data.target, self.data.time_column):
            raise ValueError(f"{field}: '{group}' is the target or the time; name the column of the people or things")
        if self.split_method == "time":
            raise ValueError(f"{field}: a split by time has no groups; remove it, or set cleaning.split.method to hash")

    @model_validator(mode="after")
    def _the_policy_fits_the_columns(self) -> Self:
        for problem in policy_problems(self.cleaning, self.data.columns, self.features):
            raise ValueError(problem)
        rule = (self.design.simple_rule.column,) if self.design.simple_rule else ()
        stay = lasting(self.cleaning, self.features)
        for field, names in (
            ("monitoring.segments", self.monitoring.segments),
            ("evaluation.rises_with", self.evaluation.rises_with),
            ("evaluation.falls_with", self.evaluation.falls_with),
            ("design.simple_rule.column", rule),
        ):
            if dropped := [name for name in names if name in self.features and name not in stay]:
                raise ValueError(
                    f"{field}: '{dropped[0]}' may be dropped by cleaning.missing.columns; remove drop_above there"
                )
        return self

    @model_validator(mode="after")
    def _test_rows_stay_unseen(self) -> Self:
        if self.training.refit and self.split_method == "hash":
            raise ValueError(
                "training.refit: with a split by hash the same rows test every version, and a refit would have seen "
                "them for ever; remove it, or split by time"
            )
        return self

    @model_validator(mode="after")
    def _the_positive_class_is_used(self) -> Self:
        if self.training.positive is not None and self.task != "binary":
            raise ValueError(
                f"training.positive: only a binary task has one, and this one is {self.task}; remove it, or set "
                "training.task to binary"
            )
        return self

    @model_validator(mode="after")
    def _the_simple_rule_can_be_tried(self) -> Self:
        if self.design.simple_rule is None:
            return self
        name = self.design.simple_rule.column
        kind = self.data.columns[name].type
        if kind not in ("number", "integer", "boolean"):
            raise ValueError(
                f"design.simple_rule.column: '{name}' is a {kind}; give a number, an integer or a boolean, which can "
                "reach a value"
            )
        if name not in self.features:
            raise ValueError(f"design.simple_rule.column: '{name}' is not a feature, and the rule is tried on features")
        return self

    @model_validator(mode="after")
    def _candidates_exist(self) -> Self:
        for name, candidate in self.training.candidates.items():
            if problem := problem_of(candidate.estimator, candidate.search, self.task):
                raise ValueError(f"training.candidates.{name}.{problem}")
            if candidate.calibration != "auto" and self.task == "regression":
                raise ValueError(
                    f"training.candidates.{name}.calibration: a regression task has no probabilities; remove it"
                )
            if candidate.calibration == "temperature" and self.task == "binary":
                raise ValueError(
                    f"training.candidates.{name}.calibration: temperature is for more than two classes; use sigmoid"
                )
        return self

    @model_validator(mode="after")
    def _errors_have_a_cost_each_way(self) -> Self:
        if self.evaluation.costs is not None and self.task != "binary":
            raise ValueError(
                f"evaluation.costs: they decide the label's threshold of a binary task, and this one is {self.task}; "
                "remove them"
            )
        return self

    @model_validator(mode="after")
    def _directions_can_be_tried(self) -> Self:
        for field in ("rises_with", "falls_with"):
            for name in getattr(self.evaluation, field):
                if self.task == "multiclass":
                    raise ValueError(
                        f"evaluation.{field}: an answer of many classes neither rises nor falls; remove it"
                    )
                if name not in self.features or self.features[name].type not in ("number", "integer", "boolean"):
                    raise ValueError(f"evaluation.{field}: '{name}' is no feature that is a number, so it cannot rise")
        if both := set(self.evaluation.rises_with) & set(self.evaluation.falls_with):
            raise ValueError(f"evaluation.rises_with: '{min(both)}' is in evaluation.falls_with too; give one of them")
        return self

    @model_validator(mode="after")
    def _slices_can_be_scored(self) -> Self:
        slices, floor, target = self.evaluation.slices, self.evaluation.slice_floor, self.data.target
        if target in slices and self.task != "regression":
            raise ValueError(f"evaluation.slices: '{target}' is the target, and rows of one class tell nothing apart")
        if twice := next((name for name in slices if slices.count(name) > 1), None):
            raise ValueError(f"evaluation.slices: '{twice}' appears twice; name it once")
        if floor is None:
            return self
        if not slices:
            raise ValueError("evaluation.slice_floor: evaluation.slices names no column to cut by; give one")
        if floor > 1 and self.metric.has_scale:
            raise ValueError(f"evaluation.slice_floor: {floor:g} is above 1, which is the best {self.metric.name}")
        if floor < 0 and not self.metric.has_scale:
            raise ValueError(f"evaluation.slice_floor: {floor:g} is below 0, which is the best {self.metric.name}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _without_secrets(cls, raw: object) -> object:
        for path, text in _texts(raw):
            if SECRET.search(text) or SECRET.search(unquote(text)):
                place = f"{path}: " if path else ""
                raise ValueError(
                    f"{place}an address with a password, a token or a key does not belong into a project; give it "
                    "without, and the secret in the environment"
                )
        return raw

    @property
    def task(self) -> Task:
        """The task: as stated, or what the type of the target makes of it."""
        if self.training.task is not None:
            return self.training.task
        target = self.data.columns[self.data.target]
        if target.type == "boolean":
            return "binary"
        if target.type == "category":
            return "binary" if len(target.categories) == 2 else "multiclass"
        return "regression"

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return metric_named(self.training.metric or DEFAULT_METRIC[self.task], self.task)

    @cached_property
    def features(self) -> dict[str, Column]:
        """The columns a model may see, by name and in their order."""
        others = {self.data.target, self.data.time_column, self.cleaning.split.group, *self.data.id_columns}
        return {
            name: column
            for name, column in self.data.columns.items()
            if column.role == "feature" and name not in others and column.type != "timestamp"
        }

    @property
    def split_method(self) -> Literal["hash", "time"]:
        """How rows are divided, with ``auto`` resolved."""
        if self.cleaning.split.method == "auto":
            return "time" if self.data.time_column and self.cleaning.split.group is None else "hash"
        return self.cleaning.split.method

    @property
    def entity_columns(self) -> tuple[str, ...]:
        """The columns that tell whose a row is: the group of the split, else the ids."""
        return (self.cleaning.split.group,) if self.cleaning.split.group else tuple(self.data.id_columns)

    @property
    def refits(self) -> bool:
        """Whether a model that passed its gate is fitted anew on all labelled rows.

        By default where the split is by time and labels come before long: until they do, nobody can say how good the
        refitted model is, while of the tested one performance can be estimated.
        """
        if self.training.refit is not None:
            return self.training.refit
        known_after = self.monitoring.performance_windows * self.monitoring.window_days
        return self.split_method == "time" and self.design.label_delay_days <= known_after

    @property
    def candidates(self) -> dict[str, Candidate]:
        """The candidates to fit, by name; the defaults for the task if none are given."""
        if self.training.candidates:
            return self.training.candidates
        return {name: Candidate(estimator=name) for name in DEFAULT_CANDIDATES[self.task != "regression"]}
