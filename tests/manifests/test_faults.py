"""The checks find what they are for: every fault, by the check that ought to."""

from typing import Any

import pytest

from tests.manifests import checks
from tests.manifests.conftest import renderings
from tests.manifests.faults import FAULTS, Fault
from tests.manifests.rendering import copied


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_is_found(fault: Fault, golden: dict[str, Any]) -> None:
    rendering = renderings()[fault.rendering]
    objects = copied(rendering.objects)
    fault.change(objects)
    expected = golden[rendering.name] if rendering.whole else None
    found = checks.problems(objects, rendering.namespace, expected, by_digest=rendering.by_digest)
    assert [one for one in found if one.startswith(f"{fault.found_by}: ")], f"found only {found}"


def test_every_check_has_faults_of_its_own() -> None:
    kinds = {fault.found_by for fault in FAULTS}
    assert len(FAULTS) == len({fault.name for fault in FAULTS}) > 40
    assert kinds == {
        "schema", "pod security", "hygiene", "images", "secrecy", "namespace", "settings", "references", "rights",
        "network", "keys", "metrics",
    }  # fmt: skip
