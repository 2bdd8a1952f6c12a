"""Do the tests notice when the code that decides is wrong? `make mutants`.

Small faults (mutants) are put into the modules that decide, one at a time and in a copy, and the unit tests of that
module have to fail. Of all mutants a fixed sample is taken, by nothing but the mutants' own text, so that a change to
one function leaves the sample of the others as it was. Whatever survives has to be in ``mutants.yaml`` with a reason;
anything else fails the command.
"""

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import yaml

ROOT = Path(__file__).resolve().parents[1]
KNOWN = Path(__file__).with_suffix(".yaml")
LEAST = 0.9  # share of the mutants that have to die
TIMEOUT = 900.0  # of the tests without any mutant
SLOWER = 10  # times as long as without one, and a minute, until a mutant that never ends is taken for dead
NO_TESTS = 5  # what pytest ends with where all are deselected
# Module, how many of its mutants are tried by a long run, and the tests that have to notice.
MODULES = {
    "components/evaluation/decision.py": (14, ["tests/unit/evaluation/test_decision.py"]),
    "components/evaluation/comparison.py": (12, ["tests/unit/evaluation/test_fairness.py", "tests/unit/evaluation"]),
    "components/evaluation/champion.py": (
        10,
        ["tests/unit/evaluation/test_champion.py", "tests/unit/evaluation/test_which_gate.py"],
    ),
    "components/evaluation/gate.py": (6, ["tests/unit/evaluation/test_gate.py"]),
    "components/training/trials.py": (10, ["tests/unit/training/test_search.py"]),
    "components/training/folds.py": (10, ["tests/unit/training/test_folds.py"]),
    "components/training/labels.py": (8, ["tests/unit/training/test_labels.py"]),
    "components/training/refit.py": (10, ["tests/unit/training/test_refit.py"]),
    "components/training/disagreement.py": (8, ["tests/unit/training/test_refit.py"]),
    "components/tables/slicing.py": (6, ["tests/unit/evaluation/test_slices.py", "tests/unit/training/test_refit.py"]),
    "components/core/threshold.py": (8, ["tests/unit/core/test_threshold.py"]),
    "components/sources/scan.py": (
        8,
        ["tests/unit/sources/test_malformed.py::test_the_engine_reads_what_the_exact_reader_reads"],
    ),
    "components/drafting/conventions.py": (20, ["tests/unit/drafting/test_conventions.py"]),
    "components/tables/leaks.py": (6, ["tests/unit/tables/test_leaks.py"]),
    "components/tables/evidence.py": (6, ["tests/unit/tables/test_evidence.py", "tests/unit/tables/test_leaks.py"]),
    "components/tables/entities.py": (6, ["tests/unit/tables/test_entities.py"]),
    "components/validation/departures.py": (8, ["tests/unit/validation/test_departures.py"]),
    "components/validation/last_run.py": (16, ["tests/unit/validation/test_last_run.py"]),
    "components/validation/leakage.py": (8, ["tests/unit/validation/test_leakage.py"]),
    "components/evaluation/suspicion.py": (6, ["tests/unit/evaluation/test_suspicion.py"]),
    "components/cleaning/duplicates.py": (4, ["tests/unit/cleaning/test_duplicates.py"]),
    "components/cleaning/treatments.py": (6, ["tests/unit/cleaning/test_policy.py"]),
    "components/core/splits.py": (8, ["tests/unit/evaluation/test_champion.py", "tests/unit/core/test_project.py"]),
    "components/tables/patterns.py": (4, ["tests/unit/cleaning/test_equal_rows.py"]),
    "components/core/fences.py": (6, ["tests/unit/training/test_policy.py"]),
    "components/core/among_numbers.py": (6, ["tests/unit/training/test_policy.py"]),
    "components/training/preprocessing.py": (
        8,
        ["tests/unit/training/test_policy.py", "tests/unit/training/test_preprocessing.py"],
    ),
    "components/cleaning/splitting.py": (12, ["tests/unit/cleaning/test_splitting.py", "tests/unit/cleaning"]),
    "components/monitoring/observing/drift.py": (
        14,
        ["tests/unit/monitoring/test_drift.py", "tests/unit/monitoring/test_incidents.py"],
    ),
    "components/core/usual.py": (10, ["tests/unit/core/test_usual.py", "tests/unit/monitoring/test_drift.py"]),
    "components/monitoring/observing/performance.py": (
        10,
        ["tests/unit/monitoring/test_performance.py", "tests/unit/monitoring/test_incidents.py"],
    ),
    "components/monitoring/observing/refitted.py": (8, ["tests/unit/monitoring/test_refitted.py"]),
    "components/monitoring/observing/health.py": (
        12,
        ["tests/unit/monitoring/test_health.py", "tests/unit/monitoring/test_incidents.py"],
    ),
    "components/monitoring/governing/decision.py": (
        14,
        [
            "tests/unit/monitoring/test_refitted.py",
            "tests/unit/monitoring/test_incidents.py",
            "tests/unit/monitoring/test_tick.py",
        ],
    ),
    "components/publishing/restoring.py": (8, ["tests/unit/publishing/test_restoring.py"]),
    "components/core/clusters.py": (8, ["tests/unit/core/test_clusters.py", "tests/unit/core/test_intervals.py"]),
    "components/core/intervals.py": (12, ["tests/unit/core/test_intervals.py"]),
    "components/core/recipe.py": (6, ["tests/unit/core/test_recipe.py"]),
    "components/evaluation/memory.py": (6, ["tests/unit/evaluation/test_which_gate.py"]),
    "components/feasibility/assessment.py": (
        10,
        ["tests/unit/feasibility/test_assessment.py", "tests/unit/feasibility/test_baselines.py"],
    ),
    "components/monitoring/telling/alert_plan.py": (16, ["tests/unit/monitoring/test_alert_plan.py"]),
    "components/monitoring/governing/governor.py": (16, ["tests/unit/monitoring/test_governor.py"]),
    "components/releases/promotion.py": (12, ["tests/unit/releases/test_promotion.py"]),
}
OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes:
        module: File, from the root of the repository.
        function: The function or class it is in.
        before: Source of the expression.
        after: What it is replaced by.
        source: The whole module with the fault.
    """

    module: str
    function: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """Its name, which does not change with the lines around it."""
        return f"{self.module} {self.function}: {self.before} -> {self.after}"


def mutants(module: str, source: str) -> dict[str, Mutant]:
    """Every mutant of a module by key; of several with one key the first."""
    found: dict[str, Mutant] = {}
    for function, node in _places(ast.parse(source)):
        before = ast.get_source_segment(source, node)
        for after in _changes(node) if before else ():
            text = _replaced(source, node, after)
            mutant = Mutant(module, function, " ".join(str(before).split()), after, text)
            found.setdefault(mutant.key, mutant)
    return found


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The expressions that run, with the name of the function they are in; not annotations and not formatted text."""

    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, ast.expr]]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = f"{name}.{node.name}".lstrip(".")
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list") or isinstance(node, ast.JoinedStr):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.expr):
                    yield name, child
                if isinstance(child, ast.AST):
                    yield from walk(child, name)

    return walk(tree, "")


