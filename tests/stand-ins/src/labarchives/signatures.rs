//! Who may ask: akid, expires and sig.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use jiff::{SignedDuration, Timestamp};
use sha1::Sha1;
use sha2::Sha512;

use super::{ACCESS_PASSWORD, AKID, State, parameter};

/// How far ahead `expires` may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(6);

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hash {
    /// HMAC-SHA-512, as newer clients sign.
    #[default]
    Sha512,
    /// HMAC-SHA-1, as older ones do.
    Sha1,
}

/// LabArchives' number of an error, and its words.
pub(super) type Refusal = (u32, &'static str);

pub(super) const NO_LOGIN: Refusal = (4514, "Login and or password is incorrect");
const NO_AKID: Refusal = (4506, "The supplied akid is invalid");
const NO_SIGNATURE: Refusal = (4520, "The supplied signature or its expiry is invalid");

impl State {
    /// Whether a request for `method` is signed as it must be.
    pub(super) fn check(&self, parameters: &[(String, String)], method: &str) -> Result<(), Refusal> {
        let given = |name| parameter(parameters, name).unwrap_or_default();
        if given("akid") != AKID {
            return Err(NO_AKID);
        }
        let expires = given("expires");
        let ends =
            expires.parse().ok().and_then(|given| Timestamp::from_millisecond(given).ok()).ok_or(NO_SIGNATURE)?;
        if ends <= self.now() || ends > self.now() + AHEAD {
            return Err(NO_SIGNATURE);
        }
        let right = sign(self.hash, &format!("{AKID}{method}{expires}"));
        if right.as_deref() == Some(given("sig")) { Ok(()) } else { Err(NO_SIGNATURE) }
    }
}

/// The base64 of the HMAC; none is for a key that cannot be one.
fn sign(hash: Hash, text: &str) -> Option<String> {
    let key = ACCESS_PASSWORD.as_bytes();
    match hash {
        Hash::Sha512 => finished(Hmac::<Sha512>::new_from_slice(key).ok()?, text),
        Hash::Sha1 => finished(Hmac::<Sha1>::new_from_slice(key).ok()?, text),
    }
}

fn finished(mut mac: impl Mac, text: &str) -> Option<String> {
    mac.update(text.as_bytes());
    Some(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_another_implementation() {
        let text = format!("{AKID}user_access_info1763625600000");
        let sha512 = "+22g716InBgU7kJcI1qohk8S4bprF9f8F5iN61kke46kAwwRdM0ySwXzuFRXgd2p0xO25XyiguOFFcng9UMYDQ==";
        assert_eq!(sign(Hash::Sha512, &text).as_deref(), Some(sha512));
        assert_eq!(sign(Hash::Sha1, &text).as_deref(), Some("bpC49XP3flO36U02gBwXYfX5p2A="));
    }
}
