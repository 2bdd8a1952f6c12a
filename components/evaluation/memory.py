"""What evaluation remembers from one run to the next: the runs in a row in which nothing beat the simple answers.

One object, ``projects/<project>/unbeaten.json``. Of two runs at a time one may be lost, which costs a run of patience.
"""

import json
from contextlib import suppress

from ciclo.components.core.errors import NotFoundError
from ciclo.components.storage.objects import ObjectStore


class Unbeaten:
    """The runs in a row, the newest last, in which neither champion nor candidate beat the simple answers.

    Args:
        store: Where it is kept.
        project: Name of the project.
    """

    def __init__(self, store: ObjectStore, project: str) -> None:
        self._store, self._key = store, f"projects/{project}/unbeaten.json"

    def before(self, run: str) -> int:
        """How many there are before a run; a task that is tried again does not count itself."""
        return len([other for other in self._runs() if other != run])

    def remember(self, run: str, unbeaten: bool) -> None:
        """Keep how a run was; a run without an id is not remembered, for nobody could tell it from another."""
        runs = self._runs()
        after = [*(other for other in runs if other != run), run] if unbeaten else []
        if run and after != runs:
            self._store.put(self._key, json.dumps(after).encode())

    def _runs(self) -> list[str]:
        with suppress(NotFoundError, ValueError):
            found = json.loads(self._store.get(self._key).data)
            return [str(run) for run in found] if isinstance(found, list) else []
        return []
