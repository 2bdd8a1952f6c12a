"""Where a project's model is served now, as a small file that is replaced in one step."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ciclo.components.core.files import write_whole
from ciclo.components.core.wording import number


@dataclass(frozen=True)
class Endpoint:
    """A model server.

    Attributes:
        url: Its base address; predictions are at ``/api/v1.0/predictions`` below it. Empty where nothing serves.
        version: Version of the model.
        pid: Process id of a local server.
        started: When that process started, to tell it from a later one with the same id.
        metrics: Address of its Prometheus metrics.
        milliseconds: In which it answered a row in 95 % of the cases, when it was deployed; 0 if that is not known.
    """

    url: str
    version: int
    pid: int | None = None
    started: str = ""
    metrics: str = ""
    milliseconds: float = field(default=0.0, compare=False)

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        if not self.version:
            return "there is no champion to serve"
        return f"version {self.version} {f'answers at {self.url}' if self.url else 'is not served'}"

    @property
    def pace(self) -> str:
        """How fast it answers, for the end of that sentence; empty if that is not known."""
        return f", a row in {number(self.milliseconds)} ms or less in 95 % of the cases" if self.milliseconds else ""

    def write(self, path: Path) -> None:
        """Replace the file; a reader sees the old endpoint or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [json.dumps(asdict(self), indent=2).encode()])

    @classmethod
    def read(cls, path: Path) -> "Endpoint | None":
        """What the file says, or None if there is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
