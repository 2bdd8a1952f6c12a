"""The data section of a project file: where the rows come from, and what their columns are."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ciclo.components.core.dates import WrittenDate
from ciclo.components.core.rules import WRITTEN, ColumnType, written
from ciclo.components.core.section import Section
from ciclo.components.core.values import folded
from ciclo.components.core.wording import did_you_mean, listed
from ciclo.components.core.written import BLANK, MINUS, DecimalMark, NegativeForm, ThousandsMark, labels, same_label

QUERY = re.compile(r"https?://[^?#]*\?([^#]*)", re.I)
# What a query may say without being a secret; of anything else nobody can know.
HARMLESS = frozenset({"version", "versionid", "format", "page", "limit", "year", "month", "day", "date", "lang"})

_KINDS = {
    "day_first": ("timestamp",),
    "dates": ("timestamp",),
    "ignore_case": ("category",),
    "map": ("category",),
}


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
        lakhs: Whether the groups between those marks are India's, as in 1,62,215.50; by default of three digits each.
        unit: What may stand before or after such a number and is no part of it, such as ``$``, ``EUR`` or ``%``.
        negative: How such a number may be written below zero, beside a minus sign in front: ``1-`` or ``(1)``; or 1
            with U+2212 in front, for this sign and for U+2013.
        day_first: For times that are written like 17/04/2023, 4.7.2026 08:30 or 4/17/2023 1:05 PM: whether the day
            comes before the month. By default only ISO 8601 is a time, which is one in any case.
        dates: For times that are written in another way, the last day of 2026 like that: ``2026/12/31``,
            ``31-Dec-2026`` (also ``Dec 31, 2026`` and ``31DEC2026``), ``20261231``, or with a year of two digits
            ``31/12/26``, ``12/31/26``, ``26/12/31`` or ``31-Dec-26``: 69 to 99 are 1969 to 1999, and 00 to 68 are 2000
            to 2068, as POSIX strptime has it.
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
    lakhs: bool = False
    unit: str = ""
    negative: NegativeForm = "-1"
    day_first: bool | None = None
    dates: WrittenDate = ""
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
        return written(self)

    @field_validator("map", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        pairs = [*value.items()] if isinstance(value, dict) else value
        if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
            return value
        return [[str(text).strip(BLANK) for text in pair] for pair in pairs]

    @field_validator("dates", "negative", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """20261231 and -1, which are numbers to YAML."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("unit")
    @classmethod
    def _is_no_part_of_a_number(cls, value: str) -> str:
        if value != value.strip() or re.search(rf"[0-9.,'\u2019()+{MINUS}-]|^[eE]$", value.rstrip(".")):
            raise ValueError(
                f"{value!r} could be part of a number; a unit has no digit, sign or mark of one, and is not E alone"
            )
        return value

    @field_validator("categories", "missing", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return [str(v).strip(BLANK) for v in value] if isinstance(value, list | tuple) else value

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
            kinds = _KINDS.get(field, ("number", "integer"))
            if self.type not in kinds:
                raise ValueError(f"{field} is for a {' or an '.join(kinds)}, not for {article} {self.type}; remove it")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands cannot both be {self.decimal!r}")
        if self.lakhs and not self.thousands:
            raise ValueError("lakhs are groups of digits between marks; say which in thousands, or remove lakhs")
        if self.dates and self.day_first is not None:
            raise ValueError("dates and day_first both say how times are written; remove one of them")
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
            settings. Of folders such as ``year=2026/`` in a folder or prefix, or matched by a pattern, the names are
            columns.
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
