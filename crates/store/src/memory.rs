//! Table `memory`: the words of the messages, and what a search in them finds.
//!
//! What: a message is found by any of the words. Its score is *relevance x (0.5 + importance) x recency*:
//!
//! - relevance is BM25 (Robertson and Zaragoza 2009; k1 1.2, b 0.75) over the largest of the search. How often a
//!   word stands in a message is not counted: messages are short, and it would cost reading ten times as much;
//! - importance, 0 to 1, thus triples the score of what matters most over what matters least;
//! - recency halves every 30 days and ends at a quarter: an old message is never as good as lost.
//!
//! Small words ("the", "what") are looked for only when nothing holds any other; in capitals (`ON`, `IT`) they may be
//! names and count.
//!
//! Cost: the index gives for each word the newest 500 messages only, so that a word that stands everywhere costs
//! no more than another. For words in more messages than that, the other ones are looked for together with the
//! rarer words of the search, or, when there is none, all words together; a word in every eighth message or more
//! counts only when there is no other. The 200 that hold the most telling words (the newest first among
//! equals) are weighed.
//! Not claimed: a message that holds only words of more than 500 messages, not all of them, and is older than
//! the newest 500 of each, is not found.

use crate::fault::Fault;
use crate::{conversations, from_json, parse_time, time_text, to_json, words};
use chrono::{DateTime, Utc};
use mltrainer_services::port::MemoryQuery;
use mltrainer_types::ConversationId;
use mltrainer_types::chat::MemoryHit;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeMap;

/// Words of a search that are looked for: the longest when there are more.
const WORDS: usize = 16;

/// Messages that the index gives for a word, the newest.
const NEWEST: usize = 500;

/// A word in such a share of the messages does not say which one is meant.
const FREQUENT: f64 = 0.125;

/// Words that are looked for beyond their newest messages.
const BEYOND: usize = 4;

/// Words that hold a sentence together and say nothing of what it is about.
const SMALL: [&str; 71] = [
    "a", "about", "after", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but",
    "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "no", "not", "of", "on",
    "or", "our", "please", "she", "should", "so", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where",
    "which", "who", "with", "would", "you",
];

/// Messages that are weighed.
const CANDIDATES: usize = 200;

/// Messages that two processes store at once may stand in the other order than their times: so many more are
/// looked at on both sides of a span of time.
const DISORDER: i64 = 1_000;

/// Longest snippet, in characters with its marks.
const SNIPPET: usize = 300;

/// Characters before the first place of a snippet.
const LEAD: usize = 60;

/// Marks around what was found.
const MARKS: (char, char) = ('\u{2068}', '\u{2069}');

/// A word as it is looked for.
struct Word {
    /// In the index's language.
    phrase: String,
    stems: Vec<String>,
    /// Says nothing of what a message is about.
    is_small: bool,
    /// Messages that hold it, newest first.
    messages: Vec<i64>,
    /// How many there are: an estimate when the list is full.
    count: f64,
    /// How much it says: its inverse document frequency.
    weight: f64,
}

impl Word {
    /// Whether there may be more messages than the list holds.
    fn is_common(&self) -> bool {
        self.messages.len() >= NEWEST
    }
}

/// Where is looked.
struct Place {
    /// What all messages of it have, in the index's language; `None` is everywhere.
    every: Option<String>,
    /// Numbers of messages.
    low: i64,
    high: i64,
}

/// A text in the index's language: between quotes nothing is an operator. `None` when there is no word in it.
fn quoted(text: &str) -> Option<String> {
    if !text.contains(char::is_alphanumeric) {
        return None;
    }
    let plain = text.replace(|c: char| c == '"' || c.is_control(), " ");
    Some(format!("\"{plain}\""))
}

/// The one word of the index that the messages of a conversation or on a topic have, and no text has. A digit at the
/// end keeps it from being brought to a stem.
fn token(kind: &str, name: &str) -> String {
    let letters = name.bytes().map(|b| format!("{b:02x}"));
    format!("{kind}{}0", letters.collect::<String>())
}

