//! The secret in a link, and what is kept of it.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use crosswalk_function_kit::Entropy;
use rand::Rng as _;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Bytes of randomness in a token.
const BYTES: usize = 32;

/// 256 random bits, as 43 characters of unpadded base64url (RFC 4648, section 5). Neither `Debug` nor a log shows it.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// SHA-256 of a token, in hexadecimal digits: what is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash(String);

impl Token {
    /// A new one.
    pub fn draw(entropy: &Entropy) -> Self {
        let mut bytes = [0; BYTES];
        entropy.draw(|rng| rng.fill_bytes(&mut bytes));
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// Takes what somebody gave; nothing if it cannot be a token.
    pub fn parse(given: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(given).ok()?;
        (bytes.len() == BYTES).then(|| Self(given.into()))
    }

    /// The token itself, for the link or the cookie that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it. Two hashes may be compared as they are: the time that it takes tells nothing of the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(hex::encode(Sha256::digest(self.expose())))
    }
}

impl TokenHash {
    /// As an item has it.
    pub fn parse(given: &str) -> Option<Self> {
        let is_one = given.len() == 64 && given.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(given.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first digits: enough to tell two of them apart in a log.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", self.0.get(..8).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_43_characters_that_a_path_takes_and_reads_back() {
        let entropy = Entropy::seeded(1);
        let token = Token::draw(&entropy);
        assert_eq!(token.expose().len(), 43);
        assert!(token.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(Token::parse(token.expose()).unwrap().hash(), token.hash());
        assert_ne!(Token::draw(&entropy).hash(), token.hash());
        assert_eq!(TokenHash::parse(token.hash().as_str()), Some(token.hash()));
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let long = "A".repeat(44);
        for given in
            ["", "abc", "../../etc/passwd", "callback", &long, &"é".repeat(20), &format!("{}=", "A".repeat(43))]
        {
            assert!(Token::parse(given).is_none(), "{given}");
        }
        assert!(TokenHash::parse("INVITATION").is_none());
    }
}
