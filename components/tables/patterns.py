"""How many different rows a table has: whether sides that keep equal rows together are of any use.

Where few patterns hold most rows, the share of a side depends on which of them fall on it, and a test row is like no
row of training. With sides by a hash of the pattern the share of a side p scatters by sqrt(p (1 - p) S), where S is the
chance that two rows drawn at random are equal: the test rows, 15 % by default, by five points where S is 1/50. S is
Simpson's index (Simpson, Measurement of Diversity, 1949); 1/S is the effective number of patterns.
"""

from dataclasses import dataclass

import numpy as np

from ciclo.components.core.metrics import Array
from ciclo.components.core.wording import counted

MOST_ALIKE = 1 / 50
SAMPLED = 100_000  # rows that tell the chance well enough


@dataclass(frozen=True)
class Patterns:
    """The different rows of a table.

    Attributes:
        different: How many there are.
        rows: Of how many rows.
        alike: Chance that two rows drawn at random are equal.
    """

    different: int
    rows: int
    alike: float

    @classmethod
    def of(cls, sizes: Array) -> "Patterns":
        """Count them.

        Args:
            sizes: Rows of each pattern, shape ``(patterns,)``.
        """
        rows = int(sizes.sum())
        counts = np.asarray(sizes, dtype="float64")
        return cls(len(sizes), rows, float((counts * (counts - 1)).sum()) / max(rows * (rows - 1), 1))

    @property
    def few(self) -> bool:
        """Whether they are too few for sides that keep equal rows together."""
        return self.alike > MOST_ALIKE

    @property
    def text(self) -> str:
        """What was counted, in words."""
        return (
            f"{counted(self.different, 'different pattern')} in {counted(self.rows, 'row')}, and {self.alike:.1%} of "
            f"all pairs of rows are equal, where {MOST_ALIKE:.0%} are the most"
        )
