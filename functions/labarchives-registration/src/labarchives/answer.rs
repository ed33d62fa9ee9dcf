//! What LabArchives answers to an exchange, in words of ours.

use std::time::Duration;

use crosswalk_function_kit::http::is_transient_status;
use crosswalk_identity::ExternalId;
use reqwest::StatusCode;
use serde::Deserialize;

/// Why a code was not exchanged. No text holds a code, an e-mail, an id or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// LabArchives does not take this sign-in; another may do.
    #[error("LabArchives does not take the sign-in ({0})")]
    SignIn(&'static str),
    /// What is set here is wrong; no sign-in will do until somebody mends it.
    #[error("{0}")]
    Misconfigured(String),
    /// It does not answer, or has no time.
    #[error("{what}")]
    Unavailable {
        /// What happened.
        what: String,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// It answered what it should not.
    #[error("{0}")]
    NotUnderstood(String),
}

impl ExchangeError {
    /// The first code in a text that browsers bring back from LabArchives; nothing of the text itself is kept, as it may
    /// name anybody, and be anybody's. How LabArchives words it is not documented: the code may stand alone or in a sentence.
    pub(crate) fn named_in(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(of_known_code)
    }
}

/// The documents, by their root. The person's name, e-mail and notebooks stand beside the id and are not taken; notebooks
/// have ids too, deeper down.
#[derive(Deserialize)]
enum Document {
    #[serde(rename = "users")]
    Users { id: String },
    #[serde(rename = "error")]
    Error {
        #[serde(rename = "error-code")]
        code: String,
    },
}

/// Judges an answer. `None` as the body is one that was too long.
pub(super) fn judge(
    status: StatusCode,
    wait: Option<Duration>,
    body: Option<&[u8]>,
) -> Result<ExternalId, ExchangeError> {
    let number = status.as_u16();
    let Some(body) = body else {
        return Err(ExchangeError::NotUnderstood(format!(
            "LabArchives' answer ({number}) is longer than any should be"
        )));
    };
    // Names in other encodings are not taken, and must not keep the id from being read.
    let document = quick_xml::de::from_str::<Document>(&String::from_utf8_lossy(body));
    match document {
        Ok(Document::Error { code }) => Err(of_code(code.trim(), number)),
        Ok(Document::Users { id }) if status == StatusCode::OK => ExternalId::parse(&id)
            .map_err(|refusal| ExchangeError::NotUnderstood(format!("LabArchives gave an id that is none: {refusal}"))),
        _ if is_transient_status(status) => {
            Err(ExchangeError::Unavailable { what: format!("LabArchives answered {number}"), wait })
        }
        _ if status == StatusCode::OK => Err(ExchangeError::NotUnderstood(
            "LabArchives' answer is not the XML that it documents. Check LABARCHIVES_URL: it must be the API's host"
                .into(),
        )),
        _ => Err(ExchangeError::Misconfigured(format!(
            "LabArchives answered {number} without one of its error codes. Check LABARCHIVES_URL: it must be the API's \
             host, such as https://api.labarchives.com"
        ))),
    }
}

/// The codes that LabArchives documents. Its descriptions are not passed on: they may name what was sent.
fn of_known_code(code: &str) -> Option<ExchangeError> {
    Some(match code {
        "4506" => ExchangeError::Misconfigured(
            "LabArchives does not know the access key (4506). Check LABARCHIVES_AKID, and that LABARCHIVES_URL is the region's"
                .into(),
        ),
        "4520" => ExchangeError::Misconfigured(
            "LabArchives refuses the signature (4520). Check LABARCHIVES_ACCESS_PASSWORD, LABARCHIVES_HASH, and this \
             machine's clock"
                .into(),
        ),
        "4514" => ExchangeError::SignIn("4514: login"),
        "4533" => ExchangeError::SignIn("4533: session timeout"),
        _ => return None,
    })
}

fn of_code(code: &str, status: u16) -> ExchangeError {
    of_known_code(code).unwrap_or_else(|| {
        // A code is digits; anything else could be what was sent.
        let code = if code.len() <= 6 && code.bytes().all(|b| b.is_ascii_digit()) { code } else { "no code" };
        ExchangeError::NotUnderstood(format!(
            "LabArchives answered the error {code} ({status}), which is not known here"
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(status: u16, body: &str) -> Result<String, ExchangeError> {
        judge(StatusCode::from_u16(status).unwrap(), None, Some(body.as_bytes())).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn the_id_is_the_users_own() {
        for body in [
            "<users><id>UID-1</id></users>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<users>\n  <id type=\"string\">UID-1</id>\n  <fullname>Zo\u{eb} &amp; Co</fullname>\n</users>\n",
            "<users><notebooks type=\"array\"><notebook><id>N1</id></notebook><notebook><id>N2</id></notebook></notebooks>\
             <id> UID-1 </id><email>z@example.org</email></users>",
            "<users><id><![CDATA[UID-1]]></id></users>",
            "<users><id>UID&#45;1</id></users>",
        ] {
            assert_eq!(told(200, body).as_deref(), Ok("UID-1"), "{body}");
        }
        let latin = b"<users><fullname>Zo\xeb</fullname><id>UID-1</id></users>";
        assert_eq!(judge(StatusCode::OK, None, Some(latin)).unwrap().as_str(), "UID-1");
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        let bomb = "<!DOCTYPE users [<!ENTITY a \"UID\"><!ENTITY b \"&a;&a;\">]><users><id>&b;</id></users>";
        for body in [
            "",
            "UID-1",
            "{\"id\": \"UID-1\"}",
            "<html><body><id>UID-1</id></body></html>",
            "<users><id></id></users>",
            "<users><fullname>Z</fullname></users>",
            "<users><notebook><id>N1</id></notebook></users>",
            "<users><id>UID-1</id><id>UID-2</id></users>",
            "<users><id>UID-1</id>",
            bomb,
        ] {
            assert!(matches!(told(200, body), Err(ExchangeError::NotUnderstood(_))), "{body}: {:?}", told(200, body));
        }
        assert!(matches!(judge(StatusCode::OK, None, None), Err(ExchangeError::NotUnderstood(_))));
    }

    #[test]
    fn each_code_has_plain_words_of_ours() {
        let error = |code: &str| {
            let body = format!(
                "<error><error-code>{code}</error-code><error-description>z@example.org</error-description></error>"
            );
            told(400, &body).unwrap_err()
        };
        assert!(matches!(error("4506"), ExchangeError::Misconfigured(what) if what.contains("LABARCHIVES_AKID")));
        assert!(matches!(error("4520"), ExchangeError::Misconfigured(what) if what.contains("LABARCHIVES_HASH")));
        assert!(matches!(error(" 4514 "), ExchangeError::SignIn(_)));
        assert!(matches!(error("4533"), ExchangeError::SignIn(_)));
        assert!(matches!(error("4999"), ExchangeError::NotUnderstood(what) if what.contains("4999")));
        for code in ["4506", "4520", "4514", "4533", "4999", "z@example.org"] {
            assert!(!error(code).to_string().contains("example.org"), "{code}");
        }
    }

    #[test]
    fn a_code_in_a_text_is_found_and_the_text_is_not_kept() {
        for (text, told) in [
            ("4506", Some("4506")),
            ("zoe@example.org: signature (4520)", Some("4520")),
            ("error_code=4514", Some("4514")),
            ("4999, 4533: session timeout", Some("4533")),
            ("", None),
            ("denied", None),
            ("45064506", None),
            ("a4506", None),
        ] {
            let named = ExchangeError::named_in(text).map(|error| error.to_string());
            assert_eq!(named.is_some(), told.is_some(), "{text}: {named:?}");
            if let (Some(named), Some(told)) = (named, told) {
                assert!(named.contains(told) && !named.contains("example.org"), "{named}");
            }
        }
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(told(status, "<html>busy</html>"), Err(ExchangeError::Unavailable { .. })), "{status}");
            assert!(matches!(told(status, "<users><id>UID-1</id></users>"), Err(ExchangeError::Unavailable { .. })));
        }
        for status in [301, 400, 401, 403, 404] {
            assert!(matches!(told(status, "<html>no</html>"), Err(ExchangeError::Misconfigured(_))), "{status}");
        }
    }

    proptest! {
        /// Pieces of documents in any order.
        #[test]
        fn an_id_is_only_ever_of_users(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("<users>"), Just("</users>"), Just("<id>"), Just("</id>"), Just("<error>"), Just("</error>"),
                    Just("<notebook>"), Just("</notebook>"), Just("<html>"), Just("UID-1"), Just("&amp;"), Just("<![CDATA["),
                    Just("]]>"), Just("<!--"), Just("-->"), Just("<?xml?>"), Just("<id/>"), Just("\u{0}"), Just(" "),
                ],
                0..12,
            ),
            status in prop_oneof![Just(200_u16), Just(400), Just(503)],
        ) {
            let body = pieces.concat();
            let given = told(status, &body);
            if let Ok(id) = &given {
                prop_assert!(status == 200 && !id.is_empty(), "{}", body);
                prop_assert!(body.contains("<users>") && body.contains("<id>") && body.contains("</users>"), "{}", body);
            }
        }

        #[test]
        fn nothing_that_is_answered_ends_the_process(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(judge(StatusCode::OK, None, Some(&body)).is_err());
        }
    }
}
