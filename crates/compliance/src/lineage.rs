//! Where a value came from: the steps from a source to it, each with the hash of what came out.

use mltrainer_types::data::LineageStep;
use sha2::{Digest as _, Sha256};

/// A canonical content hash under construction: every value is written with its length or in a
/// fixed width, so that two different contents never give the same bytes.
#[derive(Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes, with their number first.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a whole number.
    pub fn int(&mut self, n: i64) -> &mut Self {
        self.0.update(n.to_le_bytes());
        self
    }

    /// Adds a number bit by bit; all NaNs count as one value, and -0 as 0.
    pub fn float(&mut self, x: f64) -> &mut Self {
        self.0.update(canonical(x));
        self
    }

    /// Adds a column, with its length first.
    pub fn floats(&mut self, column: &[f64]) -> &mut Self {
        self.words(column, |x| canonical(*x))
    }

    /// Adds a column of whole numbers, with its length first.
    pub fn ints<T>(&mut self, column: &[T], number: impl Fn(&T) -> i64) -> &mut Self {
        self.words(column, |x| number(x).to_le_bytes())
    }

    /// In pieces: a call for every figure costs more than the hash.
    fn words<T>(&mut self, column: &[T], word: impl Fn(&T) -> [u8; 8]) -> &mut Self {
        self.int(column.len() as i64);
        for piece in column.chunks(512) {
            let mut bytes = [0; 512 * 8];
            for (place, x) in bytes.chunks_exact_mut(8).zip(piece) {
                place.copy_from_slice(&word(x));
            }
            self.0.update(&bytes[..piece.len() * 8]);
        }
        self
    }

    /// The hash, as 64 hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

fn canonical(x: f64) -> [u8; 8] {
    let bits = if x.is_nan() {
        f64::NAN.to_bits()
    } else {
        (x + 0.0).to_bits()
    };
    bits.to_le_bytes()
}

/// Something with a canonical content, and so with a hash.
pub trait Content {
    /// Writes the whole content, in a fixed order.
    fn digest(&self, digest: &mut Digest);

    /// The hash of the content, as 64 hexadecimal digits.
    fn sha256(&self) -> String {
        let mut d = Digest::new();
        self.digest(&mut d);
        d.finish()
    }
}

/// The hash of a content, computed beside other work on it: on a second thread where there is one.
pub fn hash_and<T: Content + Sync, U>(content: &T, work: impl FnOnce(&T) -> U) -> (String, U) {
    std::thread::scope(|scope| {
        let hash = std::thread::Builder::new().spawn_scoped(scope, || content.sha256());
        let done = work(content);
        let hash = match hash.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(hash)) => hash,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => content.sha256(),
        };
        (hash, done)
    })
}

/// The steps from the sources to a value, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lineage {
    steps: Vec<LineageStep>,
}

impl Lineage {
    /// The steps, oldest first.
    #[must_use]
    pub fn steps(&self) -> &[LineageStep] {
        &self.steps
    }

    /// The hash of the value this lineage belongs to.
    #[must_use]
    pub fn sha256(&self) -> &str {
        self.steps.last().map_or("", |s| s.sha256.as_str())
    }

    pub(crate) fn with(mut self, step: &str, detail: String, sha256: String) -> Self {
        self.steps.push(LineageStep {
            step: step.to_owned(),
            detail,
            sha256,
        });
        self
    }

    /// All steps of several lineages, each step once, in the order of first appearance.
    pub(crate) fn merged<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut steps: Vec<LineageStep> = Vec::new();
        for step in all.into_iter().flat_map(|l| &l.steps) {
            if !steps.contains(step) {
                steps.push(step.clone());
            }
        }
        Self { steps }
    }
}