/// The words of a search, each once. What is joined by other signs than these is a phrase: `BRK.B`, `random_forest`.
fn split(text: &str) -> Vec<Word> {
    let between =
        |c: char| c.is_whitespace() || c.is_control() || "\",;()[]{}!?|/\\<>*".contains(c);
    let mut all: Vec<Word> = Vec::new();
    for part in text.split(between) {
        let stems = words::stems(part);
        let Some(phrase) = quoted(part) else { continue };
        if stems.is_empty() || all.iter().any(|w| w.stems == stems) {
            continue;
        }
        let bare = part.trim_matches(|c: char| !c.is_alphanumeric());
        let is_name = bare.len() > 1 && !bare.contains(char::is_lowercase);
        let is_small = !is_name && SMALL.contains(&bare.to_lowercase().as_str());
        all.push(Word {
            phrase,
            stems,
            is_small,
            messages: Vec::new(),
            count: 0.0,
            weight: 0.0,
        });
    }
    if all.len() > WORDS {
        all.sort_by_key(|w| std::cmp::Reverse(w.phrase.chars().count()));
        all.truncate(WORDS);
    }
    all
}

/// The span of numbers of messages in which is looked, and the newest messages in it that each expression of a list
/// finds, in the order of the list. The index counts backwards, so that the newest come first.
const LOOK_UP: &str = "
    WITH span (low, high) AS MATERIALIZED (
        SELECT
            CASE WHEN ?3 IS NULL THEN 1 ELSE
                (SELECT id FROM messages WHERE at >= ?3 ORDER BY at LIMIT 1) - ?5 END,
            CASE WHEN ?4 IS NULL THEN (SELECT max(id) FROM messages) ELSE
                min((SELECT id FROM messages WHERE at < ?4 ORDER BY at DESC LIMIT 1) + ?5,
                    (SELECT max(id) FROM messages)) END)
    SELECT low, high, (
        SELECT json_group_array(json((
            SELECT json_group_array(-rowid) FROM (
                SELECT rowid FROM memory
                WHERE memory MATCH looked.value AND rowid BETWEEN -span.high AND -span.low
                ORDER BY rowid LIMIT ?2))))
        FROM json_each(?1) AS looked)
    FROM span";

impl Place {
    fn of(query: &MemoryQuery) -> Self {
        let conversation = query.conversation.as_ref();
        let conversation = conversation.map(|id| token("conversation", id.as_str()));
        let topics = query.topics.iter().map(|t| token("topic", t));
        let every: Vec<String> = conversation.into_iter().chain(topics).collect();
        Self {
            every: (!every.is_empty()).then(|| every.join(" AND ")),
            low: 1,
            high: 0,
        }
    }

    /// The newest messages here that each expression finds.
    async fn newest(
        &mut self,
        conn: &mut SqliteConnection,
        query: &MemoryQuery,
        mut expressions: Vec<String>,
    ) -> Result<Vec<Vec<i64>>, Fault> {
        if let Some(every) = &self.every {
            for expression in &mut expressions {
                *expression = format!("{expression} AND {every}");
            }
        }
        // One row for all of them: rows and statements are what costs.
        let (low, high, found): (Option<i64>, Option<i64>, String) = sqlx::query_as(LOOK_UP)
            .bind(to_json(&expressions)?)
            .bind(NEWEST as i64)
            .bind(query.since.map(time_text))
            .bind(query.until.map(time_text))
            .bind(DISORDER)
            .fetch_one(conn)
            .await?;
        // No such moment: an empty span.
        let (low, high) = low.zip(high).unwrap_or((1, 0));
        (self.low, self.high) = (low.max(1), high);
        from_json("memory", &found)
    }

    /// How many messages there are like those: as dense as the newest lie when the list is full.
    fn count(&self, newest: &[i64]) -> f64 {
        let all = (self.high - self.low + 1) as f64;
        match newest.iter().min() {
            Some(last) if newest.len() >= NEWEST => {
                newest.len() as f64 * all / (self.high - last + 1) as f64
            }
            _ => newest.len() as f64,
        }
    }
}

