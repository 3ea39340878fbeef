//! The app as the server mounts it: the document, and the routes of the pages.

use crate::nav;
use crate::pages::analytics::Analytics;
use crate::pages::backtest::Backtest;
use crate::pages::backtests::Backtests;
use crate::pages::chat::{Chat, OneChat};
use crate::pages::coaching::Coaching;
use crate::pages::compliance::Compliance;
use crate::pages::dashboard::Dashboard;
use crate::pages::data::Data;
use crate::pages::dataset::Dataset;
use crate::pages::learning::Learning;
use crate::pages::model::Model;
use crate::pages::models::Models;
use crate::pages::new_backtest::NewBacktest;
use crate::pages::new_optimisation::NewOptimisation;
use crate::pages::new_trial::NewTrial;
use crate::pages::not_found::NotFound;
use crate::pages::optimisation::Optimisation;
use crate::pages::papers::{Paper, Papers};
use crate::pages::portfolio::Portfolio;
use crate::pages::trial::Trial;
use crate::pages::trials::Trials;
use crate::server;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{SsrMode, path};

/// Who acts on a page, for the audit chain. The server gives it as context; without one it is
/// `user`, the person at their own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor(pub &'static str);

/// The HTML document around the pages.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let style = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=server::theme()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f5f0"/>
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0f1315"/>
                <meta name="description" content="Honest trials of forecasting models on real market data."/>
                <link rel="stylesheet" href=style/>
                <link rel="icon" href="/icon.svg" type="image/svg+xml"/>
                <link rel="apple-touch-icon" href="/icon-192.png"/>
                <link rel="manifest" href="/manifest.webmanifest"/>
                <AutoReload options=options.clone()/>
                <HydrationScripts options=options islands=true/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// All pages and what surrounds them. Each waits for its data, so that its status and its title are
/// right and it is whole without script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let title = |text: String| {
        if text.is_empty() {
            "mlTrainer".to_owned()
        } else {
            format!("{text} · mlTrainer")
        }
    };
    view! {
        <Title formatter=title/>
        <Router>
            <nav::Bar/>
            <main id="main" tabindex="-1">
                <FlatRoutes fallback=NotFound>
                    <Route path=path!("/") view=Dashboard ssr=SsrMode::Async/>
                    <Route path=path!("/analytics") view=Analytics ssr=SsrMode::Async/>
                    <Route path=path!("/chat") view=Chat ssr=SsrMode::Async/>
                    <Route path=path!("/chat/:id") view=OneChat ssr=SsrMode::Async/>
                    <Route path=path!("/models") view=Models ssr=SsrMode::Async/>
                    <Route path=path!("/models/:id") view=Model ssr=SsrMode::Async/>
                    <Route path=path!("/trials") view=Trials ssr=SsrMode::Async/>
                    <Route path=path!("/trials/new") view=NewTrial ssr=SsrMode::Async/>
                    <Route path=path!("/trials/:id") view=Trial ssr=SsrMode::Async/>
                    <Route path=path!("/learning") view=Learning ssr=SsrMode::Async/>
                    <Route path=path!("/papers") view=Papers ssr=SsrMode::Async/>
                    <Route path=path!("/papers/:id") view=Paper ssr=SsrMode::Async/>
                    <Route path=path!("/backtests") view=Backtests ssr=SsrMode::Async/>
                    <Route path=path!("/backtests/new") view=NewBacktest ssr=SsrMode::Async/>
                    <Route path=path!("/backtests/optimise") view=NewOptimisation ssr=SsrMode::Async/>
                    <Route path=path!("/backtests/optimisations/:id") view=Optimisation ssr=SsrMode::Async/>
                    <Route path=path!("/backtests/:id") view=Backtest ssr=SsrMode::Async/>
                    <Route path=path!("/portfolio") view=Portfolio ssr=SsrMode::Async/>
                    <Route path=path!("/data") view=Data ssr=SsrMode::Async/>
                    <Route path=path!("/data/:id") view=Dataset ssr=SsrMode::Async/>
                    <Route path=path!("/coaching") view=Coaching ssr=SsrMode::Async/>
                    <Route path=path!("/compliance") view=Compliance ssr=SsrMode::Async/>
                </FlatRoutes>
            </main>
            <nav::Foot/>
        </Router>
    }
}
