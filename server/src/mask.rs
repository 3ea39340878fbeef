//! A language model that sees neither symbols nor dates: each call is asked behind a mask over the
//! symbols that are registered then.

use async_trait::async_trait;
use mltrainer_assistant::llm::{Answer, Call, Failure, LanguageModel, LlmError, Request};
use mltrainer_assistant::mask::{Asset, Dates, Mask, Masked};
use mltrainer_services::port::{DatasetStore, Registered};
use mltrainer_types::llm::ModelIdentity;
use std::collections::BTreeSet;
use std::sync::Arc;

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

/// Every symbol once, with the name before the comma of its set's title ("Apple, daily bars").
fn assets(sets: &[Registered]) -> Vec<Asset> {
    let usable =
        |text: &str| text.starts_with(char::is_alphanumeric) && !text.contains(char::is_control);
    let mut taken = BTreeSet::new();
    let mut assets = Vec::new();
    for summary in sets.iter().map(|s| &s.detail.summary) {
        for symbol in summary.symbols.iter().filter(|s| usable(s)) {
            if !taken.insert(symbol.clone()) {
                continue;
            }
            let name = summary.title.split_once(", ").map(|(name, _)| name);
            let name = name.filter(|n| summary.symbols.len() == 1 && n.len() > 2 && usable(n));
            assets.push(Asset {
                symbol: symbol.clone(),
                names: name
                    .filter(|n| taken.insert((*n).to_owned()))
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
            });
        }
    }
    assets
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
