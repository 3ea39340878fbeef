-- Papers that were read, with what rules found in them. The same file is kept once.
CREATE TABLE papers (
    row      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    sha256   TEXT NOT NULL UNIQUE,
    added_at TEXT NOT NULL,
    file     TEXT NOT NULL,
    title    TEXT NOT NULL,
    -- All of its text, for the search.
    text     TEXT NOT NULL,
    -- The paper without its test, as JSON.
    body     TEXT NOT NULL,
    -- The test of its strategy, as JSON; null before it is made.
    test     TEXT
) STRICT;
CREATE VIRTUAL TABLE papers_index USING fts5(
    title,
    file,
    text,
    content = 'papers',
    content_rowid = 'row',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER papers_into_index AFTER INSERT ON papers BEGIN
    INSERT INTO papers_index (rowid, title, file, text) VALUES (new.row, new.title, new.file, new.text);
END;
