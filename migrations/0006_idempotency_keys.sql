-- Keys that clients gave with a write, and what it made.
CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY,
    body_sha256 TEXT NOT NULL,
    trial       TEXT NOT NULL REFERENCES trials (id),
    at          TEXT NOT NULL
) STRICT, WITHOUT ROWID;
