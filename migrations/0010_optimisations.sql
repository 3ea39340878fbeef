-- Walk-forward optimisations. Ids sort by creation.
CREATE TABLE optimisations (
    id           TEXT PRIMARY KEY,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    -- Hash of the specification: the same search run twice is tried once.
    spec_sha256  TEXT NOT NULL,
    symbols      TEXT NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    spec         TEXT NOT NULL,
    folds        INTEGER NOT NULL,
    -- Windows that are done.
    done         INTEGER NOT NULL DEFAULT 0,
    -- Points told so far in the window after those, and how many they are.
    told         TEXT NOT NULL DEFAULT '[]',
    told_count   INTEGER NOT NULL DEFAULT 0,
    -- Points of all windows, told and at most.
    points_done  INTEGER NOT NULL DEFAULT 0,
    points_total INTEGER NOT NULL,
    eta_seconds  REAL,
    -- Different points of all windows that are done.
    tried        INTEGER NOT NULL DEFAULT 0,
    result       TEXT,
    last_event   INTEGER NOT NULL DEFAULT 0,
    -- The process that goes on with it: a name in the folder of owners' locks.
    owner        TEXT NOT NULL,
    -- What is asked of the owner.
    wish         TEXT CHECK (wish IN ('cancel', 'pause', 'resume')),
    -- Key of the client that asked for it, and the hash of its request.
    key          TEXT UNIQUE,
    body_sha256  TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX optimisations_unfinished ON optimisations (state)
    WHERE state IN ('queued', 'training', 'evaluating');
