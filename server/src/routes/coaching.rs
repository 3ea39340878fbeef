//! `/api/v1/coaching`: coaches, what they did and what it changed, questions of the engine, recipes.

use crate::web::extract::{Body, Path};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use mltrainer_services::{Authority, Services};
use mltrainer_types::coach::{CoachView, Coaching};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(coaching))
        .routes(routes!(trust))
}

/// Coaches with their trust, interventions with their measured effects, the questions of the engine, recipes, and
/// the rule by which trust moves. Commands of a coach are actions: `POST /api/v1/actions/advise`, `adjust_trial`,
/// `override_models`, `teach_methodology`, `undo`.
#[utoipa::path(get, path = "/api/v1/coaching", tag = "assistant", operation_id = "get_coaching", responses((status = 200, body = Coaching)))]
async fn coaching(State(services): State<Services>) -> Result<Json<Coaching>, HttpError> {
    Ok(Json(services.coaching().await?))
}

/// A trust to give.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Trust {
    /// 1 to 10.
    trust: u8,
}

/// Gives a coach another trust, as a person.
#[utoipa::path(put, path = "/api/v1/coaching/{coach}/trust", tag = "assistant", operation_id = "set_coach_trust", params(("coach" = String, Path, description = "Name of the coach")), request_body = Trust, responses((status = 200, body = Vec<CoachView>), (status = 422, body = Problem)))]
async fn trust(
    State(services): State<Services>,
    actor: Actor,
    Path(coach): Path<String>,
    Body(given): Body<Trust>,
) -> Result<Json<Vec<CoachView>>, HttpError> {
    let who = Authority::person(actor.0);
    Ok(Json(services.set_trust(&who, &coach, given.trust).await?))
}
