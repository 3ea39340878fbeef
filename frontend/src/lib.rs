//! The WebAssembly entry: brings the islands of the pages to life.

// The islands are exports of the app: naming it links them.
use mltrainer_app as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script once the module is there.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
    // Says that the page is alive: browser tests wait for it instead of guessing.
    if let Some(root) = leptos::prelude::document().document_element() {
        let _ = root.set_attribute("data-alive", "");
    }
}
