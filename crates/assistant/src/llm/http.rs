//! What both wire formats share: one HTTP client a model, with time-outs, retries, bounds on what is
//! read, cancellation, and no key in any text.
//!
//! A request is sent again only while nothing of the answer has come: after a refused connection, a
//! status of 429, 500 and above (529 included), a connection that is hung up before the first event,
//! or an error event before it, at most [`Limits::tries`] times, after a pause that doubles, spread
//! at random from a seed, or as long as `Retry-After` says. Silence is not answered with another
//! request: the vendor may have counted the first. Redirects are not followed: a key goes to the
//! configured host only.

use super::conversation::{Answer, AnswerEvent, Block, Call, Failure, Request};
use super::error::LlmError;
use super::estimate;
use super::key::Key;
use super::sse::{Beyond, Events};
use super::tls;
use chrono::DateTime;
use mltrainer_compliance::redact;
use mltrainer_types::llm::{StopReason, TokenUsage};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Response, StatusCode, Url};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Bounds on requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Longest time until a connection stands.
    pub connect: Duration,
    /// Longest silence while an answer is awaited or read.
    pub read: Duration,
    /// Longest time of one try, from the request to the end of the answer.
    pub whole: Duration,
    /// Tries of one request.
    pub tries: u32,
    /// The first pause before another try; each further one is twice as long.
    pub pause: Duration,
    /// No pause is longer; a vendor that asks for more is not asked again.
    pub longest_pause: Duration,
    /// Most bytes of a prompt.
    pub prompt_bytes: usize,
    /// Most bytes of one event.
    pub event_bytes: usize,
    /// Most bytes of one answer, pings included.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(180),
            whole: Duration::from_secs(900),
            tries: 4,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            prompt_bytes: 8 << 20,
            event_bytes: 1 << 20,
            answer_bytes: 16 << 20,
        }
    }
}

/// After its stop reason an answer may still bring its usage; nothing waits longer for it.
const AFTERGLOW: Duration = Duration::from_secs(5);

/// How a vendor's own failure is to be read.
pub(super) enum Vendor {
    /// Too many requests.
    RateLimited,
    /// No room.
    Overloaded,
    /// A fault of its own.
    Fault,
    /// The key is refused.
    RefusedKey,
    /// The request is refused.
    Rejected,
    /// The prompt is too long.
    TooLarge,
}

/// What is wrong with an event.
pub(super) enum Wrong {
    /// It is not of the documented shape.
    Garbled(String),
    /// It tells of a failure.
    Vendor(Vendor, String),
}

/// A decoder of one answer.
pub(super) trait Decode: Send {
    /// Takes the data of one event and tells what is new.
    fn event(&mut self, data: &str, tell: &mut dyn FnMut(AnswerEvent)) -> Result<(), Wrong>;
    /// Whether the answer has begun.
    fn begun(&self) -> bool;
    /// Whether nothing comes any more.
    fn ended(&self) -> bool;
    /// Whether the reason of its end has come: it is whole.
    fn whole(&self) -> bool;
    /// Tokens as told so far.
    fn usage(&self) -> Option<TokenUsage>;
    /// Our estimate of the tokens produced so far; `None` when some are hidden from us.
    fn produced(&self) -> Option<u64>;
    /// The words so far.
    fn text(&self) -> String;
    /// The parts, the reason of the end, the model and the id; the calls of tools checked.
    fn finish(self: Box<Self>) -> Result<Decoded, String>;
}

/// A whole answer without what the transport adds.
pub(super) struct Decoded {
    pub(super) blocks: Vec<Block>,
    pub(super) stop: StopReason,
    pub(super) answered_by: Option<String>,
    pub(super) vendor_id: Option<String>,
}

/// How far a try got, as to what the vendor may count.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// It was not accepted.
    Nowhere,
    /// It was sent, and nothing is known.
    Sent,
}

/// A try that gave nothing, and whether another may.
struct Failed {
    error: LlmError,
    again: Again,
}

