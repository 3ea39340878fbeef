-- Calls of language models and what they cost.
CREATE TABLE model_calls (
    id            INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    -- The day that it is counted on.
    day           TEXT NOT NULL,
    conversation  TEXT NOT NULL,
    -- Whether it used anything: only such a call is counted.
    used          INTEGER NOT NULL CHECK (used IN (0, 1)),
    tokens        INTEGER NOT NULL,
    -- Millionths of a US dollar; null without a known price.
    micro_dollars INTEGER,
    -- All of it.
    call          TEXT NOT NULL
) STRICT;
-- Holds all that a sum needs: the rows are not read for it.
CREATE INDEX model_calls_sums ON model_calls (conversation, day, used, tokens, micro_dollars);
