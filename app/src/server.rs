//! Behind the server functions: who asks, the use cases, and errors as pages show them.

use crate::Actor;
use crate::error::PageError;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use mltrainer_services::{ServiceError, Services};

fn header_text(name: HeaderName) -> Option<String> {
    let parts = use_context::<Parts>()?;
    Some(parts.headers.get(name)?.to_str().ok()?.to_owned())
}

/// The use cases, for reading: everyone who reaches the program may read.
pub(crate) fn reader() -> Result<Services, PageError> {
    use_context::<Services>().ok_or_else(|| {
        PageError::new(
            500,
            "A fault of the program",
            "The program met a fault of its own; its log says more.",
        )
    })
}

/// The use cases, for writing, and who writes. That the request comes from a page of ours and
/// carries the token, where one is set, the server has checked before: every path under `/api`
/// passes its guard.
pub(crate) fn writer() -> Result<(Services, Actor), PageError> {
    let actor = use_context::<Actor>().unwrap_or(Actor("user"));
    Ok((reader()?, actor))
}

/// The page's answer carries this status.
pub(crate) fn set_status(status: u16) {
    if let (Some(response), Ok(status)) = (
        use_context::<ResponseOptions>(),
        StatusCode::from_u16(status),
    ) {
        response.set_status(status);
    }
}

/// An error of the services as a page shows it; the answer gets its status.
pub(crate) fn refuse(error: &ServiceError) -> PageError {
    let problem = error.problem();
    set_status(problem.status);
    PageError {
        status: problem.status,
        title: problem.title,
        detail: problem.detail,
        field: problem.field,
        suggestions: problem.suggestions,
        request_id: problem
            .request_id
            .or_else(|| header_text(HeaderName::from_static("x-request-id"))),
    }
}

/// Whether a form was sent by the browser itself, without script: it then wants a page, not data.
pub(crate) fn plain_form() -> bool {
    header_text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

/// The theme that the cookie asks for, for the first byte of the page.
pub(crate) fn theme() -> Option<&'static str> {
    let cookies = header_text(header::COOKIE)?;
    crate::islands::theme::from_cookies(&cookies)
}
