"""A key of our own for each request, the client's id beside it, and who answered an id first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Copy the predictions into a table with the new key; an old request keeps the client's id as its key."""
    op.create_table(
        "requests",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("prediction_id", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64)),
    )
    op.execute(
        "INSERT INTO requests (project, request_id, prediction_id)"
        " SELECT DISTINCT project, request_id, request_id FROM predictions"
    )
    op.create_table(
        "predictions_0002",
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("prediction_id", sa.String(128), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("prediction", sa.Text, nullable=False),
        sa.Column("probability", sa.Double),
        sa.PrimaryKeyConstraint("project", "prediction_id", "row", name="predictions_key"),
    )
    op.execute(
        'INSERT INTO predictions_0002 (project, prediction_id, "row", request_id, version, time, features, prediction,'
        ' probability) SELECT project, request_id, "row", request_id, version, time, features, prediction, probability'
        " FROM predictions"
    )
    op.drop_table("predictions")
    op.rename_table("predictions_0002", "predictions")
    op.create_index("predictions_by_time", "predictions", ["project", "time"])
    op.create_index("predictions_by_request", "predictions", ["project", "request_id"])
