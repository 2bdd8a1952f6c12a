"""What the last accepted version was trained on, for whoever looks at new rows; without its model."""

from dataclasses import dataclass

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import CicloError
from ciclo.components.core.profile import Profile
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.registry import Registry, open_registry
from ciclo.components.storage.store import open_store


@dataclass(frozen=True)
class Accepted:
    """The version whose rows new ones are compared with.

    Attributes:
        version: Its number; None where even that cannot be read.
        champion: Whether it is the champion; else it is the last that was published.
        contract: Its contract; None if it cannot be read.
        profile: Its reference profile; None if it cannot be read.
        problem: Why it cannot be read, as a clause; empty if it can.
    """

    version: int | None
    champion: bool = True
    contract: Contract | None = None
    profile: Profile | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        if self.version is None:
            return "the last accepted version"
        return f"version {self.version}, {'the champion' if self.champion else 'the last that was published'}"


def last_accepted(project: str, settings: Settings) -> Accepted | None:
    """The champion, or else the last version that was published; None if there is none yet.

    Nothing is raised: that it cannot be read is part of the answer, for rows can be looked at without it. Where nothing
    was ever published, no key is asked for and nothing is written.

    Args:
        project: Name of the project.
        settings: Where the registry is, and whose signature is trusted.
    """
    version, champion = None, True
    try:
        store = open_store(settings.store_uri, settings)
        if next(store.list(f"projects/{project}/published/"), None) is None:
            return None
        registry = open_registry(project, settings)
        alias = registry.alias(CHAMPION)
        champion = alias is not None
        version = alias.version if alias is not None else max(registry.versions(), default=None)
        return None if version is None else _read(registry, version, champion=champion)
    except CicloError as error:
        return Accepted(version, champion, problem=str(error).rstrip("."))
    except ValueError:
        return Accepted(version, champion, problem="its contract or profile is of a release that this one cannot read")


def _read(registry: Registry, version: int, *, champion: bool) -> Accepted:
    record = registry.record(version)
    contract = Contract.model_validate_json(registry.read(record, "contract.json"))
    profile = Profile.model_validate_json(registry.read(record, "profile.json"))
    return Accepted(version, champion, contract, profile)
