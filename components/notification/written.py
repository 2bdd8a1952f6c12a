"""What the stages of a run wrote down, read at its end."""

from dataclasses import dataclass

from ciclo.components.core.errors import CicloError
from ciclo.components.core.settings import Settings
from ciclo.components.notification.message import Message, end_of_run
from ciclo.components.runs.accounts import Account, accounts_of
from ciclo.components.runs.notes import Note, notes_of


@dataclass(frozen=True)
class Written:
    """The notes and accounts of a run.

    Attributes:
        project: Name of the project.
        run: Id of the run; empty if it is not known.
        notes: What decided the run or broke it, oldest first.
        accounts: What every stage found, in the order in which they ended.
        unread: Why either cannot be read, if it cannot: people are told of the end all the same.
    """

    project: str
    run: str
    notes: list[Note]
    accounts: list[Account]
    unread: str = ""

    def message(self, state: str, trigger: str) -> Message:
        """The end of the run in words.

        Args:
            state: The state KFP gives its exit handler.
            trigger: Why the run was started.
        """
        return end_of_run(self.project, state, trigger, self.run, self.notes, self.unread)


def read_written(settings: Settings, project: str) -> Written:
    """Read what the stages of this run wrote down; nothing is raised."""
    run = settings.run
    notes: list[Note] = []
    try:
        notes = notes_of(run, project, settings)
        return Written(project, run, notes, accounts_of(run, project, settings))
    except CicloError as error:
        return Written(project, run, notes, [], str(error))
