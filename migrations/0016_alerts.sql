-- Alerts: what is watched. Ids sort by creation.
CREATE TABLE alerts (
    id         TEXT PRIMARY KEY,
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL,
    watch      TEXT NOT NULL,
    -- When the data were looked at last.
    looked_at  TEXT,
    removed_at TEXT
) STRICT, WITHOUT ROWID;

-- What alerts noticed: the same trigger on the same day of the data once.
CREATE TABLE alert_events (
    seq      INTEGER PRIMARY KEY,
    alert    TEXT NOT NULL REFERENCES alerts (id),
    at       TEXT NOT NULL,
    day      TEXT NOT NULL,
    trigger  TEXT NOT NULL,
    sentence TEXT NOT NULL,
    datasets TEXT NOT NULL,
    UNIQUE (alert, trigger, day)
) STRICT;
CREATE INDEX alert_events_by_alert ON alert_events (alert, seq);
