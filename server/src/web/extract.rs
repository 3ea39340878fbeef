//! Extractors whose rejections are problem documents: JSON bodies, queries, paths, forms with files.

use super::HttpError;
use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use mltrainer_services::ServiceError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A JSON body.
pub struct Body<T>(pub T);

/// The query of the URL.
pub struct Query<T>(pub T);

/// The parameters of the path.
pub struct Path<T>(pub T);

/// The client's key of a write, where there is one.
///
/// # Errors
/// [`HttpError`] when it holds other than visible ASCII signs.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, HttpError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let wrong = "a key has visible ASCII signs only";
    let key = value.to_str();
    let key = key.map_err(|_| ServiceError::invalid("Idempotency-Key", wrong))?;
    Ok(Some(key))
}

/// The query of a list that is paged.
#[derive(serde::Deserialize)]
pub(crate) struct Cursor {
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// An answer that says where what was made is found.
pub(crate) fn located<T: serde::Serialize>(
    status: StatusCode,
    location: &str,
    made: T,
) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    let mut response = (status, axum::Json(made)).into_response();
    if let Ok(location) = header::HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn too_large() -> HttpError {
    HttpError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The request is too large",
        format!(
            "a request may have {} MB, one with files {} MB",
            super::BODY >> 20,
            super::UPLOAD >> 20
        ),
    )
}

fn wrong_type(wanted: &str) -> HttpError {
    HttpError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "This kind of body is not known here",
        format!("the body must be {wanted}: set the header Content-Type"),
    )
}

/// The media type of a request, in small letters, without parameters.
pub(crate) fn media_type(request: &Request) -> String {
    let value = request.headers().get(header::CONTENT_TYPE);
    let text = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let kind = media_type(&request);
        if kind != "application/json" && !kind.ends_with("+json") {
            return Err(wrong_type("application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        json(&bytes).map(Self)
    }
}

fn unread(e: BytesRejection) -> HttpError {
    if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    HttpError::new(
        StatusCode::BAD_REQUEST,
        "unreadable-body",
        "The body could not be read",
        "the body ended before it was complete: send it again",
    )
}

/// A JSON document of a type; an error names the field.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HttpError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        let place = format!(" at line {} column {}", inner.line(), inner.column());
        let said = inner.to_string();
        let said = said.strip_suffix(&place).unwrap_or(&said);
        if inner.classify() != Category::Data {
            return malformed(format!("the body is not JSON: {said}{place}"));
        }
        // A field that is missing or unknown is named in the text, one of another kind by the path.
        let named = ["missing field `", "unknown field `"]
            .iter()
            .find_map(|p| said.strip_prefix(p)?.split('`').next());
        let field = match (path.as_str(), named) {
            ("." | "?", name) => name.unwrap_or_default().to_owned(),
            (path, _) => path.to_owned(),
        };
        let detail = if field.is_empty() || said.contains(&format!("`{field}`")) {
            said.to_owned()
        } else {
            format!("{field}: {said}")
        };
        let error = HttpError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-value",
            "A value cannot be used",
            detail,
        );
        if field.is_empty() {
            error
        } else {
            error.at(field)
        }
    })?;
    reader
        .end()
        .map_err(|e| malformed(format!("the body is not one JSON document: {e}")))?;
    Ok(value)
}

fn malformed(detail: String) -> HttpError {
    HttpError::new(
        StatusCode::BAD_REQUEST,
        "malformed-json",
        "The body is not JSON",
        detail,
    )
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|e| {
                // "Failed to deserialize query string: start: input contains ..."
                let text = e.body_text();
                let said = text
                    .split_once(": ")
                    .map_or(text.as_str(), |(_, rest)| rest);
                HttpError::new(
                    StatusCode::BAD_REQUEST,
                    "invalid-query",
                    "The address cannot be understood",
                    format!("query: {said}"),
                )
            })
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| {
                HttpError::new(
                    StatusCode::BAD_REQUEST,
                    "invalid-path",
                    "The address cannot be understood",
                    "the path holds signs that are no text",
                )
            })
    }
}

/// A part of a form.
pub struct Part {
    /// Its name.
    pub name: String,
    /// The file name, where it has one.
    pub file_name: Option<String>,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Part {
    /// The content as text.
    ///
    /// # Errors
    /// A problem document when it is not UTF-8.
    pub fn text(self) -> Result<String, HttpError> {
        String::from_utf8(self.bytes).map_err(|_| {
            HttpError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-value",
                "A value cannot be used",
                format!("{}: the value is not UTF-8 text", self.name),
            )
            .at(self.name)
        })
    }
}

/// A form with files.
pub struct Form(pub Vec<Part>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let mut form = Multipart::from_request(request, state)
            .await
            .map_err(|_| wrong_type("multipart/form-data"))?;
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(|e| torn(&e))? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|e| torn(&e))?.to_vec();
            parts.push(Part {
                name,
                file_name,
                bytes,
            });
        }
        Ok(Self(parts))
    }
}

fn torn(e: &MultipartError) -> HttpError {
    if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    HttpError::new(
        StatusCode::BAD_REQUEST,
        "malformed-form",
        "The form could not be read",
        "the form ended before it was complete or is no multipart/form-data: send it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;
    use mltrainer_types::trial::TrialRequest;

    async fn refused(body: &str) -> (u16, String) {
        let error = json::<TrialRequest>(body.as_bytes()).err().unwrap();
        let response = error.into_response();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_wrong_body_names_its_field() {
        for (body, status, words) in [
            ("{\"symbols\": [", 400, "not JSON"),
            ("{} {}", 422, "symbols"),
            ("{\"symbols\": [\"A\"]} x", 400, "JSON"),
            ("{}", 422, "\"field\":\"symbols\""),
            ("{\"symbols\": \"AAPL\"}", 422, "\"field\":\"symbols\""),
            (
                "{\"symbols\": [\"A\"], \"sede\": 1}",
                422,
                "\"field\":\"sede\"",
            ),
            (
                "{\"symbols\": [\"A\"], \"target\": \"profit\"}",
                422,
                "profit",
            ),
            (
                "{\"symbols\": [\"A\"], \"start\": \"soon\"}",
                422,
                "start: ",
            ),
            (
                "{\"symbols\": [\"A\"], \"seed\": -1}",
                422,
                "\"field\":\"seed\"",
            ),
        ] {
            let (found, text) = refused(body).await;
            assert_eq!(found, status, "{body}: {text}");
            assert!(text.contains(words), "{body}: {text}");
        }
        // Neither deep nesting nor another shape gets further than here.
        let deep = format!("{{\"symbols\": {}", "[".repeat(100_000));
        assert!((400..500).contains(&refused(&deep).await.0));
    }
}
