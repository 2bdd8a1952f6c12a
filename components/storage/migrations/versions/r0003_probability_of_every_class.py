"""The probability of every class beside that of the answer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; no row is touched, and the servers of the release before write on without it."""
    op.add_column("predictions", sa.Column("probabilities", sa.JSON))
