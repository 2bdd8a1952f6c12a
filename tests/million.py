"""A million predictions in PostgreSQL: two rows a request, one every half minute, a tenth of another project."""

MILLION = (
    "INSERT INTO predictions"
    " (project, prediction_id, request_id, row, version, time, features, prediction, probability)"
    " SELECT CASE i % 10 WHEN 9 THEN 'other' ELSE 'flights' END, md5('key' || i / 2), md5('id' || i / 2), i % 2,"
    " 1 + i / 500000, timestamp '2024-01-01' + i * interval '30 seconds',"
    """ json_build_object('x', i, 'carrier', 'UA'), '"mid"', 0.5 FROM generate_series(0, 999999) i""",
    "INSERT INTO labels (project, request_id, row, time, value) SELECT project,"
    " CASE WHEN id % 20 = 0 THEN prediction_id ELSE request_id END, row, time + interval '3 days',"
    """ '"low"' FROM predictions WHERE id % 10 <> 1""",
    "ANALYZE",
)
