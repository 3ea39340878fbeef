//! Charts as SVG files: what the pages draw, for documents and for browsers without script.

use crate::web::extract::{Path, Query};
use crate::web::{AppState, HttpError};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use mltrainer_app::charts::trial::{Kind, Pick};
use mltrainer_app::charts::{self, DrawError, Plot};
use mltrainer_app::error::PageError;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(dataset))
        .routes(routes!(trial))
}

/// Span and size of a picture.
#[derive(Deserialize)]
pub(super) struct Frame {
    from: Option<chrono::NaiveDate>,
    to: Option<chrono::NaiveDate>,
    w: Option<u32>,
    h: Option<u32>,
}

impl Frame {
    /// Of these days and this size, where they are given.
    pub(super) fn new(
        from: Option<chrono::NaiveDate>,
        to: Option<chrono::NaiveDate>,
        w: Option<u32>,
        h: Option<u32>,
    ) -> Self {
        Self { from, to, w, h }
    }

    fn size(&self) -> Result<(u32, u32), ServiceError> {
        let size = |field: &str, n: Option<u32>, default: u32| match n.unwrap_or(default) {
            n @ 120..=4000 => Ok(n),
            n => Err(ServiceError::invalid(
                field,
                format!("{n} is not in 120 to 4000"),
            )),
        };
        Ok((size("w", self.w, 960)?, size("h", self.h, 420)?))
    }

    /// A picture of a sentence of ours.
    fn say(&self, sentence: &str) -> Result<Response, HttpError> {
        let (w, h) = self.size()?;
        Ok(answer(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\"><title>{sentence}</title><style>text{{font:14px system-ui,sans-serif;fill:#666}}</style><text x=\"12\" y=\"{}\">{sentence}</text></svg>",
            h / 2
        )))
    }

    /// Draws away from the threads that answer requests.
    pub(super) async fn draw(self, plot: Plot) -> Result<Response, HttpError> {
        let (w, h) = self.size()?;
        let drawn = tokio::task::spawn_blocking(move || plot.file(self.from, self.to, w, h));
        let svg = drawn
            .await
            .map_err(|e| ServiceError::Internal(format!("a chart was not drawn: {e}")))?
            .map_err(|e| match e {
                DrawError::Empty(..) => ServiceError::invalid("from", e.to_string()),
                DrawError::Refused => ServiceError::Internal(e.to_string()),
            })?;
        Ok(answer(svg))
    }
}

fn answer(svg: String) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("image/svg+xml"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy(&svg)),
    ];
    (headers, svg).into_response()
}

/// Opened by itself a chart may use its own style and nothing else.
fn policy(svg: &str) -> HeaderValue {
    let style = svg
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"))
        .map_or("", |(style, _)| style);
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    let text = format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The closes of a data set, as candles when few days are shown.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/chart.svg", tag = "data", operation_id = "chart_dataset", params(("id" = String, Path, description = "Id of the data set"), ("from" = Option<String>, Query, description = "First day"), ("to" = Option<String>, Query, description = "Last day"), ("w" = Option<u32>, Query, description = "Width"), ("h" = Option<u32>, Query, description = "Height")), responses((status = 200, content_type = "image/svg+xml", body = String), (status = 404, body = Problem)))]
async fn dataset(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(frame): Query<Frame>,
) -> Result<Response, HttpError> {
    let set = services.dataset(&id).await?.summary;
    let bars = services.bars(&id, None, None).await?;
    frame.draw(charts::bars(&set.title, "", &bars)).await
}

/// A chart of a trial: `price` with the forecasts, `error` gained on the baseline, or `equity`
/// after costs. What a trial has nothing to show of says so in the picture.
#[utoipa::path(get, path = "/api/v1/trials/{id}/charts/{kind}", tag = "trials", operation_id = "chart_trial", params(("id" = String, Path, description = "Id of the trial"), ("kind" = String, Path, description = "price.svg, error.svg or equity.svg"), ("model" = Option<String>, Query, description = "Model; the best one when absent"), ("horizon" = Option<u32>, Query, description = "Bars ahead"), ("symbol" = Option<String>, Query, description = "Symbol"), ("from" = Option<String>, Query, description = "First day"), ("to" = Option<String>, Query, description = "Last day"), ("w" = Option<u32>, Query, description = "Width"), ("h" = Option<u32>, Query, description = "Height")), responses((status = 200, content_type = "image/svg+xml", body = String), (status = 404, body = Problem)))]
async fn trial(
    State(services): State<Services>,
    Path((id, name)): Path<(String, String)>,
    Query(frame): Query<Frame>,
    Query(chosen): Query<Chosen>,
) -> Result<Response, HttpError> {
    let view = services.trial(&id).await?;
    let Some(kind) = Kind::parse(name.strip_suffix(".svg").unwrap_or(&name)) else {
        return Err(ServiceError::NotFound {
            what: "chart",
            id: name,
            suggestions: ["price.svg", "error.svg", "equity.svg"]
                .map(str::to_owned)
                .into(),
        }
        .into());
    };
    let pick = Pick {
        model: chosen.model.unwrap_or_default(),
        horizon: chosen.horizon.unwrap_or_default(),
        symbol: chosen.symbol.unwrap_or_default(),
    };
    match charts::trial::one(&services, &id, &pick, kind).await {
        Ok(Some(plot)) => frame.draw(plot).await,
        Ok(None) if kind == Kind::Equity && !view.spec.target.is_tradable() => frame.say(&format!(
            "A forecast of {} is not traded, so there is no capital to show.",
            view.spec.target.as_str()
        )),
        Ok(None) => frame.say("No test window has been finished, so there is nothing to show."),
        Err(e) => Err(refused(e)),
    }
}

#[derive(Deserialize)]
struct Chosen {
    model: Option<String>,
    horizon: Option<u32>,
    symbol: Option<String>,
}

/// What the app says of a choice that does not exist, as a problem document.
pub(super) fn refused(e: PageError) -> HttpError {
    let status = StatusCode::from_u16(e.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error = HttpError::new(status, "invalid-value", &e.title, e.detail);
    match e.field {
        Some(field) => error.at(field),
        None => error,
    }
}
