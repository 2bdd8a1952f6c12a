"""What a first project file says of columns that know the answer: beyond doubt they are left out, else it is noted."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import LINE
from ciclo.components.drafting.columns import Guess
from ciclo.components.drafting.draft import Draft
from ciclo.components.sources.layout import Source
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.evidence import ranks_alike
from ciclo.components.tables.leaks import STRONG, Leak, leaks
from ciclo.components.tables.relations import Halves
from ciclo.components.tables.stacking import typed_frame

LIMIT = 0.99
_SAMPLE = 40_000


def sample_of(source: Source, draft: Draft) -> pd.DataFrame:
    """Rows of a source from its first to its last, typed as the draft has them; at most about 40,000."""
    stride = max(source.rows // _SAMPLE, 1)
    rows = typed_frame(source.table.filter(source.table[LINE] % stride == 0), draft.project.data.columns, LINE)
    return rows[rows[draft.target].notna()].reset_index(drop=True)


def without_suspects(draft: Draft, rows: pd.DataFrame) -> Draft:
    """Leave out what surely knows the answer, and note what may.

    Args:
        draft: The draft.
        rows: From ``sample_of``.
    """
    project, contract = draft.project, Contract.of(draft.project, draft.wanted.classes)
    first, second = (Dataset(contract, rows[side]) for side in _sides(draft, rows))
    found = leaks(first, second, LIMIT)
    columns, left = dict(draft.columns), set(project.features)
    for leak in found.found:
        certain = leak.level == "error" and left > set(leak.columns)
        left -= set(leak.columns) if certain else set()
        for name in leak.columns:
            columns[name] = _left_out(columns[name], leak, name) if certain else _noted(columns[name], leak, name)
    orders = {name: columns[name].noted(text) for name, text in _orders(draft, first, second).items()}
    return replace(draft, columns=columns | orders)


def _sides(draft: Draft, rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Two halves by chance, with the rows of one person or thing on one side."""
    rng = np.random.default_rng(0)
    if draft.group is None:
        first = rng.permutation(len(rows)) % 2 == 0
    else:
        group = pd.factorize(rows[draft.group], use_na_sentinel=False)[0]
        first = (rng.permutation(group.max() + 1) % 2 == 0)[group]
    chosen = pd.Series(first, index=rows.index)
    return chosen, ~chosen


def _with(leak: Leak, name: str) -> str:
    others = [f"'{other}'" for other in leak.columns if other != name]
    return f" together with {' and '.join(others)}" if others else ""


def _left_out(guess: Guess, leak: Leak, name: str) -> Guess:
    how = _with(leak, name) or " on its own"
    return replace(guess, ignored=f"tells the target{how} (score {leak.score:.3f}): a leak?")


def _noted(guess: Guess, leak: Leak, name: str) -> Guess:
    texts = {
        "perfect": f"a first model scores {leak.score:.3f}, and this carries it{_with(leak, name)}",
        "carrier": f"{leak.what}, and scores {leak.score:.3f} alone",
        "order": f"its order tells the target (score {leak.score:.3f})",
    }
    alone = "" if _with(leak, name) else " on its own"
    text = texts.get(leak.kind, f"tells the target{alone}{_with(leak, name)} (score {leak.score:.3f})")
    return guess.noted(f"{text}: is it known before the outcome?")


def _orders(draft: Draft, first: Dataset, second: Dataset) -> dict[str, str]:
    """Ids whose order tells the target: given after the outcome, or the file is sorted by it."""
    ids = [name for name, guess in draft.columns.items() if guess.is_id and guess.type == "integer"]
    if not ids:
        return {}
    taught, asked = (half.rows[ids].astype("float64").to_numpy() for half in (first, second))
    contract = first.contract
    known = Halves(contract.task, contract.codes, ids, frozenset(), taught, asked, first.y, second.y)
    scores = {name: known.score(known.alone(at, leaves=None)) for at, name in enumerate(ids)}
    if contract.task == "regression":
        ranks = rankdata(second.y)
        scores = {n: max(scores[n], ranks_alike(rankdata(asked[:, at]), ranks)) for at, n in enumerate(ids)}
    return {
        name: f"its order tells the target (score {score:.3f}): ids given after the outcome, or a file sorted by it"
        for name, score in scores.items()
        if score > STRONG
    }
