"""The files of a small version of a model, for tests."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.profile import Profile
from ciclo.components.core.project_file import project_to_yaml
from ciclo.components.core.report import Document
from ciclo.components.core.verdict import Verdict
from ciclo.components.storage.models import dump_model
from ciclo.components.training.preprocessing import preprocessor
from tests.tables import project, table

CONTRACT = Contract.of(project(), ["false", "true"])


@cache
def files(name: str = "unit", run: str = "run-1") -> dict[str, bytes]:
    """Every file of a version but manifest and signature."""
    rows = table(200)
    X, y = CONTRACT.frame(rows), CONTRACT.encode(rows["y"])
    model = Pipeline([("preprocess", preprocessor(CONTRACT, "linear")), ("model", LogisticRegression())])
    columns = {column: ColumnProfile.of(X[column]) for column in CONTRACT.names}
    with TemporaryDirectory() as folder:
        dump_model(model.fit(X, y), Path(folder) / "model.skops")
        skops = (Path(folder) / "model.skops").read_bytes()
    verdict = Verdict(gate="evaluation", decision="promote", reason="better", subject=hashlib.sha256(skops).hexdigest())
    return {
        "model.skops": skops,
        "project.yaml": project_to_yaml(project().model_copy(update={"name": name})).encode(),
        "contract.json": CONTRACT.model_dump_json().encode(),
        "profile.json": Profile(rows=200, columns=columns, target=columns["size"]).model_dump_json().encode(),
        "verdict.json": verdict.model_dump_json().encode(),
        "lineage.json": json.dumps({"run": run}).encode(),
        "golden.json": json.dumps({"rows": CONTRACT.rows(rows.head(2)), "predictions": []}).encode(),
        "card.html": b"<html>card</html>",
        "card.json": Document(title="card").model_dump_json().encode(),
    }
