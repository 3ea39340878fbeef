-- Goals, append-only: the last one is the one that holds.
CREATE TABLE goals (
    id    INTEGER PRIMARY KEY,
    at    TEXT NOT NULL,
    actor TEXT NOT NULL,
    goal  TEXT NOT NULL
) STRICT;
