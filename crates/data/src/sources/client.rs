//! What all sources share: one HTTP client each, with time-outs, retries, a limit of requests, a
//! circuit breaker, a bound on what is read, and no key in any text.
//!
//! A request is tried up to [`Limits::tries`] times. Status 429, 500 and above, time-outs, refused
//! and cut connections are tried again after a pause that doubles, spread at random from a seed, or
//! as long as `Retry-After` says, when that is not longer than [`Limits::longest_pause`]. Redirects
//! are not followed: a key goes to the configured host only.

use super::breaker::{Breaker, Circuit};
use super::error::{Cause, SourceError};
use super::key::Key;
use super::limiter::Limiter;
use super::tls;
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_compliance::redact;
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time of day, handed in.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Bounds on requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Longest time until a connection stands.
    pub connect: Duration,
    /// Longest silence while an answer is awaited or read.
    pub read: Duration,
    /// Longest time of one try.
    pub whole: Duration,
    /// Tries of one request.
    pub tries: u32,
    /// The first pause before another try; each further one is twice as long.
    pub pause: Duration,
    /// No pause is longer; a vendor that asks for more is not asked again.
    pub longest_pause: Duration,
    /// Most bytes of one answer, unpacked.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            whole: Duration::from_secs(300),
            tries: 4,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            bytes: 64 << 20,
        }
    }
}

/// How the key is shown to the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of that name.
    Header(&'static str),
    /// A parameter of that name in the address: the vendor knows no other way.
    Query(&'static str),
    /// There is no key.
    None,
}

/// What a client is made of.
pub(crate) struct Make {
    pub(crate) source: &'static str,
    pub(crate) base: String,
    pub(crate) key: Option<Key>,
    pub(crate) key_variable: &'static str,
    pub(crate) auth: Auth,
    pub(crate) per_minute: u32,
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
    pub(crate) now: Now,
}

/// What happens on the way, for whoever waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The limit of requests makes it wait.
    Waiting {
        /// How long.
        pause: Duration,
    },
    /// A try failed and is made again.
    Retrying {
        /// Number of the next try.
        attempt: u32,
        /// After so long.
        pause: Duration,
        /// Why the last one failed.
        cause: String,
    },
    /// A page arrived and was stored.
    Page {
        /// Pages so far.
        pages: u32,
        /// Rows so far.
        rows: u64,
        /// The last day that has arrived.
        until: Option<NaiveDate>,
    },
}

/// An event of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Source.
    pub source: &'static str,
    /// Symbol and span.
    pub subject: String,
    /// What happens.
    pub step: Step,
}

/// Takes events; it must not block.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// What accompanies a request: a way to end it and somebody to tell.
#[derive(Clone)]
pub struct Call {
    /// Ends the request.
    pub cancel: CancellationToken,
    /// Hears of its progress.
    pub report: Report,
}

impl Call {
    /// A call that nobody watches or ends.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            cancel: CancellationToken::new(),
            report: Arc::new(|_| ()),
        }
    }
}

/// An answer of a vendor.
pub(crate) struct Answer<T> {
    pub(crate) content: T,
    /// The address without its host and without the key.
    pub(crate) request: String,
    /// The vendor's id of the request, where the head of the answer names one.
    pub(crate) request_id: Option<String>,
}

/// How a source does, for the status page.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whether requests go through.
    pub circuit: Circuit,
    /// Failures in a row.
    pub failures: u32,
    /// Requests sent since midnight UTC by this process.
    pub requests_today: u64,
    /// When it last answered.
    pub last_success: Option<DateTime<Utc>>,
    /// When it last gave nothing, and why.
    pub last_error: Option<(DateTime<Utc>, String)>,
}

#[derive(Default)]
struct Ledger {
    breaker: Breaker,
    day: NaiveDate,
    requests: u64,
    last_success: Option<DateTime<Utc>>,
    last_error: Option<(DateTime<Utc>, String)>,
}

/// The client of one source.
pub struct Client {
    make: Make,
    base: Url,
    http: OnceLock<Result<reqwest::Client, String>>,
    limiter: Limiter,
    ledger: Mutex<Ledger>,
    jitter: Mutex<Xoshiro256PlusPlus>,
    origin: Instant,
}

/// A try that gave nothing, and whether another may.
struct Failed {
    cause: Cause,
    again: Again,
}

enum Again {
    No,
    Soon,
    After(Duration),
}

