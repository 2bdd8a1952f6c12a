"""Print which versions are the champion and serve, as the registry has it, and how many predictions are stored."""

import json

from ciclo.components.core.settings import settings
from ciclo.components.releases.names import CHAMPION, SERVING
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.predictions import PredictionStore

registry = open_registry("unit", settings())
names = {name: alias and alias.version for name in (CHAMPION, SERVING) for alias in [registry.alias(name)]}
store = PredictionStore(settings().predictions_uri)
print(json.dumps({**names, "stored": store.count("unit")}), flush=True)
