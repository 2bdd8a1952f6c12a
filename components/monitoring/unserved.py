"""The champion that does not serve: a deployment failed or was cancelled, and the watch makes up for it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ciclo.components.core.errors import CicloError
from ciclo.components.monitoring.submitting.submission import Submitter
from ciclo.components.releases.names import CHAMPION, SERVING, Alias
from ciclo.components.releases.registry import Registry

PATIENCE = timedelta(hours=1)  # longer than any deployment takes


@dataclass(frozen=True)
class Unserved:
    """A champion that ought to serve and does not.

    Attributes:
        champion: The champion.
        serving: What serves instead, or None.
        effort: What was done about it, as a clause.
        failed: Whether that came to nothing, so that a person has to look.
    """

    champion: Alias
    serving: Alias | None
    effort: str = ""
    failed: bool = False

    @property
    def reason(self) -> str:
        """What is the matter, as a sentence."""
        instead = f"version {self.serving.version}" if self.serving else "nothing"
        text = f"Version {self.champion.version} has been the champion since {self.champion.moved_at[:16]} UTC"
        return f"{text}, and {instead} serves" + (f": {self.effort}." if self.effort else ".")


def unserved(registry: Registry, now: datetime) -> Unserved | None:
    """The champion, if it has not served for longer than any deployment takes.

    Args:
        registry: The versions of a project.
        now: The time of the tick.
    """
    champion, serving = registry.alias(CHAMPION), registry.alias(SERVING)
    if champion is None or (serving is not None and serving.digest == champion.digest):
        return None
    return Unserved(champion, serving) if now - datetime.fromisoformat(champion.moved_at) >= PATIENCE else None


def mend(
    found: Unserved, registry: Registry, submit: Submitter, window_end: datetime, now: datetime
) -> Unserved | None:
    """Have the champion deployed.

    Args:
        found: What is the matter.
        registry: The versions of a project.
        submit: Deploys, or runs the pipeline that does.
        window_end: End of the rows such a run may read.
        now: The time of the tick.

    Returns:
        What is still the matter, with what was done about it; None if the champion serves now.
    """
    moved = f"{found.champion.digest[:8]}-{found.champion.sequence}"
    name = f"{registry.project}-serve-{moved}-{now:%Y%m%d}"  # one try a day
    try:
        effort, failed = submit.serve(name, window_end)
    except CicloError as error:
        effort, failed = f"its deployment failed again: {error}".rstrip("."), True
    left = unserved(registry, now)
    return None if left is None else replace(left, effort=effort, failed=failed)