impl Client {
    /// A client; nothing is sent or opened yet.
    ///
    /// # Errors
    /// One sentence when the address cannot be used: not HTTP, or a key would travel unencrypted to
    /// another machine.
    pub(crate) fn new(make: Make) -> Result<Self, String> {
        let base = Url::parse(make.base.trim_end_matches('/'))
            .map_err(|e| format!("{}: the address is none ({e})", make.source))?;
        let loopback = match base.host() {
            Some(url_host) => is_loopback(&url_host.to_string()),
            None => false,
        };
        let fine = match base.scheme() {
            "https" => base.host().is_some(),
            "http" => loopback,
            _ => false,
        };
        if !fine || !base.username().is_empty() || base.password().is_some() {
            return Err(format!(
                "{}: the address {} cannot be used; give one that begins with https://, or http:// for this machine, without a user's name",
                make.source,
                redact(&make.base)
            ));
        }
        Ok(Self {
            base,
            http: OnceLock::new(),
            limiter: Limiter::per_minute(make.per_minute),
            ledger: Mutex::default(),
            jitter: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(make.seed)),
            origin: Instant::now(),
            make,
        })
    }

    /// Whether a key was handed in, or none is needed.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.make.auth == Auth::None || self.make.key.is_some()
    }

    /// The address without a path: for people.
    #[must_use]
    pub fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// How the source does.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let now = (self.make.now)();
        let ledger = self.ledger();
        Standing {
            circuit: ledger.breaker.state(self.origin.elapsed()),
            failures: ledger.breaker.failures(),
            requests_today: if ledger.day == now.date_naive() {
                ledger.requests
            } else {
                0
            },
            last_success: ledger.last_success,
            last_error: ledger.last_error.clone(),
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        // Counters are whole whatever a panicking holder did.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error of this source, remembered for the status page, with every trace of the key removed.
    pub(crate) fn fail(&self, subject: &str, cause: Cause) -> SourceError {
        let cause = match cause {
            Cause::Denied { status, said } => Cause::Denied {
                status,
                said: self.scrub(&said),
            },
            Cause::Unknown { status, said } => Cause::Unknown {
                status,
                said: self.scrub(&said),
            },
            Cause::Refused { said } => Cause::Refused {
                said: self.scrub(&said),
            },
            Cause::Unreadable { reason } => Cause::Unreadable {
                reason: self.scrub(&reason),
            },
            Cause::Unreachable { reason } => Cause::Unreachable {
                reason: self.scrub(&reason),
            },
            other => other,
        };
        let error = SourceError {
            source_id: self.make.source,
            subject: subject.to_owned(),
            cause,
        };
        if error.cause != Cause::Cancelled {
            self.ledger().last_error = Some(((self.make.now)(), error.to_string()));
        }
        error
    }

    fn scrub(&self, text: &str) -> String {
        match &self.make.key {
            Some(key) => key.scrub(text),
            None => redact(text),
        }
    }

    /// An address below the base: the segments are encoded, so that no symbol leads elsewhere.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        // A base that already ends as the path begins (".../fred") is not doubled.
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
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The address of a vendor's next page, on the configured host: vendors answer under more than
    /// one name, and a key goes to none but the configured one.
    pub(crate) fn next(&self, subject: &str, next: &str, below: &str) -> Result<Url, SourceError> {
        let unreadable = |reason: &str| {
            let reason = format!("the address of its next page {reason}");
            self.fail(subject, Cause::Unreadable { reason })
        };
        let mut url = self
            .base
            .join(next)
            .map_err(|_| unreadable("is not an address"))?;
        let own = url.origin() == self.base.origin();
        if !own {
            if !url.path().starts_with(below) {
                let host = url.host_str().unwrap_or("unknown").to_owned();
                return Err(self.fail(subject, Cause::ForeignPage { host }));
            }
            let mut here = self.base.clone();
            let path = format!("{}{}", here.path().trim_end_matches('/'), url.path());
            here.set_path(&path);
            here.set_query(url.query());
            url = here;
        }
        // Some vendors repeat the key in it.
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("apikey"))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
        Ok(url)
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// [`SourceError`] with every cause but those of a vendor's own words in a good answer.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        call: &Call,
        subject: &str,
        url: Url,
    ) -> Result<Answer<T>, SourceError> {
        if !self.configured() {
            let variable = self.make.key_variable;
            return Err(self.fail(subject, Cause::NoKey { variable }));
        }
        let entered = self.ledger().breaker.enter(self.origin.elapsed());
        if let Err(rest) = entered {
            let (failures, last) = {
                let ledger = self.ledger();
                let last = ledger.last_error.clone().map_or_else(String::new, |e| e.1);
                (ledger.breaker.failures(), last)
            };
            // Told, but not remembered: the last real error is what helps.
            return Err(SourceError {
                source_id: self.make.source,
                subject: subject.to_owned(),
                cause: Cause::Resting {
                    failures,
                    rest,
                    last,
                },
            });
        }
        let mut entered = Entered {
            client: self,
            ended: false,
        };
        let outcome = tokio::select! {
            biased;
            () = call.cancel.cancelled() => Err(Cause::Cancelled),
            outcome = self.tries(call, subject, &url) => outcome,
        };
        entered.ended = true;
        // An answer that cannot be read is a failure too: a vendor's error page, say.
        let outcome = outcome.and_then(|answer| {
            Ok(Answer {
                content: parse(&answer.content)?,
                request: answer.request,
                request_id: answer.request_id,
            })
        });
        let mut ledger = self.ledger();
        match &outcome {
            Ok(_) => {
                ledger.breaker.succeeded();
                ledger.last_success = Some((self.make.now)());
            }
            Err(Cause::Cancelled) => ledger.breaker.left(),
            Err(cause) if cause.is_outage() => ledger.breaker.failed(self.origin.elapsed()),
            // It answered: it refuses, but it works.
            Err(_) => ledger.breaker.succeeded(),
        }
        drop(ledger);
        outcome.map_err(|cause| self.fail(subject, cause))
    }

    async fn tries(&self, call: &Call, subject: &str, url: &Url) -> Result<Answer<Vec<u8>>, Cause> {
        let limits = &self.make.limits;
        let tell = |step| {
            (call.report)(Progress {
                source: self.make.source,
                subject: subject.to_owned(),
                step,
            });
        };
        let mut attempt = 1;
        loop {
            let pause = self.limiter.wait();
            if !pause.is_zero() {
                tell(Step::Waiting { pause });
                tokio::time::sleep(pause).await;
            }
            let Failed { cause, again } = match self.once(url, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = match again {
                Again::No => return Err(cause),
                Again::After(wait) if wait > limits.longest_pause => return Err(cause),
                Again::After(wait) => wait,
                Again::Soon => self.pause(attempt),
            };
            if attempt >= limits.tries {
                return Err(cause);
            }
            attempt += 1;
            tracing::debug!(source = self.make.source, attempt, %cause, "tried again");
            tell(Step::Retrying {
                attempt,
                pause,
                cause: cause.to_string(),
            });
            tokio::time::sleep(pause).await;
        }
    }

    /// The pause after try number `attempt`: doubled with each, and between half of it and the whole.
    fn pause(&self, attempt: u32) -> Duration {
        let whole = self
            .make
            .limits
            .pause
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.make.limits.longest_pause);
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        whole.mul_f64(jitter.gen_range(0.5..=1.0))
    }

    async fn once(&self, url: &Url, attempt: u32) -> Result<Answer<Vec<u8>>, Failed> {
        let whole = self.make.limits.whole;
        match tokio::time::timeout(whole, self.exchange(url, attempt)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failed {
                cause: Cause::TimedOut {
                    after: whole,
                    tries: attempt,
                },
                again: Again::Soon,
            }),
        }
    }

    async fn exchange(&self, url: &Url, attempt: u32) -> Result<Answer<Vec<u8>>, Failed> {
        let lasting = |cause| Failed {
            cause,
            again: Again::No,
        };
        let http = self
            .http()
            .map_err(|reason| lasting(Cause::Unreachable { reason }))?;
        let mut target = url.clone();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.make.key {
            let secret = |text: &str| {
                let mut value = HeaderValue::from_str(text).map_err(|_| {
                    lasting(Cause::BadRequest(format!(
                        "the key in {} holds signs that no key has; set it again",
                        self.make.key_variable
                    )))
                })?;
                value.set_sensitive(true);
                Ok(value)
            };
            match self.make.auth {
                Auth::Bearer => {
                    headers.insert(AUTHORIZATION, secret(&format!("Bearer {}", key.expose()))?);
                }
                Auth::Header(name) => {
                    headers.insert(name, secret(key.expose())?);
                }
                Auth::Query(name) => {
                    target.query_pairs_mut().append_pair(name, key.expose());
                }
                Auth::None => {}
            }
        }
        {
            let today = (self.make.now)().date_naive();
            let mut ledger = self.ledger();
            if ledger.day != today {
                ledger.day = today;
                ledger.requests = 0;
            }
            ledger.requests += 1;
        }
        let mut response = http
            .get(target)
            .headers(headers)
            .send()
            .await
            .map_err(|e| self.broken(e, attempt))?;
        let status = response.status();
        let request_id = request_id(&response);
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let wait = retry_after(&response, (self.make.now)());
            let cause = if status == StatusCode::TOO_MANY_REQUESTS {
                Cause::TooMany { wait }
            } else {
                Cause::Fault {
                    status: status.as_u16(),
                    tries: attempt,
                }
            };
            return Err(Failed {
                cause,
                again: wait.map_or(Again::Soon, Again::After),
            });
        }
        if status.is_redirection() {
            return Err(lasting(Cause::Unreadable {
                reason: format!("it points to another address (status {})", status.as_u16()),
            }));
        }
        let limit = self.make.limits.bytes;
        let too_large = || lasting(Cause::TooLarge { limit });
        if response.content_length().is_some_and(|n| n > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|e| self.broken(e, attempt))?
        {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let query = url.query().map_or_else(String::new, |q| format!("?{q}"));
            return Ok(Answer {
                content: body,
                request: redact(&format!("GET {}{query}", url.path())),
                request_id,
            });
        }
        let (status, said) = (status.as_u16(), words(&body));
        Err(lasting(match status {
            401..=403 => Cause::Denied { status, said },
            _ => Cause::Unknown { status, said },
        }))
    }

    /// A failure of the connection.
    fn broken(&self, e: reqwest::Error, attempt: u32) -> Failed {
        let e = e.without_url();
        let mut deepest: &dyn std::error::Error = &e;
        while let Some(inner) = deepest.source() {
            deepest = inner;
        }
        let reason = self.scrub(&deepest.to_string());
        let cause = if e.is_timeout() {
            Cause::TimedOut {
                after: if e.is_connect() {
                    self.make.limits.connect
                } else {
                    self.make.limits.read
                },
                tries: attempt,
            }
        } else if e.is_connect() {
            Cause::Unreachable { reason }
        } else {
            Cause::CutOff {
                reason,
                tries: attempt,
            }
        };
        Failed {
            cause,
            again: Again::Soon,
        }
    }

    fn http(&self) -> Result<reqwest::Client, String> {
        self.http
            .get_or_init(|| {
                let limits = &self.make.limits;
                reqwest::Client::builder()
                    .tls_backend_preconfigured(tls::config(self.base.scheme() == "https")?)
                    .user_agent(concat!("mltrainer/", env!("CARGO_PKG_VERSION")))
                    .redirect(reqwest::redirect::Policy::none())
                    .connect_timeout(limits.connect)
                    .read_timeout(limits.read)
                    .pool_idle_timeout(Duration::from_secs(30))
                    .build()
                    .map_err(|e| format!("no connections can be made: {e}"))
            })
            .clone()
    }
}

