//! A server process of a test: started on a free port, stopped when it is dropped.

use crate::Events;
use mltrainer_types::Page;
use mltrainer_types::data::Bar;
use mltrainer_types::trial::{TrialCreated, TrialSummary, TrialView};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How a server is started.
pub struct Launch {
    data_dir: PathBuf,
    own: Option<TempDir>,
    addr: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    shell: Option<String>,
}

impl Launch {
    /// With an empty data folder of its own.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn fresh() -> Self {
        let own = TempDir::new().expect("a temporary folder");
        Self {
            data_dir: own.path().join("data"),
            own: Some(own),
            ..Self::on(Path::new(""))
        }
    }

    /// On a data folder that is there.
    #[must_use]
    pub fn on(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            own: None,
            addr: "127.0.0.1:0".into(),
            args: Vec::new(),
            env: Vec::new(),
            shell: None,
        }
    }

    /// At a given address instead of a free port.
    #[must_use]
    pub fn at(mut self, addr: impl Into<String>) -> Self {
        self.addr = addr.into();
        self
    }

    /// With an argument more after `serve`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With so many worker threads.
    #[must_use]
    pub fn threads(self, n: u32) -> Self {
        self.env("MLTRAINER_THREADS", n.to_string())
    }

    /// Through a shell line that ends with `exec "$@"`: for limits of the system.
    #[must_use]
    pub fn shell(mut self, line: &str) -> Self {
        self.shell = Some(line.into());
        self
    }

    /// Starts it and waits until `GET /api/health` answers 200.
    ///
    /// # Panics
    /// When it does not come up: with what it said.
    pub async fn start(self) -> Server {
        match self.try_start().await {
            Ok(server) => server,
            Err((code, log)) => {
                panic!("the server ended with code {code} instead of starting:\n{log}")
            }
        }
    }

    /// Starts it; when the process ends instead, its exit code and what it said.
    ///
    /// # Errors
    /// Exit code and log of a process that ended.
    ///
    /// # Panics
    /// When the program is not there or listens without being healthy.
    pub async fn try_start(self) -> Result<Server, (i32, String)> {
        let mut command = match &self.shell {
            None => crate::program(crate::binary()),
            Some(line) => {
                let mut shell = crate::program("sh");
                shell.args(["-c", line, "sh"]).arg(crate::binary());
                shell
            }
        };
        command
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(["serve", "--addr", &self.addr])
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, mut lines) = unbounded_channel();
        if let Some(out) = child.stdout.take() {
            listen(out, &log, sender.clone());
        }
        if let Some(err) = child.stderr.take() {
            listen(err, &log, sender);
        }
        // The line in which it says where it listens; the channel closes when the process ends.
        let base = loop {
            match lines.recv().await {
                Some(line) => {
                    if let Some(base) = address(&line) {
                        break base;
                    }
                }
                None => {
                    let code = child.wait().ok().and_then(|s| s.code()).unwrap_or(-1);
                    return Err((code, text(&log)));
                }
            }
        };
        let server = Server {
            base,
            data_dir: self.data_dir,
            http: crate::http()
                .pool_max_idle_per_host(0)
                .build()
                .expect("a client"),
            child,
            log,
            _own: self.own,
        };
        let health = server.get("/api/health").await;
        assert_eq!(
            health.status(),
            StatusCode::OK,
            "listening but not healthy:\n{}",
            server.log()
        );
        Ok(server)
    }
}

/// Copies what the process says into the log and hands on each line.
fn listen(from: impl Read + Send + 'static, log: &Arc<Mutex<String>>, to: UnboundedSender<String>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Ok(mut all) = log.lock() {
                all.push_str(&line);
                all.push('\n');
            }
            let _ = to.send(line);
        }
    });
}

fn text(log: &Mutex<String>) -> String {
    log.lock().map(|all| all.clone()).unwrap_or_default()
}

/// `http://127.0.0.1:PORT` out of a line.
fn address(line: &str) -> Option<String> {
    let at = line.find("http://127.0.0.1:")?;
    let rest = &line[at + "http://127.0.0.1:".len()..];
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (port != "0" && !port.is_empty()).then(|| format!("http://127.0.0.1:{port}"))
}

