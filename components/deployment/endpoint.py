"""Where a project's model is served now, as a small file that is replaced in one step."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ciclo.components.core.files import write_whole
from ciclo.components.core.wording import number
from ciclo.components.deployment.pace import Pace


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
        load_seconds: What it took the server to fetch, verify, read and compile the model; 0 if that is not known.
        memory_mb: The most memory that one of its processes held then; 0 if that is not known.
    """

    url: str
    version: int
    pid: int | None = None
    started: str = ""
    metrics: str = ""
    milliseconds: float = field(default=0.0, compare=False)
    load_seconds: float = field(default=0.0, compare=False)
    memory_mb: float = field(default=0.0, compare=False)

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        if not self.version:
            return "there is no champion to serve"
        return f"version {self.version} {f'answers at {self.url}' if self.url else 'is not served'}"

    @property
    def pace(self) -> str:
        """How fast it answers, for the end of that sentence; empty if that is not known."""
        if not self.milliseconds:
            return ""
        more = f"; it took {number(self.load_seconds)} s to load" if self.load_seconds else ""
        more += f" and holds {self.memory_mb:.0f} MiB" if self.memory_mb else ""
        return f", a row in {number(self.milliseconds)} ms or less in 95 % of the cases{more}"

    @property
    def facts(self) -> dict[str, str | float]:
        """What travels with it: flat texts and numbers."""
        return {
            "url": self.url,
            "version": self.version,
            "milliseconds": self.milliseconds,
            "load_seconds": self.load_seconds,
            "memory_mb": self.memory_mb,
        }

    def at(self, pace: Pace) -> "Endpoint":
        """The same with what was measured of it."""
        milliseconds = pace.milliseconds if math.isfinite(pace.milliseconds) else 0.0
        return replace(self, milliseconds=milliseconds, load_seconds=pace.load_seconds, memory_mb=pace.memory_mb)

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