#[derive(Clone, Copy)]
enum Again {
    No,
    Soon,
    After(Duration),
}

fn lasting(error: LlmError) -> Failed {
    Failed {
        error,
        again: Again::No,
    }
}

/// The connection to one model's server.
pub(super) struct Transport {
    url: Url,
    who: String,
    key: Option<Key>,
    headers: HeaderMap,
    limits: Limits,
    jitter: Mutex<Xoshiro256PlusPlus>,
    http: OnceLock<Result<reqwest::Client, String>>,
}

/// Where requests go, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The whole address.
    pub(super) url: Url,
    /// Host and port, for people.
    pub(super) host: String,
}

impl Place {
    /// `path` (for example `v1/messages`) below the base; a base that already ends with its first
    /// part is not doubled.
    ///
    /// # Errors
    /// One sentence when the address cannot be used.
    pub(super) fn new(base: &str, path: &[&str], plain_http: bool) -> Result<Self, LlmError> {
        let refuse = |why: &str| LlmError::NotConfigured {
            what: format!(
                "the address {} cannot be used: {why}",
                redact(base.split(['?', '#']).next().unwrap_or_default())
            ),
        };
        let mut url = Url::parse(base.trim().trim_end_matches('/'))
            .map_err(|_| refuse("give one that begins with https://"))?;
        let Some(host) = url.host_str().map(str::to_owned) else {
            return Err(refuse("it names no host"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("give the key apart, not in the address"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("leave away what follows ? or #"));
        }
        match url.scheme() {
            "https" => {}
            "http" if plain_http || is_loopback(&host) => {}
            "http" => {
                return Err(refuse(
                    "prompts and key would travel unencrypted to another machine; use https://, or allow plain HTTP for it",
                ));
            }
            _ => return Err(refuse("give one that begins with https://")),
        }
        let tail = url
            .path()
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .map(str::to_owned);
        let skip = usize::from(path.len() > 1 && tail.as_deref() == path.first().copied());
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&path[skip..]);
        }
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        Ok(Self { url, host })
    }
}