def _changes(node: ast.expr) -> list[str]:
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in OTHERS:
            return [ast.unparse(ast.Compare(left, [OTHERS[type(operator)]()], [right]))]
        case ast.BoolOp(operator, values):
            return [ast.unparse(ast.BoolOp(OTHERS[type(operator)](), values))]
        case ast.BinOp(left, operator, right) if type(operator) in OTHERS:
            return [f"({ast.unparse(ast.BinOp(left, OTHERS[type(operator)](), right))})"]
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            return [f"({ast.unparse(operand)})"]
        case ast.Constant(bool() as value):
            return [str(not value)]
        case ast.Constant(int() | float() as value):
            return [repr(value + 1)]
        case ast.IfExp(test, body, orelse):
            return [f"({ast.unparse(ast.IfExp(test, orelse, body))})"]
        case ast.Name(name) | ast.Attribute(attr=name) if name in NAMES:
            return [ast.unparse(node).removesuffix(name) + NAMES[name]]
    return []


def _replaced(source: str, node: ast.expr, text: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    whole = source.encode()
    begin = starts[node.lineno - 1] + node.col_offset
    end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
    return (whole[:begin] + text.encode() + whole[end:]).decode()


def sample(found: dict[str, Mutant], size: int, seed: int) -> list[Mutant]:
    """A part of the mutants that is the same every time."""
    return sorted(found.values(), key=lambda m: hashlib.sha256(f"{seed} {m.key}".encode()).digest())[:size]


class Copy:
    """A copy of the repository in which mutants are tried, so that the work tree is never touched."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        for name in ("components", "pipelines", "tests", "examples", "benchmarks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "build/src/ciclo").mkdir(parents=True)
        for name in ("components", "pipelines"):
            (folder / "build/src/ciclo" / name).symlink_to(folder / name)
        for name in (".venv", ".venv-serving"):
            (folder / name).symlink_to(ROOT / name)

    def notices(self, mutant: Mutant | None, tests: list[str], seconds: float) -> tuple[bool, str]:
        """Whether the tests fail, and what they said; all slow ones are asked where the others see nothing."""
        path = self.root / mutant.module if mutant else None
        honest = path.read_text() if path else ""
        if path and mutant:
            path.write_text(mutant.source)
        try:
            for which in ("not slow", "slow"):
                failed, said = self._fail(which, tests, seconds)
                if failed:
                    return True, said
        finally:
            if path:
                path.write_text(honest)
        return False, ""

    def _fail(self, which: str, tests: list[str], seconds: float) -> tuple[bool, str]:
        try:
            deep = {"CICLO_TEST_THOROUGH": "1"} if which == "slow" else {}
            done = subprocess.run(
                [sys.executable, "-B", "-m", "pytest", "-x", "-p", "no:cacheprovider", "-m", which, *tests],
                cwd=self.root,
                env={**os.environ, "PYTHONPATH": str(self.root / "build/src"), "OMP_NUM_THREADS": "1", **deep},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True, "time-out"
        return done.returncode not in (0, NO_TESTS), done.stdout[-2000:] + done.stderr[-500:]


def surviving(chosen: list[tuple[Mutant, list[str]]]) -> Iterator[Mutant]:
    """The mutants that their tests do not notice, two tried at a time."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(2):
            copies.put(Copy(Path(folder) / str(number)))

        def tried(mutant: Mutant | None, tests: list[str]) -> tuple[bool, str]:
            copy, started = copies.get(), time.monotonic()
            try:
                return copy.notices(mutant, tests, 60 + SLOWER * took[tuple(tests)] if mutant else TIMEOUT)
            finally:
                took.setdefault(tuple(tests), time.monotonic() - started)
                copies.put(copy)

        took = dict[tuple[str, ...], float]()
        every = list({tuple(tests): tests for _, tests in chosen}.values())
        with ThreadPoolExecutor(2) as pool:
            for failed, said in pool.map(tried, [None] * len(every), every):
                if failed:
                    sys.exit(f"the tests fail without any mutant:\n{said}")
            for (mutant, _), (dies, _) in zip(chosen, pool.map(tried, *zip(*chosen, strict=True)), strict=True):
                if not dies:
                    yield mutant


def main() -> int:
    """Try the sample; the status is 0 if what survives is known and little."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the name of a module")
    parser.add_argument("--long", action="store_true", help="three times as many of each module")
    asked = parser.parse_args()
    known = {entry["mutant"]: entry["reason"] for entry in yaml.safe_load(KNOWN.read_text()) or []}
    chosen, every, started = [], set(), time.monotonic()
    for module, (size, tests) in MODULES.items():
        if asked.only in module:
            found = mutants(module, (ROOT / module).read_text())
            every |= set(found)
            chosen += [(mutant, tests) for mutant in sample(found, size if asked.long else -(-size // 3), asked.seed)]
    if not chosen:
        sys.exit(f"none of the modules is called like '{asked.only}'; there are {', '.join(MODULES)}")
    survivors = []
    for mutant in surviving(chosen):
        survivors.append(mutant.key)
        reason = known.get(mutant.key, "NEW: write a test, or a reason in tests/mutants.yaml")
        print(f"survived: {mutant.key}\n    {reason}", flush=True)
    dead = len(chosen) - len(survivors)
    for key in known:
        if key.startswith(tuple(m for m in MODULES if asked.only in m)) and key not in every:
            print(f"tests/mutants.yaml lists what is no mutant any more: {key}")
    share = dead / len(chosen)
    print(f"{dead} of {len(chosen)} mutants died ({share:.0%}) in {time.monotonic() - started:.0f} s")
    return int(share < LEAST or any(key not in known for key in survivors))


if __name__ == "__main__":
    sys.exit(main())
