-- The index of the messages' words, made anew so that a search reads less of it:
-- - it counts backwards: the newest messages come first, and they are what is read;
-- - a conversation and a topic are one word each, which no text has: their names in hexadecimal digits;
-- - few parts at a time, since each word is looked up in every part.
DROP TRIGGER messages_into_memory;
DROP TRIGGER messages_out_of_memory;
DROP TRIGGER messages_anew_in_memory;
DROP TABLE memory;

CREATE VIRTUAL TABLE memory USING fts5(
    text,
    topics,
    place,
    content = '',
    contentless_delete = 1,
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO memory (memory, rank) VALUES ('automerge', 2);
INSERT INTO memory (memory, rank) VALUES ('crisismerge', 4);

-- What the index is given for a message.
CREATE VIEW memory_of_messages AS SELECT
    id,
    text,
    topics,
    'conversation' || lower(hex(conversation)) || '0' || coalesce(
        (SELECT group_concat(' topic' || lower(hex(value)) || '0', '') FROM json_each(topics)),
        '') AS place
FROM messages;

INSERT INTO memory (rowid, text, topics, place)
SELECT -id, text, topics, place FROM memory_of_messages ORDER BY id DESC;

CREATE TRIGGER messages_into_memory AFTER INSERT ON messages BEGIN
    INSERT INTO memory (rowid, text, topics, place)
    SELECT -id, text, topics, place FROM memory_of_messages WHERE id = new.id;
END;
-- This program never changes a message; who does it past the program leaves a true index all the same.
CREATE TRIGGER messages_out_of_memory AFTER DELETE ON messages BEGIN
    DELETE FROM memory WHERE rowid = -old.id;
END;
CREATE TRIGGER messages_anew_in_memory AFTER UPDATE OF text, topics, conversation ON messages BEGIN
    DELETE FROM memory WHERE rowid = -old.id;
    INSERT INTO memory (rowid, text, topics, place)
    SELECT -id, text, topics, place FROM memory_of_messages WHERE id = new.id;
END;

-- What a message is weighed by, without the message.
CREATE INDEX messages_weighed ON messages (id, at, importance, octet_length(text));
