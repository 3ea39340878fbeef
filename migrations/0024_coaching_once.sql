-- What an action made under its key, where that is neither a trial, a back test nor an optimisation: an alert, an
-- intervention, an intervention that was taken back.
CREATE TABLE action_keys (
    key         TEXT PRIMARY KEY,
    body_sha256 TEXT NOT NULL,
    made        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When a question's time was over without an answer.
ALTER TABLE guidance_requests ADD COLUMN lapsed_at TEXT;
-- When the program's own model was asked for an answer; it is asked once.
ALTER TABLE guidance_requests ADD COLUMN put_at TEXT;
