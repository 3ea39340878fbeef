-- Bars of less than a day are data sets too; SQLite takes a wider CHECK with a new table only.
CREATE TABLE datasets_7 (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('bars', 'closes', 'intraday', 'series')),
    symbols    TEXT NOT NULL,
    source     TEXT NOT NULL,
    title      TEXT NOT NULL,
    first      TEXT NOT NULL,
    last       TEXT NOT NULL,
    rows       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    licence    TEXT NOT NULL,
    origin     TEXT NOT NULL,
    quality    TEXT NOT NULL,
    lineage    TEXT NOT NULL,
    notes      TEXT NOT NULL,
    -- Path under the data folder; null for a bundled set.
    path       TEXT,
    -- SHA-256 of the file behind it: another file of the same id is looked at again.
    file_sha256 TEXT NOT NULL,
    checked_at TEXT NOT NULL,
    -- Version of the program whose checks it passed.
    checked_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO datasets_7 SELECT * FROM datasets;
DROP TABLE datasets;
ALTER TABLE datasets_7 RENAME TO datasets;
