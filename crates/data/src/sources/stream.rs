//! Polygon's stream of minute bars: <https://polygon.io/docs/websocket/stocks/aggregates-per-minute>.
//!
//! After the greeting the key is sent (`auth`), then the list of symbols (`subscribe`), and bars
//! come as messages of kind `AM`, one at the end of each minute in which something was traded. A
//! line that breaks is opened again after a pause that doubles up to a minute.

use super::client::{Call, Limits, Progress, Step, is_loopback};
use super::error::{Cause, SourceError};
use super::key::Key;
use super::polygon::CARD;
use super::tls;
use chrono::{DateTime, Utc};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The vendor's own address.
pub const URL: &str = "wss://socket.polygon.io/stocks";

/// A line that is silent for so long is asked whether it lives; twice as long, and it is dead.
const QUIET: Duration = Duration::from_secs(30);

/// A minute bar as it happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinuteBar {
    /// Symbol.
    pub symbol: String,
    /// When the minute began.
    pub at: DateTime<Utc>,
    /// Open.
    pub open: f64,
    /// High.
    pub high: f64,
    /// Low.
    pub low: f64,
    /// Close.
    pub close: f64,
    /// Shares traded.
    pub volume: f64,
}

/// The stream; one line at a time is opened by each call of [`Stream::minutes`].
pub struct Stream {
    url: Url,
    key: Option<Key>,
    limits: Limits,
}

/// A message: a status or a bar.
#[derive(Deserialize)]
struct Event {
    ev: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    sym: String,
    #[serde(default)]
    s: i64,
    o: Option<f64>,
    h: Option<f64>,
    l: Option<f64>,
    c: Option<f64>,
    v: Option<f64>,
}

/// TCP with TLS or without.
trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

type Socket = WebSocketStream<Pin<Box<dyn Line>>>;

impl Stream {
    pub(super) fn new(
        url: Option<String>,
        key: Option<Key>,
        limits: Limits,
    ) -> Result<Self, String> {
        let text = url.unwrap_or_else(|| URL.to_owned());
        let refuse = || {
            "polygon: the address of the stream cannot be used; give one that begins with wss://, or ws:// for this machine".to_owned()
        };
        let url = Url::parse(&text).map_err(|_| refuse())?;
        let fine = match (url.scheme(), url.host_str()) {
            ("wss", Some(_)) => true,
            ("ws", Some(host)) => is_loopback(host),
            _ => false,
        };
        if fine {
            Ok(Self { url, key, limits })
        } else {
            Err(refuse())
        }
    }

