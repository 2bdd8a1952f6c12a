"""What every section of a project file is."""

from pydantic import BaseModel, ConfigDict

MOST_DAYS = 36_500  # a century: a date that much earlier or later is still one


class Section(BaseModel):
    """Base of every part of the project: immutable, a misspelt field is an error, and every number is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
