//! LabArchives' signatures: `base64(HMAC(access password, akid + method + expires))`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha512;

/// The hash in an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// What LabArchives documents today.
    Sha512,
    /// What older keys were given out for.
    Sha1,
}

impl std::str::FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sha512" => Ok(Self::Sha512),
            "sha1" => Ok(Self::Sha1),
            _ => Err("it must be `sha512` or `sha1`"),
        }
    }
}

impl Hash {
    /// Signs, not yet encoded for a query. `method` is that of the API without its class, and for a sign-in the redirect
    /// URI itself.
    pub(super) fn sign(self, password: &SecretString, akid: &str, method: &str, expires: i64) -> String {
        let text = format!("{akid}{method}{expires}");
        // A line's end that came into the secret with the password is not part of it.
        let key = password.expose_secret().trim().as_bytes();
        match self {
            Self::Sha512 => BASE64_STANDARD.encode(mac::<Hmac<Sha512>>(key, &text)),
            Self::Sha1 => BASE64_STANDARD.encode(mac::<Hmac<Sha1>>(key, &text)),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104); the error is for other codes.
    let Ok(mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://crosswalk.example.org/registrations/callback/AAAA";

    fn sign(hash: Hash, password: &str, akid: &str, method: &str, expires: i64) -> String {
        hash.sign(&SecretString::from(password), akid, method, expires)
    }

    /// The expected ones are of Python's `hmac`.
    #[test]
    fn signatures_are_those_of_another_implementation() {
        for (hash, method, expected) in [
            (
                Hash::Sha512,
                "user_access_info",
                "ECT+DvFFaz9zvY8xJCeQQASbK6845hRcBAITc2JnY2kjQmOd9J8AeZgnkoXAMEot5p4/R4ufQtdCLRDUr/JXNQ==",
            ),
            (
                Hash::Sha512,
                URI,
                "7BFNZIwFdLyuehjU1FTy/zo7YOeJNSMBh6YS+uIHysCt3WJ6+JkX40dUdil/FMP6/0lMnlwchB4jWMxq85J7pw==",
            ),
            (Hash::Sha1, "user_access_info", "/nW2YL4GqhvIhUuTdph08CdMrLA="),
            (Hash::Sha1, URI, "vg82Pb4IBtH7vwZ2juGjQClW92c="),
        ] {
            for password in ["access-password", "access-password\n"] {
                assert_eq!(
                    sign(hash, password, "example_akid", method, 1_795_341_660_000),
                    expected,
                    "{hash:?} {method}"
                );
            }
        }
    }

    #[test]
    fn a_key_longer_than_a_block_signs_too() {
        let key = "k".repeat(300);
        assert_eq!(
            sign(Hash::Sha512, &key, "a", "m", 1),
            "BEY5jhGHtuZ/6n2VOGT8PXqd0fmFRysE2RFPMhtksGu+a7O/FrxI7PvYkqbUiD+RScHRhyjm3MvBTAUrspUv/A=="
        );
        assert_eq!(sign(Hash::Sha1, &key, "a", "m", 1), "qmif3BaG3H5GQQUbIefBjW0jQ2M=");
    }
}
