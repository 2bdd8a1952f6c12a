"""Bad tables and bad project files: a clear message, a failing exit code, no traceback, nothing published."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.local.command import Ran, ciclo, write_project

COLUMNS = {"a": {"type": "number"}, "b": {"type": "category"}, "y": {"type": "boolean"}}
GOOD = "a,b,y\n" + "".join(f"{i},{'xyz'[i % 3]},{'true' if i % 2 else 'false'}\n" for i in range(120))

# Text of the file (None: there is none), the target asked for, and words that the message has to contain.
INIT = {
    "missing file": (None, "y", "table.csv"),
    "empty file": (b"", "y", "empty"),
    "header only": (b"a,b,y\n", "y", "no rows"),
    "binary junk": (bytes(range(256)) * 40, "y", "table.csv"),
    "duplicate header": (GOOD.replace("a,b,y", "a,a,y").encode(), "y", "twice"),
    "no such target": (GOOD.encode(), "z", "z"),
    "constant target": (GOOD.replace("true", "false").encode(), "y", "y"),
    "target all missing": (GOOD.replace("true", "").replace("false", "").encode(), "y", "y"),
}
RUN = {
    "missing file": (None, "table.csv"),
    "no target column": (GOOD.replace("a,b,y", "a,b,w"), "y"),
    "target all missing": (GOOD.replace("true", "").replace("false", ""), "y"),
    "unclosed quote": (GOOD.replace("60,x", '60,"x'), "quote"),
}


def told(ran: Ran, word: str) -> None:
    assert ran.code in (1, 2), ran.out + ran.err
    assert "error:" in ran.err
    assert word in ran.err
    for text in (ran.out, ran.err):
        assert "Traceback" not in text
        assert "bug in ciclo" not in text
    assert ran.published == []


@pytest.mark.parametrize("case", INIT)
def test_init_says_what_is_wrong_with_a_table(case: str, tmp_path: Path) -> None:
    content, target, word = INIT[case]
    if content is not None:
        (tmp_path / "table.csv").write_bytes(content)
    output = tmp_path / "project.yaml"
    told(ciclo(tmp_path / "home", "init", tmp_path / "table.csv", "--target", target, "-o", output), word)
    assert not output.exists()


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(GOOD)
    output = tmp_path / "project.yaml"
    output.write_text("mine")
    told(ciclo(tmp_path, "init", tmp_path / "table.csv", "--target", "y", "-o", output), "exists already")
    assert output.read_text() == "mine"
    forced = ciclo(tmp_path, "init", tmp_path / "table.csv", "--target", "y", "-o", output, "--force")
    assert (forced.code, output.read_text() != "mine") == (0, True), forced.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Every bad table through the whole command, two at a time."""
    folder = tmp_path_factory.mktemp("bad")

    def run(case: str) -> Ran:
        content, _ = RUN[case]
        here = folder / case.replace(" ", "-")
        project = write_project(here, content or "", COLUMNS)
        if content is None:
            (here / "table.csv").unlink()
        return ciclo(here / "home", "run", project)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(RUN, pool.map(run, RUN), strict=True))


@pytest.mark.parametrize("case", RUN)
def test_run_says_what_is_wrong_with_a_table(case: str, runs: dict[str, Ran]) -> None:
    told(runs[case], RUN[case][1])
    assert runs[case].summary["outcome"] == "failed"
    assert runs[case].code == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("name: unit\ndata: {source: t.csv, targt: y, columns: {y: {type: boolean}}}", "did you mean 'target'"),
        ("name: unit\nname: unit", "appears twice"),
        ("name: [", "not valid YAML"),
        ("", "mapping"),
    ],
    ids=["misspelt field", "doubled field", "broken yaml", "empty"],
)
def test_a_bad_project_file_is_explained(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(text)
    ran = ciclo(tmp_path / "home", "run", tmp_path / "project.yaml")
    told(ran, word)
    assert ran.code == 2


def test_a_project_file_that_is_not_there_is_explained(tmp_path: Path) -> None:
    told(ciclo(tmp_path / "home", "run", tmp_path / "none.yaml"), "ciclo init")


def test_wrong_settings_name_the_variable(tmp_path: Path) -> None:
    project = write_project(tmp_path, GOOD, COLUMNS)
    ran = ciclo(tmp_path / "home", "run", project, CICLO_DEPLOYER="somewhere")
    told(ran, "CICLO_DEPLOYER")
    assert ran.code == 2
