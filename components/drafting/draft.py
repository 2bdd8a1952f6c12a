"""A project file as text, with a comment on every guess."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import yaml

from ciclo.components.core.metrics import DEFAULT_METRIC
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.wording import counted, listed
from ciclo.components.drafting.columns import Guess
from ciclo.components.drafting.target import TargetGuess
from ciclo.components.sources.layout import Source

# As ``yaml.SafeLoader``, and where libyaml is there in its words, ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REPEATED = 0.01
_SHOWN = 10
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Draft:
    """What is guessed of a project.

    Attributes:
        name: Its name.
        source: Its source.
        target: The column to predict.
        wanted: What the target is taken for.
        columns: What each column is taken for, the target too.
        time_column: The column by which rows are split, if there is one.
        repeated: Share of the rows that are the same as another one.
        header: Whether the file has a header, where that had to be told.
        delimiter: Between two fields, where that had to be told.
        group: The column whose values are each kept on one side of the split, if there is one.
        malformed: What is to be said of malformed records, if there are any; else empty.
        few: How few different rows there are, where that is too few to keep equal ones on one side; else empty.
    """

    name: str
    source: str
    target: str
    wanted: TargetGuess
    columns: dict[str, Guess]
    time_column: str | None
    repeated: float
    header: bool | None = None
    delimiter: str | None = None
    group: str | None = None
    few: str = ""
    malformed: str = ""

    @cached_property
    def project(self) -> Project:
        """The draft as a project.

        Raises:
            ProjectError: If it is not valid, as with a name that is none.
        """
        return project_from_mapping(yaml.load(self.text(), _LOADER), origin="the proposed project")  # noqa: S506

    def text(self, source: Source | None = None) -> str:
        """The project file.

        Args:
            source: What was read, for the comment at its head.
        """
        return "\n".join(
            [
                *self._head(source),
                f"name: {scalar(self.name)}",
                "",
                "data:",
                f"  source: {scalar(self.source)}",
                *([] if self.delimiter is None else [f"  delimiter: {scalar(self.delimiter)}"]),
                *([] if self.header is None else [f"  header: {str(self.header).lower()}"]),
                f"  target: {scalar(self.target)}",
                *self._roles(),
                "  columns:",
                *(self._column(name, guess) for name, guess in self.columns.items()),
                *self._cleaning(),
                "",
                "training:",
                *self._training(),
                "",
            ]
        )

    def _head(self, source: Source | None) -> list[str]:
        lines = [
            "# A first guess from the values alone. Read every line: what is known only after the outcome, what may"
        ]
        lines += ["# not be used, and what an unlikely value is, no file can say of itself."]
        if source is not None:
            lines.append(f"# {counted(source.rows, 'row')}, {counted(len(self.columns), 'column')}.")
            lines += [_comment(self.malformed)] if self.malformed else []
            lines += [_comment(f"{n!r} is left out: it holds {kind}.") for n, kind in source.unusable.items()]
            if others := [repr(n) for n in source.dropped if n not in source.unusable]:
                lines.append(_comment(f"Left out, as the first file has no such column: {listed(others, _SHOWN)}."))
        ignored = [f"{n!r} ({g.ignored})" for n, g in self.columns.items() if g.ignored and n != self.time_column]
        if ignored:
            lines.append(_comment(f"No feature: {listed(ignored, _SHOWN)}."))
        return lines

    def _roles(self) -> list[str]:
        lines = []
        if self.time_column is not None:
            why = "the column that can be the time of a row: the last rows are the test"
            lines.append(f"  time_column: {scalar(self.time_column)} # {why}")
        ids = [scalar(name) for name, guess in self.columns.items() if guess.is_id]
        if ids:
            lines.append(f"  id_columns: [{', '.join(ids)}] # a value of its own in every row")
        return lines

    def _column(self, name: str, guess: Guess) -> str:
        fields: dict[str, Any] = {"type": guess.type}
        if guess.categories:
            fields["categories"] = "[" + ", ".join(map(scalar, guess.categories)) + "]"
        if guess.missing:
            fields["missing"] = "[" + ", ".join(map(scalar, guess.missing)) + "]"
        fields |= {name: scalar(v) if isinstance(v, str) else str(v).lower() for name, v in guess.written.items()}
        if guess.ignored and name != self.time_column:
            fields |= {"role": "ignored", "why": scalar(guess.ignored)}
        inner = ", ".join(f"{key}: {value}" for key, value in fields.items())
        return f"    {scalar(name)}: {{{inner}}} {_comment(guess.saw + guess.why_missing)}"

    def _cleaning(self) -> list[str]:
        lines = []
        if self.repeated > _REPEATED:
            why = f"{self.repeated:.1%} of the rows are the same as another one, and no column names them"
            lines.append(f"  duplicates: all # {why}")
        if self.group is not None:
            why = "all rows of one value are on one side, so that nobody is tested on people or things he knows"
            lines.append(f"  split: {{group: {scalar(self.group)}}} # {why}")
        elif self.few:
            lines.append(f"  split: {{equal_rows: apart}} {_comment(self.few)}")
        return ["", "cleaning:", *lines] if lines else []

    def _training(self) -> list[str]:
        task, positive = self.wanted.task, self.wanted.positive
        lines = [f"  task: {task} # from the values of the target"]
        if positive:
            lines.append(
                f"  positive: {scalar(positive)} # the class that is looked for: by its name, or the rarer one"
            )
        return [*lines, f"  metric: {DEFAULT_METRIC[task]} # the usual one for this task; it decides what is better"]


@cache
def scalar(text: str) -> str:
    """Text as YAML on one line, in quotes unless it is a plain word."""
    if _PLAIN.fullmatch(text) and yaml.load(text, _LOADER) == text:  # noqa: S506  (a SafeLoader)
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9).strip()


def _comment(text: str) -> str:
    return "# " + _UNPRINTABLE.sub("?", " ".join(text.split()))
