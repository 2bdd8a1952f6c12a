"""Databases as the releases before schema revisions made them, with rows in them."""

TABLES = {
    "sqlite": (
        "CREATE TABLE predictions (project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
        " row INTEGER NOT NULL, version INTEGER NOT NULL, time DATETIME NOT NULL, features JSON NOT NULL,"
        " prediction TEXT NOT NULL,"
        " probability DOUBLE, PRIMARY KEY (project, request_id, row))",
        "CREATE INDEX predictions_by_time ON predictions (project, time)",
        "CREATE TABLE labels (id INTEGER NOT NULL, project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
        " row INTEGER NOT NULL, time DATETIME NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id),"
        " UNIQUE (project, request_id, row, time, value))",
    ),
    "postgresql": (
        "CREATE TABLE predictions (project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
        " row INTEGER NOT NULL, version INTEGER NOT NULL, time TIMESTAMP WITHOUT TIME ZONE NOT NULL,"
        " features JSON NOT NULL,"
        " prediction TEXT NOT NULL, probability DOUBLE PRECISION, PRIMARY KEY (project, request_id, row))",
        "CREATE INDEX predictions_by_time ON predictions (project, time)",
        "CREATE TABLE labels (id SERIAL NOT NULL, project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
        " row INTEGER NOT NULL, time TIMESTAMP WITHOUT TIME ZONE NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id),"
        " UNIQUE (project, request_id, row, time, value))",
    ),
}
ROWS = (
    "INSERT INTO predictions (project, request_id, row, version, time, features, prediction, probability) VALUES"
    " ('flights', 'old', 0, 3, '2024-03-01 12:00:00.000000', '{\"x\": 1.5, \"id\": \"k\"}', '\"true\"', 0.7),"
    " ('flights', 'old', 1, 3, '2024-03-01 12:00:01.000000', '{\"x\": null}', '\"false\"', 0.2),"
    " ('flights', 'older', 0, 2, '2024-03-01 11:00:00.000000', '{\"x\": 2.0}', '4.5', NULL),"
    " ('other', 'old', 0, 1, '2024-03-01 12:00:00.000000', '{}', '\"true\"', 0.9)",
    "INSERT INTO labels (project, request_id, row, time, value) VALUES"
    " ('flights', 'old', 1, '2024-03-02 12:00:00.000000', '\"true\"'),"
    " ('flights', 'old', 1, '2024-03-03 12:00:00.000000', '\"false\"'),"
    " ('flights', 'early', 0, '2024-03-02 12:00:00.000000', '\"true\"')",
)

# As the release with the keys of our own made it, before it kept the probability of every class.
_ONE_PROBABILITY = (
    "CREATE TABLE ciclo_predictions_revision (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO ciclo_predictions_revision VALUES ('0002')",
    "CREATE TABLE requests (project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
    " prediction_id VARCHAR(128) NOT NULL, digest VARCHAR(64), PRIMARY KEY (project, request_id))",
    "CREATE TABLE predictions (id {key}, project VARCHAR(64) NOT NULL, prediction_id VARCHAR(128),"
    " request_id VARCHAR(128) NOT NULL, row INTEGER NOT NULL, version INTEGER NOT NULL, time {time} NOT NULL,"
    " features JSON NOT NULL, prediction TEXT NOT NULL, probability {double}, PRIMARY KEY (id))",
    "CREATE UNIQUE INDEX predictions_key ON predictions (project, coalesce(prediction_id, request_id), row)",
    "CREATE INDEX predictions_by_time ON predictions (project, time)",
    "CREATE INDEX predictions_by_request ON predictions (project, request_id)",
    "CREATE TABLE labels (id {label_key}, project VARCHAR(64) NOT NULL, request_id VARCHAR(128) NOT NULL,"
    " row INTEGER NOT NULL, time {time} NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id),"
    " UNIQUE (project, request_id, row, time, value))",
)
_TYPES = {
    "sqlite": {"key": "INTEGER NOT NULL", "label_key": "INTEGER NOT NULL", "time": "DATETIME", "double": "DOUBLE"},
    "postgresql": {
        "key": "BIGSERIAL NOT NULL",
        "label_key": "SERIAL NOT NULL",
        "time": "TIMESTAMP WITHOUT TIME ZONE",
        "double": "DOUBLE PRECISION",
    },
}
ONE_PROBABILITY = {
    dialect: tuple(statement.format(**types) for statement in _ONE_PROBABILITY) for dialect, types in _TYPES.items()
}
ONE_PROBABILITY_ROWS = (
    "INSERT INTO requests (project, request_id, prediction_id, digest) VALUES ('flights', 'old', 'k', 'd')",
    "INSERT INTO predictions"
    " (project, prediction_id, request_id, row, version, time, features, prediction, probability) VALUES"
    " ('flights', 'k', 'old', 0, 3, '2024-03-01 12:00:00.000000', '{\"x\": 1.5}', '\"mid\"', 0.6)",
    "INSERT INTO labels (project, request_id, row, time, value) VALUES"
    " ('flights', 'k', 0, '2024-03-02 12:00:00.000000', '\"low\"')",
)
