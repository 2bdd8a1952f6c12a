"""What cleaning did with every row, in numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ciclo.components.cleaning.duplicates import replaced_reason
from ciclo.components.cleaning.rules import UNLABELLED
from ciclo.components.core.contract import Contract
from ciclo.components.core.dates import mixed_zones
from ciclo.components.core.errors import DataError, UnusableError
from ciclo.components.core.project import Project
from ciclo.components.core.treatment import Treatment
from ciclo.components.core.wording import counted
from ciclo.components.tables.datasets import SPLITS

SOURCE_FACTS = ("digest", "bytes", "start", "end", "malformed", "dropped")


@dataclass(frozen=True)
class Cell:
    """Kept rows of one label on one side of the split.

    Attributes:
        target: The label.
        side: The side.
        rows: How many there are.
    """

    target: Any
    side: str
    rows: int


@dataclass(frozen=True)
class CleaningReport:
    """The accounts of one run.

    Attributes:
        rows: Rows in.
        quarantined: Rows quarantined.
        counted: Those of them that count against the budget: all but rows that merely have no label, and those that a
            later one replaces.
        unlabelled: Rows without a target.
        reasons: Rows by reason, the most frequent first; a row may have several.
        splits: Kept rows by side of the split.
        classes: Kept rows by class, negative first; empty for regression.
        train_classes: The classes that the training rows hold.
        missing: Share of missing values by feature, the most first.
        sides: Kept rows by class and side of the split.
        over_time: Kept rows by day and side of the split, where rows have times.
        treatments: What the policy of missing values and outliers comes to.
        dropped: Features that are left out, and why.
        zones: How many times say their zone and how many do not, by column that holds both.
    """

    rows: int
    quarantined: int
    counted: int
    unlabelled: int
    reasons: dict[str, int]
    splits: dict[str, int]
    classes: dict[str, int]
    train_classes: tuple[str, ...]
    missing: dict[str, float]
    sides: dict[str, dict[str, int]] = field(default_factory=dict)
    over_time: dict[date, dict[str, int]] = field(default_factory=dict)
    treatments: tuple[Treatment, ...] = ()
    dropped: dict[str, str] = field(default_factory=dict)
    zones: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        rows: int,
        reasons: Mapping[tuple[str, ...], int],
        project: Project,
        zones: Mapping[str, tuple[int, int]] | None = None,
    ) -> "CleaningReport":
        """Count the quarantine.

        Args:
            rows: Rows in.
            reasons: Quarantined rows by the reasons that they have together.
            project: Names the target.
            zones: How many times say their zone and how many do not, by column that holds both.
        """
        unlabelled = UNLABELLED.format(project.data.target)
        counts: Counter[str] = Counter()
        for together, number in reasons.items():
            counts.update(dict.fromkeys(together, number))
        quarantined = sum(reasons.values())
        return cls(
            rows=rows,
            quarantined=quarantined,
            counted=quarantined - reasons.get((unlabelled,), 0) - reasons.get((replaced_reason(project),), 0),
            unlabelled=counts[unlabelled],
            reasons=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
            splits={},
            classes={},
            train_classes=(),
            missing={},
            zones=dict(zones or {}),
        )

    def with_kept(self, cells: Sequence[Cell], missing: Mapping[str, int], contract: Contract) -> "CleaningReport":
        """Add what the kept rows look like.

        Args:
            cells: Rows by label and side of the split.
            missing: Missing values by feature.
            contract: Their contract.
        """
        labels: Counter[str] = Counter()
        sides: Counter[str] = Counter()
        trained: set[str] = set()
        by_class: dict[str, dict[str, int]] = {label: {} for label in contract.classes}
        for cell in cells:
            sides[cell.side] += cell.rows
            if contract.classes:
                label = contract.label_of(cell.target)
                labels[label] += cell.rows
                by_class[label][cell.side] = by_class[label].get(cell.side, 0) + cell.rows
                trained |= {label} if cell.side == "train" else set()
        shares = {name: count / max(sum(sides.values()), 1) for name, count in missing.items()}
        return replace(
            self,
            splits={side: sides[side] for side in SPLITS},
            classes={label: labels[label] for label in contract.classes},
            train_classes=tuple(label for label in contract.classes if label in trained),
            missing=dict(sorted(shares.items(), key=lambda item: -item[1])),
            sides=by_class,
        )

    def balance(self, kept: int) -> None:
        """Hold the accounts against the rows that were kept.

        Raises:
            DataError: If a row is lost or counted twice.
        """
        if kept + self.quarantined != self.rows:
            raise DataError(
                "rows were lost or counted twice: those kept and quarantined are not those that came in",
                seen=f"{kept:,} + {self.quarantined:,}, not {self.rows:,}",
            )

    def check_splits(self) -> None:
        """See that every side has rows, and the training rows every class.

        Raises:
            UnusableError: If not.
        """
        for side, rows in self.splits.items():
            if rows == 0:
                raise UnusableError(
                    f"the {side} split has no rows",
                    seen=_listed(self.splits),
                    hint="Give more rows, or change cleaning.split.",
                )
        absent = [label for label in self.classes if label not in self.train_classes]
        if absent:
            raise UnusableError(
                f"the training rows have no row of class {', '.join(absent[:5])}",
                seen=_listed(self.classes),
                hint="Give more rows, take the class out of the source, or set cleaning.split.method to hash.",
            )

    @property
    def kept(self) -> int:
        """Rows kept."""
        return self.rows - self.quarantined

    @property
    def worst(self) -> str:
        """The most frequent reasons."""
        return "; ".join(f"{count:,} x {reason}" for reason, count in list(self.reasons.items())[:3])

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        text = f"{self.kept:,} of {counted(self.rows, 'row')} kept ({_listed(self.splits)})"
        parts = [text, *([f"{self.quarantined:,} quarantined"] if self.quarantined else [])]
        parts += [f"'{name}' dropped: {why}" for name, why in self.dropped.items()]
        return ", ".join([*parts, *(f"'{name}': {mixed_zones(*counts)}" for name, counts in self.zones.items())]) + "."

    @property
    def figures(self) -> dict[str, int | float | str]:
        """Rows in, kept, set aside, and by side of the split."""
        return {"source_rows": self.rows, "rows": self.kept, "quarantined": self.quarantined, **self.splits}

    def metadata(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Flat facts for the dataset, with those of what it was made from.

        Args:
            source: What ingestion says of the records it read.
        """
        return {
            **{name: source[name] for name in SOURCE_FACTS if name in source},
            **self.figures,
            "classes": ", ".join(self.classes),
            **({"dropped": ", ".join(self.dropped)} if self.dropped else {}),
        }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:10])
