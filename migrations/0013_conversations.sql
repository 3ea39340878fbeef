-- Conversations and their messages, numbered 1, 2, 3 ... without holes and stored before they are sent.
CREATE TABLE conversations (
    id           TEXT PRIMARY KEY,
    -- The beginning of the first message.
    title        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    -- When the last message was stored, and its number.
    updated_at   TEXT NOT NULL,
    last_message INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_by_update ON conversations (updated_at, id);

-- What is long stands last: a search reads the columns before it only.
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversations (id),
    seq          INTEGER NOT NULL,
    at           TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('user', 'agent', 'assistant')),
    author       TEXT NOT NULL,
    -- Number of the person's message that it answers.
    answers      INTEGER,
    importance   REAL NOT NULL CHECK (importance BETWEEN 0 AND 1),
    -- A JSON array of words in small letters.
    topics       TEXT NOT NULL,
    -- Key that a client gave.
    key          TEXT UNIQUE,
    text         TEXT NOT NULL,
    -- Pieces, citations, cards, question, model, usage and cost, as JSON.
    body         TEXT NOT NULL,
    UNIQUE (conversation, seq)
) STRICT;
CREATE INDEX messages_by_time ON messages (at);
CREATE INDEX messages_of_persons ON messages (conversation, seq) WHERE role = 'user';
CREATE INDEX messages_that_answer ON messages (conversation, answers) WHERE role = 'assistant';
