//! The page for an address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

/// Says so, with the status 404 and the ways back.
#[component]
pub fn NotFound() -> impl IntoView {
    crate::server::set_status(404);
    view! {
        <Title text="Not found"/>
        <div class="page narrow">
            <p class="crumbs">"404"</p>
            <h1>"There is no page at this address"</h1>
            <p class="lede">
                "The link may be old, or the address was mistyped. Go on from one of these."
            </p>
            <ul class="ways">
                <li><a href="/">"Dashboard"</a>" – what runs and what was found"</li>
                <li><a href="/trials">"Trials"</a>" – every trial and its verdict"</li>
                <li><a href="/models">"Models"</a>" – the catalogue"</li>
                <li><a href="/data">"Data"</a>" – the data sets and their quality"</li>
                <li><a href="/compliance">"Compliance"</a>" – rules, audit and lineage"</li>
            </ul>
        </div>
    }
}
