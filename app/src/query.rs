//! Query strings: what a link should reproduce lives in the URL.

/// Builds `path?name=value&...`; empty values are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    text: String,
    any: bool,
}

impl Link {
    /// A link to a path.
    #[must_use]
    pub fn to(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            any: false,
        }
    }

    /// With one more pair, unless the value is empty.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.text.push(if self.any { '&' } else { '?' });
            self.any = true;
            encode(name, &mut self.text);
            self.text.push('=');
            encode(value, &mut self.text);
        }
        self
    }

    /// The finished link.
    #[must_use]
    pub fn build(self) -> String {
        self.text
    }
}

/// Percent-encodes everything but letters, digits and `-._~:,`; the last two stay readable in
/// data-set ids and lists and are allowed in a query.
fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// The same address with another span of days.
#[must_use]
pub fn respan(address: &str, start: &str, end: &str) -> String {
    let (address, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|p| !p.is_empty() && !p.starts_with("start=") && !p.starts_with("end="))
        .map(str::to_owned)
        .collect();
    // Behind the data set, where the pages put them.
    let at = usize::from(parts.first().is_some_and(|p| p.starts_with("dataset=")));
    parts.insert(at, format!("start={start}"));
    parts.insert(at + 1, format!("end={end}"));
    let mark = if fragment.is_empty() { "" } else { "#" };
    format!("{path}?{}{mark}{fragment}", parts.join("&"))
}

/// One path segment, encoded.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    encode(text, &mut out);
    out
}

/// The parts of a list written with commas or spaces, trimmed, without empty ones and repeats.
#[must_use]
pub fn list(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in text.split([',', ';', ' ', '\n', '\t']) {
        let part = part.trim();
        if !part.is_empty() && !out.iter().any(|have| have == part) {
            out.push(part.to_owned());
        }
    }
    out
}

/// The pairs of a query string, decoded, in their order.
#[must_use]
pub fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .trim_start_matches('?')
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The first value of a name, trimmed; empty when there is none.
#[must_use]
pub fn get<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs
        .iter()
        .find(|(n, _)| n == name)
        .map_or("", |(_, v)| v.trim())
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest = after;
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_leave_out_what_is_empty_and_encode_the_rest() {
        for (pairs, expected) in [
            (vec![], "/models"),
            (vec![("q", "")], "/models"),
            (
                vec![("q", "random forest"), ("task", "")],
                "/models?q=random%20forest",
            ),
            (
                vec![("a", "1"), ("b", "x&y=ü")],
                "/models?a=1&b=x%26y%3D%C3%BC",
            ),
            (
                vec![("dataset", "bundled:AAPL")],
                "/models?dataset=bundled:AAPL",
            ),
        ] {
            let link = pairs
                .iter()
                .fold(Link::to("/models"), |l, (n, v)| l.with(n, v));
            assert_eq!(link.build(), expected);
        }
        assert_eq!(segment("user:a/b"), "user:a%2Fb");
    }

    #[test]
    fn a_span_is_put_into_an_address() {
        for (address, expected) in [
            ("/analytics", "/analytics?start=A&end=B"),
            (
                "/analytics?dataset=bundled:AAPL&start=1&end=2&show=sma:period=5,rsi#cases",
                "/analytics?dataset=bundled:AAPL&start=A&end=B&show=sma:period=5,rsi#cases",
            ),
            (
                "/analytics?show=rsi&with=a%26b",
                "/analytics?start=A&end=B&show=rsi&with=a%26b",
            ),
        ] {
            assert_eq!(respan(address, "A", "B"), expected);
        }
    }

    #[test]
    fn pairs_come_back_as_they_were() {
        let link = Link::to("")
            .with("q", "a+b & ü=1")
            .with("p.alpha", "0.5")
            .build();
        let back = pairs(&link);
        assert_eq!(get(&back, "q"), "a+b & ü=1");
        assert_eq!(get(&back, "p.alpha"), "0.5");
        assert_eq!(get(&back, "none"), "");
        for (query, expected) in [
            ("?a=1&a=2", vec![("a", "1"), ("a", "2")]),
            ("a+b=%zz%4", vec![("a b", "%zz%4")]),
            ("flag", vec![("flag", "")]),
            ("", vec![]),
        ] {
            let got = pairs(query);
            let got: Vec<(&str, &str)> =
                got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(got, expected, "{query}");
        }
    }

    #[test]
    fn lists_may_be_written_in_several_ways() {
        for (text, expected) in [
            ("", vec![]),
            ("AAPL", vec!["AAPL"]),
            ("AAPL, MSFT", vec!["AAPL", "MSFT"]),
            ("AAPL;IBM AAPL,,", vec!["AAPL", "IBM"]),
        ] {
            assert_eq!(list(text), expected, "{text}");
        }
    }
}