/// Reads the index for each word; gives those that count.
async fn look_up(
    conn: &mut SqliteConnection,
    query: &MemoryQuery,
    place: &mut Place,
    mut all: Vec<Word>,
) -> Result<Vec<Word>, Fault> {
    // What every message of the place has is looked up with the words.
    let every = place.every.clone();
    let words = all.iter().map(|w| w.phrase.clone()).chain(every);
    let mut found = place.newest(conn, query, words.collect()).await?;
    let like = found.split_off(all.len());
    let population = match like.first() {
        Some(like) => place.count(like),
        None => (place.high - place.low + 1) as f64,
    };
    for (word, messages) in all.iter_mut().zip(found) {
        word.messages = messages;
        word.count = place.count(&word.messages);
        let without = f64::max(0.0, population - word.count);
        word.weight = ((without + 0.5) / (word.count + 0.5)).ln_1p();
    }
    let tells = |w: &Word| !w.is_common() || w.count < FREQUENT * population;
    if all.iter().any(tells) {
        all.retain(tells);
    }
    Ok(all)
}

/// Finds messages that are older than the newest of common words.
async fn look_beyond(
    conn: &mut SqliteConnection,
    query: &MemoryQuery,
    place: &mut Place,
    all: &mut [Word],
) -> Result<(), Fault> {
    let (mut common, rare): (Vec<&mut Word>, Vec<&mut Word>) =
        all.iter_mut().partition(|w| w.is_common());
    common.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    common.truncate(BEYOND);
    let phrases = |of: &[&mut Word], between: &str| {
        let all: Vec<&str> = of.iter().map(|w| w.phrase.as_str()).collect();
        all.join(between)
    };
    if rare.is_empty() {
        if common.len() > 1 {
            let together = vec![phrases(&common, " AND ")];
            let more = place.newest(conn, query, together).await?.concat();
            for word in common {
                word.messages.extend_from_slice(&more);
            }
        }
        return Ok(());
    }
    if common.is_empty() {
        return Ok(());
    }
    let any = phrases(&rare, " OR ");
    let both = common.iter().map(|w| format!("({any}) AND {}", w.phrase));
    let more = place.newest(conn, query, both.collect()).await?;
    for (word, more) in common.into_iter().zip(more) {
        word.messages.extend(more);
    }
    Ok(())
}

/// A message that is weighed.
struct Candidate {
    id: i64,
    at: DateTime<Utc>,
    importance: f64,
    /// Length in bytes.
    length: f64,
    /// What its words say.
    weight: f64,
}

/// The messages that hold the most telling words and are where is looked.
async fn candidates(
    conn: &mut SqliteConnection,
    query: &MemoryQuery,
    all: &[Word],
) -> Result<Vec<Candidate>, Fault> {
    let mut held: Vec<(i64, usize)> = Vec::new();
    for (n, word) in all.iter().enumerate() {
        held.extend(word.messages.iter().map(|id| (*id, n)));
    }
    held.sort_unstable();
    held.dedup();
    // Added in the order of the words: the same sum for the same words.
    let mut best: Vec<(i64, f64)> = held
        .chunk_by(|a, b| a.0 == b.0)
        .map(|of| (of[0].0, of.iter().map(|(_, n)| all[*n].weight).sum()))
        .collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    best.truncate(CANDIDATES);
    let ids: Vec<i64> = best.iter().map(|(id, _)| *id).collect();
    let found: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(id, at, importance, octet_length(text)))
         FROM messages INDEXED BY messages_weighed
         WHERE id IN (SELECT value FROM json_each(?1))
             AND (?2 IS NULL OR at >= ?2) AND (?3 IS NULL OR at < ?3)",
    )
    .bind(to_json(&ids)?)
    .bind(query.since.map(time_text))
    .bind(query.until.map(time_text))
    .fetch_one(conn)
    .await?;
    let weights: BTreeMap<i64, f64> = best.into_iter().collect();
    from_json::<Vec<(i64, String, f64, f64)>>("memory", &found)?
        .into_iter()
        .map(|(id, at, importance, length)| {
            Ok(Candidate {
                id,
                at: parse_time(&at)?,
                importance,
                length,
                weight: weights.get(&id).copied().unwrap_or_default(),
            })
        })
        .collect()
}

/// 1 now, half after 30 days, a quarter after 60 and ever after.
fn recency(at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    let days = (now - at).num_seconds().max(0) as f64 / 86_400.0;
    f64::max(0.25, (-days / 30.0).exp2())
}

