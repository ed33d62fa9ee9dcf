//! What the clients of HTTP APIs share: a client, which answers are transient, what an error says.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};

/// A client for `origin` with pooled connections: `timeout` a request, a tenth of it (at least a second) to connect; no
/// redirects, as they would carry a token elsewhere. The environment's proxy is not asked for this very machine: its
/// loopback is another one.
///
/// # Errors
/// The TLS configuration cannot be built.
pub fn client(origin: &Url, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout((timeout / 10).max(Duration::from_secs(1)))
        .redirect(reqwest::redirect::Policy::none());
    if is_this_machine(origin) { builder.no_proxy().build() } else { builder.build() }
}

/// Whether what is sent there stays on this machine: `localhost` and the loopback addresses. Names below `localhost` are
/// not counted, as they may be resolved elsewhere.
pub fn is_this_machine(origin: &Url) -> bool {
    let host = origin.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether the same request may be answered otherwise later: 408, 429 and 5xx.
pub fn is_transient_status(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// How long the answer asks to wait (RFC 9110, Retry-After): seconds, or a date that is compared with the answer's own
/// Date. A date in the past is no wait; a date in an answer that has no Date, and what does not read, is no word at all.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let wanted = text(RETRY_AFTER)?;
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds is as long as anybody could ask for.
        return Some(Duration::from_secs(wanted.parse().unwrap_or(u64::MAX)));
    }
    let seconds = date(wanted)?.as_second() - date(text(DATE)?)?.as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// An HTTP date in any of the three forms that RFC 9110 (5.6.7) has recipients accept: today's, RFC 850's and asctime's.
fn date(text: &str) -> Option<Timestamp> {
    let obsolete = |form| {
        let read = strtime::parse(form, text).ok()?.to_datetime().ok()?;
        Some(read.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let today = || rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    today().or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))
}

/// What went wrong with a request, without its address: a query may hold personal data.
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn asks(wanted: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, wanted.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    const NOW: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn an_answer_may_ask_for_seconds() {
        assert_eq!(retry_after(&HeaderMap::new()), None);
        assert_eq!(asks("0", None), Some(Duration::ZERO));
        assert_eq!(asks(" 120 ", NOW), Some(Duration::from_secs(120)));
        assert_eq!(asks("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
        for nonsense in ["", "-1", "+1", "1.5", "soon", "12 s"] {
            assert_eq!(asks(nonsense, NOW), None, "{nonsense}");
        }
    }

    #[test]
    fn or_for_a_date() {
        for date in ["Sun, 06 Nov 1994 08:51:07 GMT", "Sunday, 06-Nov-94 08:51:07 GMT", "Sun Nov  6 08:51:07 1994"] {
            assert_eq!(asks(date, NOW), Some(Duration::from_secs(90)), "{date}");
        }
        let past = "Sun, 06 Nov 1994 08:49:36 GMT";
        assert_eq!(asks(past, NOW), Some(Duration::ZERO));
        // Nothing to compare it with.
        assert_eq!(asks(past, None), None);
        assert_eq!(asks(past, Some("today")), None);
    }

    #[test]
    fn what_may_pass_is_known() {
        for (status, transient) in [(408, true), (429, true), (500, true), (503, true), (599, true)]
            .into_iter()
            .chain([200, 301, 400, 401, 403, 404, 409, 410, 413].map(|status| (status, false)))
        {
            assert_eq!(is_transient_status(StatusCode::from_u16(status).unwrap()), transient, "{status}");
        }
    }

    fn local(timeout: Duration) -> reqwest::Client {
        client(&Url::parse("http://127.0.0.1").unwrap(), timeout).unwrap()
    }

    #[test]
    fn this_machine_is_known() {
        for (origin, known) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080/auth", true),
            ("http://[::1]:8080", true),
            ("https://sso.example.org", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example.org", false),
        ] {
            assert_eq!(is_this_machine(&Url::parse(origin).unwrap()), known, "{origin}");
        }
    }

    /// Answers one request with `answer`, and gives the address.
    async fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let _ = connection.read(&mut [0; 4096]).await;
            let _ = connection.write_all(answer.as_bytes()).await;
        });
        format!("http://{address}/people?search=alice%40example.org")
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        let client = local(Duration::from_secs(60));
        let answer = client.get(answering(redirect).await).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
    }

    #[tokio::test]
    async fn an_error_says_why_and_not_where() {
        let client = local(Duration::from_secs(60));
        let error = client.get(answering("").await).send().await.unwrap_err();
        let told = explain(error);
        assert!(told.contains("connection"), "{told}");
        assert!(!told.contains("127.0.0.1") && !told.contains("alice"), "{told}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_a_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = local(Duration::from_millis(50));
        let address = format!("http://{}/", listener.local_addr().unwrap());
        assert!(client.get(address).send().await.unwrap_err().is_timeout());
    }
}
