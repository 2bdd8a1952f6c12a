"""The wheel: everything is below `ciclo`, so that installing it takes no other name."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


def test_the_wheel_holds_all_of_ciclo_and_nothing_beside_it(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", BUILD, str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    with zipfile.ZipFile(tmp_path / built) as wheel:
        names = set(wheel.namelist())
        (entry,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "ciclo = ciclo.pipelines.command.app:main" in wheel.read(entry).decode()
    ours = {
        f"ciclo/{path.relative_to(ROOT).as_posix()}"
        for folder in ("components", "pipelines")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(ours) > 100
    assert {name for name in names if name.startswith("ciclo/")} == ours
    assert {name.split("/")[0] for name in names} == {"ciclo", entry.split("/")[0]}