fn is_loopback(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    plain == "localhost"
        || plain
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl Transport {
    /// A client; nothing is sent or opened yet. `auth` names the header of the key and what stands
    /// before the key in it.
    ///
    /// # Errors
    /// [`LlmError::NotConfigured`] when the key holds signs that no key has.
    pub(super) fn new(
        place: Place,
        key: Option<Key>,
        auth: (&'static str, &str),
        more: &[(&'static str, HeaderValue)],
        limits: Limits,
        seed: u64,
    ) -> Result<Self, LlmError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in more {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
        if let Some(key) = &key {
            let mut value =
                HeaderValue::from_str(&format!("{}{}", auth.1, key.expose())).map_err(|_| {
                    LlmError::NotConfigured {
                        what: format!(
                            "the key for {} holds signs that no key has; set it again",
                            place.host
                        ),
                    }
                })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(auth.0), value);
        }
        Ok(Self {
            url: place.url,
            who: place.host,
            key,
            headers,
            limits,
            jitter: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            http: OnceLock::new(),
        })
    }

    fn scrub(&self, text: &str) -> String {
        match &self.key {
            Some(key) => key.scrub(text),
            None => redact(text),
        }
    }

    /// Sends the body and reads the answer, told as it comes.
    ///
    /// # Errors
    /// [`Failure`] with what it may have used.
    pub(super) async fn answer(
        &self,
        request: &Request,
        body: Vec<u8>,
        decoder: impl Fn() -> Box<dyn Decode>,
        call: &Call,
    ) -> Result<Answer, Failure> {
        if body.len() > self.limits.prompt_bytes {
            return Err(Failure::unsent(LlmError::TooLarge {
                who: self.who.clone(),
                what: "the prompt",
                limit: format!("{} bytes", self.limits.prompt_bytes),
            }));
        }
        let body = bytes::Bytes::from(body);
        let mut attempt = 1;
        loop {
            let mut decoder = decoder();
            let mut reach = Reach::Nowhere;
            let outcome = tokio::select! {
                biased;
                () = call.cancel.cancelled() => Err(lasting(LlmError::Cancelled)),
                outcome = tokio::time::timeout(
                    self.limits.whole,
                    self.once(&body, decoder.as_mut(), &mut reach, attempt, call),
                ) => outcome.unwrap_or_else(|_| Err(lasting(LlmError::TimedOut {
                    who: self.who.clone(),
                    after: self.limits.whole,
                }))),
            };
            let failed = match outcome {
                Ok(()) => {
                    return self.whole(request, decoder, attempt, call);
                }
                Err(failed) => failed,
            };
            let pause = match failed.again {
                Again::Soon if !decoder.begun() => Some(self.pause(attempt)),
                Again::After(wait) if !decoder.begun() && wait <= self.limits.longest_pause => {
                    Some(wait)
                }
                _ => None,
            };
            let (Some(pause), true) = (pause, attempt < self.limits.tries) else {
                return Err(Failure {
                    error: failed.error,
                    usage: spent(request, decoder.as_ref(), reach),
                    text: decoder.text(),
                    tries: attempt,
                });
            };
            attempt += 1;
            let cause = failed.error.to_string();
            tracing::debug!(who = self.who, attempt, cause, "asked again");
            (call.report)(AnswerEvent::Retrying {
                attempt,
                pause,
                cause,
            });
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => return Err(Failure {
                    tries: attempt - 1,
                    ..Failure::unsent(LlmError::Cancelled)
                }),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The end of an answer that came whole.
    fn whole(
        &self,
        request: &Request,
        decoder: Box<dyn Decode>,
        attempt: u32,
        call: &Call,
    ) -> Result<Answer, Failure> {
        let usage = decoder.usage().unwrap_or_else(|| TokenUsage {
            input: estimate::prompt_tokens(request),
            output: decoder.produced().unwrap_or(0),
            estimated: true,
            ..TokenUsage::default()
        });
        let text = decoder.text();
        let decoded = decoder.finish().map_err(|reason| Failure {
            error: LlmError::Garbled {
                who: self.who.clone(),
                reason: self.scrub(&reason),
            },
            usage,
            text,
            tries: attempt,
        })?;
        for block in &decoded.blocks {
            if let Block::ToolUse(tool) = block {
                (call.report)(AnswerEvent::ToolCall(tool.clone()));
            }
        }
        (call.report)(AnswerEvent::Usage(usage));
        (call.report)(AnswerEvent::Done(decoded.stop));
        Ok(Answer {
            blocks: decoded.blocks,
            stop: decoded.stop,
            usage,
            answered_by: decoded.answered_by,
            vendor_id: decoded.vendor_id,
            tries: attempt,
        })
    }

    /// The pause after try number `attempt`: doubled with each, and between half of it and the whole.
    fn pause(&self, attempt: u32) -> Duration {
        let whole = self
            .limits
            .pause
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.limits.longest_pause);
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        whole.mul_f64(jitter.gen_range(0.5..=1.0))
    }

    async fn once(
        &self,
        body: &bytes::Bytes,
        decoder: &mut dyn Decode,
        reach: &mut Reach,
        attempt: u32,
        call: &Call,
    ) -> Result<(), Failed> {
        let http = self.http().map_err(|reason| {
            lasting(LlmError::Unreachable {
                who: self.who.clone(),
                reason,
            })
        })?;
        *reach = Reach::Sent;
        let sent = http
            .post(self.url.clone())
            .headers(self.headers.clone())
            .body(body.clone())
            .send()
            .await;
        let mut response = match sent {
            Ok(response) => response,
            Err(e) => {
                if e.is_connect() {
                    *reach = Reach::Nowhere;
                }
                return Err(self.broken(e));
            }
        };
        if response.status() != StatusCode::OK {
            *reach = Reach::Nowhere;
            return Err(self.refused(response, attempt).await);
        }
        let kind = content_type(&response);
        if kind != "text/event-stream" {
            let words = words(&some_of(&mut response).await);
            return Err(lasting(self.garbled(&format!(
                "it is {} instead of a stream of events (\"{words}\")",
                if kind.is_empty() {
                    "of no named kind"
                } else {
                    &kind
                },
            ))));
        }
        let mut events = Events::new(self.limits.event_bytes, self.limits.answer_bytes);
        loop {
            let next = if decoder.whole() {
                match tokio::time::timeout(AFTERGLOW, response.chunk()).await {
                    Ok(Ok(next)) => next,
                    // It is whole, whatever becomes of the connection.
                    Ok(Err(_)) | Err(_) => None,
                }
            } else {
                response.chunk().await.map_err(|e| self.broken(e))?
            };
            let Some(chunk) = next else { break };
            events.push(chunk).map_err(|b| self.beyond(b))?;
            while let Some(event) = events.next() {
                let data = event.map_err(|b| self.beyond(b))?;
                decoder
                    .event(&data, &mut |e| (call.report)(e))
                    .map_err(|wrong| self.wrong(wrong, attempt))?;
                if decoder.ended() {
                    return Ok(());
                }
            }
        }
        if decoder.whole() {
            return Ok(());
        }
        Err(Failed {
            error: LlmError::Cut {
                who: self.who.clone(),
                reason: "the stream ended before the answer did".to_owned(),
            },
            again: Again::Soon,
        })
    }

    fn beyond(&self, beyond: Beyond) -> Failed {
        let (what, limit) = match beyond {
            Beyond::Event => ("an event in the answer", self.limits.event_bytes),
            Beyond::Answer => ("the answer", self.limits.answer_bytes),
        };
        lasting(LlmError::TooLarge {
            who: self.who.clone(),
            what,
            limit: format!("{limit} bytes"),
        })
    }

    fn garbled(&self, reason: &str) -> LlmError {
        LlmError::Garbled {
            who: self.who.clone(),
            reason: self.scrub(reason),
        }
    }

    fn wrong(&self, wrong: Wrong, attempt: u32) -> Failed {
        match wrong {
            Wrong::Garbled(reason) => lasting(self.garbled(&reason)),
            Wrong::Vendor(vendor, said) => self.vendor(vendor, 200, &said, None, attempt),
        }
    }

    /// A failure that the vendor tells of, by status or in the stream.
    fn vendor(
        &self,
        vendor: Vendor,
        status: u16,
        said: &str,
        wait: Option<Duration>,
        tries: u32,
    ) -> Failed {
        let who = self.who.clone();
        let said = self.scrub(&shorten(said));
        let again = wait.map_or(Again::Soon, Again::After);
        match vendor {
            Vendor::RateLimited => Failed {
                error: LlmError::RateLimited { who, wait, tries },
                again,
            },
            Vendor::Overloaded => Failed {
                error: LlmError::Overloaded { who, tries },
                again,
            },
            Vendor::Fault => Failed {
                error: LlmError::Fault {
                    who,
                    status,
                    said,
                    tries,
                },
                again,
            },
            Vendor::RefusedKey => lasting(LlmError::RefusedKey { who, status, said }),
            Vendor::Rejected => lasting(LlmError::Rejected { who, status, said }),
            Vendor::TooLarge => lasting(LlmError::TooLarge {
                who,
                what: "the prompt",
                limit: said,
            }),
        }
    }

    /// A status other than 200.
    async fn refused(&self, mut response: Response, attempt: u32) -> Failed {
        let status = response.status().as_u16();
        let wait = retry_after(response.headers());
        let never = response
            .headers()
            .get("x-should-retry")
            .is_some_and(|v| v == "false");
        if response.status().is_redirection() {
            return lasting(
                self.garbled(&format!("it points to another address (status {status})")),
            );
        }
        let body = some_of(&mut response).await;
        let said = words(&body);
        let vendor = match status {
            401..=403 => Vendor::RefusedKey,
            // Waiting does not fill an account.
            429 if no_balance(&body) => Vendor::RefusedKey,
            413 => Vendor::TooLarge,
            429 => Vendor::RateLimited,
            503 | 529 => Vendor::Overloaded,
            408 | 500.. => Vendor::Fault,
            _ => Vendor::Rejected,
        };
        let failed = self.vendor(vendor, status, &said, wait, attempt);
        if never { lasting(failed.error) } else { failed }
    }

    /// A failure of the connection.
    fn broken(&self, e: reqwest::Error) -> Failed {
        let e = e.without_url();
        let mut deepest: &dyn std::error::Error = &e;
        while let Some(inner) = deepest.source() {
            deepest = inner;
        }
        let reason = self.scrub(&deepest.to_string());
        let who = self.who.clone();
        if e.is_connect() {
            let reason = if e.is_timeout() {
                format!(
                    "no connection within {} s",
                    self.limits.connect.as_secs_f64()
                )
            } else {
                reason
            };
            return Failed {
                error: LlmError::Unreachable { who, reason },
                again: Again::Soon,
            };
        }
        if e.is_timeout() {
            return lasting(LlmError::TimedOut {
                who,
                after: self.limits.read,
            });
        }
        Failed {
            error: LlmError::Cut { who, reason },
            again: Again::Soon,
        }
    }

    fn http(&self) -> Result<reqwest::Client, String> {
        self.http
            .get_or_init(|| {
                reqwest::Client::builder()
                    .tls_backend_preconfigured(tls::config(self.url.scheme() == "https")?)
                    .user_agent(concat!("mltrainer/", env!("CARGO_PKG_VERSION")))
                    .redirect(reqwest::redirect::Policy::none())
                    // A packed stream comes in lumps instead of words.
                    .no_gzip()
                    .connect_timeout(self.limits.connect)
                    .read_timeout(self.limits.read)
                    .pool_idle_timeout(Duration::from_secs(30))
                    .build()
                    .map_err(|e| format!("no connections can be made: {e}"))
            })
            .clone()
    }
}

/// What a failed try may have used.
fn spent(request: &Request, decoder: &dyn Decode, reach: Reach) -> TokenUsage {
    if !decoder.begun() {
        return match reach {
            Reach::Nowhere => TokenUsage::default(),
            Reach::Sent => TokenUsage {
                input: estimate::prompt_tokens(request),
                estimated: true,
                ..TokenUsage::default()
            },
        };
    }
    let told = decoder.usage().unwrap_or_else(|| TokenUsage {
        input: estimate::prompt_tokens(request),
        ..TokenUsage::default()
    });
    // Thinking that nobody showed us is paid for too: then the most it may have been.
    let produced = decoder
        .produced()
        .unwrap_or_else(|| u64::from(request.max_tokens));
    TokenUsage {
        output: told.output.max(produced),
        estimated: true,
        ..told
    }
}

fn content_type(response: &Response) -> String {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .map(|v| v.trim().to_ascii_lowercase())
        .unwrap_or_default()
}

/// The beginning of a body that is no answer; a broken connection ends it.
async fn some_of(response: &mut Response) -> Vec<u8> {
    const MOST: usize = 64 << 10;
    let mut body = Vec::new();
    while body.len() < MOST {
        let Ok(Some(chunk)) = response.chunk().await else {
            break;
        };
        let room = MOST - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    body
}

/// How long to wait: `retry-after-ms` in milliseconds, else `Retry-After` in seconds or as a date,
/// which is read against the answer's own `Date`, so that no clock of ours is asked.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let positive = |x: f64| (x.is_finite() && x >= 0.0).then_some(x);
    if let Some(ms) = text("retry-after-ms").and_then(|t| t.parse().ok()) {
        return Duration::try_from_secs_f64(positive(ms)? / 1e3).ok();
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse() {
        return Duration::try_from_secs_f64(positive(seconds)?).ok();
    }
    let at = DateTime::parse_from_rfc2822(after).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE.as_str())?).ok()?;
    Some((at - now).to_std().unwrap_or_default())
}

/// Whether OpenAI says that the account is empty, which it does with the status of a busy one.
fn no_balance(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|v| {
        let error = &v["error"];
        error["code"] == "insufficient_quota" || error["type"] == "insufficient_quota"
    })
}

/// What a vendor says in an answer that is no stream: its own words, or what the answer is.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => [
            &value["error"]["message"],
            &value["error"],
            &value["message"],
            &value["detail"],
        ]
        .iter()
        .find_map(|v| v.as_str().map(str::to_owned))
        .unwrap_or_else(|| text.trim().to_owned()),
        Err(_) if body.trim_ascii_start().starts_with(b"<") => "an HTML page".to_owned(),
        Err(_) => text.trim().to_owned(),
    };
    shorten(&said)
}

