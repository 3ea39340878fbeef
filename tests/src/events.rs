//! Reads an event stream (server-sent events) as it comes.

use futures::StreamExt as _;
use serde_json::Value;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The `id:` field; 0 for a piece of a message that is being written, which has none.
    pub id: i64,
    /// The `event:` field.
    pub name: String,
    /// The `data:` field as JSON.
    pub data: Value,
}

impl Event {
    /// Whether it carries a final state, after which the stream closes.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.name == "state"
            && self.data["state"]
                .as_str()
                .and_then(mltrainer_types::trial::TrialState::parse)
                .is_some_and(mltrainer_types::trial::TrialState::is_final)
    }

    /// Whether it tells of this state.
    #[must_use]
    pub fn is_state(&self, state: &str) -> bool {
        self.name == "state" && self.data["state"] == state
    }
}

/// An open stream.
pub struct Events {
    chunks: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Events {
    /// Reads the body of a response.
    #[must_use]
    pub fn new(response: reqwest::Response) -> Self {
        Self {
            chunks: response
                .bytes_stream()
                .map(|chunk| chunk.map(|bytes| bytes.to_vec()))
                .boxed(),
            buffer: Vec::new(),
        }
    }

    /// The next event, or `None` when the stream has ended or the line was cut.
    ///
    /// # Panics
    /// When a block is not an event with a numeric id and JSON data.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|w| w == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("an event stream is UTF-8");
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.buffer.extend(chunk),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Everything up to the end of the stream.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    /// Everything up to the first event for which `found` holds, that one included.
    ///
    /// # Panics
    /// When the stream ends before: it says what came.
    pub async fn until(&mut self, found: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            let stop = found(&event);
            all.push(event);
            if stop {
                return all;
            }
        }
        let names: Vec<_> = all
            .iter()
            .map(|e| (e.id, &e.name, e.data["state"].as_str()))
            .collect();
        panic!("the stream ended before what was waited for; it gave {names:?}");
    }
}

/// A block as an event; `None` for a comment that keeps the line open.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| -> Vec<&str> {
        block
            .lines()
            .filter_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
            .map(|v| v.strip_prefix(' ').unwrap_or(v))
            .collect()
    };
    let data = field("data").join("\n");
    if data.is_empty() {
        return None;
    }
    let id = field("id");
    let name = field("event").first().copied().unwrap_or("message");
    Some(Event {
        id: id
            .first()
            .and_then(|id| id.parse().ok())
            .or((name == "delta" && id.is_empty()).then_some(0))
            .unwrap_or_else(|| panic!("an event without a number: {block}")),
        name: name.to_owned(),
        data: serde_json::from_str(&data)
            .unwrap_or_else(|e| panic!("data is not JSON ({e}): {block}")),
    })
}
