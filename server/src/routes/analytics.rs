//! `/api/v1/analytics`: prices of a span of days with what the catalogue computes on them.

use super::charts::Frame;
use crate::web::extract::Query;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mltrainer_app::charts;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::analytics::{Analytics, AnalyticsRequest, Pick};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(analytics))
        .routes(routes!(chart))
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

impl Asked {
    fn request(self) -> Result<AnalyticsRequest, ServiceError> {
        let words = self.with.split(',').map(str::trim);
        Ok(AnalyticsRequest {
            dataset: self.dataset,
            start: self.start,
            end: self.end,
            show: Pick::list(&self.show).map_err(|e| ServiceError::invalid("show", e))?,
            feature: self.feature,
            with: words.filter(|w| !w.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// Prices of a data set from `start` to `end` with the entries of `show` computed on them: lines on the
/// prices or in parts of their own, events with a word, and spans of a state. `show` is a list such as
/// `sma:period=20,bollinger_bands:period=20:std_dev=2.5,rsi` (a comma inside a value is written `~`).
#[utoipa::path(get, path = "/api/v1/analytics", tag = "data", operation_id = "get_analytics", params(("dataset" = Option<String>, Query, description = "Id of a data set or a symbol, for example bundled:AAPL; the first one with bars when absent"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day"), ("show" = Option<String>, Query, description = "Entries of the catalogue apart by commas, each ID or ID:NAME=VALUE:NAME=VALUE, at most 12"), ("feature" = Option<String>, Query, description = "Id of a feature over the same days"), ("with" = Option<String>, Query, description = "Data sets or symbols apart by commas, whose daily changes are correlated with those of the first")), responses((status = 200, body = Analytics), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn analytics(
    State(services): State<Services>,
    Query(asked): Query<Asked>,
) -> Result<Json<Analytics>, HttpError> {
    Ok(Json(services.analytics(&asked.request()?).await?))
}

/// The query of the picture: that of the page, and the size.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pictured {
    #[serde(default)]
    dataset: String,
    start: Option<chrono::NaiveDate>,
    end: Option<chrono::NaiveDate>,
    #[serde(default)]
    show: String,
    #[serde(default)]
    feature: String,
    w: Option<u32>,
    h: Option<u32>,
}

/// The chart of `GET /api/v1/analytics` as a picture.
#[utoipa::path(get, path = "/api/v1/analytics/chart.svg", tag = "data", operation_id = "chart_analytics", params(("dataset" = Option<String>, Query, description = "Id of a data set or a symbol; the first one with bars when absent"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day"), ("show" = Option<String>, Query, description = "Entries of the catalogue apart by commas, each ID or ID:NAME=VALUE:NAME=VALUE, at most 12"), ("feature" = Option<String>, Query, description = "Id of a feature over the same days"), ("w" = Option<u32>, Query, description = "Width"), ("h" = Option<u32>, Query, description = "Height")), responses((status = 200, content_type = "image/svg+xml", body = String), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn chart(
    State(services): State<Services>,
    Query(p): Query<Pictured>,
) -> Result<Response, HttpError> {
    let request = Asked {
        dataset: p.dataset,
        start: p.start,
        end: p.end,
        show: p.show,
        feature: p.feature,
        with: String::new(),
    }
    .request()?;
    let all = services.overlaid(&request).await?;
    if let Some(fault) = all.fault() {
        return Err(fault.into());
    }
    let plot = charts::analytics::plot(&all);
    // A part of its own for each line that does not fit the prices wants room.
    let height = p.h.unwrap_or_else(|| plot.height(420, 90));
    Frame::new(p.start, p.end, p.w, Some(height))
        .draw(plot)
        .await
}
