"""The compiled pipeline changes on purpose only: `make golden` writes it anew, and the difference is reviewed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

GOLDEN = Path(__file__).parents[1] / "golden" / "pipeline.yaml"


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted({*ours, *theirs})
        return [d for k in keys for d in differences(ours.get(k, "(none)"), theirs.get(k, "(none)"), f"{where}/{k}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{where}/{i}")]
    return [] if ours == theirs else [f"{where}: golden {str(theirs)[:80]!r}, compiled {str(ours)[:80]!r}"]


@pytest.mark.slow
def test_the_compiled_pipeline_is_the_golden_one(compiled: Any, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        GOLDEN.write_bytes(compiled.path.read_bytes())
    golden = list(yaml.safe_load_all(GOLDEN.read_text()))
    assert differences([compiled.spec, compiled.platform], golden) == [], "if this is meant: make golden"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"a": 1}, {}), ({}, {"a": 1}), ({"a": [1, 2]}, {"a": [1]}), ({"a": {"b": 1}}, {"a": {"b": 2}}), ({"a": 1}, [1])],
    ids=["added", "removed", "longer list", "changed below", "other kind"],
)
def test_every_difference_is_seen(ours: Any, theirs: Any) -> None:
    assert len(differences(ours, theirs)) == 1
