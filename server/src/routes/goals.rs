//! `/api/v1/goal`, `/api/v1/alerts`: what everything is to serve, and what is watched.

use crate::web::extract::{Body, Path, idempotency_key};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use mltrainer_services::{Authority, Services};
use mltrainer_types::assistant::{CreateAlert, RemoveAlert, SetGoal};
use mltrainer_types::chat::{AlertView, GoalView};
use mltrainer_types::problem::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(goal, set))
        .routes(routes!(alerts, create))
        .routes(routes!(remove))
}

/// The goal that holds, with how far stored results reach it; null when none was set.
#[utoipa::path(get, path = "/api/v1/goal", tag = "assistant", operation_id = "get_goal", responses((status = 200, body = Option<GoalView>)))]
async fn goal(State(services): State<Services>) -> Result<Json<Option<GoalView>>, HttpError> {
    Ok(Json(services.goal().await?))
}

/// Sets the goal; the one before stays in the record.
#[utoipa::path(put, path = "/api/v1/goal", tag = "assistant", operation_id = "set_goal", request_body = SetGoal, responses((status = 200, body = GoalView), (status = 422, body = Problem)))]
async fn set(
    State(services): State<Services>,
    actor: Actor,
    Body(goal): Body<SetGoal>,
) -> Result<Json<GoalView>, HttpError> {
    let who = Authority::person(actor.0);
    Ok(Json(services.set_goal(&who, &goal).await?))
}

/// Alerts that were not removed, newest first, each with what it noticed last.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "assistant", operation_id = "list_alerts", responses((status = 200, body = Vec<AlertView>)))]
async fn alerts(State(services): State<Services>) -> Result<Json<Vec<AlertView>>, HttpError> {
    Ok(Json(services.alerts().await?))
}

/// Sets an alert on symbols or on what is held.
#[utoipa::path(post, path = "/api/v1/alerts", tag = "assistant", operation_id = "create_alert", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = CreateAlert, responses((status = 201, body = AlertView), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(watch): Body<CreateAlert>,
) -> Result<(StatusCode, Json<AlertView>), HttpError> {
    let who = Authority::person(actor.0);
    let made = services
        .create_alert(&who, &watch, idempotency_key(&headers)?)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Ends an alert.
#[utoipa::path(delete, path = "/api/v1/alerts/{id}", tag = "assistant", operation_id = "remove_alert", params(("id" = String, Path, description = "Id of the alert")), responses((status = 204), (status = 404, body = Problem)))]
async fn remove(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, HttpError> {
    let which = RemoveAlert {
        alert: Some(id),
        ..RemoveAlert::default()
    };
    let who = Authority::person(actor.0);
    services.remove_alerts(&who, &which).await?;
    Ok(StatusCode::NO_CONTENT)
}
