-- Events of a trial, numbered 1, 2, 3 ... without holes and stored before they are sent.
CREATE TABLE trial_events (
    trial TEXT NOT NULL REFERENCES trials (id),
    seq   INTEGER NOT NULL,
    at    TEXT NOT NULL,
    event TEXT NOT NULL,
    data  TEXT NOT NULL,
    PRIMARY KEY (trial, seq)
) STRICT;
