//! The JSON API, one file a resource. The OpenAPI document is made from these handlers.

mod actions;
mod analytics;
mod backtests;
mod charts;
mod coaching;
mod compliance;
mod conversations;
mod datasets;
mod docs;
mod events;
mod goals;
mod health;
mod learning;
mod models;
mod optimisations;
mod papers;
mod portfolio;
mod sources;
mod trials;

use crate::web::AppState;
use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// The head of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "mlTrainer",
        description = "Honest trials of forecasting models on real market data. Errors are problem documents (RFC 9457). Lists are paged by cursor. Times are RFC 3339 UTC, days YYYY-MM-DD; a number that does not exist is null. When the server was started with a token, every write needs `Authorization: Bearer TOKEN`.",
        license(name = "MIT")
    ),
    tags(
        (name = "models", description = "The catalogue, and running its entries"),
        (name = "trials", description = "Trials: make, look, follow, control"),
        (name = "backtests", description = "Strategies and their back tests"),
        (name = "portfolio", description = "Transactions and holdings, weights, plans, risk; no order is sent anywhere"),
        (name = "assistant", description = "Conversations, typed actions, goal, alerts, memory"),
        (name = "data", description = "Data sets and their quality"),
        (name = "compliance", description = "Policy and audit chain"),
        (name = "program", description = "Health and this document")
    )
)]
struct Document;

fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::router())
        .merge(models::router())
        .merge(trials::router())
        .merge(events::router())
        .merge(backtests::router())
        .merge(optimisations::router())
        .merge(datasets::router())
        .merge(sources::router())
        .merge(charts::router())
        .merge(coaching::router())
        .merge(analytics::router())
        .merge(portfolio::router())
        .merge(actions::router())
        .merge(conversations::router())
        .merge(goals::router())
        .merge(papers::router())
        .merge(learning::router())
        .merge(compliance::router())
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    all().into_openapi()
}

/// All routes of the API, with the document and its page.
pub(crate) fn api() -> Router<AppState> {
    let (router, document) = all().split_for_parts();
    router.merge(docs::router(document))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_is_openapi_3_1_and_names_the_contract() {
        let document = serde_json::to_value(super::openapi()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = document["paths"].as_object().unwrap();
        for path in [
            "/api/health",
            "/api/v1/models",
            "/api/v1/models/{id}",
            "/api/v1/models/{id}/run",
            "/api/v1/trials",
            "/api/v1/trials/{id}",
            "/api/v1/trials/{id}/events",
            "/api/v1/trials/{id}/steering",
            "/api/v1/trials/{id}/cancel",
            "/api/v1/trials/{id}/pause",
            "/api/v1/trials/{id}/resume",
            "/api/v1/backtests",
            "/api/v1/backtests/{id}",
            "/api/v1/backtests/{id}/{file}",
            "/api/v1/backtests/{id}/report.html",
            "/api/v1/strategies/check",
            "/api/v1/optimisations",
            "/api/v1/optimisations/{id}",
            "/api/v1/optimisations/{id}/events",
            "/api/v1/optimisations/{id}/surface",
            "/api/v1/optimisations/{id}/cancel",
            "/api/v1/optimisations/{id}/pause",
            "/api/v1/optimisations/{id}/resume",
            "/api/v1/datasets",
            "/api/v1/datasets/{id}",
            "/api/v1/datasets/{id}/bars",
            "/api/compliance/audit",
            "/api/data-quality",
            "/api/v1/analytics",
            "/api/v1/sources",
            "/api/v1/data/fetch",
            "/api/models/train",
            "/api/portfolio",
            "/api/v1/portfolio",
            "/api/v1/portfolio/transactions",
            "/api/v1/portfolio/optimise",
            "/api/v1/portfolio/what-if",
            "/api/v1/portfolio/plan",
            "/api/v1/portfolio/risk",
            "/api/v1/actions",
            "/api/v1/actions/{id}",
            "/api/v1/assistant",
            "/api/v1/conversations",
            "/api/v1/conversations/{id}",
            "/api/v1/conversations/{id}/messages",
            "/api/v1/conversations/{id}/events",
            "/api/v1/conversations/{id}/stop",
            "/api/v1/conversations/{id}/export.md",
            "/api/v1/conversations/{id}/export.json",
            "/api/v1/memory",
            "/api/v1/goal",
            "/api/v1/learning",
            "/api/v1/learning/proposals",
            "/api/v1/papers",
            "/api/v1/papers/{id}",
            "/api/v1/coaching",
            "/api/v1/coaching/{coach}/trust",
            "/api/v1/alerts",
            "/api/v1/alerts/{id}",
        ] {
            assert!(paths.contains_key(path), "{path}");
        }
        // Every operation says what it does and answers errors as problem documents.
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let named = |k: &str| operation[k].as_str().is_some_and(|s| !s.is_empty());
                assert!(named("summary") || named("description"), "{method} {path}");
                assert!(named("operationId"), "{method} {path}");
            }
        }
    }
}
