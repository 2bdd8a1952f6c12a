"""Two samples of one column in the same bins, drawn as bars under each other."""

from collections.abc import Sequence

from ciclo.components.core.charts import Bar, bars
from ciclo.components.core.svg import Svg
from ciclo.components.core.wording import counted

BINS = 12


def binned_chart(
    title: str,
    names: Sequence[str],
    past: Sequence[int],
    now: Sequence[int],
    band: Sequence[tuple[float, float]] = (),
    then: str = "in training",
) -> Svg:
    """Draw a column then and now, on the band of its own windows.

    Args:
        title: What is drawn; read aloud, not drawn.
        names: Of the bins.
        past: Rows then, shape ``(bins,)``.
        now: Rows now, the same shape. Of many bins those that differ most are drawn, and the rest is summed up.
        band: Ends of the share of each bin that is usual; empty if that is not known.
        then: When that was, for those who have it read to them.
    """
    before, after = _shares(past), _shares(now)
    bands: Sequence[tuple[float | None, float | None]] = (
        band if len(band) == len(before) else [(None, None)] * len(past)
    )
    used = [i for i in range(min(len(before), len(after))) if before[i] or after[i]]
    kept = used
    if len(used) > BINS:
        kept = sorted(sorted(used, key=lambda i: (-abs(after[i] - before[i]), -before[i]))[: BINS - 1])
    rows = [Bar(names[i], before[i], after[i], *bands[i]) for i in kept]
    rest = [i for i in used if i not in set(kept)]
    if rest:
        rows.append(Bar(counted(len(rest), "other"), sum(before[i] for i in rest), sum(after[i] for i in rest)))
    return bars(title, rows, then)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [float(n) / total for n in counts]
