//! The password policy, and passwords as they are kept.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::json_protocol::ApiError;

/// What Cognito counts as a symbol, besides a space inside the password.
const SYMBOLS: &str = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+=";

/// A pool's password policy, in the API's form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PasswordPolicy {
    pub(super) minimum_length: usize,
    require_uppercase: bool,
    require_lowercase: bool,
    require_numbers: bool,
    require_symbols: bool,
    pub(super) temporary_password_validity_days: i64,
}

/// What a call leaves out of a policy that it gives.
impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            require_uppercase: false,
            require_lowercase: false,
            require_numbers: false,
            require_symbols: false,
            temporary_password_validity_days: 7,
        }
    }
}

impl PasswordPolicy {
    /// What holds when a call gives no policy at all.
    pub(super) fn of_no_policy() -> Self {
        Self {
            require_uppercase: true,
            require_lowercase: true,
            require_numbers: true,
            require_symbols: true,
            ..Self::default()
        }
    }

    /// InvalidPasswordException if the password is not one.
    pub(super) fn check(&self, password: &str) -> Result<(), ApiError> {
        let symbol = |c: char| SYMBOLS.contains(c) || c == ' ';
        let reason = if password.trim() != password || password.chars().any(char::is_control) {
            "Password must not begin or end with a space, or hold control characters"
        } else if password.chars().count() < self.minimum_length {
            "Password not long enough"
        } else if password.chars().count() > 256 {
            "Password too long"
        } else if self.require_uppercase && !password.contains(|c: char| c.is_ascii_uppercase()) {
            "Password must have uppercase characters"
        } else if self.require_lowercase && !password.contains(|c: char| c.is_ascii_lowercase()) {
            "Password must have lowercase characters"
        } else if self.require_numbers && !password.contains(|c: char| c.is_ascii_digit()) {
            "Password must have numeric characters"
        } else if self.require_symbols && !password.contains(symbol) {
            "Password must have symbol characters"
        } else {
            return Ok(());
        };
        Err(ApiError::new("InvalidPasswordException", format!("Password did not conform with policy: {reason}")))
    }
}

/// A password, salted and hashed: a folder that is kept or shared must not give it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HashedPassword {
    salt: Uuid,
    hash: String,
}

impl HashedPassword {
    pub(super) fn of(password: &str, salt: Uuid) -> Self {
        let mut digest = Sha256::new();
        digest.update(salt.as_bytes());
        digest.update(password);
        Self { salt, hash: hex::encode(digest.finalize()) }
    }

    pub(super) fn is(&self, password: &str) -> bool {
        Self::of(password, self.salt) == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_demanded() {
        let policy = PasswordPolicy::of_no_policy();
        assert_eq!(policy.check("Passw0rd!"), Ok(()));
        assert_eq!(policy.check("Pass w0rd"), Ok(()));
        for (password, reason) in [
            ("Pa0!", "long enough"),
            ("passw0rd!", "uppercase"),
            ("PASSW0RD!", "lowercase"),
            ("Password!", "numeric"),
            ("Passw0rdd", "symbol"),
            (" Passw0rd!", "space"),
        ] {
            let error = policy.check(password).unwrap_err();
            assert_eq!(error.name, "InvalidPasswordException");
            assert!(error.message.contains(reason), "{password}: {}", error.message);
        }
    }
}
