-- Transactions of the portfolio, append-only. Money and shares are decimal text: exact, and as they were given.
CREATE TABLE portfolio_transactions (
    id          INTEGER PRIMARY KEY,
    recorded_at TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('buy', 'sell', 'deposit', 'withdrawal', 'dividend', 'split', 'reversal')),
    date        TEXT NOT NULL,
    symbol      TEXT,
    shares      TEXT,
    price       TEXT,
    fees        TEXT,
    amount      TEXT,
    new_shares  INTEGER,
    for_old     INTEGER,
    reverses    INTEGER REFERENCES portfolio_transactions (id),
    note        TEXT,
    -- The client's key, and the hash of the request it came with.
    key         TEXT UNIQUE,
    body_sha256 TEXT,
    CHECK ((key IS NULL) = (body_sha256 IS NULL))
) STRICT;