/// Number and score of the best, best first; the newest first among equals.
fn weighed(all: &[Candidate], now: DateTime<Utc>, limit: usize) -> Vec<(i64, f64)> {
    let mean = all.iter().map(|c| c.length).sum::<f64>() / all.len() as f64;
    let relevance = |c: &Candidate| {
        let long = 1.0 - 0.75 + 0.75 * c.length / mean.max(1.0);
        c.weight * 2.2 / (1.0 + 1.2 * long)
    };
    let largest = all.iter().map(relevance).fold(f64::MIN_POSITIVE, f64::max);
    let mut scores: Vec<(i64, f64)> = all
        .iter()
        .map(|c| {
            let score = relevance(c) / largest * (0.5 + c.importance) * recency(c.at, now);
            (c.id, score)
        })
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    scores.truncate(limit);
    scores
}

/// The part of a text that holds the most words, with marks around them.
fn snippet(text: &str, phrases: &[Vec<String>]) -> String {
    let places = words::places(text, phrases);
    let reach = SNIPPET - 2 * LEAD;
    let words_from = |first: usize| {
        let from = places[first].0.start;
        let near = places[first..]
            .iter()
            .take_while(|(p, _)| p.end < from + reach);
        let mut there: Vec<usize> = near.map(|(_, n)| *n).collect();
        there.sort_unstable();
        there.dedup();
        there.len()
    };
    let best = (0..places.len()).rev().max_by_key(|i| words_from(*i));
    // From a word's beginning, a little before the first place.
    let first = best.map_or(0, |i| places[i].0.start);
    let lead = text[..first].char_indices().rev().nth(LEAD - 1);
    let from = lead.filter(|(at, _)| *at > 0).map_or(0, |(at, _)| {
        text[at..first]
            .find(char::is_whitespace)
            .map_or(at, |n| at + n)
    });
    let mut out = String::new();
    let mut length = 0;
    if from > 0 {
        out.push('…');
        length = 1;
    }
    let mut next = places
        .iter()
        .map(|(p, _)| p)
        .skip_while(|p| p.start < from)
        .peekable();
    let mut inside: Option<usize> = None;
    for (at, c) in text[from..].char_indices() {
        let at = from + at;
        if inside.is_some_and(|end| at >= end) {
            out.push(MARKS.1);
            inside = None;
        }
        // Room for both marks and the sign that there is more.
        if length + 4 > SNIPPET {
            out.push('…');
            break;
        }
        if let Some(place) = next.next_if(|p| at >= p.start) {
            out.push(MARKS.0);
            // Its end has room already.
            length += 2;
            inside = Some(place.end);
        }
        // Marks of the text itself would be taken for ours.
        if c == MARKS.0 || c == MARKS.1 {
            continue;
        }
        out.push(if c.is_whitespace() { ' ' } else { c });
        length += 1;
    }
    if inside.is_some() {
        out.push(MARKS.1);
    }
    out.trim().to_owned()
}

fn hit(row: &SqliteRow, score: f64, phrases: &[Vec<String>]) -> Result<MemoryHit, Fault> {
    Ok(MemoryHit {
        conversation: ConversationId(row.try_get("conversation")?),
        seq: row.try_get("seq")?,
        at: parse_time(row.try_get("at")?)?,
        role: conversations::role(row)?,
        author: row.try_get("author")?,
        snippet: snippet(row.try_get("text")?, phrases),
        importance: row.try_get("importance")?,
        topics: from_json("topics", row.try_get("topics")?)?,
        score,
    })
}

