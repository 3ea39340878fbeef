-- Walk-forward optimisations. Ids sort by creation. A window is written once and never changed.
CREATE TABLE optimisations (
    id          TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL,
    ended_at    TEXT,
    -- Hash of the specification: the same search run twice is tried once.
    spec_sha256 TEXT NOT NULL,
    symbols     TEXT NOT NULL,
    -- training, finished, failed.
    state       TEXT NOT NULL,
    reason      TEXT,
    spec        TEXT NOT NULL,
    folds       INTEGER NOT NULL,
    -- Points told so far in the window after those that are done.
    told        TEXT NOT NULL DEFAULT '[]',
    -- Windows that are done, each with what is shown of it.
    windows     TEXT NOT NULL DEFAULT '[]',
    -- Different points of all windows that are done.
    tried       INTEGER NOT NULL DEFAULT 0,
    result      TEXT
) STRICT;
