//! `/api/v1/papers`: read a paper, look at what was found, search.

use crate::web::extract::{Form, Path, Query, located};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError, UPLOAD};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use mltrainer_app::error::PageError;
use mltrainer_app::query::Link;
use mltrainer_services::{Authority, ServiceError, Services, UserFile};
use mltrainer_types::paper::{Paper, PaperSummary};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(
            OpenApiRouter::new()
                .routes(routes!(list, add))
                .layer(DefaultBodyLimit::max(UPLOAD)),
        )
        .routes(routes!(one))
}

#[derive(Deserialize)]
struct Search {
    q: Option<String>,
}

/// Papers that hold all the words of `q`, best first, with the words around them; the latest first without `q`.
#[utoipa::path(get, path = "/api/v1/papers", tag = "assistant", operation_id = "list_papers", params(("q" = Option<String>, Query, description = "Words")), responses((status = 200, body = Vec<PaperSummary>)))]
async fn list(
    State(services): State<Services>,
    Query(search): Query<Search>,
) -> Result<Json<Vec<PaperSummary>>, HttpError> {
    let query = search.q.unwrap_or_default();
    Ok(Json(services.papers(&query).await?))
}

/// Reads a paper: multipart with the PDF as `file`. The same file is kept once. Where its method comes to a ready-made
/// strategy, that one is back-tested, and the paper's claims stand beside what was measured.
#[utoipa::path(post, path = "/api/v1/papers", tag = "assistant", operation_id = "add_paper", request_body(content = String, content_type = "multipart/form-data"), responses((status = 201, body = Paper), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn add(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    form: Result<Form, HttpError>,
) -> Result<Response, HttpError> {
    let added = match form {
        Ok(form) => read(&services, actor, form).await,
        Err(e) => Err(e),
    };
    // A form that the browser sent by itself goes on to a page.
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accept.is_some_and(|a| a.contains("text/html")) {
        let to = match added {
            Ok(paper) => format!("/papers/{}", paper.id),
            Err(e) => Link::to("/papers")
                .with("error", &PageError::from(e).detail)
                .build(),
        };
        return Ok(Redirect::to(&to).into_response());
    }
    let paper = added?;
    let location = format!("/api/v1/papers/{}", paper.id);
    Ok(located(StatusCode::CREATED, &location, paper))
}

async fn read(services: &Services, actor: Actor, form: Form) -> Result<Paper, HttpError> {
    let mut file = None;
    for part in form.0 {
        if part.name != "file" {
            return Err(ServiceError::invalid(part.name, "unknown part; there is file").into());
        }
        file = Some(UserFile {
            name: part.file_name.unwrap_or_default(),
            bytes: Arc::new(part.bytes),
        });
    }
    let file = file.ok_or_else(|| ServiceError::invalid("file", "missing: send a PDF"))?;
    Ok(services
        .add_paper(&Authority::person(actor.0), file)
        .await?)
}

/// A paper with everything that was found in it.
#[utoipa::path(get, path = "/api/v1/papers/{id}", tag = "assistant", operation_id = "get_paper", params(("id" = String, Path, description = "Id, SHA-256 or file name")), responses((status = 200, body = Paper), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<Paper>, HttpError> {
    Ok(Json(services.paper(&id).await?))
}
