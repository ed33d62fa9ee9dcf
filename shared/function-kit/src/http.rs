//! What the clients of HTTP APIs share: a client, which answers are transient, what an error says.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// A client with pooled connections: `timeout` a request, a tenth of it (at least a second) to connect; no redirects, as
/// they would carry a token elsewhere.
///
/// # Errors
/// The TLS configuration cannot be built.
pub fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout((timeout / 10).max(Duration::from_secs(1)))
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Whether the same request may be answered otherwise later: 408, 429 and 5xx.
pub fn is_transient_status(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// How long the answer asks to wait (RFC 9110, Retry-After): seconds, or a date that is compared with the answer's own
/// Date, or with nothing if it has none.
pub fn retry_after(_headers: &HeaderMap) -> Option<Duration> {
    None
}

/// What went wrong with a request, without its address: a query may hold personal data.
pub fn explain(error: reqwest::Error) -> String {
    format!("{:#}", anyhow_chain(&error.without_url()))
}

fn anyhow_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
