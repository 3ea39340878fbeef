//! A language model that sees neither symbols nor dates: each call is asked behind a mask over the
//! symbols that are registered then.

use async_trait::async_trait;
use mltrainer_assistant::llm::{Answer, Call, Failure, LanguageModel, LlmError, Request};
use mltrainer_assistant::mask::{Asset, Dates, Mask, Masked};
use mltrainer_services::port::{DatasetStore, Registered};
use mltrainer_types::data::DatasetKind;
use mltrainer_types::llm::ModelIdentity;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Names of an asset that are masked; a mask has room for a few more.
const NAMES: usize = 12;

/// See the module.
pub(crate) struct MaskedBySymbols {
    inner: Arc<dyn LanguageModel>,
    datasets: Arc<dyn DatasetStore>,
    seed: u64,
}

impl MaskedBySymbols {
    /// The model behind masks; the seed decides which symbol gets which mask, and how far dates move.
    pub(crate) fn new(
        inner: Arc<dyn LanguageModel>,
        datasets: Arc<dyn DatasetStore>,
        seed: u64,
    ) -> Self {
        Self {
            inner,
            datasets,
            seed,
        }
    }

    async fn mask(&self) -> Result<Mask, String> {
        let sets = self.datasets.datasets().await.map_err(|e| e.to_string())?;
        Mask::new(&assets(&sets), Dates::shifted(self.seed), self.seed).map_err(|e| e.to_string())
    }
}

/// What the asset of a title is called: "Google (today Alphabet class A, GOOGL), daily bars" is Google, Alphabet
/// class A and GOOGL, and all of it together. Of a series it is what stands before the comma.
fn names(kind: DatasetKind, title: &str) -> Vec<&str> {
    let Some((whole, _)) = (match kind {
        DatasetKind::Series => title.split_once(", "),
        DatasetKind::Bars | DatasetKind::Closes | DatasetKind::Intraday => title.rsplit_once(", "),
    }) else {
        return Vec::new();
    };
    let mut names = vec![whole];
    if let Some((first, more)) = whole.split_once(" (") {
        names.push(first);
        for other in more.trim_end_matches(')').split(", ") {
            let bare = ["today ", "now ", "formerly "]
                .iter()
                .find_map(|word| other.strip_prefix(word));
            names.push(bare.unwrap_or(other));
        }
    }
    names
}

/// Every symbol once, with the names that the titles of its sets give it.
fn assets(sets: &[Registered]) -> Vec<Asset> {
    let usable =
        |text: &str| text.starts_with(char::is_alphanumeric) && !text.contains(char::is_control);
    let mut assets: BTreeMap<&str, Asset> = BTreeMap::new();
    let summaries = || sets.iter().map(|s| &s.detail.summary);
    for symbol in summaries().flat_map(|s| &s.symbols).filter(|s| usable(s)) {
        assets.entry(symbol).or_insert_with(|| Asset {
            symbol: symbol.clone(),
            names: Vec::new(),
        });
    }
    // A name belongs to one asset: to the symbol itself, or to the first whose title has it.
    let mut taken: BTreeSet<String> = assets.keys().map(|s| (*s).to_owned()).collect();
    for summary in summaries() {
        let [symbol] = summary.symbols.as_slice() else {
            continue;
        };
        let Some(asset) = assets.get_mut(symbol.as_str()) else {
            continue;
        };
        for name in names(summary.kind, &summary.title) {
            let fits = name.len() > 1 && usable(name) && asset.names.len() < NAMES;
            if fits && taken.insert(name.to_owned()) {
                asset.names.push(name.to_owned());
            }
        }
    }
    assets.into_values().collect()
}

#[async_trait]
impl LanguageModel for MaskedBySymbols {
    fn identity(&self) -> &ModelIdentity {
        self.inner.identity()
    }

    fn masks(&self) -> bool {
        true
    }

    async fn answer(&self, request: &Request, call: &Call) -> Result<Answer, Failure> {
        // Without its mask nothing is sent.
        let mask = self.mask().await.map_err(|what| {
            Failure::unsent(LlmError::NotConfigured {
                what: format!("symbols and dates cannot be masked: {what}"),
            })
        })?;
        let masked = Masked::new(self.inner.clone(), Arc::new(mask));
        masked.answer(request, call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_gives_all_names() {
        for (kind, title, expected) in [
            (DatasetKind::Bars, "Apple, daily bars", vec!["Apple"]),
            (
                DatasetKind::Bars,
                "Google (today Alphabet class A, GOOGL), daily bars",
                vec![
                    "Google (today Alphabet class A, GOOGL)",
                    "Google",
                    "Alphabet class A",
                    "GOOGL",
                ],
            ),
            (DatasetKind::Closes, "KO, daily adjusted closes", vec!["KO"]),
            (
                DatasetKind::Series,
                "Consumer prices, all items, end of the quarter, 1982-84 = 100",
                vec!["Consumer prices"],
            ),
            (DatasetKind::Bars, "mine", vec![]),
        ] {
            assert_eq!(names(kind, title), expected, "{title}");
        }
    }
}
