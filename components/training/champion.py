"""What the champion of today was fitted with: where a search begins."""

from typing import Any

from ciclo.components.core.errors import CicloError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.registry import open_registry


def champion_parameters(project: Project, name: str, settings: Settings) -> dict[str, Any]:
    """The parameters of the champion, where it was made by the candidate of that name with the same estimator.

    Args:
        project: The project.
        name: Name of a candidate.
        settings: Where the registry is.

    Returns:
        Parameters by name; none where there is no such champion, or it cannot be read.
    """
    candidate = project.candidates.get(name)
    try:
        registry = open_registry(project.name, settings)
        alias = registry.alias(CHAMPION)
        made = registry.record(alias.version).lineage.get("model") if alias else None
    except CicloError:  # evaluation says what is wrong with it; a search can begin elsewhere
        return {}
    if candidate is None or not isinstance(made, dict):
        return {}
    same = (made.get("candidate"), made.get("estimator")) == (name, candidate.estimator)
    parameters = made.get("parameters")
    return dict(parameters) if same and isinstance(parameters, dict) else {}
