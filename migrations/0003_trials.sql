-- Trials: specification, state and result. Ids sort by creation.
CREATE TABLE trials (
    id            TEXT PRIMARY KEY,
    state         TEXT NOT NULL,
    reason        TEXT,
    spec          TEXT NOT NULL,
    target        TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    steps_done    INTEGER NOT NULL DEFAULT 0,
    steps_total   INTEGER NOT NULL DEFAULT 0,
    eta_seconds   REAL,
    leaderboard   TEXT NOT NULL DEFAULT '[]',
    verdict       TEXT,
    lineage       TEXT NOT NULL,
    result_sha256 TEXT,
    last_event    INTEGER NOT NULL DEFAULT 0,
    -- The process that runs it: a name in the folder of owners' locks.
    owner         TEXT NOT NULL,
    -- What another process asks the owner to do.
    wish          TEXT CHECK (wish IN ('cancel', 'pause', 'resume'))
) STRICT, WITHOUT ROWID;
CREATE INDEX trials_by_target ON trials (target);
CREATE INDEX trials_unfinished ON trials (state)
    WHERE state NOT IN ('finished', 'cancelled', 'blocked', 'failed');
CREATE INDEX trials_with_wish ON trials (owner) WHERE wish IS NOT NULL;
