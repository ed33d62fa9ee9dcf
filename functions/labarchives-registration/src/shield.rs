//! The headers by which browsers keep a page from harm, on every answer.

use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use crosswalk_invitations::Pages;

use crate::settings::LabArchivesSettings;

/// The headers, made once.
#[derive(Debug, Clone)]
pub(crate) struct Shield {
    policy: HeaderValue,
    own_origin: String,
}

impl Shield {
    /// Nothing may be loaded but the stylesheet, nothing framed, and the button leads to LabArchives alone: browsers check
    /// the redirects after a form against `form-action` too, all that follow at once.
    pub(crate) fn new(labarchives: &LabArchivesSettings, pages: &Pages) -> Self {
        let url = &labarchives.url;
        let mut to = vec!["'self'".to_owned(), url.origin().ascii_serialization()];
        if url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(".labarchives.com")) {
            // The API's host shows no page: the sign-in is another one's of theirs.
            to.push("https://*.labarchives.com".to_owned());
        }
        to.extend(labarchives.sign_in_origins.iter().cloned());
        let policy = format!(
            "default-src 'none'; style-src 'self'; form-action {}; base-uri 'none'; frame-ancestors 'none'",
            to.join(" ")
        );
        // Origins are ASCII without control characters: the default is never met, and lets nothing be done.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { policy, own_origin: pages.at("/").origin().ascii_serialization() }
    }

    /// Puts them on an answer.
    pub(crate) fn cover(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }

    /// Whether a POST may come from a page of ours. One that another site makes a browser send would begin an attempt there
    /// with somebody else's link, and whoever is signed in to LabArchives could end up linked to that person unasked.
    /// Browsers say where a request is from in `Sec-Fetch-Site`; those that do not (before 2023) name an `Origin`, which is
    /// `null` for a form of ours too, as our pages have no referrer.
    pub(crate) fn lets_in(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => origin == "null" || origin == self.own_origin,
            // Not a browser.
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_function_kit::settings::Environment;

    use super::*;
    use crate::RegistrationSettings;

    fn shield(more: &[(&str, &str)]) -> Shield {
        let whole = [
            ("LABARCHIVES_AKID", "example"),
            ("LABARCHIVES_ACCESS_PASSWORD", "hunter2"),
            ("REGISTRATION_URL", "https://crosswalk.example.org"),
            ("CROSSWALK_TABLE", "crosswalk"),
        ];
        let environment = whole.iter().chain(more).map(|(name, value)| (name.to_string(), value.to_string()));
        let settings = RegistrationSettings::from_env(&Environment::from_iter(environment)).unwrap();
        Shield::new(&settings.labarchives, &settings.pages)
    }

    fn policy(more: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        shield(more).cover(&mut headers);
        headers[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn the_button_leads_to_labarchives_alone() {
        assert_eq!(
            policy(&[("LABARCHIVES_URL", "http://127.0.0.1:8081")]),
            "default-src 'none'; style-src 'self'; form-action 'self' http://127.0.0.1:8081; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        assert!(
            policy(&[]).contains("form-action 'self' https://api.labarchives.com https://*.labarchives.com; base-uri")
        );
        let sso = "https://sso.example.org, https://login.example.org:8443/";
        assert!(
            policy(&[("LABARCHIVES_SIGN_IN_ORIGINS", sso)])
                .contains("https://*.labarchives.com https://sso.example.org https://login.example.org:8443;")
        );
    }

    #[test]
    fn another_site_presses_no_button() {
        let shield = shield(&[]);
        for (site, origin, lets_in) in [
            (None, None, true),
            (Some("same-origin"), Some("null"), true),
            (Some("none"), None, true),
            (Some("cross-site"), Some("null"), false),
            (Some("same-site"), Some("null"), false),
            (Some("cross-site"), Some("https://crosswalk.example.org"), false),
            (None, Some("null"), true),
            (None, Some("https://crosswalk.example.org"), true),
            (None, Some("https://evil.example.org"), false),
            (None, Some("https://crosswalk.example.org.evil.example.org"), false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(shield.lets_in(&headers), lets_in, "{site:?} {origin:?}");
        }
    }
}
