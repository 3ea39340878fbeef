//! `/api/v1/trials`: make, look, control.

use crate::web::extract::{Body, Cursor, Path, Query, idempotency_key, located};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mltrainer_services::Services;
use mltrainer_types::Page;
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::problem::Problem;
use mltrainer_types::trial::{
    PredictionSeries, TrialCreated, TrialRequest, TrialSummary, TrialView,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(train))
        .routes(routes!(one))
        .routes(routes!(steering))
        .routes(routes!(predictions))
        .routes(routes!(cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Trials, newest first.
#[utoipa::path(get, path = "/api/v1/trials", tag = "trials", operation_id = "list_trials", params(("cursor" = Option<String>, Query, description = "`next` of the page before")), responses((status = 200, body = Page<TrialSummary>), (status = 422, body = Problem)))]
async fn list(
    State(services): State<Services>,
    Query(query): Query<Cursor>,
) -> Result<Json<Page<TrialSummary>>, HttpError> {
    Ok(Json(services.trials(query.cursor.as_deref()).await?))
}

/// Makes a trial and queues it; only `symbols` is needed. With the header `Idempotency-Key` the same
/// request makes one trial only, however often it is sent.
#[utoipa::path(post, path = "/api/v1/trials", tag = "trials", operation_id = "create_trial", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = TrialRequest, responses((status = 201, body = TrialCreated), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(request): Body<TrialRequest>,
) -> Result<Response, HttpError> {
    let key = idempotency_key(&headers)?;
    let made = services.create_trial(actor.0, request, key).await?;
    let location = format!("/api/v1/trials/{}", made.id);
    Ok(located(StatusCode::CREATED, &location, made))
}

/// The short form of making a trial.
#[utoipa::path(post, path = "/api/models/train", tag = "trials", operation_id = "train", request_body = TrialRequest, responses((status = 201, body = TrialCreated), (status = 422, body = Problem)))]
async fn train(
    services: State<Services>,
    actor: Actor,
    headers: HeaderMap,
    request: Body<TrialRequest>,
) -> Result<Response, HttpError> {
    create(services, actor, headers, request).await
}

/// A trial as it stands: state, progress, leaderboard, verdict, lineage.
#[utoipa::path(get, path = "/api/v1/trials/{id}", tag = "trials", operation_id = "get_trial", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = TrialView), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<TrialView>, HttpError> {
    Ok(Json(services.trial(&id).await?))
}

/// Which language model steered the trial, if one did, and what it shows on days that the model may have known
/// and on those after them.
#[utoipa::path(get, path = "/api/v1/trials/{id}/steering", tag = "trials", operation_id = "trial_steering", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = SteeredBy), (status = 404, body = Problem)))]
async fn steering(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<SteeredBy>, HttpError> {
    Ok(Json(services.steered_by("trial", &id).await?))
}

/// Out-of-sample forecasts by model, horizon and symbol.
#[utoipa::path(get, path = "/api/v1/trials/{id}/predictions", tag = "trials", operation_id = "get_predictions", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = Vec<PredictionSeries>), (status = 404, body = Problem)))]
async fn predictions(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<Vec<PredictionSeries>>, HttpError> {
    Ok(Json(services.predictions(&id).await?))
}

/// Ends a trial.
#[utoipa::path(post, path = "/api/v1/trials/{id}/cancel", tag = "trials", operation_id = "cancel_trial", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = TrialView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn cancel(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<TrialView>, HttpError> {
    Ok(Json(services.cancel_trial(actor.0, &id).await?))
}

/// Stops a trial after its running steps.
#[utoipa::path(post, path = "/api/v1/trials/{id}/pause", tag = "trials", operation_id = "pause_trial", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = TrialView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn pause(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<TrialView>, HttpError> {
    Ok(Json(services.pause_trial(actor.0, &id).await?))
}

/// Goes on with a paused trial.
#[utoipa::path(post, path = "/api/v1/trials/{id}/resume", tag = "trials", operation_id = "resume_trial", params(("id" = String, Path, description = "Id of the trial")), responses((status = 200, body = TrialView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn resume(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<TrialView>, HttpError> {
    Ok(Json(services.resume_trial(actor.0, &id).await?))
}
