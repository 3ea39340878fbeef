//! Errors on their way out: only this file knows status codes. Every error is a problem document
//! (RFC 9457); the text of an internal fault stays in the log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mltrainer_app::error::PageError;
use mltrainer_services::ServiceError;
use mltrainer_services::port::PortError;
use mltrainer_types::problem::Problem;
use serde_json::{Map, Value};

/// Seconds after which a client may try again what is not possible now.
const RETRY: &str = "5";

/// An error as a problem document, with further members where there are some.
#[derive(Debug, Clone)]
pub struct HttpError {
    problem: Box<Problem>,
    more: Map<String, Value>,
}

/// What [`HttpError`] leaves with its response, so that the guard can add the request's id.
#[derive(Clone)]
pub(crate) struct Document(HttpError);

impl HttpError {
    /// An error that the services do not know.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem {
                kind: format!("/problems/{kind}"),
                title: title.to_owned(),
                status: status.as_u16(),
                detail: detail.into(),
                field: None,
                suggestions: Vec::new(),
                request_id: None,
            }),
            more: Map::new(),
        }
    }

    /// A fault of the program.
    #[must_use]
    pub fn internal() -> Self {
        Self::from(ServiceError::Internal(String::new()))
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.problem.field = Some(field.into());
        self
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn body(&self) -> Value {
        let mut body = match serde_json::to_value(&*self.problem) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        body.extend(self.more.clone());
        Value::Object(body)
    }
}

impl From<ServiceError> for HttpError {
    fn from(e: ServiceError) -> Self {
        if let ServiceError::Internal(cause) = &e
            && !cause.is_empty()
        {
            tracing::error!(%cause, "internal fault");
        }
        Self {
            problem: Box::new(e.problem()),
            more: Map::new(),
        }
    }
}

/// The same for a page.
impl From<HttpError> for PageError {
    fn from(e: HttpError) -> Self {
        let Problem {
            status,
            title,
            detail,
            field,
            suggestions,
            request_id,
            ..
        } = *e.problem;
        Self {
            status,
            title,
            detail,
            field,
            suggestions,
            request_id,
        }
    }
}

impl From<PortError> for HttpError {
    fn from(e: PortError) -> Self {
        ServiceError::from(e).into()
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Document(self));
        response
    }
}

impl Document {
    /// Writes the request's id into the document of a response.
    pub(crate) fn quote(response: Response, id: &str) -> Response {
        let (mut parts, body) = response.into_parts();
        let Some(Self(mut error)) = parts.extensions.remove::<Self>() else {
            return Response::from_parts(parts, body);
        };
        error.problem.request_id = Some(id.to_owned());
        // The document is written anew: neither the length nor the compression of the old one holds.
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_ENCODING);
        Response::from_parts(parts, error.body().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_never_gets_out() {
        let secret = "no such table: trials at /home/me/mltrainer.db";
        let error = HttpError::from(ServiceError::Internal(secret.into()));
        let text = error.body().to_string();
        assert!(!text.contains("table") && !text.contains("/home"), "{text}");
        assert!(text.contains("\"status\":500"));
    }

    #[test]
    fn statuses_follow_the_meaning() {
        let status = |e: ServiceError| HttpError::from(e).into_response().status().as_u16();
        let not_found = ServiceError::NotFound {
            what: "model",
            id: "x".into(),
            suggestions: vec!["y".into()],
        };
        assert_eq!(status(not_found), 404);
        assert_eq!(status(ServiceError::invalid("a", "b")), 422);
        assert_eq!(status(ServiceError::BadData("x".into())), 422);
        assert_eq!(status(ServiceError::FitFailed("x".into())), 422);
        assert_eq!(status(ServiceError::Conflict("x".into())), 409);
        let busy = HttpError::from(ServiceError::Unavailable("x".into())).into_response();
        assert_eq!(busy.status(), 503);
        assert!(busy.headers().contains_key("retry-after"));
    }
}
