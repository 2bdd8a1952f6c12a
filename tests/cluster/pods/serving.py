"""Print which versions are the champion and serve, how many predictions are stored, and how many have a label."""

import json
from datetime import UTC, datetime, timedelta

from ciclo.components.core.settings import settings
from ciclo.components.releases.names import CHAMPION, SERVING
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.predictions import PredictionStore

registry = open_registry("unit", settings())
names = {name: alias and alias.version for name in (CHAMPION, SERVING) for alias in [registry.alias(name)]}
store = PredictionStore(settings().predictions_uri)
labelled, _ = store.label_counts("unit", datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
print(json.dumps({**names, "stored": store.count("unit"), "labelled": labelled}), flush=True)
