//! JSON bodies, with refusals that name the place in the body.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The most bytes of a body. A mapping takes about 2 KiB with the longest names; the rest is for notes.
pub(crate) const LIMIT: usize = 64 * 1024;

/// A body read as JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::not_json());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| refuse(&rejection))?;
        read(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn refuse(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(LIMIT),
        _ => Problem::invalid("the body broke off before its end; send the request again"),
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match bytes.trim_ascii_start().first() {
        None => return Err(Problem::invalid("the body is empty; send a JSON object")),
        // serde would take an array for an object, its items for the fields in their order.
        Some(b'[') => return Err(Problem::invalid("the body is an array; send a JSON object")),
        Some(_) => {}
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match path.as_str() {
            "." => Problem::invalid(format!("the body does not read: {inner}")),
            path => Problem::invalid(format!("the body does not read at `{path}`: {inner}")),
        }
    })?;
    deserializer.end().map_err(|error| Problem::invalid(format!("the body holds more than one value: {error}")))?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::wire::PutMapping;

    fn refusal(body: &str) -> String {
        read::<PutMapping>(body.as_bytes()).map(|_| ()).unwrap_err().detail().to_owned()
    }

    #[test]
    fn refusals_name_the_place() {
        for (body, words) in [
            ("", &["the body is empty"][..]),
            ("{", &["EOF"]),
            (r#" ["5"]"#, &["the body is an array; send a JSON object"]),
            (r#""5""#, &["the body does not read: invalid type: string"]),
            (r#"{"external_id": 5}"#, &["at `external_id`", "integer `5`", "expected"]),
            (r#"{"external_id": " "}"#, &["at `external_id`", "the external id is empty"]),
            (r#"{"external_id": "5", "email": "nobody"}"#, &["at `email`", "not a valid address"]),
            (r#"{"external_id": "5", "mail": "a@example.org"}"#, &["unknown field `mail`", "`email`"]),
            (r#"{"email": null}"#, &["missing field `external_id`"]),
            (r#"{"external_id": "5"} {}"#, &["more than one value"]),
            (r#"{"external_id": "5", "external_id": "6"}"#, &["duplicate field `external_id`"]),
        ] {
            let refusal = refusal(body);
            for word in words {
                assert!(refusal.contains(word), "{body}: {refusal}");
            }
        }
    }

    #[test]
    fn json_by_any_of_its_names() {
        for (given, fits) in [
            ("application/json", true),
            ("application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(given))]);
            assert_eq!(is_json(&headers), fits, "{given}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
