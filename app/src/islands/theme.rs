//! Light, dark, or as the system says. The choice is a cookie, so that the server writes it into
//! the first byte of the page and nothing flashes; without script the system decides.

use leptos::prelude::*;

/// Name of the cookie.
const COOKIE: &str = "theme";

/// The theme in a `Cookie` header, if it names one that there is.
#[must_use]
pub fn from_cookies(header: &str) -> Option<&'static str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| match value {
            "dark" => Some("dark"),
            "light" => Some("light"),
            _ => None,
        })
}

/// The theme after this one when the button is pressed: system, light, dark, and round again.
#[must_use]
pub fn next(theme: &str) -> &'static str {
    match theme {
        "light" => "dark",
        "dark" => "",
        _ => "light",
    }
}

/// Its name on the button.
#[must_use]
pub fn name(theme: &str) -> &'static str {
    match theme {
        "light" => "Light",
        "dark" => "Dark",
        _ => "Auto",
    }
}

/// The button in the top bar.
#[island]
pub fn ThemeButton(
    /// The theme that the cookie names; empty: as the system.
    theme: String,
) -> impl IntoView {
    let theme = RwSignal::new(theme);
    view! {
        <button
            type="button"
            class="theme-button"
            title="Colours: as the system, light or dark"
            on:click=move |_| {
                let now = next(&theme.get_untracked());
                apply(now);
                theme.set(now.to_owned());
            }
        >
            <span class="theme-icon" aria-hidden="true"></span>
            <span class="visually-hidden">"Colours: "</span>
            <span>{move || name(&theme.read())}</span>
        </button>
    }
}

#[cfg(feature = "hydrate")]
fn apply(theme: &str) {
    use wasm_bindgen::JsCast;
    if let Some(root) = document().document_element() {
        let _ = if theme.is_empty() {
            root.remove_attribute("data-theme")
        } else {
            root.set_attribute("data-theme", theme)
        };
    }
    if let Some(html) = document().dyn_ref::<web_sys::HtmlDocument>() {
        let age = if theme.is_empty() { 0 } else { 31_536_000 };
        let _ = html.set_cookie(&format!(
            "{COOKIE}={theme}; Path=/; Max-Age={age}; SameSite=Strict"
        ));
    }
}

#[cfg(not(feature = "hydrate"))]
fn apply(_theme: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_names_a_theme_or_nothing() {
        for (header, expected) in [
            ("theme=dark", Some("dark")),
            ("a=b; theme=light; c=d", Some("light")),
            ("theme=<script>", None),
            ("mytheme=dark", None),
            ("", None),
        ] {
            assert_eq!(from_cookies(header), expected, "{header}");
        }
    }

    #[test]
    fn the_button_goes_round() {
        assert_eq!(next(next(next(""))), "");
    }
}
