//! `/api/health`: whether the program answers, and whether trials can run.

use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mltrainer_services::Services;
use mltrainer_types::health::Health;
use mltrainer_types::problem::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// How the program is; it waits until the bundled data are installed at the first start.
#[utoipa::path(get, path = "/api/health", tag = "program", responses((status = 200, body = Health)))]
async fn health(State(services): State<Services>) -> Result<Json<Health>, HttpError> {
    services.installed().await;
    Ok(Json(services.health().await?))
}

/// Whether the program answers at all.
#[utoipa::path(get, path = "/api/health/live", tag = "program", responses((status = 200, body = Health)))]
async fn live(State(services): State<Services>) -> Result<Json<Health>, HttpError> {
    Ok(Json(services.health().await?))
}

/// Whether trials can run now.
#[utoipa::path(get, path = "/api/health/ready", tag = "program", responses((status = 200, body = Health), (status = 503, body = Problem)))]
async fn ready(State(services): State<Services>) -> Result<Json<Health>, HttpError> {
    let health = services.health().await?;
    if health.ready {
        return Ok(Json(health));
    }
    let why: Vec<String> = health
        .checks
        .iter()
        .filter(|c| !c.ok)
        .map(|c| format!("{}: {}", c.name, c.detail))
        .collect();
    let why = if why.is_empty() {
        "the bundled data are being installed".to_owned()
    } else {
        why.join("; ")
    };
    Err(HttpError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-ready",
        "Not ready",
        why,
    ))
}
