//! `/api/v1/actions`: the typed actions that chat, command line and MCP do, one by one.

use crate::action::action;
use crate::web::extract::{Body, Path, Query, idempotency_key};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use mltrainer_services::{Authority, Services, Stage};
use mltrainer_types::assistant::ActionInfo;
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(perform))
}

/// All actions, each with what it does, the trust it takes and the JSON Schema of its parameters.
#[utoipa::path(get, path = "/api/v1/actions", tag = "assistant", operation_id = "list_actions", responses((status = 200, body = Vec<ActionInfo>)))]
async fn list(State(services): State<Services>) -> Json<Vec<ActionInfo>> {
    Json(services.actions())
}

#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    wait: bool,
}

/// Does an action with these parameters. With `wait=true` the answer waits for what was begun, at most
/// two minutes, after which that goes on by itself; without, `job` says where it can be followed. With the
/// header `Idempotency-Key` a repeated request begins nothing twice.
#[utoipa::path(post, path = "/api/v1/actions/{id}", tag = "assistant", operation_id = "perform_action", params(("id" = String, Path, description = "Id of the action"), ("wait" = Option<bool>, Query, description = "Whether to wait for what was begun"), ("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body(content = Value, description = "The parameters: an object of the action's schema"), responses((status = 200, body = ActionOutcome), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn perform(
    State(services): State<Services>,
    actor: Actor,
    Path(id): Path<String>,
    Query(query): Query<Wait>,
    headers: HeaderMap,
    Body(params): Body<Value>,
) -> Result<Json<ActionOutcome>, HttpError> {
    let stage = Stage {
        key: idempotency_key(&headers)?.map(str::to_owned),
        wait: query.wait,
        ..Stage::alone()
    };
    let action = action(&id, params)?;
    let who = Authority::person(actor.0);
    Ok(Json(services.perform(&who, &action, &stage).await?))
}
