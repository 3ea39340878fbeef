//! What surrounds the pages: the bar with the rooms, and the foot.

use crate::islands::enhance::Enhance;
use crate::islands::theme::ThemeButton;
use crate::server::theme;
use leptos::prelude::*;
use leptos_router::components::A;

/// The rooms: address, name, and the drawing of their icon.
const ROOMS: [(&str, &str, &str); 9] = [
    (
        "/",
        "Dashboard",
        "M3 3h7v8H3zM14 3h7v5h-7zM14 12h7v9h-7zM3 15h7v6H3z",
    ),
    ("/chat", "Chat", "M4 5h16v11H10l-4 4v-4H4zM8 9h8M8 12.5h5"),
    (
        "/trials",
        "Trials",
        "M3 20h18M6 16v-5M11 16V5M16 16V9M21 16v-3",
    ),
    (
        "/analytics",
        "Analytics",
        "M7 4v3M7 15v4M5 7h4v8H5zM17 5v4M17 16v4M15 9h4v7h-4zM11.5 12h1",
    ),
    (
        "/portfolio",
        "Portfolio",
        "M12 3v9h9M20.5 15A9 9 0 1 1 9 3.5M15 3.5A9 9 0 0 1 20.5 9H15z",
    ),
    (
        "/backtests",
        "Back tests",
        "M3 20h18M4 16l5-6 4 3 7-8M15 5h5v5",
    ),
    (
        "/models",
        "Models",
        "M4 6h16M4 12h16M4 18h10M18 16v5M15.5 18.5h5",
    ),
    (
        "/data",
        "Data",
        "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v6c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12v6c0 1.7 3.6 3 8 3s8-1.3 8-3v-6",
    ),
    (
        "/compliance",
        "Compliance",
        "M12 3l8 3v6c0 4.5-3.4 7.8-8 9-4.6-1.2-8-4.5-8-9V6zM8.5 12l2.5 2.5 4.5-5",
    ),
];

/// Rooms that a narrow screen shows in the bar; the others stand behind "More".
const FIRST: usize = 5;

/// Pages that stand behind "More" on every screen.
const MORE: [(&str, &str, &str); 3] = [
    (
        "/learning",
        "Learning",
        "M12 4L2 9l10 5 10-5zM6 11.5V16c2 2 10 2 12 0v-4.5",
    ),
    (
        "/papers",
        "Papers",
        "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7",
    ),
    (
        "/coaching",
        "Coaching",
        "M8 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2 20c0-4 2.5-6 6-6s6 2 6 6M15 6l2 2 4-4M16 13h6",
    ),
];

fn room((href, name, icon): (&'static str, &'static str, &'static str)) -> impl IntoView {
    view! {
        <A href=href exact=href == "/">
            <svg aria-hidden="true" viewBox="0 0 24 24"><path d=icon></path></svg>
            <span>{name}</span>
        </A>
    }
}

/// The bar: at the top of a wide screen, the rooms at the thumb on a narrow one. What has no place in it opens from
/// "More", also without script.
#[component]
pub fn Bar() -> impl IntoView {
    let (first, rest) = ROOMS.split_at(FIRST);
    let list = |rooms: &[(&'static str, &'static str, &'static str)]| {
        rooms.iter().copied().map(room).collect_view()
    };
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        <header class="bar">
            <a class="brand" href="/">
                <svg aria-hidden="true" viewBox="0 0 24 24"><path d="M3 17l5-6 4 4 9-11"></path><path class="base" d="M3 20h18"></path></svg>
                "mlTrainer"
            </a>
            <nav class="rooms" aria-label="Rooms">
                {list(first)}
                <span class="rooms-rest">{list(rest)}</span>
                <button type="button" class="rooms-more" popovertarget="more-rooms">
                    <svg aria-hidden="true" viewBox="0 0 24 24"><path d="M5 12h.01M12 12h.01M19 12h.01"></path></svg>
                    <span>"More"</span>
                </button>
                <div id="more-rooms" class="more-rooms" popover="auto">
                    <span class="rooms-rest">{list(rest)}</span>
                    {list(&MORE)}
                </div>
            </nav>
            <a class="api-link" href="/api" rel="external">"API"</a>
            <ThemeButton theme=theme().unwrap_or_default().to_owned()/>
            <Enhance/>
        </header>
    }
}

/// The foot: what this is not.
#[component]
pub fn Foot() -> impl IntoView {
    view! {
        <footer class="foot">
            <p>"Real data only. Out of sample, after costs, beside a naive baseline. No order is ever sent to a broker, and nothing here is advice."</p>
            <p><a href="/api" rel="external">"JSON API"</a></p>
        </footer>
    }
}