/// Two hundred characters on one line.
pub(super) fn shorten(text: &str) -> String {
    let line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    if line.is_empty() {
        "nothing".to_owned()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_not_doubled() {
        let at = |base: &str| {
            Place::new(base, &["v1", "chat", "completions"], false)
                .map(|p| (p.url.to_string(), p.host))
        };
        for (base, url, host) in [
            (
                "https://api.openai.com",
                "https://api.openai.com/v1/chat/completions",
                "api.openai.com",
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1/chat/completions",
                "api.openai.com",
            ),
            (
                "http://localhost:11434/v1",
                "http://localhost:11434/v1/chat/completions",
                "localhost:11434",
            ),
            (
                "http://[::1]:8080/llm",
                "http://[::1]:8080/llm/v1/chat/completions",
                "[::1]:8080",
            ),
        ] {
            assert_eq!(at(base), Ok((url.to_owned(), host.to_owned())));
        }
        for (base, part) in [
            ("http://10.0.0.5:8000", "unencrypted"),
            ("https://me:pw@host", "give the key apart"),
            ("https://host/v1?key=abc", "what follows"),
            ("ftp://host", "https://"),
            ("host", "https://"),
            ("", "https://"),
        ] {
            let said = at(base).unwrap_err().to_string();
            assert!(said.contains(part), "{base}: {said}");
            assert!(!said.contains("pw") && !said.contains("abc"), "{said}");
        }
        assert!(Place::new("http://10.0.0.5:8000", &["v1"], true).is_ok());
    }

    #[test]
    fn waiting_times_are_read_in_all_their_forms() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            retry_after(&headers)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            of(&[("retry-after", "0.25")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            of(&[("retry-after", "7"), ("retry-after-ms", "1500")]),
            Some(Duration::from_millis(1500))
        );
        let date = ("retry-after", "Sun, 29 Nov 2026 12:00:30 GMT");
        assert_eq!(of(&[date]), None);
        assert_eq!(
            of(&[date, ("date", "Sun, 29 Nov 2026 12:00:00 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            of(&[date, ("date", "Sun, 29 Nov 2026 12:01:00 GMT")]),
            Some(Duration::ZERO)
        );
        for bad in ["-1", "soon", "inf", "1e300"] {
            assert_eq!(of(&[("retry-after", bad)]), None, "{bad}");
        }
    }

    #[test]
    fn odd_answers_are_told_apart() {
        assert_eq!(
            words(br#"{"type":"error","error":{"type":"x","message":"no  such model"}}"#),
            "no such model"
        );
        assert_eq!(words(br#"{"error":"model not found"}"#), "model not found");
        assert_eq!(words(b" <html><body>"), "an HTML page");
        assert_eq!(words(b""), "nothing");
        assert_eq!(words("x".repeat(500).as_bytes()).len(), 200);
    }
}
