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
