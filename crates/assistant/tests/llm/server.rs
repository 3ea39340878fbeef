//! A server on this machine that speaks both wire formats from recorded shapes, and misbehaves on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: serde_json::Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name)?;
        Some(&found.1)
    }
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// As announced.
    Well,
    /// The connection is closed in the middle of a chunked body.
    Broken,
    /// Nothing more comes, and the connection stays.
    Silent,
    /// The last piece comes again and again.
    Endless,
}

/// What is answered to one request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) pause: Duration,
    pub(crate) end: End,
}

impl Reply {
    /// A stream of events in one piece.
    pub(crate) fn stream(body: &str) -> Self {
        Self {
            status: 200,
            headers: vec![(
                "content-type",
                "text/event-stream; charset=utf-8".to_owned(),
            )],
            pieces: vec![body.as_bytes().to_vec()],
            pause: Duration::ZERO,
            end: End::Well,
        }
    }

    /// A status with a body.
    pub(crate) fn status(status: u16, kind: &str, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            ..Self::stream(body)
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Cut behind so many bytes.
    pub(crate) fn cut(mut self, at: usize, end: End) -> Self {
        self.pieces[0].truncate(at);
        self.ending(end)
    }
}

/// The server; its answers are taken in order, the last one stays.
pub(crate) struct Server {
    pub(crate) url: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            replies: Arc::new(Mutex::new(replies.into())),
            seen: Arc::default(),
        };
        let (replies, seen) = (server.replies.clone(), server.seen.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, replies.clone(), seen.clone()));
            }
        });
        server
    }

    pub(crate) fn answer(&self, replies: Vec<Reply>) {
        *self.replies.lock().unwrap() = replies.into();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut socket: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Option<()> {
    let request = read(&mut socket).await?;
    seen.lock().unwrap().push(request);
    let reply = {
        let mut replies = replies.lock().unwrap();
        if replies.len() > 1 {
            replies.pop_front()?
        } else {
            replies.front().cloned()?
        }
    };
    let mut head = format!(
        "HTTP/1.1 {} X\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await.ok()?;
    let last = reply.pieces.last().cloned().unwrap_or_default();
    for piece in &reply.pieces {
        chunk(&mut socket, piece).await?;
        tokio::time::sleep(reply.pause).await;
    }
    match reply.end {
        End::Well => socket.write_all(b"0\r\n\r\n").await.ok()?,
        // Half of a chunk's head.
        End::Broken => socket.write_all(b"5").await.ok()?,
        End::Silent => tokio::time::sleep(Duration::from_secs(60)).await,
        End::Endless => loop {
            chunk(&mut socket, &last).await?;
        },
    }
    socket.shutdown().await.ok()
}

async fn chunk(socket: &mut TcpStream, piece: &[u8]) -> Option<()> {
    if piece.is_empty() {
        return Some(());
    }
    let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
    framed.extend_from_slice(piece);
    framed.extend_from_slice(b"\r\n");
    socket.write_all(&framed).await.ok()
}

async fn read(socket: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    let head_end = loop {
        let n = socket.read(&mut buffer).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..n]);
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|h| h.0 == "content-length")?
        .1
        .parse()
        .ok()?;
    while bytes.len() < head_end + length {
        let n = socket.read(&mut buffer).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
    Some(Seen {
        path,
        headers,
        body: serde_json::from_slice(&bytes[head_end..]).ok()?,
    })
}

/// Text, thinking and a call of a tool, as Anthropic's pages show them.
pub(crate) const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_014p7gG3wDgGV9EUtLvnow3U","type":"message","role":"assistant","model":"claude-sonnet-5-5","stop_sequence":null,"usage":{"input_tokens":472,"cache_creation_input_tokens":1000,"cache_read_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":900,"ephemeral_1h_input_tokens":100},"output_tokens":2},"content":[],"stop_reason":null}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"First "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"the data."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Die Volatilität"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" von AAPL 📈:"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"run_trial","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"symbol\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \"AAPL\", \"horizon\": 5}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"#;

/// Text and two calls in pieces, as OpenAI's pages show them.
pub(crate) const OPENAI: &str = r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"content":"Die Volatilität"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"content":" von AAPL 📈:"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_DdmO9pD3","type":"function","function":{"name":"run_trial","arguments":""}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"symbol\":"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \"AAPL\", \"horizon\": 5}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"list_data","arguments":"{}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-6.2-sol","choices":[],"usage":{"prompt_tokens":1772,"completion_tokens":89,"total_tokens":1861,"prompt_tokens_details":{"cached_tokens":300,"audio_tokens":0}}}

data: [DONE]

"#;
