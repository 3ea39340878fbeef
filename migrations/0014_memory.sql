-- The index of the messages' words. It holds no text of its own: that is in `messages`.
-- Words are found in other forms too ("predicting" by "prediction"), with and without accents. The
-- conversation is in it so that a search in one of them reads its part of the index only.
CREATE VIRTUAL TABLE memory USING fts5(
    text,
    topics,
    conversation,
    content = 'messages',
    content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER messages_into_memory AFTER INSERT ON messages BEGIN
    INSERT INTO memory (rowid, text, topics, conversation)
    VALUES (new.id, new.text, new.topics, new.conversation);
END;
-- This program never changes a message; who does it past the program leaves a true index all the same.
CREATE TRIGGER messages_out_of_memory AFTER DELETE ON messages BEGIN
    INSERT INTO memory (memory, rowid, text, topics, conversation)
    VALUES ('delete', old.id, old.text, old.topics, old.conversation);
END;
CREATE TRIGGER messages_anew_in_memory AFTER UPDATE OF text, topics, conversation ON messages BEGIN
    INSERT INTO memory (memory, rowid, text, topics, conversation)
    VALUES ('delete', old.id, old.text, old.topics, old.conversation);
    INSERT INTO memory (rowid, text, topics, conversation)
    VALUES (new.id, new.text, new.topics, new.conversation);
END;
