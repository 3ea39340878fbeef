//! `/api/v1/learning`: what finished trials taught, and which models they speak for.

use crate::web::extract::Query;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use mltrainer_services::Services;
use mltrainer_types::learning::{Learning, Proposal};
use mltrainer_types::problem::Problem;
use mltrainer_types::trial::Target;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(learning))
        .routes(routes!(propose))
}

/// What each model did in finished trials, with the traits of their data, and what proposals from it would have been
/// worth beside the program's first choice and chance.
#[utoipa::path(get, path = "/api/v1/learning", tag = "trials", operation_id = "get_learning", responses((status = 200, body = Learning)))]
async fn learning(State(services): State<Services>) -> Result<Json<Learning>, HttpError> {
    Ok(Json(services.learning().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    symbols: String,
    target: Option<Target>,
    horizon: Option<u32>,
}

/// Models that finished trials speak for, for a trial of these symbols (with commas), with parameters to start from and
/// the reason. They replace no validation.
#[utoipa::path(get, path = "/api/v1/learning/proposals", tag = "trials", operation_id = "propose_models", params(("symbols" = String, Query, description = "Symbols, with commas"), ("target" = Option<Target>, Query, description = "What is to be forecast; return when absent"), ("horizon" = Option<u32>, Query, description = "Bars ahead; 1 when absent")), responses((status = 200, body = Proposal), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn propose(
    State(services): State<Services>,
    Query(asked): Query<Asked>,
) -> Result<Json<Proposal>, HttpError> {
    let symbols: Vec<String> = asked.symbols.split(',').map(str::to_owned).collect();
    let target = asked.target.unwrap_or(Target::Return);
    let horizon = asked.horizon.unwrap_or(1);
    Ok(Json(services.propose(&symbols, target, horizon).await?))
}
