//! TLS towards vendors: rustls with ring and the machine's roots, whatever provider others installed.

use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A configuration with the machine's roots when `roots`, else one that trusts nobody: for plain
/// addresses, where no TLS is spoken.
///
/// # Errors
/// One sentence when the machine has no usable roots.
pub(super) fn config(roots: bool) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    if roots {
        // A machine may hold single roots that cannot be read; none at all is a fault.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(
                "this machine has no root certificates; install the package ca-certificates"
                    .to_owned(),
            );
        }
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be used: {e}"))?
            .with_root_certificates(store)
            .with_no_client_auth(),
    )
}
