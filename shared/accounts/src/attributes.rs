//! What an account holds of its person.

use std::fmt;

use aws_sdk_cognitoidentityprovider::types::AttributeType;

use crate::errors::AccountError;
use crate::find::Account;

/// What an account holds of its person, as far as Crosswalk has to do with it. In what is written, `None` is left as it
/// stands.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The e-mail.
    pub email: Option<Box<str>>,
    /// Whether the e-mail counts as the person's. Cognito sends passwords to no other, and where e-mail is an alias signs in
    /// by no other.
    pub email_verified: Option<bool>,
    /// The given (first) name.
    pub given_name: Option<Box<str>>,
    /// The family (last) name.
    pub family_name: Option<Box<str>>,
    /// The username that the person goes by; the pool's own name for the account is another.
    pub preferred_username: Option<Box<str>>,
}

/// An account with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The account.
    pub account: Account,
    /// What it holds.
    pub attributes: Attributes,
}

impl Attributes {
    /// As Cognito names them.
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { email, email_verified, given_name, family_name, preferred_username } = self;
        let verified = email_verified.map(|verified| if verified { "true" } else { "false" });
        [
            ("email", email.as_deref()),
            ("email_verified", verified),
            ("given_name", given_name.as_deref()),
            ("family_name", family_name.as_deref()),
            ("preferred_username", preferred_username.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The values, which no text may repeat.
    pub(crate) fn values(&self) -> Vec<&str> {
        let personal = self.named().filter(|(name, _)| *name != "email_verified");
        personal.map(|(_, value)| value).collect()
    }

    /// For a call.
    pub(crate) fn to_send(&self, step: &'static str) -> Result<Vec<AttributeType>, AccountError> {
        let built = self.named().map(|(name, value)| AttributeType::builder().name(name).value(value).build());
        let built: Result<_, _> = built.collect();
        built.map_err(|error| AccountError::Refused { step, reason: error.to_string(), done: &[] })
    }

    /// From an answer. What is empty counts as none.
    pub(crate) fn of(given: Vec<AttributeType>) -> Self {
        let mut found = Self::default();
        for AttributeType { name, value, .. } in given {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            match name.as_str() {
                "email" => found.email = Some(value.into()),
                "email_verified" => found.email_verified = Some(value == "true"),
                "given_name" => found.given_name = Some(value.into()),
                "family_name" => found.family_name = Some(value.into()),
                "preferred_username" => found.preferred_username = Some(value.into()),
                _ => {}
            }
        }
        found
    }
}

/// Which attributes are there.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.named().map(|(name, _)| name)).finish()
    }
}