/// Messages that hold the words, best first.
pub(crate) async fn search(
    readers: &SqlitePool,
    query: &MemoryQuery,
) -> Result<Vec<MemoryHit>, Fault> {
    let (small, telling): (Vec<Word>, Vec<Word>) =
        split(&query.words).into_iter().partition(|w| w.is_small);
    let mut conn = readers.acquire().await?;
    for words in [telling, small] {
        let found = search_words(&mut conn, query, words).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn search_words(
    conn: &mut SqliteConnection,
    query: &MemoryQuery,
    words: Vec<Word>,
) -> Result<Vec<MemoryHit>, Fault> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let phrases: Vec<Vec<String>> = words.iter().map(|w| w.stems.clone()).collect();
    let mut place = Place::of(query);
    let mut all = look_up(conn, query, &mut place, words).await?;
    look_beyond(conn, query, &mut place, &mut all).await?;
    if all.iter().all(|w| w.messages.is_empty()) {
        return Ok(Vec::new());
    }
    let all = candidates(conn, query, &all).await?;
    let best = weighed(&all, query.now, query.limit as usize);
    let ids: Vec<i64> = best.iter().map(|(id, _)| *id).collect();
    let rows = sqlx::query(
        "SELECT id, conversation, seq, at, role, author, importance, topics, text FROM messages
         WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(to_json(&ids)?)
    .fetch_all(conn)
    .await?;
    let mut by_id: BTreeMap<i64, &SqliteRow> = BTreeMap::new();
    for row in &rows {
        by_id.insert(row.try_get("id")?, row);
    }
    best.iter()
        .filter_map(|(id, score)| Some(hit(by_id.get(id)?, *score, &phrases)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;
    use crate::testing::{message, store};
    use chrono::Duration;
    use mltrainer_services::port::ChatStore;
    use mltrainer_types::chat::ChatMessage;

    /// The moment at which the tests look back; [`message`] is of this moment.
    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn query(words: &str) -> MemoryQuery {
        MemoryQuery {
            words: words.into(),
            now: now(),
            limit: 20,
            ..MemoryQuery::default()
        }
    }

    async fn say(store: &SqliteStore, message: ChatMessage) {
        store.say(message, None, Vec::new()).await.unwrap();
    }

    async fn say_all(store: &SqliteStore, texts: &[&str]) {
        for text in texts {
            say(store, message("c-1", text)).await;
        }
    }

    /// Numbers of what is found, best first.
    async fn found(store: &SqliteStore, query: &MemoryQuery) -> Vec<i64> {
        let hits = store.remember(query).await.unwrap();
        hits.iter().map(|h| h.seq).collect()
    }

    #[tokio::test]
    async fn hostile_words_are_words() {
        let (_folder, store) = store().await;
        say_all(
            &store,
            &[
                "momentum of NVDA",
                "one OR the other",
                "1=1 holds",
                "near and not far",
            ],
        )
        .await;
        let expected: [(&str, &[i64]); 24] = [
            ("\" OR 1=1 --", &[3, 2]),
            ("NEAR(momentum NVDA, 5)", &[1, 4]),
            ("NEAR(", &[4]),
            ("*", &[]),
            ("mom*", &[]),
            ("\"", &[]),
            ("\"\"", &[]),
            ("'", &[]),
            ("\"momentum", &[1]),
            ("momentum\" OR \"far", &[1, 4, 2]),
            ("\u{1f680}", &[]),
            ("\u{1f680} momentum \u{1f680}", &[1]),
            ("\u{0}", &[]),
            ("momentum\u{0}nvda", &[1]),
            ("^momentum", &[1]),
            ("-momentum", &[1]),
            ("+", &[]),
            ("text : momentum", &[1]),
            ("{text topics} : (momentum)", &[1]),
            ("conversation : c", &[]),
            ("AND NOT", &[4]),
            (") momentum (", &[1]),
            ("%' OR '1'='1", &[2, 3]),
            ("", &[]),
        ];
        for (words, numbers) in expected {
            let mut got = found(&store, &query(words)).await;
            got.sort_unstable();
            let mut numbers = numbers.to_vec();
            numbers.sort_unstable();
            assert_eq!(got, numbers, "{words:?}");
        }
        let long = "momentum nvda ".repeat(5_000);
        assert_eq!(found(&store, &query(&long)).await, [1]);
        let many: String = (0..2_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(found(&store, &query(&many)).await, Vec::<i64>::new());
    }

    #[tokio::test]
    async fn weight_and_age_multiply_the_score() {
        let (_folder, store) = store().await;
        // The same text: relevance 1 each. (0.5 + importance) x recency by hand.
        let cases = [
            (0.5, 0, 1.0),
            (1.0, 0, 1.5),
            (0.0, 0, 0.5),
            (0.5, 30, 0.5),
            (0.5, 60, 0.25),
            (0.5, 3_650, 0.25),
            (1.0, 30, 0.75),
            // A clock that went back: not newer than new.
            (0.5, -9, 1.0),
        ];
        for (importance, days, _) in cases {
            let said = ChatMessage {
                importance,
                at: now() - Duration::days(days),
                ..message("c-1", "momentum pays")
            };
            say(&store, said).await;
        }
        let hits = store.remember(&query("momentum")).await.unwrap();
        assert_eq!(hits.len(), cases.len());
        for hit in &hits {
            let (importance, days, score) = cases[hit.seq as usize - 1];
            assert!((hit.score - score).abs() < 1e-12, "{hit:?}");
            assert_eq!(hit.importance, importance);
            assert_eq!(hit.at, now() - Duration::days(days));
        }
        // Best first, and of equals the one stored last.
        let order: Vec<i64> = hits.iter().map(|h| h.seq).collect();
        assert_eq!(order, [2, 8, 1, 7, 4, 3, 6, 5]);
        let mut two = query("momentum");
        two.limit = 2;
        assert_eq!(found(&store, &two).await, [2, 8]);
    }

    #[tokio::test]
    async fn rare_words_and_short_messages_say_more() {
        let (_folder, store) = store().await;
        say_all(
            &store,
            &[
                "alpha one",
                "gamma two",
                "gamma six",
                "gamma six gamma six gamma six",
            ],
        )
        .await;
        let hits = store.remember(&query("alpha gamma")).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.seq).collect::<Vec<_>>(), [1, 3, 2, 4]);
        // BM25 by hand: 4 messages, one with alpha and three with gamma; lengths 9, 9, 9 and 29, their mean 14.
        let rarity = |n: f64| (1.0 + (4.0 - n + 0.5) / (n + 0.5)).ln();
        let short = 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * 9.0 / 14.0));
        let long = 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * 29.0 / 14.0));
        let best = rarity(1.0) * short;
        for (hit, expected) in hits.iter().zip([
            best,
            rarity(3.0) * short,
            rarity(3.0) * short,
            rarity(3.0) * long,
        ]) {
            assert!((hit.score - expected / best).abs() < 1e-12, "{hit:?}");
        }
        // More words are better than one.
        say_all(&store, &["alpha gamma"]).await;
        assert_eq!(found(&store, &query("gamma alpha")).await[0], 5);
    }

    #[tokio::test]
    async fn other_forms_accents_and_topics_are_found() {
        let (_folder, store) = store().await;
        say_all(
            &store,
            &[
                "We were predicting rates",
                "Zu\u{308}rich",
                "random forest",
                "a forest, random",
            ],
        )
        .await;
        let about = ChatMessage {
            topics: vec!["bundled:nvda".into(), "train_model".into()],
            ..message("c-1", "Begun.")
        };
        say(&store, about).await;
        for (words, numbers) in [
            ("prediction", &[1][..]),
            ("RATE", &[1]),
            ("zürich", &[2]),
            ("zurich", &[2]),
            ("random_forest", &[3]),
            ("NVDA", &[5]),
            ("train_model", &[5]),
            ("training", &[5]),
            // The id of a conversation is no word of it.
            ("c-1", &[]),
        ] {
            assert_eq!(found(&store, &query(words)).await, numbers, "{words}");
        }
    }

    #[tokio::test]
    async fn every_filter_is_exact() {
        let (_folder, store) = store().await;
        let said = |conversation: &str, minute: i64, topics: &[&str]| ChatMessage {
            at: now() + Duration::minutes(minute),
            topics: topics.iter().map(|t| (*t).to_owned()).collect(),
            ..message(conversation, "momentum")
        };
        let one = "c-0190c0de-7000-7abc-8def-0123456789ab";
        // Another id with the same last part.
        let two = "c-0190c0de-7000-7abc-9def-0123456789ab";
        say(&store, said(one, 0, &["aapl", "train_model"])).await;
        say(&store, said(one, 1, &["train_model_x"])).await;
        // Stored out of order.
        say(&store, said(one, 3, &["train", "model"])).await;
        say(&store, said(one, 2, &["aapl"])).await;
        say(&store, said(two, 1, &["msft"])).await;
        let hits = |query: MemoryQuery| {
            let store = &store;
            async move {
                let mut all: Vec<(bool, i64)> = store
                    .remember(&query)
                    .await
                    .unwrap()
                    .iter()
                    .map(|h| (h.conversation.as_str() == one, h.seq))
                    .collect();
                all.sort_unstable();
                all
            }
        };
        let base = || query("momentum");
        let minute = |n| Some(now() + Duration::minutes(n));
        assert_eq!(hits(base()).await.len(), 5);
        let mut q = base();
        q.conversation = Some(one.into());
        assert_eq!(
            hits(q.clone()).await,
            [(true, 1), (true, 2), (true, 3), (true, 4)]
        );
        q.since = minute(1);
        q.until = minute(3);
        assert_eq!(hits(q).await, [(true, 2), (true, 4)]);
        let mut q = base();
        q.since = minute(2);
        assert_eq!(hits(q).await, [(true, 3), (true, 4)]);
        let mut q = base();
        q.until = minute(1);
        assert_eq!(hits(q).await, [(true, 1)]);
        for (since, until) in [
            (minute(9), None),
            (None, minute(-9)),
            (minute(2), minute(2)),
        ] {
            let mut q = base();
            (q.since, q.until) = (since, until);
            assert_eq!(hits(q).await, []);
        }
        for (topics, numbers) in [
            (&["train_model"][..], vec![(true, 1)]),
            (&["aapl"], vec![(true, 1), (true, 4)]),
            (&["aapl", "train_model"], vec![(true, 1)]),
            (&["msft"], vec![(false, 1)]),
            (&["model"], vec![(true, 3)]),
            (&["\" OR momentum"], vec![]),
            (&["*"], vec![]),
            (&[""], vec![]),
        ] {
            let mut q = base();
            q.topics = topics.iter().map(|t| (*t).to_owned()).collect();
            assert_eq!(hits(q).await, numbers, "{topics:?}");
        }
        let mut q = base();
        q.conversation = Some("\"*".into());
        assert_eq!(hits(q).await, []);
    }

    #[tokio::test]
    async fn small_words_count_when_nothing_else_is_found() {
        let (_folder, store) = store().await;
        say_all(
            &store,
            &["what is the Sharpe ratio", "the drawdown", "buy ON today"],
        )
        .await;
        for (words, numbers) in [
            ("what is the drawdown", &[2][..]),
            // Nothing holds "volatility".
            ("the volatility", &[2, 1]),
            ("What is", &[1]),
            // The symbol, not the word.
            ("ON the drawdown", &[3, 2]),
            ("on the drawdown", &[2]),
        ] {
            let mut got = found(&store, &query(words)).await;
            got.sort_unstable();
            let mut numbers = numbers.to_vec();
            numbers.sort_unstable();
            assert_eq!(got, numbers, "{words}");
        }
    }

    #[tokio::test]
    async fn messages_of_before_this_index_are_found_and_changes_past_the_program_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let run = async |sql: &'static str| {
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        };
        let said = "INSERT INTO messages (conversation, seq, at, role, author, importance, topics, text, body)
             VALUES ('c-1', {n}, '2023-11-14T22:13:20.000000Z', 'user', 'user', 0.5, '[\"train_model\"]', {text}, '{}')";
        let say = async |n: &str, text: &str| {
            let sql = said.replace("{n}", n).replace("{text}", text);
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&pool)
                .await
                .unwrap();
        };
        for (name, sql) in crate::migrations::ALL {
            if name.starts_with("0026") {
                run("INSERT INTO conversations VALUES ('c-1', 'Old', '', '', 0)").await;
                say("1", "'momentum'").await;
                say("2", "'carry'").await;
            }
            run(sql).await;
        }
        say("3", "'momentum again'").await;
        let found = async |words: &str, topic: &str| -> Vec<i64> {
            let mut q = query(words);
            q.conversation = Some("c-1".into());
            q.topics = vec![topic.to_owned()];
            let hits = search(&pool, &q).await.unwrap();
            hits.iter().map(|h| h.seq).collect()
        };
        assert_eq!(found("momentum", "train_model").await, [1, 3]);
        assert_eq!(found("momentum", "train").await, Vec::<i64>::new());
        run("DELETE FROM messages WHERE seq = 1").await;
        run(
            "UPDATE messages SET text = 'momentum and carry', topics = '[\"train\"]' WHERE seq = 2",
        )
        .await;
        assert_eq!(found("momentum", "train_model").await, [3]);
        assert_eq!(found("momentum", "train").await, [2]);
    }

    /// Messages 1 to `count` of a conversation, made at once. `text` is SQL over the number `n`.
    async fn many(store: &SqliteStore, count: i64, text: &str) {
        sqlx::query("INSERT INTO conversations VALUES ('c-1', 'Many', '', '', 0)")
            .execute(&store.writer)
            .await
            .unwrap();
        let insert = format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
             INSERT INTO messages (conversation, seq, at, role, author, importance, topics, text, body)
             SELECT 'c-1', n, '{}', 'user', 'user', 0.5, '[]', {text}, '{{}}' FROM numbers",
            time_text(now())
        );
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .execute(&store.writer)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn words_of_many_messages_hide_nothing() {
        let (_folder, store) = store().await;
        // 12,000 messages as long as each other: "every" in all, "ninth" and "tenth" in 1,333 and 1,069 of them that
        // never meet but in message 90, "fifth" nowhere but in 7 and 11,000, "tenth" in 7 too.
        let text = "CASE WHEN n = 90 THEN 'every ninth tenth'
             WHEN n = 7 THEN 'every fifth tenth' WHEN n = 11000 THEN 'every fifth other'
             WHEN n % 9 = 0 THEN 'every ninth other' WHEN n % 10 = 1 THEN 'every tenth other'
             ELSE 'every other other' END";
        many(&store, 12_000, text).await;
        // In all: the newest.
        let newest: Vec<i64> = (11_981..=12_000).rev().collect();
        assert_eq!(found(&store, &query("every")).await, newest);
        // Two words of more than 500 messages: the old one that holds both is the best.
        let both = found(&store, &query("ninth tenth")).await;
        assert_eq!((both[0], both.len()), (90, 20));
        // A rare word beside a common one: the old message with both before the new one with one.
        let rare = found(&store, &query("fifth tenth every")).await;
        assert_eq!(rare[..2], [7, 11_000]);
        assert_eq!(found(&store, &query("fifth every")).await, [11_000, 7]);
        // In a span that ends before the newest 500 of it.
        let mut early = query("tenth");
        early.until = Some(now());
        assert_eq!(found(&store, &early).await, Vec::<i64>::new());
        early.until = Some(now() + Duration::seconds(1));
        assert_eq!(found(&store, &early).await[0], 11_991);
    }

    #[test]
    fn a_snippet_marks_what_was_found() {
        let phrases = [words::stems("momentum"), words::stems("BRK.B")];
        for (text, its) in [
            (
                "The momentum\nof BRK.B.",
                "The \u{2068}momentum\u{2069} of \u{2068}BRK.B\u{2069}.",
            ),
            ("Momentums", "\u{2068}Momentums\u{2069}"),
            ("BRK only", "BRK only"),
            ("a\u{2068}b\u{2069} momentum", "ab \u{2068}momentum\u{2069}"),
            ("", ""),
        ] {
            assert_eq!(snippet(text, &phrases), its);
        }
    }

    #[test]
    fn a_snippet_is_short_and_shows_where_the_words_meet() {
        let phrases = [words::stems("momentum"), words::stems("BRK.B")];
        let far = "momentum ".repeat(3)
            + &"word ".repeat(1_000)
            + "here momentum of BRK.B "
            + &"end ".repeat(900);
        let shown = snippet(&far, &phrases);
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(
            shown.contains("here \u{2068}momentum\u{2069} of \u{2068}BRK.B\u{2069} end"),
            "{shown}"
        );
        for text in [
            far,
            "momentum ".repeat(1_200),
            "momentum,".repeat(1_200),
            "é".repeat(5_000) + " momentum " + &"東".repeat(5_000),
            "x".repeat(10_000),
            "momentum".repeat(1_000),
        ] {
            let shown = snippet(&text, &phrases);
            let length = shown.chars().count();
            assert!((200..=SNIPPET).contains(&length), "{length}: {shown}");
            let count = |mark: char| shown.chars().filter(|c| *c == mark).count();
            assert_eq!(count(MARKS.0), count(MARKS.1), "{shown}");
        }
    }
}
