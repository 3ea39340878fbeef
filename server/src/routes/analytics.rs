//! `/api/v1/analytics`: prices of a span of days with what the catalogue computes on them.

use crate::web::extract::Query;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::analytics::{Analytics, AnalyticsRequest, Pick};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(analytics))
}

/// The query, the same as in the address of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    dataset: String,
    start: Option<chrono::NaiveDate>,
    end: Option<chrono::NaiveDate>,
    #[serde(default)]
    show: String,
    #[serde(default)]
    feature: String,
    #[serde(default)]
    with: String,
}

/// Prices of a data set from `start` to `end` with the entries of `show` computed on them: lines on the
/// prices or in parts of their own, events with a word, and spans of a state. `show` is a list such as
/// `sma:period=20,bollinger_bands:period=20:std_dev=2.5,rsi` (a comma inside a value is written `~`).
#[utoipa::path(get, path = "/api/v1/analytics", tag = "data", operation_id = "get_analytics", params(("dataset" = Option<String>, Query, description = "Id of a data set or a symbol, for example bundled:AAPL; the first one with bars when absent"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day"), ("show" = Option<String>, Query, description = "Entries of the catalogue apart by commas, each ID or ID:NAME=VALUE:NAME=VALUE, at most 12"), ("feature" = Option<String>, Query, description = "Id of a feature over the same days"), ("with" = Option<String>, Query, description = "Data sets or symbols apart by commas, whose daily changes are correlated with those of the first")), responses((status = 200, body = Analytics), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn analytics(
    State(services): State<Services>,
    Query(asked): Query<Asked>,
) -> Result<Json<Analytics>, HttpError> {
    let words = asked.with.split(',').map(str::trim);
    let request = AnalyticsRequest {
        dataset: asked.dataset,
        start: asked.start,
        end: asked.end,
        show: Pick::list(&asked.show).map_err(|e| ServiceError::invalid("show", e))?,
        feature: asked.feature,
        with: words.filter(|w| !w.is_empty()).map(str::to_owned).collect(),
    };
    Ok(Json(services.analytics(&request).await?))
}
