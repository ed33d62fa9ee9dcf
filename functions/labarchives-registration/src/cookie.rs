//! The browser's half of an attempt's state.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use cookie::Cookie;
use crosswalk_invitations::{Token, TokenHash};

use crate::attempts::HOLDS;

/// `__Host-`: browsers take it over TLS alone, for this host alone, and for all of its paths (RFC 6265bis, 4.1.3.2). From
/// this very machine Chromium and Firefox take it without TLS too.
pub(crate) const NAME: &str = "__Host-crosswalk-registration";

/// `SameSite=Lax`, as `Strict` is not sent on the way back from LabArchives.
const ATTRIBUTES: &str = "Secure; HttpOnly; SameSite=Lax; Path=/";

/// Sets it for as long as the attempt holds.
pub(crate) fn set(state: &Token) -> Option<HeaderValue> {
    let mut value =
        HeaderValue::try_from(format!("{NAME}={}; {ATTRIBUTES}; Max-Age={}", state.expose(), HOLDS.as_secs())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes it back.
pub(crate) fn clear() -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{NAME}=; {ATTRIBUTES}; Max-Age=0")).ok()
}

/// What a browser has of a state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// No such cookie.
    Nothing,
    /// This one's.
    This,
    /// Another one's, none's, or several.
    Other,
}

/// Holds a request's cookies against a state. Hashes are compared, so that the time that it takes tells nothing.
pub(crate) fn held(headers: &HeaderMap, state: &TokenHash) -> Held {
    let lines = headers.get_all(COOKIE).iter().map(|line| line.to_str().unwrap_or_default());
    let cookies = lines.flat_map(Cookie::split_parse).flatten().filter(|cookie| cookie.name() == NAME);
    let mut held = Held::Nothing;
    for cookie in cookies {
        let is_this = Token::parse(cookie.value()).is_some_and(|token| token.hash() == *state);
        held = if is_this && held == Held::Nothing { Held::This } else { Held::Other };
    }
    held
}

#[cfg(test)]
mod tests {
    use crosswalk_function_kit::Entropy;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cookie_comes_back_as_it_went() {
        let entropy = Entropy::seeded(1);
        let (state, other) = (Token::draw(&entropy), Token::draw(&entropy));
        let set = set(&state).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            format!(
                "__Host-crosswalk-registration={}; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=900",
                state.expose()
            )
        );
        assert!(!format!("{set:?}").contains(state.expose()));
        assert!(clear().unwrap().to_str().unwrap().ends_with("Path=/; Max-Age=0"));
        let (this, that) = (state.expose(), other.expose());
        for (lines, expected) in [
            (vec![], Held::Nothing),
            (vec!["a=1; b=2".to_owned()], Held::Nothing),
            (vec![format!("a=1; {NAME}={this}; b")], Held::This),
            (vec!["a=1".to_owned(), format!("{NAME}={this}")], Held::This),
            (vec![format!("{NAME}={that}")], Held::Other),
            (vec![format!("{NAME}=")], Held::Other),
            (vec![format!("{NAME}={this}; {NAME}={that}")], Held::Other),
            (vec![format!("{NAME}={that}; {NAME}={this}")], Held::Other),
            (vec![format!("{NAME}={this}; {NAME}={this}")], Held::Other),
            (vec![format!("crosswalk-registration={this}")], Held::Nothing),
        ] {
            let headers = lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect();
            assert_eq!(held(&headers, &state.hash()), expected, "{lines:?}");
        }
    }

    proptest! {
        /// Nothing but the state itself, under its own name, is the state.
        #[test]
        fn a_state_is_not_guessed(
            before in "(;| |=|,|\"|__Host-crosswalk-registration|a=1){0,5}",
            name in "(__Host-|__host-|__Host-x|)crosswalk-registration",
            cut in 0_usize..43,
            after in "(;| |=|,|\"|a=1|%3D){0,5}",
        ) {
            let state = Token::draw(&Entropy::seeded(1));
            let line = format!("{before}; {name}={}{after}", &state.expose()[..cut]);
            let Ok(line) = HeaderValue::from_str(&line) else { return Ok(()) };
            let headers = HeaderMap::from_iter([(COOKIE, line.clone())]);
            prop_assert_ne!(held(&headers, &state.hash()), Held::This, "{:?}", line);
        }
    }
}
