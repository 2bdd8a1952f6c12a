"""What cleaning did, and what a model does, to the values of a column: one line of a report and of the model card."""

from pydantic import BaseModel, ConfigDict


class Treatment(BaseModel):
    """What a policy comes to for one column.

    Attributes:
        column: The column.
        policy: What the project says of it, in words.
        values: How many values of the kept rows it is about; of rows that were set aside, how many there are.
        share: Of all those rows.
        effect: What becomes of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    policy: str
    values: int
    share: float
    effect: str
