-- What each model did in each finished trial, with the traits of the data: the ground on which models are proposed.
CREATE TABLE experiences (
    trial   TEXT NOT NULL REFERENCES trials (id),
    -- Place of the model in the specification.
    place   INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (trial, place, horizon)
) STRICT, WITHOUT ROWID;

-- Finished trials that were looked at, with or without a record.
CREATE TABLE learned_trials (
    trial TEXT PRIMARY KEY REFERENCES trials (id)
) STRICT, WITHOUT ROWID;
