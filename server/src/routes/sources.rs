//! `/api/v1/sources`, `/api/v1/data/fetch`: vendors of data, and fetching from them.

use crate::web::extract::Body;
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use mltrainer_services::{Call, ServiceError, Services};
use mltrainer_types::problem::Problem;
use mltrainer_types::source::{FetchOutcome, FetchRequest, SourceStatus};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(fetch))
}

/// The sources of data: what each has, whether it is configured, how it does.
#[utoipa::path(get, path = "/api/v1/sources", tag = "data", operation_id = "list_sources", responses((status = 200, body = Vec<SourceStatus>)))]
async fn list(State(services): State<Services>) -> Json<Vec<SourceStatus>> {
    Json(services.sources())
}

/// Fetches what is missing of a symbol's bars or of an economic series, through the gate: 201 when
/// something was fetched, 200 when everything was stored already. A client that hangs up ends it. A
/// refusal by the gate holds the findings as `quality`.
#[utoipa::path(post, path = "/api/v1/data/fetch", tag = "data", operation_id = "fetch_data", request_body = FetchRequest, responses((status = 200, body = FetchOutcome), (status = 201, body = FetchOutcome), (status = 404, body = Problem), (status = 422, body = Problem), (status = 502, body = Problem)))]
async fn fetch(
    State(state): State<AppState>,
    actor: Actor,
    Body(request): Body<FetchRequest>,
) -> Result<Response, HttpError> {
    // Ends with the server, and with the client: then this future is dropped.
    let call = Call {
        cancel: state.stop.child_token(),
        ..Call::quiet()
    };
    let outcome = state.services.fetch(actor.0, request, &call).await?;
    if let Some(refusal) = outcome.refusal {
        let quality = serde_json::to_value(&outcome.quality).unwrap_or_default();
        let rule = refusal.rule.clone();
        return Err(HttpError::from(ServiceError::Refused(refusal))
            .with("quality", quality)
            .with("rule", rule.into()));
    }
    let status = match outcome.requests {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(outcome)).into_response())
}
