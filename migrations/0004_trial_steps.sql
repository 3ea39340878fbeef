-- Finished steps: written once, never changed.
CREATE TABLE trial_steps (
    trial       TEXT NOT NULL REFERENCES trials (id),
    step        INTEGER NOT NULL,
    model       TEXT NOT NULL,
    model_index INTEGER NOT NULL,
    horizon     INTEGER NOT NULL,
    fold        INTEGER NOT NULL,
    folds       INTEGER NOT NULL,
    error       TEXT,
    notes       TEXT NOT NULL,
    took_ms     REAL NOT NULL,
    predictions BLOB NOT NULL,
    PRIMARY KEY (trial, step)
) STRICT;
