-- Coaches, the steps of their trust, what they did, what they taught, and what the engine asks. The last step of a
-- coach is its trust.
CREATE TABLE coach_trust (
    id           INTEGER PRIMARY KEY,
    coach        TEXT NOT NULL,
    at           TEXT NOT NULL,
    trust        INTEGER NOT NULL CHECK (trust BETWEEN 1 AND 10),
    reason       TEXT NOT NULL,
    intervention TEXT
) STRICT;
CREATE TABLE interventions (
    -- Sorts by creation.
    id    TEXT PRIMARY KEY,
    coach TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('noted', 'running', 'measured', 'unmeasured', 'undone')),
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE recipes (
    name TEXT PRIMARY KEY,
    at   TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE guidance_requests (
    id          INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    trial       TEXT NOT NULL REFERENCES trials (id),
    kind        TEXT NOT NULL,
    sentence    TEXT NOT NULL,
    evidence    TEXT NOT NULL,
    deadline    TEXT NOT NULL,
    answered_by TEXT,
    UNIQUE (trial, kind)
) STRICT;