/// A running server. Dropping it kills the process and removes a data folder of its own.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// A client that opens a connection for each request.
    pub http: Client,
    child: Child,
    log: Arc<Mutex<String>>,
    _own: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A server with an empty data folder of its own.
    pub async fn fresh() -> Self {
        Launch::fresh().start().await
    }

    /// What the process has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        text(&self.log)
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `host:port`.
    #[must_use]
    pub fn addr(&self) -> String {
        self.base.trim_start_matches("http://").to_owned()
    }

    /// Ends the process with SIGKILL, in the middle of whatever it does.
    pub fn kill(self) {
        drop(self);
    }

    /// Asks the process to stop (SIGTERM), waits, and gives its exit code and what it said.
    ///
    /// # Panics
    /// When there is no `kill` on this machine.
    #[must_use]
    pub fn stop(mut self) -> (Option<i32>, String) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("there is a `kill`");
        assert!(sent.success(), "the signal was sent");
        let status = self.child.wait().expect("the process ends");
        (status.code(), self.log())
    }

    /// A request to a path.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// `GET path`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .unwrap_or_else(|e| panic!("GET {path}: {e}\n{}", self.log()))
    }

    /// `GET path`, which must answer 200 with JSON.
    ///
    /// # Panics
    /// When it does not.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        let status = response.status();
        let kind = content_type(&response);
        let body = response.text().await.expect("a body");
        assert_eq!(status, StatusCode::OK, "GET {path}: {body}");
        assert_eq!(kind, "application/json", "GET {path}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("GET {path}: {e}: {body}"))
    }

    /// `POST path` with a JSON body.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .json(body)
            .send()
            .await
            .unwrap_or_else(|e| panic!("POST {path}: {e}\n{}", self.log()))
    }

    /// Makes a trial and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn create_trial(&self, body: &Value) -> String {
        let response = self.post("/api/v1/trials", body).await;
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let made: TrialCreated = serde_json::from_str(&text).expect("an id and a state");
        made.id.0
    }

    /// A trial as it stands.
    ///
    /// # Panics
    /// When there is none of that id.
    pub async fn trial(&self, id: &str) -> TrialView {
        serde_json::from_value(self.json(&format!("/api/v1/trials/{id}")).await)
            .expect("a trial of the contract's shape")
    }

    /// Ids of all trials, over all pages of the list.
    ///
    /// # Panics
    /// When a page has another shape.
    pub async fn all_trials(&self) -> Vec<String> {
        let (mut ids, mut path) = (Vec::new(), "/api/v1/trials".to_owned());
        loop {
            let page: Page<TrialSummary> =
                serde_json::from_value(self.json(&path).await).expect("a page of trials");
            ids.extend(page.items.into_iter().map(|t| t.id.0));
            match page.next {
                Some(next) => path = format!("/api/v1/trials?cursor={next}"),
                None => return ids,
            }
        }
    }

    /// Opens the event stream of a trial behind event number `after`.
    ///
    /// # Panics
    /// When it is not an event stream.
    pub async fn events(&self, id: &str, after: i64) -> Events {
        let response = self
            .get(&format!("/api/v1/trials/{id}/events?after={after}"))
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(content_type(&response), "text/event-stream");
        Events::new(response)
    }

    /// Waits for the end of a trial (its stream closes) and gives it.
    pub async fn finished(&self, id: &str) -> TrialView {
        let _ = self.events(id, 0).await.rest().await;
        self.trial(id).await
    }

    /// Bars of a data set from the first day to the last.
    ///
    /// # Panics
    /// When there is no such data set.
    pub async fn bars(&self, dataset: &str, start: &str, end: &str) -> Vec<Bar> {
        let bars = self
            .json(&format!(
                "/api/v1/datasets/{dataset}/bars?start={start}&end={end}"
            ))
            .await;
        serde_json::from_value(bars).expect("bars")
    }
}

/// The media type of a response, without parameters.
///
/// # Panics
/// When it names none.
#[must_use]
pub fn content_type(response: &Response) -> String {
    response
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .expect("a content type")
        .trim()
        .to_owned()
}

/// An event of a stream as the wire type that the types crate states.
///
/// # Panics
/// When it has another shape.
#[must_use]
pub fn typed(event: &crate::Event) -> mltrainer_types::event::EventBody {
    let whole = serde_json::json!({"event": event.name, "data": event.data});
    serde_json::from_value(whole).unwrap_or_else(|e| {
        panic!(
            "event {} is not of the stated shape ({e}): {}",
            event.id, event.data
        )
    })
}
