//! Catalogue and features: what there is, generated from the code.

use crate::{ServiceError, Services};
use mltrainer_catalogue_core::{Registry, Resolved};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::feature::FeatureSpec;

/// The entry or preset of that id.
///
/// # Errors
/// [`ServiceError::NotFound`] with the nearest ids.
pub(crate) fn find(registry: &Registry, id: &str) -> Result<Resolved, ServiceError> {
    registry.find(id).ok_or_else(|| ServiceError::NotFound {
        what: "model",
        id: id.to_owned(),
        suggestions: registry.nearest(id),
    })
}

impl Services {
    /// Every entry and preset.
    #[must_use]
    pub fn catalogue(&self) -> &[CatalogueEntry] {
        let all = &self.inner.catalogue;
        all.get_or_init(|| self.inner.registry.catalogue())
    }

    /// One entry or preset.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest ids.
    pub fn catalogue_entry(&self, id: &str) -> Result<CatalogueEntry, ServiceError> {
        find(&self.inner.registry, id).map(|r| r.catalogue_entry())
    }

    /// Every feature.
    #[must_use]
    pub fn features(&self) -> Vec<FeatureSpec> {
        mltrainer_features::specs()
    }
}
