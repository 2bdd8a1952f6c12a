"""How many leaks does validation find, and how often does it cry wolf? 23 kinds of leak, and tables without one."""

from collections import Counter

import numpy as np

from benchmarks.leaking import BUNDLED, HARDER, KINDS, bundled, clean_table, finds, leak_findings, prepared, table
from benchmarks.watching import share, show, side_by_side
from ciclo.components.core.metrics import Task
from ciclo.components.core.verdict import Check
from ciclo.components.tables.relations import relations

SEEDS = 20
IGNORED = {"people on both sides": ("person",), "test rows from training": ("entry",)}
ALL = KINDS | HARDER
CLEAN: dict[str, tuple[Task, int, int, tuple[float, ...]]] = {
    "two classes, 2,000 rows": ("binary", 2_000, 0, ()),
    "three classes, 2,000 rows": ("multiclass", 2_000, 0, ()),
    "a number, 2,000 rows": ("regression", 2_000, 0, ()),
    "two classes, 400 rows": ("binary", 400, 0, ()),
    "60 rows, 300 columns of noise": ("binary", 60, 300, ()),
    "1,000 rows, 200 columns of noise": ("binary", 1_000, 200, ()),
    "one strong column (AUC .96)": ("binary", 2_000, 0, (4.0,)),
    "two strong columns (AUC .97)": ("binary", 2_000, 0, (4.0, 4.0)),
    "two strong columns (AUC .99)": ("binary", 2_000, 0, (8.0, 8.0)),
    "a number, 98 % explained by two columns": ("regression", 2_000, 0, (5.0, 5.0)),
}


def main() -> None:
    """Print two tables."""
    tasks = [(name, seed) for name in ALL for seed in range(SEEDS)]
    rows = []
    found = side_by_side(of_kind, tasks)
    for name, kind in ALL.items():
        part = [one for (other, _), one in zip(tasks, found, strict=True) if other == name]
        hits, errors, trees = (sum(one[at] for one in part) for at in range(3))
        rows.append((name, kind.level, *(share(n, len(part)) for n in (hits, errors, trees))))
    note = "The last seven were made after the search, to see where it ends. Single tree: what a small tree on one "
    note += "column would have refused."
    show("Leaks found and named", ("kind", "asked", "found", "as an error", "single tree"), rows, note)
    tasks = [(name, seed) for name in CLEAN for seed in range(SEEDS)]
    tasks += [(name, seed) for name in BUNDLED for seed in range(SEEDS)]
    found = side_by_side(of_clean, tasks)
    rows = []
    for name in (*CLEAN, *BUNDLED):
        part = [one for (other, _), one in zip(tasks, found, strict=True) if other == name]
        levels = Counter(level for one in part for level in {check.level for check in one})
        words = Counter(check.name for one in part for check in one)
        listed = ", ".join(f"{word} {count}" for word, count in words.most_common())
        rows.append((name, len(part), share(levels["error"], len(part)), share(levels["warning"], len(part)), listed))
    show("Tables without a leak", ("table", "times", "with an error", "with a warning", "which"), rows)


def of_kind(task: tuple[str, int]) -> tuple[bool, bool, bool]:
    """Whether a leak is found, whether as an error, and whether one small tree on one column finds it."""
    name, seed = task
    kind = ALL[name]
    project, rows = prepared(table(kind, seed), kind.task, IGNORED.get(name, ()))
    checks = leak_findings(project, rows)
    alone = relations(rows.split("train"), rows.split("validation"))
    tree = max(np.nan_to_num(score) for score in alone.values()) > project.validation.leakage
    return finds(kind, checks), any(check.level == "error" for check in checks), bool(tree)


def of_clean(task: tuple[str, int]) -> list[Check]:
    """What is found in a table without a leak."""
    name, seed = task
    if name in CLEAN:
        kind, rows, noise, strong = CLEAN[name]
        return leak_findings(*prepared(clean_table(kind, seed, rows, noise, strong), kind))
    frame, of = bundled(name)
    return leak_findings(*prepared(frame.sample(frac=1, random_state=seed).reset_index(drop=True), of))


if __name__ == "__main__":
    main()
