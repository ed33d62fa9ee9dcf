//! What API Gateway's JWT authorizer found in a token, and what to do where none stands in front.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crosswalk_function_kit::settings::Setting;

/// Which [`AuthMode`] an API has.
pub const AUTH: Setting = Setting::with_default(
    "CROSSWALK_AUTH",
    "jwt",
    "`jwt`: API Gateway's JWT authorizer must have checked each request; `none`: requests without claims are let in \
     (local use only)",
);

/// What to do with a request that no authorizer has checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Refuse it.
    Jwt,
    /// Let it in: local use, where nothing stands in front of the API. Claims, where there are some, still count.
    None,
}

impl FromStr for AuthMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "jwt" => Ok(Self::Jwt),
            "none" => Ok(Self::None),
            _ => Err("it must be `jwt` or `none`"),
        }
    }
}

/// What the JWT authorizer found in the token, an extension of the request. Only [`crate::handle`] puts it there, from what
/// callers cannot write: no header can forge it.
///
/// Values are text, as API Gateway hands them over: what is a number or a list in the token has become text too.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Claims(BTreeMap<String, String>);

impl Claims {
    /// A claim by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the claim `scope`, names with spaces between, holds one.
    pub fn hold(&self, scope: &str) -> bool {
        self.get("scope").is_some_and(|held| held.split_ascii_whitespace().any(|held| held == scope))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Claims {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(claims: I) -> Self {
        Self(claims.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Names only: values tell who asks.
impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "identifiers/read";

    #[test]
    fn a_scope_is_one_whole_word() {
        let claims = Claims::from_iter([("scope", "openid  identifiers/read")]);
        assert!(claims.hold(READ));
        assert!(!claims.hold("identifiers/write"));
        assert!(!Claims::from_iter([("scope", "identifiers/readonly")]).hold(READ));
        assert!(!Claims::from_iter([("scp", READ)]).hold(READ));
        assert!(!Claims::default().hold(""));
    }

    #[test]
    fn debug_tells_no_values() {
        let claims = Claims::from_iter([("username", "alice@example.org"), ("scope", "openid")]);
        assert_eq!(format!("{claims:?}"), r#"{"scope", "username"}"#);
        assert_eq!((claims.get("username"), claims.get("email")), (Some("alice@example.org"), None));
    }
}
