-- Runs that a language model steered: which model, and where it was asked to.
CREATE TABLE steered_runs (
    -- trial, backtest or optimisation.
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    conversation TEXT NOT NULL,
    message      INTEGER NOT NULL,
    -- Identity of the model with its knowledge cut-off, as JSON.
    model        TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
