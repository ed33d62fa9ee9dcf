use unicode_normalization::UnicodeNormalization;

use crate::Refusal;

/// The form under which two spellings are one: trim → NFC → Unicode lowercase → NFC.
///
/// NFC comes twice, as lowercasing can leave a sequence that composes further.
pub(crate) fn key_form(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        // Most are; ASCII is NFC already.
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    composed.to_lowercase().nfc().collect()
}

/// What kinds of bytes a text holds, told in one pass over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    /// ASCII's control characters.
    const CONTROL: Self = Self(1);
    /// Parts of characters beyond ASCII.
    const BEYOND_ASCII: Self = Self(1 << 1);
    /// `/ ? # % \`.
    pub(crate) const NOT_IN_PATH: Self = Self(1 << 2);
    /// Other than ASCII's letters, digits and `._+-`.
    pub(crate) const NOT_PLAIN_LOCAL: Self = Self(1 << 3);
    /// Other than ASCII's letters, digits and `.-`.
    pub(crate) const NOT_PLAIN_DOMAIN: Self = Self(1 << 4);

    /// The kinds of each byte.
    const OF: [Self; 256] = {
        let mut all = [Self(0); 256];
        let mut byte = 0_u8;
        loop {
            all[byte as usize] = Self::of_byte(byte);
            if byte == u8::MAX {
                break all;
            }
            byte += 1;
        }
    };

    const fn of_byte(byte: u8) -> Self {
        let mut kinds = 0;
        if byte.is_ascii_control() {
            kinds |= Self::CONTROL.0;
        }
        if !byte.is_ascii() {
            kinds |= Self::BEYOND_ASCII.0;
        }
        if matches!(byte, b'/' | b'?' | b'#' | b'%' | b'\\') {
            kinds |= Self::NOT_IN_PATH.0;
        }
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-')) {
            kinds |= Self::NOT_PLAIN_LOCAL.0;
        }
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
            kinds |= Self::NOT_PLAIN_DOMAIN.0;
        }
        Self(kinds)
    }

    /// The kinds that a text holds.
    pub(crate) fn of(text: &str) -> Self {
        text.bytes().fold(Self(0), |all, byte| Self(all.0 | Self::of_one(byte).0))
    }

    /// The kinds of one byte.
    pub(crate) fn of_one(byte: u8) -> Self {
        Self::OF[usize::from(byte)]
    }

    /// Whether this kind is among them.
    pub(crate) fn hold(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }
}

/// Refuses what no identifier may be: empty, or with control characters; gives the kinds of its bytes. The text is trimmed.
pub(crate) fn check(what: &'static str, text: &str) -> Result<Kinds, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Empty { what });
    }
    let kinds = Kinds::of(text);
    if !kinds.hold(Kinds::CONTROL) && !kinds.hold(Kinds::BEYOND_ASCII) {
        return Ok(kinds);
    }
    match text.chars().enumerate().find(|(_, c)| c.is_control()) {
        Some((index, c)) => Err(Refusal::Control { what, code: c.into(), position: index + 1 }),
        None => Ok(kinds),
    }
}

pub(crate) fn check_length(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    within(what, text.len(), limit)
}

/// As [`check_length`], for the key form of a trimmed text of these kinds. ASCII keeps its length in it, and is not copied
/// to tell.
pub(crate) fn check_key_length(what: &'static str, text: &str, kinds: Kinds, limit: usize) -> Result<(), Refusal> {
    let length = if kinds.hold(Kinds::BEYOND_ASCII) { key_form(text).len() } else { text.len() };
    within(what, length, limit)
}

fn within(what: &'static str, bytes: usize, limit: usize) -> Result<(), Refusal> {
    if bytes > limit { Err(Refusal::TooLong { what, bytes, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_key_length_is_the_key_forms(given in "(\\PC|[A-Z\u{130}\u{e9}\u{301}]){0,20}") {
            let text = given.trim();
            let length = key_form(text).len();
            let long = Refusal::TooLong { what: "x", bytes: length, limit: length.saturating_sub(1) };
            prop_assert_eq!(check_key_length("x", text, Kinds::of(text), length), Ok(()));
            if length > 0 {
                prop_assert_eq!(check_key_length("x", text, Kinds::of(text), length - 1), Err(long));
            }
        }

        #[test]
        fn controls_are_found_wherever_they_stand(before in "[a-z \u{e9}]{0,9}", control in "\\p{Cc}", after in "\\PC{0,3}") {
            let given = format!("a{before}{control}{after}b");
            let refusal = Refusal::Control {
                what: "x",
                code: control.chars().next().unwrap().into(),
                position: before.chars().count() + 2,
            };
            prop_assert_eq!(check("x", &given), Err(refusal));
            let without = format!("a{before}b");
            prop_assert_eq!(check("x", &without), Ok(Kinds::of(&without)));
        }
    }
}
