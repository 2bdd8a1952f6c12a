"""Publish a few versions of a small real model from within a pod, each with a verdict that lets it serve.

``python publish.py good good other ...``: version 1 is the first word, and so on. ``good`` models are trained on
different seeds, ``other`` answers the opposite of what a good one does, ``broken`` cannot answer its own golden
requests, so that its server never becomes ready.
"""

import json
import sys
import tempfile
from pathlib import Path

from ciclo.components.answering.engine import Engine
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.profile import Profile
from ciclo.components.core.project_file import project_to_yaml
from ciclo.components.core.settings import settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import file_digest
from ciclo.components.training.candidates import build
from tests.tables import project, table


def publish(kind: str, seed: int) -> int:
    charter, data = project(), table(seed=seed)
    if kind == "other":
        data["y"] = ~data["y"]
    contract = Contract.of(charter, ("false", "true")).model_copy(update={"passthrough": ("at",), "time_column": "at"})
    model = build(charter.candidates["logistic_regression"], charter, contract, len(data), {})
    model.fit(contract.frame(data), contract.encode(data["y"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        dump_model(model, path)
        rows = contract.rows(table(20, seed=99))
        golden = {"rows": rows, "predictions": Engine(model, contract).predict(contract.parse(rows))}
        if kind == "broken":
            golden["predictions"][0]["probability"] = 0.123
        frame = contract.frame(data)
        columns = {name: ColumnProfile.of(frame[name]) for name in frame}
        target = ColumnProfile.of(data["y"].astype(str).astype(object))
        verdict = Verdict(
            gate="evaluation", decision="promote", reason="it is better", subject=file_digest(path),
            facts={"metric": "roc_auc_score", "test_score": 0.9},
        )  # fmt: skip
        files = {
            "model.skops": path,
            "project.yaml": project_to_yaml(charter).encode(),
            "contract.json": contract.model_dump_json().encode(),
            "golden.json": json.dumps(golden).encode(),
            "profile.json": Profile(rows=len(frame), columns=columns, target=target).model_dump_json().encode(),
            "verdict.json": verdict.model_dump_json().encode(),
            "lineage.json": b"{}",
            "card.html": b"<html></html>",
            "card.json": b"{}",
        }
        registry = open_registry(charter.name, settings())
        return registry.publish(files, signer=signer_from(settings()), parent=None)


if __name__ == "__main__":
    for number, word in enumerate(sys.argv[1:]):
        print(f"published {word} as {publish(word, number)}", flush=True)
