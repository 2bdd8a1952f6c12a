"""The named errors of Ciclo: what was wrong, what was seen, what to do.

Every error that a person can cause or mend is a ``CicloError``. Entry points print its text alone; a traceback is left
to errors of our own.
"""


class CicloError(Exception):
    """An expected failure, told to a person.

    Args:
        problem: What was wrong, as one sentence without its full stop.
        seen: The value or state that was found instead, if that helps.
        hint: What to do about it, as a sentence.
    """

    def __init__(self, problem: str, *, seen: object = None, hint: str = "") -> None:
        self.problem = problem
        self.seen = seen
        self.hint = hint
        super().__init__(problem, seen, hint)

    def __str__(self) -> str:
        text = self.problem.rstrip(".")
        if self.seen is not None:
            text += f" (seen: {self.seen})"
        return f"{text}. {self.hint}".strip()


class ProjectError(CicloError):
    """The project file is not valid."""


class SettingsError(CicloError):
    """The environment of this process is not set up for what was asked."""


class DataError(CicloError):
    """The data cannot be used at all: unreadable, empty, without the target, too small."""


class UnusableError(DataError):
    """The data was read and accounted for, and no model can be trained on it: a gate decides so, and nothing broke."""


class QuarantineError(DataError):
    """More rows broke the contract than the quarantine budget allows."""


class RequestError(CicloError):
    """A prediction request breaks the data contract; the client has to change it."""

    def at(self, place: str) -> "RequestError":
        """The same error, with the place in the request where it was found."""
        return RequestError(f"{place}: {self.problem}", seen=self.seen, hint=self.hint)


class ReusedIdError(RequestError):
    """The id of a request stands for another request already."""


class TrainingError(CicloError):
    """No candidate could be fitted."""


class VerdictError(CicloError):
    """A gate refused: the verdict is missing, negative, stale or about something else."""


class StorageError(CicloError):
    """The object store could not be reached or refused."""


class NotFoundError(StorageError):
    """There is no such object, version or alias."""


class ConflictError(StorageError):
    """Somebody else changed the object first."""


class IntegrityError(StorageError):
    """A stored bundle is not what was signed: altered, incomplete or from another key."""


class RefusedError(StorageError):
    """The database will never take these rows; to send them again is no use."""


class DeploymentError(CicloError):
    """The model server could not be brought up, or does not answer as it should."""


class UnreadableError(DeploymentError):
    """The version that is to be deployed cannot be read; no other try would change that."""


class SubmissionError(CicloError):
    """The pipeline could not be run or submitted."""
