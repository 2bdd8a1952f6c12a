"""Wrappers are thin, and what the dashboard shows of them is complete."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WRAPPERS = sorted((ROOT / "components").glob("*/component.py"))
STAGES = {
    "ingestion", "cleaning", "validation", "feasibility", "training", "evaluation", "publishing", "deployment",
    "notification",
}  # fmt: skip


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


def body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:]  # without the docstring
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_every_stage_has_a_wrapper_of_its_name() -> None:
    assert {path.parent.name for path in WRAPPERS} == STAGES
    for path in WRAPPERS:
        assert functions(path)[0].name == path.parent.name


@pytest.mark.parametrize("path", WRAPPERS, ids=lambda p: p.parent.name)
def test_wrappers_are_thin_and_survive_being_cut_out(path: Path) -> None:
    source = path.read_bytes()
    assert source.isascii(), "the source travels inside the compiled file"
    assert b"from __future__" not in source, "kfp could not read the annotations"
    for function in functions(path):
        assert body_lines(function) <= 25, function.name
        decorator = ast.unparse(function.decorator_list[0])
        assert decorator == "dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)"
        assert all(isinstance(d, ast.Constant) for d in function.args.defaults), "literal defaults only"
        assert "Optional" not in ast.unparse(function.args)


@pytest.mark.parametrize("path", WRAPPERS, ids=lambda p: p.parent.name)
def test_wrappers_do_nothing_outside_their_stage_block(path: Path) -> None:
    for function in functions(path):
        blocks = [node for node in function.body if isinstance(node, ast.With)]
        assert [ast.unparse(b.items[0].context_expr).split("(")[0] for b in blocks] == ["stage"], function.name


@pytest.mark.slow
def test_every_input_and_output_is_described(compiled: Any) -> None:
    components = {n: c for n, c in compiled.spec["components"].items() if "executorLabel" in c}
    assert len(components) >= len(STAGES)
    seen = 0
    for name, component in components.items():
        for kind in ("inputDefinitions", "outputDefinitions"):
            for group in component.get(kind, {}).values():
                for port, definition in group.items():
                    assert definition.get("description"), f"{name}: {kind} {port}"
                    seen += 1
    assert seen > 40


def test_decisions_of_the_wrappers_are_those_the_graph_asks_for(compiled: Any) -> None:
    words = set(re.findall(r"Output''?\] *\n? *== ''?([a-z_]+)", compiled.path.read_text()))
    assert words == {"pass", "no_ml", "keep"}
