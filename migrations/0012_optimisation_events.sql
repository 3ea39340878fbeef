-- Events of an optimisation, numbered 1, 2, 3 ... without holes and stored before they are sent.
CREATE TABLE optimisation_events (
    optimisation TEXT NOT NULL REFERENCES optimisations (id),
    seq          INTEGER NOT NULL,
    at           TEXT NOT NULL,
    event        TEXT NOT NULL,
    data         TEXT NOT NULL,
    PRIMARY KEY (optimisation, seq)
) STRICT;
