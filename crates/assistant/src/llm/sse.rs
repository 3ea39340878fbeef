//! Server-sent events out of a byte stream that may be cut anywhere.
//!
//! The state machine is `sse-core`'s: it follows the WHATWG text (LF, CR and CRLF, comments, several
//! `data` lines, a byte-order mark), decodes UTF-8 only when an event is whole, and holds no more of
//! an event than its limit. Around it stand the limit on the whole answer and the rule that an event
//! without its blank line is none.

use bytes::Bytes;
use sse_core::{SseDecoder, SseEvent};
use std::num::NonZeroUsize;

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Of one event.
    Event,
    /// Of all bytes, comments and pings included.
    Answer,
}

/// Bytes in, data of events out.
pub(super) struct Events {
    decoder: SseDecoder,
    chunk: Bytes,
    left: usize,
}

impl Events {
    /// With limits on one event and on all bytes.
    pub(super) fn new(event_bytes: usize, answer_bytes: usize) -> Self {
        Self {
            decoder: SseDecoder::with_limit(
                NonZeroUsize::new(event_bytes).unwrap_or(NonZeroUsize::MIN),
            ),
            chunk: Bytes::new(),
            left: answer_bytes,
        }
    }

    /// More bytes; those before must have been taken out with [`Events::next`].
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), Beyond> {
        self.left = self.left.checked_sub(chunk.len()).ok_or(Beyond::Answer)?;
        self.chunk = chunk;
        Ok(())
    }

    /// The data of the next whole event; `None` asks for more bytes.
    pub(super) fn next(&mut self) -> Option<Result<String, Beyond>> {
        loop {
            match self.decoder.next(&mut self.chunk)? {
                Ok(SseEvent::Message(message)) => return Some(Ok(message.data)),
                // Nothing is asked for again in the middle of an answer.
                Ok(SseEvent::Retry(_)) => {}
                Err(_) => return Some(Err(Beyond::Event)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]]) -> Vec<Result<String, Beyond>> {
        let mut events = Events::new(64, 10_000);
        let mut out = Vec::new();
        for chunk in chunks {
            if let Err(beyond) = events.push(Bytes::copy_from_slice(chunk)) {
                out.push(Err(beyond));
                return out;
            }
            while let Some(event) = events.next() {
                out.push(event);
            }
        }
        out
    }

    const STREAM: &[u8] = "\u{feff}: hello\r\nevent: a\r\ndata: {\"x\": 1}\r\n\r\n:\n\ndata: zwölf €\ndata:zwei\ndata\n\nretry: 10\nid: 7\ndata: 🦀\r\rdata: [DONE]\n\ndata: cut".as_bytes();

    fn whole() -> Vec<Result<String, Beyond>> {
        ["{\"x\": 1}", "zwölf €\nzwei\n", "🦀", "[DONE]"]
            .iter()
            .map(|s| Ok((*s).to_owned()))
            .collect()
    }

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        assert_eq!(read(&[STREAM]), whole());
        for at in 0..=STREAM.len() {
            let (a, b) = STREAM.split_at(at);
            assert_eq!(read(&[a, b]), whole(), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(read(&bytes), whole());
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let long = format!("data: {}", "x".repeat(100));
        assert_eq!(read(&[long.as_bytes()]), [Err(Beyond::Event)]);
        let lines = "data: 123456789\n".repeat(10);
        assert_eq!(read(&[lines.as_bytes()])[0], Err(Beyond::Event));
        let comments = ": keep\n".repeat(2_000);
        assert_eq!(read(&[comments.as_bytes()]), [Err(Beyond::Answer)]);
    }

    proptest! {
        #[test]
        fn any_cuts_give_the_same(mut cuts in prop::collection::vec(0..STREAM.len(), 0..12)) {
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&STREAM[from..cut]);
                from = cut;
            }
            chunks.push(&STREAM[from..]);
            prop_assert_eq!(read(&chunks), whole());
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&[&bytes]);
        }
    }
}
