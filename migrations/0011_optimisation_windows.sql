-- Windows of an optimisation that are done: written once, never changed.
CREATE TABLE optimisation_windows (
    optimisation TEXT NOT NULL REFERENCES optimisations (id),
    -- From 0.
    number       INTEGER NOT NULL,
    -- Everything that goes on with it: points, choice, returns.
    window       TEXT NOT NULL,
    -- What is shown of it.
    shown        TEXT NOT NULL,
    -- Its part of the curve.
    curve        TEXT NOT NULL,
    PRIMARY KEY (optimisation, number)
) STRICT;