    /// Sends minute bars of these symbols until the call is cancelled or nobody takes them.
    ///
    /// # Errors
    /// [`SourceError`] without a key, when the vendor refuses, or when no line could be opened in
    /// [`Limits::tries`] tries in a row.
    pub async fn minutes(
        &self,
        symbols: &[String],
        call: &Call,
        to: Sender<MinuteBar>,
    ) -> Result<(), SourceError> {
        let subject = format!("the minute bars of {}", symbols.join(", "));
        let fail = |cause| SourceError {
            source_id: CARD.id,
            subject: subject.clone(),
            cause,
        };
        let Some(key) = &self.key else {
            let variable = CARD.key_variable;
            return Err(fail(Cause::NoKey { variable }));
        };
        let mut failures = 0_u32;
        loop {
            let listened = tokio::select! {
                biased;
                () = call.cancel.cancelled() => return Ok(()),
                listened = self.listen(key, symbols, &to, &mut failures) => listened,
            };
            let cause = match listened {
                Ok(()) => return Ok(()),
                Err(cause) => cause,
            };
            failures += 1;
            if !cause.is_outage() || failures >= self.limits.tries {
                return Err(fail(cause));
            }
            let pause = self
                .limits
                .pause
                .saturating_mul(1 << failures.min(16))
                .min(self.limits.longest_pause);
            (call.report)(Progress {
                source: CARD.id,
                subject: subject.clone(),
                step: Step::Retrying {
                    attempt: failures + 1,
                    pause,
                    cause: cause.to_string(),
                },
            });
            tokio::select! {
                () = call.cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One line, from the connection to its end; `Ok` when nobody takes the bars any more.
    async fn listen(
        &self,
        key: &Key,
        symbols: &[String],
        to: &Sender<MinuteBar>,
        failures: &mut u32,
    ) -> Result<(), Cause> {
        let mut socket = self.open().await?;
        self.expect(&mut socket, key, "connected").await?;
        let say = |action: &str, params: &str| {
            Message::text(serde_json::json!({ "action": action, "params": params }).to_string())
        };
        let cut = |e: tokio_tungstenite::tungstenite::Error| Cause::CutOff {
            reason: key.scrub(&e.to_string()),
            tries: 1,
        };
        socket.send(say("auth", key.expose())).await.map_err(cut)?;
        self.expect(&mut socket, key, "auth_success").await?;
        let wanted: Vec<String> = symbols.iter().map(|s| format!("AM.{s}")).collect();
        socket
            .send(say("subscribe", &wanted.join(",")))
            .await
            .map_err(cut)?;
        *failures = 0;
        let mut asked = false;
        loop {
            let Ok(message) = tokio::time::timeout(QUIET, socket.next()).await else {
                if asked {
                    return Err(Cause::TimedOut {
                        after: QUIET * 2,
                        tries: 1,
                    });
                }
                asked = true;
                socket
                    .send(Message::Ping(Vec::new().into()))
                    .await
                    .map_err(cut)?;
                continue;
            };
            asked = false;
            let message = message.ok_or_else(ended)?.map_err(cut)?;
            for event in events(&message, key)? {
                if event.ev == "status" && event.status == "error" {
                    let said = key.scrub(&event.message);
                    return Err(Cause::Refused { said });
                }
                if let Some(bar) = bar(event)
                    && to.send(bar).await.is_err()
                {
                    return Ok(());
                }
            }
        }
    }

    async fn open(&self) -> Result<Socket, Cause> {
        let unreachable = |reason: String| Cause::Unreachable { reason };
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let port = self.url.port_or_known_default().unwrap_or(443);
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let connect = TcpStream::connect((bare.as_str(), port));
        let tcp = tokio::time::timeout(self.limits.connect, connect)
            .await
            .map_err(|_| Cause::TimedOut {
                after: self.limits.connect,
                tries: 1,
            })?
            .map_err(|e| unreachable(e.to_string()))?;
        let line: Pin<Box<dyn Line>> = if self.url.scheme() == "wss" {
            let config = tls::config(true).map_err(unreachable)?;
            let name = ServerName::try_from(bare).map_err(|e| unreachable(e.to_string()))?;
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            let tls = connector.connect(name, tcp).await;
            Box::pin(tls.map_err(|e| unreachable(e.to_string()))?)
        } else {
            Box::pin(tcp)
        };
        let (socket, _) = tokio_tungstenite::client_async(self.url.as_str(), line)
            .await
            .map_err(|e| unreachable(e.to_string()))?;
        Ok(socket)
    }

    /// Waits for a status.
    async fn expect(&self, socket: &mut Socket, key: &Key, wanted: &str) -> Result<(), Cause> {
        let wait = async {
            loop {
                let message = socket.next().await.ok_or_else(ended)?;
                let message = message.map_err(|e| Cause::CutOff {
                    reason: key.scrub(&e.to_string()),
                    tries: 1,
                })?;
                for event in events(&message, key)? {
                    if event.status == wanted {
                        return Ok(());
                    }
                    if event.status.ends_with("failed") || event.status == "error" {
                        let said = key.scrub(&event.message);
                        return Err(Cause::Refused { said });
                    }
                }
            }
        };
        tokio::time::timeout(self.limits.read, wait)
            .await
            .unwrap_or(Err(Cause::TimedOut {
                after: self.limits.read,
                tries: 1,
            }))
    }
}

fn ended() -> Cause {
    Cause::CutOff {
        reason: "the other side hung up".to_owned(),
        tries: 1,
    }
}

/// The events of a message; none in pings and the like.
fn events(message: &Message, key: &Key) -> Result<Vec<Event>, Cause> {
    match message {
        Message::Text(text) => serde_json::from_str(text).map_err(|e| Cause::Unreadable {
            reason: key.scrub(&format!("a message is not of the documented shape ({e})")),
        }),
        Message::Close(_) => Err(ended()),
        _ => Ok(Vec::new()),
    }
}

/// A bar, when the event is one and whole.
fn bar(event: Event) -> Option<MinuteBar> {
    if event.ev != "AM" {
        return None;
    }
    Some(MinuteBar {
        at: DateTime::from_timestamp_millis(event.s)?,
        symbol: event.sym,
        open: event.o?,
        high: event.h?,
        low: event.l?,
        close: event.c?,
        volume: event.v?,
    })
}
