"""Predictions by the client's id, and labels: the schema before there were migrations, which a database may have."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the two tables, or take them as they are."""
    op.create_table(
        "predictions",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("prediction", sa.Text, nullable=False),
        sa.Column("probability", sa.Double),
        if_not_exists=True,
    )
    op.create_index("predictions_by_time", "predictions", ["project", "time"], if_not_exists=True)
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.UniqueConstraint("project", "request_id", "row", "time", "value"),
        if_not_exists=True,
    )
