-- Tokens of programs that speak MCP. The token itself is kept nowhere: only its SHA-256, in hexadecimal.
CREATE TABLE mcp_tokens (
    name       TEXT PRIMARY KEY,
    sha256     TEXT NOT NULL UNIQUE,
    trust      INTEGER NOT NULL CHECK (trust BETWEEN 1 AND 10),
    created_at TEXT NOT NULL,
    -- The last day (UTC) on which it holds; null for ever.
    expires    TEXT,
    revoked_at TEXT
) STRICT, WITHOUT ROWID;
