-- Actions that language models began, by the key that all that an action begins is made under: written before the
-- action, so that nothing that it begins is missed.
CREATE TABLE steered_actions (
    key          TEXT PRIMARY KEY,
    -- The person's message; null when a client over MCP acted.
    conversation TEXT,
    message      INTEGER,
    -- The model with its knowledge cut-off, as JSON.
    model        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The same table as before, for runs without a message too.
ALTER TABLE steered_runs RENAME TO steered_runs_before;
CREATE TABLE steered_runs (
    -- trial, backtest or optimisation.
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    conversation TEXT,
    message      INTEGER,
    model        TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO steered_runs SELECT kind, id, conversation, message, model FROM steered_runs_before;
DROP TABLE steered_runs_before;

-- Which model a token's program is, and up to when it knows, as far as whoever made the token says.
ALTER TABLE mcp_tokens ADD COLUMN model TEXT;
ALTER TABLE mcp_tokens ADD COLUMN knows_until TEXT;
