"""A key of our own for each request, the client's id beside it, and who answered an id first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Copy the predictions into a table with the new key.

    A request without a key of ours goes by the client's id: those of the release before, which may write on while its
    last servers are replaced.
    """
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
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("prediction_id", sa.String(128)),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("time", sa.DateTime, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("prediction", sa.Text, nullable=False),
        sa.Column("probability", sa.Double),
    )
    columns = 'project, request_id, "row", version, time, features, prediction, probability'
    op.execute(f"INSERT INTO predictions_0002 ({columns}) SELECT {columns} FROM predictions")  # noqa: S608
    op.drop_table("predictions")
    op.rename_table("predictions_0002", "predictions")
    key = sa.text("coalesce(prediction_id, request_id)")
    op.create_index("predictions_key", "predictions", ["project", key, "row"], unique=True)
    op.create_index("predictions_by_time", "predictions", ["project", "time"])
    op.create_index("predictions_by_request", "predictions", ["project", "request_id"])
