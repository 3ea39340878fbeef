//! What a page says when something did not work: what happened and what to do, never the inside
//! of the program.

use serde::{Deserialize, Serialize};
#[cfg(feature = "ssr")]
use server_fn::codec::JsonEncoding;
#[cfg(feature = "ssr")]
use server_fn::error::{FromServerFnError, ServerFnErrorErr};

/// An error as pages show it. A problem document reads as one too: what stands around the pages
/// (a missing token, a body that is too large) answers with those.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageError {
    /// HTTP status; 0 when the server could not be reached.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What, where and what to do, in a sentence.
    pub detail: String,
    /// Field that is wrong, where one is.
    pub field: Option<String>,
    /// Nearest names, for an unknown one.
    pub suggestions: Vec<String>,
    /// Id of the request, to quote in a report.
    pub request_id: Option<String>,
}

impl PageError {
    /// An error without field and suggestions.
    #[must_use]
    pub fn new(status: u16, title: &str, detail: &str) -> Self {
        Self {
            status,
            title: title.to_owned(),
            detail: detail.to_owned(),
            field: None,
            suggestions: Vec::new(),
            request_id: None,
        }
    }

    /// An error of one field of a form.
    #[must_use]
    pub fn field(field: &str, detail: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(422, "A value cannot be used", detail)
        }
    }

    /// The text of a field of a form as what it stands for; `None` where nothing was typed.
    ///
    /// # Errors
    /// An error of the field, when the text is not `kind`.
    pub fn parse<T: std::str::FromStr>(
        field: &str,
        text: &str,
        kind: &str,
    ) -> Result<Option<T>, Self> {
        match text.trim() {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Self::field(field, &format!("\"{text}\" is not {kind}"))),
        }
    }

    /// The server could not be reached.
    #[must_use]
    pub fn unreachable() -> Self {
        Self::new(
            0,
            "The server does not answer",
            "The page could not reach the program.",
        )
    }

    /// The answer was no answer of ours.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::new(
            500,
            "The answer could not be read",
            "The page and the program may be of different versions: load the page again.",
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.status {
            0 => "Check the connection and that the program is running, then try again.",
            404 => "Check the address, or go on from one of the lists.",
            409 => "Load the page again to see how things stand.",
            422 | 400 => "Change the value and try again.",
            401 => "Sign in at /login and try again.",
            403 => "Open the page from the program's own address and try again.",
            503 => "Wait a moment and try again.",
            _ => "Try again; if it stays, look into the program's log.",
        }
    }

    /// The message for this field, when it is the field's fault. A list's members belong to the list:
    /// `models[2].alpha` is said at `models`.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<&str> {
        let field = self.field.as_deref()?;
        let head = field.split(['[', '.']).next().unwrap_or(field);
        let tail = field.rsplit('.').next().unwrap_or(field);
        (field == name || head == name || tail == name).then_some(self.detail.as_str())
    }
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl std::error::Error for PageError {}

#[cfg(feature = "ssr")]
impl FromServerFnError for PageError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::unreachable(),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Self::new(
                400,
                "The form could not be read",
                "A field is missing or has a value of another kind.",
            ),
            ServerFnErrorErr::Deserialization(_) => Self::unreadable(),
            _ => Self::new(
                500,
                "A fault of the program",
                "The program met a fault of its own; its log says more.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framework_errors_never_show_their_inside() {
        for error in [
            ServerFnErrorErr::Request("tcp 10.0.0.1".into()),
            ServerFnErrorErr::Args("missing field `x` at line 3".into()),
            ServerFnErrorErr::ServerError("no such table: trials".into()),
            ServerFnErrorErr::Deserialization("expected value".into()),
        ] {
            let shown = PageError::from_server_fn_error(error).to_string();
            for inside in ["10.0.0.1", "line 3", "table", "expected"] {
                assert!(!shown.contains(inside), "{shown}");
            }
        }
    }

    #[test]
    fn problem_documents_read_as_errors() {
        let text = r#"{"type":"/problems/token-needed","title":"Refused","status":401,"detail":"sign in at /login"}"#;
        let e: PageError = serde_json::from_str(text).unwrap();
        assert_eq!((e.status, e.title.as_str()), (401, "Refused"));
        assert!(e.advice().contains("/login"));
    }

    #[test]
    fn errors_find_their_field() {
        let e = |field: &str| PageError::field(field, "too large");
        for (error, name, expected) in [
            (e("symbols"), "symbols", true),
            (e("symbols[1]"), "symbols", true),
            (e("validation.folds"), "folds", true),
            (e("models[0].params.alpha"), "models", true),
            (e("costs.bps"), "bps", true),
            (e("end"), "start", false),
            (PageError::new(503, "", ""), "symbols", false),
        ] {
            assert_eq!(
                error.at(name).is_some(),
                expected,
                "{:?} {name}",
                error.field
            );
        }
    }
}
