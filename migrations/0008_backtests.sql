-- Back tests with their results; nothing is ever changed. Ids sort by creation.
CREATE TABLE backtests (
    id          TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL,
    -- Hash of the specification: the same test run twice is one thing tried.
    spec_sha256 TEXT NOT NULL,
    symbols     TEXT NOT NULL,
    -- Sharpe ratio a bar; null when nothing varies.
    ratio       REAL,
    -- What lists show.
    summary     TEXT NOT NULL,
    -- All of it.
    view        TEXT NOT NULL,
    -- Key that a client gave, and the hash of the request that it came with.
    key         TEXT UNIQUE,
    body_sha256 TEXT
) STRICT;
CREATE INDEX backtests_by_spec ON backtests (spec_sha256);
