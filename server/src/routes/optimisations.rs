//! `/api/v1/optimisations`: search the parameters of a strategy window by window, follow, look, control.

use super::charts::Frame;
use super::events::{After, sent};
use crate::web::extract::{Body, Cursor, Path, Query, idempotency_key, located};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mltrainer_app::charts::optimisation as charts;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::Page;
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::optimisation::{
    OptimisationCurve, OptimisationRequest, OptimisationSummary, OptimisationView, ParameterSurface,
};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .routes(routes!(steering))
        .routes(routes!(events))
        .routes(routes!(curve))
        .routes(routes!(surface))
        .routes(routes!(chart))
        .routes(routes!(cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Optimisations, newest first.
#[utoipa::path(get, path = "/api/v1/optimisations", tag = "backtests", operation_id = "list_optimisations", params(("cursor" = Option<String>, Query, description = "`next` of the page before")), responses((status = 200, body = Page<OptimisationSummary>), (status = 422, body = Problem)))]
async fn list(
    State(services): State<Services>,
    Query(query): Query<Cursor>,
) -> Result<Json<Page<OptimisationSummary>>, HttpError> {
    Ok(Json(services.optimisations(query.cursor.as_deref()).await?))
}

/// Makes a walk-forward optimisation, which goes on by itself: follow its events. With the header
/// `Idempotency-Key` the same request makes one only, however often it is sent.
#[utoipa::path(post, path = "/api/v1/optimisations", tag = "backtests", operation_id = "create_optimisation", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = OptimisationRequest, responses((status = 201, body = OptimisationView), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(request): Body<OptimisationRequest>,
) -> Result<Response, HttpError> {
    let key = idempotency_key(&headers)?;
    let made = services.create_optimisation(actor.0, request, key).await?;
    let location = format!("/api/v1/optimisations/{}", made.id);
    Ok(located(StatusCode::CREATED, &location, made))
}

/// An optimisation as it stands: windows that are done, progress, and what it comes to.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}", tag = "backtests", operation_id = "get_optimisation", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = OptimisationView), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<OptimisationView>, HttpError> {
    Ok(Json(services.optimisation(&id).await?))
}

/// Which language model steered the optimisation, if one did, and what it shows on days that the model may have known
/// and on those after them.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}/steering", tag = "backtests", operation_id = "optimisation_steering", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = SteeredBy), (status = 404, body = Problem)))]
async fn steering(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<SteeredBy>, HttpError> {
    Ok(Json(services.steered_by("optimisation", &id).await?))
}

/// Events of an optimisation: `id:` 1, 2, 3 ... without holes, `event:` one of state, step, window,
/// `data:` JSON. The stream closes after the state event with a final state. The header
/// `Last-Event-ID` or `after` resumes; of both the larger counts.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}/events", tag = "backtests", operation_id = "follow_optimisation", params(("id" = String, Path, description = "Id of the optimisation"), ("after" = Option<i64>, Query, description = "Only events after this number"), ("Last-Event-ID" = Option<i64>, Header, description = "The same, as browsers send it")), responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = Problem)))]
async fn events(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let after = query.number(&headers)?;
    let stream = state.services.follow_optimisation(&id, after).await?;
    Ok(sent(stream, &state))
}

/// The stitched out-of-sample curve as far as windows are done, beside the benchmark and, at the end,
/// beside what was best over the tests themselves.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}/curve", tag = "backtests", operation_id = "optimisation_curve", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = OptimisationCurve), (status = 404, body = Problem)))]
async fn curve(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<OptimisationCurve>, HttpError> {
    Ok(Json(services.optimisation_curve(&id).await?))
}

#[derive(Deserialize)]
struct Over {
    x: Option<String>,
    y: Option<String>,
    window: Option<u32>,
}

/// The objective in training over two parameters, whatever the others were.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}/surface", tag = "backtests", operation_id = "optimisation_surface", params(("id" = String, Path, description = "Id of the optimisation"), ("x" = Option<String>, Query, description = "Parameter to the right; the first one when absent"), ("y" = Option<String>, Query, description = "Parameter upwards; the next one when absent"), ("window" = Option<u32>, Query, description = "One window, from 1; the mean of all when absent")), responses((status = 200, body = ParameterSurface), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn surface(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(q): Query<Over>,
) -> Result<Json<ParameterSurface>, HttpError> {
    let found = services.parameter_surface(&id, q.x.as_deref(), q.y.as_deref(), q.window);
    Ok(Json(found.await?))
}

#[derive(Deserialize)]
struct Span {
    from: Option<chrono::NaiveDate>,
    to: Option<chrono::NaiveDate>,
    w: Option<u32>,
    h: Option<u32>,
}

/// The stitched curve as a picture.
#[utoipa::path(get, path = "/api/v1/optimisations/{id}/equity.svg", tag = "backtests", operation_id = "chart_optimisation", params(("id" = String, Path, description = "Id of the optimisation"), ("from" = Option<String>, Query, description = "First day"), ("to" = Option<String>, Query, description = "Last day"), ("w" = Option<u32>, Query, description = "Width"), ("h" = Option<u32>, Query, description = "Height")), responses((status = 200, content_type = "image/svg+xml", body = String), (status = 404, body = Problem)))]
async fn chart(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(q): Query<Span>,
) -> Result<Response, HttpError> {
    let curve = services.optimisation_curve(&id).await?;
    let Some(plot) = charts::equity(&curve) else {
        return Err(ServiceError::NotFound {
            what: "chart",
            id: "equity.svg".to_owned(),
            suggestions: Vec::new(),
        }
        .into());
    };
    Frame::new(q.from, q.to, q.w, q.h).draw(plot).await
}

/// Ends an optimisation.
#[utoipa::path(post, path = "/api/v1/optimisations/{id}/cancel", tag = "backtests", operation_id = "cancel_optimisation", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = OptimisationView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn cancel(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<OptimisationView>, HttpError> {
    Ok(Json(services.cancel_optimisation(actor.0, &id).await?))
}

/// Stops an optimisation after the points that are being tested.
#[utoipa::path(post, path = "/api/v1/optimisations/{id}/pause", tag = "backtests", operation_id = "pause_optimisation", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = OptimisationView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn pause(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<OptimisationView>, HttpError> {
    Ok(Json(services.pause_optimisation(actor.0, &id).await?))
}

/// Goes on with a paused optimisation.
#[utoipa::path(post, path = "/api/v1/optimisations/{id}/resume", tag = "backtests", operation_id = "resume_optimisation", params(("id" = String, Path, description = "Id of the optimisation")), responses((status = 200, body = OptimisationView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn resume(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<OptimisationView>, HttpError> {
    Ok(Json(services.resume_optimisation(actor.0, &id).await?))
}
