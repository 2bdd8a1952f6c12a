"""Who may import whom: the direction that keeps stages apart and the serving image small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVING_PYTHON = ROOT / ".venv-serving" / "bin" / "python"
# What a room may import beside itself. Every other folder is a stage: it may import all of these and no other stage.
ROOMS = {
    "core": set(),
    "answering": {"core"},
    "tables": {"core"},
    "storage": {"core"},
    "sources": {"core", "tables", "storage"},
    "releases": {"core", "storage"},
    "runs": {"core", "storage"},
}
SERVED = ("serving", "answering", "storage", "releases")

IMPORT_ALL = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in set(sys.argv[1].split(",")):
            raise ImportError(f"{name} may not be imported here")

sys.meta_path.insert(0, Blocked())
for name in sys.argv[2:]:
    importlib.import_module(name)
print(len(sys.argv) - 2)
"""


def modules(*folders: str) -> list[str]:
    """Dotted names of the modules of components that are not wrappers or entry points."""
    paths = sorted(path.relative_to(ROOT) for path in (ROOT / "components").glob("*/**/*.py"))
    return [
        f"ciclo.{'.'.join(p.with_suffix('').parts)}"
        for p in paths
        if p.stem not in ("component", "__init__", "__main__") and (not folders or p.parts[1] in folders)
    ]


def import_all(python: Path | str, names: list[str], blocked: str) -> int:
    done = subprocess.run(
        [str(python), "-c", IMPORT_ALL, blocked, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def imported_folders(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            assert parts[0] not in ("components", "pipelines"), f"{path}: import ciclo.{parts[0]}"
            if parts[:2] == ["ciclo", "components"] and len(parts) > 2:
                yield parts[2]
            assert parts[:2] != ["ciclo", "pipelines"], f"{path}: components do not know the pipelines"


def test_stages_import_themselves_and_the_rooms_only() -> None:
    paths = sorted((ROOT / "components").glob("*/**/*.py"))
    assert len(paths) > 150
    for path in paths:
        folder = path.relative_to(ROOT / "components").parts[0]
        assert set(imported_folders(path)) <= {folder} | ROOMS.get(folder, set(ROOMS)), path


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """The modules of this repository that a module imports anywhere, in functions too; not those for types only."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in (n for n in ast.walk(tree) if n not in for_types):
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


@pytest.mark.slow
def test_no_modules_import_each_other() -> None:
    paths = {
        f"ciclo.{path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}": path
        for folder in ("components", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(paths) > 90
    graph = {name: imported_modules(path, set(paths)) - {name} for name, path in paths.items()}
    assert sum(map(len, graph.values())) > 300
    list(TopologicalSorter(graph).static_order())  # raises CycleError with the circle


@pytest.mark.slow
def test_the_vocabulary_needs_no_engine_for_tables() -> None:
    names = modules("core")
    assert import_all(sys.executable, names, "kfp,ibis,pyarrow,duckdb,optuna,minio,sqlalchemy") == len(names) > 15


@pytest.mark.slow
def test_no_module_but_the_wrappers_needs_kfp() -> None:
    names = modules()
    assert import_all(sys.executable, names, "kfp,kfp_kubernetes,seldon_core") == len(names) > 40


@pytest.mark.slow
def test_what_serving_imports_exists_in_its_environment() -> None:
    shared = ("contract", "errors", "logs", "profile", "project_file", "settings", "verdict")
    core = [f"ciclo.components.core.{module}" for module in shared]
    names = [*core, *modules(*SERVED)]
    assert len(names) > len(core) + 5
    assert import_all(SERVING_PYTHON, names, "kfp,pyarrow,duckdb,ibis,optuna,matplotlib") == len(names)


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("components/cleaning/rules.py", "import kfp\n", "TID251"),
        ("components/cleaning/rules.py", "from kfp import dsl\n", "TID251"),
        ("components/storage/models.py", "import pickle\n", "TID251"),
        ("components/cleaning/component.py", "from kfp import dsl\n", ""),
        ("pipelines/training/pipeline.py", "from kfp import dsl\n", ""),
    ],
    ids=["kfp in a stage", "part of kfp in a stage", "pickle", "kfp in a wrapper", "kfp in a pipeline"],
)
def test_the_linter_bans_imports(path: str, source: str, found: str) -> None:
    ruff = [str(Path(sys.executable).parent / "ruff"), "check", "--select", "TID251", "--stdin-filename", path, "-"]
    done = subprocess.run(ruff, input=source, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(found), done.stdout
    assert found in done.stdout


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("ciclo.pipelines.command.app", {"kfp", "numpy", "pandas", "pyarrow", "sklearn"}),
        ("ciclo.pipelines.command.app, ciclo.pipelines.command.tables", {"kfp", "pandas", "pyarrow", "sklearn"}),
    ],
    ids=["any command", "ciclo models"],
)
def test_the_command_starts_without_the_heavy_libraries(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; print(*({heavy | {'typer'}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["typer"]
