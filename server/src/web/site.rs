//! Files of the site: scripts, WebAssembly, styles, icons. From a folder when one is named, else
//! from the program itself.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file inside the program.
struct Embedded {
    path: &'static str,
    bytes: &'static [u8],
    br: Option<&'static [u8]>,
    gz: Option<&'static [u8]>,
}

/// Every file inside the program, by path.
static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// The site.
pub struct Site {
    folder: Option<PathBuf>,
    has_script: bool,
}

/// The script that starts the WebAssembly.
const SCRIPT: &str = "/pkg/mltrainer.js";

/// The WebAssembly.
const WASM: &str = "/pkg/mltrainer.wasm";

/// What pages get in a program without scripts: a module that never becomes ready, so that they
/// stay as the server rendered them and the browser has nothing to complain of.
const NO_SCRIPT: &str = "export default () => new Promise(() => {});\n";

/// The smallest WebAssembly module: the page fetches it before the script is there.
const NO_WASM: &[u8] = b"\0asm\x01\0\0\0";

impl Site {
    /// The files inside the program.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            folder: None,
            has_script: EMBEDDED.iter().any(|f| f.path == SCRIPT),
        }
    }

    /// The files of a folder, before those inside the program.
    ///
    /// # Errors
    /// One sentence when there is no built site in the folder.
    pub fn folder(folder: &Path) -> Result<Self, String> {
        if !folder.join("pkg").is_dir() {
            return Err(
                "there is no built site (no folder pkg): run `cargo xtask serve`".to_owned(),
            );
        }
        Ok(Self {
            folder: Some(folder.to_owned()),
            has_script: folder.join(&SCRIPT[1..]).is_file(),
        })
    }

    /// Whether pages can be brought to life in the browser.
    #[must_use]
    pub fn has_script(&self) -> bool {
        self.has_script
    }

    /// The answer for a path, if there is such a file.
    pub(crate) async fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        // Names of ours are plain; what is not is not looked for on the disk.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if !path.chars().all(plain) || path.split('/').any(|part| part.starts_with('.')) {
            return None;
        }
        let accepts = |coding: &str| {
            headers
                .get(header::ACCEPT_ENCODING)
                .and_then(|v| v.to_str().ok())
                .is_some_and(|v| {
                    v.split(',')
                        .any(|c| c.split(';').next().unwrap_or("").trim() == coding)
                })
        };
        let (br, gz) = (accepts("br"), accepts("gzip"));
        // Leptos asks for the WebAssembly under one of two names, depending on how it was compiled.
        let other = path
            .strip_suffix("_bg.wasm")
            .map(|head| format!("{head}.wasm"))
            .or_else(|| {
                path.strip_suffix(".wasm")
                    .map(|head| format!("{head}_bg.wasm"))
            });
        for path in [Some(path.to_owned()), other].into_iter().flatten() {
            let found = match &self.folder {
                Some(folder) => from_folder(folder, &path, br, gz).await,
                None => None,
            };
            let found = found.or_else(|| from_program(&path, br, gz));
            if let Some((bytes, coding, tag)) = found {
                return Some(file(&path, bytes, coding, &tag, headers));
            }
        }
        let nothing: Body = match path {
            SCRIPT if !self.has_script => NO_SCRIPT.into(),
            WASM if !self.has_script => NO_WASM.into(),
            _ => return None,
        };
        Some(file(path, nothing, None, "none", headers))
    }
}

/// Content, how it is compressed, and a tag that changes with it.
type Found = (Body, Option<&'static str>, String);

async fn from_folder(folder: &Path, path: &str, br: bool, gz: bool) -> Option<Found> {
    let name = path.trim_start_matches('/');
    let codings = [
        (br, ".br", Some("br")),
        (gz, ".gz", Some("gzip")),
        (true, "", None),
    ];
    for (wanted, ending, coding) in codings {
        if !wanted {
            continue;
        }
        let file = folder.join(format!("{name}{ending}"));
        let Ok(meta) = tokio::fs::metadata(&file).await else {
            continue;
        };
        if !meta.is_file() {
            continue;
        }
        let bytes = tokio::fs::read(&file).await.ok()?;
        let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let tag = format!("{:x}-{:x}", modified.as_nanos(), bytes.len());
        return Some((bytes.into(), coding, tag));
    }
    None
}

fn from_program(path: &str, br: bool, gz: bool) -> Option<Found> {
    let file = EMBEDDED.iter().find(|f| f.path == path)?;
    let (bytes, coding) = match (file.br, file.gz) {
        (Some(bytes), _) if br => (bytes, Some("br")),
        (_, Some(bytes)) if gz => (bytes, Some("gzip")),
        _ => (file.bytes, None),
    };
    // One program, one content: the build is the tag.
    let tag = format!("{}-{:x}", env!("MLTRAINER_BUILD"), bytes.len());
    Some((bytes.into(), coding, tag))
}

fn file(
    path: &str,
    bytes: Body,
    coding: Option<&'static str>,
    tag: &str,
    headers: &HeaderMap,
) -> Response {
    let tag = format!("\"{tag}{}\"", coding.unwrap_or_default());
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| {
            v.split(',')
                .any(|t| t.trim().trim_start_matches("W/") == tag)
        });
    let mut response = Response::new(if known { Body::empty() } else { bytes });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let to = response.headers_mut();
    to.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    // Names stay the same from build to build, so the browser asks each time; the tag makes the
    // answer empty when nothing changed.
    to.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    to.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        to.insert(header::ETAG, tag);
    }
    if let (Some(coding), false) = (coding, known) {
        to.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        "html" => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(coding))])
    }

    #[tokio::test]
    async fn a_folder_wins_and_the_program_fills_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pkg")).unwrap();
        std::fs::write(folder.path().join("pkg/mltrainer.js"), "plain").unwrap();
        std::fs::write(folder.path().join("pkg/mltrainer.js.br"), "small").unwrap();
        std::fs::write(folder.path().join("pkg/mltrainer.wasm"), "wasm").unwrap();
        let site = Site::folder(folder.path()).unwrap();
        assert!(site.has_script());
        let plain = site.answer(SCRIPT, &HeaderMap::new()).await.unwrap();
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        let small = site.answer(SCRIPT, &accepting("gzip, br")).await.unwrap();
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "br");
        let mut again = accepting("br");
        again.insert(header::IF_NONE_MATCH, small.headers()[header::ETAG].clone());
        let nothing = site.answer(SCRIPT, &again).await.unwrap();
        assert_eq!(nothing.status(), StatusCode::NOT_MODIFIED);
        let other_name = site
            .answer("/pkg/mltrainer_bg.wasm", &HeaderMap::new())
            .await;
        assert_eq!(
            other_name.unwrap().headers()[header::CONTENT_TYPE],
            "application/wasm"
        );
        assert!(
            site.answer("/pkg/mltrainer.css", &HeaderMap::new())
                .await
                .is_some()
        );
    }

    #[tokio::test]
    async fn no_path_leads_out() {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(outer.path().join("site/pkg")).unwrap();
        std::fs::write(outer.path().join("secret.txt"), "x").unwrap();
        let site = Site::folder(&outer.path().join("site")).unwrap();
        for path in [
            "/../secret.txt",
            "/pkg/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/.hidden",
            "/pkg",
        ] {
            assert!(
                site.answer(path, &HeaderMap::new()).await.is_none(),
                "{path}"
            );
        }
    }
}