/// Lets the breaker go when a request is dropped in the middle.
struct Entered<'a> {
    client: &'a Client,
    ended: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.client.ledger().breaker.left();
        }
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    plain == "localhost"
        || plain
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn request_id(response: &Response) -> Option<String> {
    let value = response.headers().get("x-request-id")?.to_str().ok()?;
    let plain = value.len() <= 100 && value.chars().all(|c| c.is_ascii_graphic());
    plain.then(|| value.to_owned())
}

/// `Retry-After`: seconds, or a date.
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

/// What a vendor says in an answer that is no data: its own words, or what the answer is.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => [
            "error",
            "error_message",
            "message",
            "Error Message",
            "detail",
        ]
        .iter()
        .find_map(|name| value[*name].as_str().map(str::to_owned))
        .or_else(|| {
            value["chart"]["error"]["description"]
                .as_str()
                .map(str::to_owned)
        })
        .unwrap_or_else(|| text.trim().to_owned()),
        Err(_) if is_html(body) => "an HTML page".to_owned(),
        Err(_) => text.trim().to_owned(),
    };
    shorten(&said)
}

/// Two hundred characters on one line.
pub(crate) fn shorten(text: &str) -> String {
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

fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// JSON of the documented shape, or why it is not.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Cause> {
    use serde_json::error::Category;
    let unreadable = |reason: String| Cause::Unreadable { reason };
    let plain = body.trim_ascii();
    if plain.is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    if is_html(plain) {
        return Err(unreadable("it is an HTML page instead of JSON".to_owned()));
    }
    serde_json::from_slice(plain).map_err(|e| {
        unreadable(match e.classify() {
            Category::Eof => format!("its JSON breaks off after {} bytes", plain.len()),
            Category::Data => format!("it is not of the documented shape ({e})"),
            Category::Syntax | Category::Io => format!("it is not JSON ({e})"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(base: &str) -> Make {
        Make {
            source: "polygon",
            base: base.to_owned(),
            key: Key::new("s3cret"),
            key_variable: "POLYGON_API_KEY",
            auth: Auth::Bearer,
            per_minute: 60,
            limits: Limits::default(),
            seed: 1,
            now: Arc::new(|| DateTime::from_timestamp(1_700_000_000, 0).unwrap()),
        }
    }

    #[test]
    fn a_key_travels_encrypted_or_not_at_all() {
        for fine in [
            "https://api.polygon.io",
            "http://127.0.0.1:8080/",
            "http://localhost:1/base",
            "http://[::1]:9",
        ] {
            assert!(Client::new(make(fine)).is_ok(), "{fine}");
        }
        for bad in [
            "http://api.polygon.io",
            "ftp://127.0.0.1",
            "polygon",
            "https://me:pw@api.polygon.io",
            "",
        ] {
            let error = Client::new(make(bad)).err().unwrap();
            assert!(error.starts_with("polygon: the address"), "{error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }

    #[test]
    fn addresses_stay_on_the_host() {
        let client = Client::new(make("https://api.polygon.io/x/")).unwrap();
        let url = client.url(
            &["v2", "aggs", "../../evil?x"],
            &[("limit", "5".to_owned())],
        );
        assert_eq!(
            url.as_str(),
            "https://api.polygon.io/x/v2/aggs/..%2F..%2Fevil%3Fx?limit=5"
        );
        let next = |text: &str| client.next("AAPL", text, "/v2/aggs/");
        // The vendor's other name, with the key in it: the path alone is taken.
        assert_eq!(
            next("https://api.massive.com/v2/aggs/t/AAPL?cursor=abc&apiKey=s3cret")
                .unwrap()
                .as_str(),
            "https://api.polygon.io/x/v2/aggs/t/AAPL?cursor=abc"
        );
        assert_eq!(
            next("https://api.polygon.io/x/v2/aggs/t?cursor=1")
                .unwrap()
                .as_str(),
            "https://api.polygon.io/x/v2/aggs/t?cursor=1"
        );
        let error = next("https://evil.example/steal?cursor=1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "polygon gave nothing for AAPL: its next page lies on another server (evil.example), to which no key is sent"
        );
        let fred = Client::new(make("https://api.stlouisfed.org/fred")).unwrap();
        assert_eq!(
            fred.url(&["fred", "series"], &[]).as_str(),
            "https://api.stlouisfed.org/fred/series"
        );
    }

    #[test]
    fn odd_answers_are_told_apart() {
        let says = |body: &[u8]| parse::<Vec<u32>>(body).unwrap_err().to_string();
        assert!(says(b" ").contains("it is empty"));
        assert!(says(b"<!doctype html><html>").contains("HTML page"));
        assert!(says(b"[1, 2").contains("breaks off after 5 bytes"));
        assert!(says(b"{\"a\": 1}").contains("not of the documented shape"));
        assert!(says(b"rate limited").contains("not JSON"));
        assert_eq!(parse::<Vec<u32>>(b"[1]").unwrap(), [1]);
        assert_eq!(
            words(b"{\"error_message\": \"Bad  Request\"}"),
            "Bad Request"
        );
        assert_eq!(words(b"<html>"), "an HTML page");
        assert_eq!(words(b""), "nothing");
    }

    #[test]
    fn pauses_double_and_are_spread_by_the_seed() {
        let client = Client::new(make("http://127.0.0.1:1")).unwrap();
        let again = Client::new(make("http://127.0.0.1:1")).unwrap();
        for attempt in 1..=20 {
            let pause = client.pause(attempt);
            let whole = Duration::from_millis(500)
                .saturating_mul(1 << (attempt - 1).min(16))
                .min(Duration::from_secs(60));
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
            assert_eq!(pause, again.pause(attempt));
        }
    }
}
